/* SPDX-License-Identifier: MIT */
/* Owns the options of a new VHDX: rows, combinations, and the sizes that
 * follow from them. Writes nothing. */
#include <string.h>

#include "base/checked.h"
#include "formats/images/vhdx/write.h"

/* Blocks of 32 MiB are what Hyper-V makes. */
const struct driver_option vhdx_options[] = {
	{ "subformat", "dynamic|fixed", "dynamic",
	  "blocks as they are needed, or all of them" },
	{ "block_size", "1M..256M", "32M", "bytes of a block" },
	{ "log_size", "1M..1G", "1M", "room for the log, in whole MiB" },
	{ "block_state_zero", "on|off", "on",
	  "mark blocks without data as zero, not as absent" },
	{ "physical_sector_size", "512|4096", "4096",
	  "what the disk says of its medium" },
	{ "preallocation", "off|falloc|full", "off",
	  "room for zeros of a fixed disk: none, reserved, or written" },
	{ NULL, NULL, NULL, NULL }
};

/* Bounds the survey, whatever the block size. */
#define SURVEY_GRANULE ((uint32_t)MIB)

static int parse_sizes(const struct create_options *options,
		       struct vhdx_config *out, struct err *err)
{
	uint64_t block, physical;

	if (create_option_size(options, vhdx_options, "block_size", &block,
			       err) ||
	    create_option_size(options, vhdx_options, "log_size",
			       &out->log_size, err) ||
	    create_option_size(options, vhdx_options, "physical_sector_size",
			       &physical, err))
		return -1;
	if (!is_power_of_two(block))
		return err_set(err, ERR_USAGE,
			       "option block_size=%llu is not a power of two "
			       "(1M..256M)",
			       ULL(block));
	if (out->log_size % MIB)
		return err_set(err, ERR_USAGE,
			       "option log_size=%llu is not in whole MiB",
			       ULL(out->log_size));
	out->block_size = (uint32_t)block;
	out->physical = (uint32_t)physical;
	out->logical = options->sector_size ? options->sector_size : 512;
	if (out->logical != 512 && out->logical != 4096)
		return err_set(err, ERR_UNSUPPORTED,
			       "a disk with sectors of %lu bytes cannot be a "
			       "VHDX (512, 4096)",
			       (unsigned long)out->logical);
	if (out->physical < out->logical)
		return err_set(err, ERR_USAGE,
			       "option physical_sector_size=%lu is less than "
			       "the disk's sectors of %lu",
			       (unsigned long)out->physical,
			       (unsigned long)out->logical);
	out->ratio = VHDX_BITMAP_SECTORS * out->logical / block;
	return 0;
}

int vhdx_config_parse(const struct create_options *options,
		      struct vhdx_config *out, struct err *err)
{
	const char *preallocation =
		create_option(options, vhdx_options, "preallocation");

	memset(out, 0, sizeof *out);
	out->fixed = !strcmp(create_option(options, vhdx_options, "subformat"),
			     "fixed");
	out->preallocated = strcmp(preallocation, "off");
	out->zeros = !strcmp(preallocation, "falloc") ? SINK_ZERO_ALLOCATE
		     : out->preallocated	      ? SINK_ZERO_WRITE
						      : SINK_ZERO_SPARSE;
	if (create_option_bool(options, vhdx_options, "block_state_zero",
			       &out->state_zero, err) ||
	    parse_sizes(options, out, err))
		return -1;
	if (out->preallocated && !out->fixed)
		return err_set(err, ERR_USAGE,
			       "option preallocation needs subformat=fixed");
	return 0;
}

int vhdx_config_check_size(const struct vhdx_config *config, uint64_t size,
			   struct err *err)
{
	if (size > VHDX_SIZE_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "a disk of %llu bytes is larger than a VHDX "
			       "can be (64 TiB)",
			       ULL(size));
	if (size % config->logical)
		return err_set(err, ERR_BUG,
			       "vhdx: size %llu is not in whole sectors of %lu",
			       ULL(size), (unsigned long)config->logical);
	return 0;
}

uint64_t vhdx_config_entries(const struct vhdx_config *config, uint64_t size)
{
	uint64_t blocks = div_up(size, config->block_size);

	/* [MS-VHDX] 2.5, of disks without a parent. */
	return blocks ? blocks + (blocks - 1) / config->ratio : 0;
}

uint64_t vhdx_config_bat_length(const struct vhdx_config *config, uint64_t size)
{
	return max_u64(round_up(vhdx_config_entries(config, size) * 8, MIB),
		       MIB);
}

int vhdx_check_options(const struct create_options *options, struct err *err)
{
	struct vhdx_config config;

	if (vhdx_config_parse(options, &config, err))
		return -1;
	return options->size_known
		       ? vhdx_config_check_size(&config, options->size, err)
		       : 0;
}

uint64_t vhdx_round_size(const struct create_options *options, uint64_t size)
{
	return driver_round_up(size, options && options->sector_size
					     ? options->sector_size
					     : 512);
}

enum append_need vhdx_append(const struct create_options *options)
{
	struct vhdx_config config;
	struct err err;

	/* The BAT of a fixed disk follows from its size alone. */
	if (options->size_known && !vhdx_config_parse(options, &config, &err) &&
	    config.fixed)
		return APPEND_FREELY;
	return APPEND_SURVEY;
}

uint32_t vhdx_survey_granule(const struct create_options *options)
{
	(void)options;
	return SURVEY_GRANULE;
}

uint64_t vhdx_measure(const struct create_options *options, uint64_t size,
		      uint64_t data)
{
	struct vhdx_config config;
	struct err err;
	uint64_t blocks, bat;

	if (vhdx_config_parse(options, &config, &err) || size > VHDX_SIZE_MAX)
		return size;
	blocks = div_up(size, config.block_size);
	if (!config.fixed)
		blocks = min_u64(blocks, div_up(data, VHDX_GRANULE));
	bat = vhdx_config_bat_length(&config, size);
	return VHDX_SECTION_LEN + config.log_size + 2 * MIB +
	       (bat > MIB ? bat : 0) +
	       blocks * config.block_size;
}
