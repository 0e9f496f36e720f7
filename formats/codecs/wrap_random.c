/* SPDX-License-Identifier: MIT */
/*
 * Owns random access into compressed files: whole blocks are decoded and kept
 * in a small cache that all readers share. Does not know any format.
 *
 * An entry is *decoding* (one reader is at it, others of the same block wait)
 * or *ready*. Readers hold it while they copy; only ready entries that nobody
 * holds are dropped, the longest unused first.
 */
#include "formats/codecs/wrap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

/* A larger block costs more than random access is worth. */
#define BLOCK_MAX ((uint64_t)64 * MIB)

struct entry {
	struct entry *next;
	size_t block;
	uint64_t len;
	uint64_t used; /* when, by the cache's clock */
	unsigned holders;
	bool ready;
	unsigned char *bytes;
};

struct random {
	struct source source;
	const struct codec *codec;
	struct codec_index *index;
	struct source *inner;
	pthread_mutex_t lock;	/* of all below */
	pthread_cond_t changed; /* an entry is ready, let go, or removed */
	struct entry *entries;
	uint64_t total, clock;
};

static struct entry *find(struct random *random, size_t block)
{
	struct entry *entry = random->entries;

	while (entry && entry->block != block)
		entry = entry->next;
	return entry;
}

static void drop(struct random *random, struct entry *entry)
{
	struct entry **link = &random->entries;

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	random->total -= entry->len;
	free(entry->bytes);
	free(entry);
}

/* Of the blocks before `end`. */
static struct entry *oldest_unheld(struct random *random, size_t end)
{
	struct entry *oldest = NULL;

	for (struct entry *entry = random->entries; entry; entry = entry->next)
		if (!entry->holders && entry->block < end &&
		    (!oldest || entry->used < oldest->used))
			oldest = entry;
	return oldest;
}

/* At the cost of blocks before `end` alone. */
static bool make_room(struct random *random, uint64_t len, size_t end)
{
	struct entry *victim;

	while (random->total && random->total + len > WRAP_RANDOM_CACHE) {
		victim = oldest_unheld(random, end);
		if (!victim)
			return false;
		drop(random, victim);
	}
	return true;
}

static struct entry *add(struct random *random, size_t block, uint64_t len)
{
	struct entry *entry = mem_zalloc(sizeof *entry);

	entry->block = block;
	entry->len = len;
	entry->holders = 1;
	entry->next = random->entries;
	random->entries = entry;
	random->total += len;
	return entry;
}

static void let_go(struct random *random, struct entry *entry, bool failed)
{
	pthread_mutex_lock(&random->lock);
	entry->holders--;
	entry->used = ++random->clock;
	if (failed)
		drop(random, entry);
	pthread_cond_broadcast(&random->changed);
	pthread_mutex_unlock(&random->lock);
}

/* Outside the lock: others decode other blocks meanwhile. */
static int decode(struct random *random, struct entry *entry, struct err *err)
{
	/* At most BLOCK_MAX. */
	entry->bytes = mem_buffer(entry->len);
	if (random->codec->index_decode(random->index, entry->block,
					entry->bytes, err))
		return -1;
	pthread_mutex_lock(&random->lock);
	entry->ready = true;
	pthread_cond_broadcast(&random->changed);
	pthread_mutex_unlock(&random->lock);
	return 0;
}

/* Where `block` was come to in order, the next one behind it that nobody has
 * decoded: held, to be decoded instead of waiting for `block`. NULL: in
 * disorder, at the end, or there is no room but what others will need. */
static struct entry *ahead_of(struct random *random, size_t block)
{
	const uint64_t *start = random->index->start;
	size_t next = block + 1;

	if (block && !find(random, block - 1))
		return NULL;
	/* Ends: entries are few. */
	while (next < random->index->count && find(random, next))
		next++;
	if (next >= random->index->count ||
	    !make_room(random, start[next + 1] - start[next], block))
		return NULL;
	return add(random, next, start[next + 1] - start[next]);
}

/* Nobody asked for it yet: what is wrong with it is told to who does. */
static void decode_ahead(struct random *random, struct entry *entry)
{
	struct err ignored;

	pthread_mutex_unlock(&random->lock);
	let_go(random, entry, decode(random, entry, &ignored) < 0);
	pthread_mutex_lock(&random->lock);
}

