/* SPDX-License-Identifier: MIT */
/*
 * Owns the writer: data as RAW chunks, joined as far as the format allows,
 * everything else as FILL with zero (as the format's own tool does, so that
 * old content of a flash never shows) or, with zero=dont-care, left out.
 *
 * The header of a RAW chunk tells its length. Where the sink seeks it is
 * stored when the chunk has ended, the image's header last of all; where not,
 * both are known from the survey. The bytes are the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/crc32.h"
#include "formats/images/simg/simg.h"

extern const struct driver driver_simg;

const struct driver_option simg_options[] = {
	{ "block_size", "1K..1M", "4096", "bytes of a block, a power of two" },
	{ "zero", "fill|dont-care", "fill",
	  "zeros: written when flashed, or old content stays" },
	{ "crc", "on|off", "off", "a checksum of the disk at the end" },
	{ NULL, NULL, NULL, NULL }
};

struct simg_writer {
	struct writer writer;
	const struct survey *survey; /* NULL where the sink seeks */
	uint64_t blocks;	     /* of the disk, with a survey */
	uint32_t block_size, chunks;
	bool dont_care, crc_on;
	uint64_t at;	   /* in the file */
	uint64_t zeros;	   /* blocks seen and not yet written */
	uint64_t raw_at;   /* of the open RAW chunk's header */
	uint64_t raw_done; /* its blocks so far; 0: none is open */
	uint64_t block;	   /* blocks that are in chunks */
	uint32_t crc;
};

/* So many that a chunk's length still fits its 32 bits. */
static uint64_t raw_most(uint32_t block_size)
{
	return (UINT32_MAX - SIMG_CHUNK_LEN) / block_size;
}

static void put_chunk(unsigned char *out, enum simg_type type, uint64_t blocks,
		      uint64_t body)
{
	memset(out, 0, SIMG_CHUNK_LEN);
	bytes_put_le16(out, (uint16_t)type);
	bytes_put_le32(out + 4, (uint32_t)blocks);
	bytes_put_le32(out + 8, (uint32_t)(SIMG_CHUNK_LEN + body));
}

static void put_header(const struct simg_writer *simg, uint64_t blocks,
		       uint32_t chunks, unsigned char *out)
{
	memset(out, 0, SIMG_HEADER_LEN);
	bytes_put_le32(out, SIMG_MAGIC);
	bytes_put_le16(out + 4, 1);
	bytes_put_le16(out + 8, SIMG_HEADER_LEN);
	bytes_put_le16(out + 10, SIMG_CHUNK_LEN);
	bytes_put_le32(out + 12, simg->block_size);
	bytes_put_le32(out + 16, (uint32_t)blocks);
	bytes_put_le32(out + 20, chunks);
}

/* Into the unit's stores, or at once where there is no unit: at the end. */
static int emit(struct simg_writer *simg, struct unit *unit, uint64_t at,
		const void *bytes, size_t len, struct err *err)
{
	if (!unit)
		return sink_write(simg->writer.sink, bytes, len, at, err);

	unsigned char *copy = mem_zalloc(len);

	memcpy(copy, bytes, len);
	unit_store_take(unit, simg->writer.sink, at, copy, len);
	return 0;
}

/* How many blocks from `from` on are alike, at most `most`. */
static uint64_t survey_run(const struct survey *survey, uint64_t from,
			   uint64_t end, bool data)
{
	unsigned char alike = data ? 0xff : 0;
	uint64_t i = from, told = survey->size / survey->granule;

	while (i < end && survey_has(survey, i) == data)
		i += i % 8 == 0 && i + 8 <= min_u64(end, told) &&
				     survey->bits[i / 8] == alike
			     ? 8
			     : 1;
	return i - from;
}

/* Ends: each run is a block at least. */
static uint32_t survey_chunks(const struct simg_writer *simg)
{
	uint32_t chunks = simg->crc_on;

	for (uint64_t i = 0; i < simg->blocks;) {
		bool data = survey_has(simg->survey, i);
		uint64_t run = survey_run(simg->survey, i, simg->blocks, data);

		chunks += data ? (uint32_t)div_up(run,
						  raw_most(simg->block_size))
			       : 1;
		i += run;
	}
	return chunks;
}

static int close_raw(struct simg_writer *simg, struct unit *unit,
		     struct err *err)
{
	unsigned char head[SIMG_CHUNK_LEN];
	uint64_t blocks = simg->raw_done;

	simg->raw_done = 0;
	if (!blocks || simg->survey)
		return 0;
	put_chunk(head, SIMG_RAW, blocks, blocks * simg->block_size);
	return emit(simg, unit, simg->raw_at, head, sizeof head, err);
}

static int open_raw(struct simg_writer *simg, struct unit *unit,
		    struct err *err)
{
	unsigned char head[SIMG_CHUNK_LEN];
	uint64_t at = simg->at;

