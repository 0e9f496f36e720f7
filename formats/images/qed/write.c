/* SPDX-License-Identifier: MIT */
/*
 * Owns the writer of QED images.
 *
 *   header | L1 table | L2 table | its data clusters ... | L2 table | ...
 *
 * Clusters are given out in the guest's order, an L2 table when the first
 * cluster it maps is needed. One L2 table is open at a time; it is stored
 * when the next one is opened, and before its data where the sink takes no
 * order but its own: then the survey says what it will hold.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qed/qed.h"

#define PART_ENTRIES ((uint64_t)8192)

/* A table being filled. Its memory comes from the system zeroed, and takes
 * room only where it was touched. */
struct table {
	uint64_t *entry;
	uint64_t low, high; /* entries touched, [low, high) */
};

struct qed_writer {
	struct writer writer;
	struct qed_header header; /* its size is right at the end */
	struct qed_config config;
	bool size_known;
	const struct survey *survey; /* append-only, else NULL */
	uint64_t planned;	     /* with it: what `next` will be */
	bool started;		     /* with it: header and L1 are out */
	struct table l1, l2;
	bool l2_open;
	uint64_t l2_index;
	uint64_t next; /* cluster to be given out */
};

static struct qed_writer *self(struct writer *writer)
{
	return (struct qed_writer *)writer;
}

/* ---- tables ---- */

static void table_put(struct table *table, uint64_t i, uint64_t entry)
{
	if (table->low == table->high) {
		table->low = i;
		table->high = i + 1;
	}
	table->low = min_u64(table->low, i);
	table->high = max_u64(table->high, i + 1);
	table->entry[i] = entry;
}

static void table_reset(struct table *table)
{
	memset(table->entry + table->low, 0,
	       (table->high - table->low) * sizeof *table->entry);
	table->low = table->high = 0;
}

/* Parts that nothing was put into are not written. */
static int table_store(struct qed_writer *w, const struct table *table,
		       uint64_t offset, struct err *err)
{
	AUTO_FREE unsigned char *part =
		mem_buffer(PART_ENTRIES * QED_ENTRY_LEN);
	uint64_t entries = w->header.entries;

	for (uint64_t i = 0; i < entries; i += PART_ENTRIES) {
		uint64_t here = min_u64(PART_ENTRIES, entries - i);
		uint64_t at = offset + i * QED_ENTRY_LEN;
		size_t len = (size_t)here * QED_ENTRY_LEN;
		int failed;

		if (i >= table->high || i + here <= table->low) {
			failed = sink_zero(w->writer.sink, at, len,
					   SINK_ZERO_SPARSE, err);
		} else {
			for (uint64_t k = 0; k < here; k++)
				bytes_put_le64(part + k * QED_ENTRY_LEN,
					       table->entry[i + k]);
			failed = sink_write(w->writer.sink, part, len, at, err);
		}
		if (failed)
			return -1;
	}
	return 0;
}

static uint64_t take(struct qed_writer *w, uint64_t clusters)
{
	uint64_t place = w->next * w->header.cluster_size;

	w->next += clusters;
	return place;
}

static int changed(uint64_t offset, struct err *err)
{
	return err_set(err, ERR_TEMPORARY,
		       "the input changed since it was surveyed (at %llu)",
		       (unsigned long long)offset);
}

/* The L2 table of `index` has its place. */
static int reach_l2(struct qed_writer *w, uint64_t index, struct err *err)
{
	if (index >= w->header.entries)
		return qed_config_size(&w->config,
				       (index + 1) * w->header.l2_span, err);
	if (w->l1.entry[index])
		return 0;
	if (w->survey)
		return changed(index * w->header.l2_span, err);
	table_put(&w->l1, index, take(w, w->header.table_size));
	return 0;
}

static int store_l2(struct qed_writer *w, struct err *err)
{
	if (!w->l2_open)
		return 0;
	w->l2_open = false;
	/* Planned ones were stored when they were opened. */
	if (!w->survey && table_store(w, &w->l2, w->l1.entry[w->l2_index], err))
		return -1;
	table_reset(&w->l2);
	return 0;
}

/* ---- from a survey ---- */

/* The first cluster from `cluster` on that holds data, UINT64_MAX for none:
 * any granule of it does. */
static uint64_t next_data(const struct qed_writer *w, uint64_t cluster)
{
	const struct survey *survey = w->survey;
	uint64_t each = w->header.cluster_size / survey->granule;
	uint64_t count = div_up(survey->size, survey->granule);

	for (uint64_t i = cluster * each; i < count; i++)
		if (survey_has(survey, i))
			return i / each;
	return UINT64_MAX;
}

