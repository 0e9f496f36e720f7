/* SPDX-License-Identifier: MIT */
/*
 * What a zip's own table says of a member that is stored as it is, for whoever
 * reads it in place: libarchive checks this only of what it reads itself.
 * (PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16.)
 */
#ifndef FORMATS_ARCHIVES_ZIP_ENTRY_H
#define FORMATS_ARCHIVES_ZIP_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/source.h"

/* Is there an entry of a member that is stored, not encrypted, of `size` bytes
 * that begin at `offset`? *found, and its CRC-32. -1: reading failed. */
int zip_entry_stored(struct source *source, uint64_t offset, uint64_t size,
		     bool *found, uint32_t *crc, struct err *err);

/* ERR_DAMAGED unless the table is where the zip's end says. libarchive does
 * without one. */
int zip_entry_table(struct source *source, struct err *err);

#endif
