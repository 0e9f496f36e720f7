/* SPDX-License-Identifier: MIT */
/*
 * Identifiers of an image being made (UUID, CID, time): the same input and
 * options give the same ones. They are made of the format, the virtual size,
 * the options and the first IDENTITY_LEN bytes of guest content; --uuid gives
 * one, --unique asks for fresh ones. The writer hands over what it is given
 * and asks when its header is written: at its end, or, where the header must
 * come first, as soon as identity_ready says so.
 */
#ifndef FORMATS_IDENTITY_H
#define FORMATS_IDENTITY_H

#include <stdint.h>

#include "base/limits.h"
#include "formats/images/driver.h"
#include "formats/writer.h"

#define IDENTITY_LEN ((size_t)(4 * MIB))
#define IDENTITY_UUID_LEN 16

struct identity;

/* Copies `options`. Sets writer->units_until, so that the bytes it needs are
 * never shared past it. */
struct identity *identity_open(struct writer *writer,
			       const struct create_options *options);
/* From `place`, in any order: what holds data of the first bytes. */
void identity_unit(struct identity *identity, const struct unit *unit,
		   uint32_t granule);
/* With these guest bytes placed or zero, is all known? */
bool identity_ready(uint64_t position, uint64_t size);

/* The identifier for `purpose` ("image", "data"), of RFC 4122's random form
 * in the order of bytes as written. "image" is what --uuid gives. */
void identity_uuid(struct identity *identity, uint64_t size,
		   const char *purpose,
		   unsigned char out[IDENTITY_UUID_LEN]);
/* Never 0 or UINT32_MAX, which mean "none" to VMDK. */
uint32_t identity_number(struct identity *identity, uint64_t size,
			 const char *purpose);
/* Seconds since 1970 to note as the time of creation; 0 unless unique. */
int64_t identity_time(const struct identity *identity);

/* 8-4-4-4-12, lower case, with its NUL. */
#define IDENTITY_TEXT_LEN 37
void identity_text(const unsigned char uuid[IDENTITY_UUID_LEN],
		   char out[IDENTITY_TEXT_LEN]);
/* The first three groups the other way round, as Microsoft's GUIDs (VHDX) and
 * VirtualBox (VDI) store them. */
void identity_swap(unsigned char uuid[IDENTITY_UUID_LEN]);

/* Accepts NULL, returns NULL. */
struct identity *identity_close(struct identity *identity);

#endif
