/* SPDX-License-Identifier: MIT */
/* Owns the descriptor: which kind of disk, who is its parent, and which
 * extents it is made of. Does not open what it names. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/printable.h"
#include "formats/images/vmdk/vmdk.h"

/* The create types that libvmdk's documentation lists. */
static const char *const known_types[] = {
	"monolithicSparse",   "streamOptimized",    "twoGbMaxExtentSparse",
	"2GbMaxExtentSparse", "monolithicFlat",	    "twoGbMaxExtentFlat",
	"2GbMaxExtentFlat",   "vmfs",		    "vmfsPreallocated",
	"vmfsThin",	      "vmfsEagerZeroedThick", "vmfsSparse",
	"seSparse",	      "custom",		    NULL
};
static const char *const device_types[] = {
	"fullDevice", "partitionedDevice",
	"vmfsRaw",    "vmfsRDM",
	"vmfsRDMP",   "vmfsRawDeviceMap",
	"vmfsPassthroughRawDeviceMap", NULL
};

/* What is being filled, and which keys were there. */
struct parse {
	struct vmdk_descriptor *out;
	size_t room;
	unsigned seen;
};

typedef int set_fn(struct parse *parse, const char *value, struct err *err);

static bool among(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (!strcasecmp(*list, word))
			return true;
	return false;
}

/* Too long for its field, it is cut: only `info` shows these. */
static void keep_text(char *out, size_t room, const char *value)
{
	snprintf(out, room, "%s", value);
	printable(out);
}

static int parse_id(const char *value, const char *key, uint32_t *out,
		    struct err *err)
{
	size_t len = strlen(value);

	if (!len || len > 8 ||
	    strspn(value, "0123456789abcdefABCDEF") != len)
		return err_set(err, ERR_DAMAGED,
			       "%s=%s is not a number of eight hexadecimal "
			       "digits", key, value);
	*out = (uint32_t)strtoul(value, NULL, 16);
	return 0;
}

static int set_version(struct parse *parse, const char *value,
		       struct err *err)
{
	if (strlen(value) != 1 || *value < '1' || *value > '3')
		return err_set(err, ERR_UNSUPPORTED,
			       "descriptor version %s is unknown (1 to 3)",
			       value);
	parse->out->version = (unsigned)(*value - '0');
	return 0;
}

static int set_cid(struct parse *parse, const char *value, struct err *err)
{
	parse->out->has_cid = true;
	return parse_id(value, "CID", &parse->out->cid, err);
}

static int set_parent_cid(struct parse *parse, const char *value,
			  struct err *err)
{
	return parse_id(value, "parentCID", &parse->out->parent_cid, err);
}

static int set_type(struct parse *parse, const char *value, struct err *err)
{
	if (among(device_types, value))
		return err_set(err, ERR_UNSUPPORTED,
			       "createType %s maps a raw device, which is not "
			       "in the image; convert the device itself",
			       value);
	if (!among(known_types, value))
		return err_set(err, ERR_UNSUPPORTED,
			       "createType \"%s\" is unknown", value);
	keep_text(parse->out->create_type, sizeof parse->out->create_type,
		  value);
	return 0;
}

static int set_parent(struct parse *parse, const char *value,
		      struct err *err)
{
	if (!*value || strlen(value) >= LIMIT_NAME_LEN)
		return err_set(err, ERR_DAMAGED,
			       "parentFileNameHint has %zu characters (1 to "
			       "%d)", strlen(value), LIMIT_NAME_LEN - 1);
	parse->out->parent = mem_strdup(value);
	return 0;
}

static int set_adapter(struct parse *parse, const char *value,
		       struct err *err)
{
	(void)err;
	keep_text(parse->out->adapter, sizeof parse->out->adapter, value);
	return 0;
}

static int set_hardware(struct parse *parse, const char *value,
			struct err *err)
{
	(void)err;
	keep_text(parse->out->hardware, sizeof parse->out->hardware, value);
	return 0;
}

static int set_uuid(struct parse *parse, const char *value, struct err *err)
{
	(void)err;
	keep_text(parse->out->uuid, sizeof parse->out->uuid, value);
	return 0;
}

enum key { KEY_VERSION, KEY_CID, KEY_PARENT_CID, KEY_TYPE, KEY_OTHER };

static const struct {
	const char *name;
	set_fn *set;
} keys[] = {
	[KEY_VERSION] = { "version", set_version },
	[KEY_CID] = { "CID", set_cid },
	[KEY_PARENT_CID] = { "parentCID", set_parent_cid },
	[KEY_TYPE] = { "createType", set_type },
	[KEY_OTHER] = { "parentFileNameHint", set_parent },
	{ "ddb.adapterType", set_adapter },
	{ "ddb.virtualHWVersion", set_hardware },
	{ "ddb.uuid", set_uuid },
};

#define KEY_COUNT (sizeof keys / sizeof *keys)

/* Without blanks on either side. */
static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t\r");
	end = text + strlen(text);
	while (end > text && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return text;
}

static char *unquote(char *value)
{
	size_t len = strlen(value);

	if (len < 2 || *value != '"' || value[len - 1] != '"')
		return value;
	value[len - 1] = '\0';
	return value + 1;
}

static int parse_key(struct parse *parse, char *text, struct err *err)
{
	char *equals = strchr(text, '=');
	char *key = text, *value;

	if (!equals)
		return err_set(err, ERR_DAMAGED,
			       "the descriptor's line \"%.60s\" is neither a "
			       "key nor an extent", text);
	*equals = '\0';
	key = trim(key);
	value = unquote(trim(equals + 1));
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcasecmp(key, keys[i].name))
			continue;
		if (parse->seen & 1u << i)
			return err_set(err, ERR_DAMAGED,
				       "the descriptor has a second %s",
				       keys[i].name);
		parse->seen |= 1u << i;
		return keys[i].set(parse, value, err);
	}
	return 0; /* of no interest */
}

