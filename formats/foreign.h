/* SPDX-License-Identifier: MIT */
/*
 * Image formats that we recognise but have no driver for, and that QEMU's
 * tools know: what they are called there, and what must be seen in their
 * first bytes before such a tool is let loose on them.
 */
#ifndef FORMATS_FOREIGN_H
#define FORMATS_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct foreign {
	const char *name; /* the probe's */
	const char *qemu; /* QEMU's */
	const char *suffix; /* ".vdi", or NULL */
	const char *options; /* for writing: "force_size=on", or NULL */
	bool reads, writes;  /* QEMU does */
	/* True when the header says that no other file is needed, and that
	 * the file is as long as it says (as far as the header can). `head`
	 * holds up to LIMIT_PROBE_LEN bytes, `tail` the last 512. */
	bool (*alone)(const unsigned char *head, size_t len,
		      const unsigned char *tail, uint64_t size);
};

/* Is a file in `format` encrypted, whatever its bytes? LUKS, which is a
 * container only where -f says so, is. */
bool foreign_encrypted(const char *format);

/* By our name or QEMU's, or by file name suffix; NULL if there is none. */
const struct foreign *foreign_by_name(const char *name);
const struct foreign *foreign_by_suffix(const char *file);

#endif
