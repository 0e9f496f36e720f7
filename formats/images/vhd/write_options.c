/* SPDX-License-Identifier: MIT */
/* Owns the options of a new VHD, the sizes it can have, and what its footer
 * and header say. Writes nothing. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/vhd/write.h"

const struct driver_option vhd_options[] = {
	{ "subformat", "dynamic|fixed", "dynamic",
	  "blocks as they are needed, or all of it" },
	{ "force_size", "on|off", "on", "keep the size; off is force_chs=on" },
	{ "force_chs", "on|off", "off",
	  "round the size up to cylinders, heads and sectors" },
	{ "block_size", "512K..64M", "2M", "bytes of a block (dynamic)" },
	{ "alignment", "512..64K", "4K",
	  "of a block's data in the file (dynamic)" },
	{ "preallocation", "off|falloc|full", "off",
	  "room for zeros: none, reserved, or written (fixed)" },
	{ NULL, NULL, NULL, NULL }
};

static bool given(const struct create_options *options, const char *name)
{
	for (unsigned i = 0; i < options->option_count; i++)
		if (!strcmp(options->option[i].name, name))
			return true;
	return false;
}

static bool is(const struct create_options *options, const char *name,
	       const char *value)
{
	return !strcmp(create_option(options, vhd_options, name), value);
}

static int parse_power(const struct create_options *options, const char *name,
		       uint64_t *out, struct err *err)
{
	if (create_option_size(options, vhd_options, name, out, err))
		return -1;
	if (!is_power_of_two(*out))
		return err_set(err, ERR_USAGE,
			       "option %s=%" PRIu64 " is not a power of two",
			       name, *out);
	return 0;
}

/* What the other kind does not have. */
static int check_kind(const struct create_options *options,
		      const struct vhd_config *config, struct err *err)
{
	const char *wrong = NULL;

	if (config->type == VHD_DYNAMIC && config->zeros != SINK_ZERO_SPARSE)
		wrong = "preallocation";
	else if (config->type == VHD_FIXED && given(options, "block_size"))
		wrong = "block_size";
	else if (config->type == VHD_FIXED && given(options, "alignment"))
		wrong = "alignment";
	if (wrong)
		return err_set(err, ERR_USAGE, "subformat=%s has no %s",
			       config->type == VHD_FIXED ? "fixed" : "dynamic",
			       wrong);
	if (is(options, "force_chs", "on") && given(options, "force_size") &&
	    is(options, "force_size", "on"))
		return err_set(err, ERR_USAGE,
			       "force_size=on and force_chs=on exclude each "
			       "other");
	return 0;
}

int vhd_config_parse(const struct create_options *options,
		     struct vhd_config *out, struct err *err)
{
	uint64_t block_size;

	memset(out, 0, sizeof *out);
	out->type = is(options, "subformat", "fixed") ? VHD_FIXED : VHD_DYNAMIC;
	out->chs = is(options, "force_chs", "on") ||
		   is(options, "force_size", "off");
	if (parse_power(options, "block_size", &block_size, err) ||
	    parse_power(options, "alignment", &out->alignment, err))
		return -1;
	out->block_size = (uint32_t)block_size;
	out->bitmap_len =
		(uint32_t)round_up(block_size / VHD_SECTOR / 8, VHD_SECTOR);
	out->zeros = SINK_ZERO_SPARSE;
	if (is(options, "preallocation", "falloc"))
		out->zeros = SINK_ZERO_ALLOCATE;
	else if (is(options, "preallocation", "full"))
		out->zeros = SINK_ZERO_WRITE;
	return check_kind(options, out, err);
}

int vhd_check_size(uint64_t size, struct err *err)
{
	if (size > VHD_SIZE_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "a disk of %" PRIu64 " bytes is larger than a "
			       "VHD can be (2040 GiB): write vhdx instead",
			       size);
	return 0;
}

int vhd_check_options(const struct create_options *options, struct err *err)
{
	struct vhd_config config;

	if (vhd_config_parse(options, &config, err))
		return -1;
	return options->size_known ? vhd_check_size(options->size, err) : 0;
}

/* The next size that is one of a geometry. Rounded down by the appendix, a
 * size has one that is a little too small; some larger size has one that is
 * not. Ends: it is at most a cylinder away. */
static uint64_t round_chs(uint64_t size)
{
	const uint64_t most = vhd_geometry_size(VHD_CYLINDERS_MAX,
						VHD_HEADS_MAX, VHD_TRACK_MAX);
	uint16_t cylinders;
	uint8_t heads, track;
	uint64_t has = 0;

	for (uint64_t tried = size; tried < most; tried += VHD_SECTOR) {
		vhd_geometry(tried, &cylinders, &heads, &track);
		has = vhd_geometry_size(cylinders, heads, track);
		if (has >= size)
			return has;
	}
	return max_u64(size, most);
}

