/* SPDX-License-Identifier: MIT */
/* Characters of UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing
 * beyond U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length of the character at `text`, and which it is; 0 if it is none. A NUL
 * ends what would run over the text's end. */
size_t utf8_character(const char *text, uint32_t *value);

#endif
