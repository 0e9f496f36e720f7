/* SPDX-License-Identifier: MIT */
/* Owns the options of a new VMDK image: rows, combinations, and the size to
 * expect of them. Writes nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "formats/images/vmdk/write.h"

/*
 * hwversion: what QEMU and open-vmdk write; the field is obsolete, and 4 is
 * read by every version. toolsversion: 2147483647 is "not known" (the same).
 * adapter_type: the four of "Virtual Disk Format 5.0", "The Disk Database".
 */
const struct driver_option vmdk_options[] = {
	{ "subformat",
	  "monolithicSparse|streamOptimized|twoGbMaxExtentSparse|"
	  "monolithicFlat|twoGbMaxExtentFlat",
	  "monolithicSparse", "kind of image; -c means streamOptimized" },
	{ "adapter_type", "ide|buslogic|lsilogic|legacyESX", NULL,
	  "the virtual controller: ide, of streamOptimized lsilogic" },
	{ "hwversion", "1..99", "4", "VMware's virtual hardware" },
	{ "toolsversion", "0..2147483647", "2147483647",
	  "of VMware's tools in the guest" },
	{ "cid", "HEX", NULL, "content ID, eight digits" },
	{ "zeroed_grain", "on|off", "off",
	  "let later writers mark grains as zero (version 2)" },
	{ "preallocation", "off|falloc|full", "off",
	  "room for zeros in flat files: none, reserved, or written" },
	{ NULL, NULL, NULL, NULL }
};

/*
 * The compression level where none is asked for. Against QEMU's streams (zlib
 * level 6) of a system disk, libdeflate's level 1 takes an eleventh of the time
 * on two processors and gives 4 % more, level 2 an eighth and 2 %; of programs
 * alone, level 1 gives up to 12 % more and level 4 up to 4 %.
 */
#define LEVEL_DEFAULT 1

static const char *const subformats[] = {
	[VMDK_MONOLITHIC_SPARSE] = "monolithicSparse",
	[VMDK_STREAM_OPTIMIZED] = "streamOptimized",
	[VMDK_SPLIT_SPARSE] = "twoGbMaxExtentSparse",
	[VMDK_MONOLITHIC_FLAT] = "monolithicFlat",
	[VMDK_SPLIT_FLAT] = "twoGbMaxExtentFlat",
};

static bool given(const struct create_options *options, const char *name)
{
	for (unsigned i = 0; i < options->option_count; i++)
		if (!strcmp(options->option[i].name, name))
			return true;
	return false;
}

/* The rows were checked: it is one of them. */
static enum vmdk_subformat parse_subformat(const struct create_options *options)
{
	const char *value = create_option(options, vmdk_options, "subformat");
	unsigned i = VMDK_SPLIT_FLAT;

	if (*options->compress && !given(options, "subformat"))
		return VMDK_STREAM_OPTIMIZED;
	while (i > 0 && strcmp(value, subformats[i]))
		i--;
	return (enum vmdk_subformat)i;
}

static enum sink_zero parse_zero(const struct create_options *options)
{
	const char *value =
		create_option(options, vmdk_options, "preallocation");

	if (!strcmp(value, "falloc"))
		return SINK_ZERO_ALLOCATE;
	return strcmp(value, "full") ? SINK_ZERO_SPARSE : SINK_ZERO_WRITE;
}

/* The two last numbers mean "no parent" and, by libvmdk's notes, "the long
 * content ID counts". */
static int parse_cid(const char *value, uint32_t *out, struct err *err)
{
	size_t digits = strspn(value, "0123456789abcdefABCDEF");
	unsigned long number = strtoul(value, NULL, 16);

	if (!digits || digits > 8 || value[digits] || number > 0xfffffffdUL)
		return err_set(err, ERR_USAGE,
			       "option cid=%s is not a number of up to eight "
			       "hexadecimal digits, at most fffffffd",
			       value);
	*out = (uint32_t)number;
	return 0;
}

static int check_number(const struct create_options *options, const char *name,
			struct err *err)
{
	const char *value = create_option(options, vmdk_options, name);

	/* "1k" is in the range, and no version. */
	if (value[strspn(value, "0123456789")])
		return err_set(err, ERR_USAGE, "option %s=%s is not a number",
			       name, value);
	return 0;
}

