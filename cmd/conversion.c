/* SPDX-License-Identifier: MIT */
/* Owns the stages of one conversion. Their order, and what happens to several
 * at once, is convert.c's. */
#include "cmd/conversion.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "cmd/checksums.h"
#include "cmd/nbd_uri.h"
#include "cmd/refusals.h"
#include "cmd/resume.h"
#include "cmd/signals.h"
#include "cmd/trace_file.h"
#include "transforms/tags.h"

/* --consume removes a name: of a file that is one, not of a device. */
static int refuse_consume(const struct conversion *conversion,
			  struct err *err)
{
	struct stat about;

	if (!conversion->settings->consume)
		return 0;
	if (lstat(conversion->input, &about) < 0)
		return err_sys(err, ERR_NO_INPUT, "%s", conversion->input);
	if (S_ISREG(about.st_mode))
		return 0;
	return err_set(err, ERR_USAGE,
		       "--consume needs a regular file, and %s is %s",
		       conversion->input,
		       S_ISLNK(about.st_mode) ? "a symbolic link; name the "
						"file itself"
					      : "none");
}

/* What -v tells of the means. */
void conversion_tell_means(const struct conversion *conversion)
{
	const struct price_list *list = &conversion->planning.price_list;
	char text[128], size[32];

	snprintf(text, sizeof text, "%u thread%s, %s of memory at most",
		 list->threads, list->threads == 1 ? "" : "s",
		 units_about(list->memory, size, sizeof size));
	ui_note(conversion->ui, LOG_DETAIL, text);
}

int conversion_plan(struct conversion *conversion, struct err *err)
{
	const struct settings *settings = conversion->settings;
	uint64_t begin = trace_now();

	if (resume_refuse_names(conversion, err) < 0)
		return -1;
	conversion->conductor = conductor_open(conversion->input, settings,
					       conversion->ui, err);
	if (!conversion->conductor)
		return -1;
	if (conductor_probe(conversion->conductor, &conversion->image, err) <
	    0)
		return err_in(err, "%s", conversion->label);
	if (!conversion->in_place &&
	    refusals_size(settings, &conversion->image, err) < 0)
		return err_in(err, "%s", conversion->label);
	trace_file_span(conversion->trace, "probe", begin);
	begin = trace_now();
	if (refuse_consume(conversion, err) < 0 ||
	    checksums_make(settings, conversion->ui,
			   conductor_name(conversion->conductor),
			   &conversion->image, &conversion->expect, err) < 0)
		return -1;
	const struct planning_paths paths = {
		.input = conductor_input(conversion->conductor),
		.input_fd = conductor_input_fd(conversion->conductor),
		.output = conversion->output,
		.expect = &conversion->expect,
		.in_place = conversion->in_place,
	};
	if (planning_make(&conversion->planning, settings,
			  &conversion->image, &paths, err) < 0)
		return err->kind == ERR_REFUSED
			       ? err_in(err, "%s", conversion->label)
			       : -1;
	if (planning_choose(&conversion->planning, settings,
			    &conversion->plan, err) < 0)
		return err_in(err, "%s: %s (%s)", conversion->label,
			      conversion->image.report.title,
			      conversion->image.format);
	trace_file_span(conversion->trace, "plan", begin);
	return resume_refuse(conversion, err);
}

/* -o data_file=NAME: guest data goes to a second file. */
static int open_data_file(struct conversion *conversion, struct err *err)
{
	const struct target *target = &conversion->planning.target;
	const char *name =
		target->driver ? create_option(&target->create,
					       target->driver->options,
					       "data_file")
			       : NULL;

	if (!name || !*name)
		return 0;
	conversion->data = parts_add(conversion->parts, name, err);
	return conversion->data ? 0 : -1;
}

int conversion_open(struct conversion *conversion, struct err *err)
{
	const struct settings *settings = conversion->settings;
	const struct output_options options = {
		.force = settings->force,
		.resume = settings->resume,
		.if_changed = settings->if_changed,
		.sync = settings->sync,
		.in_place = conversion->in_place,
		.input = conversion->in_place
				 ? NULL
				 : conductor_input(conversion->conductor),
	};

	if (remote_kind(conversion->output) == REMOTE_NBD) {
		if (remote_open(conversion->output, settings,
				&conversion->server, err) < 0)
			return -1;
		const struct remote *input =
			conductor_remote(conversion->conductor);

		if (input->place == PROTOCOL_PLACE_NBD &&
		    nbd_uri_same(&input->nbd, &conversion->server.nbd))
			return err_set(err, ERR_CREATE,
				       "%s: is the input itself; give another "
				       "export", conversion->label);
		conversion->out = output_elsewhere();
	} else {
		conversion->out = output_open(conversion->output, &options,
					      err);
	}
	if (!conversion->out)
		return err_in(err, "%s", conversion->output);
	signals_watch_output(conversion->out, NULL);
	if (settings->if_changed &&
	    output_kind(conversion->out) != OUTPUT_FILE)
		return err_set(err, ERR_USAGE,
			       "--if-changed needs an OUTPUT that is a file");
	conversion->parts = parts_open(conversion->output, conversion->out,
				       &options);
	signals_watch_output(conversion->out, conversion->parts);
	return open_data_file(conversion, err);
}