static int add_line(struct parse *parse, char *text, struct err *err)
{
	struct vmdk_descriptor *out = parse->out;
	struct vmdk_line *line;

	if (out->count == VMDK_EXTENTS_MAX)
		return err_set(err, ERR_LIMIT,
			       "the disk has more than %u extents",
			       VMDK_EXTENTS_MAX);
	if (out->count == parse->room) {
		parse->room = parse->room ? parse->room * 2 : 4;
		out->lines = mem_resize(out->lines, parse->room,
					sizeof *out->lines);
	}
	line = &out->lines[out->count++];
	if (vmdk_line_parse(text, out->count, line, err))
		return -1;
	out->size += line->size; /* each at most 2^60, 4096 of them: */
	if (out->size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "the extents have more than %" PRIu64
			       " bytes together", LIMIT_DISK_SIZE);
	return 0;
}

/* Every line of `text`, which is ours to cut up. */
static int parse_lines(struct parse *parse, char *text, struct err *err)
{
	size_t len = strlen(VMDK_SIGNATURE);
	bool begun = false;

	/* Ends: each turn takes a line away. */
	while (text) {
		char *next = strchr(text, '\n');

		if (next)
			*next++ = '\0';
		text = trim(text);
		if (!begun && *text &&
		    strncasecmp(text, VMDK_SIGNATURE, len))
			return err_set(err, ERR_DAMAGED,
				       "the descriptor does not begin with "
				       "\"%s\"", VMDK_SIGNATURE);
		begun = begun || *text;
		if (vmdk_line_is(text)) {
			if (add_line(parse, text, err))
				return -1;
		} else if (*text && *text != '#' &&
			   parse_key(parse, text, err)) {
			return -1;
		}
		text = next;
	}
	return 0;
}

static int check_whole(const struct parse *parse, struct err *err)
{
	const char *missing = NULL;

	if (!(parse->seen & 1u << KEY_TYPE))
		missing = "createType";
	if (!(parse->seen & 1u << KEY_VERSION))
		missing = "version";
	if (missing)
		return err_set(err, ERR_DAMAGED, "the descriptor has no %s",
			       missing);
	if (!parse->out->count)
		return err_set(err, ERR_DAMAGED,
			       "the descriptor has no extents");
	return vmdk_lines_check(parse->out->lines, parse->out->count, err);
}

/* QEMU writes a content ID without its leading zeros, and when the new one is
 * shorter than the last the end of the old text stays behind the zero byte. */
#define LEFTOVER 16

int vmdk_descriptor_parse(const unsigned char *text, size_t len,
			  struct vmdk_descriptor *out, struct err *err)
{
	struct parse parse = { .out = out };
	AUTO_FREE char *copy = NULL;
	size_t used;

	memset(out, 0, sizeof *out);
	out->parent_cid = VMDK_NO_PARENT;
	if (len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) {
		text += 3; /* a byte order mark */
		len -= 3;
	}
	used = strnlen((const char *)text, len);
	for (size_t i = used; i < len; i++)
		if (text[i] && i > used + LEFTOVER)
			return err_set(err, ERR_DAMAGED,
				       "the descriptor has a zero byte at %zu "
				       "and goes on behind it", used);
	out->empty = !used;
	if (out->empty)
		return err_set(err, ERR_DAMAGED, "the descriptor is empty");
	copy = mem_capped(used + 1, 1, VMDK_DESCRIPTOR_MAX + 1, "descriptor",
			  err);
	if (!copy)
		return -1;
	memcpy(copy, text, used);
	if (parse_lines(&parse, copy, err))
		return -1;
	return check_whole(&parse, err);
}

int vmdk_descriptor_read(struct source *source, uint64_t offset,
			 uint64_t length, struct vmdk_descriptor *out,
			 struct err *err)
{
	AUTO_FREE unsigned char *text =
		mem_capped(length ? length : 1, 1, VMDK_DESCRIPTOR_MAX,
			   "descriptor", err);

	memset(out, 0, sizeof *out);
	if (!text || source_read_all(source, text, (size_t)length, offset,
				     "descriptor", err))
		return -1;
	return vmdk_descriptor_parse(text, (size_t)length, out, err);
}

void vmdk_descriptor_clear(struct vmdk_descriptor *descriptor)
{
	for (size_t i = 0; i < descriptor->count; i++)
		free(descriptor->lines[i].name);
	free(descriptor->lines);
	free(descriptor->parent);
	memset(descriptor, 0, sizeof *descriptor);
}

int vmdk_descriptor_parent(const struct vmdk_descriptor *descriptor,
			   const char **name, struct err *err)
{
	bool has = descriptor->parent_cid != VMDK_NO_PARENT;

	*name = has ? descriptor->parent : NULL;
	if (has && !descriptor->parent)
		return err_set(err, ERR_DAMAGED,
			       "parentCID is %08" PRIx32 ", but there is no "
			       "parentFileNameHint",
			       descriptor->parent_cid);
	if (!has && descriptor->parent)
		return err_set(err, ERR_DAMAGED,
			       "parent %s is named, but parentCID says that "
			       "there is none", descriptor->parent);
	return 0;
}

bool vmdk_descriptor_refers(const struct vmdk_descriptor *descriptor)
{
	for (size_t i = 0; i < descriptor->count; i++)
		if (descriptor->lines[i].name)
			return true;
	return false;
}
