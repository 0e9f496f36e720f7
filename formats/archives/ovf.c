/* SPDX-License-Identifier: MIT */
/*
 * Owns the reading of
 *
 *   Envelope -> References -> File (id, href)
 *            -> DiskSection -> Disk (diskId, fileRef, capacity, ...)
 *            -> VirtualSystem -> Name
 *
 * and what units of a capacity are.
 */
#include "formats/archives/ovf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/xml.h"

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

static const struct xml_node *child(const struct xml_node *node,
				    const char *name)
{
	return xml_find(xml_first(node), name);
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
static void take_capacity(const struct xml_node *node, struct ovf_disk *disk)
{
	const char *units = xml_attribute(node, "capacityAllocationUnits");
	const char *text = xml_attribute(node, "capacity");
	uint64_t unit = *units ? ovf_units(units) : 1;
	char *end;
	unsigned long long count = strtoull(text, &end, 10);

	disk->capacity_known = unit && *text >= '0' && *text <= '9' && !*end &&
			       checked_mul(count, unit, &disk->capacity);
}

static int refuse_file(const struct xml_node *file, struct err *err)
{
	const char *chunk = xml_attribute(file, "chunkSize");

	if (!*chunk)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "description: a disk is in chunks of %.20s bytes; put "
		       "them together first", chunk);
}

static int add_disk(const struct xml_node *files, const struct xml_node *node,
		    struct ovf *out, struct err *err)
{
	const char *reference = xml_attribute(node, "fileRef");
	struct ovf_disk *disk = &out->disk[out->count];
	const struct xml_node *file;

	/* Without a file it is empty, to be made by whoever deploys it. */
	if (!*reference)
		return 0;
	if (out->count == OVF_DISKS)
		return err_set(err, ERR_LIMIT,
			       "description: more than %d disks", OVF_DISKS);
	for (file = xml_find(files, "File"); file;
	     file = xml_find(xml_next(file), "File"))
		if (!strcmp(xml_attribute(file, "id"), reference))
			break;
	if (!file)
		return err_set(err, ERR_DAMAGED,
			       "description: disk %.64s is in file %.64s, "
			       "which is not listed",
			       xml_attribute(node, "diskId"), reference);
	if (refuse_file(file, err) < 0)
		return -1;
	if (*xml_attribute(node, "parentRef"))
		return err_set(err, ERR_UNSUPPORTED,
			       "description: disk %.64s lies over another one",
			       xml_attribute(node, "diskId"));
	if (copy(disk->id, sizeof disk->id, xml_attribute(node, "diskId"),
		 "a disk's id", err) < 0 ||
	    copy(disk->file, sizeof disk->file,
		 archive_plain_name(xml_attribute(file, "href")),
		 "a file's name", err) < 0 ||
	    copy(disk->format, sizeof disk->format,
		 xml_attribute(node, "format"), "a format", err) < 0)
		return -1;
	take_capacity(node, disk);
	out->count++;
	return 0;
}

/* Drafts had <Section xsi:type="ovf:DiskSection_Type">. */
static const struct xml_node *disk_section(const struct xml_node *envelope)
{
	const struct xml_node *section = child(envelope, "DiskSection");

	if (section)
		return section;
	for (section = child(envelope, "Section"); section;
	     section = xml_find(xml_next(section), "Section"))
		if (strstr(xml_attribute(section, "type"), "DiskSection_Type"))
			return section;
	return NULL;
}

static int walk(const struct xml_node *envelope, struct ovf *out,
		struct err *err)
{
	const struct xml_node *files, *section, *disk, *machine;

	if (!xml_is(envelope, "Envelope"))
		return err_set(err, ERR_DAMAGED,
			       "description is none: its root is no Envelope");
	files = xml_first(child(envelope, "References"));
	section = disk_section(envelope);
	for (disk = child(section, "Disk"); disk;
	     disk = xml_find(xml_next(disk), "Disk"))
		if (add_disk(files, disk, out, err) < 0)
			return -1;
	machine = child(envelope, "VirtualSystem");
	if (machine) {
		const struct xml_node *name = child(machine, "Name");
		const char *text = name ? xml_text(name) : "";

		if (!*text)
			text = xml_attribute(machine, "id");
		snprintf(out->name, sizeof out->name, "%.127s", text);
	}
	return 0;
}

int ovf_read(const char *text, size_t len, struct ovf *out, struct err *err)
{
	struct xml *xml = xml_open("description", text, len, err);
	int result = -1;

	memset(out, 0, sizeof *out);
	if (xml)
		result = walk(xml_root(xml), out, err);
	xml_close(xml);
	return result;
}
