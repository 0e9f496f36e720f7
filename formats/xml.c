/* SPDX-License-Identifier: MIT */
/* Owns the use of libxml2, and knows no document. */
#include "formats/xml.h"

#ifdef HAVE_XML

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"
#include "base/mem.h"

#define FUNCTIONS(F) \
	F(xmlReadMemory) F(xmlFreeDoc) F(xmlSetGenericErrorFunc)

struct library {
	FUNCTIONS(LIBRARY_MEMBER)
};

static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };

struct xml {
	struct library library;
	xmlDoc *document;
	const xmlNode *root;
};

static const xmlNode *inner(const struct xml_node *node)
{
	return (const xmlNode *)node;
}

/* `node`, or what follows it, if it is an element. */
static const struct xml_node *element(const xmlNode *node)
{
	while (node && node->type != XML_ELEMENT_NODE)
		node = node->next;
	return (const struct xml_node *)node;
}

static const char *one_piece(const xmlNode *text)
{
	if (!text || text->next || !text->content ||
	    (text->type != XML_TEXT_NODE &&
	     text->type != XML_CDATA_SECTION_NODE))
		return "";
	return (const char *)text->content;
}

/* What it has to say it says through us: some of it, of encodings, it would
 * print by itself, whatever it is told. */
static void say_nothing(void *context, const char *format, ...)
{
	(void)context, (void)format;
}

static int check(struct xml *xml, const char *what, size_t len,
		 struct err *err)
{
	if (!xml->document)
		return err_set(err, ERR_DAMAGED,
			       "%s of %zu bytes is not well-formed", what,
			       len);
	if (xml->document->intSubset && xml->document->intSubset->entities)
		return err_set(err, ERR_DAMAGED,
			       "%s declares entities, which none needs",
			       what);
	/* A DOCTYPE is a sibling of the root, and no element. */
	xml->root = inner(element(xml->document->children));
	return xml->root ? 0
			 : err_set(err, ERR_DAMAGED, "%s is empty", what);
}

struct xml *xml_open(const char *what, const char *text, size_t len,
		     struct err *err)
{
	struct xml *xml = mem_zalloc(sizeof *xml);

	if (library_load(XML_SONAME, names, &xml->library, err) < 0)
		return xml_close(xml);
	xml->library.xmlSetGenericErrorFunc(NULL, say_nothing);
	/* Without XML_PARSE_HUGE depth and length of a text are bounded. */
	xml->document = xml->library.xmlReadMemory(
		text, (int)len, NULL, NULL,
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
			XML_PARSE_COMPACT);
	return check(xml, what, len, err) < 0 ? xml_close(xml) : xml;
}

struct xml *xml_close(struct xml *xml)
{
	if (xml && xml->document)
		xml->library.xmlFreeDoc(xml->document);
	free(xml);
	return NULL;
}

const struct xml_node *xml_root(const struct xml *xml)
{
	return (const struct xml_node *)xml->root;
}

const struct xml_node *xml_first(const struct xml_node *node)
{
	return node ? element(inner(node)->children) : NULL;
}

const struct xml_node *xml_next(const struct xml_node *node)
{
	return element(inner(node)->next);
}

bool xml_is(const struct xml_node *node, const char *name)
{
	return !strcmp((const char *)inner(node)->name, name);
}

const struct xml_node *xml_find(const struct xml_node *node, const char *name)
{
	while (node && !xml_is(node, name))
		node = xml_next(node);
	return node;
}

const char *xml_text(const struct xml_node *node)
{
	return one_piece(inner(node)->children);
}

const char *xml_attribute(const struct xml_node *node, const char *name)
{
	for (const xmlAttr *at = inner(node)->properties; at; at = at->next)
		if (!strcmp((const char *)at->name, name))
			return one_piece(at->children);
	return "";
}

#else

struct xml *xml_open(const char *what, const char *text, size_t len,
		     struct err *err)
{
	(void)text;
	err_set(err, ERR_UNSUPPORTED, "%s of %zu bytes: built without libxml2",
		what, len);
	return NULL;
}

/* Nobody has a document. */
struct xml *xml_close(struct xml *xml)
{
	return xml;
}

const struct xml_node *xml_root(const struct xml *xml)
{
	return (const struct xml_node *)xml;
}

const struct xml_node *xml_first(const struct xml_node *node)
{
	return node;
}

const struct xml_node *xml_next(const struct xml_node *node)
{
	return node;
}

bool xml_is(const struct xml_node *node, const char *name)
{
	(void)name;
	return !node;
}

const struct xml_node *xml_find(const struct xml_node *node, const char *name)
{
	(void)name;
	return node;
}

const char *xml_text(const struct xml_node *node)
{
	(void)node;
	return "";
}

const char *xml_attribute(const struct xml_node *node, const char *name)
{
	(void)node, (void)name;
	return "";
}

#endif