	simg->raw_at = at;
	simg->at += SIMG_CHUNK_LEN;
	simg->chunks++;
	if (!simg->survey)
		return 0;

	uint64_t end = min_u64(simg->blocks,
			       simg->block + raw_most(simg->block_size));
	uint64_t run = survey_run(simg->survey, simg->block, end, true);

	put_chunk(head, SIMG_RAW, run, run * simg->block_size);
	return emit(simg, unit, at, head, sizeof head, err);
}

/* The zeros seen so far become a chunk. */
static int flush_zeros(struct simg_writer *simg, struct unit *unit,
		       struct err *err)
{
	unsigned char bytes[SIMG_CHUNK_LEN + 4] = { 0 };
	size_t len = SIMG_CHUNK_LEN + (simg->dont_care ? 0 : 4);
	uint64_t blocks = simg->zeros, at;

	if (!blocks)
		return 0;
	if (close_raw(simg, unit, err))
		return -1;
	put_chunk(bytes, simg->dont_care ? SIMG_DONT_CARE : SIMG_FILL, blocks,
		  len - SIMG_CHUNK_LEN);
	at = simg->at;
	simg->at += len;
	simg->chunks++;
	simg->block += blocks;
	simg->zeros = 0;
	if (simg->crc_on)
		simg->crc = crc32_zeros(simg->crc, blocks * simg->block_size);
	return emit(simg, unit, at, bytes, len, err);
}

static int put_data(struct simg_writer *simg, struct unit *unit,
		    const unsigned char *data, struct err *err)
{
	if (flush_zeros(simg, unit, err))
		return -1;
	if (simg->raw_done == raw_most(simg->block_size) &&
	    close_raw(simg, unit, err))
		return -1;
	if (!simg->raw_done && open_raw(simg, unit, err))
		return -1;
	unit_store(unit, simg->writer.sink, simg->at, data, simg->block_size);
	simg->at += simg->block_size;
	simg->raw_done++;
	simg->block++;
	if (simg->crc_on)
		simg->crc = codec_crc32(simg->crc, data, simg->block_size);
	return 0;
}

/* With a survey the headers in front have told what must come. */
static int check_block(const struct simg_writer *simg, uint64_t block,
		       bool data, struct err *err)
{
	if (!simg->survey || survey_has(simg->survey, block) == data)
		return 0;
	return err_set(err, ERR_TEMPORARY,
		       "the input changed since it was surveyed (at %llu)",
		       (unsigned long long)(block * simg->block_size));
}

static int start_stream(struct simg_writer *simg, struct unit *unit,
			struct err *err)
{
	unsigned char head[SIMG_HEADER_LEN];

	if (!simg->survey || simg->at)
		return 0;
	put_header(simg, simg->blocks, survey_chunks(simg), head);
	simg->at = SIMG_HEADER_LEN;
	return emit(simg, unit, 0, head, sizeof head, err);
}

/* Blocks that were never mentioned read as zero, up to `offset`. */
static void skip_to(struct simg_writer *simg, uint64_t offset)
{
	uint64_t block = offset / simg->block_size;

	simg->zeros = block - simg->block;
}

static int simg_place(struct writer *writer, struct unit *unit,
		      struct err *err)
{
	struct simg_writer *simg = (struct simg_writer *)writer;
	uint64_t first = unit->offset / simg->block_size;

	if (start_stream(simg, unit, err))
		return -1;
	skip_to(simg, unit->offset);
	for (size_t i = 0; i < unit->granule_count; i++) {
		bool data = unit->granules[i].kind == EXTENT_DATA;

		if (check_block(simg, first + i, data, err))
			return -1;
		if (!data)
			simg->zeros++;
		else if (put_data(simg, unit,
				  unit->data + i * simg->block_size, err))
			return -1;
	}
	return 0;
}

static int simg_zero(struct writer *writer, uint64_t offset, uint64_t length,
		     enum extent_kind kind, struct err *err)
{
	struct simg_writer *simg = (struct simg_writer *)writer;
	uint64_t first = offset / simg->block_size;
	uint64_t end = first + div_up(length, simg->block_size);

	(void)kind; /* how the input tells zeros changes no byte */
	if (simg->survey) {
		first += survey_run(simg->survey, first,
				    min_u64(end, simg->blocks), false);
		if (first < end && check_block(simg, first, false, err))
			return -1;
	}
	skip_to(simg, end * simg->block_size);
	return 0;
}

