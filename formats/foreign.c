/* SPDX-License-Identifier: MIT */
/* Owns the table of what is left to QEMU's tools. Parses nothing. */
#include "formats/foreign.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct foreign table[] = {
	{ "qcow", ".qcow", true, false },
	{ "luks", NULL, false, true },
};

#define ROWS (sizeof table / sizeof *table)

const struct foreign *foreign_by_name(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!strcasecmp(table[i].name, name))
			return &table[i];
	return NULL;
}

const struct foreign *foreign_by_suffix(const char *file)
{
	const char *dot = strrchr(file, '.');

	for (size_t i = 0; dot && i < ROWS; i++)
		if (table[i].suffix && !strcasecmp(table[i].suffix, dot))
			return &table[i];
	return NULL;
}