/* Where each L2 table will be. */
static void plan_l1(struct qed_writer *w)
{
	uint64_t cluster = 0, index, next = w->next;

	while ((cluster = next_data(w, cluster)) != UINT64_MAX) {
		index = cluster / w->header.entries;
		if (!w->l1.entry[index])
			table_put(&w->l1, index, take(w, w->header.table_size));
		w->next++;
		cluster++;
	}
	w->planned = w->next;
	w->next = next; /* given out again as they are written */
}

/* What the open L2 table will hold; its place is the next one. It is stored
 * with the unit, in whose middle it may have to stand; all around what was put
 * into it is a gap, which reads as zero. */
static int plan_l2(struct qed_writer *w, struct unit *unit, struct err *err)
{
	struct table *table = &w->l2;
	uint64_t first = w->l2_index * w->header.entries;
	uint64_t place = w->l1.entry[w->l2_index];
	uint64_t cluster = first, count;
	unsigned char *bytes;

	/* Tables before this one came to nothing. */
	if (take(w, w->header.table_size) != place)
		return changed(first * w->header.cluster_size, err);
	while ((cluster = next_data(w, cluster)) < first + w->header.entries) {
		table_put(table, cluster - first, take(w, 1));
		cluster++;
	}
	count = table->high - table->low;
	bytes = mem_zalloc((size_t)count * QED_ENTRY_LEN);
	for (uint64_t i = 0; i < count; i++)
		bytes_put_le64(bytes + i * QED_ENTRY_LEN,
			       table->entry[table->low + i]);
	unit_store_take(unit, w->writer.sink,
			place + table->low * QED_ENTRY_LEN, bytes,
			(size_t)count * QED_ENTRY_LEN);
	return 0;
}

static int store_header(struct qed_writer *w, struct err *err)
{
	unsigned char bytes[QED_HEADER_LEN + QED_NAME_LEN] = { 0 };
	uint64_t len = QED_HEADER_LEN + w->header.backing_len;
	struct sink *sink = w->writer.sink;

	qed_header_put(&w->header, bytes);
	/* An append-only sink fills the gap by itself. */
	if (sink->seekable &&
	    sink_zero(sink, len, w->header.first - len, SINK_ZERO_SPARSE, err))
		return -1;
	return sink_write(sink, bytes, (size_t)len, 0, err);
}

/* All that is before the first L2 table, where it must come first. */
static int start(struct qed_writer *w, struct err *err)
{
	if (!w->survey || w->started)
		return 0;
	w->started = true;
	return store_header(w, err) ||
			       table_store(w, &w->l1, w->header.l1_offset, err)
		       ? -1
		       : 0;
}

/* ---- clusters ---- */

/* The L2 table that maps guest cluster `cluster` is open. Ranges come in
 * ascending order: one that was stored is not wanted again. `unit` may be NULL
 * where nothing is planned. */
static int use_l2(struct qed_writer *w, struct unit *unit, uint64_t cluster,
		  struct err *err)
{
	uint64_t index = cluster / w->header.entries;

	if (w->l2_open && w->l2_index == index)
		return 0;
	if (store_l2(w, err) || reach_l2(w, index, err))
		return -1;
	w->l2_open = true;
	w->l2_index = index;
	return w->survey ? plan_l2(w, unit, err) : 0;
}

static int place_data(struct qed_writer *w, struct unit *unit, size_t at,
		      struct err *err)
{
	uint32_t cluster_size = w->header.cluster_size;
	uint64_t guest = unit->offset + at, cluster = guest / cluster_size;
	uint64_t i = cluster % w->header.entries;

	if (use_l2(w, unit, cluster, err))
		return -1;
	if (w->l2.entry[i] <= QED_ENTRY_ZERO) {
		if (w->survey)
			return changed(guest, err);
		table_put(&w->l2, i, take(w, 1));
		/* Not all of a large cluster need be written. */
		if (w->writer.granule < cluster_size &&
		    sink_zero(w->writer.sink, w->l2.entry[i], cluster_size,
			      SINK_ZERO_SPARSE, err))
			return -1;
	}
	/* The granule is zero beyond the disk's end. */
	unit_store(unit, w->writer.sink, w->l2.entry[i] + guest % cluster_size,
		   unit->data + at, w->writer.granule);
	return 0;
}

/* What was never stored must not show what is below either. */
static int qed_zero(struct writer *writer, uint64_t offset, uint64_t length,
		    enum extent_kind kind, struct err *err)
{
	struct qed_writer *w = self(writer);
	uint64_t cluster = offset / w->header.cluster_size;
	uint64_t end = div_up(offset + length, w->header.cluster_size);