static int put_end(struct simg_writer *simg, struct err *err)
{
	unsigned char bytes[SIMG_CHUNK_LEN + 4];

	if (flush_zeros(simg, NULL, err) || close_raw(simg, NULL, err))
		return -1;
	if (!simg->crc_on)
		return 0;
	put_chunk(bytes, SIMG_CRC32, 0, 4);
	bytes_put_le32(bytes + SIMG_CHUNK_LEN, simg->crc);
	simg->chunks++;
	simg->at += sizeof bytes;
	return sink_write(simg->writer.sink, bytes, sizeof bytes,
			  simg->at - sizeof bytes, err);
}

static int check_size(uint64_t size, uint64_t block_size, struct err *err)
{
	if (size % block_size)
		return err_set(err, ERR_BUG,
			       "size %llu is not whole blocks of %llu",
			       (unsigned long long)size,
			       (unsigned long long)block_size);
	if (size / block_size > UINT32_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "size %llu is more than %lu blocks of "
			       "%llu; choose a larger block_size",
			       (unsigned long long)size,
			       (unsigned long)UINT32_MAX,
			       (unsigned long long)block_size);
	return 0;
}

static int simg_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct simg_writer *simg = (struct simg_writer *)writer;
	unsigned char head[SIMG_HEADER_LEN];

	if (check_size(size, simg->block_size, err) ||
	    start_stream(simg, NULL, err))
		return -1;
	skip_to(simg, size);
	if (put_end(simg, err))
		return -1;
	if (!simg->survey) {
		put_header(simg, simg->block, simg->chunks, head);
		if (sink_write(writer->sink, head, sizeof head, 0, err))
			return -1;
	}
	return sink_finish(writer->sink, simg->at, err);
}

static void simg_writer_close(struct writer *writer)
{
	free(writer);
}

static const struct writer_ops writer_ops = {
	.place = simg_place,
	.zero = simg_zero,
	.finish = simg_finish,
	.close = simg_writer_close,
};

static int get_block_size(const struct create_options *options, uint64_t *out,
			  struct err *err)
{
	if (create_option_size(options, simg_options, "block_size", out, err))
		return -1;
	if (!is_power_of_two(*out))
		return err_set(err, ERR_USAGE,
			       "option block_size=%llu is not a power of two",
			       (unsigned long long)*out);
	return 0;
}

int simg_check_options(const struct create_options *options, struct err *err)
{
	uint64_t block_size;

	if (get_block_size(options, &block_size, err))
		return -1;
	if (!options->size_known)
		return 0;
	return check_size(driver_round_up(options->size, block_size),
			  block_size, err);
}

/* What the rows' check has passed; the default where it has not. */
static uint64_t block_size_of(const struct create_options *options)
{
	struct err ignored = { 0 };
	uint64_t block_size;

	if (get_block_size(options, &block_size, &ignored))
		return 4096;
	return block_size;
}

uint32_t simg_survey_granule(const struct create_options *options)
{
	return (uint32_t)block_size_of(options);
}

uint64_t simg_round_size(const struct create_options *options, uint64_t size)
{
	return driver_round_up(size, block_size_of(options));
}

/* At worst each block of data stands alone between zeros. */
uint64_t simg_measure(const struct create_options *options, uint64_t size,
		      uint64_t data)
{
	uint64_t blocks = div_up(min_u64(size, data), block_size_of(options));

	return SIMG_HEADER_LEN + min_u64(size, data) +
	       2 * (blocks + 1) * SIMG_CHUNK_LEN + 4 * (blocks + 2);
}

/* The survey must be of these blocks, and of the whole disk. */
static int take_survey(struct simg_writer *simg,
		       const struct create_options *options, struct err *err)
{
	const struct survey *survey = options->survey;

	if (simg->writer.sink->seekable)
		return 0;
	if (!survey || !options->size_known || survey->size > options->size ||
	    survey->granule != simg->block_size)
		return err_set(err, ERR_BUG,
			       "an output that cannot seek needs a "
			       "survey by blocks");
	simg->survey = survey;
	simg->blocks = div_up(options->size, simg->block_size);
	return 0;
}

struct writer *simg_create(struct sink *sink,
			   const struct create_options *options,
			   struct err *err)
{
	struct simg_writer *simg;
	uint64_t block_size;

	if (simg_check_options(options, err) ||
	    get_block_size(options, &block_size, err))
		return NULL;
	simg = mem_zalloc(sizeof *simg);
	writer_init(&simg->writer, &writer_ops, driver_simg.name, sink);
	simg->writer.granule = simg->block_size = (uint32_t)block_size;
	simg->dont_care = !strcmp(
		create_option(options, simg_options, "zero"), "dont-care");
	if (create_option_bool(options, simg_options, "crc", &simg->crc_on,
			       err) ||
	    take_survey(simg, options, err)) {
		free(simg);
		return NULL;
	}
	simg->writer.place_reads = simg->crc_on;
	simg->at = simg->survey ? 0 : SIMG_HEADER_LEN;
	return &simg->writer;
}
