/* SPDX-License-Identifier: MIT */
/* Owns what is to be known of an encoding before it begins: whether there is
 * such a level, and what memory how many threads take. Encodes nothing. */
#include "base/limits.h"
#include "formats/codecs/wrap.h"

/* Blocks beyond one a thread: one being filled, one being written. Large ones
 * take long to encode: a thread waits little for the one spare there is. */
#define SPARE_JOBS 2
#define LARGE_BLOCK ((size_t)(8 * MIB))

static int level_of(const struct codec *codec, int level)
{
	return level ? level : codec->level_default;
}

int wrap_encode_check(enum codec_id id, int level, struct err *err)
{
	const struct codec *codec = codec_get(id);

	if (!codec->encode_block)
		return err_set(err, ERR_UNSUPPORTED, "%s: built without %s",
			       codec->name, codec->library);
	if (level && (level < codec->level_min || level > codec->level_max))
		return err_set(
			err, ERR_USAGE, "%s: level %d is out of range (%d..%d)",
			codec->name, level, codec->level_min, codec->level_max);
	return 0;
}

unsigned wrap_encode_jobs(enum codec_id id, int level, unsigned threads)
{
	const struct codec *codec = codec_get(id);
	bool large = codec->block_len(level_of(codec, level)) >= LARGE_BLOCK;

	return threads + (large ? 1 : SPARE_JOBS);
}

uint64_t wrap_encode_memory(enum codec_id id, int level, unsigned threads)
{
	const struct codec *codec = codec_get(id);
	size_t block;

	if (!codec->encode_block)
		return 0;
	level = level_of(codec, level);
	block = codec->block_len(level);
	return threads * codec->encoder_memory(level) +
	       (uint64_t)wrap_encode_jobs(id, level, threads) *
		       (block + codec->encode_bound(block));
}

unsigned wrap_encode_threads(enum codec_id id, int level, unsigned threads,
			     uint64_t memory)
{
	while (threads > 1 && wrap_encode_memory(id, level, threads) > memory)
		threads--;
	return threads ? threads : 1;
}