static struct execution execution_of(struct conversion *conversion)
{
	return (struct execution){
		.settings = conversion->settings,
		.planning = &conversion->planning,
		.plan = &conversion->plan,
		.input = conversion->conductor,
		.input_path = conversion->input,
		.output = conversion->out,
		.output_path = conversion->output,
		.parts = conversion->parts,
		.data = conversion->data,
		.server = output_kind(conversion->out) == OUTPUT_EXPORT
				  ? &conversion->server
				  : NULL,
		.place = *conversion->place.name ? &conversion->place : NULL,
		.trace = conversion->trace,
		.ui = conversion->ui,
	};
}

/* An output's errors name what was being made. */
static int blame(const struct conversion *conversion, struct err *err)
{
	return err_in(err, "%s", err->kind == ERR_IO ||
					 err->kind == ERR_CREATE
				 ? conversion->output
				 : conversion->label);
}

int conversion_run(struct conversion *conversion, struct err *err)
{
	const struct execution execution = execution_of(conversion);
	uint64_t begin = trace_now();
	int result = execute_plan(&execution, &conversion->done, err);

	trace_file_span(conversion->trace, "run", begin);
	return result < 0 ? blame(conversion, err) : 0;
}

int conversion_verify(struct conversion *conversion, struct err *err)
{
	const struct execution execution = execution_of(conversion);
	uint64_t begin = trace_now();
	int result = execute_verify(&execution, &conversion->done, err);

	trace_file_span(conversion->trace, "verify", begin);
	return result < 0 ? blame(conversion, err) : 0;
}

static const char *last_tag(const struct conversion *conversion,
			    unsigned group)
{
	const struct plan *plan = &conversion->plan;

	return plan->count ? plan->step[plan->count - 1].after.tag[group]
			   : conversion->planning.problem.start.tag[group];
}

/* What the output does not have of what the input had. */
void conversion_tell_losses(struct conversion *conversion)
{
	const struct driver *target = conversion->planning.target.driver;
	char text[256], size[32];

	if (conversion->image.snapshots && !*last_tag(conversion,
						      TAG_SNAPSHOTS)) {
		snprintf(text, sizeof text, "%" PRIu32
			 " internal snapshots are not carried over",
			 conversion->image.snapshots);
		ui_note(conversion->ui, LOG_NOTE, text);
	}
	if (conversion->settings->size_request != SIZE_KEEP &&
	    conversion->settings->partition_fix &&
	    !strcmp(conversion->image.gpt, "stale"))
		ui_note(conversion->ui, LOG_NOTE,
			"the GUID partition table is damaged, or its backup "
			"is not at the end: it is left as it was");
	if (target && !target->sector_sizes &&
	    conversion->image.sector_size != 512 &&
	    !conversion->settings->sector_size && !conversion->in_place) {
		snprintf(text, sizeof text,
			 "the disk has sectors of %" PRIu32 " bytes, which %s "
			 "does not record: whoever uses it must know",
			 conversion->image.sector_size, target->name);
		ui_note(conversion->ui, LOG_NOTE, text);
	}
	if (conversion->done.spooled) {
		snprintf(text, sizeof text, "%s came before their tables and "
			 "were kept aside",
			 units_about(conversion->done.spooled, size,
				     sizeof size));
		ui_note(conversion->ui, LOG_NOTE, text);
	}
}

void conversion_tell_digest(const struct conversion *conversion)
{
	char text[DIGEST_TEXT_LEN];
	bool piped = !strcmp(conversion->output, "-");

	if (!conversion->settings->digest || !conversion->done.has_digest)
		return;
	digest_text(conversion->done.digest, text);
	fprintf(piped ? stderr : stdout, "%s  %s%s%s\n", text,
		conversion->output, *conversion->place.name ? ":" : "",
		conversion->place.name);
}

/* --consume: the input is gone when the output is safe. */
int conversion_consume(const struct conversion *conversion, struct err *err)
{
	const struct stat *then = conductor_input(conversion->conductor);
	struct stat now;

	if (!conversion->settings->consume ||
	    !strcmp(last_tag(conversion, TAG_PLACE), "moved") ||
	    !strcmp(conversion->input, "-"))
		return 0;
	/* Only what was read is removed. */
	if (lstat(conversion->input, &now) < 0 || now.st_dev != then->st_dev ||
	    now.st_ino != then->st_ino)
		return err_set(err, ERR_TEMPORARY,
			       "%s: is another file meanwhile, and was not "
			       "removed", conversion->input);
	if (unlink(conversion->input) < 0)
		return err_sys(err, ERR_IO, "%s: remove the input",
			       conversion->input);
	return 0;
}
