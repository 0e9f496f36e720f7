/* SPDX-License-Identifier: MIT */
/*
 * Owns the property list of a DMG, by libxml2: the dictionary "resource-fork"
 * has an array "blkx", each entry of which is a dictionary with a block table
 * as "Data", in base64. Loads nothing from outside, expands no entities.
 */
#include "formats/images/dmg/dmg.h"

#ifdef HAVE_XML

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

static bool is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE &&
	       !strcmp((const char *)node->name, name);
}

static const xmlNode *next_element(const xmlNode *node)
{
	while (node && node->type != XML_ELEMENT_NODE)
		node = node->next;
	return node;
}

/* A node's own text: what entities stand for is left out. */
static bool text_is(const xmlNode *node, const char *text)
{
	const xmlNode *child = node->children;

	return child && child->type == XML_TEXT_NODE && !child->next &&
	       !strcmp((const char *)child->content, text);
}

/* The value of `key` in a dictionary; NULL when it is not there. */
static const xmlNode *dict_value(const xmlNode *dict, const char *key)
{
	const xmlNode *node = next_element(dict->children);

	for (; node; node = next_element(node->next))
		if (is_element(node, "key") && text_is(node, key))
			return next_element(node->next);
	return NULL;
}

static int digit_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
				     "nopqrstuvwxyz0123456789+/";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* Base64 with white space anywhere. *out is the caller's to free. */
static int decode_base64(const char *text, unsigned char **out, size_t *out_len,
			 struct err *err)
{
	size_t room = strlen(text) / 4 * 3 + 3, len = 0;
	unsigned char *bytes = mem_zalloc(room);
	uint32_t bits = 0;
	unsigned held = 0;

	for (; *text && *text != '='; text++) {
		int digit = digit_of(*text);

		if (strchr(" \t\r\n", *text))
			continue;
		if (digit < 0) {
			free(bytes);
			return err_set(err, ERR_DAMAGED,
				       "a block table in the property list is "
				       "not base64");
		}
		bits = bits << 6 | (uint32_t)digit;
		held += 6;
		if (held >= 8) {
			held -= 8;
			bytes[len++] = (unsigned char)(bits >> held);
		}
	}
	*out = bytes;
	*out_len = len;
	return 0;
}

static int add_entry(const xmlNode *entry, const struct dmg_trailer *trailer,
		     struct dmg_table *table, struct err *err)
{
	const xmlNode *data = dict_value(entry, "Data");
	AUTO_FREE unsigned char *bytes = NULL;
	size_t len = 0;

	if (!data || !is_element(data, "data") || !data->children ||
	    data->children->type != XML_TEXT_NODE)
		return err_set(err, ERR_DAMAGED,
			       "a block table in the property list has no "
			       "data");
	if (decode_base64((const char *)data->children->content, &bytes, &len,
			  err))
		return -1;
	return dmg_table_add(table, trailer, bytes, len, err);
}

static int add_all(const xmlNode *root, const struct dmg_trailer *trailer,
		   struct dmg_table *table, struct err *err)
{
	const xmlNode *dict = root ? next_element(root->children) : NULL;
	const xmlNode *fork = dict ? dict_value(dict, "resource-fork") : NULL;
	const xmlNode *blkx = fork ? dict_value(fork, "blkx") : NULL;
	const xmlNode *entry;

	if (!blkx || !is_element(blkx, "array"))
		return err_set(err, ERR_DAMAGED,
			       "the property list has no block tables");
	for (entry = next_element(blkx->children); entry;
	     entry = next_element(entry->next))
		if (add_entry(entry, trailer, table, err))
			return -1;
	return 0;
}

int dmg_plist_parse(const char *text, size_t len,
		    const struct dmg_trailer *trailer, struct dmg_table *table,
		    struct err *err)
{
	int result;
	xmlDoc *doc;

	/* Bounded by trailer.c: fits an int. */
	doc = xmlReadMemory(text, (int)len, NULL, NULL,
			    XML_PARSE_NONET | XML_PARSE_NOERROR |
				    XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
	if (!doc)
		return err_set(err, ERR_DAMAGED,
			       "the property list of %zu bytes is not XML",
			       len);
	result = add_all(xmlDocGetRootElement(doc), trailer, table, err);
	xmlFreeDoc(doc);
	return result;
}

#else

int dmg_plist_parse(const char *text, size_t len,
		    const struct dmg_trailer *trailer, struct dmg_table *table,
		    struct err *err)
{
	(void)text, (void)len, (void)trailer, (void)table;
	return err_set(err, ERR_UNSUPPORTED,
		       "built without libxml2, which reads the image's "
		       "property list");
}

#endif
