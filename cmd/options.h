/* SPDX-License-Identifier: MIT */
/* The command line: one table of rows is the parser, --help, and what the
 * manual is compared with. */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cmd/settings.h"

/* struct command's `options`, and which commands a row is for. */
enum {
	OPTION_FOR_CONVERT = 1 << 0,
	OPTION_FOR_PLAN = 1 << 1,
	OPTION_FOR_INFO = 1 << 2,
	OPTION_FOR_MAP = 1 << 3,
	OPTION_FOR_COMPARE = 1 << 4,
	OPTION_FOR_CHECK = 1 << 5,
	OPTION_FOR_CREATE = 1 << 6,
	OPTION_FOR_RESIZE = 1 << 7,
	OPTION_FOR_FORMATS = 1 << 8,
	OPTION_FOR_MEASURE = 1 << 9,
	OPTION_FOR_INSPECT = 1 << 10,
	OPTION_FOR_ALL = (1 << 11) - 1
};

/* One option. Without `apply` it is a switch: the bool at `offset` of struct
 * settings becomes `value`. */
struct option_row {
	const char *name;     /* long form, without dashes; or NULL */
	char letter;	      /* short form, or 0 */
	const char *argument; /* "SIZE"; "[=DIR]": optional; NULL: none */
	const char *help;     /* one line; NULL: refused, not shown */
	unsigned commands;    /* OPTION_FOR_* */
	/* `text` lives as long as the settings. ERR_USAGE without the option's
	 * name, which the caller puts in front. */
	int (*apply)(struct settings *settings, const char *text,
		     struct err *err);
	size_t offset;
	bool value;
};

/* Is it written with one dash, and its argument apart, as compilers have it
 * ("-MF FILE")? All that begin with a capital are. */
bool options_one_dash(const struct option_row *row);

#define OPTION_ROWS_MAX 128

/* In the order of --help; ends with a row without `commands`. */
extern const struct option_row option_rows[];

/* A whole number from `least` to `most`. */
int option_number(const char *text, unsigned least, unsigned most,
		  unsigned *out, struct err *err);

/* "20G", "+4G" into size and size_request. */
int option_size(struct settings *settings, const char *text, struct err *err);

/* Is `name` a format, ours or one only known by name? ERR_USAGE lists all. */
int option_check_format(const char *name, bool archives, struct err *err);

/* What to do instead of running a command. */
enum options_request {
	OPTIONS_RUN,
	OPTIONS_USAGE, /* there were no arguments at all */
	OPTIONS_HELP,  /* of settings.command, or of all if that is NULL */
	OPTIONS_VERSION
};

struct options {
	struct settings settings;
	enum options_request request;
	/* The rest is the parser's. */
	bool given[OPTION_ROWS_MAX]; /* option_rows[i] was there */
	void *context;
	char **texts;
	unsigned text_count;
};

/* Fills *options; 0, or -1 with ERR_USAGE (ERR_UNSUPPORTED for what was not
 * built in). To be closed in either case. `table` ends with a NULL name; its
 * first row is the command that may be left out. */
int options_parse(struct options *options, int argc, char **argv,
		  const struct command *table, struct err *err);
void options_close(struct options *options);

/* help.c, on standard output (the usage on stderr). */
void help_usage(void);
void help_print(const struct command *table, const struct command *command);
void help_version(void);

#endif
