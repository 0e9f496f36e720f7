/* SPDX-License-Identifier: MIT */
/* Text from inside a file, before a person sees it. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

/* What a terminal would obey (control characters, C1 ones and those that turn
 * the direction too) and what is no UTF-8 becomes '?', byte for byte: `text`
 * stays as long. */
void printable(char *text);

#endif
