/* SPDX-License-Identifier: MIT */
/* Text from inside a file, before a person sees it. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

/* Control bytes become '?': a terminal must not obey bytes that came out of an
 * image. */
void printable(char *text);

#endif
