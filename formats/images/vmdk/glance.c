/* SPDX-License-Identifier: MIT */
/*
 * Owns what header and descriptor say, told without judging it: descriptor.c
 * stops at the first line that is wrong, and a verdict wants to know who is
 * named in the others. Goes through all of the text, also behind a zero byte.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/vmdk/vmdk.h"

/* Keys that may stand in a descriptor once. */
enum key { KEY_TYPE, KEY_PARENT_CID, KEY_PARENT, KEY_CID, KEY_VERSION, KEYS };
static const char *const key_names[KEYS] = {
	[KEY_TYPE] = "createType",	    [KEY_PARENT_CID] = "parentCID",
	[KEY_PARENT] = "parentFileNameHint", [KEY_CID] = "CID",
	[KEY_VERSION] = "version",
};

struct glance {
	struct facts *facts;
	unsigned seen[KEYS];
	uint64_t parent_cid;
	bool alone; /* the file is the disk, the descriptor lies inside */
	unsigned lines;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The text between the first two quotes, else all of it; changed. */
static char *unquoted(char *text)
{
	char *begin = strchr(text, '"'), *end;

	if (!begin)
		return text + strspn(text, " \t");
	end = strchr(++begin, '"');
	if (end)
		*end = '\0';
	return begin;
}

static void take_extent(struct glance *glance, char *line)
{
	char *name = strchr(line, '"');

	glance->lines++;
	if (!name)
		return; /* of zeros */
	name = unquoted(line);
	/* Of a disk that stands alone it is the file itself, which may have
	 * been renamed, but not moved. */
	if (!glance->alone || glance->lines > 1)
		facts_item(glance->facts, "data-file", "%s", name);
	else if (strpbrk(name, "/\\"))
		facts_text(glance->facts, "own-extent", "%s", name);
}

/* Others than these two lie in other files than their descriptor. */
static void take_type(struct glance *glance, const char *value)
{
	if (glance->alone && strcasecmp(value, "monolithicSparse") &&
	    strcasecmp(value, "streamOptimized"))
		facts_item(glance->facts, "contradiction",
			   "the disk lies in this file, but its descriptor "
			   "says %s", value);
}

static void take_key(struct glance *glance, enum key key, char *value)
{
	value = unquoted(value);
	if (++glance->seen[key] == 2)
		facts_item(glance->facts, "contradiction",
			   "its descriptor has %s more than once",
			   key_names[key]);
	if (key == KEY_TYPE)
		take_type(glance, value);
	else if (key == KEY_PARENT)
		facts_text(glance->facts, "backing-file", "%s", value);
	else if (key == KEY_PARENT_CID && strcasecmp(value, "ffffffff"))
		glance->parent_cid = strtoul(value, NULL, 16);
}

static void take_line(struct glance *glance, char *line)
{
	size_t len;

	while (is_blank(*line))
		line++;
	if (vmdk_line_is(line)) {
		take_extent(glance, line);
		return;
	}
	len = strcspn(line, "= \t");
	for (unsigned key = 0; key < KEYS; key++)
		if (strlen(key_names[key]) == len &&
		    !strncasecmp(line, key_names[key], len) &&
		    strchr(line + len, '='))
			take_key(glance, key, strchr(line + len, '=') + 1);
}

/* `text` has `len` bytes and a zero behind them. */
static void take_text(struct glance *glance, char *text, size_t len)
{
	/* Ends: each turn takes a line away. */
	for (size_t at = 0, end; at < len; at = end + 1) {
		for (end = at; end < len && text[end] && text[end] != '\n';)
			end++;
		text[end] = '\0';
		take_line(glance, text + at);
	}
	/* A parent that only its content ID tells of. */
	if (glance->parent_cid != VMDK_NO_PARENT && !glance->seen[KEY_PARENT])
		facts_text(glance->facts, "backing-file",
			   "(not named, CID %08" PRIx64 ")",
			   glance->parent_cid);
}

static void glance_text(struct source *source, uint64_t offset, uint64_t len,
			bool alone, struct facts *facts)
{
	struct glance glance = { .facts = facts,
				 .parent_cid = VMDK_NO_PARENT,
				 .alone = alone };
	AUTO_FREE char *text = NULL;
	struct err ignored;
	size_t got;

	len = min_u64(len, VMDK_DESCRIPTOR_MAX);
	text = mem_zalloc((size_t)len + 1);
	if (!source_read(source, text, (size_t)len, offset, &got, &ignored))
		take_text(&glance, text, got);
}

static void glance_header(struct source *source, const unsigned char *bytes,
			  struct facts *facts)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {
		{ VMDK_FLAG_REDUNDANT, "redundant-tables" },
		{ VMDK_FLAG_ZERO_GRAINS, "zero-grains" },
		{ VMDK_FLAG_COMPRESSED, "compressed" },
		{ VMDK_FLAG_MARKERS, "markers" },
	};
	uint32_t set = bytes_le32(bytes + VMDK_FLAGS);
	uint64_t at, len;

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (set & flags[i].flag)
			facts_item(facts, "feature", "%s", flags[i].name);
	for (unsigned bit = 0; bit < 32; bit++)
		if (set & ~VMDK_FLAGS_KNOWN & 1u << bit)
			facts_item(facts, "unknown-feature", "flag %u", bit);
	if (bytes[VMDK_UNCLEAN])
		facts_bool(facts, "unclean", true);
	if (!checked_mul(bytes_le64(bytes + VMDK_DESCRIPTOR), VMDK_SECTOR,
			 &at) ||
	    !checked_mul(bytes_le64(bytes + VMDK_DESCRIPTOR_LEN), VMDK_SECTOR,
			 &len))
		return;
	if (!at)
		facts_text(facts, "part", "sparse");
	else if (at < source->size)
		glance_text(source, at, len,
			    bytes_le64(bytes + VMDK_CAPACITY), facts);
}

void vmdk_glance(struct source *source, struct facts *facts)
{
	unsigned char bytes[VMDK_HEADER_LEN] = { 0 };
	enum vmdk_kind kind;
	struct err ignored;
	size_t got;

	if (source_read(source, bytes, sizeof bytes, 0, &got, &ignored) < 0)
		return;
	if (!vmdk_header_kind(bytes, got, &kind))
		glance_text(source, 0, source->size, false, facts);
	else if (kind == VMDK_HOSTED)
		glance_header(source, bytes, facts);
	else
		facts_text(facts, "part", "%s",
			   kind == VMDK_COWD ? "COWD" : "seSparse");
}
