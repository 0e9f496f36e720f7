/* SPDX-License-Identifier: MIT */
/*
 * Owns the life of one job: fit the steps, make sink and writer, pump, check
 * what can be checked only at the end. Which steps there are, and what each
 * adds, is the plan's and the transitions'.
 */
#include "transforms/run.h"

#include <inttypes.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/archives/tar_sink.h"
#include "formats/archives/zip_sink.h"
#include "formats/codecs/wrap.h"
#include "formats/overlay.h"
#include "formats/survey.h"
#include "io/count_sink.h"
#include "io/files.h"
#include "io/head_sink.h"
#include "io/nbd_sink.h"
#include "transforms/build.h"
#include "transforms/catalogue.h"
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/pump.h"
#include "transforms/run_verify.h"
#include "transforms/tags.h"

/* The steps with their states, out of their numbers. */
static int restore_steps(const struct job *job,
			 struct plan_step step[JOB_STEPS], struct err *err)
{
	struct state state = job->start;

	if (job->count > JOB_STEPS)
		return err_set(err, ERR_BUG, "%u steps in a job", job->count);
	for (uint32_t i = 0; i < job->count; i++) {
		step[i].transition = catalogue_row(job->step[i]);
		step[i].before = state;
		if (!step[i].transition ||
		    !transition_apply(step[i].transition, &state, &job->goal,
				      &step[i].after))
			return err_set(err, ERR_BUG, "step %u of a job", i);
		state = step[i].after;
	}
	return 0;
}

static void tell_step(const struct run *run, const struct plan_step *step)
{
	struct plan_step named = *step;
	char text[128];

	plan_step_detail(&tags_vocabulary, &named);
	plan_step_text(&named, text, sizeof text);
	run->events->step(run->events->opaque, text);
}

static int fit_steps(const struct run *run, struct build *build,
		     const struct plan_step *step, struct err *err)
{
	for (uint32_t i = 0; i < run->job->count; i++) {
		const struct how *how = how_of(&step[i]);
		tell_step(run, &step[i]);
		if (how->rest && how->rest(build, &step[i], err) < 0)
			return -1;
		if (how->fit && how->fit(build, &step[i], err) < 0)
			return -1;
	}
	return 0;
}

static int run_dup(int fd, struct err *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy >= 0 ? copy
			 : err_sys(err, ERR_IO, "duplicate a descriptor");
}

/* `direct`: the same file around the page cache; borrowed, or -1. */
static struct sink *image_sink(const struct run *run, int take_fd, int direct,
			       struct err *err)
{
	const struct image_sink_options options = {
		.sync = run->job->sync,
		.cache = (enum page_cache)run->job->cache,
		.direct = direct < 0 ? -1 : run_dup(direct, err),
	};

	/* What was asked for is not left out without a word. */
	if (direct >= 0 && options.direct < 0) {
		close(take_fd);
		return NULL;
	}
	return files_image_sink(take_fd, &options, err);
}

/* Its head comes last, as on a device. */
static struct sink *open_export(const struct run *run, struct err *err)
{
	int fd = run->output_fd < 0 ? -1 : run_dup(run->output_fd, err);
	struct sink *sink = nbd_sink(fd, &run->job->nbd, &run->more, err);

	if (!sink)
		return NULL;
	/* Before it is asked for its head. */
	sink->fresh = run->job->output_fresh;
	return head_sink(sink, run->job->sync);
}

static struct sink *open_file(const struct run *run, struct err *err)
{
	if (run->job->output_export)
		return open_export(run, err);

	int fd = run_dup(run->output_fd, err);

	if (fd < 0)
		return NULL;
	return run->job->output_append ? files_stream_sink(fd)
				       : image_sink(run, fd, run->direct_fd, err);
}

/* How long the file will be that goes into an archive; false: its writer will
 * know. */
static bool member_size(const struct run *run, const struct build *build,
			uint64_t *size)
{
	const char *format = build->target->name;

	if (strcmp(format, "raw") || !build_size(build, size))
		return false;
	if (!run->job->no_pad)
		*size = driver_round_size(build->target, &run->job->create,
					  *size);
	return true;
}

