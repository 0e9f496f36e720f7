/* SPDX-License-Identifier: MIT */
/*
 * The members of a tar (POSIX.1-2017, pax: ustar and extended headers; GNU
 * tar manual, "Basic Tar Format": long names, base-256 numbers) by name and
 * place, from a file or a stream. Names are only ever compared.
 */
#ifndef FORMATS_IMAGES_XVA_TAR_H
#define FORMATS_IMAGES_XVA_TAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/source.h"

#define TAR_NAME_LEN 257

struct tar {
	struct source *source;
	uint64_t at; /* of the next header */
};

struct tar_member {
	char name[TAR_NAME_LEN];
	bool file; /* with data; else a folder, a link, a device */
	uint64_t place, size;
};

/* 1; 0 at the archive's end mark, behind which are only zeros; -1: also when
 * the mark is missing. The data is the caller's to read, or not. */
int tar_next(struct tar *tar, struct tar_member *out, struct err *err);

#endif
