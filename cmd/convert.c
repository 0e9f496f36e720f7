/* SPDX-License-Identifier: MIT */
/* Owns `imgconv convert`: open, probe, plan, run, commit, in this order. What
 * can fail early fails before any guest data moves; nothing is visible at the
 * output's name before the commit. `imgconv resize` is the same in place. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/units.h"
#include "cmd/all_disks.h"
#include "cmd/appliance.h"
#include "cmd/checksums.h"
#include "cmd/commands.h"
#include "cmd/conductor.h"
#include "cmd/depfile.h"
#include "cmd/execute.h"
#include "cmd/jobserver.h"
#include "cmd/machine.h"
#include "cmd/parts.h"
#include "cmd/planning.h"
#include "cmd/remote.h"
#include "cmd/signals.h"
#include "transforms/tags.h"

/* One image on its way; the disks of an appliance share their output. */
struct conversion {
	const struct settings *settings;
	const char *input, *output;
	const char *label; /* of the input, for messages */
	bool in_place;
	struct ui *ui;
	struct conductor *conductor;
	struct image image;
	struct expectations expect;
	struct planning planning;
	struct plan plan;
	struct output *out;
	struct parts_list *parts;
	struct output *data; /* a qcow2's data file; one of the parts */
	struct remote server; /* that the output is on */
	struct member_place place; /* in an appliance */
	struct protocol_done done;
};

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
static void tell_means(const struct conversion *conversion)
{
	const struct price_list *list = &conversion->planning.price_list;
	char text[128], size[32];

	snprintf(text, sizeof text, "%u thread%s, %s of memory at most",
		 list->threads, list->threads == 1 ? "" : "s",
		 units_about(list->memory, size, sizeof size));
	ui_note(conversion->ui, LOG_DETAIL, text);
}

