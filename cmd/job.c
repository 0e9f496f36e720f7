/* SPDX-License-Identifier: MIT */
/* Owns what a worker is told of a run: the settings, the plan and the place of
 * the image, as one flat struct job. Does not start it. */
#include "cmd/job.h"

#include <stdio.h>
#include <string.h>

#include "transforms/catalogue.h"
#include "transforms/tags.h"

/* Without its folder. One that is too long is none: parts cannot be named
 * after it. */
static void set_name(char *out, size_t room, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	snprintf(out, room, "%s", strlen(name) < room ? name : "");
}

/* What is verified by a run: all of what it reads of the input, and of what
 * an earlier run put aside only what that one did not go into. */
static void set_expectations(const struct execution *execution,
			     const struct job_piece *piece, struct job *job)
{
	const struct price_list *list = &execution->planning->price_list;
	unsigned inside = state_depth(&job->start, TAG_WRAPS);

	if (piece->at_output)
		return;
	for (unsigned i = 0; i < list->expect.count; i++) {
		const struct expectation *one = &list->expect.list[i];
		bool seen = one->depth + inside <= job->layers ||
			    strcmp(job->start.tag[TAG_LAYOUT], "original");

		if (!piece->at_temp || !seen)
			job->expect.list[job->expect.count++] = *one;
	}
}

static bool to_file(const struct execution *execution)
{
	return !execution->output ||
	       output_kind(execution->output) == OUTPUT_FILE;
}

void job_fill(const struct execution *execution,
	      const struct job_piece *piece, struct job *job)
{
	const struct settings *settings = execution->settings;
	const struct target *target = &execution->planning->target;
	const struct plan *plan = execution->plan;
	bool aside = piece->aside;
	bool device = !to_file(execution) &&
		      output_kind(execution->output) != OUTPUT_STREAM;

	memset(job, 0, sizeof *job);
	for (unsigned i = piece->first; i < piece->end; i++)
		job->step[job->count++] =
			catalogue_index(plan->step[i].transition);
	job->start = plan->step[piece->first].before;
	job->goal = execution->planning->problem.goal;
	job->made = piece->at_temp || piece->at_output;
	job->layers = execution->planning->price_list.image.layers;
	memcpy(job->layer, execution->planning->price_list.image.layer,
	       sizeof job->layer);
	set_expectations(execution, piece, job);
	snprintf(job->format, sizeof job->format, "%s",
		 job->start.tag[TAG_FORMAT]);
	job->stated = settings->from != NULL;
	job->output_append = !aside && !to_file(execution) && !device;
	if (!aside && execution->server) {
		job->output_export = true;
		job->nbd = execution->server->nbd;
	}
	job->measure = !aside && !execution->output;
	job->output_fresh = !aside && device && settings->target_is_zero;
	job->sync = settings->sync;
	job->cache = settings->cache;
	job->clone = !aside && !strcmp(job->start.tag[TAG_CLONE], "yes");
	job->allow_cut = settings->shrink;
	job->no_pad = !settings->pad;
	job->references = settings->allow_references;
	job->digest = settings->digest || settings->verify;
	job->threads = execution->planning->price_list.threads;
	/* Threads that wait for a server take nobody's processor. */
	if ((execution->server || execution->planning->price_list.remote) &&
	    !settings->threads && !settings->jobs && !settings->memory &&
	    job->threads < 4)
		job->threads = 4;
	job->max_size = settings->max_size;
	job->memory = execution->planning->price_list.memory;
	job->wrap_level = settings->wrap_level;
	snprintf(job->member_name, sizeof job->member_name, "%s",
		 execution->place ? execution->place->name
				  : target->member_name);
	if (execution->place) {
		job->member_offset = execution->place->offset;
		job->member_digest = execution->place->digest;
	}
	job->tar_dialect = settings->tar_dialect;
	job->member_time = settings->source_date;
	job->create = target->create;
	if (!aside && to_file(execution) && execution->output_path)
		set_name(job->create.name, sizeof job->create.name,
			 execution->output_path);
	job->sector_size = settings->sector_size;
	set_name(job->name, sizeof job->name, conductor_name(execution->input));
	if (settings->member)
		snprintf(job->member, sizeof job->member, "%s",
			 settings->member);
	if (settings->snapshot)
		snprintf(job->snapshot, sizeof job->snapshot, "%s",
			 settings->snapshot);
}
