/* SPDX-License-Identifier: MIT */
/* Owns what a terminal is not to get. Does not print. */
#include "base/printable.h"

void printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}
