/* SPDX-License-Identifier: MIT */
/*
 * Libraries that are loaded when they are first needed. Some bring dozens of
 * others with them, and a run that touches neither network nor archive shall
 * not wait for them: all together would take longer than looking at an image.
 *
 *	#define FUNCTIONS(F) F(xmlReadMemory) F(xmlFreeDoc)
 *	struct xml { FUNCTIONS(LIBRARY_MEMBER) };
 *	static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };
 *
 *	struct xml xml;
 *	if (library_load(XML_SONAME, names, &xml, err) < 0) ...
 *	xml.xmlFreeDoc(document);
 *
 * The build names what it was compiled against (XML_SONAME and so on).
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include "base/err.h"

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it declares that name */
#define LIBRARY_MEMBER(function) __typeof__(function) *function;
#define LIBRARY_NAME(function) #function,

/* The functions `names` (ends with NULL) as pointers into `out`, a struct of
 * nothing but these in the same order. The library stays loaded; loading it
 * again is cheap. ERR_LIBRARY when it, or one of them, is not there.
 * Thread-safe. */
int library_load(const char *soname, const char *const *names, void *out,
		 struct err *err);

/* Those that a process may need which can load none later (io/sandbox.h). */
enum {
	LIBRARY_ARCHIVE = 1,
	LIBRARY_XML = 2,
	LIBRARY_NBD = 4
};
void library_preload(unsigned set);

#endif
