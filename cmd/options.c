/* SPDX-License-Identifier: MIT */
/*
 * Owns the way from argv to settings: popt over the table of rows, the
 * sub-command, and what options say together. Does not know what an option
 * does (option_rows.c).
 */
#include "cmd/options.h"

#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"
#include "cmd/consumers.h"
#include "cmd/jobserver.h"
#include "cmd/json.h"
#include "cmd/remote.h"
#include "cmd/wraps.h"

#define REFERENCES "--allow-references"
#define ROWS_MAX OPTION_ROWS_MAX
#define VALUE_HELP 1000
#define VALUE_VERSION 1001

/* "--size", "-c": how a row is called in messages. */
static const char *row_label(const struct option_row *row, char *buf,
			     size_t len)
{
	if (row->name)
		snprintf(buf, len, "%s%s", options_one_dash(row) ? "-" : "--",
			 row->name);
	else
		snprintf(buf, len, "-%c", row->letter);
	return buf;
}

static bool given(const struct options *options, const char *name)
{
	for (unsigned i = 0; option_rows[i].commands; i++)
		if (option_rows[i].name && !strcmp(option_rows[i].name, name))
			return options->given[i];
	return false;
}

bool options_one_dash(const struct option_row *row)
{
	return row->name && row->name[0] >= 'A' && row->name[0] <= 'Z';
}

/* ---- popt ---- */

/* The rows as popt wants them; `out` has room for ROWS_MAX. */
static void make_table(struct poptOption *out)
{
	unsigned i;

	for (i = 0; i < ROWS_MAX - 3 && option_rows[i].commands; i++)
		out[i] = (struct poptOption){
			.longName = option_rows[i].name,
			.shortName = option_rows[i].letter,
			.argInfo = (option_rows[i].argument
					    ? (unsigned)POPT_ARG_STRING
					    : (unsigned)POPT_ARG_NONE) |
				   (options_one_dash(&option_rows[i])
					    ? POPT_ARGFLAG_ONEDASH
					    : 0),
			.val = (int)i + 1,
		};
	out[i++] = (struct poptOption){ .longName = "help",
					.shortName = 'h',
					.val = VALUE_HELP };
	out[i++] = (struct poptOption){ .longName = "version",
					.shortName = 'V',
					.val = VALUE_VERSION };
	out[i] = (struct poptOption){ .longName = NULL };
}

/* popt would let an optional argument swallow the next word: a bare
 * --allow-references gets its (empty) argument here. */
static const char **copy_arguments(int argc, char **argv)
{
	const char **copy = mem_zalloc(((size_t)argc + 1) * sizeof *copy);
	bool options = true;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--"))
			options = false;
		copy[i] = options && !strcmp(argv[i], REFERENCES) ? REFERENCES
				  "="
								  : argv[i];
	}
	return copy;
}

static int parse_error(poptContext context, int code, struct err *err)
{
	const char *word = poptBadOption(context, 0);

	switch (code) {
	case POPT_ERROR_BADOPT:
		return err_set(err, ERR_USAGE,
			       "unknown option %s (see imgconv --help)", word);
	case POPT_ERROR_NOARG:
		return err_set(err, ERR_USAGE, "%s needs an argument", word);
	case POPT_ERROR_UNWANTEDARG:
		return err_set(err, ERR_USAGE, "%s takes no argument", word);
	default:
		return err_set(err, ERR_USAGE, "%s: %s", word,
			       poptStrerror(code));
	}
}

static int take_option(struct options *options, unsigned index, char *text,
		       struct err *err)
{
	const struct option_row *row = &option_rows[index];
	char label[40];

	options->given[index] = true;
	if (!row->apply) {
		bool *field =
			(bool *)((char *)&options->settings + row->offset);

		*field = row->value;
		return 0;
	}
	if (!row->apply(&options->settings, text ? text : "", err))
		return 0;
	return row->help
		       ? err_in(err, "%s", row_label(row, label, sizeof label))
		       : -1;
}

static int take_options(struct options *options, struct err *err)
{
	poptContext context = options->context;
	int value;

	while ((value = poptGetNextOpt(context)) > 0) {
		char *text = poptGetOptArg(context);

		if (text)
			options->texts[options->text_count++] = text;
		if (value == VALUE_HELP)
			options->request = OPTIONS_HELP;
		else if (value == VALUE_VERSION)
			options->request = OPTIONS_VERSION;
		else if (take_option(options, (unsigned)value - 1, text, err))
			return -1;
	}
	return value < -1 ? parse_error(context, value, err) : 0;
}

