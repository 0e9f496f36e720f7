/* SPDX-License-Identifier: MIT */
/* Owns the header of a VDI: its fields, their ranges, and how they are named
 * for `info`. Does not read the block map. */
#include "formats/images/vdi/vdi.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"

static void get_uuid(const unsigned char *bytes,
		     unsigned char out[IDENTITY_UUID_LEN])
{
	memcpy(out, bytes, IDENTITY_UUID_LEN);
	identity_swap(out);
}

static void put_uuid(unsigned char *bytes,
		     const unsigned char uuid[IDENTITY_UUID_LEN])
{
	memcpy(bytes, uuid, IDENTITY_UUID_LEN);
	identity_swap(bytes);
}

static bool is_null(const unsigned char uuid[IDENTITY_UUID_LEN])
{
	static const unsigned char null[IDENTITY_UUID_LEN];

	return !memcmp(uuid, null, IDENTITY_UUID_LEN);
}

static void get_old(const unsigned char *bytes, struct vdi_header *out)
{
	out->type = bytes_le32(bytes + VDI0_TYPE_AT);
	out->flags = bytes_le32(bytes + VDI0_FLAGS_AT);
	memcpy(out->comment, bytes + VDI0_COMMENT_AT, VDI_COMMENT_LEN);
	out->size = bytes_le64(bytes + VDI0_SIZE_AT);
	out->block_size = bytes_le32(bytes + VDI0_BLOCK_SIZE_AT);
	out->blocks = bytes_le32(bytes + VDI0_BLOCKS_AT);
	out->used = bytes_le32(bytes + VDI0_USED_AT);
	get_uuid(bytes + VDI0_UUID_AT, out->uuid);
	get_uuid(bytes + VDI0_MODIFY_UUID_AT, out->modify);
	get_uuid(bytes + VDI0_LINK_UUID_AT, out->link);
	out->map = VDI0_LEN;
	out->data = VDI0_LEN + (uint64_t)out->blocks * 4;
}

static int get_new(const unsigned char *bytes, struct vdi_header *out,
		   struct err *err)
{
	uint32_t len = bytes_le32(bytes + VDI_HEADER_LEN_AT);

	if (len < VDI_HEADER1_LEN)
		return err_set(err, ERR_DAMAGED,
			       "header length %u is less than %d", len,
			       VDI_HEADER1_LEN);
	out->type = bytes_le32(bytes + VDI_TYPE_AT);
	out->flags = bytes_le32(bytes + VDI_FLAGS_AT);
	memcpy(out->comment, bytes + VDI_COMMENT_AT, VDI_COMMENT_LEN);
	out->map = bytes_le32(bytes + VDI_MAP_AT);
	out->data = bytes_le32(bytes + VDI_DATA_AT);
	out->size = bytes_le64(bytes + VDI_SIZE_AT);
	out->block_size = bytes_le32(bytes + VDI_BLOCK_SIZE_AT);
	out->extra = bytes_le32(bytes + VDI_EXTRA_AT);
	out->blocks = bytes_le32(bytes + VDI_BLOCKS_AT);
	out->used = bytes_le32(bytes + VDI_USED_AT);
	get_uuid(bytes + VDI_UUID_AT, out->uuid);
	get_uuid(bytes + VDI_MODIFY_UUID_AT, out->modify);
	get_uuid(bytes + VDI_LINK_UUID_AT, out->link);
	get_uuid(bytes + VDI_PARENT_UUID_AT, out->parent);
	return 0;
}

/* What is counted in blocks. */
static int check_blocks(const struct vdi_header *header, struct err *err)
{
	uint64_t needed;

	if (!is_power_of_two(header->block_size) ||
	    header->block_size < VDI_BLOCK_SIZE_MIN ||
	    header->block_size > VDI_BLOCK_SIZE_MAX)
		return err_set(err, ERR_DAMAGED,
			       "block size %u is not a power of two from %d to "
			       "%d",
			       header->block_size, VDI_BLOCK_SIZE_MIN,
			       VDI_BLOCK_SIZE_MAX);
	if (header->extra && !is_power_of_two(header->extra))
		return err_set(err, ERR_DAMAGED,
			       "%u extra bytes a block are not a power of two",
			       header->extra);
	if (header->size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "size %" PRIu64 " is out of range (0..%" PRIu64
			       ")",
			       header->size, LIMIT_DISK_SIZE);
	needed = div_up(header->size, header->block_size);
	if (header->blocks < needed)
		return err_set(err, ERR_DAMAGED,
			       "%u blocks of %u bytes are too few for a disk "
			       "of %" PRIu64 " bytes (%" PRIu64 " needed)",
			       header->blocks, header->block_size, header->size,
			       needed);
	return 0;
}

static int check_places(const struct vdi_header *header, struct err *err)
{
	uint64_t least = header->version == VDI_VERSION_OLD
				 ? VDI0_LEN
				 : VDI_HEADER_LEN_AT + VDI_HEADER1_LEN;
	uint64_t end = header->map + (uint64_t)header->blocks * 4;

	if (header->map < least)
		return err_set(err, ERR_DAMAGED,
			       "block map at %" PRIu64 " overlaps the header "
			       "(%" PRIu64 " bytes)",
			       header->map, least);
	if (header->data < end)
		return err_set(err, ERR_DAMAGED,
			       "data at %" PRIu64 " overlaps the block map, "
			       "which ends at %" PRIu64,
			       header->data, end);
	return 0;
}

