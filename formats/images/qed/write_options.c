/* SPDX-License-Identifier: MIT */
/* Owns the options of a new QED image, and the size to expect of them. Writes
 * nothing. */
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/limits.h"
#include "formats/images/qed/qed.h"

const struct driver_option qed_options[] = {
	{ "cluster_size", "4K..64M", "64K", "bytes of a cluster" },
	{ "table_size", "1..16", "4",
	  "clusters of an L1 or L2 table (QEMU reads no 1)" },
	{ "backing_file", "NAME", NULL, "what is below, stored as it stands" },
	{ "backing_fmt", "FORMAT", NULL,
	  "the format of backing_file; only raw is noted" },
	{ NULL, NULL, NULL, NULL }
};

static int parse_backing(const struct create_options *options,
			 struct qed_config *out, struct err *err)
{
	const char *format = create_option(options, qed_options, "backing_fmt");

	out->backing = create_option(options, qed_options, "backing_file");
	if (format && !out->backing)
		return err_set(err, ERR_USAGE,
			       "option backing_fmt needs backing_file");
	if (out->backing && strlen(out->backing) >= QED_NAME_LEN)
		return err_set(err, ERR_USAGE,
			       "backing_file has %zu bytes, at most %d are "
			       "allowed",
			       strlen(out->backing), QED_NAME_LEN - 1);
	out->backing_raw = format && !strcasecmp(format, "raw");
	return 0;
}

int qed_config_parse(const struct create_options *options,
		     struct qed_config *out, struct err *err)
{
	uint64_t cluster, table;

	memset(out, 0, sizeof *out);
	if (create_option_size(options, qed_options, "cluster_size", &cluster,
			       err) ||
	    create_option_size(options, qed_options, "table_size", &table, err))
		return -1;
	if (!is_power_of_two(cluster))
		return err_set(err, ERR_USAGE,
			       "option cluster_size=%llu is not a power of "
			       "two (4K..64M)",
			       (unsigned long long)cluster);
	if (!is_power_of_two(table))
		return err_set(err, ERR_USAGE,
			       "option table_size=%llu is not a power of two "
			       "(1..16)",
			       (unsigned long long)table);
	out->cluster_size = (uint32_t)cluster;
	out->table_size = (uint32_t)table;
	if (parse_backing(options, out, err))
		return -1;
	return options->size_known ? qed_config_size(out, options->size, err)
				   : 0;
}

void qed_config_header(const struct qed_config *config, uint64_t size,
		       struct qed_header *out)
{
	memset(out, 0, sizeof *out);
	out->cluster_size = config->cluster_size;
	out->table_size = config->table_size;
	out->header_size = 1;
	out->l1_offset = config->cluster_size;
	out->size = size;
	if (config->backing) {
		out->features = QED_F_BACKING_FILE;
		out->backing_offset = QED_HEADER_LEN;
		out->backing_len = (uint32_t)strlen(config->backing);
		memcpy(out->backing, config->backing, out->backing_len);
	}
	if (config->backing_raw)
		out->features |= QED_F_NO_PROBE;
	qed_header_derive(out);
}

int qed_config_size(const struct qed_config *config, uint64_t size,
		    struct err *err)
{
	struct qed_header header;
	uint64_t most;

	qed_config_header(config, size, &header);
	/* Readers take no more of an L1 than LIMIT_TABLE_LEN. */
	most = min_u64(header.entries, LIMIT_TABLE_LEN / QED_ENTRY_LEN);
	if (header.l1_used <= most)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "%llu bytes are more than tables of %u clusters of %u "
		       "bytes can map (%llu); use a larger cluster_size or "
		       "table_size",
		       (unsigned long long)size, config->table_size,
		       config->cluster_size,
		       (unsigned long long)(most * header.l2_span));
}

int qed_check_options(const struct create_options *options, struct err *err)
{
	struct qed_config config;

	return qed_config_parse(options, &config, err);
}

enum append_need qed_append(const struct create_options *options)
{
	/* Over a backing file zeros are in the tables too: a survey does not
	 * say where those end that hide nothing. */
	return create_option(options, qed_options, "backing_file")
		       ? APPEND_NEVER
		       : APPEND_SURVEY;
}

uint32_t qed_survey_granule(const struct create_options *options)
{
	struct qed_config config;
	struct err err;

	if (qed_config_parse(options, &config, &err))
		return 4096; /* it will not come to a survey */
	return (uint32_t)min_u64(config.cluster_size, UNIT_LEN);
}

uint64_t qed_measure(const struct create_options *options, uint64_t size,
		     uint64_t data)
{
	struct qed_config config;
	struct qed_header header;
	uint64_t clusters, tables;
	struct err err;

	if (qed_config_parse(options, &config, &err))
		return size;
	qed_config_header(&config, size, &header);
	clusters = div_up(min_u64(data, size), config.cluster_size);
	tables = config.backing ? header.l1_used
				: min_u64(header.l1_used, clusters);
	return (header.header_size + config.table_size * (1 + tables) +
		clusters) *
	       config.cluster_size;
}
