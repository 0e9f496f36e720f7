/* SPDX-License-Identifier: MIT */
/*
 * Owns the property list of a DMG: its block tables out of
 *
 *   dict: "resource-fork" -> dict: "blkx" -> array of
 *     dict: "Data" -> data (base64), "Name" -> string
 *
 * The only file that knows libxml2. Nothing outside the text is loaded, and
 * entities, of which no property list has any, are refused.
 */
#include "formats/images/dmg/dmg.h"

#ifdef HAVE_XML

#include <inttypes.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"
#include "base/limits.h"
#include "base/mem.h"

#define FUNCTIONS(F) \
	F(xmlReadMemory) F(xmlFreeDoc) F(xmlSetGenericErrorFunc)

struct xml {
	FUNCTIONS(LIBRARY_MEMBER)
};

static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };

static bool is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE &&
	       !strcmp((const char *)node->name, name);
}

static const xmlNode *element(const xmlNode *node)
{
	while (node && node->type != XML_ELEMENT_NODE)
		node = node->next;
	return node;
}

/* The node's text, where that is one piece; "" otherwise. Long text comes in
 * one piece, too: the parser joins it. */
static const char *text_of(const xmlNode *node)
{
	const xmlNode *child = node->children;

	if (!child || child->next || !child->content ||
	    (child->type != XML_TEXT_NODE &&
	     child->type != XML_CDATA_SECTION_NODE))
		return "";
	return (const char *)child->content;
}

/* The value of `key` in a dict, or NULL. */
static const xmlNode *value_of(const xmlNode *dict, const char *key)
{
	const xmlNode *node;

	if (!dict || !is(dict, "dict"))
		return NULL;
	for (node = element(dict->children); node; node = element(node->next))
		if (is(node, "key") && !strcmp(text_of(node), key))
			return element(node->next);
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

static int add_table(const xmlNode *dict, struct dmg_tables *tables,
		     struct err *err)
{
	const xmlNode *data = value_of(dict, "Data");
	const xmlNode *name = value_of(dict, "Name");
	AUTO_FREE unsigned char *bytes = NULL;
	const char *text;
	size_t len;

	if (!data || !is(data, "data"))
		return err_set(err, ERR_DAMAGED,
			       "property list: block table %zu has no data",
			       tables->count);
	text = text_of(data);
	bytes = mem_capped(strlen(text) / 4 * 3 + 3, 1, LIMIT_TABLE_LEN,
			   "block table", err);
	if (!bytes)
		return -1;
	if (decode(text, bytes, &len))
		return err_set(err, ERR_DAMAGED,
			       "property list: block table %zu is not base64",
			       tables->count);
	return dmg_tables_add(tables, STEAL(bytes), len,
			      name && is(name, "string") ? text_of(name) : "",
			      err);
}

static int walk(const xmlDoc *document, struct dmg_tables *tables,
		struct err *err)
{
	const xmlNode *root = element(document->children), *array;

	if (document->intSubset && document->intSubset->entities)
		return err_set(err, ERR_DAMAGED,
			       "property list declares entities, which none "
			       "needs");
	/* A DOCTYPE is a sibling of the root, and no element. */
	if (!root || !is(root, "plist"))
		return err_set(err, ERR_DAMAGED,
			       "property list is none: its root is not plist");
	array = value_of(value_of(element(root->children), "resource-fork"),
			 "blkx");
	if (!array || !is(array, "array"))
		return err_set(err, ERR_DAMAGED,
			       "property list has no resource-fork with blkx");
	for (const xmlNode *node = element(array->children); node;
	     node = element(node->next))
		if (add_table(node, tables, err))
			return -1;
	return 0;
}

/* What it has to say it says through us: some of it, of encodings, it would
 * print by itself, whatever it is told. */
static void say_nothing(void *context, const char *format, ...)
{
	(void)context, (void)format;
}

int dmg_plist_read(const char *text, size_t len, struct dmg_tables *tables,
		   struct err *err)
{
	xmlDoc *document;
	struct xml xml;
	int status;

	if (library_load(XML_SONAME, names, &xml, err) < 0)
		return -1;
	xml.xmlSetGenericErrorFunc(NULL, say_nothing);
	/* Without XML_PARSE_HUGE depth and length of a text are bounded. */
	document =
		xml.xmlReadMemory(text, (int)len, NULL, NULL,
				  XML_PARSE_NONET | XML_PARSE_NOERROR |
					  XML_PARSE_NOWARNING |
					  XML_PARSE_COMPACT);
	if (!document)
		return err_set(err, ERR_DAMAGED,
			       "property list of %zu bytes is not well-formed",
			       len);
	status = walk(document, tables, err);
	xml.xmlFreeDoc(document);
	return status;
}

#else

int dmg_plist_read(const char *text, size_t len, struct dmg_tables *tables,
		   struct err *err)
{
	(void)text;
	(void)tables;
	return err_set(err, ERR_UNSUPPORTED,
		       "property list of %zu bytes: built without libxml2",
		       len);
}

#endif
