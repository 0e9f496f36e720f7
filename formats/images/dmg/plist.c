/* SPDX-License-Identifier: MIT */
/*
 * Owns the property list of a DMG: its block tables out of
 *
 *   dict: "resource-fork" -> dict: "blkx" -> array of
 *     dict: "Data" -> data (base64), "Name" -> string
 */
#include "formats/images/dmg/dmg.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "formats/xml.h"

/* The value of `key` in a dict, or NULL. */
static const struct xml_node *value_of(const struct xml_node *dict,
				       const char *key)
{
	const struct xml_node *node;

	if (!dict || !xml_is(dict, "dict"))
		return NULL;
	for (node = xml_first(dict); node; node = xml_next(node))
		if (xml_is(node, "key") && !strcmp(xml_text(node), key))
			return xml_next(node);
	return NULL;
}

static int digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* At most 3 bytes for 4 characters, into `out`; -1 when it is no base64. */
static int decode(const char *text, unsigned char *out, size_t *out_len)
{
	uint32_t bits = 0;
	unsigned have = 0;

	*out_len = 0;
	for (; *text && *text != '='; text++) {
		int value = digit(*text);

		if (strchr(" \t\r\n", *text))
			continue;
		if (value < 0)
			return -1;
		bits = (bits << 6 | (uint32_t)value) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[(*out_len)++] = (unsigned char)(bits >> have);
		}
	}
	return text[strspn(text, "= \t\r\n")] ? -1 : 0;
}

static int add_table(const struct xml_node *dict, struct dmg_tables *tables,
		     struct err *err)
{
	const struct xml_node *data = value_of(dict, "Data");
	const struct xml_node *name = value_of(dict, "Name");
	AUTO_FREE unsigned char *bytes = NULL;
	const char *text;
	size_t len;

	if (!data || !xml_is(data, "data"))
		return err_set(err, ERR_DAMAGED,
			       "property list: block table %zu has no data",
			       tables->count);
	text = xml_text(data);
	bytes = mem_capped(strlen(text) / 4 * 3 + 3, 1, LIMIT_TABLE_LEN,
			   "block table", err);
	if (!bytes)
		return -1;
	if (decode(text, bytes, &len))
		return err_set(err, ERR_DAMAGED,
			       "property list: block table %zu is not base64",
			       tables->count);
	if (name && !xml_is(name, "string"))
		name = NULL;
	return dmg_tables_add(tables, STEAL(bytes), len,
			      name ? xml_text(name) : "", err);
}

static int walk(const struct xml_node *root, struct dmg_tables *tables,
		struct err *err)
{
	const struct xml_node *array;

	if (!xml_is(root, "plist"))
		return err_set(err, ERR_DAMAGED,
			       "property list is none: its root is not plist");
	array = value_of(value_of(xml_first(root), "resource-fork"), "blkx");
	if (!array || !xml_is(array, "array"))
		return err_set(err, ERR_DAMAGED,
			       "property list has no resource-fork with blkx");
	for (const struct xml_node *node = xml_first(array); node;
	     node = xml_next(node))
		if (add_table(node, tables, err))
			return -1;
	return 0;
}

int dmg_plist_read(const char *text, size_t len, struct dmg_tables *tables,
		   struct err *err)
{
	struct xml *xml = xml_open("property list", text, len, err);
	int status = xml ? walk(xml_root(xml), tables, err) : -1;

	xml_close(xml);
	return status;
}
