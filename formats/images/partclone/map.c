/* SPDX-License-Identifier: MIT */
/* Owns header and bitmap, and where blocks are. Does not read them. */
#include "formats/images/partclone/partclone.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/codecs/codec.h"

#define RANK_BLOCKS 4096u
#define STEP ((size_t)65536)
#define ULL(x) ((unsigned long long)(x))

size_t partclone_header_want(const unsigned char *head, size_t len)
{
	if (len < 34)
		return 34;
	return memcmp(head + 30, "0001", 4) ? PARTCLONE_V2_LEN
					    : PARTCLONE_V1_LEN;
}

static void parse_v1(const unsigned char *head, struct partclone_header *out)
{
	out->version = 1;
	memcpy(out->fs, head + 15, 15);
	out->block_size = bytes_le32(head + 36);
	out->device_size = bytes_le64(head + 40);
	out->blocks = bytes_le64(head + 48);
	out->len = PARTCLONE_V1_LEN;
	out->sum = SUM_CRC32_FIRST;
	out->sum_len = 4;
	out->per_sum = 1;
	out->bitmap = 8;
}

static int parse_sums(const unsigned char *head, struct partclone_header *out,
		      struct err *err)
{
	unsigned mode = bytes_le16(head + 96), wanted;

	out->sum_len = bytes_le16(head + 98);
	out->per_sum = bytes_le32(head + 100);
	out->reseed = head[104];
	switch (mode) {
	case 0:
		out->sum = SUM_NONE;
		out->per_sum = 0;
		wanted = out->sum_len = 0;
		break;
	case 0x20:
		out->sum = SUM_CRC32;
		wanted = 4;
		break;
	case 0x30:
		out->sum = SUM_XXH64;
		wanted = 8;
		break;
	default:
		return err_set(err, ERR_UNSUPPORTED,
			       "checksum mode 0x%x is not 0, 0x20 (CRC-32) or "
			       "0x30 (XXH64)",
			       mode);
	}
	if (out->sum_len != wanted || (mode && !out->per_sum))
		return err_set(err, ERR_DAMAGED,
			       "checksums of %lu bytes behind %lu blocks each",
			       (unsigned long)out->sum_len,
			       (unsigned long)out->per_sum);
	return 0;
}

static int parse_v2(const unsigned char *head, struct partclone_header *out,
		    struct err *err)
{
	uint32_t features = bytes_le32(head + 88);

	if (bytes_le16(head + 34) != 0xc0de)
		return err_set(err, ERR_UNSUPPORTED,
			       "the order of its bytes is 0x%04x, not 0xc0de "
			       "(little-endian)",
			       bytes_le16(head + 34));
	if (~codec_crc32(0, head, 106) != bytes_le32(head + 106))
		return err_set(err, ERR_DAMAGED,
			       "the header has a wrong checksum");
	if (features != 18 || bytes_le16(head + 92) != 2)
		return err_set(err, ERR_UNSUPPORTED,
			       "features of %lu bytes of version %u, not 18 "
			       "of 2",
			       (unsigned long)features, bytes_le16(head + 92));
	out->version = 2;
	memcpy(out->program, head + 16, 14);
	memcpy(out->fs, head + 36, 16);
	out->device_size = bytes_le64(head + 52);
	out->blocks = bytes_le64(head + 60);
	out->block_size = bytes_le32(head + 84);
	out->len = PARTCLONE_V2_LEN;
	out->bitmap = head[105];
	if (out->bitmap != 0 && out->bitmap != 1 && out->bitmap != 8)
		return err_set(err, ERR_UNSUPPORTED,
			       "bitmap mode %u is not 0, 1 or 8", out->bitmap);
	return parse_sums(head, out, err);
}

int partclone_header_parse(const unsigned char *head,
			   struct partclone_header *out, struct err *err)
{
	uint64_t size;

