/* SPDX-License-Identifier: MIT */
/* Owns the window of blocks ahead of the one that is taken next. Reads
 * nothing itself. */
#include "io/digest_share.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"

#define BLOCKS 40
/* With so many blocks ahead of it what is missing will not come any more: more
 * than the pump has in flight on a few threads. The others are room for what
 * comes while it is read. */
#define LATE 14
/* Pieces of a block that came apart from each other. */
#define PIECES 8

struct piece {
	size_t start, end;
};

struct block {
	unsigned char *bytes; /* kept for the next one */
	uint64_t number;      /* offset / DIGEST_SHARE_BLOCK */
	unsigned pieces;      /* 0: free */
	struct piece piece[PIECES];
};

struct digest_share {
	pthread_mutex_t mutex; /* guards everything below */
	pthread_cond_t change;
	struct block block[BLOCKS];
	uint64_t next; /* block: those in front of it are not wanted */
	bool ended;
};

struct digest_share *digest_share_open(void)
{
	struct digest_share *share = mem_zalloc(sizeof *share);

	pthread_mutex_init(&share->mutex, NULL);
	pthread_cond_init(&share->change, NULL);
	return share;
}

struct digest_share *digest_share_close(struct digest_share *share)
{
	if (!share)
		return NULL;
	for (unsigned i = 0; i < BLOCKS; i++)
		free(share->block[i].bytes);
	pthread_cond_destroy(&share->change);
	pthread_mutex_destroy(&share->mutex);
	free(share);
	return NULL;
}

/* That block, else a free one, else NULL. */
static struct block *find(struct digest_share *share, uint64_t number)
{
	struct block *free_one = NULL;

	for (unsigned i = 0; i < BLOCKS; i++) {
		struct block *block = &share->block[i];

		if (block->pieces && block->number == number)
			return block;
		if (!block->pieces)
			free_one = block;
	}
	return free_one;
}

static bool is_late(const struct digest_share *share)
{
	unsigned used = 0;

	for (unsigned i = 0; i < BLOCKS; i++)
		used += share->block[i].pieces != 0;
	return used >= LATE;
}

/* One piece more; those that touch become one. What is one too many is let go
 * again. */
static void add_piece(struct block *block, size_t start, size_t end)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < block->pieces; i++) {
		struct piece *piece = &block->piece[i];

		if (piece->start <= end && start <= piece->end) {
			start = start < piece->start ? start : piece->start;
			end = end > piece->end ? end : piece->end;
		} else {
			block->piece[kept++] = *piece;
		}
	}
	if (kept < PIECES)
		block->piece[kept++] = (struct piece){ start, end };
	block->pieces = kept;
}

static void put(struct digest_share *share, const unsigned char *bytes,
		size_t start, size_t len, uint64_t number)
{
	struct block *block =
		number < share->next ? NULL : find(share, number);

	if (!block)
		return;
	if (!block->bytes)
		block->bytes = mem_buffer(DIGEST_SHARE_BLOCK);
	memcpy(block->bytes + start, bytes, len);
	block->number = number;
	add_piece(block, start, start + len);
}

void digest_share_put(struct digest_share *share, const void *bytes,
		      size_t len, uint64_t offset)
{
	const unsigned char *at = bytes;

	pthread_mutex_lock(&share->mutex);
	while (len && !share->ended) {
		size_t start = (size_t)(offset % DIGEST_SHARE_BLOCK);
		size_t now = (size_t)min_u64(len, DIGEST_SHARE_BLOCK - start);

		put(share, at, start, now, offset / DIGEST_SHARE_BLOCK);
		at += now;
		offset += now;
		len -= now;
	}
	pthread_cond_broadcast(&share->change);
	pthread_mutex_unlock(&share->mutex);
}

static void forget_before(struct digest_share *share, uint64_t number)
{
	share->next = number;
	for (unsigned i = 0; i < BLOCKS; i++)
		if (share->block[i].number < number)
			share->block[i].pieces = 0;
}

static bool take(struct digest_share *share, void *bytes, size_t start,
		 size_t len, uint64_t number)
{
	const struct block *block = find(share, number);

	if (!block || !block->pieces)
		return false;
	for (unsigned i = 0; i < block->pieces; i++)
		if (block->piece[i].start <= start &&
		    start + len <= block->piece[i].end) {
			memcpy(bytes, block->bytes + start, len);
			return true;
		}
	return false;
}

bool digest_share_take(struct digest_share *share, void *bytes, size_t len,
		       uint64_t offset)
{
	uint64_t number = offset / DIGEST_SHARE_BLOCK;
	size_t start = (size_t)(offset % DIGEST_SHARE_BLOCK);
	bool taken;

	pthread_mutex_lock(&share->mutex);
	forget_before(share, number);
	/* Ends: readers go on until they are far ahead of what is missing, or
	 * until they end. */
	while (!(taken = take(share, bytes, start, len, number)) &&
	       !share->ended && !is_late(share))
		pthread_cond_wait(&share->change, &share->mutex);
	pthread_mutex_unlock(&share->mutex);
	return taken;
}

void digest_share_end(struct digest_share *share)
{
	pthread_mutex_lock(&share->mutex);
	share->ended = true;
	pthread_cond_broadcast(&share->change);
	pthread_mutex_unlock(&share->mutex);
}
