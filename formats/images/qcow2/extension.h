/* SPDX-License-Identifier: MIT */
/* Header extensions and the names a header refers to; header.c's helper. */
#ifndef FORMATS_IMAGES_QCOW2_EXTENSION_H
#define FORMATS_IMAGES_QCOW2_EXTENSION_H

#include "formats/images/qcow2/qcow2.h"

/* Fill in the extensions and the backing name out of the first `len` bytes of
 * the file; refuse unknown incompatible features by the names the image gives
 * them. Expects version, cluster size, header length and feature bits. */
int extension_parse(const unsigned char *bytes, size_t len,
		    struct qcow2_header *out, struct err *err);

/* Do extensions and feature bits agree? */
int extension_check(const struct qcow2_header *header, struct err *err);

#endif
