/* SPDX-License-Identifier: MIT */
/* Owns the parent locator ([MS-VHDX] 2.6.2.6): keys and values in UTF-16 that
 * say which file is the parent and how it is told to be the right one. Does
 * not open it. */
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhdx/vhdx.h"

/* In the order in which they are to be tried. */
enum path { RELATIVE, VOLUME, ABSOLUTE, PATHS };

static const char *const path_keys[PATHS] = {
	[RELATIVE] = "relative_path",
	[VOLUME] = "volume_path",
	[ABSOLUTE] = "absolute_win32_path",
};

static int text_at(const unsigned char *item, size_t len, uint32_t offset,
		   uint32_t length, const char *what, char *out,
		   struct err *err)
{
	if (!checked_inside(offset, length, len))
		return err_set(err, ERR_DAMAGED,
			       "parent locator: %s of %lu bytes at %lu lies "
			       "outside of its %zu bytes",
			       what, (unsigned long)length,
			       (unsigned long)offset, len);
	if (!vhdx_utf8(item + offset, length, out, LIMIT_NAME_LEN))
		return err_set(err, ERR_DAMAGED,
			       "parent locator: %s at %lu is not UTF-16 of at "
			       "most %d bytes",
			       what, (unsigned long)offset, LIMIT_NAME_LEN);
	return 0;
}

static int take(const char *key, const char *value,
		char names[PATHS][LIMIT_NAME_LEN], struct vhdx_locator *out,
		struct err *err)
{
	bool linkage = !strcasecmp(key, "parent_linkage") ||
		       !strcasecmp(key, "parent_linkage2");

	for (int i = RELATIVE; i < PATHS; i++)
		if (!strcasecmp(key, path_keys[i]))
			memcpy(names[i], value, strlen(value) + 1);
	if (!linkage || out->linkages == 2)
		return 0;
	if (!vhdx_guid_parse(value, out->linkage[out->linkages]))
		return err_set(err, ERR_DAMAGED,
			       "parent locator: %s \"%s\" is not a GUID", key,
			       value);
	/* Hyper-V fills an unused parent_linkage2 with zeros. */
	out->linkages += !vhdx_guid_is_zero(out->linkage[out->linkages]);
	return 0;
}

/* The name to ask for. The relative path leads from the image's folder to the
 * parent; of the others, which lead through another system's volumes, only
 * the last part means something here: a file beside the image. */
static int choose(char names[PATHS][LIMIT_NAME_LEN], struct vhdx_locator *out,
		  struct err *err)
{
	enum path path = RELATIVE;
	const char *name, *last;

	while (path < PATHS && !*names[path])
		path++;
	if (path == PATHS)
		return err_set(err, ERR_DAMAGED,
			       "parent locator: names no file (%s, %s, %s)",
			       path_keys[RELATIVE], path_keys[VOLUME],
			       path_keys[ABSOLUTE]);
	name = names[path];
	last = strrchr(name, '\\');
	if (path != RELATIVE && last)
		name = last + 1;
	memcpy(out->name, name, strlen(name) + 1);
	for (char *c = out->name; *c; c++)
		if (*c == '\\')
			*c = '/';
	return 0;
}

static int take_entry(const unsigned char *item, size_t len,
		      const unsigned char *entry,
		      char names[PATHS][LIMIT_NAME_LEN],
		      struct vhdx_locator *out, struct err *err)
{
	AUTO_FREE char *key = mem_zalloc(LIMIT_NAME_LEN);
	AUTO_FREE char *value = mem_zalloc(LIMIT_NAME_LEN);

	if (text_at(item, len, bytes_le32(entry + VHDX_LOCATOR_KEY_OFFSET),
		    bytes_le16(entry + VHDX_LOCATOR_KEY_LENGTH), "key", key,
		    err) ||
	    text_at(item, len, bytes_le32(entry + VHDX_LOCATOR_VALUE_OFFSET),
		    bytes_le16(entry + VHDX_LOCATOR_VALUE_LENGTH), "value",
		    value, err))
		return -1;
	return take(key, value, names, out, err);
}

int vhdx_locator_parse(const unsigned char *item, size_t len,
		       struct vhdx_locator *out, struct err *err)
{
	static const unsigned char type[VHDX_GUID_LEN] = VHDX_LOCATOR_TYPE;
	AUTO_FREE char *names = mem_zalloc((size_t)PATHS * LIMIT_NAME_LEN);
	char(*list)[LIMIT_NAME_LEN] = (char(*)[LIMIT_NAME_LEN])names;
	char text[VHDX_GUID_TEXT_LEN];
	unsigned count;

	if (len < VHDX_LOCATOR_FIRST)
		return err_set(err, ERR_DAMAGED,
			       "parent locator of %zu bytes is too short (%d)",
			       len, VHDX_LOCATOR_FIRST);
	if (memcmp(item, type, sizeof type))
		return err_set(err, ERR_UNSUPPORTED,
			       "parent locator type %s is not known",
			       vhdx_guid_text(item, text));
	count = bytes_le16(item + VHDX_LOCATOR_COUNT);
	if (VHDX_LOCATOR_FIRST + count * VHDX_LOCATOR_ENTRY_LEN > len)
		return err_set(err, ERR_DAMAGED,
			       "parent locator of %zu bytes has no room for "
			       "its %u entries",
			       len, count);
	for (unsigned i = 0; i < count; i++)
		if (take_entry(item, len,
			       item + VHDX_LOCATOR_FIRST +
				       (size_t)i * VHDX_LOCATOR_ENTRY_LEN,
			       list, out, err))
			return -1;
	if (!out->linkages)
		return err_set(err, ERR_DAMAGED,
			       "parent locator: has no parent_linkage");
	return choose(list, out, err);
}
