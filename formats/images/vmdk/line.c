/* SPDX-License-Identifier: MIT */
/* Owns the extent lines of a descriptor: ACCESS SECTORS TYPE "NAME" OFFSET.
 * Does not open what they name. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/vmdk/vmdk.h"

static const char *const accesses[] = { "RW", "RDONLY", "NOACCESS", NULL };

static const struct {
	const char *name;
	enum vmdk_line_type type;
	bool device;
} types[] = {
	{ "FLAT", VMDK_LINE_FLAT, false },
	{ "VMFS", VMDK_LINE_FLAT, false },
	{ "SPARSE", VMDK_LINE_SPARSE, false },
	{ "VMFSSPARSE", VMDK_LINE_COWD, false },
	{ "SESPARSE", VMDK_LINE_SESPARSE, false },
	{ "ZERO", VMDK_LINE_ZERO, false },
	{ "VMFSRDM", VMDK_LINE_FLAT, true },
	{ "VMFSRAW", VMDK_LINE_FLAT, true },
};

#define TYPE_COUNT (sizeof types / sizeof *types)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next word, cut out of the text; NULL at the end. */
static char *next_word(char **at)
{
	char *word = *at + strspn(*at, " \t");
	char *end = word + strcspn(word, " \t");

	if (!*word)
		return NULL;
	*at = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

/* The same for a name in quotes; NULL where there is none or no end to it. */
static char *next_name(char **at)
{
	char *name = *at + strspn(*at, " \t");
	char *end;

	if (*name != '"')
		return NULL;
	end = strchr(++name, '"');
	if (!end || end == name)
		return NULL;
	*at = end + 1;
	*end = '\0';
	return name;
}

/* Sectors, as bytes. */
static bool parse_sectors(const char *word, uint64_t *out)
{
	uint64_t sectors = 0;

	if (!word || !isdigit((unsigned char)*word))
		return false;
	for (; *word; word++) {
		if (!isdigit((unsigned char)*word) ||
		    !checked_mul(sectors, 10, &sectors) ||
		    !checked_add(sectors, (uint64_t)(*word - '0'), &sectors))
			return false;
	}
	return checked_mul(sectors, VMDK_SECTOR, out);
}

static const char *access_of(const char *text)
{
	for (size_t i = 0; accesses[i]; i++) {
		size_t len = strlen(accesses[i]);

		if (!strncasecmp(text, accesses[i], len) &&
		    is_blank(text[len]))
			return accesses[i];
	}
	return NULL;
}

bool vmdk_line_is(const char *text)
{
	return access_of(text) != NULL;
}

/* Names of devices, as Linux and Windows spell them. */
static bool is_device(const char *name)
{
	return !strncmp(name, "/dev/", 5) || !strncmp(name, "\\\\.\\", 4) ||
	       !strncmp(name, "/vmfs/devices/", 14);
}

static int refuse_device(size_t index, const char *what, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "extent %zu maps a raw device (%s), which is not in "
		       "the image; convert the device itself",
		       index, what);
}

static int parse_size(const char *word, size_t index, uint64_t *size,
		      struct err *err)
{
	if (!parse_sectors(word, size) || !*size)
		return err_set(err, ERR_DAMAGED,
			       "extent %zu: \"%s\" is not a number of sectors",
			       index, word ? word : "");
	if (*size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "extent %zu has %" PRIu64 " bytes, more than "
			       "the %" PRIu64 " a disk may have",
			       index, *size, LIMIT_DISK_SIZE);
	return 0;
}

static int parse_type(const char *word, size_t index, struct vmdk_line *out,
		      struct err *err)
{
	for (size_t i = 0; word && i < TYPE_COUNT; i++) {
		if (strcasecmp(word, types[i].name))
			continue;
		out->type = types[i].type;
		return types[i].device ? refuse_device(index, word, err) : 0;
	}
	return err_set(err, ERR_UNSUPPORTED,
		       "extent %zu is of unknown type \"%s\"", index,
		       word ? word : "");
}

int vmdk_line_parse(char *text, size_t index, struct vmdk_line *out,
		    struct err *err)
{
	const char *access = access_of(text);
	bool no_access = access && !strcmp(access, "NOACCESS");
	char *at = text, *word;

	memset(out, 0, sizeof *out);
	next_word(&at);
	if (parse_size(next_word(&at), index, &out->size, err) ||
	    parse_type(next_word(&at), index, out, err))
		return -1;
	if (out->type == VMDK_LINE_ZERO)
		return 0;
	word = next_name(&at);
	if (!word)
		return err_set(err, ERR_DAMAGED,
			       "extent %zu names no file in quotes", index);
	if (is_device(word))
		return refuse_device(index, word, err);
	if (no_access)
		return err_set(err, ERR_UNSUPPORTED,
			       "extent %zu (%s) is marked NOACCESS", index,
			       word);
	out->name = mem_strdup(word);
	word = next_word(&at);
	/* Behind the offset of a device Windows may have its name. */
	if (word && (out->type != VMDK_LINE_FLAT ||
		     !parse_sectors(word, &out->offset) || next_word(&at)))
		return err_set(err, ERR_DAMAGED,
			       "extent %zu (%s): \"%s\" is not expected there",
			       index, out->name, word);
	return 0;
}

static bool overlap(const struct vmdk_line *a, const struct vmdk_line *b)
{
	if (!a->name || !b->name || strcmp(a->name, b->name))
		return false;
	if (a->type != VMDK_LINE_FLAT || b->type != VMDK_LINE_FLAT)
		return true;
	return a->offset < b->offset ? b->offset - a->offset < a->size
				     : a->offset - b->offset < b->size;
}

int vmdk_lines_check(const struct vmdk_line *lines, size_t count,
		     struct err *err)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (overlap(&lines[i], &lines[j]))
				return err_set(err, ERR_DAMAGED,
					       "extents %zu and %zu overlap "
					       "in %s",
					       j + 1, i + 1, lines[i].name);
	return 0;
}
