/* SPDX-License-Identifier: MIT */
/*
 * Owns what an append-only sink needs: header and tables stand in front of
 * the data they speak of, so everything is placed once beforehand, as the
 * survey says, and each table is made when its place is reached. The bytes
 * are those that a seekable sink gets (with extended L2 entries, when the
 * survey is by subclusters). What then arrives must be what was surveyed.
 *
 * Only images without backing file, data file, preallocation and compression:
 * their tables would all have to be kept until data follows, or cannot be
 * known beforehand.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/qcow2/write.h"

struct qcow2_plan {
	const struct survey *survey;
	struct qcow2_room room; /* when all is done */
	uint64_t *l1;		/* as it will be */
	struct qcow2_head head;
	uint64_t clusters; /* of guest data that will come */
	uint64_t seen;	   /* that have come */
	bool started;	   /* header and L1 are out */
	uint64_t blocks;   /* that are out */
	bool l1_in_front;
};

/* The first guest cluster with data, `guest` or after it; or UINT64_MAX. */
static uint64_t next_data(const struct survey *survey, uint32_t cluster_size,
			  uint64_t guest)
{
	uint64_t per = cluster_size / survey->granule;
	uint64_t count = div_up(survey->size, survey->granule);
	uint64_t i = guest * per;

	/* Ends: i grows. */
	while (i < count) {
		if (i % 8 == 0 && !survey->bits[i / 8])
			i += 8;
		else if (survey_has(survey, i))
			return i / per;
		else
			i++;
	}
	return UINT64_MAX;
}

/* A survey by whole clusters says nothing of subclusters: all are data. */
static bool is_coarse(const struct qcow2_config *config,
		      const struct survey *survey)
{
	return survey->granule > config->cluster_size / QCOW2_SUBCLUSTERS;
}

/* Bitmap of guest cluster `guest` for an extended entry. */
static uint64_t survey_bitmap(const struct qcow2_config *config,
			      const struct survey *survey, uint64_t guest)
{
	uint64_t sub = config->cluster_size / QCOW2_SUBCLUSTERS;
	uint64_t per = sub / survey->granule;
	uint64_t first = guest * QCOW2_SUBCLUSTERS * per;
	uint64_t bitmap = 0;

	if (is_coarse(config, survey))
		return (1ULL << QCOW2_SUBCLUSTERS) - 1;
	for (unsigned s = 0; s < QCOW2_SUBCLUSTERS; s++) {
		bool data = false;

		for (uint64_t i = 0; i < per && !data; i++)
			data = survey_has(survey, first + s * per + i);
		bitmap |= 1ULL << (data ? s : s + QCOW2_SUBCLUSTERS);
	}
	return bitmap;
}

static int check_survey(const struct qcow2_writer *w,
			const struct create_options *options, struct err *err)
{
	const struct qcow2_config *config = &w->config;
	const struct survey *survey = options->survey;

	if (config->compress || config->backing || config->data_file ||
	    config->preallocation != QCOW2_PREALLOCATE_OFF)
		return err_set(err, ERR_UNSUPPORTED,
			       "compression, backing_file, data_file and "
			       "preallocation need an output that can seek");
	if (!options->size_known || !survey)
		return err_set(err, ERR_UNSUPPORTED,
			       "an output that cannot seek needs a survey of "
			       "the input first");
	if (survey->size > options->size || !survey->granule ||
	    config->cluster_size % survey->granule ||
	    (config->extended_l2 && !is_coarse(config, survey) &&
	     config->cluster_size / QCOW2_SUBCLUSTERS % survey->granule))
		return err_set(err, ERR_BUG,
			       "survey of %llu bytes by %lu for clusters of "
			       "%lu",
			       (unsigned long long)survey->size,
			       (unsigned long)survey->granule,
			       (unsigned long)config->cluster_size);
	return 0;
}

