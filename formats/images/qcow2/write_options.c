/* SPDX-License-Identifier: MIT */
/* Owns the options of a new qcow2 image: rows, combinations, and the size to
 * expect of them. Writes nothing. */
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "formats/images/qcow2/write.h"

const struct driver_option qcow2_options[] = {
	{ "cluster_size", "512..2M", "64K", "bytes of a cluster" },
	{ "compat", "0.10|1.1", "1.1", "version 2 (0.10) or 3 (1.1)" },
	{ "refcount_bits", "1..64", "16", "width of a reference count" },
	{ "extended_l2", "on|off", "off", "subclusters (32 a cluster)" },
	{ "preallocation", "off|metadata|falloc|full", "off",
	  "room for zeros: none, mapped, reserved, or written" },
	{ "lazy_refcounts", "on|off", "off",
	  "let later writers postpone reference counts" },
	{ "backing_file", "NAME", NULL, "what is below, stored as it stands" },
	{ "backing_fmt", "FORMAT", NULL, "the format of backing_file" },
	{ "data_file", "NAME", NULL, "keep guest data in a file beside" },
	{ "data_file_raw", "on|off", "off", "data_file alone is a raw image" },
	{ "window", "4k|32k", "32k", "how far back zlib may refer" },
	{ NULL, NULL, NULL, NULL }
};

static bool given(const struct create_options *options, const char *name)
{
	for (unsigned i = 0; i < options->option_count; i++)
		if (!strcmp(options->option[i].name, name))
			return true;
	return false;
}

static int parse_numbers(const struct create_options *options,
			 struct qcow2_config *out, struct err *err)
{
	uint64_t cluster, bits;

	if (create_option_size(options, qcow2_options, "cluster_size", &cluster,
			       err) ||
	    create_option_size(options, qcow2_options, "refcount_bits", &bits,
			       err))
		return -1;
	if (!is_power_of_two(cluster))
		return err_set(err, ERR_USAGE,
			       "option cluster_size=%llu is not a power of "
			       "two (512..2M)",
			       (unsigned long long)cluster);
	if (!is_power_of_two(bits))
		return err_set(err, ERR_USAGE,
			       "option refcount_bits=%llu is not a power of "
			       "two (1..64)",
			       (unsigned long long)bits);
	out->cluster_size = (uint32_t)cluster;
	out->cluster_bits = (unsigned)__builtin_ctzll(cluster);
	out->refcount_order = (unsigned)__builtin_ctzll(bits);
	return 0;
}

static enum qcow2_preallocation
parse_preallocation(const struct create_options *options)
{
	static const char *const names[] = {
		[QCOW2_PREALLOCATE_METADATA] = "metadata",
		[QCOW2_PREALLOCATE_FALLOC] = "falloc",
		[QCOW2_PREALLOCATE_FULL] = "full",
	};
	const char *value =
		create_option(options, qcow2_options, "preallocation");

	for (int i = QCOW2_PREALLOCATE_FULL; i > QCOW2_PREALLOCATE_OFF; i--)
		if (!strcmp(value, names[i]))
			return (enum qcow2_preallocation)i;
	return QCOW2_PREALLOCATE_OFF;
}

/* What version 2 cannot say. */
static int check_version2(const struct qcow2_config *config, struct err *err)
{
	const char *what = NULL;

	if (config->version > 2)
		return 0;
	if (config->refcount_order != 4)
		what = "refcount_bits other than 16";
	else if (config->extended_l2)
		what = "extended_l2";
	else if (config->lazy_refcounts)
		what = "lazy_refcounts";
	else if (config->data_file)
		what = "data_file";
	else if (config->compress && config->codec == BLOCK_ZSTD)
		what = "zstd";
	if (what)
		return err_set(err, ERR_USAGE,
			       "compat=0.10 has no %s; use compat=1.1", what);
	return 0;
}

static int check_files(const struct qcow2_config *config, struct err *err)
{
	if (config->backing_format && !config->backing)
		return err_set(err, ERR_USAGE,
			       "option backing_fmt needs backing_file");
	if (config->backing && config->preallocation != QCOW2_PREALLOCATE_OFF)
		return err_set(err, ERR_USAGE,
			       "backing_file and preallocation exclude each "
			       "other");
	if (config->backing && strlen(config->backing) > QCOW2_BACKING_LEN_MAX)
		return err_set(err, ERR_USAGE,
			       "backing_file has %zu bytes, at most %d are "
			       "allowed",
			       strlen(config->backing), QCOW2_BACKING_LEN_MAX);
	if (config->data_raw && !config->data_file)
		return err_set(err, ERR_USAGE,
			       "option data_file_raw needs data_file");
	if (config->data_raw && config->backing)
		return err_set(err, ERR_USAGE,
			       "backing_file and data_file_raw exclude each "
			       "other");
	if (qcow2_head_len(config) > config->cluster_size)
		return err_set(err, ERR_USAGE,
			       "the names of other files do not fit a cluster "
			       "of %lu bytes; use a larger cluster_size",
			       (unsigned long)config->cluster_size);
	return 0;
}

