/* SPDX-License-Identifier: MIT */
/*
 * Owns the memory of L1, L2 and refcount blocks and when they are stored. At
 * most one L2 table is open, besides the one that a first unit coming last
 * shares; one refcount block is. Does not decide what is in an entry.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow2/refcounts.h"
#include "formats/images/qcow2/write.h"
#include "io/zero.h"

/* Readers take no refcount table beyond this. */
#define REFTABLE_LEN_MAX (8 * MIB)

static uint64_t host(const struct qcow2_writer *w, uint64_t cluster)
{
	return cluster << w->config.cluster_bits;
}

/* ---- refcounts ---- */

static void put_count(unsigned char *block, unsigned order, uint64_t i,
		      uint64_t count)
{
	unsigned bits = 1u << order;

	switch (order) {
	case 3:
		block[i] = (unsigned char)count;
		break;
	case 4:
		bytes_put_be16(block + i * 2, (uint16_t)count);
		break;
	case 5:
		bytes_put_be32(block + i * 4, (uint32_t)count);
		break;
	case 6:
		bytes_put_be64(block + i * 8, count);
		break;
	default: /* the entry is 0 so far */
		block[i * bits / 8] |= (unsigned char)(count << (i * bits % 8));
	}
}

static void clear_count(unsigned char *block, unsigned order, uint64_t i)
{
	unsigned bits = 1u << order;

	if (order >= 3)
		memset(block + i * (bits / 8), 0, bits / 8);
	else
		block[i * bits / 8] &=
			(unsigned char)~(((1u << bits) - 1) << (i * bits % 8));
}

void qcow2_block_fill(const struct qcow2_config *config,
		      const struct qcow2_room *room, uint64_t index,
		      unsigned char *out)
{
	unsigned order = config->refcount_order;
	uint64_t entries = ((uint64_t)config->cluster_size * 8) >> order;
	uint64_t first = index * entries;

	for (uint64_t i = 0; i < entries && first + i < room->next; i++)
		if (!refcounts_entry(out, order, i) &&
		    !(first + i >= room->free && first + i < room->free_end))
			put_count(out, order, i, 1);
}

static int store_block(struct qcow2_writer *w, struct err *err)
{
	qcow2_block_fill(&w->config, &w->room, w->block_done, w->block);
	if (sink_write(w->writer.sink, w->block, w->config.cluster_size,
		       host(w, w->room.block_at[w->block_done]), err))
		return -1;
	memset(w->block, 0, w->config.cluster_size);
	w->block_done++;
	return 0;
}

int qcow2_count(struct qcow2_writer *w, uint64_t cluster, uint64_t count,
		struct err *err)
{
	uint64_t entries = (uint64_t)1 << w->room.count_bits;

	/* Blocks before that of the cluster being filled are complete, and
	 * store_blocks never passes it: then it is the open one. */
	while (w->block_done < cluster / entries)
		if (store_block(w, err))
			return -1;
	/* A count of 1 is filled in when the block is stored. */
	if (count > 1)
		put_count(w->block, w->config.refcount_order, cluster % entries,
			  count);
	return 0;
}

/* Blocks whose clusters have all been given out. */
static int store_blocks(struct qcow2_writer *w, struct err *err)
{
	while (w->block_done < w->room.blocks) {
		uint64_t end = (w->block_done + 1) << w->room.count_bits;

		if (end > w->room.next ||
		    (w->pack.open && w->pack.cluster < end))
			return 0;
		if (store_block(w, err))
			return -1;
	}
	return 0;
}

int qcow2_take(struct qcow2_writer *w, struct unit *unit, uint64_t count,
	       uint64_t *place, struct err *err)
{
	uint64_t first;

	/* Before, not after: the cluster now taken may come to be shared. */
	if (!w->plan && store_blocks(w, err))
		return -1;
	first = qcow2_room_take(&w->room, count);
	if (w->room.next > (QCOW2_OFFSET_MASK >> w->config.cluster_bits))
		return err_set(err, ERR_UNSUPPORTED,
			       "the image would be larger than %llu bytes",
			       QCOW2_OFFSET_MASK);
	*place = host(w, first);
	return w->plan ? qcow2_plan_before(w, unit, err) : 0;
}

/* ---- L1 and L2 ---- */

