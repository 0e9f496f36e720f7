/* SPDX-License-Identifier: MIT */
/* What a name's suffixes say is around an image: "disk.raw.tar.gz". */
#ifndef CMD_WRAPS_H
#define CMD_WRAPS_H

/* The tag of the outermost wrap, a codec's or a written archive's, which is
 * cut off `name`; NULL: there is none. */
const char *wraps_take(char *name);

/* Short suffixes in full, ".tgz" as ".tar.gz": *name is malloc'ed, and another
 * one then. */
void wraps_spell_out(char **name);

#endif
