/* SPDX-License-Identifier: MIT */
/*
 * Owns the header extensions: the list behind the header, the names of
 * features, of the data file and of the backing file. Does not judge the
 * header's own fields.
 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/qcow2/extension.h"

#define HEAD_LEN 8
#define FEATURE_LEN 48 /* u8 kind, u8 bit, 46 bytes of name */
#define BITMAPS_LEN 24
#define CRYPTO_LEN 16 /* u64 offset, u64 length of the LUKS header */
#define KNOWN_INCOMPATIBLE                                                     \
	(QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT |                       \
	 QCOW2_INCOMPAT_DATA_FILE | QCOW2_INCOMPAT_COMPRESSION |               \
	 QCOW2_INCOMPAT_EXTENDED_L2)

struct extension {
	uint32_t type, len;
	const unsigned char *data;
};

struct features {
	const unsigned char *table; /* or NULL */
	size_t count;
};

static int take_name(const char *what, const struct extension *extension,
		     char *out, size_t room, struct err *err)
{
	if (!extension->len || extension->len >= room)
		return err_set(err, ERR_DAMAGED,
			       "%s of %u bytes is out of range (1..%zu)", what,
			       extension->len, room - 1);
	if (memchr(extension->data, 0, extension->len))
		return err_set(err, ERR_DAMAGED, "%s contains a zero byte",
			       what);
	memcpy(out, extension->data, extension->len);
	out[extension->len] = 0;
	return 0;
}

static int take_bitmaps(const struct extension *extension,
			struct qcow2_header *out, struct err *err)
{
	if (extension->len != BITMAPS_LEN)
		return err_set(err, ERR_DAMAGED,
			       "bitmaps extension of %u bytes (%d expected)",
			       extension->len, BITMAPS_LEN);
	out->has_bitmaps = true;
	out->bitmap_count = bytes_be32(extension->data);
	out->bitmaps_len = bytes_be64(extension->data + 8);
	out->bitmaps_offset = bytes_be64(extension->data + 16);
	return 0;
}

static int take_crypto(const struct extension *extension,
		       struct qcow2_header *out, struct err *err)
{
	if (extension->len != CRYPTO_LEN)
		return err_set(err, ERR_DAMAGED,
			       "encryption header pointer of %u bytes (%d "
			       "expected)",
			       extension->len, CRYPTO_LEN);
	out->crypto_offset = bytes_be64(extension->data);
	out->crypto_len = bytes_be64(extension->data + 8);
	return 0;
}

static int take(const struct extension *extension, struct qcow2_header *out,
		struct features *features, struct err *err)
{
	switch (extension->type) {
	case QCOW2_EXT_BACKING_FORMAT:
		return take_name("backing format name", extension,
				 out->backing_format,
				 sizeof out->backing_format, err);
	case QCOW2_EXT_DATA_FILE:
		out->has_data_file = true;
		return take_name("data file name", extension, out->data_file,
				 sizeof out->data_file, err);
	case QCOW2_EXT_BITMAPS:
		return take_bitmaps(extension, out, err);
	case QCOW2_EXT_CRYPTO:
		if (!out->crypt)
			return err_set(err, ERR_UNSUPPORTED,
				       "the image has an encryption header, "
				       "which is not supported");
		return take_crypto(extension, out, err);
	case QCOW2_EXT_FEATURE_NAMES:
		features->table = extension->data;
		features->count = extension->len / FEATURE_LEN;
		return 0;
	default:
		/* The specification has unknown extensions ignored. */
		return 0;
	}
}

/* The list ends at its end mark, at the backing name, or at `end`; each turn
 * moves on by at least a head. */
static int parse_list(const unsigned char *bytes, size_t end,
		      struct qcow2_header *out, struct features *features,
		      struct err *err)
{
	size_t at = out->header_len;

	while (at < end && end - at >= HEAD_LEN) {
		struct extension extension = {
			.type = bytes_be32(bytes + at),
			.len = bytes_be32(bytes + at + 4),
			.data = bytes + at + HEAD_LEN,
		};

		if (extension.type == QCOW2_EXT_END)
			return 0;
		at += HEAD_LEN;
		if (extension.len > end - at)
			return err_set(err, ERR_DAMAGED,
				       "header extension 0x%08x of %u bytes at "
				       "%zu does not fit the header (%zu left)",
				       extension.type, extension.len,
				       at - HEAD_LEN, end - at);
		out->extension_count++;
		if (take(&extension, out, features, err))
			return -1;
		at += round_up(extension.len, 8);
	}
	return 0;
}