int qcow2_start(struct qcow2_writer *w, struct err *err)
{
	w->block = mem_zalloc(w->config.cluster_size);
	w->l2.bytes = mem_zalloc(w->config.cluster_size);
	w->kept.bytes = mem_zalloc(w->config.cluster_size);
	if (qcow2_take(w, NULL, qcow2_config_l1_room(&w->config),
		       &w->l1_offset, err))
		return -1;
	if (!w->size_known)
		return 0;
	if (qcow2_config_l1(&w->config, w->size, &w->l1_entries, err))
		return -1;
	w->l1_room = w->l1_entries;
	w->l1 = mem_zalloc(w->l1_room * sizeof *w->l1);
	qcow2_room_settle(&w->room, &w->config, w->l1_offset, w->l1_entries);
	return 0;
}

/* The entry of `index` exists in memory. */
static int reach_l1(struct qcow2_writer *w, uint64_t index, struct err *err)
{
	uint64_t entries;

	if (index < w->l1_entries)
		return 0;
	if (w->size_known)
		return err_set(err, ERR_BUG, "written past the disk's end");
	if (qcow2_config_l1(&w->config, (index + 1) * w->config.l2_span,
			    &entries, err))
		return -1;
	if (entries > w->l1_room) {
		uint64_t more = max_u64(entries, w->l1_room * 2);

		w->l1 = mem_resize(w->l1, more, sizeof *w->l1);
		memset(w->l1 + w->l1_room, 0,
		       (more - w->l1_room) * sizeof *w->l1);
		w->l1_room = more;
	}
	w->l1_entries = entries;
	return 0;
}

int qcow2_l2_place(struct qcow2_writer *w, struct unit *unit, uint64_t index,
		   struct err *err)
{
	if (reach_l1(w, index, err))
		return -1;
	if (w->l1[index])
		return 0;
	/* What it maps comes behind it, compressed clusters too: who reads in
	 * one pass has then nothing to keep. */
	if (qcow2_pack_close(w, err) ||
	    qcow2_take(w, unit, 1, &w->l1[index], err))
		return -1;
	return w->plan ? qcow2_plan_l2(w, unit, index, err) : 0;
}

static int store_l2(struct qcow2_writer *w, struct qcow2_l2 *l2,
		    struct err *err)
{
	if (!l2->open)
		return 0;
	l2->open = false;
	return sink_write(w->writer.sink, l2->bytes, w->config.cluster_size,
			  w->l1[l2->index], err);
}

/* The open table is complete, unless units that come later, though they lie
 * before it, share it. */
static int retire_l2(struct qcow2_writer *w, struct err *err)
{
	uint64_t head = w->writer.head_end;

	if (w->l2.open && !w->kept.open && head % w->config.l2_span &&
	    w->l2.index == head / w->config.l2_span) {
		struct qcow2_l2 swap = w->kept;

		w->kept = w->l2;
		w->l2 = swap;
		return 0;
	}
	return store_l2(w, &w->l2, err);
}

int qcow2_l2_use(struct qcow2_writer *w, struct unit *unit, uint64_t guest,
		 struct qcow2_l2 **out, struct err *err)
{
	uint64_t index = guest / w->config.l2_entries;

	*out = &w->l2;
	if (w->l2.open && w->l2.index == index)
		return 0;
	if (w->kept.open && w->kept.index == index) {
		*out = &w->kept;
		return 0;
	}
	if (retire_l2(w, err) || qcow2_l2_place(w, unit, index, err))
		return -1;
	memset(w->l2.bytes, 0, w->config.cluster_size);
	w->l2.open = true;
	w->l2.index = index;
	return 0;
}

void qcow2_l2_put(const struct qcow2_config *config, unsigned char *table,
		  uint64_t guest, uint64_t entry, uint64_t bitmap)
{
	uint64_t i = guest % config->l2_entries;

	if (!config->extended_l2) {
		bytes_put_be64(table + i * 8, entry);
		return;
	}
	bytes_put_be64(table + i * 16, entry);
	bytes_put_be64(table + i * 16 + 8, bitmap);
}

/* ---- the end ---- */

unsigned char *qcow2_l1_bytes(const uint64_t *l1, uint64_t entries, size_t len)
{
	unsigned char *out = mem_zalloc(len);

	for (uint64_t i = 0; i < entries; i++)
		if (l1[i])
			bytes_put_be64(out + i * 8, l1[i] | QCOW2_COPIED);
	return out;
}

unsigned char *qcow2_reftable_bytes(const struct qcow2_config *config,
				    const struct qcow2_room *room,
				    uint64_t clusters)
{
	unsigned char *out = mem_zalloc(clusters << config->cluster_bits);

	for (uint64_t i = 0; i < room->blocks; i++)
		bytes_put_be64(out + i * 8,
			       room->block_at[i] << config->cluster_bits);
	return out;
}