/* Give out every cluster as `place` will. */
static void place_all(struct qcow2_writer *w, struct qcow2_plan *plan)
{
	const struct qcow2_config *config = &w->config;
	uint64_t guest = 0;

	plan->l1 = mem_zalloc(w->l1_entries * sizeof *plan->l1);
	/* Ends: next_data moves on, up to the end of the survey. */
	for (;; guest++) {
		uint64_t *l1;

		guest = next_data(plan->survey, config->cluster_size, guest);
		if (guest == UINT64_MAX)
			return;
		l1 = &plan->l1[guest / config->l2_entries];
		if (!*l1)
			*l1 = qcow2_room_take(&plan->room, 1)
			      << config->cluster_bits;
		qcow2_room_take(&plan->room, 1);
		plan->clusters++;
	}
}

int qcow2_plan_make(struct qcow2_writer *w,
		    const struct create_options *options, struct err *err)
{
	const struct qcow2_config *config = &w->config;
	uint64_t place;

	if (check_survey(w, options, err))
		return -1;
	struct qcow2_plan *plan = mem_zalloc(sizeof *plan);

	w->plan = plan;
	plan->survey = options->survey;
	qcow2_room_init(&plan->room, config, true);
	qcow2_room_take(&plan->room, qcow2_config_l1_room(config));
	plan->l1_in_front = qcow2_room_settle(&plan->room, config,
					      w->l1_offset, w->l1_entries);
	place_all(w, plan);
	plan->head.size = w->size;
	plan->head.l1_offset = w->l1_offset;
	if (!plan->l1_in_front)
		plan->head.l1_offset =
			qcow2_room_take(&plan->room,
					div_up(w->l1_entries * 8,
					       config->cluster_size))
			<< config->cluster_bits;
	plan->head.l1_entries = w->l1_entries;
	qcow2_room_end(&plan->room, config, &place,
		       &plan->head.reftable_clusters);
	plan->head.reftable_offset = place << config->cluster_bits;
	return qcow2_check_reftable(config, plan->head.reftable_clusters, err);
}

void qcow2_plan_free(struct qcow2_plan *plan)
{
	if (!plan)
		return;
	qcow2_room_clear(&plan->room);
	free(plan->l1);
	free(plan);
}

/* Behind the unit's stores so far, or at once when there is no unit. */
static int emit(struct qcow2_writer *w, struct unit *unit, uint64_t offset,
		unsigned char *take_bytes, size_t len, struct err *err)
{
	int failed = 0;

	if (unit) {
		unit_store_take(unit, w->writer.sink, offset, take_bytes, len);
		return 0;
	}
	failed = sink_write(w->writer.sink, take_bytes, len, offset, err);
	free(take_bytes);
	return failed;
}

static int emit_block(struct qcow2_writer *w, struct unit *unit,
		      struct err *err)
{
	struct qcow2_plan *plan = w->plan;
	unsigned char *bytes = mem_zalloc(w->config.cluster_size);
	uint64_t index = plan->blocks++;

	qcow2_block_fill(&w->config, &plan->room, index, bytes);
	return emit(w, unit,
		    plan->room.block_at[index] << w->config.cluster_bits, bytes,
		    w->config.cluster_size, err);
}

static int emit_l1(struct qcow2_writer *w, struct unit *unit, struct err *err)
{
	const struct qcow2_plan *plan = w->plan;
	size_t len = round_up(w->l1_entries * 8, w->config.cluster_size);

	return emit(w, unit, plan->head.l1_offset,
		    qcow2_l1_bytes(plan->l1, w->l1_entries, len), len, err);
}

static int emit_start(struct qcow2_writer *w, struct unit *unit,
		      struct err *err)
{
	struct qcow2_plan *plan = w->plan;
	size_t cluster = w->config.cluster_size;
	unsigned char *header;

	if (plan->started)
		return 0;
	plan->started = true;
	header = mem_zalloc(cluster);
	qcow2_head_put(&w->config, &plan->head, header);
	if (emit(w, unit, 0, header, cluster, err) || emit_block(w, unit, err))
		return -1;
	return plan->l1_in_front ? emit_l1(w, unit, err) : 0;
}