static int open_and_plan(struct conversion *conversion, struct err *err)
{
	const struct settings *settings = conversion->settings;

	conversion->conductor = conductor_open(conversion->input, settings,
					       conversion->ui, err);
	if (!conversion->conductor)
		return -1;
	if (conductor_probe(conversion->conductor, &conversion->image, err) <
	    0)
		return err_in(err, "%s", conversion->label);
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
	return 0;
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

static int open_output(struct conversion *conversion, struct err *err)
{
	const struct settings *settings = conversion->settings;
	const struct output_options options = {
		.force = settings->force,
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
		conversion->out = output_elsewhere();
	} else {
		conversion->out = output_open(conversion->output, &options,
					      err);
	}
	if (!conversion->out)
		return err_in(err, "%s", conversion->output);
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

static int run_plan(struct conversion *conversion, struct err *err)
{
	const struct execution execution = execution_of(conversion);

	return execute_plan(&execution, &conversion->done, err) < 0
		       ? blame(conversion, err)
		       : 0;
}

static int verify(struct conversion *conversion, struct err *err)
{
	const struct execution execution = execution_of(conversion);

	return execute_verify(&execution, &conversion->done, err) < 0
		       ? blame(conversion, err)
		       : 0;
}

static const char *last_tag(const struct conversion *conversion,
			    unsigned group)
{
	const struct plan *plan = &conversion->plan;

	return plan->count ? plan->step[plan->count - 1].after.tag[group]
			   : conversion->planning.problem.start.tag[group];
}

/* What the output does not have of what the input had. */
static void tell_losses(struct conversion *conversion)
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

static void tell_digest(const struct conversion *conversion)
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
static int consume(const struct conversion *conversion, struct err *err)
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

/* The disks of an appliance share the first one's. */
static bool owns_output(const struct conversion *list, unsigned i)
{
	return !i || list[i].out != list[0].out;
}

static void note_file(void *opaque, const char *path)
{
	depfile_add(opaque, path);
}

/* -MF: what was read, when there is what was made of it. */
static int write_depfile(const struct conversion *list, unsigned count,
			 struct err *err)
{
	const struct settings *settings = list->settings;
	struct depfile *depfile;
	int result;

	if (!settings->depfile)
		return 0;
	depfile = depfile_open();
	for (unsigned i = 0; i < count; i++)
		conductor_files(list[i].conductor, note_file, depfile);
	result = depfile_write(depfile, settings->depfile, list->output, err);
	depfile_close(depfile);
	return result < 0 ? err_in(err, "%s", settings->depfile) : 0;
}

/* All that can fail early has, before the first of several gets its name;
 * where one does not get it, those before lose theirs. */
static int commit_outputs(struct conversion *list, unsigned count,
			  struct err *err)
{
	unsigned i;

	for (i = 1; i < count; i++)
		if (output_settle(list[i].out, err) < 0)
			return err_in(err, "%s", list[i].output);
	for (i = 0; i < count; i++)
		if (owns_output(list, i) && parts_commit(list[i].parts, err) < 0)
			break;
	if (i == count)
		return 0;
	while (i-- > 0)
		output_withdraw(list[i].out);
	return -1;
}

static int commit(struct conversion *list, unsigned count, struct err *err)
{
	if (commit_outputs(list, count, err) < 0)
		return -1;
	if (write_depfile(list, count, err) < 0)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		tell_losses(&list[i]);
		tell_digest(&list[i]);
	}
	if (fflush(stdout) || ferror(stdout))
		return err_sys(err, ERR_IO, "standard output");
	for (unsigned i = 0; i < count; i++)
		if (consume(&list[i], err) < 0)
			return -1;
	return 0;
}

/* The disks of an appliance go into one output, one behind the other, and
 * what is said of them in front when all are there. */
static int run_appliance(struct conversion *list, unsigned count,
			 struct err *err)
{
	struct appliance_making *making = appliance_making_open(
		&list->planning.target, list->output,
		list->settings->source_date, count, err);
	int result = making ? 0 : -1;

	for (unsigned i = 0; i < count && !result; i++) {
		list[i].out = list->out;
		list[i].parts = list->parts;
		appliance_making_place(making, i, &list[i].place);
		result = run_plan(&list[i], err);
		if (!result)
			appliance_making_made(making, i, &list[i].done,
					      list[i].image.size);
	}
	if (!result)
		result = appliance_making_seal(making, output_fd(list->out),
					       err);
	appliance_making_close(making);
	return result;
}

static int convert(struct conversion *list, unsigned count, struct err *err)
{
	bool appliance;

	for (unsigned i = 0; i < count; i++)
		if (open_and_plan(&list[i], err) < 0)
			return -1;
	appliance = !strcmp(list->planning.target.archive, "ova") &&
		    !list->settings->all_disks;
	for (unsigned i = 0; i < (appliance ? 1 : count); i++)
		if (open_output(&list[i], err) < 0)
			return -1;
	tell_means(list);
	if (appliance && run_appliance(list, count, err) < 0)
		return -1;
	for (unsigned i = 0; i < count && !appliance; i++)
		if (run_plan(&list[i], err) < 0)
			return -1;
	for (unsigned i = 0; i < count; i++)
		if (verify(&list[i], err) < 0)
			return -1;
	return commit(list, count, err);
}

/* What all of a command's conversions have in common. */
static void prepare(struct conversion *conversion,
		    const struct settings *settings, struct ui *ui)
{
	conversion->settings = settings;
	conversion->ui = ui;
	conversion->server.socket = -1;
}

static void clear(struct conversion *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		conductor_close(list[i].conductor);
	signals_watch_output(NULL, NULL);
	for (unsigned i = count; i-- > 0;) {
		if (!owns_output(list, i))
			continue;
		remote_close(&list[i].server);
		parts_close(list[i].parts);
		output_close(list[i].out);
	}
}

/* The settings with the threads that make grants. */
static void begin(const struct settings *settings, struct settings *own)
{
	*own = *settings;
	signals_setup();
	if (!own->threads)
		own->jobs = jobserver_take(getenv("MAKEFLAGS"),
					   machine_processors());
}

static int end(struct ui *take_ui, int result, struct err *err)
{
	int status;

	jobserver_give_back();
	status = ui_end(take_ui, result < 0 ? err : NULL);
	ui_close(take_ui);
	return status;
}

static int run(const struct settings *settings, unsigned count,
	       const char *output, bool in_place)
{
	struct conversion *list = mem_zalloc(count * sizeof *list);
	struct ui *ui = ui_open(settings);
	struct err err = { .kind = ERR_NONE };
	struct settings own;
	int result;

	begin(settings, &own);
	for (unsigned i = 0; i < count; i++) {
		prepare(&list[i], &own, ui);
		list[i].input = settings->argument[i];
		list[i].label = settings->label[i];
		list[i].output = output;
		list[i].in_place = in_place;
	}
	result = convert(list, count, &err);
	clear(list, count);
	free(list);
	return end(ui, result, &err);
}

/* Each disk is a conversion with a --member of its own. */
static int convert_all(const struct settings *settings, struct ui *ui,
		       const struct disk_list *disks, struct err *err)
{
	struct conversion *list = mem_zalloc(disks->count * sizeof *list);
	struct settings *own = mem_zalloc(disks->count * sizeof *own);
	int result;

	for (unsigned i = 0; i < disks->count; i++) {
		own[i] = *settings;
		own[i].member = *disks->disk[i].member ? disks->disk[i].member
						       : NULL;
		prepare(&list[i], &own[i], ui);
		list[i].input = settings->argument[0];
		list[i].label = settings->label[0];
		list[i].output = disks->disk[i].path;
	}
	result = convert(list, disks->count, err);
	clear(list, disks->count);
	free(own);
	free(list);
	return result;
}

static int run_all(const struct settings *settings)
{
	struct disk_list *disks = mem_zalloc(sizeof *disks);
	struct ui *ui = ui_open(settings);
	struct err err = { .kind = ERR_NONE };
	struct settings own;
	int result;

	begin(settings, &own);
	result = all_disks_find(&own, ui, disks, &err);
	if (!result && settings->dry_run)
		for (unsigned i = 0; i < disks->count; i++)
			ui_note(ui, LOG_NOTE, disks->disk[i].path);
	else if (!result)
		result = convert_all(&own, ui, disks, &err);
	all_disks_clear(disks);
	free(disks);
	return end(ui, result, &err);
}

int command_convert(const struct settings *settings)
{
	unsigned inputs = settings->argument_count - 1;

	if (settings->all_disks)
		return run_all(settings);
	if (settings->dry_run)
		return command_plan(settings);
	return run(settings, inputs, settings->argument[inputs], false);
}

int command_resize(const struct settings *settings)
{
	if (settings->dry_run)
		return command_plan(settings);
	return run(settings, 1, settings->argument[0], true);
}
