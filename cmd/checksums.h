/* SPDX-License-Identifier: MIT */
/* From --checksum to what is expected of an input: reads the files that are
 * named, and says what of it is no proof. What their text means is
 * checksum.c's. */
#ifndef CMD_CHECKSUMS_H
#define CMD_CHECKSUMS_H

#include "cmd/settings.h"
#include "cmd/ui.h"
#include "transforms/protocol.h"

/* `base` is the input's name without folder, or "" (standard input); `image`
 * as it was probed. Errors name what was given to --checksum. */
int checksums_make(const struct settings *settings, struct ui *ui,
		   const char *base, const struct image *image,
		   struct expectations *out, struct err *err);

#endif