static struct sink *open_wrap(const struct run *run, const struct build *build,
			      const char *tag, struct sink *take_inner,
			      uint64_t room, struct protocol_done *done,
			      struct err *err)
{
	const struct job *job = run->job;
	uint64_t size = 0;
	bool known = member_size(run, build, &size);
	const struct tar_member tar = {
		.dialect = (enum tar_dialect)job->tar_dialect,
		.name = job->member_name,
		.mtime = job->member_time,
		.size_known = known,
		.size = size,
	};
	const struct zip_member zip = { .name = job->member_name,
					.mtime = job->member_time,
					.level = job->wrap_level };
	int id = codec_by_name(tag);

	if (!strcmp(tag, "ova"))
		return member_sink(take_inner, job->member_offset,
				   (enum digest_kind)job->member_digest,
				   &done->made);
	if (!strcmp(tag, "tar"))
		return tar_sink(take_inner, &tar, err);
	if (!strcmp(tag, "zip"))
		return zip_sink(take_inner, &zip, err);
	if (id >= 0)
		return wrap_encode((enum codec_id)id, take_inner,
				   job->wrap_level,
				   wrap_encode_threads((enum codec_id)id,
						       job->wrap_level,
						       job->threads, room),
				   err);
	sink_close(take_inner);
	err_set(err, ERR_BUG, "no writer for \"%s\"", tag);
	return NULL;
}

/* What an earlier run has done is not done again: block by block of the
 * outermost wrap, or else unit by unit (pump.h). */
static void use_journal(const struct run *run, const struct build *build,
			unsigned wrap, struct sink *sink)
{
	if (!run->journal)
		return;
	if (!build->wraps) {
		journal_guard(run->journal, sink->fd);
		sink->replay = journal_progress(run->journal) > 0;
	} else if (wrap + 1 == build->wraps &&
		   codec_by_name(build->wrap[wrap]) >= 0) {
		wrap_encode_journal(sink, run->journal);
	}
}

static struct sink *open_sink(const struct run *run, const struct build *build,
			      struct protocol_done *done, struct err *err)
{
	uint64_t room = costs_encoders_memory(run->job->memory,
					      build->depth > 1);
	struct sink *sink = run->job->measure ? count_sink(&done->measured)
					      : open_file(run, err);

	if (sink && run->job->output_fresh)
		sink->fresh = true;
	if (sink)
		sink->stages = run->stages;
	if (sink && !build->wraps)
		use_journal(run, build, 0, sink);
	/* The last wrap is the outermost: nearest to the file. */
	for (unsigned i = build->wraps; sink && i; i--) {
		sink = open_wrap(run, build, build->wrap[i - 1], sink, room,
				 done, err);
		if (sink)
			use_journal(run, build, i - 1, sink);
	}
	return sink;
}

static void tell_padding(const struct run *run, const struct driver *target,
			 uint64_t size, uint64_t padded)
{
	log_note(run->log,
		 "padded from %" PRIu64 " to %" PRIu64 " bytes, the next size "
		 "that %s can have", size, padded, target->name);
}

/* The size the writer is told: one that the format can have. */
static int pad_size(const struct run *run, const struct driver *target,
		    struct create_options *create, struct err *err)
{
	uint64_t padded = driver_round_size(target, create, create->size);

	if (padded == create->size)
		return 0;
	if (run->job->no_pad)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s cannot have the size %" PRIu64 ", the next "
			       "one is %" PRIu64 ": leave out --no-pad, or give "
			       "-s", target->name, create->size, padded);
	tell_padding(run, target, create->size, padded);
	create->size = padded;
	return 0;
}

/* The same where the size is known only at the end. */
struct padding {
	const struct driver *target;
	const struct create_options *create;
};

static uint64_t pad_end(void *opaque, uint64_t size)
{
	const struct padding *padding = opaque;

	return driver_round_size(padding->target, padding->create, size);
}