/* ---- sub-command and arguments ---- */

static const struct command *find_command(const struct command *table,
					  const char *name)
{
	for (; name && table->name; table++)
		if (!strcmp(table->name, name))
			return table;
	return NULL;
}

/* `imgconv help [CMD]`. */
static int take_help(struct options *options, const struct command *table,
		     struct err *err)
{
	const char *name = poptGetArg(options->context);

	options->request = OPTIONS_HELP;
	if (!name)
		return 0;
	options->settings.command = find_command(table, name);
	if (!options->settings.command)
		return err_set(err, ERR_USAGE, "unknown command \"%s\"", name);
	return 0;
}

/* The first argument, where it is a sub-command's name, else the default. */
static int take_command(struct options *options, const struct command *table,
			struct err *err)
{
	const char *first = poptPeekArg(options->context);

	if (first && !strcmp(first, "help")) {
		poptGetArg(options->context);
		return take_help(options, table, err);
	}
	options->settings.command = find_command(table, first);
	if (options->settings.command)
		poptGetArg(options->context);
	else if (options->request == OPTIONS_RUN)
		options->settings.command = table;
	return 0;
}

/* A word that was meant as a command ends up as convert's only argument. */
static int too_few(const struct settings *settings, struct err *err)
{
	const struct command *command = settings->command;

	if (command->options & OPTION_FOR_CONVERT && settings->argument_count)
		return err_set(err, ERR_USAGE,
			       "too few arguments: %s needs %s, and \"%s\" is "
			       "not a command",
			       command->name, command->arguments,
			       settings->argument[0]);
	return err_set(err, ERR_USAGE, "too few arguments: %s needs %s",
		       command->name, command->arguments);
}

/* Only an appliance has several inputs. */
static int check_inputs(const struct settings *settings, struct err *err)
{
	AUTO_FREE char *name = NULL;
	const char *wrap;

	if (settings->command->most != ARGUMENTS_MAX ||
	    settings->argument_count <= 2)
		return 0;
	name = mem_strdup(settings->to ? settings->to
			  : settings->argument[settings->argument_count - 1]);
	wrap = settings->to && !strcasecmp(settings->to, "ova")
		       ? settings->to
		       : wraps_take(name);
	if (wrap && !strcasecmp(wrap, "ova"))
		return 0;
	return err_set(err, ERR_USAGE,
		       "\"%s\" is too much: %s takes %s; only an appliance "
		       "(.ova) has several inputs", settings->argument[2],
		       settings->command->name, settings->command->arguments);
}

static int take_arguments(struct options *options, struct err *err)
{
	struct settings *settings = &options->settings;
	const struct command *command = settings->command;
	const unsigned most = settings->coefficients ? 0 : command->most;
	const char *text;

	while ((text = poptGetArg(options->context))) {
		if (settings->argument_count == most)
			return err_set(err, ERR_USAGE,
				       "\"%s\" is too much: %s%s takes %s",
				       text, command->name,
				       settings->coefficients
					       ? " --coefficients" : "",
				       most ? command->arguments
					    : "no arguments");
		if (!*text)
			return err_set(err, ERR_USAGE,
				       "an argument is empty (%s takes %s)",
				       command->name, command->arguments);
		options->texts[options->text_count] = remote_shown(text);
		settings->label[settings->argument_count] =
			options->texts[options->text_count++];
		/* A copy: hide_secrets changes the words. */
		options->texts[options->text_count] = mem_strdup(text);
		settings->argument[settings->argument_count++] =
			options->texts[options->text_count++];
	}
	if (settings->coefficients)
		return 0;
	if (settings->argument_count <
	    (settings->all_disks ? 1 : command->least))
		return too_few(settings, err);
	if (check_inputs(settings, err))
		return -1;
	/* resize says its size as an argument. */
	if (command->options & OPTION_FOR_RESIZE &&
	    option_size(settings, settings->argument[command->least - 1], err))
		return err_in(err, "SIZE");
	return 0;
}

/* ---- what options say together ---- */

