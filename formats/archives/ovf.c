/* SPDX-License-Identifier: MIT */
/*
 * Owns the reading of
 *
 *   Envelope -> References -> File (id, href)
 *            -> DiskSection -> Disk (diskId, fileRef, capacity, ...)
 *            -> VirtualSystem -> Name
 *
 * with libxml2. Nothing outside the text is loaded, and entities are refused.
 */
#include "formats/archives/ovf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"

/* The words of earlier drafts stay in use. */
uint64_t ovf_units(const char *text)
{
	static const struct {
		const char *word;
		uint64_t bytes;
	} words[] = { { "byte", 1 },
		      { "bytes", 1 },
		      { "kilobytes", (uint64_t)1 << 10 },
		      { "megabytes", (uint64_t)1 << 20 },
		      { "gigabytes", (uint64_t)1 << 30 } };
	unsigned power;
	int used = 0;

	text += strspn(text, " ");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcasecmp(text, words[i].word))
			return words[i].bytes;
	/* NOLINTNEXTLINE(cert-err34-c): two digits fit */
	if (sscanf(text, "byte * 2^%2u %n", &power, &used) == 1 && used &&
	    !text[used] && power < 60)
		return (uint64_t)1 << power;
	return 0;
}

#ifdef HAVE_XML

#include <inttypes.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "base/library.h"

#define FUNCTIONS(F) \
	F(xmlReadMemory) F(xmlFreeDoc) F(xmlSetGenericErrorFunc)

struct xml {
	FUNCTIONS(LIBRARY_MEMBER)
};

static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };

/* By its local name: documents choose their own prefixes. */
static bool is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE &&
	       !strcmp((const char *)node->name, name);
}

/* The next element of this name from `node` on, or NULL. */
static const xmlNode *find(const xmlNode *node, const char *name)
{
	while (node && !is(node, name))
		node = node->next;
	return node;
}

static const xmlNode *child(const xmlNode *node, const char *name)
{
	return node ? find(node->children, name) : NULL;
}

static const char *text_of(const xmlNode *node)
{
	return node && node->type == XML_TEXT_NODE && !node->next &&
			       node->content
		       ? (const char *)node->content
		       : "";
}

/* An attribute's value; "" when it is not there. */
static const char *attribute(const xmlNode *node, const char *name)
{
	for (const xmlAttr *at = node->properties; at; at = at->next)
		if (!strcmp((const char *)at->name, name))
			return text_of(at->children);
	return "";
}

static int copy(char *out, size_t room, const char *text, const char *what,
		struct err *err)
{
	if (strlen(text) >= room)
		return err_set(err, ERR_LIMIT,
			       "description: %s of %zu bytes", what,
			       strlen(text));
	strcpy(out, text);
	return 0;
}

/* capacity="20" capacityAllocationUnits="byte * 2^30" */
static void take_capacity(const xmlNode *node, struct ovf_disk *disk)
{
	const char *units = attribute(node, "capacityAllocationUnits");
	const char *text = attribute(node, "capacity");
	uint64_t unit = *units ? ovf_units(units) : 1;
	char *end;
	unsigned long long count = strtoull(text, &end, 10);

	disk->capacity_known = unit && *text >= '0' && *text <= '9' && !*end &&
			       checked_mul(count, unit, &disk->capacity);
}

static int refuse_file(const xmlNode *file, struct err *err)
{
	const char *chunk = attribute(file, "chunkSize");

	if (!*chunk)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "description: a disk is in chunks of %.20s bytes; put "
		       "them together first", chunk);
}

static int add_disk(const xmlNode *files, const xmlNode *node,
		    struct ovf *out, struct err *err)
{
	const char *reference = attribute(node, "fileRef");
	struct ovf_disk *disk = &out->disk[out->count];
	const xmlNode *file;

