/* SPDX-License-Identifier: MIT */
/* Owns the bytes of a new header, its extensions and the backing file's name.
 * Does not decide where anything is. */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/qcow2/write.h"

#define EXTENSION_HEAD_LEN 8

static size_t header_len(const struct qcow2_config *config)
{
	if (config->version == 2)
		return QCOW2_V2_LEN;
	if (config->compress && config->codec == BLOCK_ZSTD)
		return QCOW2_V3_LEN_COMPRESSION;
	return QCOW2_V3_LEN;
}

static size_t extension_len(const char *text)
{
	return text ? EXTENSION_HEAD_LEN + round_up(strlen(text), 8) : 0;
}

size_t qcow2_head_len(const struct qcow2_config *config)
{
	return header_len(config) + extension_len(config->backing_format) +
	       extension_len(config->data_file) + EXTENSION_HEAD_LEN +
	       (config->backing ? strlen(config->backing) : 0);
}

/* What comes after it. */
static unsigned char *put_extension(unsigned char *at, uint32_t type,
				    const char *text)
{
	if (!text)
		return at;
	bytes_put_be32(at, type);
	bytes_put_be32(at + 4, (uint32_t)strlen(text));
	memcpy(at + EXTENSION_HEAD_LEN, text, strlen(text));
	return at + extension_len(text);
}

/* The fields that version 2 lacks. */
static void put_version3(const struct qcow2_config *config, unsigned char *out)
{
	uint64_t incompatible = 0;

	if (config->data_file)
		incompatible |= QCOW2_INCOMPAT_DATA_FILE;
	if (config->extended_l2)
		incompatible |= QCOW2_INCOMPAT_EXTENDED_L2;
	if (config->compress && config->codec == BLOCK_ZSTD) {
		incompatible |= QCOW2_INCOMPAT_COMPRESSION;
		out[QCOW2_COMPRESSION] = 1;
	}
	bytes_put_be64(out + QCOW2_INCOMPATIBLE, incompatible);
	bytes_put_be64(out + QCOW2_COMPATIBLE,
		       config->lazy_refcounts ? QCOW2_COMPAT_LAZY_REFCOUNTS
					      : 0);
	bytes_put_be64(out + QCOW2_AUTOCLEAR,
		       config->data_raw ? QCOW2_AUTOCLEAR_DATA_RAW : 0);
	bytes_put_be32(out + QCOW2_REFCOUNT_ORDER, config->refcount_order);
	bytes_put_be32(out + QCOW2_HEADER_LEN, (uint32_t)header_len(config));
}

void qcow2_head_put(const struct qcow2_config *config,
		    const struct qcow2_head *head, unsigned char *out)
{
	unsigned char *at = out + header_len(config);

	bytes_put_be32(out, QCOW2_MAGIC);
	bytes_put_be32(out + QCOW2_VERSION, config->version);
	bytes_put_be32(out + QCOW2_CLUSTER_BITS, config->cluster_bits);
	bytes_put_be64(out + QCOW2_SIZE, head->size);
	bytes_put_be32(out + QCOW2_L1_ENTRIES, (uint32_t)head->l1_entries);
	bytes_put_be64(out + QCOW2_L1_OFFSET, head->l1_offset);
	bytes_put_be64(out + QCOW2_REFTABLE_OFFSET, head->reftable_offset);
	bytes_put_be32(out + QCOW2_REFTABLE_CLUSTERS,
		       (uint32_t)head->reftable_clusters);
	if (config->version >= 3)
		put_version3(config, out);
	at = put_extension(at, QCOW2_EXT_BACKING_FORMAT,
			   config->backing_format);
	at = put_extension(at, QCOW2_EXT_DATA_FILE, config->data_file);
	at += EXTENSION_HEAD_LEN; /* the end: type 0, length 0 */
	if (!config->backing)
		return;
	memcpy(at, config->backing, strlen(config->backing));
	bytes_put_be64(out + QCOW2_BACKING_OFFSET, (uint64_t)(at - out));
	bytes_put_be32(out + QCOW2_BACKING_LEN,
		       (uint32_t)strlen(config->backing));
}