static int check_compression(const struct create_options *options,
			     const struct qcow2_config *config, struct err *err)
{
	if (given(options, "window") &&
	    (!config->compress || config->codec != BLOCK_DEFLATE))
		return err_set(err, ERR_USAGE,
			       "option window needs compression with zlib");
	if (!config->compress)
		return 0;
	if (config->data_file)
		return err_set(err, ERR_USAGE,
			       "a data_file cannot be compressed");
	if (config->preallocation != QCOW2_PREALLOCATE_OFF)
		return err_set(err, ERR_USAGE,
			       "compression and preallocation exclude each "
			       "other");
	return 0;
}

int qcow2_config_l1(const struct qcow2_config *config, uint64_t size,
		    uint64_t *entries, struct err *err)
{
	*entries = max_u64(1, div_up(size, config->l2_span));
	if (*entries > LIMIT_TABLE_LEN / 8)
		return err_set(err, ERR_UNSUPPORTED,
			       "%llu bytes are more than clusters of %lu "
			       "bytes can map (%llu); use a larger "
			       "cluster_size",
			       (unsigned long long)size,
			       (unsigned long)config->cluster_size,
			       (unsigned long long)(LIMIT_TABLE_LEN / 8 *
						    config->l2_span));
	return 0;
}

uint64_t qcow2_config_l1_room(const struct qcow2_config *config)
{
	return max_u64(1, 64 * KIB / config->cluster_size);
}

int qcow2_config_parse(const struct create_options *options,
		       struct qcow2_config *out, struct err *err)
{
	const struct driver_option *rows = qcow2_options;
	uint64_t entries;

	memset(out, 0, sizeof *out);
	if (parse_numbers(options, out, err) ||
	    create_option_bool(options, rows, "extended_l2", &out->extended_l2,
			       err) ||
	    create_option_bool(options, rows, "lazy_refcounts",
			       &out->lazy_refcounts, err) ||
	    create_option_bool(options, rows, "data_file_raw", &out->data_raw,
			       err))
		return -1;
	out->version =
		strcmp(create_option(options, rows, "compat"), "0.10") ? 3 : 2;
	out->preallocation = parse_preallocation(options);
	out->backing = create_option(options, rows, "backing_file");
	out->backing_format = create_option(options, rows, "backing_fmt");
	out->data_file = create_option(options, rows, "data_file");
	out->compress = *options->compress;
	out->codec =
		strcmp(options->compress, "zstd") ? BLOCK_DEFLATE : BLOCK_ZSTD;
	out->block.level = options->compress_level;
	out->block.window_log =
		strcmp(create_option(options, rows, "window"), "4k") ? 15 : 12;
	out->l2_entries = out->cluster_size / (out->extended_l2 ? 16 : 8);
	out->l2_span = out->l2_entries * out->cluster_size;
	if (out->extended_l2 && out->cluster_size < 16 * KIB)
		return err_set(err, ERR_USAGE,
			       "extended_l2 needs a cluster_size of at least "
			       "16K (found %lu)",
			       (unsigned long)out->cluster_size);
	if (check_version2(out, err) || check_files(out, err) ||
	    check_compression(options, out, err))
		return -1;
	/* A data file that is a raw image by itself: readers that write to it
	 * expect every cluster to be mapped. */
	if (out->data_raw && out->preallocation == QCOW2_PREALLOCATE_OFF)
		out->preallocation = QCOW2_PREALLOCATE_METADATA;
	if (options->size_known)
		return qcow2_config_l1(out, options->size, &entries, err);
	return 0;
}

int qcow2_check_options(const struct create_options *options, struct err *err)
{
	struct qcow2_config config;

	return qcow2_config_parse(options, &config, err);
}

uint32_t qcow2_survey_granule(const struct create_options *options)
{
	struct qcow2_config config;
	struct err err;

	if (qcow2_config_parse(options, &config, &err))
		return 4096; /* it will not come to a survey */
	return config.extended_l2 ? config.cluster_size / QCOW2_SUBCLUSTERS
				  : config.cluster_size;
}

uint64_t qcow2_measure(const struct create_options *options, uint64_t size,
		       uint64_t data)
{
	struct qcow2_config config;
	struct qcow2_room room;
	uint64_t entries, tables, clusters, place;
	struct err err;

	if (qcow2_config_parse(options, &config, &err) ||
	    qcow2_config_l1(&config, size, &entries, &err))
		return size;
	data = config.preallocation == QCOW2_PREALLOCATE_OFF
		       ? min_u64(data, size)
		       : size;
	clusters = div_up(data, config.cluster_size);
	tables = min_u64(div_up(size, config.l2_span), clusters);
	if (config.backing)
		tables = div_up(size, config.l2_span);
	if (config.data_file)
		clusters = 0;
	qcow2_room_init(&room, &config, false);
	qcow2_room_take(&room, qcow2_config_l1_room(&config));
	qcow2_room_take(&room, tables + clusters);
	if (!qcow2_room_settle(&room, &config, 0, entries))
		qcow2_room_take(&room,
				div_up(entries * 8, config.cluster_size));
	qcow2_room_end(&room, &config, &place, &clusters);
	return room.next * config.cluster_size + (config.data_file ? data : 0);
}