/* A large table is mostly zeros when the disk is mostly empty. */
static int store_table(struct sink *sink, const unsigned char *bytes,
		       size_t len, uint64_t offset, struct err *err)
{
	size_t part;

	for (size_t at = 0; at < len; at += part) {
		int failed;

		part = min_u64(len - at, 64 * KIB);
		if (zero_is(bytes + at, part))
			failed = sink_zero(sink, offset + at, part,
					   SINK_ZERO_SPARSE, err);
		else
			failed = sink_write(sink, bytes + at, part, offset + at,
					    err);
		if (failed)
			return -1;
	}
	return 0;
}

/* The counts of clusters that are free after all, in a block stored before
 * that was known. */
static int free_in_block(struct qcow2_writer *w, uint64_t index,
			 struct err *err)
{
	const struct qcow2_room *room = &w->room;
	unsigned order = w->config.refcount_order;
	uint64_t first = index << room->count_bits;
	uint64_t end = min_u64(first + ((uint64_t)1 << room->count_bits),
			       room->free_end);
	uint64_t place = host(w, room->block_at[index]);
	struct sink *sink = w->writer.sink;
	unsigned char *bytes AUTO_FREE = mem_buffer(w->config.cluster_size);

	if (sink_read(sink, bytes, w->config.cluster_size, place, err))
		return -1;
	for (uint64_t i = max_u64(first, room->free); i < end; i++)
		clear_count(bytes, order, i - first);
	return sink_write(sink, bytes, w->config.cluster_size, place, err);
}

/* The room in front has the L1, or is free and the L1 takes a new place. */
static int free_room(struct qcow2_writer *w, struct err *err)
{
	struct qcow2_room *room = &w->room;
	bool fits = qcow2_room_settle(room, &w->config, w->l1_offset,
				      w->l1_entries);
	uint64_t last = div_up(room->free_end,
			       (uint64_t)1 << room->count_bits);

	for (uint64_t i = room->free >> room->count_bits;
	     !w->size_known && room->free < room->free_end && i < last &&
	     i < w->block_done;
	     i++)
		if (free_in_block(w, i, err))
			return -1;
	if (fits)
		return 0;
	return qcow2_take(w, NULL,
			  div_up(w->l1_entries * 8, w->config.cluster_size),
			  &w->l1_offset, err);
}

static int store_l1(struct qcow2_writer *w, struct err *err)
{
	uint64_t entries;

	if (qcow2_config_l1(&w->config, w->size, &entries, err) ||
	    reach_l1(w, entries - 1, err))
		return -1;

	size_t len = round_up(entries * 8, w->config.cluster_size);

	w->l1_entries = entries;
	if (free_room(w, err))
		return -1;

	unsigned char *bytes AUTO_FREE = qcow2_l1_bytes(w->l1, entries, len);

	return store_table(w->writer.sink, bytes, len, w->l1_offset, err);
}

static int store_header(struct qcow2_writer *w, const struct qcow2_head *head,
			struct err *err)
{
	unsigned char *bytes AUTO_FREE = mem_zalloc(w->config.cluster_size);

	qcow2_head_put(&w->config, head, bytes);
	return sink_write(w->writer.sink, bytes, w->config.cluster_size, 0,
			  err);
}

int qcow2_check_reftable(const struct qcow2_config *config, uint64_t clusters,
			 struct err *err)
{
	if (clusters << config->cluster_bits > REFTABLE_LEN_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "the image needs a refcount table of more than "
			       "%llu bytes; use a larger cluster_size",
			       (unsigned long long)REFTABLE_LEN_MAX);
	return 0;
}

int qcow2_end(struct qcow2_writer *w, struct err *err)
{
	struct qcow2_head head = { .size = w->size };
	uint64_t place;

	if (qcow2_pack_close(w, err) || store_l2(w, &w->l2, err) ||
	    store_l2(w, &w->kept, err) || store_l1(w, err))
		return -1;
	qcow2_room_end(&w->room, &w->config, &place, &head.reftable_clusters);
	if (qcow2_check_reftable(&w->config, head.reftable_clusters, err))
		return -1;
	head.l1_offset = w->l1_offset;
	head.l1_entries = w->l1_entries;
	head.reftable_offset = host(w, place);

	unsigned char *bytes AUTO_FREE = qcow2_reftable_bytes(
		&w->config, &w->room, head.reftable_clusters);

	if (store_table(w->writer.sink, bytes, host(w, head.reftable_clusters),
			head.reftable_offset, err))
		return -1;
	while (w->block_done < w->room.blocks)
		if (store_block(w, err))
			return -1;
	if (w->data_sink && sink_finish(w->data_sink, w->size, err))
		return -1;
	if (store_header(w, &head, err))
		return -1;
	return sink_finish(w->writer.sink, host(w, w->room.next), err);
}