/* The name the image's own table has for an incompatible feature bit. */
static void feature_name(const struct features *features, unsigned bit,
			 char *out, size_t room)
{
	for (size_t i = 0; i < features->count; i++) {
		const unsigned char *row = features->table + i * FEATURE_LEN;

		if (row[0] == 0 && row[1] == bit && row[2]) {
			snprintf(out, room, "%u (%.46s)", bit,
				 (const char *)row + 2);
			return;
		}
	}
	snprintf(out, room, "%u", bit);
}

static int refuse_unknown(uint64_t unknown, const struct features *features,
			  struct err *err)
{
	char list[512] = "", name[64];
	size_t used = 0;

	for (unsigned bit = 0; bit < 64; bit++) {
		if (!(unknown >> bit & 1))
			continue;
		feature_name(features, bit, name, sizeof name);
		if (used + strlen(name) + 3 > sizeof list)
			break;
		used += (size_t)snprintf(list + used, sizeof list - used,
					 "%s%s", used ? ", " : "", name);
	}
	return err_set(err, ERR_UNSUPPORTED,
		       "unknown incompatible feature bit %s: the image cannot "
		       "be read safely",
		       list);
}

static int parse_backing(const unsigned char *bytes, size_t len,
			 struct qcow2_header *out, struct err *err)
{
	uint64_t offset = bytes_be64(bytes + QCOW2_BACKING_OFFSET);
	uint32_t name_len = bytes_be32(bytes + QCOW2_BACKING_LEN);
	struct extension name = { .len = name_len };
	/* It lies in the first cluster, which may be smaller. */
	uint32_t most = (uint32_t)min_u64(QCOW2_BACKING_LEN_MAX,
					  out->cluster_size);

	if (!offset)
		return 0;
	if (!name_len)
		return err_set(err, ERR_UNSUPPORTED,
			       "the backing file's name is empty "
			       "(backing_file_offset %llu, length 0)",
			       (unsigned long long)offset);
	if (name_len > most)
		return err_set(err, ERR_DAMAGED,
			       "backing_file_size %u is out of range (1..%u)",
			       name_len, most);
	if (offset < out->header_len ||
	    !checked_inside(offset, name_len, out->cluster_size))
		return err_set(err, ERR_DAMAGED,
			       "backing_file_offset %llu is out of range "
			       "(%u..%u)",
			       (unsigned long long)offset, out->header_len,
			       out->cluster_size - name_len);
	if (!checked_inside(offset, name_len, len))
		return err_set(err, ERR_DAMAGED,
			       "the file ends within the backing file's name");
	out->has_backing = true;
	name.data = bytes + offset;
	return take_name("backing file name", &name, out->backing,
			 sizeof out->backing, err);
}

int extension_parse(const unsigned char *bytes, size_t len,
		    struct qcow2_header *out, struct err *err)
{
	struct features features = { 0 };
	uint64_t unknown = out->incompatible & ~KNOWN_INCOMPATIBLE;
	size_t end = (size_t)min_u64(len, out->cluster_size);
	int status;

	if (parse_backing(bytes, len, out, err))
		return -1;
	if (out->has_backing)
		end = (size_t)bytes_be64(bytes + QCOW2_BACKING_OFFSET);
	status = parse_list(bytes, end, out, &features, err);
	/* An unknown feature may change what the extensions mean: it is the
	 * better explanation of the two. */
	if (unknown)
		return refuse_unknown(unknown, &features, err);
	return status;
}

int extension_check(const struct qcow2_header *header, struct err *err)
{
	bool bit = header->incompatible & QCOW2_INCOMPAT_DATA_FILE;

	if (bit && !header->has_data_file)
		return err_set(err, ERR_DAMAGED,
			       "the image has an external data file, but does "
			       "not name it");
	if (!bit && header->has_data_file)
		return err_set(err, ERR_DAMAGED,
			       "the image names data file %s, but the feature "
			       "bit for it (incompatible bit 2) is clear",
			       header->data_file);
	return 0;
}
