/* SPDX-License-Identifier: MIT */
/* Owns `imgconv convert`: open, probe, plan, run, commit, in this order. What
 * can fail early fails before any guest data moves; nothing is visible at the
 * output's name before the commit. `imgconv resize` is the same in place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/all_disks.h"
#include "cmd/appliance.h"
#include "cmd/commands.h"
#include "cmd/conversion.h"
#include "cmd/depfile.h"
#include "cmd/jobserver.h"
#include "cmd/machine.h"
#include "cmd/resume.h"
#include "cmd/same_file.h"
#include "cmd/signals.h"
#include "cmd/stage_table.h"
#include "cmd/trace_file.h"

/* The disks of an appliance share the first one's. */
static bool owns_output(const struct conversion *list, unsigned i)
{
	return !i || list[i].out != list[0].out;
}

static void note_file(void *opaque, const char *path)
{
	depfile_add(opaque, path);
}

/* -MF: what was read; NULL: it is not asked for. */
static struct depfile *list_files(const struct conversion *list,
				  unsigned count)
{
	struct depfile *depfile = NULL;

	if (!list->settings->depfile)
		return NULL;
	depfile = depfile_open();
	for (unsigned i = 0; i < count; i++)
		conductor_files(list[i].conductor, note_file, depfile);
	return depfile;
}

/* The first `count` were committed, and should not have been. */
static void withdraw(struct conversion *list, unsigned count)
{
	for (; count; count--)
		if (owns_output(list, count - 1))
			parts_withdraw(list[count - 1].parts);
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
	withdraw(list, i);
	return -1;
}

/* What is said when all is done; to a pipe that nobody reads it was not. */
static int tell(struct conversion *list, unsigned count, struct err *err)
{
	for (unsigned i = 0; i < count; i++) {
		conversion_tell_losses(&list[i]);
		conversion_tell_digest(&list[i]);
		stage_table_tell(list[i].ui, &list[i].done,
				 list[i].committing);
	}
	if (fflush(stdout) || ferror(stdout))
		return err_sys(err, ERR_IO, "standard output");
	return 0;
}

static int write_depfile(const struct conversion *list,
			 const struct depfile *depfile, struct err *err)
{
	const char *path = list->settings->depfile;

	return depfile && depfile_write(depfile, path, list->output, err) < 0
		       ? err_in(err, "%s", path)
		       : 0;
}

/* What an output would replace, if it is one of the files that were read. */
struct replaced {
	const char *output;
	bool found;
};

static void note_replaced(void *opaque, const char *path)
{
	struct replaced *replaced = opaque;

	if (same_file(replaced->output, path))
		replaced->found = true;
}

/* The input itself is refused when the output is opened. Asked before the run,
 * as far as it is known what else is read, and after it. */
static int refuse_replaced(const struct conversion *list, unsigned count,
			   struct err *err)
{
	for (unsigned i = 0; i < count; i++) {
		struct replaced replaced = { .output = list[i].output };

		if (list[i].in_place)
			continue;
		for (unsigned k = 0; k < count; k++)
			conductor_files(list[k].conductor, note_replaced,
					&replaced);
		if (replaced.found)
			return err_set(err, ERR_CREATE,
				       "%s: is a file that the input is made "
				       "of; give another name",
				       list[i].output);
	}
	return 0;
}

static int commit(struct conversion *list, unsigned count, struct err *err)
{
	struct depfile *depfile = list_files(list, count);
	int result = refuse_replaced(list, count, err);
	uint64_t begin = trace_now();
	bool named;

	if (!result && depfile)
		result = depfile_check(depfile, list->settings->depfile,
				       list->output, err);
	if (!result)
		result = commit_outputs(list, count, err);
	list->committing = trace_now() - begin;
	trace_file_span(list->trace, "commit", begin);
	named = !result;
	if (!result)
		result = write_depfile(list, depfile, err);
	depfile_close(depfile);
	if (!result)
		result = tell(list, count, err);
	if (result < 0 && named)
		withdraw(list, count);
	if (result < 0)
		return -1;
	for (unsigned i = 0; i < count; i++)
		if (conversion_consume(&list[i], err) < 0)
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
		result = conversion_run(&list[i], err);
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
		if (conversion_plan(&list[i], err) < 0)
			return -1;
	appliance = !strcmp(list->planning.target.archive, "ova") &&
		    !list->settings->all_disks;
	for (unsigned i = 0; i < (appliance ? 1 : count); i++)
		if (conversion_open(&list[i], err) < 0)
			return -1;
	if (refuse_replaced(list, count, err) < 0)
		return -1;
	conversion_tell_means(list);
	if (appliance && run_appliance(list, count, err) < 0)
		return -1;
	for (unsigned i = 0; i < count && !appliance; i++)
		if (conversion_run(&list[i], err) < 0)
			return -1;
	for (unsigned i = 0; i < count; i++)
		if (conversion_verify(&list[i], err) < 0)
			return -1;
	return commit(list, count, err);
}

