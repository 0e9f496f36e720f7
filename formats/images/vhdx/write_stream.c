/* SPDX-License-Identifier: MIT */
/*
 * Owns what a sink that only appends needs: headers and most BATs stand in
 * front of the blocks. Which blocks there will be is known from the survey (of a fixed
 * disk all of them); the identifiers in the headers follow from the first
 * bytes of the guest, so these are kept back until they have come. The bytes
 * are those that a seekable sink gets.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhdx/write.h"

static int check_survey(const struct vhdx_writer *w,
			const struct survey *survey, struct err *err)
{
	if (!survey)
		return err_set(err, ERR_UNSUPPORTED,
			       "an output that cannot seek needs a survey of "
			       "the input first");
	if (survey->size > w->size || !survey->granule ||
	    w->config.block_size % survey->granule)
		return err_set(err, ERR_BUG,
			       "survey of %llu bytes by %lu for blocks of %lu",
			       ULL(survey->size),
			       (unsigned long)survey->granule,
			       (unsigned long)w->config.block_size);
	return 0;
}

int vhdx_stream_plan(struct vhdx_writer *w,
		     const struct create_options *options, struct err *err)
{
	const struct survey *survey = options->survey;
	uint64_t per, count;

	if (!options->size_known)
		return err_set(err, ERR_UNSUPPORTED,
			       "an output that cannot seek needs the size of "
			       "the disk first");
	if (w->config.fixed) {
		w->next = w->data + round_up(w->size, w->config.block_size);
		return 0;
	}
	if (check_survey(w, survey, err))
		return -1;
	per = w->config.block_size / survey->granule;
	count = div_up(survey->size, survey->granule);
	/* Ends: i grows. */
	for (uint64_t i = 0; i < count;) {
		if (i % 8 == 0 && !survey->bits[i / 8]) {
			i += 8;
		} else if (!survey_has(survey, i)) {
			i++;
		} else {
			vhdx_pages_put(&w->pages, &w->config, i / per, w->next);
			w->next += w->config.block_size;
			i = (i / per + 1) * per;
		}
	}
	return 0;
}

void vhdx_stream_hold(struct vhdx_writer *w, uint64_t offset,
		      const unsigned char *bytes, size_t len)
{
	struct vhdx_held *held;

	if (w->held_count == w->held_room) {
		w->held_room = w->held_room ? w->held_room * 2 : 64;
		w->held = mem_resize(w->held, w->held_room, sizeof *w->held);
	}
	held = &w->held[w->held_count++];
	held->offset = offset;
	held->len = len;
	held->bytes = mem_buffer(len);
	memcpy(held->bytes, bytes, len);
}

static int emit(struct vhdx_writer *w, uint64_t offset,
		unsigned char *take_bytes, size_t len, struct err *err)
{
	AUTO_FREE unsigned char *bytes = take_bytes;

	return sink_write(w->writer.sink, bytes, len, offset, err);
}

static int emit_bat(struct vhdx_writer *w, struct err *err)
{
	uint64_t entries = vhdx_config_entries(&w->config, w->size);
	uint64_t pages = div_up(entries, VHDX_PAGE_ENTRIES);
	AUTO_FREE unsigned char *bytes = mem_buffer(VHDX_PAGE_LEN);

	for (uint64_t i = 0; i < pages; i++)
		if (vhdx_pages_fill(&w->pages, &w->config, entries, w->data, i,
				    bytes) &&
		    sink_write(w->writer.sink, bytes, VHDX_PAGE_LEN,
			       w->bat + i * VHDX_PAGE_LEN, err))
			return -1;
	return 0;
}

int vhdx_stream_start(struct vhdx_writer *w, struct err *err)
{
	struct vhdx_head head;

	vhdx_head_init(&head, w, w->size);
	w->started = true;
	if (emit(w, 0, vhdx_head_bytes(&w->config, &head, w->identity),
		 VHDX_HEAD_LEN, err) ||
	    emit(w, head.metadata_offset,
		 vhdx_metadata_bytes(&w->config, &head, w->identity),
		 VHDX_METADATA_USED, err) ||
	    (w->bat < w->data && emit_bat(w, err)))
		return -1;
	for (size_t i = 0; i < w->held_count; i++)
		if (emit(w, w->held[i].offset, STEAL(w->held[i].bytes),
			 w->held[i].len, err))
			return -1;
	w->held_count = 0;
	return 0;
}

int vhdx_stream_end(struct vhdx_writer *w, struct err *err)
{
	return w->bat >= w->data ? emit_bat(w, err) : 0;
}
