/* SPDX-License-Identifier: MIT */
/*
 * Owns the packing of compressed clusters: one behind the other, at any byte,
 * from one host cluster into the next when that follows directly. A host
 * cluster counts one reference for each compressed cluster with a byte in it.
 * Does not compress.
 */
#include "formats/images/qcow2/write.h"

int qcow2_pack_close(struct qcow2_writer *w, struct err *err)
{
	if (!w->pack.open)
		return 0;
	w->pack.open = false;
	return qcow2_count(w, w->pack.cluster, w->pack.count, err);
}

static uint64_t most_references(const struct qcow2_config *config)
{
	return config->refcount_order == 6
		       ? UINT64_MAX
		       : ((uint64_t)1 << (1u << config->refcount_order)) - 1;
}

/* A host cluster to fill, with `used` bytes of it taken. */
static int open_cluster(struct qcow2_writer *w, struct unit *unit,
			uint32_t used, struct err *err)
{
	uint64_t place;

	/* The one filled so far stays open meanwhile: its count must be noted
	 * before its block is stored. */
	if (qcow2_take(w, unit, 1, &place, err) || qcow2_pack_close(w, err))
		return -1;
	w->pack.open = true;
	w->pack.cluster = place >> w->config.cluster_bits;
	w->pack.used = used;
	w->pack.count = 1;
	return 0;
}

static int find_place(struct qcow2_writer *w, struct unit *unit, uint32_t len,
		      uint64_t *offset, struct err *err)
{
	struct qcow2_pack *pack = &w->pack;
	uint32_t left = w->config.cluster_size - pack->used;

	if (pack->open && left && pack->count < most_references(&w->config)) {
		*offset =
			(pack->cluster << w->config.cluster_bits) + pack->used;
		if (len <= left) {
			pack->used += len;
			pack->count++;
			return 0;
		}
		if (w->room.next == pack->cluster + 1 &&
		    qcow2_room_adjoins(&w->room)) {
			pack->count++;
			return open_cluster(w, unit, len - left, err);
		}
	}
	if (open_cluster(w, unit, len, err))
		return -1;
	*offset = pack->cluster << w->config.cluster_bits;
	return 0;
}

int qcow2_pack_take(struct qcow2_writer *w, struct unit *unit, uint32_t len,
		    uint64_t *offset, uint64_t *entry, struct err *err)
{
	unsigned shift = QCOW2_COMPRESSED_SHIFT(w->config.cluster_bits);
	uint64_t sectors;

	if (find_place(w, unit, len, offset, err))
		return -1;
	if (*offset >> shift)
		return err_set(err, ERR_UNSUPPORTED,
			       "compressed data past %llu bytes; use a smaller "
			       "cluster_size",
			       1ULL << shift);
	sectors = ((*offset + len - 1) >> 9) - (*offset >> 9);
	*entry = QCOW2_COMPRESSED | sectors << shift | *offset;
	return 0;
}
