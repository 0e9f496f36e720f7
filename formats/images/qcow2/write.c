/* SPDX-License-Identifier: MIT */
/*
 * Owns the writer of qcow2 images: what becomes of each guest cluster. Where
 * things go and how tables are kept is write_room.c and write_tables.c.
 */
#include "formats/images/qcow2/write.h"

#include <stdlib.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/zero.h"

#define ALL_SUBCLUSTERS 0xffffffffULL

static int qcow2_encode(struct writer *writer, void *context, struct unit *unit,
			struct err *err)
{
	size_t cluster = writer->granule, at = 0;

	for (size_t i = 0; i < unit->granule_count; i++) {
		struct granule *granule = &unit->granules[i];
		size_t len;

		if (granule->kind != EXTENT_DATA)
			continue;
		/* Smaller than a cluster, or it is stored plain. */
		if (block_encode(context, unit->data + i * cluster, cluster,
				 unit->coded + at, cluster - 1, &len, err))
			return -1;
		granule->coded_at = (uint32_t)at;
		granule->coded_len = (uint32_t)len;
		at += len;
	}
	return 0;
}

/* Which subclusters of a cluster hold data, and which read as zero. */
static uint64_t data_bitmap(const struct qcow2_config *config,
			    const unsigned char *bytes)
{
	size_t sub = config->cluster_size / QCOW2_SUBCLUSTERS;
	uint64_t bitmap = 0;

	for (unsigned s = 0; s < QCOW2_SUBCLUSTERS; s++)
		bitmap |= 1ULL << (zero_is(bytes + s * sub, sub)
					   ? s + QCOW2_SUBCLUSTERS
					   : s);
	return bitmap;
}

static int place_plain(struct qcow2_writer *w, struct unit *unit, size_t at,
		       struct err *err)
{
	const struct qcow2_config *config = &w->config;
	const unsigned char *bytes = unit->data + at;
	uint64_t guest = (unit->offset + at) >> config->cluster_bits;
	uint64_t bitmap = config->extended_l2 ? data_bitmap(config, bytes) : 0;
	uint64_t place = unit->offset + at;
	struct qcow2_l2 *l2 = NULL;

	if (w->plan) { /* its tables are made by themselves */
		if (qcow2_plan_check(w, guest, true, bitmap, err) ||
		    qcow2_l2_place(w, unit, guest / config->l2_entries, err))
			return -1;
	} else if (qcow2_l2_use(w, unit, guest, &l2, err)) {
		return -1;
	}
	if (w->data_sink)
		unit_store(unit, w->data_sink, place, bytes,
			   min_u64(config->cluster_size, unit->len - at));
	else if (qcow2_take(w, unit, 1, &place, err))
		return -1;
	else
		unit_store(unit, w->writer.sink, place, bytes,
			   config->cluster_size);
	if (l2)
		qcow2_l2_put(config, l2->bytes, guest, place | QCOW2_COPIED,
			     bitmap);
	return 0;
}

static int place_coded(struct qcow2_writer *w, struct unit *unit, size_t index,
		       struct err *err)
{
	const struct granule *granule = &unit->granules[index];
	uint64_t guest = (unit->offset >> w->config.cluster_bits) + index;
	uint64_t offset, entry;
	struct qcow2_l2 *l2;

	if (qcow2_l2_use(w, unit, guest, &l2, err) ||
	    qcow2_pack_take(w, unit, granule->coded_len, &offset, &entry, err))
		return -1;
	qcow2_l2_put(&w->config, l2->bytes, guest, entry, 0);
	unit_store(unit, w->writer.sink, offset,
		   unit->coded + granule->coded_at, granule->coded_len);
	return 0;
}

/* ---- zeros ---- */

static enum sink_zero zero_how(const struct qcow2_writer *w)
{
	switch (w->config.preallocation) {
	case QCOW2_PREALLOCATE_FALLOC:
		return SINK_ZERO_ALLOCATE;
	case QCOW2_PREALLOCATE_FULL:
		return SINK_ZERO_WRITE;
	default:
		return SINK_ZERO_SPARSE;
	}
}

/* Zeros that take room in the image: one cluster at a time, so that places do
 * not depend on how the zeros were told; made zero in runs. */
static int zero_stored(struct qcow2_writer *w, uint64_t guest, uint64_t count,
		       struct err *err)
{
	const struct qcow2_config *config = &w->config;
	uint64_t run = 0, run_len = 0, place;
	struct qcow2_l2 *l2;