	memset(out, 0, sizeof *out);
	if (memcmp(head, "partclone-image", 15))
		return err_set(err, ERR_DAMAGED, "no magic at 0");
	if (!memcmp(head + 30, "0001", 4))
		parse_v1(head, out);
	else if (memcmp(head + 30, "0002", 4))
		return err_set(err, ERR_UNSUPPORTED,
			       "version %.4s is not 0001 or 0002", head + 30);
	else if (parse_v2(head, out, err))
		return -1;
	if (!out->block_size || out->block_size % 512 ||
	    out->block_size > PARTCLONE_BLOCK_MAX)
		return err_set(err, ERR_DAMAGED,
			       "block size %lu is not 512..%lu in steps of "
			       "512",
			       (unsigned long)out->block_size,
			       (unsigned long)PARTCLONE_BLOCK_MAX);
	if (!checked_mul(out->blocks, out->block_size, &size) ||
	    size > LIMIT_DISK_SIZE || out->device_size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "%llu blocks of %lu on %llu bytes are above "
			       "the limit %llu",
			       ULL(out->blocks),
			       (unsigned long)out->block_size,
			       ULL(out->device_size), ULL(LIMIT_DISK_SIZE));
	out->size = max_u64(size, out->device_size);
	return 0;
}

void partclone_facts(const struct partclone_header *header,
		     struct facts *facts)
{
	static const char *const sums[] = { "none", "crc32", "xxh64",
					    "crc32-0001" };

	facts_number(facts, "version", header->version);
	facts_text(facts, "file-system", "%s", header->fs);
	if (*header->program)
		facts_text(facts, "program", "%s", header->program);
	facts_number(facts, "block-size", header->block_size);
	facts_number(facts, "blocks", header->blocks);
	facts_text(facts, "checksum", "%s", sums[header->sum]);
	if (header->per_sum)
		facts_number(facts, "blocks-per-checksum", header->per_sum);
}

/* A byte a block becomes a bit; what is neither 0 nor 1 is damage. Ends: the
 * blocks are counted, and each step reads some of the file. */
static int read_bytes(struct partclone_map *map, struct source *source,
		      uint32_t *crc, struct err *err)
{
	unsigned char *buf AUTO_FREE = mem_buffer(STEP);

	for (uint64_t i = 0; i < map->header.blocks; i += STEP) {
		size_t len = (size_t)min_u64(STEP, map->header.blocks - i);

		if (source_read_all(source, buf, len, map->data, "bitmap",
				    err))
			return -1;
		*crc = codec_crc32(*crc, buf, len);
		map->data += len;
		for (size_t k = 0; k < len; k++) {
			if (buf[k] > 1)
				return err_set(err, ERR_DAMAGED,
					       "the bitmap says %u of block "
					       "%llu (0 or 1)",
					       buf[k], ULL(i + k));
			map->bits[(i + k) / 8] |=
				(unsigned char)(buf[k] << (i + k) % 8);
		}
	}
	return 0;
}

static int read_bits(struct partclone_map *map, struct source *source,
		     uint32_t *crc, struct err *err)
{
	uint64_t len = div_up(map->header.blocks, 8);
	unsigned rest = map->header.blocks % 8;

	if (source_read_all(source, map->bits, len, map->data, "bitmap", err))
		return -1;
	*crc = codec_crc32(*crc, map->bits, len);
	map->data += len;
	if (rest)
		map->bits[len - 1] &= (unsigned char)((1u << rest) - 1);
	return 0;
}

static int read_bitmap(struct partclone_map *map, struct source *source,
		       struct err *err)
{
	unsigned char end[8];
	uint32_t crc = 0;
	bool old = map->header.bitmap == 8;

	if (map->header.bitmap == 0) {
		uint64_t whole = map->header.blocks / 8;

		memset(map->bits, 0xff, whole);
		if (map->header.blocks % 8)
			map->bits[whole] = (unsigned char)(
				(1u << map->header.blocks % 8) - 1);
		return 0;
	}
	if (map->header.bitmap == 8 ? read_bytes(map, source, &crc, err)
				    : read_bits(map, source, &crc, err))
		return -1;
	if (source_read_all(source, end, old ? 8 : 4, map->data, "bitmap",
			    err))
		return -1;
	map->data += old ? 8 : 4;
	if (old ? memcmp(end, "BiTmAgIc", 8) : ~crc != bytes_le32(end))
		return err_set(err, ERR_DAMAGED,
			       old ? "no \"BiTmAgIc\" behind the bitmap"
				   : "the bitmap has a wrong checksum");
	return 0;
}

