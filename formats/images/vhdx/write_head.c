/* SPDX-License-Identifier: MIT */
/* Owns the bytes of the header section and of the metadata region of a disk
 * being made. Does not write them. */
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "formats/images/vhdx/write.h"

#define CREATOR "imgconv"

static void put_guid(struct identity *identity, uint64_t size,
		     const char *purpose, unsigned char *out)
{
	identity_uuid(identity, size, purpose, out);
	identity_swap(out);
}

static void put_checksum(unsigned char *bytes, size_t len)
{
	bytes_put_le32(bytes + VHDX_CHECKSUM, vhdx_checksum(bytes, len));
}

/* Both headers; the second is the current one, by its greater number. */
static void put_headers(const struct vhdx_config *config,
			const struct vhdx_head *head, struct identity *identity,
			unsigned char *one, unsigned char *two)
{
	memcpy(one, VHDX_HEADER_SIGNATURE, 4);
	put_guid(identity, head->size, "file", one + VHDX_FILE_WRITE_GUID);
	put_guid(identity, head->size, "data", one + VHDX_DATA_WRITE_GUID);
	bytes_put_le16(one + VHDX_VERSION, 1);
	bytes_put_le32(one + VHDX_LOG_LENGTH, (uint32_t)config->log_size);
	bytes_put_le64(one + VHDX_LOG_OFFSET, VHDX_SECTION_LEN);
	memcpy(two, one, VHDX_HEADER_LEN);
	bytes_put_le64(one + VHDX_SEQUENCE, 1);
	bytes_put_le64(two + VHDX_SEQUENCE, 2);
	put_checksum(one, VHDX_HEADER_LEN);
	put_checksum(two, VHDX_HEADER_LEN);
}

static void put_region(const unsigned char guid[VHDX_GUID_LEN], uint64_t offset,
		       uint64_t length, unsigned char *out)
{
	memcpy(out, guid, VHDX_GUID_LEN);
	bytes_put_le64(out + VHDX_REGION_OFFSET, offset);
	bytes_put_le32(out + VHDX_REGION_LENGTH, (uint32_t)length);
	bytes_put_le32(out + VHDX_REGION_FLAGS, VHDX_REGION_REQUIRED);
}

static void put_regions(const struct vhdx_head *head, unsigned char *out)
{
	static const unsigned char bat[VHDX_GUID_LEN] = VHDX_REGION_BAT;
	static const unsigned char metadata[VHDX_GUID_LEN] =
		VHDX_REGION_METADATA;

	memcpy(out, VHDX_REGIONS_SIGNATURE, 4);
	bytes_put_le32(out + VHDX_REGIONS_COUNT, 2);
	put_region(bat, head->bat_offset, head->bat_length,
		   out + VHDX_REGIONS_FIRST);
	put_region(metadata, head->metadata_offset, head->metadata_length,
		   out + VHDX_REGIONS_FIRST + VHDX_REGION_LEN);
	put_checksum(out, VHDX_REGIONS_LEN);
}

unsigned char *vhdx_head_bytes(const struct vhdx_config *config,
			       const struct vhdx_head *head,
			       struct identity *identity)
{
	unsigned char *out = mem_zalloc(VHDX_HEAD_LEN);

	memcpy(out, VHDX_SIGNATURE, 8);
	for (size_t i = 0; i < strlen(CREATOR); i++)
		bytes_put_le16(out + VHDX_CREATOR + 2 * i,
			       (uint16_t)CREATOR[i]);
	put_headers(config, head, identity, out + VHDX_HEADER_1,
		    out + VHDX_HEADER_2);
	put_regions(head, out + VHDX_REGIONS_1);
	memcpy(out + VHDX_REGIONS_2, out + VHDX_REGIONS_1, VHDX_REGIONS_LEN);
	return out;
}

/* The table's next entry, and room for its item behind the table. */
static unsigned char *put_item(unsigned char *region,
			       const unsigned char guid[VHDX_GUID_LEN],
			       uint32_t length, uint32_t flags)
{
	unsigned count = bytes_le16(region + VHDX_METADATA_COUNT);
	unsigned char *entry = region + VHDX_METADATA_FIRST +
			       count * (size_t)VHDX_METADATA_ENTRY_LEN;
	uint32_t offset = VHDX_METADATA_LEN;

	if (count) {
		const unsigned char *before = entry - VHDX_METADATA_ENTRY_LEN;

		offset = bytes_le32(before + VHDX_METADATA_OFFSET) +
			 bytes_le32(before + VHDX_METADATA_LENGTH);
	}
	memcpy(entry, guid, VHDX_GUID_LEN);
	bytes_put_le32(entry + VHDX_METADATA_OFFSET, offset);
	bytes_put_le32(entry + VHDX_METADATA_LENGTH, length);
	bytes_put_le32(entry + VHDX_METADATA_FLAGS,
		       flags | VHDX_METADATA_REQUIRED);
	bytes_put_le16(region + VHDX_METADATA_COUNT, (uint16_t)(count + 1));
	return region + offset;
}

void vhdx_head_init(struct vhdx_head *head, const struct vhdx_writer *w,
		    uint64_t size)
{
	head->size = size;
	head->metadata_offset = VHDX_SECTION_LEN + w->config.log_size;
	/* Room for a BAT that turned out to be too long for it is the
	 * metadata's: a region may be longer than what is in it. */
	head->metadata_length = w->bat < w->data ? MIB : 2 * MIB;
	head->bat_offset = w->bat;
	head->bat_length = vhdx_config_bat_length(&w->config, size);
}

unsigned char *vhdx_metadata_bytes(const struct vhdx_config *config,
				   const struct vhdx_head *head,
				   struct identity *identity)
{
	static const unsigned char parameters[] = VHDX_ITEM_PARAMETERS;
	static const unsigned char size[] = VHDX_ITEM_SIZE;
	static const unsigned char logical[] = VHDX_ITEM_LOGICAL;
	static const unsigned char physical[] = VHDX_ITEM_PHYSICAL;
	static const unsigned char id[] = VHDX_ITEM_ID;
	unsigned char *out = mem_zalloc(VHDX_METADATA_USED), *item;

	memcpy(out, VHDX_METADATA_SIGNATURE, 8);
	item = put_item(out, parameters, 8, 0);
	bytes_put_le32(item, config->block_size);
	bytes_put_le32(item + VHDX_PARAMETERS_FLAGS,
		       config->fixed ? VHDX_LEAVE_ALLOCATED : 0);
	bytes_put_le64(put_item(out, size, 8, VHDX_METADATA_DISK), head->size);
	bytes_put_le32(put_item(out, logical, 4, VHDX_METADATA_DISK),
		       config->logical);
	bytes_put_le32(put_item(out, physical, 4, VHDX_METADATA_DISK),
		       config->physical);
	put_guid(identity, head->size, "image",
		 put_item(out, id, VHDX_GUID_LEN, VHDX_METADATA_DISK));
	return out;
}
