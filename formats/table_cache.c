/* SPDX-License-Identifier: MIT */
/*
 * Owns a bounded cache of table slices, keyed by their place in the file.
 * Does not know what they mean. Slices fall into sets of a few slots by a
 * hash of their place; within a set the one unused for longest gives way. A
 * lock covers a share of the sets, and stays held while a slice is in use:
 * uses are short, and neighbouring threads are usually in other sets.
 */
#include "formats/table_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

#define WAYS 4
#define LOCKS 32
#define DEFAULT_MEMORY (16 * MIB)

struct table_slot {
	unsigned char *bytes; /* NULL until first used */
	uint64_t offset;      /* UINT64_MAX: nothing valid in it */
	uint64_t used;	      /* the set's clock when last held */
	pthread_mutex_t *lock;
};

struct set {
	struct table_slot slot[WAYS];
	uint64_t clock;
};

struct table_cache {
	struct source *source;
	const char *what;
	size_t slice;
	size_t set_count;
	struct set *sets;
	pthread_mutex_t lock[LOCKS];
};

struct table_cache *table_cache_open(struct source *source, const char *what,
				     size_t slice, uint64_t memory)
{
	struct table_cache *cache = mem_zalloc(sizeof *cache);

	cache->source = source;
	cache->what = what;
	cache->slice = slice;
	cache->set_count = (size_t)max_u64(
		1, (memory ? memory : DEFAULT_MEMORY) / slice / WAYS);
	cache->sets = mem_resize(NULL, cache->set_count, sizeof *cache->sets);
	memset(cache->sets, 0, cache->set_count * sizeof *cache->sets);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&cache->lock[i], NULL);
	for (size_t i = 0; i < cache->set_count; i++)
		for (size_t way = 0; way < WAYS; way++)
			cache->sets[i].slot[way].offset = UINT64_MAX;
	return cache;
}

struct table_cache *table_cache_close(struct table_cache *cache)
{
	if (!cache)
		return NULL;
	for (size_t i = 0; i < cache->set_count; i++)
		for (size_t way = 0; way < WAYS; way++)
			free(cache->sets[i].slot[way].bytes);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&cache->lock[i]);
	free(cache->sets);
	free(cache);
	return NULL;
}

/* The slot that holds `offset`, or the one to put it into. */
static struct table_slot *choose(struct set *set, uint64_t offset)
{
	struct table_slot *oldest = &set->slot[0];

	for (size_t way = 0; way < WAYS; way++) {
		if (set->slot[way].offset == offset)
			return &set->slot[way];
		if (set->slot[way].used < oldest->used)
			oldest = &set->slot[way];
	}
	return oldest;
}

/* Modulo 2^64: neighbours come to lie far from each other. */
WRAPS static uint64_t hash_slice(uint64_t number)
{
	return number * 0x9e3779b97f4a7c15ULL;
}

const unsigned char *table_cache_hold(struct table_cache *cache,
				      uint64_t offset, struct table_slot **slot,
				      struct err *err)
{
	uint64_t hash = hash_slice(offset / cache->slice);
	size_t index = (size_t)((hash >> 16) % cache->set_count);
	struct set *set = &cache->sets[index];
	pthread_mutex_t *lock = &cache->lock[index % LOCKS];
	struct table_slot *found;

	pthread_mutex_lock(lock);
	found = choose(set, offset);
	found->lock = lock;
	if (found->offset != offset) {
		found->offset = UINT64_MAX;
		if (!found->bytes)
			found->bytes = mem_buffer(cache->slice);
		if (source_read_all(cache->source, found->bytes, cache->slice,
				    offset, cache->what, err)) {
			pthread_mutex_unlock(lock);
			return NULL;
		}
		found->offset = offset;
	}
	found->used = ++set->clock;
	*slot = found;
	return found->bytes;
}

void table_cache_drop(struct table_cache *cache, struct table_slot *slot)
{
	(void)cache;
	pthread_mutex_unlock(slot->lock);
}