static int check_command(const struct options *options, struct err *err)
{
	const struct command *command = options->settings.command;
	char label[40];

	for (unsigned i = 0; option_rows[i].commands; i++)
		if (options->given[i] &&
		    !(option_rows[i].commands & command->options))
			return err_set(
				err, ERR_USAGE, "%s is not an option of %s",
				row_label(&option_rows[i], label, sizeof label),
				command->name);
	return 0;
}

static int check_pairs(const struct options *options, struct err *err)
{
	static const char *const pairs[][2] = {
		{ "quiet", "verbose" },
		{ "json", "dot" },
		{ "unique", "reproducible" },
		{ "unique", "uuid" },
		{ "unique", "resume" },
		{ "all", "plan" },
		{ "coefficients", "all" },
		{ "coefficients", "plan" },
		{ "coefficients", "json" },
		{ "coefficients", "dot" },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (given(options, pairs[i][0]) && given(options, pairs[i][1]))
			return err_set(err, ERR_USAGE,
				       "--%s and --%s contradict each other",
				       pairs[i][0], pairs[i][1]);
	return 0;
}

static bool is_stream(const char *name)
{
	return name && !strcmp(name, "-");
}

/* Every disk goes to a name of its own. */
static int check_all_disks(const struct options *options, struct err *err)
{
	const struct settings *settings = &options->settings;

	if (settings->argument_count != 1)
		return err_set(err, ERR_USAGE,
			       "--all-disks takes INPUT alone: outputs are "
			       "named after its disks");
	if (!settings->to)
		return err_set(err, ERR_USAGE,
			       "--all-disks needs -O with the format of what "
			       "is made");
	if (settings->member || settings->consume || settings->depfile)
		return err_set(err, ERR_USAGE,
			       "--all-disks and %s contradict each other",
			       settings->member	   ? "--member"
			       : settings->consume ? "--consume"
						   : "-MF");
	if (is_stream(settings->argument[0]))
		return err_set(err, ERR_USAGE,
			       "--all-disks reads its input more than once: "
			       "store it in a file first");
	return 0;
}

/* Options that need another one, or another kind of argument. */
static int check_needs(const struct options *options, struct err *err)
{
	const struct settings *settings = &options->settings;
	const unsigned converts = OPTION_FOR_CONVERT | OPTION_FOR_PLAN;

	if (!(settings->command->options & converts))
		return 0;
	if (settings->all_disks && check_all_disks(options, err) < 0)
		return -1;
	if (settings->shrink && settings->size_request == SIZE_KEEP)
		return err_set(err, ERR_USAGE, "--shrink needs --size");
	if (settings->shrink && settings->size_request == SIZE_RELATIVE)
		return err_set(err, ERR_USAGE,
			       "--shrink needs --size with the new size, not "
			       "with what to add");
	if (settings->consume && is_stream(settings->argument[0]))
		return err_set(err, ERR_USAGE,
			       "--consume needs a file, not standard input");
	if (settings->consume &&
	    remote_kind(settings->argument[0]) != REMOTE_NONE)
		return err_set(err, ERR_USAGE,
			       "--consume needs a file, not a URL");
	if (settings->verify && !settings->all_disks &&
	    is_stream(settings->argument[settings->argument_count - 1]))
		return err_set(err, ERR_USAGE,
			       "--verify reads the output again, and standard "
			       "output cannot be read");
	return 0;
}

static bool is_output(const struct settings *settings, unsigned argument)
{
	unsigned command = settings->command->options;

	if (command & (OPTION_FOR_RESIZE | OPTION_FOR_CREATE))
		return true;
	return command & (OPTION_FOR_CONVERT | OPTION_FOR_PLAN) &&
	       !settings->all_disks &&
	       argument == settings->argument_count - 1;
}

/* Over HTTP nothing is written, and who knows SSH here only reads. */
static int check_output(const struct settings *settings, struct err *err)
{
	for (unsigned i = 0; i < settings->argument_count; i++) {
		enum remote_kind kind = remote_kind(settings->argument[i]);

		if ((kind == REMOTE_HTTP || kind == REMOTE_SSH) &&
		    is_output(settings, i))
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: nothing is written to a server of "
				       "this kind; make a file, then upload it",
				       settings->label[i]);
	}
	return 0;
}