	/* Without a file it is empty, to be made by whoever deploys it. */
	if (!*reference)
		return 0;
	if (out->count == OVF_DISKS)
		return err_set(err, ERR_LIMIT,
			       "description: more than %d disks", OVF_DISKS);
	for (file = find(files, "File"); file; file = find(file->next, "File"))
		if (!strcmp(attribute(file, "id"), reference))
			break;
	if (!file)
		return err_set(err, ERR_DAMAGED,
			       "description: disk %.64s is in file %.64s, "
			       "which is not listed", attribute(node, "diskId"),
			       reference);
	if (refuse_file(file, err) < 0)
		return -1;
	if (*attribute(node, "parentRef"))
		return err_set(err, ERR_UNSUPPORTED,
			       "description: disk %.64s lies over another one",
			       attribute(node, "diskId"));
	if (copy(disk->id, sizeof disk->id, attribute(node, "diskId"),
		 "a disk's id", err) < 0 ||
	    copy(disk->file, sizeof disk->file,
		 archive_plain_name(attribute(file, "href")),
		 "a file's name", err) < 0 ||
	    copy(disk->format, sizeof disk->format, attribute(node, "format"),
		 "a format", err) < 0)
		return -1;
	take_capacity(node, disk);
	out->count++;
	return 0;
}

/* Drafts had <Section xsi:type="ovf:DiskSection_Type">. */
static const xmlNode *disk_section(const xmlNode *envelope)
{
	const xmlNode *section = child(envelope, "DiskSection");

	if (section)
		return section;
	for (section = child(envelope, "Section"); section;
	     section = find(section->next, "Section"))
		if (strstr(attribute(section, "type"), "DiskSection_Type"))
			return section;
	return NULL;
}

static int walk(const xmlDoc *document, struct ovf *out, struct err *err)
{
	const xmlNode *envelope = find(document->children, "Envelope");
	const xmlNode *references, *section, *disk, *machine;

	if (document->intSubset && document->intSubset->entities)
		return err_set(err, ERR_DAMAGED,
			       "description declares entities, which none "
			       "needs");
	if (!envelope)
		return err_set(err, ERR_DAMAGED,
			       "description is none: its root is no Envelope");
	references = child(envelope, "References");
	section = disk_section(envelope);
	for (disk = child(section, "Disk"); disk;
	     disk = find(disk->next, "Disk"))
		if (add_disk(references ? references->children : NULL, disk,
			     out, err) < 0)
			return -1;
	machine = child(envelope, "VirtualSystem");
	if (machine) {
		const xmlNode *name = child(machine, "Name");
		const char *text = name ? text_of(name->children) : "";

		if (!*text)
			text = attribute(machine, "id");
		snprintf(out->name, sizeof out->name, "%.127s", text);
	}
	return 0;
}

/* What it has to say it says through us: some of it, of encodings, it would
 * print by itself, whatever it is told. */
static void say_nothing(void *context, const char *format, ...)
{
	(void)context, (void)format;
}

int ovf_read(const char *text, size_t len, struct ovf *out, struct err *err)
{
	xmlDoc *document;
	struct xml xml;
	int result;

	memset(out, 0, sizeof *out);
	if (library_load(XML_SONAME, names, &xml, err) < 0)
		return -1;
	xml.xmlSetGenericErrorFunc(NULL, say_nothing);
	/* Without XML_PARSE_HUGE depth and length of a text are bounded. */
	document = xml.xmlReadMemory(text, (int)len, NULL, NULL,
				     XML_PARSE_NONET | XML_PARSE_NOERROR |
					     XML_PARSE_NOWARNING |
					     XML_PARSE_COMPACT);
	if (!document)
		return err_set(err, ERR_DAMAGED,
			       "description of %zu bytes is not well-formed",
			       len);
	result = walk(document, out, err);
	xml.xmlFreeDoc(document);
	return result;
}

#else

int ovf_read(const char *text, size_t len, struct ovf *out, struct err *err)
{
	(void)text;
	memset(out, 0, sizeof *out);
	return err_set(err, ERR_UNSUPPORTED,
		       "description of %zu bytes: built without libxml2; "
		       "unpack the appliance first", len);
}

#endif
