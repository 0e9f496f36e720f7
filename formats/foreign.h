/* SPDX-License-Identifier: MIT */
/*
 * Image formats that QEMU's tools do for us what no driver of ours does:
 * write an old one, decrypt a volume.
 */
#ifndef FORMATS_FOREIGN_H
#define FORMATS_FOREIGN_H

#include <stdbool.h>

struct foreign {
	const char *name;   /* ours, QEMU's and the probe's */
	const char *suffix; /* ".qcow", or NULL */
	bool writes;	    /* qemu-img makes it from a raw disk of ours */
	/* Encrypted whatever its bytes are. LUKS is guest content, and a
	 * container only where -f says so. */
	bool encrypted;
};

/* By name, or by file name suffix; NULL if there is none. */
const struct foreign *foreign_by_name(const char *name);
const struct foreign *foreign_by_suffix(const char *file);

#endif