/* The process list shows the command line for as long as this runs. Same
 * lengths, so that whatever points into it stays right. */
static void hide_secrets(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *text = strstr(argv[i], "://"), *at, *colon, *query;

		if (!text)
			continue;
		text += 3;
		at = memrchr(text, '@', strcspn(text, "/?#"));
		colon = at ? memchr(text, ':', (size_t)(at - text)) : NULL;
		query = text + strcspn(text, "?#");
		if (colon)
			memset(colon + 1, 'x', (size_t)(at - colon) - 1);
		if (*query)
			memset(query + 1, 'x', strlen(query + 1));
	}
}

/* What --for means, where the command line did not say otherwise. */
static int apply_consumer(struct options *options, struct err *err)
{
	struct settings *settings = &options->settings;
	bool writes = settings->command->options &
		      (OPTION_FOR_CONVERT | OPTION_FOR_PLAN);

	if (settings->command->options & OPTION_FOR_CHECK)
		return 0;
	return consumer_apply(
		settings->consumer,
		writes && !settings->all_disks
			? settings->argument[settings->argument_count - 1]
			: NULL,
		settings, err);
}

static int check_built(const struct settings *settings, struct err *err)
{
	if (settings->json && json_require("--json", err))
		return -1;
	if (settings->progress == PROGRESS_JSON)
		return json_require("--progress=json", err);
	return 0;
}

/* What is no number of seconds is none. */
static int64_t source_date(void)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	char *end;
	long long seconds = text ? strtoll(text, &end, 10) : 0;

	return text && *text >= '0' && *text <= '9' && !*end ? seconds : 0;
}

static void set_defaults(struct options *options)
{
	memset(options, 0, sizeof *options);
	options->settings.program = "imgconv";
	options->settings.partition_fix = true;
	options->settings.sync = true;
	options->settings.pad = true;
	options->settings.max_size = LIMIT_SIZE_UNASKED;
#ifdef SANDBOX_DEFAULT
	options->settings.sandbox = SANDBOX_DEFAULT;
#endif
}

int options_parse(struct options *options, int argc, char **argv,
		  const struct command *table, struct err *err)
{
	struct poptOption rows[ROWS_MAX];
	AUTO_FREE const char **copy = copy_arguments(argc, argv);

	set_defaults(options);
	if (argc < 2) {
		options->request = OPTIONS_USAGE;
		return 0;
	}
	make_table(rows);
	/* An option's argument is a word or its rest, a label and an argument
	 * stand for a word: never more than two each. */
	options->texts = mem_zalloc(2 * (size_t)argc * sizeof *options->texts);
	options->context = poptGetContext("imgconv", argc, copy, rows, 0);
	if (take_options(options, err) || take_command(options, table, err))
		return -1;
	if (options->request != OPTIONS_RUN)
		return 0;
	if (check_command(options, err) || take_arguments(options, err) ||
	    check_pairs(options, err))
		return -1;
	/* Without arguments there is nothing more to say. */
	if (options->settings.coefficients)
		return 0;
	if (check_needs(options, err) ||
	    check_output(&options->settings, err))
		return -1;
	hide_secrets(argc, argv);
	if (options->settings.consumer && apply_consumer(options, err))
		return -1;
	if (options->settings.if_changed)
		options->settings.force = true;
	/* Two runs make one output. */
	if (options->settings.resume)
		options->settings.reproducible = true;
	/* make -n runs some recipes all the same, those with a +. */
	if (options->settings.command->options &
		    (OPTION_FOR_CONVERT | OPTION_FOR_RESIZE |
		     OPTION_FOR_CREATE) &&
	    jobserver_dry_run(getenv("MAKEFLAGS")))
		options->settings.dry_run = true;
	/* The environment's wish is weaker than the command line's. */
	if (getenv("SOURCE_DATE_EPOCH") && !options->settings.unique)
		options->settings.reproducible = true;
	options->settings.source_date = source_date();
	return check_built(&options->settings, err);
}

void options_close(struct options *options)
{
	if (options->context)
		poptFreeContext(options->context);
	options->context = NULL;
	for (unsigned i = 0; i < options->text_count; i++)
		free(options->texts[i]);
	free(options->texts);
	options->texts = NULL;
	options->text_count = 0;
}