uint64_t vhd_round_size(const struct create_options *options, uint64_t size)
{
	uint64_t whole = driver_round_up(size, VHD_SECTOR);
	struct vhd_config config;
	struct err err;

	if (vhd_config_parse(options, &config, &err) || !config.chs)
		return whole;
	return round_chs(whole);
}

enum append_need vhd_append(const struct create_options *options)
{
	/* The block table stands in front of the blocks. */
	return is(options, "subformat", "fixed") ? APPEND_FREELY
						 : APPEND_SURVEY;
}

uint32_t vhd_survey_granule(const struct create_options *options)
{
	struct vhd_config config;
	struct err err;

	if (vhd_config_parse(options, &config, &err))
		return VHD_BLOCK_SIZE_USUAL;
	/* A survey looks at whole granules at a time: none is larger than a
	 * unit. */
	return (uint32_t)min_u64(config.block_size, UNIT_LEN);
}

uint64_t vhd_measure(const struct create_options *options, uint64_t size,
		     uint64_t data)
{
	struct vhd_config config;
	uint64_t blocks, used, table;
	struct err err;

	if (vhd_config_parse(options, &config, &err))
		return 0;
	if (config.type == VHD_FIXED)
		return (config.zeros == SINK_ZERO_SPARSE ? min_u64(data, size)
							 : size) +
		       VHD_FOOTER_LEN;
	blocks = div_up(size, config.block_size);
	/* At worst each sector of data is in another block. */
	used = min_u64(blocks, div_up(data, VHD_SECTOR));
	/* A long table takes the places of blocks. */
	table = max_u64(VHD_TABLE_ROOM, blocks * VHD_ENTRY_LEN);
	used += div_up(table - VHD_TABLE_ROOM, config.block_size);
	return 2 * VHD_FOOTER_LEN + VHD_HEADER_LEN + VHD_TABLE_ROOM +
	       used * (config.block_size + config.bitmap_len +
		       config.alignment);
}

/*
 * The creator is Windows', for it tells all readers that the footer's size is
 * the disk's: QEMU before version 10 takes the geometry for creators that it
 * does not know. Windows, Azure and libvhdi look at the footer's size alone.
 */
void vhd_put_footer(const struct vhd_config *config, struct identity *identity,
		    uint64_t size, unsigned char *out)
{
	int64_t time = identity_time(identity) - VHD_EPOCH;
	uint16_t cylinders;
	uint8_t heads, track;

	memset(out, 0, VHD_FOOTER_LEN);
	memcpy(out, VHD_COOKIE, VHD_COOKIE_LEN);
	bytes_put_be32(out + VHD_FEATURES, VHD_FEATURE_RESERVED);
	bytes_put_be32(out + VHD_FORMAT_VERSION, VHD_VERSION_1);
	bytes_put_be64(out + VHD_DATA_OFFSET,
		       config->type == VHD_FIXED ? UINT64_MAX : VHD_FOOTER_LEN);
	if (time > 0 && time <= UINT32_MAX)
		bytes_put_be32(out + VHD_TIME, (uint32_t)time);
	memcpy(out + VHD_CREATOR, "win ", 4);
	bytes_put_be32(out + VHD_CREATOR_VERSION, 0x000a0000); /* 10.0 */
	memcpy(out + VHD_CREATOR_OS, "Wi2k", 4);
	bytes_put_be64(out + VHD_ORIGINAL_SIZE, size);
	bytes_put_be64(out + VHD_CURRENT_SIZE, size);
	vhd_geometry(size, &cylinders, &heads, &track);
	bytes_put_be16(out + VHD_CYLINDERS, cylinders);
	out[VHD_HEADS] = heads;
	out[VHD_TRACK] = track;
	bytes_put_be32(out + VHD_TYPE, config->type);
	identity_uuid(identity, size, "image", out + VHD_UUID);
	bytes_put_be32(out + VHD_SUM, vhd_sum(out, VHD_FOOTER_LEN, VHD_SUM));
}

void vhd_put_header(const struct vhd_config *config, uint64_t table_offset,
		    uint64_t entries, unsigned char *out)
{
	memset(out, 0, VHD_HEADER_LEN);
	memcpy(out, VHD_HEADER_COOKIE, VHD_COOKIE_LEN);
	/* The specification has 0xffffffff for "none"; all who write the
	 * format set all 64 bits. */
	bytes_put_be64(out + VHD_COOKIE_LEN, UINT64_MAX);
	bytes_put_be64(out + VHD_TABLE_OFFSET, table_offset);
	bytes_put_be32(out + VHD_HEADER_VERSION, VHD_VERSION_1);
	bytes_put_be32(out + VHD_TABLE_ENTRIES, (uint32_t)entries);
	bytes_put_be32(out + VHD_BLOCK_SIZE, config->block_size);
	bytes_put_be32(out + VHD_HEADER_SUM,
		       vhd_sum(out, VHD_HEADER_LEN, VHD_HEADER_SUM));
}