/* Blocks in front of `offset`. */
static int emit_blocks(struct qcow2_writer *w, uint64_t offset, struct err *err)
{
	struct qcow2_plan *plan = w->plan;

	while (plan->blocks < plan->room.blocks &&
	       plan->room.block_at[plan->blocks] << w->config.cluster_bits <
		       offset)
		if (emit_block(w, NULL, err))
			return -1;
	return 0;
}

int qcow2_plan_before(struct qcow2_writer *w, struct unit *unit,
		      struct err *err)
{
	if (emit_start(w, unit, err))
		return -1;
	/* Blocks given out so far stand in front of what was just taken. */
	while (w->plan->blocks < w->room.blocks)
		if (emit_block(w, unit, err))
			return -1;
	return 0;
}

int qcow2_plan_l2(struct qcow2_writer *w, struct unit *unit, uint64_t index,
		  struct err *err)
{
	const struct qcow2_config *config = &w->config;
	const struct survey *survey = w->plan->survey;
	struct qcow2_room room = w->room; /* ahead of the real one */
	unsigned char *bytes = mem_zalloc(config->cluster_size);
	uint64_t guest = index * config->l2_entries;
	uint64_t end = guest + config->l2_entries;

	room.record = false;
	for (;; guest++) {
		uint64_t place, bitmap = 0;

		guest = next_data(survey, config->cluster_size, guest);
		if (guest >= end)
			break;
		place = qcow2_room_take(&room, 1) << config->cluster_bits;
		if (config->extended_l2)
			bitmap = survey_bitmap(config, survey, guest);
		qcow2_l2_put(config, bytes, guest, place | QCOW2_COPIED,
			     bitmap);
	}
	return emit(w, unit, w->l1[index], bytes, config->cluster_size, err);
}

static int changed(uint64_t offset, struct err *err)
{
	return err_set(err, ERR_TEMPORARY,
		       "the input changed since it was surveyed (at %llu)",
		       (unsigned long long)offset);
}

int qcow2_plan_check(struct qcow2_writer *w, uint64_t guest, bool data,
		     uint64_t bitmap, struct err *err)
{
	const struct qcow2_config *config = &w->config;
	const struct survey *survey = w->plan->survey;
	bool told = next_data(survey, config->cluster_size, guest) == guest;

	if (told != data ||
	    (data && config->extended_l2 && !is_coarse(config, survey) &&
	     bitmap != survey_bitmap(config, survey, guest)))
		return changed(guest << config->cluster_bits, err);
	w->plan->seen += data;
	return 0;
}

int qcow2_plan_check_zero(struct qcow2_writer *w, uint64_t offset,
			  uint64_t length, struct err *err)
{
	uint64_t next = next_data(w->plan->survey, w->config.cluster_size,
				  offset >> w->config.cluster_bits);

	if (next < div_up(offset + length, w->config.cluster_size))
		return changed(next << w->config.cluster_bits, err);
	return 0;
}

int qcow2_plan_end(struct qcow2_writer *w, struct err *err)
{
	struct qcow2_plan *plan = w->plan;
	const struct qcow2_head *head = &plan->head;
	unsigned char *bytes;

	if (plan->seen != plan->clusters)
		return changed(w->size, err);
	if (emit_start(w, NULL, err) ||
	    (!plan->l1_in_front && (emit_blocks(w, head->l1_offset, err) ||
				    emit_l1(w, NULL, err))) ||
	    emit_blocks(w, head->reftable_offset, err))
		return -1;
	bytes = qcow2_reftable_bytes(&w->config, &plan->room,
				     head->reftable_clusters);
	if (emit(w, NULL, head->reftable_offset, bytes,
		 head->reftable_clusters << w->config.cluster_bits, err))
		return -1;
	if (emit_blocks(w, UINT64_MAX, err))
		return -1;
	return sink_finish(w->writer.sink,
			   plan->room.next << w->config.cluster_bits, err);
}
