/* SPDX-License-Identifier: MIT */
/* Owns random access into .xz files: their list of blocks and the decoding of
 * one of them. Does not keep what it decoded. */
#include "formats/codecs/xz_index.h"

#include <lzma.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

/* What is read at a time while looking for footers and indexes. */
#define READ_LEN ((size_t)(64 * KIB))

/* liblzma takes 16 bytes a block, and so do we: two million blocks. */
#define INDEX_MEMORY ((uint64_t)LIMIT_TABLE_LEN * 2)

struct xz_block {
	uint64_t place;	   /* in the file */
	uint64_t total;	   /* bytes there */
	uint64_t unpadded; /* without the padding, as the index has it */
	lzma_check check;
};

struct xz_index {
	struct codec_index index;
	struct source *inner;
	struct xz_block *blocks;
};

#if LZMA_VERSION >= 50040002

static int unusable(lzma_ret result, struct err *err)
{
	if (result == LZMA_MEMLIMIT_ERROR || result == LZMA_MEM_ERROR)
		return err_set(err, ERR_UNSUPPORTED,
			       "the index needs more than %llu bytes",
			       (unsigned long long)INDEX_MEMORY);
	return err_set(err, ERR_UNSUPPORTED,
		       "the file has no index that can be used");
}

/* The indexes of all streams of the file, joined. Ends because the decoder
 * walks back from the end of the file and stops by itself at a turn without
 * progress (LZMA_BUF_ERROR). */
static int read_index(lzma_stream *lzma, struct source *inner, struct err *err)
{
	AUTO_FREE unsigned char *buf = mem_buffer(READ_LEN);
	uint64_t position = 0;
	lzma_ret result = LZMA_OK;

	while (result == LZMA_OK || result == LZMA_SEEK_NEEDED) {
		if (result == LZMA_SEEK_NEEDED) {
			position = lzma->seek_pos;
			lzma->avail_in = 0;
		}
		if (!lzma->avail_in) {
			if (source_read(inner, buf, READ_LEN, position,
					&lzma->avail_in, err))
				return -1;
			lzma->next_in = buf;
			position += lzma->avail_in;
		}
		result = lzma_code(lzma, LZMA_RUN);
	}
	return result == LZMA_STREAM_END ? 0 : unusable(result, err);
}

/* A block of more compressed bytes than any encoder makes of its content is
 * not worth the memory. */
static bool plausible(const lzma_index_iter *iter)
{
	return iter->block.total_size / 2 <=
	       iter->block.uncompressed_size + 64 * KIB;
}

static int copy_blocks(struct xz_index *xz, const lzma_index *list,
		       struct err *err)
{
	struct codec_index *index = &xz->index;
	uint64_t count = lzma_index_block_count(list);
	lzma_index_iter iter;

	index->start = mem_capped(count + 1, sizeof *index->start, INDEX_MEMORY,
				  "index", err);
	xz->blocks = mem_capped(count, sizeof *xz->blocks, INDEX_MEMORY,
				"index", err);
	if (!index->start || !xz->blocks)
		return -1;
	lzma_index_iter_init(&iter, list);
	/* Ends with the list; `count` bounds it again. */
	while (index->count < count &&
	       !lzma_index_iter_next(&iter, LZMA_INDEX_ITER_NONEMPTY_BLOCK)) {
		if (!iter.stream.flags ||
		    !lzma_check_is_supported(iter.stream.flags->check) ||
		    !plausible(&iter))
			return unusable(LZMA_DATA_ERROR, err);
		xz->blocks[index->count] = (struct xz_block){
			.place = iter.block.compressed_file_offset,
			.total = iter.block.total_size,
			.unpadded = iter.block.unpadded_size,
			.check = iter.stream.flags->check,
		};
		index->start[index->count++] =
			iter.block.uncompressed_file_offset;
		index->largest =
			max_u64(index->largest, iter.block.uncompressed_size);
	}
	index->size = lzma_index_uncompressed_size(list);
	index->start[index->count] = index->size;
	return 0;
}