int vdi_header_parse(const unsigned char *bytes, size_t len,
		     struct vdi_header *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	if (len < VDI_HEAD_LEN)
		return err_set(err, ERR_DAMAGED,
			       "the file ends within the header, after %zu "
			       "bytes",
			       len);
	if (bytes_le32(bytes + VDI_SIGNATURE_AT) != VDI_SIGNATURE)
		return err_set(
			err, ERR_DAMAGED, "signature 0x%08x is not 0x%08x",
			bytes_le32(bytes + VDI_SIGNATURE_AT), VDI_SIGNATURE);
	out->version = bytes_le32(bytes + VDI_VERSION_AT);
	/* Minor versions of 1 differ in what follows the fields known here. */
	if (out->version == VDI_VERSION_OLD)
		get_old(bytes, out);
	else if (out->version >> 16 != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "version %u.%u is not supported (0.2 and 1.x "
			       "are)",
			       out->version >> 16, out->version & 0xffff);
	else if (get_new(bytes, out, err))
		return -1;
	if (out->type < VDI_DYNAMIC || out->type > VDI_DIFFERENCING)
		return err_set(err, ERR_UNSUPPORTED,
			       "image type %u is not supported (1 dynamic and "
			       "2 static are)",
			       out->type);
	return check_blocks(out, err) || check_places(out, err) ? -1 : 0;
}

bool vdi_header_needs_parent(const struct vdi_header *header)
{
	return header->type == VDI_UNDO || header->type == VDI_DIFFERENCING ||
	       !is_null(header->link) || !is_null(header->parent);
}

void vdi_header_put(const struct vdi_header *header, unsigned char *out)
{
	/* For eyes only (VDIPREHEADER, szFileInfo); readers look at the
	 * signature. */
	static const char text[] = "<<< imgconv VirtualBox Disk Image >>>\n";

	memset(out, 0, VDI_HEAD_LEN);
	memcpy(out, text, sizeof text - 1);
	bytes_put_le32(out + VDI_SIGNATURE_AT, VDI_SIGNATURE);
	bytes_put_le32(out + VDI_VERSION_AT, VDI_VERSION_1_1);
	bytes_put_le32(out + VDI_HEADER_LEN_AT, VDI_HEADER1PLUS_LEN);
	bytes_put_le32(out + VDI_TYPE_AT, header->type);
	bytes_put_le32(out + VDI_MAP_AT, (uint32_t)header->map);
	bytes_put_le32(out + VDI_DATA_AT, (uint32_t)header->data);
	/* Cylinders, heads and sectors 0: not calculated yet. */
	bytes_put_le32(out + VDI_LEGACY_SECTOR_AT, 512);
	bytes_put_le64(out + VDI_SIZE_AT, header->size);
	bytes_put_le32(out + VDI_BLOCK_SIZE_AT, header->block_size);
	bytes_put_le32(out + VDI_BLOCKS_AT, header->blocks);
	bytes_put_le32(out + VDI_USED_AT, header->used);
	put_uuid(out + VDI_UUID_AT, header->uuid);
	put_uuid(out + VDI_MODIFY_UUID_AT, header->modify);
	bytes_put_le32(out + VDI_SECTOR_AT, 512);
}

static void uuid_fact(struct facts *facts, const char *name,
		      const unsigned char uuid[IDENTITY_UUID_LEN])
{
	char text[IDENTITY_TEXT_LEN];

	identity_text(uuid, text);
	facts_text(facts, name, "%s", text);
}

void vdi_info(const struct vdi_header *header, struct facts *facts)
{
	static const char *const types[] = {
		[VDI_DYNAMIC] = "dynamic",
		[VDI_STATIC] = "static",
		[VDI_UNDO] = "undo",
		[VDI_DIFFERENCING] = "differencing",
	};

	facts_text(facts, "version", "%u.%u", header->version >> 16,
		   header->version & 0xffff);
	facts_text(facts, "type", "%s", types[header->type]);
	facts_number(facts, "block-size", header->block_size);
	if (header->extra)
		facts_number(facts, "block-extra", header->extra);
	facts_number(facts, "blocks", header->blocks);
	facts_number(facts, "blocks-allocated", header->used);
	facts_number(facts, "data-offset", header->data);
	uuid_fact(facts, "uuid", header->uuid);
	uuid_fact(facts, "modify-uuid", header->modify);
	/* The parent is known by nothing else; the fact says that the image
	 * does not stand alone. */
	if (vdi_header_needs_parent(header))
		uuid_fact(facts, "backing-file", header->link);
	if (*header->comment)
		facts_text(facts, "comment", "%.*s", VDI_COMMENT_LEN - 1,
			   header->comment);
}

int vdi_peek(const unsigned char *head, size_t len, uint64_t *size,
	     struct facts *facts, struct err *err)
{
	struct vdi_header header;

	if (len < VDI_HEAD_LEN)
		return 1;
	if (vdi_header_parse(head, len, &header, err))
		return -1;
	*size = header.size;
	vdi_info(&header, facts);
	return 0;
}