/* What all of a command's conversions have in common. */
static void prepare(struct conversion *conversion,
		    const struct settings *settings, struct trace_file *trace,
		    struct ui *ui)
{
	conversion->settings = settings;
	conversion->ui = ui;
	conversion->trace = trace;
	conversion->server.socket = -1;
}

static void clear(struct conversion *list, unsigned count, int result,
		  struct err *err)
{
	if (result < 0)
		resume_end(list, count, err);
	for (unsigned i = 0; i < count; i++)
		conductor_close(list[i].conductor);
	signals_watch_output(NULL, NULL);
	for (unsigned i = count; i; i--) {
		struct conversion *one = &list[i - 1];

		if (!owns_output(list, i - 1))
			continue;
		remote_close(&one->server);
		parts_close(one->parts);
		output_close(one->out);
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

static int end(struct ui *take_ui, struct trace_file *take_trace, int result,
	       struct err *err)
{
	struct err failure;
	int status;

	/* What went wrong before is what counts. */
	if (trace_file_close(take_trace, result < 0 ? &failure : err) < 0)
		result = -1;

	jobserver_give_back();
	status = ui_end(take_ui, result < 0 ? err : NULL);
	ui_close(take_ui);
	return status;
}

static int run(const struct settings *settings, unsigned count,
	       const char *output, bool in_place)
{
	struct conversion *list = mem_zalloc(count * sizeof *list);
	struct trace_file *trace;
	struct ui *ui = ui_open(settings);
	struct err err = { .kind = ERR_NONE };
	struct settings own;
	int result;

	begin(settings, &own);
	result = trace_file_open(settings, &trace, &err);
	for (unsigned i = 0; i < count; i++) {
		prepare(&list[i], &own, trace, ui);
		list[i].input = settings->argument[i];
		list[i].label = settings->label[i];
		list[i].output = output;
		list[i].in_place = in_place;
	}
	if (!result)
		result = convert(list, count, &err);
	clear(list, count, result, &err);
	free(list);
	return end(ui, trace, result, &err);
}

/* Each disk is a conversion with a --member of its own. */
static int convert_all(const struct settings *settings,
		       struct trace_file *trace, struct ui *ui,
		       const struct disk_list *disks, struct err *err)
{
	struct conversion *list = mem_zalloc(disks->count * sizeof *list);
	struct settings *own = mem_zalloc(disks->count * sizeof *own);
	int result;

	for (unsigned i = 0; i < disks->count; i++) {
		own[i] = *settings;
		own[i].member = *disks->disk[i].member ? disks->disk[i].member
						       : NULL;
		prepare(&list[i], &own[i], trace, ui);
		list[i].input = settings->argument[0];
		list[i].label = settings->label[0];
		list[i].output = disks->disk[i].path;
	}
	result = convert(list, disks->count, err);
	clear(list, disks->count, result, err);
	free(own);
	free(list);
	return result;
}

static int run_all(const struct settings *settings)
{
	struct disk_list *disks = mem_zalloc(sizeof *disks);
	struct trace_file *trace;
	struct ui *ui = ui_open(settings);
	struct err err = { .kind = ERR_NONE };
	struct settings own;
	int result;

	begin(settings, &own);
	result = trace_file_open(settings, &trace, &err);
	if (!result)
		result = all_disks_find(&own, ui, disks, &err);
	if (!result && settings->dry_run)
		for (unsigned i = 0; i < disks->count; i++)
			ui_note(ui, LOG_NOTE, disks->disk[i].path);
	else if (!result)
		result = convert_all(&own, trace, ui, disks, &err);
	all_disks_clear(disks);
	free(disks);
	return end(ui, trace, result, &err);
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
