/* SPDX-License-Identifier: MIT */
/* Owns the metadata table and the items that say what disk it is ([MS-VHDX]
 * 2.6). The parent locator's own form is locator.c. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhdx/vhdx.h"

enum item { PARAMETERS, SIZE, ID, LOGICAL, PHYSICAL, LOCATOR, ITEMS };

static const struct known {
	unsigned char guid[VHDX_GUID_LEN];
	const char *name;
	uint32_t length; /* 0: any */
} known[ITEMS] = {
	[PARAMETERS] = { VHDX_ITEM_PARAMETERS, "file parameters", 8 },
	[SIZE] = { VHDX_ITEM_SIZE, "virtual disk size", 8 },
	[ID] = { VHDX_ITEM_ID, "virtual disk id", 16 },
	[LOGICAL] = { VHDX_ITEM_LOGICAL, "logical sector size", 4 },
	[PHYSICAL] = { VHDX_ITEM_PHYSICAL, "physical sector size", 4 },
	[LOCATOR] = { VHDX_ITEM_LOCATOR, "parent locator", 0 },
};

struct place {
	uint32_t offset, length; /* in the region; 0: there is none */
};

static enum item find(const unsigned char *guid)
{
	enum item item = PARAMETERS;

	while (item < ITEMS && memcmp(known[item].guid, guid, VHDX_GUID_LEN))
		item++;
	return item;
}

static int check_bounds(const unsigned char *entry, uint64_t region_length,
			struct place *out, struct err *err)
{
	char text[VHDX_GUID_TEXT_LEN];

	out->offset = bytes_le32(entry + VHDX_METADATA_OFFSET);
	out->length = bytes_le32(entry + VHDX_METADATA_LENGTH);
	/* 2.6.1.2: an empty item has no place. */
	if (!out->length && !out->offset)
		return 0;
	if (out->offset < VHDX_METADATA_LEN || !out->length ||
	    out->length > VHDX_METADATA_ITEM_MAX ||
	    !checked_inside(out->offset, out->length, region_length))
		return err_set(err, ERR_DAMAGED,
			       "metadata item %s of %lu bytes at %lu does not "
			       "lie in its region of %llu bytes behind the "
			       "table",
			       vhdx_guid_text(entry, text),
			       (unsigned long)out->length,
			       (unsigned long)out->offset, ULL(region_length));
	return 0;
}

static int take(const unsigned char *entry, uint64_t region_length,
		struct place places[ITEMS], struct err *err)
{
	uint32_t flags = bytes_le32(entry + VHDX_METADATA_FLAGS);
	char text[VHDX_GUID_TEXT_LEN];
	struct place place;
	enum item item = flags & VHDX_METADATA_USER ? ITEMS : find(entry);

	if (check_bounds(entry, region_length, &place, err))
		return -1;
	if (item == ITEMS) {
		if (!(flags & VHDX_METADATA_REQUIRED))
			return 0;
		return err_set(err, ERR_UNSUPPORTED,
			       "metadata item %s is not known, but required",
			       vhdx_guid_text(entry, text));
	}
	if (places[item].length)
		return err_set(err, ERR_DAMAGED, "there are two items of %s",
			       known[item].name);
	if (!place.length ||
	    (known[item].length && place.length < known[item].length))
		return err_set(err, ERR_DAMAGED,
			       "%s has %lu bytes, %lu are needed",
			       known[item].name, (unsigned long)place.length,
			       (unsigned long)known[item].length);
	places[item] = place;
	return 0;
}

static int read_table(struct source *view, const struct vhdx_regions *regions,
		      struct place places[ITEMS], struct err *err)
{
	AUTO_FREE unsigned char *table = mem_buffer(VHDX_METADATA_LEN);
	unsigned count;

