/* SPDX-License-Identifier: MIT */
/* Owns the table of sub-commands and the order of a run. Does none of the
 * work. */
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/ui.h"

static const struct command commands[] = {
	{ "convert", "INPUT OUTPUT",
	  "convert an image (the word convert may be left out)", 2,
	  ARGUMENTS_MAX,
	  OPTION_FOR_CONVERT, command_convert },
	{ "plan", "INPUT OUTPUT", "show how it would be converted", 2,
	  ARGUMENTS_MAX,
	  OPTION_FOR_PLAN, command_plan },
	{ "info", "IMAGE", "show what an image is, layer by layer", 1, 1,
	  OPTION_FOR_INFO, command_info },
	{ "inspect", "IMAGE", "say whether an image of unknown origin is safe",
	  1, 1, OPTION_FOR_INSPECT, command_inspect },
	{ "map", "IMAGE", "show where an image stores what", 1, 1,
	  OPTION_FOR_MAP, command_map },
	{ "compare", "A B", "compare what two images hold", 2, 2,
	  OPTION_FOR_COMPARE, command_compare },
	{ "check", "IMAGE", "check an image's consistency", 1, 1,
	  OPTION_FOR_CHECK, command_check },
	{ "measure", "IMAGE",
	  "say how long the output of a conversion would be", 1, 1,
	  OPTION_FOR_MEASURE, command_measure },
	{ "create", "FORMAT IMAGE [SIZE]",
	  "make an empty image or an overlay (-O F: without FORMAT)", 1, 3,
	  OPTION_FOR_CREATE, command_create },
	{ "resize", "IMAGE SIZE", "change an image's size in place", 2, 2,
	  OPTION_FOR_RESIZE, command_resize },
	{ "formats", "", "show what can be read and written", 0, 0,
	  OPTION_FOR_FORMATS, command_formats },
	{ "targets", "[NAME]", "show what --for does for whom, and why", 0, 1,
	  OPTION_FOR_FORMATS, command_targets },
	/* Not for every day: no help tells of it, SECURITY.md does. */
	{ "sandbox-test", "", NULL, 0, 0, OPTION_FOR_FORMATS,
	  command_sandbox_test },
	{ NULL, NULL, NULL, 0, 0, 0, NULL },
};

/* A file opened on a closed standard descriptor would take messages for its
 * data. Input and answers then fail as they should, messages go nowhere. */
static void restore_descriptors(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_RDWR };

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0)
			_exit(EX_OSERR);
}

/* An image may be a thousand files, each held open: as many as are granted. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Address space may be limited to what memory is: by default each thread takes
 * 8 MiB for its stack, and 64 MiB or more as an arena of the C library's. */
static void spare_address_space(void)
{
	enum { ARENAS = 4, STACK = 2 << 20 };
	pthread_attr_t attributes;

#ifdef __GLIBC__
	mallopt(M_ARENA_MAX, ARENAS);
#endif
	if (pthread_attr_init(&attributes))
		return;
	/* Without it there is less room, no less right. */
	if (!pthread_attr_setstacksize(&attributes, STACK))
		(void)pthread_setattr_default_np(&attributes);
	pthread_attr_destroy(&attributes);
}

/* The error of a command line: no command runs, nothing else is said. */
static int refuse(const struct options *options, const struct err *err)
{
	struct ui *ui = ui_open(&options->settings);
	int status = ui_end(ui, err);

	ui_close(ui);
	return status;
}

static int run(const struct options *options)
{
	const struct settings *settings = &options->settings;

	switch (options->request) {
	case OPTIONS_USAGE:
		help_usage();
		return err_status(ERR_USAGE);
	case OPTIONS_HELP:
		help_print(commands, settings->command);
		break;
	case OPTIONS_VERSION:
		help_version();
		break;
	case OPTIONS_RUN:
		return settings->command->run(settings);
	}
	if (fflush(stdout) || ferror(stdout)) {
		struct err err;

		err_sys(&err, ERR_IO, "standard output");
		return refuse(options, &err);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options options;
	struct err err = { 0 };
	int status;

	restore_descriptors();
	raise_descriptors();
	spare_address_space();
	if (options_parse(&options, argc, argv, commands, &err))
		status = refuse(&options, &err);
	else
		status = run(&options);
	options_close(&options);
	/* ui_end says 128 + N for signal N: let the parent see the signal. */
	if (status > 128) {
		signal(status - 128, SIG_DFL);
		raise(status - 128);
	}
	return status;
}
