/* SPDX-License-Identifier: MIT */
/* Owns the reading of headers and chunks, the same for files and streams.
 * Does not look at what RAW chunks hold. */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "formats/images/simg/simg.h"

#define ULL(x) ((unsigned long long)(x))

int simg_header_parse(const unsigned char *head, struct simg_header *out,
		      struct err *err)
{
	uint16_t major = bytes_le16(head + 4);

	if (bytes_le32(head) != SIMG_MAGIC)
		return err_set(err, ERR_DAMAGED, "no magic at 0");
	if (major != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "version %u is not 1", major);
	out->minor = bytes_le16(head + 6);
	out->header_len = bytes_le16(head + 8);
	out->chunk_len = bytes_le16(head + 10);
	out->block_size = bytes_le32(head + 12);
	out->blocks = bytes_le32(head + 16);
	out->chunks = bytes_le32(head + 20);
	out->checksum = bytes_le32(head + 24);
	if (out->header_len < SIMG_HEADER_LEN ||
	    out->chunk_len < SIMG_CHUNK_LEN)
		return err_set(err, ERR_DAMAGED,
			       "headers of %u and %u bytes are shorter "
			       "than %u and %u",
			       out->header_len, out->chunk_len,
			       SIMG_HEADER_LEN, SIMG_CHUNK_LEN);
	if (!out->block_size || out->block_size % 4)
		return err_set(err, ERR_DAMAGED,
			       "block size %lu is not a multiple of 4",
			       (unsigned long)out->block_size);
	out->size = (uint64_t)out->blocks * out->block_size;
	if (out->size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "size %llu is above the limit %llu",
			       ULL(out->size), ULL(LIMIT_DISK_SIZE));
	return 0;
}

int simg_scan_open(struct simg_scan *scan, struct source *source,
		   struct err *err)
{
	unsigned char head[SIMG_HEADER_LEN];

	memset(scan, 0, sizeof *scan);
	scan->source = source;
	if (source_read_all(source, head, sizeof head, 0, "header", err))
		return -1;
	if (simg_header_parse(head, &scan->header, err))
		return -1;
	scan->at = scan->header.header_len;
	return 0;
}

static int read_value(struct simg_scan *scan, uint32_t *value,
		      struct err *err)
{
	unsigned char bytes[4];

	if (source_read_all(scan->source, bytes, 4, scan->at, "chunk", err))
		return -1;
	*value = bytes_le32(bytes);
	return 0;
}

static int bad_chunk(const struct simg_scan *scan, const char *what,
		     uint64_t found, uint64_t wanted, struct err *err)
{
	return err_set(err, ERR_DAMAGED,
		       "chunk %lu at %llu has %s %llu, not %llu",
		       (unsigned long)scan->chunk,
		       ULL(scan->at - scan->header.chunk_len), what,
		       ULL(found), ULL(wanted));
}

/* What follows the header, by type; `body` bytes in the file. */
static int read_body(struct simg_scan *scan, struct simg_chunk *chunk,
		     uint64_t body, struct err *err)
{
	uint64_t wanted = chunk->type == SIMG_RAW	? chunk->length
			  : chunk->type == SIMG_DONT_CARE ? 0
							  : 4;
	uint64_t file = scan->source->size;

	if (body != wanted)
		return bad_chunk(scan, "a body of bytes", body, wanted, err);
	if (scan->source->size_known &&
	    !checked_inside(scan->at, body, file))
		return err_set(err, ERR_DAMAGED,
			       "chunk %lu at %llu lies past the end of "
			       "the file (%llu)",
			       (unsigned long)scan->chunk, ULL(scan->at),
			       ULL(file));
	if (wanted == 4 && chunk->type != SIMG_RAW)
		return read_value(scan, &chunk->value, err);
	return 0;
}

/* Behind the last chunk. */
static int scan_end(struct simg_scan *scan, struct err *err)
{
	unsigned char byte;
	size_t got;

	if (scan->block != scan->header.blocks)
		return err_set(err, ERR_DAMAGED,
			       "the chunks hold %llu blocks of %lu",
			       ULL(scan->block),
			       (unsigned long)scan->header.blocks);
	if (source_read(scan->source, &byte, 1, scan->at, &got, err))
		return -1;
	if (got)
		return err_set(err, ERR_DAMAGED,
			       "bytes follow the last chunk, from %llu",
			       ULL(scan->at));
	return 0;
}

/* Each call moves on by a header at least, and by one of `chunks`. */
int simg_scan_next(struct simg_scan *scan, struct simg_chunk *out,
		   struct err *err)
{
	const struct simg_header *header = &scan->header;
	unsigned char head[SIMG_CHUNK_LEN];
	uint64_t blocks, total;
	uint16_t type;

	if (scan->chunk == header->chunks)
		return scan_end(scan, err);
	if (source_read_all(scan->source, head, sizeof head, scan->at,
			    "chunk header", err))
		return -1;
	scan->at += header->chunk_len;
	type = bytes_le16(head);
	blocks = bytes_le32(head + 4);
	total = bytes_le32(head + 8);
	if (type < SIMG_RAW || type > SIMG_CRC32)
		return err_set(err, ERR_DAMAGED,
			       "chunk %lu at %llu has the unknown type "
			       "0x%04x",
			       (unsigned long)scan->chunk,
			       ULL(scan->at - header->chunk_len), type);
	if (type == SIMG_CRC32)
		blocks = 0; /* it stands for none, whatever it says */
	if (total < header->chunk_len)
		return bad_chunk(scan, "a length of", total, header->chunk_len,
				 err);
	if (blocks > header->blocks - scan->block)
		return bad_chunk(scan, "blocks", blocks,
				 header->blocks - scan->block, err);
	memset(out, 0, sizeof *out);
	out->type = type;
	out->offset = scan->block * header->block_size;
	out->length = blocks * header->block_size;
	out->place = scan->at;
	if (read_body(scan, out, total - header->chunk_len, err))
		return -1;
	scan->at += total - header->chunk_len;
	scan->block += blocks;
	scan->chunk++;
	return 1;
}