static int make_survey(const struct run *run, struct build *build,
		       const struct create_options *create,
		       struct survey *survey, struct err *err)
{
	uint32_t granule = build->target->survey_granule(create);

	if (survey_init(survey, create->size, granule, err) < 0)
		return -1;
	AUTO_WRITER struct writer *writer = survey_writer(survey);
	struct padding padding = { build->target, create };
	struct pump pump = { .disk = build->disk,
			     .writer = writer,
			     .threads = run->job->threads,
			     .pad = pad_end,
			     .pad_opaque = &padding,
			     .stages = run->stages,
			     .progress = run->events->progress,
			     .opaque = run->events->opaque };
	return pump_run(&pump, err);
}

static struct writer *make_writer(const struct run *run, struct build *build,
				  struct sink *sink, struct sink *data_sink,
				  struct survey *survey, struct err *err)
{
	struct create_options *create = mem_zalloc(sizeof *create);
	struct writer *writer = NULL;

	*create = run->job->create;
	create->survey = NULL;
	create->data_sink = data_sink;
	create->parts = run->parts;
	create->log = run->log;
	create->size_known = build_size(build, &create->size);
	if (run->job->sector_size)
		create->sector_size = run->job->sector_size;
	else
		create->sector_size = build->disk ? build->disk->sector_size
						  : build->walk->sector_size;
	if (create->size_known &&
	    pad_size(run, build->target, create, err) < 0)
		goto out;
	if (build->survey) {
		if (make_survey(run, build, create, survey, err) < 0)
			goto out;
		create->survey = survey;
	}
	writer = build->target->create(sink, create, err);
	if (!writer)
		err_in(err, "%s", build->target->name);
	else if (driver_check_room(build->target, create, writer, err) < 0)
		writer = writer_close(writer);
out:
	free(create);
	return writer;
}

/* The last bytes of a stream may prove that it was something else than what
 * its first bytes looked like. */
static int check_trailer(const struct build *build, struct err *err)
{
	struct source *source = build_source(build);
	unsigned char tail[SOURCE_TAIL_LEN];
	const char *name;
	size_t len = source->tail_len;

	if (build->job->stated || build->job->made ||
	    strcmp(build->job->format, "raw"))
		return 0;
	memcpy(tail, source->tail, sizeof tail);
	if (source->seekable) {
		if (source->size < sizeof tail)
			return 0;
		if (source_read_all(source, tail, sizeof tail,
				    source->size - sizeof tail, "the end",
				    err) < 0)
			return -1;
		len = sizeof tail;
	}
	name = probe_trailer(tail, len);
	if (!name)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "the last bytes are those of a %s image, which cannot "
		       "be read in one pass; store it in a file first, or -f "
		       "raw to take all bytes as they are", name);
}

static int check_end(void *opaque, struct err *err)
{
	const struct build *build = opaque;
	uint64_t size;

	if (source_finish(build_source(build), err) < 0 ||
	    build_verify(build, err) < 0 || check_trailer(build, err) < 0)
		return -1;
	if (build->expect_backup && build->walk &&
	    overlay_walk_below_size(build->walk, &size) &&
	    size != build->backup_end)
		return build_backup_elsewhere(build->backup_end, size, err);
	return 0;
}

/* Who opens a raw disk without stating that it is one goes by such bytes. */
static void note_head(void *opaque, const unsigned char *bytes, size_t len)
{
	struct probe_input input = { .size_known = len < LIMIT_PROBE_LEN,
				     .size = len,
				     .window = { { 0, len, bytes } },
				     .count = 1 };
	struct probe_report report;
	uint64_t offset;

	if (probe_layer(&input, &report, &offset, &len) == PROBE_DONE &&
	    report.class == PROBE_IMAGE)
		log_note(opaque, "the disk itself begins like another disk's "
			 "image, %s (%s): the raw output may be taken for that "
			 "unless its format is stated", report.title,
			 report.evidence);
}

