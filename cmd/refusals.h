/* SPDX-License-Identifier: MIT */
/* Wishes that no plan can answer, said better than by a tag out of reach. */
#ifndef CMD_REFUSALS_H
#define CMD_REFUSALS_H

#include "cmd/planning.h"

/* 0, or -1 with the reason and the way out. `planning` has its target. */

/* `imgconv resize` cannot change this image where it is. */
int refusals_in_place(const struct image *image,
		      const struct planning_paths *paths, struct err *err);
/* --max-size, as far as sizes are known. */
int refusals_size(const struct settings *settings, const struct image *image,
		  struct err *err);
/* --verify reads OUTPUT alone. */
int refusals_verify(const struct planning *planning, struct err *err);
/* The format means another sector size than the disk has. */
int refusals_sectors(const struct planning *planning, struct err *err);
/* Several files can only be made as files. */
int refusals_parts(const struct planning *planning,
		   const struct planning_paths *paths, struct err *err);
/* --for: the disk is larger than what is accepted. */
int refusals_consumer(const struct settings *settings,
		      const struct target *target, const struct image *image,
		      struct err *err);

/* Does qemu-nbd take this snapshot's name for something else? */
bool refusals_names_otherwise(const char *snapshot);

/* Where no plan was found: why the input cannot be read, or NULL. */
const char *refusals_why_not(const struct planning *planning,
			     const struct settings *settings);

#endif
