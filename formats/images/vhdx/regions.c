/* SPDX-License-Identifier: MIT */
/* Owns the region table and its copy ([MS-VHDX] 2.2.3): where the BAT and the
 * metadata lie, and that nothing lies upon another. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhdx/vhdx.h"

static const unsigned char guid_bat[VHDX_GUID_LEN] = VHDX_REGION_BAT;
static const unsigned char guid_metadata[VHDX_GUID_LEN] = VHDX_REGION_METADATA;

static bool is_valid(const unsigned char *bytes, char *damage, size_t room)
{
	uint32_t stored = bytes_le32(bytes + VHDX_CHECKSUM);
	uint32_t found = vhdx_checksum(bytes, VHDX_REGIONS_LEN);
	uint32_t count = bytes_le32(bytes + VHDX_REGIONS_COUNT);

	*damage = '\0';
	if (memcmp(bytes, VHDX_REGIONS_SIGNATURE, 4))
		snprintf(damage, room, "has no signature \"regi\"");
	else if (stored != found)
		snprintf(damage, room,
			 "checksum is 0x%08lx, its bytes have 0x%08lx",
			 (unsigned long)stored, (unsigned long)found);
	else if (count > VHDX_REGIONS_MAX)
		snprintf(damage, room, "has %lu entries, more than %d",
			 (unsigned long)count, VHDX_REGIONS_MAX);
	return !*damage;
}

static bool overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

static int check_place(const struct source *view,
		       const struct vhdx_header *header,
		       const struct vhdx_regions *regions,
		       const struct vhdx_region *region, struct err *err)
{
	char text[VHDX_GUID_TEXT_LEN];
	const char *problem = NULL;

	vhdx_guid_text(region->guid, text);
	if (region->offset % VHDX_ALIGN || region->length % VHDX_ALIGN ||
	    !region->length)
		problem = "is not in whole MiB";
	else if (region->offset < VHDX_SECTION_LEN)
		problem = "overlaps the headers";
	else if (!checked_inside(region->offset, region->length, view->size))
		problem = "lies past the end of the file";
	else if (overlaps(region->offset, region->length, header->log_offset,
			  header->log_length))
		problem = "overlaps the log";
	for (size_t i = 0; !problem && i < regions->count; i++) {
		const struct vhdx_region *other = &regions->list[i];

		if (!memcmp(other->guid, region->guid, VHDX_GUID_LEN))
			problem = "is there twice";
		else if (overlaps(region->offset, region->length, other->offset,
				  other->length))
			problem = "overlaps another";
	}
	if (problem)
		return err_set(err, ERR_DAMAGED,
			       "region %s of %llu bytes at %llu %s", text,
			       ULL(region->length), ULL(region->offset),
			       problem);
	return 0;
}

static int take(const unsigned char *entry, const struct source *view,
		const struct vhdx_header *header, struct vhdx_regions *out,
		struct err *err)
{
	struct vhdx_region *region = &out->list[out->count];
	char text[VHDX_GUID_TEXT_LEN];
	bool required =
		bytes_le32(entry + VHDX_REGION_FLAGS) & VHDX_REGION_REQUIRED;

	memcpy(region->guid, entry, VHDX_GUID_LEN);
	region->offset = bytes_le64(entry + VHDX_REGION_OFFSET);
	region->length = bytes_le32(entry + VHDX_REGION_LENGTH);
	if (check_place(view, header, out, region, err))
		return -1;
	if (!memcmp(region->guid, guid_bat, VHDX_GUID_LEN)) {
		out->bat_offset = region->offset;
		out->bat_length = region->length;
	} else if (!memcmp(region->guid, guid_metadata, VHDX_GUID_LEN)) {
		out->metadata_offset = region->offset;
		out->metadata_length = region->length;
	} else if (required) {
		return err_set(err, ERR_UNSUPPORTED,
			       "region %s is not known, but required",
			       vhdx_guid_text(region->guid, text));
	}
	out->count++;
	return 0;
}

/* The first of the two that is right, or NULL. */
static const unsigned char *choose(const unsigned char *one,
				   const unsigned char *two,
				   struct vhdx_regions *out, struct err *err)
{
	bool first = is_valid(one, out->damage[0], sizeof out->damage[0]);
	bool second = is_valid(two, out->damage[1], sizeof out->damage[1]);

	if (first || second)
		return first ? one : two;
	err_set(err, ERR_DAMAGED,
		"both region tables are damaged: region table 1 %s, region "
		"table 2 %s",
		out->damage[0], out->damage[1]);
	return NULL;
}

int vhdx_regions_read(struct source *view, const struct vhdx_header *header,
		      struct vhdx_regions *out, struct err *err)
{
	AUTO_FREE unsigned char *one = mem_buffer(VHDX_REGIONS_LEN);
	AUTO_FREE unsigned char *two = mem_buffer(VHDX_REGIONS_LEN);
	const unsigned char *bytes;
	uint32_t count;

	memset(out, 0, sizeof *out);
	if (source_read_all(view, one, VHDX_REGIONS_LEN, VHDX_REGIONS_1,
			    "region table 1", err) ||
	    source_read_all(view, two, VHDX_REGIONS_LEN, VHDX_REGIONS_2,
			    "region table 2", err))
		return -1;
	bytes = choose(one, two, out, err);
	if (!bytes)
		return -1;
	count = bytes_le32(bytes + VHDX_REGIONS_COUNT);
	for (uint32_t i = 0; i < count; i++)
		if (take(bytes + VHDX_REGIONS_FIRST +
				 (size_t)i * VHDX_REGION_LEN,
			 view, header, out, err))
			return -1;
	if (!out->bat_length || !out->metadata_length)
		return err_set(err, ERR_DAMAGED, "there is no %s region",
			       out->bat_length ? "metadata" : "BAT");
	return 0;
}