	if (source_read_all(view, table, VHDX_METADATA_LEN,
			    regions->metadata_offset, "metadata table", err))
		return -1;
	if (memcmp(table, VHDX_METADATA_SIGNATURE, 8))
		return err_set(err, ERR_DAMAGED,
			       "the metadata table at %llu has no signature "
			       "\"metadata\"",
			       ULL(regions->metadata_offset));
	count = bytes_le16(table + VHDX_METADATA_COUNT);
	if (count > VHDX_METADATA_MAX)
		return err_set(err, ERR_DAMAGED,
			       "the metadata table has %u entries, at most %d "
			       "are allowed",
			       count, VHDX_METADATA_MAX);
	for (unsigned i = 0; i < count; i++)
		if (take(table + VHDX_METADATA_FIRST +
				 (size_t)i * VHDX_METADATA_ENTRY_LEN,
			 regions->metadata_length, places, err))
			return -1;
	return 0;
}

static int check_sector(const char *name, uint32_t size, struct err *err)
{
	if (size == 512 || size == 4096)
		return 0;
	return err_set(err, ERR_DAMAGED, "%s %lu is not one of 512, 4096", name,
		       (unsigned long)size);
}

static int check(const struct vhdx_metadata *metadata, struct err *err)
{
	uint64_t block = metadata->block_size;

	if (!is_power_of_two(block) || block < VHDX_BLOCK_SIZE_MIN ||
	    block > VHDX_BLOCK_SIZE_MAX)
		return err_set(err, ERR_DAMAGED,
			       "block size %llu is not a power of two in "
			       "1M..256M",
			       ULL(block));
	if (check_sector("logical sector size", metadata->logical, err) ||
	    check_sector("physical sector size", metadata->physical, err))
		return -1;
	if (metadata->size > VHDX_SIZE_MAX)
		return err_set(err, ERR_DAMAGED,
			       "virtual disk size %llu is more than 64 TiB",
			       ULL(metadata->size));
	if (metadata->size % metadata->logical)
		return err_set(err, ERR_DAMAGED,
			       "virtual disk size %llu is not in whole "
			       "sectors of %lu",
			       ULL(metadata->size),
			       (unsigned long)metadata->logical);
	return 0;
}

static int read_locator(struct source *view, uint64_t offset, uint32_t length,
			struct vhdx_locator *out, struct err *err)
{
	AUTO_FREE unsigned char *item = mem_buffer(length);

	if (source_read_all(view, item, length, offset, "parent locator", err))
		return -1;
	return vhdx_locator_parse(item, length, out, err);
}

int vhdx_metadata_read(struct source *view, const struct vhdx_regions *regions,
		       struct vhdx_metadata *out, struct err *err)
{
	unsigned char item[ITEMS][16] = { 0 };
	struct place places[ITEMS] = { 0 };
	uint64_t base = regions->metadata_offset;
	uint32_t flags;

	memset(out, 0, sizeof *out);
	if (read_table(view, regions, places, err))
		return -1;
	for (int i = PARAMETERS; i < LOCATOR; i++) {
		if (!places[i].length)
			return err_set(err, ERR_DAMAGED,
				       "the metadata has no %s", known[i].name);
		if (source_read_all(view, item[i], known[i].length,
				    base + places[i].offset, known[i].name,
				    err))
			return -1;
	}
	flags = bytes_le32(item[PARAMETERS] + VHDX_PARAMETERS_FLAGS);
	out->block_size = bytes_le32(item[PARAMETERS]);
	out->fixed = flags & VHDX_LEAVE_ALLOCATED;
	out->has_parent = flags & VHDX_HAS_PARENT;
	out->size = bytes_le64(item[SIZE]);
	out->logical = bytes_le32(item[LOGICAL]);
	out->physical = bytes_le32(item[PHYSICAL]);
	memcpy(out->id, item[ID], VHDX_GUID_LEN);
	if (check(out, err))
		return -1;
	out->stray_locator = !out->has_parent && places[LOCATOR].length;
	if (!out->has_parent)
		return 0;
	if (!places[LOCATOR].length)
		return err_set(err, ERR_DAMAGED,
			       "the disk has a parent, but no parent locator");
	return read_locator(view, base + places[LOCATOR].offset,
			    places[LOCATOR].length, &out->locator, err);
}