	for (uint64_t end = guest + count; guest < end; guest++) {
		if (qcow2_l2_use(w, NULL, guest, &l2, err))
			return -1;
		place = guest << config->cluster_bits;
		if (!w->data_sink && qcow2_take(w, NULL, 1, &place, err))
			return -1;
		qcow2_l2_put(config, l2->bytes, guest, place | QCOW2_COPIED,
			     ALL_SUBCLUSTERS);
		if (w->data_sink)
			continue; /* made zero as a whole */
		if (run_len && place != run + run_len) {
			if (sink_zero(w->writer.sink, run, run_len, zero_how(w),
				      err))
				return -1;
			run_len = 0;
		}
		if (!run_len)
			run = place;
		run_len += config->cluster_size;
	}
	return run_len ? sink_zero(w->writer.sink, run, run_len, zero_how(w),
				   err)
		       : 0;
}

/* Zeros that hide what is below. */
static int zero_flagged(struct qcow2_writer *w, uint64_t guest, uint64_t count,
			struct err *err)
{
	struct qcow2_l2 *l2;
	bool extended = w->config.extended_l2;

	for (uint64_t end = guest + count; guest < end; guest++) {
		if (qcow2_l2_use(w, NULL, guest, &l2, err))
			return -1;
		qcow2_l2_put(&w->config, l2->bytes, guest,
			     extended ? 0 : QCOW2_L2_ZERO,
			     ALL_SUBCLUSTERS << QCOW2_SUBCLUSTERS);
	}
	return 0;
}

static int qcow2_zero(struct writer *writer, uint64_t offset, uint64_t length,
		      enum extent_kind kind, struct err *err)
{
	struct qcow2_writer *w = (struct qcow2_writer *)writer;
	const struct qcow2_config *config = &w->config;
	uint64_t guest = offset >> config->cluster_bits;
	uint64_t count = div_up(length, config->cluster_size);

	(void)kind; /* what was never stored must not show what is below */
	if (w->plan)
		return qcow2_plan_check_zero(w, offset, length, err);
	if (w->data_sink &&
	    sink_zero(w->data_sink, offset, length, zero_how(w), err))
		return -1;
	if (config->preallocation != QCOW2_PREALLOCATE_OFF ||
	    (config->backing && config->version == 2))
		return zero_stored(w, guest, count, err);
	if (config->backing)
		return zero_flagged(w, guest, count, err);
	return 0;
}

static int qcow2_place(struct writer *writer, struct unit *unit,
		       struct err *err)
{
	struct qcow2_writer *w = (struct qcow2_writer *)writer;
	size_t cluster = writer->granule;

	for (size_t i = 0; i < unit->granule_count; i++) {
		size_t at = i * cluster;
		int failed;

		if (unit->granules[i].kind != EXTENT_DATA)
			failed = qcow2_zero(writer, unit->offset + at,
					    min_u64(cluster, unit->len - at),
					    EXTENT_ZERO, err);
		else if (unit->granules[i].coded_len)
			failed = place_coded(w, unit, i, err);
		else
			failed = place_plain(w, unit, at, err);
		if (failed)
			return -1;
	}
	return 0;
}

static int qcow2_reserve(struct writer *writer, uint64_t offset,
			 uint64_t length, uint64_t *place, struct err *err)
{
	struct qcow2_writer *w = (struct qcow2_writer *)writer;
	const struct qcow2_config *config = &w->config;
	uint64_t guest = offset >> config->cluster_bits;
	uint64_t count = div_up(length, config->cluster_size);
	uint64_t last = (guest + count - 1) / config->l2_entries;
	uint64_t rest = count * config->cluster_size - length;
	struct qcow2_l2 *l2;

	/* All tables in front, so that the run is not interrupted. */
	for (uint64_t i = guest / config->l2_entries; i <= last; i++)
		if (qcow2_l2_place(w, NULL, i, err))
			return -1;
	if (qcow2_take(w, NULL, count, place, err))
		return -1;
	for (uint64_t i = 0; i < count; i++) {
		if (qcow2_l2_use(w, NULL, guest + i, &l2, err))
			return -1;
		qcow2_l2_put(config, l2->bytes, guest + i,
			     (*place + i * config->cluster_size) | QCOW2_COPIED,
			     ALL_SUBCLUSTERS);
	}
	/* Beyond the disk's end in its last cluster. */
	return sink_zero(writer->sink, *place + length, rest, SINK_ZERO_SPARSE,
			 err);
}