/* A ready entry or one that is the caller's to decode, held. Called with the
 * lock. Instead of waiting for a neighbour to decode it, the blocks behind it
 * are: readers in order keep all threads busy so. Waits end because those who
 * hold entries let go without waiting for anything else. */
static struct entry *hold(struct random *random, size_t block)
{
	const uint64_t *start = random->index->start;
	uint64_t len = start[block + 1] - start[block];

	for (;;) {
		struct entry *entry = find(random, block), *ahead;

		if (entry && entry->ready) {
			entry->holders++;
			return entry;
		}
		if (!entry && make_room(random, len, SIZE_MAX))
			return add(random, block, len);
		ahead = entry ? ahead_of(random, block) : NULL;
		if (ahead)
			decode_ahead(random, ahead);
		else
			pthread_cond_wait(&random->changed, &random->lock);
	}
}

/* The block that holds `offset` (< size). Ends by halving. */
static size_t block_of(const struct codec_index *index, uint64_t offset)
{
	size_t low = 0, high = index->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (index->start[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int random_read(struct source *source, void *buf, size_t len,
		       uint64_t offset, size_t *got, struct err *err)
{
	struct random *random = (struct random *)source;
	size_t block = block_of(random->index, offset);
	uint64_t inside = offset - random->index->start[block];

	*got = 0;
	pthread_mutex_lock(&random->lock);
	struct entry *entry = hold(random, block);
	bool mine = !entry->ready;
	pthread_mutex_unlock(&random->lock);
	if (mine && decode(random, entry, err)) {
		let_go(random, entry, true);
		return -1;
	}
	*got = (size_t)min_u64(len, entry->len - inside);
	memcpy(buf, entry->bytes + inside, *got);
	let_go(random, entry, false);
	return 0;
}

static int random_finish(struct source *source, struct err *err)
{
	return source_finish(((struct random *)source)->inner, err);
}

static void random_close(struct source *source)
{
	struct random *random = (struct random *)source;

	while (random->entries)
		drop(random, random->entries);
	random->codec->index_close(random->index);
	pthread_cond_destroy(&random->changed);
	pthread_mutex_destroy(&random->lock);
	free(random);
}

static const struct source_ops random_ops = {
	.read = random_read,
	.finish = random_finish,
	.close = random_close,
};

static struct codec_index *open_index(enum codec_id id, struct source *inner,
				      struct err *err)
{
	const struct codec *codec = codec_get(id);
	struct codec_index *index;

	if (!codec->index_open || !inner->seekable) {
		err_set(err, ERR_UNSUPPORTED, "%s: no random access here",
			codec->name);
		return NULL;
	}
	index = codec->index_open(inner, err);
	if (!index)
		err_in(err, "%s", codec->name);
	return index;
}

static bool useful(const struct codec_index *index)
{
	return index->count > 1 && index->largest <= BLOCK_MAX;
}

struct source *wrap_random(enum codec_id id, struct source *inner,
			   struct err *err)
{
	const struct codec *codec = codec_get(id);
	struct codec_index *index = open_index(id, inner, err);

	if (!index)
		return NULL;
	if (!useful(index)) {
		err_set(err, ERR_UNSUPPORTED,
			"%s: %zu blocks, the largest of %llu bytes, are of no "
			"use for random access (more than 1, at most %llu)",
			codec->name, index->count,
			(unsigned long long)index->largest,
			(unsigned long long)BLOCK_MAX);
		codec->index_close(index);
		return NULL;
	}
	struct random *random = mem_zalloc(sizeof *random);
	source_init(&random->source, &random_ops);
	random->source.seekable = true;
	random->source.size_known = true;
	random->source.size = index->size;
	random->source.granule = index->largest;
	random->codec = codec;
	random->index = index;
	random->inner = inner;
	pthread_mutex_init(&random->lock, NULL);
	pthread_cond_init(&random->changed, NULL);
	return &random->source;
}

bool wrap_size_hint(enum codec_id id, struct source *inner, uint64_t *size,
		    bool *random)
{
	struct err ignored;
	struct codec_index *index = open_index(id, inner, &ignored);

	*random = false;
	if (!index)
		return false;
	*size = index->size;
	*random = useful(index);
	codec_get(id)->index_close(index);
	return true;
}