struct codec_index *xz_index_open(struct source *inner, struct err *err)
{
	lzma_stream lzma = LZMA_STREAM_INIT;
	lzma_index *list = NULL;

	if (lzma_file_info_decoder(&lzma, &list, INDEX_MEMORY, inner->size) !=
	    LZMA_OK) {
		unusable(LZMA_MEM_ERROR, err);
		return NULL;
	}
	int result = read_index(&lzma, inner, err);
	lzma_end(&lzma);
	if (result)
		return NULL;
	struct xz_index *xz = mem_zalloc(sizeof *xz);
	xz->inner = inner;
	result = copy_blocks(xz, list, err);
	lzma_index_end(list, NULL);
	if (result) {
		xz_index_close(&xz->index);
		return NULL;
	}
	return &xz->index;
}

#else

struct codec_index *xz_index_open(struct source *inner, struct err *err)
{
	(void)inner;
	err_set(err, ERR_UNSUPPORTED,
		"random access needs liblzma 5.4 or later");
	return NULL;
}

#endif

static int decode(lzma_block *block, const unsigned char *in, size_t in_len,
		  unsigned char *out, size_t out_len)
{
	size_t in_at = block->header_size, out_at = 0;

	/* Exactly what the index says, on either side. */
	return lzma_block_buffer_decode(block, NULL, in, &in_at, in_len, out,
					&out_at, out_len) == LZMA_OK &&
			       in_at == in_len && out_at == out_len
		       ? 0
		       : -1;
}

static int damaged(const struct xz_block *place, struct err *err)
{
	return err_set(err, ERR_DAMAGED,
		       "xz: the block at %llu is damaged or not what the "
		       "index says",
		       (unsigned long long)place->place);
}

/* The header at the front of `in`; its filters' options are the caller's to
 * free. */
static int read_header(lzma_block *block, const struct xz_block *place,
		       const unsigned char *in, struct err *err)
{
	uint64_t needed;

	block->check = place->check;
	block->header_size = lzma_block_header_size_decode(in[0]);
	if (!in[0] || block->header_size > place->total ||
	    lzma_block_header_decode(block, NULL, in) != LZMA_OK) {
		block->filters[0].id = LZMA_VLI_UNKNOWN;
		return damaged(place, err);
	}
	needed = lzma_raw_decoder_memusage(block->filters);
	if (needed > LIMIT_DECODER_MEMORY)
		return err_set(err, ERR_LIMIT,
			       "xz: the block at %llu needs %llu bytes of "
			       "memory, allowed are %llu",
			       (unsigned long long)place->place,
			       (unsigned long long)needed,
			       (unsigned long long)LIMIT_DECODER_MEMORY);
	if (lzma_block_compressed_size(block, place->unpadded) != LZMA_OK)
		return damaged(place, err);
	return 0;
}

int xz_index_decode(struct codec_index *index, size_t number,
		    unsigned char *out, struct err *err)
{
	struct xz_index *xz = (struct xz_index *)index;
	const struct xz_block *place = &xz->blocks[number];
	uint64_t out_len = index->start[number + 1] - index->start[number];
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
	lzma_block block = { .version = 1, .filters = filters };
	/* Not more than what `plausible` allows. */
	AUTO_FREE unsigned char *in = mem_buffer(place->total);

	if (source_read_all(xz->inner, in, place->total, place->place,
			    "xz: block", err))
		return -1;
	int result = read_header(&block, place, in, err);
	if (!result && decode(&block, in, place->total, out, out_len))
		result = damaged(place, err);
	for (size_t i = 0; filters[i].id != LZMA_VLI_UNKNOWN; i++)
		free(filters[i].options);
	return result;
}

void xz_index_close(struct codec_index *index)
{
	struct xz_index *xz = (struct xz_index *)index;

	if (!xz)
		return;
	free(index->start);
	free(xz->blocks);
	free(xz);
}