	(void)kind;
	if (start(w, err))
		return -1;
	for (; w->config.backing && cluster < end; cluster++) {
		if (use_l2(w, NULL, cluster, err))
			return -1;
		if (!w->l2.entry[cluster % w->header.entries])
			table_put(&w->l2, cluster % w->header.entries,
				  QED_ENTRY_ZERO);
	}
	return 0;
}

static int qed_place(struct writer *writer, struct unit *unit, struct err *err)
{
	struct qed_writer *w = self(writer);
	size_t granule = writer->granule;

	if (start(w, err))
		return -1;
	for (size_t i = 0; i < unit->granule_count; i++) {
		size_t at = i * granule;
		int failed;

		if (unit->granules[i].kind == EXTENT_DATA)
			failed = place_data(w, unit, at, err);
		else
			failed = qed_zero(writer, unit->offset + at,
					  min_u64(granule, unit->len - at),
					  EXTENT_ZERO, err);
		if (failed)
			return -1;
	}
	return 0;
}

static int qed_reserve(struct writer *writer, uint64_t offset, uint64_t length,
		       uint64_t *place, struct err *err)
{
	struct qed_writer *w = self(writer);
	uint32_t cluster_size = w->header.cluster_size;
	uint64_t first = offset / cluster_size;
	uint64_t count = div_up(length, cluster_size);
	uint64_t last = (first + count - 1) / w->header.entries;

	/* All tables in front, so that the run is not interrupted. */
	for (uint64_t i = first / w->header.entries; i <= last; i++)
		if (reach_l2(w, i, err))
			return -1;
	*place = take(w, count);
	for (uint64_t i = 0; i < count; i++) {
		if (use_l2(w, NULL, first + i, err))
			return -1;
		table_put(&w->l2, (first + i) % w->header.entries,
			  *place + i * cluster_size);
	}
	/* Beyond the disk's end in its last cluster. */
	return sink_zero(writer->sink, *place + length,
			 count * cluster_size - length, SINK_ZERO_SPARSE, err);
}

static int qed_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct qed_writer *w = self(writer);
	struct qed_header *header = &w->header;

	if (w->size_known && size != header->size)
		return err_set(err, ERR_BUG,
			       "size was announced as %llu and is %llu",
			       (unsigned long long)header->size,
			       (unsigned long long)size);
	if (start(w, err) || store_l2(w, err) ||
	    qed_config_size(&w->config, size, err))
		return -1;
	header->size = size;
	if (w->survey && w->next != w->planned)
		return changed(size, err);
	if (!w->survey && (table_store(w, &w->l1, header->l1_offset, err) ||
			   store_header(w, err)))
		return -1;
	return sink_finish(writer->sink, w->next * header->cluster_size, err);
}

static void qed_writer_close(struct writer *writer)
{
	struct qed_writer *w = self(writer);

	free(w->l1.entry);
	free(w->l2.entry);
	free(w);
}

static const struct writer_ops qed_ops = {
	.place = qed_place,
	.zero = qed_zero,
	.reserve = qed_reserve,
	.finish = qed_finish,
	.close = qed_writer_close,
};

/* A cluster that is partly filled may have a table behind it: no run. */
static const struct writer_ops large_ops = {
	.place = qed_place,
	.zero = qed_zero,
	.finish = qed_finish,
	.close = qed_writer_close,
};

struct writer *qed_create(struct sink *sink,
			  const struct create_options *options, struct err *err)
{
	struct qed_config config;
	bool large;

	if (qed_config_parse(options, &config, err))
		return NULL;
	if (!sink->seekable &&
	    (!options->size_known || !options->survey || config.backing)) {
		err_set(err, ERR_BUG, "in order, without a survey");
		return NULL;
	}
	struct qed_writer *w = mem_zalloc(sizeof *w);

	large = config.cluster_size > UNIT_LEN_MAX;
	writer_init(&w->writer, large ? &large_ops : &qed_ops, "qed", sink);
	w->writer.granule = large ? 64 * KIB : config.cluster_size;
	w->writer.unit_len = max_u64(UNIT_LEN, w->writer.granule);
	w->config = config;
	w->size_known = options->size_known;
	qed_config_header(&config, w->size_known ? options->size : 0,
			  &w->header);
	/* The options are the caller's, and gone when the size is known. */
	if (config.backing)
		w->config.backing = w->header.backing;
	w->survey = sink->seekable ? NULL : options->survey;
	w->l1.entry = mem_zalloc((size_t)w->header.table_len);
	w->l2.entry = mem_zalloc((size_t)w->header.table_len);
	w->next = w->header.header_size + w->header.table_size;
	if (w->survey)
		plan_l1(w);
	return &w->writer;
}