static int qcow2_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct qcow2_writer *w = (struct qcow2_writer *)writer;
	uint64_t seen = round_up(writer->position, writer->granule);

	if (size % 512)
		return err_set(err, ERR_BUG, "size %llu is not whole sectors",
			       (unsigned long long)size);
	if (w->size_known && size != w->size)
		return err_set(
			err, ERR_BUG, "size was announced as %llu and is %llu",
			(unsigned long long)w->size, (unsigned long long)size);
	w->size = size;
	if (w->plan)
		return qcow2_plan_end(w, err);
	/* What was never mentioned has no room, unless that was asked for. */
	if (w->config.preallocation != QCOW2_PREALLOCATE_OFF && size > seen &&
	    qcow2_zero(writer, seen, size - seen, EXTENT_HOLE, err))
		return -1;
	return qcow2_end(w, err);
}

static void *qcow2_context_open(struct writer *writer, struct err *err)
{
	const struct qcow2_writer *w = (const struct qcow2_writer *)writer;

	return block_encoder_open(w->config.codec, &w->config.block, err);
}

static void qcow2_context_close(void *context)
{
	block_encoder_close(context);
}

static void qcow2_writer_close(struct writer *writer)
{
	struct qcow2_writer *w = (struct qcow2_writer *)writer;

	qcow2_plan_free(w->plan);
	qcow2_room_clear(&w->room);
	for (size_t i = 0; i < sizeof w->names / sizeof *w->names; i++)
		free(w->names[i]);
	free(w->l1);
	free(w->l2.bytes);
	free(w->kept.bytes);
	free(w->block);
	free(w);
}

static const struct writer_ops plain_ops = {
	.place = qcow2_place,
	.zero = qcow2_zero,
	.reserve = qcow2_reserve,
	.finish = qcow2_finish,
	.close = qcow2_writer_close,
};

/* Guest data is elsewhere: no run in the image can be told. */
static const struct writer_ops data_file_ops = {
	.place = qcow2_place,
	.zero = qcow2_zero,
	.finish = qcow2_finish,
	.close = qcow2_writer_close,
};

static const struct writer_ops compress_ops = {
	.encode = qcow2_encode,
	.place = qcow2_place,
	.zero = qcow2_zero,
	.finish = qcow2_finish,
	.context_open = qcow2_context_open,
	.context_close = qcow2_context_close,
	.close = qcow2_writer_close,
};

/* The options are the caller's, and gone when the header is written. */
static void keep_names(struct qcow2_writer *w)
{
	const char **names[] = { &w->config.backing, &w->config.backing_format,
				 &w->config.data_file };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (*names[i])
			*names[i] = w->names[i] = mem_strdup(*names[i]);
}

static void set_up(struct qcow2_writer *w, struct sink *sink,
		   const struct create_options *options)
{
	const struct qcow2_config *config = &w->config;
	const struct writer_ops *ops = &plain_ops;

	if (config->compress)
		ops = &compress_ops;
	else if (config->data_file)
		ops = &data_file_ops;
	writer_init(&w->writer, ops, "qcow2", sink);
	w->writer.granule = config->cluster_size;
	w->writer.unit_len = max_u64(UNIT_LEN, config->cluster_size);
	w->writer.coded_room = config->compress ? w->writer.unit_len : 0;
	w->writer.place_reads = config->extended_l2; /* data_bitmap */
	w->writer.head_last = sink->seekable;
	w->data_sink = config->data_file ? options->data_sink : NULL;
	w->size_known = options->size_known;
	w->size = options->size_known ? options->size : 0;
	qcow2_room_init(&w->room, config, true);
}

struct writer *qcow2_create(struct sink *sink,
			    const struct create_options *options,
			    struct err *err)
{
	struct qcow2_config config;

	if (qcow2_config_parse(options, &config, err))
		return NULL;
	if (config.data_file && !options->data_sink) {
		err_set(err, ERR_BUG, "data_file without a sink for it");
		return NULL;
	}
	struct qcow2_writer *w = mem_zalloc(sizeof *w);

	w->config = config;
	keep_names(w);
	set_up(w, sink, options);
	if (qcow2_start(w, err) ||
	    (!sink->seekable && qcow2_plan_make(w, options, err))) {
		qcow2_writer_close(&w->writer);
		return NULL;
	}
	return &w->writer;
}
