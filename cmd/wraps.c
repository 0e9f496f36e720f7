/* SPDX-License-Identifier: MIT */
/* Owns the suffixes of what is around an image. What may stand around what is
 * target.c's. */
#include "cmd/wraps.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "formats/codecs/codec.h"

/* Short suffixes for an archive in a compression. */
static const struct {
	const char *suffix, *means;
} short_suffixes[] = {
	{ ".tgz", ".tar.gz" },
	{ ".txz", ".tar.xz" },
	{ ".tzst", ".tar.zst" },
};

/* `name` ends in `suffix`, and something is in front of it. */
static bool ends_in(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && !strcasecmp(name + len - tail, suffix) &&
	       name[len - tail - 1] != '/';
}

void wraps_spell_out(char **name)
{
	for (size_t i = 0; i < sizeof short_suffixes / sizeof *short_suffixes;
	     i++) {
		const char *suffix = short_suffixes[i].suffix;
		char *longer;

		if (!ends_in(*name, suffix))
			continue;
		longer = mem_printf("%.*s%s",
				    (int)(strlen(*name) - strlen(suffix)),
				    *name, short_suffixes[i].means);
		free(*name);
		*name = longer;
		return;
	}
}

const char *wraps_take(char *name)
{
	static const char *const archives[] = { "tar", "zip", "ova" };
	int id = codec_by_suffix(name);
	char suffix[8];

	if (id >= 0) {
		name[strlen(name) -
		     strlen(codec_get((enum codec_id)id)->suffix)] = '\0';
		return codec_get((enum codec_id)id)->tag;
	}
	for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
		snprintf(suffix, sizeof suffix, ".%s", archives[i]);
		if (ends_in(name, suffix)) {
			name[strlen(name) - strlen(suffix)] = '\0';
			return archives[i];
		}
	}
	return NULL;
}