static unsigned count_bits(const unsigned char *bits, size_t len)
{
	unsigned count = 0;

	for (; len >= 8; bits += 8, len -= 8)
		count += (unsigned)__builtin_popcountll(bytes_le64(bits));
	for (; len; bits++, len--)
		count += (unsigned)__builtin_popcount(*bits);
	return count;
}

static int read_header(struct source *source, struct partclone_header *out,
		       struct err *err)
{
	unsigned char head[PARTCLONE_V1_LEN];
	size_t want;

	if (source_read_all(source, head, 34, 0, "header", err))
		return -1;
	want = partclone_header_want(head, 34);
	if (source_read_all(source, head + 34, want - 34, 34, "header", err))
		return -1;
	return partclone_header_parse(head, out, err);
}

int partclone_map_open(struct partclone_map *map, struct source *source,
		       struct err *err)
{
	struct partclone_header *header = &map->header;
	uint64_t groups, bits_len;

	memset(map, 0, sizeof *map);
	if (read_header(source, header, err))
		return -1;
	map->data = header->len;
	groups = div_up(header->blocks, RANK_BLOCKS);
	/* Whole groups, so that counting needs no look at the end. */
	bits_len = groups * (RANK_BLOCKS / 8);
	map->bits = mem_capped(max_u64(bits_len, 1), 1, PARTCLONE_BITS_MAX,
			       "the bitmap", err);
	map->before = map->bits ? mem_capped(groups + 1, sizeof *map->before,
					     PARTCLONE_BITS_MAX, "the bitmap",
					     err)
				: NULL;
	if (!map->before || read_bitmap(map, source, err)) {
		partclone_map_close(map);
		return -1;
	}
	for (uint64_t i = 0; i < groups; i++) {
		map->before[i] = map->used;
		map->used += count_bits(map->bits + i * (RANK_BLOCKS / 8),
					RANK_BLOCKS / 8);
	}
	return 0;
}

void partclone_map_close(struct partclone_map *map)
{
	free(map->bits);
	free(map->before);
	map->bits = NULL;
	map->before = NULL;
}

static bool is_used(const struct partclone_map *map, uint64_t block)
{
	return map->bits[block / 8] >> block % 8 & 1;
}

uint64_t partclone_run(const struct partclone_map *map, uint64_t block,
		       uint64_t most, bool *used)
{
	uint64_t end = block + min_u64(most, map->header.blocks - block);
	uint64_t at = block;
	unsigned char alike;

	*used = is_used(map, block);
	alike = *used ? 0xff : 0;
	/* Ends: forward, by eight where they are alike. */
	while (at < end && is_used(map, at) == *used)
		at += at % 8 == 0 && map->bits[at / 8] == alike ? 8 : 1;
	return min_u64(at, end) - block;
}

uint64_t partclone_rank(const struct partclone_map *map, uint64_t block)
{
	uint64_t group = block / RANK_BLOCKS;
	const unsigned char *bits = map->bits + group * (RANK_BLOCKS / 8);
	unsigned rest = block % RANK_BLOCKS;
	uint64_t rank = map->before[group] + count_bits(bits, rest / 8);

	if (rest % 8)
		rank += (unsigned)__builtin_popcount(
			bits[rest / 8] & ((1u << rest % 8) - 1));
	return rank;
}

uint64_t partclone_place(const struct partclone_map *map, uint64_t nth)
{
	const struct partclone_header *header = &map->header;
	uint64_t sums = header->per_sum ? nth / header->per_sum : 0;

	return map->data + nth * header->block_size + sums * header->sum_len;
}

uint64_t partclone_end(const struct partclone_map *map)
{
	const struct partclone_header *header = &map->header;
	bool partial = header->per_sum && map->used % header->per_sum;

	return partclone_place(map, map->used) +
	       (partial ? header->sum_len : 0);
}

int partclone_check_end(struct partclone_map *map, uint64_t size,
			struct err *err)
{
	if (map->header.version == 1 && size != partclone_end(map)) {
		map->header.sum_len = 8;
		if (size != partclone_end(map))
			map->header.sum_len = 4;
	}
	if (size == partclone_end(map))
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "the file has %llu bytes, not %llu as its bitmap says",
		       ULL(size), ULL(partclone_end(map)));
}
