/* SPDX-License-Identifier: MIT */
/*
 * What an appliance's description (OVF 1.x, 2.0: DMTF DSP0243) says of its
 * disks. Names of files in it are data, to be compared with those of the
 * archive's members.
 */
#ifndef FORMATS_ARCHIVES_OVF_H
#define FORMATS_ARCHIVES_OVF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "formats/archives/archive.h"

#define OVF_DISKS 64
/* Of the text, bytes. */
#define LIMIT_OVF ((size_t)4 << 20)

struct ovf_disk {
	char id[128];
	char file[ARCHIVE_NAME_LEN]; /* the member that holds it */
	char format[160];	     /* a URI */
	bool capacity_known;
	uint64_t capacity; /* bytes, as the guest sees it */
};

struct ovf {
	char name[128]; /* of the machine; "" when it has none */
	unsigned count; /* disks that have a file, in order */
	struct ovf_disk disk[OVF_DISKS];
};

/* ERR_DAMAGED for what is no such text, ERR_UNSUPPORTED for disks in chunks or
 * over another disk, and when built without libxml2. Loads nothing from
 * anywhere. */
int ovf_read(const char *text, size_t len, struct ovf *out, struct err *err);

/* "byte * 2^30" and the like (DSP0004): bytes in one unit; 0: unknown. */
uint64_t ovf_units(const char *text);

#endif
