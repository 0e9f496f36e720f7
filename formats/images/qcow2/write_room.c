/* SPDX-License-Identifier: MIT */
/*
 * Owns the order in which host clusters are given out. Pure arithmetic: two
 * rooms asked the same questions give the same answers, which is how an
 * append-only image comes to equal a seekable one. Does not know what the
 * clusters are for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/qcow2/write.h"

void qcow2_room_init(struct qcow2_room *room, const struct qcow2_config *config,
		     bool record)
{
	memset(room, 0, sizeof *room);
	room->next = 1; /* the header */
	/* A block of 8 << cluster_bits bits holds counts of 1 << order. */
	room->count_bits = config->cluster_bits + 3 - config->refcount_order;
	room->record = record;
}

/* Give out blocks until block `last` has a place. */
static void cover(struct qcow2_room *room, uint64_t last)
{
	uint64_t first = room->blocks;

	if (first > last)
		return;
	room->blocks = last + 1;
	if (room->record && room->blocks > room->block_room) {
		room->block_room = max_u64(room->blocks, first * 2);
		room->block_at = mem_resize(room->block_at, room->block_room,
					    sizeof *room->block_at);
	}
	for (uint64_t k = first; room->record && k <= last; k++)
		room->block_at[k] = room->next + (k - first);
	room->next += room->blocks - first;
}

uint64_t qcow2_room_take(struct qcow2_room *room, uint64_t count)
{
	uint64_t place;

	/* A block is much longer than one cluster, so covering `next` may
	 * move it on, into the following block at most once. */
	while (room->blocks <= room->next >> room->count_bits)
		cover(room, room->next >> room->count_bits);
	place = room->next;
	room->next += count;
	return place;
}

bool qcow2_room_settle(struct qcow2_room *room,
		       const struct qcow2_config *config, uint64_t l1_offset,
		       uint64_t entries)
{
	uint64_t clusters = div_up(entries * 8, config->cluster_size);
	uint64_t most = qcow2_config_l1_room(config);
	bool fits = clusters <= most;

	room->free = l1_offset >> config->cluster_bits;
	room->free_end = room->free + most;
	if (fits)
		room->free += clusters;
	return fits;
}

bool qcow2_room_adjoins(const struct qcow2_room *room)
{
	return room->blocks > room->next >> room->count_bits;
}

static void cover_all(struct qcow2_room *room)
{
	while (room->blocks <= (room->next - 1) >> room->count_bits)
		cover(room, (room->next - 1) >> room->count_bits);
}

void qcow2_room_end(struct qcow2_room *room, const struct qcow2_config *config,
		    uint64_t *place, uint64_t *clusters)
{
	uint64_t blocks = (room->next >> room->count_bits) + 1;
	uint64_t count = div_up(blocks * 8, config->cluster_size);

	/* The table has entries for the blocks that count its own clusters.
	 * Ends: a cluster more of table needs far less than a cluster more of
	 * entries. */
	for (;; count++) {
		struct qcow2_room trial = *room;

		trial.record = false;
		qcow2_room_take(&trial, count);
		cover_all(&trial);
		if (trial.blocks * 8 <= count * config->cluster_size)
			break;
	}
	*place = qcow2_room_take(room, count);
	*clusters = count;
	cover_all(room);
}

void qcow2_room_clear(struct qcow2_room *room)
{
	free(room->block_at);
	room->block_at = NULL;
	room->block_room = 0;
}
