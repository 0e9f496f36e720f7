/* SPDX-License-Identifier: MIT */
/* Owns --help, --version and the usage, all from the tables. */
#include <stdio.h>
#include <string.h>

#include "cmd/json.h"
#include "cmd/options.h"
#include "formats/codecs/codec.h"
#include "io/http.h"

#define HEAD_COLUMN 32

void help_usage(void)
{
	fputs("usage: imgconv [OPTIONS] INPUT OUTPUT\n"
	      "       imgconv COMMAND [OPTIONS] ARGUMENTS\n"
	      "Try imgconv --help.\n",
	      stderr);
}

static void print_row(const char *head, const char *help)
{
	int width = (int)strlen(head);

	printf("  %s%*s%s\n", head,
	       width + 2 < HEAD_COLUMN ? HEAD_COLUMN - 2 - width : 1, "", help);
}

static void print_option(const struct option_row *row)
{
	char head[80], letter[8] = "", name[32] = "";
	bool optional = row->argument && *row->argument == '[' &&
			row->argument[1] == '=';

	if (row->letter)
		snprintf(letter, sizeof letter, "-%c%s", row->letter,
			 row->name ? ", " : "");
	if (row->name)
		snprintf(name, sizeof name, "%s%s",
			 options_one_dash(row) ? "-" : "--", row->name);
	snprintf(head, sizeof head, "%s%s%s%s", letter, name,
		 !row->argument || optional ? ""
		 : options_one_dash(row)    ? " "
					    : "=",
		 row->argument ? row->argument : "");
	print_row(head, row->help);
}

static void print_options(unsigned commands)
{
	printf("\noptions:\n");
	for (const struct option_row *row = option_rows; row->commands; row++)
		if (row->help && row->commands & commands)
			print_option(row);
	print_row("-h, --help", "show this");
	print_row("-V, --version", "show the version and what was built in");
}

static void print_commands(const struct command *table)
{
	char head[80];

	printf("\ncommands:\n");
	for (; table->name; table++) {
		if (!table->help)
			continue;
		snprintf(head, sizeof head, "%s%s%s", table->name,
			 *table->arguments ? " " : "", table->arguments);
		print_row(head, table->help);
	}
	print_row("help [COMMAND]", "show the options of a command");
}

void help_print(const struct command *table, const struct command *command)
{
	if (command) {
		printf("usage: imgconv %s [OPTIONS]%s%s\n%s\n", command->name,
		       *command->arguments ? " " : "", command->arguments,
		       command->help);
		print_options(command->options);
		return;
	}
	printf("usage: imgconv [convert] [OPTIONS] INPUT OUTPUT\n"
	       "       imgconv COMMAND [OPTIONS] ARGUMENTS\n"
	       "Any disk image in, any disk image out, by the cheapest "
	       "route.\n");
	print_commands(table);
	print_options(OPTION_FOR_ALL);
}

void help_version(void)
{
	printf("imgconv " IMGCONV_VERSION "\n");
	for (unsigned id = 0; id < CODEC_COUNT; id++) {
		const struct codec *codec = codec_get(id);

		printf("%s: %s\n", codec->name,
		       codec_built(codec) ? codec->library : "not built in");
	}
	for (unsigned id = 0; id < BLOCK_COUNT; id++) {
		const char *library = block_codec_library(id);

		printf("%s inside images: %s\n",
		       block_codec_name((enum block_codec_id)id),
		       library ? library : "not built in");
	}
	printf("json: %s\n", json_library() ? json_library() : "not built in");
	printf("http: %s\n", http_built() ? "libcurl" : "not built in");
}