static int check_combination(const struct create_options *options,
			     const struct vmdk_config *config, struct err *err)
{
	bool stream = config->subformat == VMDK_STREAM_OPTIMIZED;

	if (*options->compress && !stream)
		return err_set(err, ERR_USAGE,
			       "subformat=%s is not compressed inside; use "
			       "subformat=streamOptimized, or leave out -c",
			       config->type);
	if (config->zero_grains && (stream || vmdk_is_flat(config)))
		return err_set(err, ERR_USAGE,
			       "subformat=%s has no zeroed_grain",
			       config->type);
	if (config->zero != SINK_ZERO_SPARSE && !vmdk_is_flat(config))
		return err_set(err, ERR_USAGE,
			       "subformat=%s has no preallocation; use "
			       "monolithicFlat or twoGbMaxExtentFlat",
			       config->type);
	return 0;
}

int vmdk_config_parse(const struct create_options *options,
		      struct vmdk_config *out, struct err *err)
{
	const struct driver_option *rows = vmdk_options;
	const char *cid = create_option(options, rows, "cid");

	memset(out, 0, sizeof *out);
	out->subformat = parse_subformat(options);
	out->type = subformats[out->subformat];
	out->zero = parse_zero(options);
	out->hardware = create_option(options, rows, "hwversion");
	out->tools = create_option(options, rows, "toolsversion");
	out->adapter = create_option(options, rows, "adapter_type");
	/* What VMware's own converter writes; ESXi has few IDE disks. */
	if (!out->adapter)
		out->adapter = out->subformat == VMDK_STREAM_OPTIMIZED
				       ? "lsilogic"
				       : "ide";
	out->has_cid = cid;
	out->block.level = options->compress_level ? options->compress_level
						   : LEVEL_DEFAULT;
	out->block.window_log = 15;
	if (create_option_bool(options, rows, "zeroed_grain", &out->zero_grains,
			       err) ||
	    check_number(options, "hwversion", err) ||
	    check_number(options, "toolsversion", err) ||
	    (cid && parse_cid(cid, &out->cid, err)))
		return -1;
	return check_combination(options, out, err);
}

int vmdk_check_options(const struct create_options *options, struct err *err)
{
	struct vmdk_config config;

	return vmdk_config_parse(options, &config, err);
}

bool vmdk_in_parts(const struct create_options *options)
{
	return parse_subformat(options) > VMDK_STREAM_OPTIMIZED;
}

enum append_need vmdk_append(const struct create_options *options)
{
	enum vmdk_subformat subformat = parse_subformat(options);

	/* The hosted form has all tables in front, a stream the size. Of
	 * several files the descriptor comes at the end, in one piece. */
	return subformat == VMDK_MONOLITHIC_SPARSE ||
			       (subformat == VMDK_STREAM_OPTIMIZED &&
				!options->size_known)
		       ? APPEND_NEVER
		       : APPEND_FREELY;
}

/* "Virtual Disk Format 5.0" says of the header's capacity that it should be a
 * multiple of the grain. QEMU does not mind, but VirtualBox writes no other,
 * and open-vmdk's reader never ends on a partial last grain: what is made to
 * be handed on is rounded. Nobody opens a disk of 0 bytes. */
uint64_t vmdk_round_size(const struct create_options *options, uint64_t size)
{
	bool stream = parse_subformat(options) == VMDK_STREAM_OPTIMIZED;

	return driver_round_up(max_u64(size, 1),
			       stream ? GRAIN_LEN : VMDK_SECTOR);
}

uint64_t vmdk_measure(const struct create_options *options, uint64_t size,
		      uint64_t data)
{
	uint64_t grains = div_up(min_u64(data, size), GRAIN_LEN);
	uint64_t files = max_u64(1, div_up(size, SPLIT_LEN));
	struct vmdk_layout layout, split;
	struct vmdk_config config;
	struct err err;

	if (vmdk_config_parse(options, &config, &err))
		return size;
	vmdk_layout_init(&layout, size, TEXT_SECTOR + TEXT_SECTORS);
	vmdk_layout_init(&split, SPLIT_LEN, TEXT_SECTOR + TEXT_SECTORS);
	switch (config.subformat) {
	case VMDK_MONOLITHIC_SPARSE:
		return layout.overhead * VMDK_SECTOR + grains * GRAIN_LEN;
	case VMDK_STREAM_OPTIMIZED:
		return (GRAIN_SECTORS + grains * (GRAIN_SECTORS + 1) +
			min_u64(grains, layout.tables) * (TABLE_SECTORS + 1) +
			layout.gd_sectors + 4) *
		       VMDK_SECTOR;
	case VMDK_SPLIT_SPARSE:
		return files * (split.overhead * VMDK_SECTOR + KIB) +
		       grains * GRAIN_LEN + KIB;
	default:
		return (config.zero == SINK_ZERO_SPARSE ? min_u64(data, size)
							: size) +
		       (files + 1) * KIB;
	}
}
