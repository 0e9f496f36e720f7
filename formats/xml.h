/* SPDX-License-Identifier: MIT */
/*
 * A text in XML as a tree of elements, by libxml2: property lists, appliances'
 * descriptions. Nothing outside the text is loaded, entities are refused, and
 * the library prints nothing. Names are local ones: documents choose their own
 * prefixes.
 */
#ifndef FORMATS_XML_H
#define FORMATS_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct xml;
struct xml_node; /* an element; borrowed from its document */

/* `what` names the text in messages. ERR_DAMAGED, ERR_LIBRARY, or
 * ERR_UNSUPPORTED when it was built without libxml2. */
struct xml *xml_open(const char *what, const char *text, size_t len,
		     struct err *err);
/* Accepts NULL, returns NULL. */
struct xml *xml_close(struct xml *xml);

/* Never NULL. */
const struct xml_node *xml_root(const struct xml *xml);
/* The first element in `node` (NULL: there is none), and the one that follows
 * it; NULL where there is none. */
const struct xml_node *xml_first(const struct xml_node *node);
const struct xml_node *xml_next(const struct xml_node *node);
bool xml_is(const struct xml_node *node, const char *name);
/* The first of this name from `node` on; NULL. */
const struct xml_node *xml_find(const struct xml_node *node,
				const char *name);
/* The text in it, where that is one piece; "" otherwise. Long text comes in one
 * piece, too: the parser joins it. */
const char *xml_text(const struct xml_node *node);
/* An attribute's value; "" when it is not there. */
const char *xml_attribute(const struct xml_node *node, const char *name);

#endif
