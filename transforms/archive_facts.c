/* SPDX-License-Identifier: MIT */
/* Owns the facts of an archive. Which member is the disk is layer.c's. */
#include "transforms/archive_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/printable.h"
#include "formats/archives/appliance.h"
#include "formats/archives/reader.h"

static void add_member(const struct archive_member *member,
		       struct facts *facts)
{
	char name[192], size[40] = "";

	if (!member->regular || member->number >= ARCHIVE_FACTS_MEMBERS)
		return;
	snprintf(name, sizeof name, "%.191s", member->name);
	printable(name);
	if (member->size_known)
		snprintf(size, sizeof size, ", %" PRIu64 " bytes",
			 member->size);
	facts_item(facts, "member", "%s%s%s", name,
		   size, member->encrypted ? ", encrypted" : "");
}

static void add_text(struct facts *facts, const char *name, bool item,
		     const char *text)
{
	char copy[192];

	if (!*text)
		return;
	snprintf(copy, sizeof copy, "%.191s", text);
	printable(copy);
	if (item)
		facts_item(facts, name, "%s", copy);
	else
		facts_text(facts, name, "%s", copy);
}

static void add_appliance(const struct appliance *appliance,
			  struct facts *facts)
{
	const struct ovf *ovf = appliance_ovf(appliance);
	const struct manifest *manifest = appliance_manifest(appliance);

	if (ovf)
		add_text(facts, "machine", false, ovf->name);
	for (unsigned i = 0; ovf && i < ovf->count; i++) {
		const struct ovf_disk *disk = &ovf->disk[i];

		add_text(facts, "disk-file", true, disk->file);
		if (disk->capacity_known)
			facts_item_number(facts, "disk-capacity",
					  disk->capacity);
		add_text(facts, "disk-format", true, disk->format);
	}
	if (manifest && manifest->count)
		facts_text(facts, "manifest", "%s",
			   digest_name(manifest->line[0].kind));
}

int archive_facts(const char *tag, struct source *source, struct facts *facts,
		  struct err *err)
{
	struct archive_reader *reader = archive_open(tag, source, err);
	struct appliance *appliance =
		strcmp(tag, "ova") ? NULL : appliance_open();
	struct archive_member *member = mem_zalloc(sizeof *member);
	int result = reader ? 1 : -1;
	uint64_t count = 0;

	/* Ends as archive_next does. */
	while (result > 0) {
		result = archive_next(reader, member, err);
		if (result <= 0)
			break;
		count++;
		add_member(member, facts);
		if (appliance &&
		    appliance_see(appliance, reader, member, err) < 0)
			result = -1;
	}
	if (!result) {
		facts_number(facts, "members", count);
		if (appliance)
			add_appliance(appliance, facts);
	}
	appliance_close(appliance);
	archive_close(reader);
	free(member);
	return result;
}
