/* SPDX-License-Identifier: MIT */
/* Owns the text forms of sizes. */
#include "base/units.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"

static const char letters[] = "KMGTPE";

static int parse_suffix(const char *text, unsigned *shift)
{
	*shift = 0;
	if (!*text)
		return 0;
	const char *letter = strchr(letters, *text & ~0x20);
	if (letter && *letter) {
		*shift = 10 * (unsigned)(letter - letters + 1);
		text++;
		if (!strcasecmp(text, "iB"))
			return 0;
	}
	return !*text || !strcasecmp(text, "B") ? 0 : -1;
}

int units_parse_size(const char *text, uint64_t *out)
{
	uint64_t whole = 0, fraction = 0, scale = 1;
	unsigned shift;

	if (*text < '0' || *text > '9')
		return -1;
	for (; *text >= '0' && *text <= '9'; text++)
		if (!checked_mul(whole, 10, &whole) ||
		    !checked_add(whole, (uint64_t)(*text - '0'), &whole))
			return -1;
	if (*text == '.') {
		if (text[1] < '0' || text[1] > '9')
			return -1;
		for (text++; *text >= '0' && *text <= '9'; text++) {
			/* Six places are plenty, and keep the product small. */
			if (scale == 1000000)
				return -1;
			fraction = fraction * 10 + (uint64_t)(*text - '0');
			scale *= 10;
		}
	}
	if (parse_suffix(text, &shift) < 0)
		return -1;
	if (whole > (uint64_t)INT64_MAX >> shift)
		return -1;
	uint64_t part;
	if (!checked_mul(fraction, (uint64_t)1 << shift, &part) ||
	    part % scale)
		return -1;
	*out = (whole << shift) + part / scale;
	return *out > INT64_MAX ? -1 : 0;
}

char *units_exact(uint64_t size, char *buf, size_t len)
{
	unsigned shift = 0;

	while (size && shift < 60 && !(size >> shift & 1023))
		shift += 10;
	/* The loop stops one step beyond the last unit that divides. */
	while (shift && (size & (((uint64_t)1 << shift) - 1)))
		shift -= 10;
	if (shift)
		snprintf(buf, len, "%llu%c",
			 (unsigned long long)(size >> shift),
			 letters[shift / 10 - 1]);
	else
		snprintf(buf, len, "%llu", (unsigned long long)size);
	return buf;
}

char *units_about(uint64_t size, char *buf, size_t len)
{
	double value = (double)size;
	unsigned step = 0;

	while (value >= 1024 && step < 6) {
		value /= 1024;
		step++;
	}
	if (!step)
		snprintf(buf, len, "%llu B", (unsigned long long)size);
	else
		snprintf(buf, len, "%.1f %ciB", value, letters[step - 1]);
	return buf;
}