static int pump_build(const struct run *run, struct build *build,
		      struct writer *writer, struct protocol_done *done,
		      struct err *err)
{
	const struct job *job = run->job;
	bool digest = build->converts && job->digest;
	struct padding padding = { build->target, &job->create };
	uint64_t size;
	struct pump pump = { .disk = build->disk,
			     .walk = build->walk,
			     .writer = writer,
			     .threads = job->threads,
			     .clone = job->clone && run->data_fd < 0,
			     .max_size = job->max_size,
			     .pad = pad_end,
			     .pad_opaque = &padding,
			     .check = check_end,
			     .check_opaque = build,
			     .journal = build->wraps ? NULL : run->journal,
			     .finish_once = !build_size(build, &size),
			     .stages = run->stages,
			     .progress = run->events->progress,
			     .opaque = run->events->opaque };

	if ((build->converts || !strcmp(job->format, "raw")) &&
	    !strcmp(build->target->name, "raw")) {
		pump.head = note_head;
		pump.head_opaque = run->log;
	}
	if (digest)
		pump.digest = digest_open();
	int result = pump_run(&pump, err);
	if (!result && digest) {
		digest_get(pump.digest, done->digest);
		done->has_digest = true;
	}
	digest_close(pump.digest);
	if (result < 0)
		return -1;
	if (!pump.size && !strcmp(job->format, "raw"))
		log_note(run->log, "the input is empty: a disk of 0 bytes");
	done->size = pump.size;
	done->padded = pump.padded;
	done->has_size = build->converts;
	if (build->walk)
		done->spooled = build->walk->spooled;
	if (pump.padded != pump.size && build->walk && !build->walk_known)
		tell_padding(run, build->target, pump.size, pump.padded);
	return 0;
}

/* Steps that only move bytes: the raw driver on both sides. */
static int take_bytes(struct build *build, struct err *err)
{
	build->converts = build->target != NULL;
	if (!build->target) {
		build->format = "raw";
		build->target = driver_by_name("raw");
	}
	if (build_enter_guest(build, err) < 0)
		return -1;
	build->walk_known = build->walk && build->walk->size_known;
	return 0;
}

static int run_pipeline(const struct run *run, struct build *build,
			struct protocol_done *done, struct err *err)
{
	struct survey survey = { .bits = NULL };
	AUTO_WRITER struct writer *writer = NULL;
	AUTO_SINK struct sink *sink = NULL;
	AUTO_SINK struct sink *data = NULL;
	int result = -1;

	if (take_bytes(build, err) < 0)
		return -1;
	sink = open_sink(run, build, done, err);
	if (!sink)
		return -1;
	if (run->data_fd >= 0) {
		int fd = run_dup(run->data_fd, err);
		data = fd < 0 ? NULL
			      : image_sink(run, fd, -1, err);
		if (!data)
			return -1;
		data->stages = run->stages;
	}
	writer = make_writer(run, build, sink, data, &survey, err);
	if (writer)
		result = pump_build(run, build, writer, done, err);
	survey_clear(&survey);
	return result;
}

static int run_steps(const struct run *run, struct protocol_done *done,
		     struct err *err)
{
	struct plan_step *step = mem_zalloc(JOB_STEPS * sizeof *step);
	struct build *build = mem_zalloc(sizeof *build);
	int result = restore_steps(run->job, step, err);

	if (!result) {
		build_init(build, run->job, run->input);
		build->log = run->log;
		build->references = run->references;
		build->spool_fd = run->spool_fd;
		build->served_fd = run->served_fd;
		result = fit_steps(run, build, step, err);
		if (!result && (run->output_fd >= 0 || run->job->measure ||
				run->job->output_export))
			result = run_pipeline(run, build, done, err);
		else if (!result)
			result = build_verify(build, err);
		done->verified = build->expected;
		build_clear(build);
	}
	free(build);
	free(step);
	return result;
}

int run_job(const struct run *run, struct protocol_done *done,
	    struct err *err)
{
	int result;

	run->input->stages = run->stages;
	result = run->job->verify ? run_verify(run, err)
				  : run_steps(run, done, err);
	run->input->stages = NULL;
	return result;
}
