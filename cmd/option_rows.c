/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of options and what each does to the settings. Does not
 * parse the command line, nor judge options against each other.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/options.h"
#include "formats/codecs/codec.h"
#include "formats/foreign.h"
#include "formats/probe.h"

/* Below this not even one thread has room for its units and tables. */
#define MEMORY_LEAST (16 * MIB)
#define THREADS_MOST 1024
#define WRAP_LEVEL_MOST 22

static int parse_number(const char *text, unsigned least, unsigned most,
			unsigned *out, struct err *err)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < least || value > most)
		return err_set(err, ERR_USAGE,
			       "\"%s\" is not a number from %u to %u", text,
			       least, most);
	*out = (unsigned)value;
	return 0;
}

static int parse_bytes(const char *text, uint64_t *out, struct err *err)
{
	if (units_parse_size(text, out))
		return err_set(err, ERR_USAGE,
			       "\"%s\" is not a size (a number, then K, M, G, "
			       "T, P or E)",
			       text);
	if (*out > LIMIT_DISK_SIZE)
		return err_set(err, ERR_USAGE,
			       "%s is more than the largest disk, 1E", text);
	return 0;
}

int option_size(struct settings *settings, const char *text, struct err *err)
{
	bool relative = *text == '+';

	if (parse_bytes(text + relative, &settings->size, err))
		return -1;
	settings->size_request = relative ? SIZE_RELATIVE : SIZE_ABSOLUTE;
	return 0;
}

/* ---- formats ---- */

/* A format that is not ours, but that the probe or qemu-img knows. */
static bool foreign_name(const char *name, bool archives)
{
	enum probe_class class;
	const char *known, *title;

	if (foreign_by_name(name))
		return true;
	for (unsigned i = 0; (known = probe_known(i, &class, &title)); i++)
		if (!strcasecmp(known, name))
			return archives || class == PROBE_IMAGE;
	return false;
}

static void add_word(char *list, size_t room, const char *word)
{
	size_t used = strlen(list);

	snprintf(list + used, room - used, "%s%s", used ? ", " : "", word);
}

/* Archives are named as inputs only, to be refused by name later. */
int option_check_format(const char *name, bool archives, struct err *err)
{
	char list[640] = "";
	enum probe_class class;
	const char *known, *title;

	if (driver_by_name(name) || foreign_name(name, archives))
		return 0;
	for (const struct driver *const *row = driver_table; *row; row++)
		add_word(list, sizeof list, (*row)->name);
	for (unsigned i = 0; (known = probe_known(i, &class, &title)); i++)
		if (!driver_by_name(known) &&
		    (archives || class == PROBE_IMAGE))
			add_word(list, sizeof list, known);
	return err_set(err, ERR_USAGE, "unknown format \"%s\" (known: %s)",
		       name, list);
}

static int apply_from(struct settings *settings, const char *text,
		      struct err *err)
{
	settings->from = text;
	return option_check_format(text, true, err);
}

static int apply_to(struct settings *settings, const char *text,
		    struct err *err)
{
	AUTO_FREE char *format = mem_strdup(text);
	int id;

	settings->to = text;
	/* Compressions around it: "qcow2.xz". Each turn makes it shorter. */
	while ((id = codec_by_suffix(format)) >= 0)
		format[strlen(format) -
		       strlen(codec_get((enum codec_id)id)->suffix)] = '\0';
	return option_check_format(format, false, err);
}

/* One "key=value" up to the next single comma; returns what follows it. A
 * doubled comma stands for one. */
static const char *next_pair(const char *text, char *out, size_t room)
{
	size_t len = 0;

	/* Ends at the text's end at the latest. */
	for (; *text; text++) {
		if (*text == ',' && *++text != ',')
			break;
		if (len + 1 < room)
			out[len++] = *text;
	}
	out[len] = '\0';
	return text;
}

static int add_pair(struct create_options *create, const char *pair,
		    struct err *err)
{
	const char *equals = strchr(pair, '=');
	unsigned at = create->option_count;
	size_t name_len = equals ? (size_t)(equals - pair) : 0;

	if (!name_len)
		return err_set(err, ERR_USAGE,
			       "\"%s\" is not KEY=VALUE (imgconv formats lists "
			       "the keys)",
			       pair);
	if (at == CREATE_OPTIONS_MAX)
		return err_set(err, ERR_USAGE, "more than %u keys",
			       CREATE_OPTIONS_MAX);
	if (name_len >= sizeof create->option[at].name ||
	    strlen(equals + 1) >= sizeof create->option[at].value)
		return err_set(err, ERR_USAGE, "\"%.40s...\" is too long",
			       pair);
	snprintf(create->option[at].name, sizeof create->option[at].name,
		 "%.*s", (int)name_len, pair);
	snprintf(create->option[at].value, sizeof create->option[at].value,
		 "%s", equals + 1);
	create->option_count++;
	return 0;
}

static int apply_option(struct settings *settings, const char *text,
			struct err *err)
{
	char pair[1024];

	do {
		text = next_pair(text, pair, sizeof pair);
		if (add_pair(&settings->create, pair, err))
			return -1;
	} while (*text);
	return 0;
}

static int apply_backing(struct settings *settings, const char *text,
			 struct err *err)
{
	if (!*text)
		return err_set(err, ERR_USAGE, "the name is empty");
	settings->backing = text;
	return 0;
}

static void set_compress(struct create_options *create, const char *type)
{
	snprintf(create->compress, sizeof create->compress, "%s", type);
}

static int apply_compress_default(struct settings *settings, const char *text,
				  struct err *err)
{
	(void)text, (void)err;
	if (!*settings->create.compress)
		set_compress(&settings->create, "default");
	return 0;
}

static int apply_compress(struct settings *settings, const char *text,
			  struct err *err)
{
	static const struct {
		const char *type;
		unsigned most; /* level */
	} types[] = { { "zlib", 12 }, { "zstd", 19 } };
	size_t len = strcspn(text, ":");
	unsigned level = 0;

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (len != strlen(types[i].type) ||
		    memcmp(text, types[i].type, len))
			continue;
		if (text[len] &&
		    parse_number(text + len + 1, 1, types[i].most, &level, err))
			return err_in(err, "level of %s", types[i].type);
		set_compress(&settings->create, types[i].type);
		settings->create.compress_level = (int)level;
		return 0;
	}
	return err_set(err, ERR_USAGE,
		       "unknown compression \"%.*s\" (zlib or zstd, then "
		       ":LEVEL if wanted)",
		       (int)len, text);
}

/* ---- resources ---- */

static int apply_threads(struct settings *settings, const char *text,
			 struct err *err)
{
	return parse_number(text, 1, THREADS_MOST, &settings->threads, err);
}

static int apply_memory(struct settings *settings, const char *text,
			struct err *err)
{
	if (parse_bytes(text, &settings->memory, err))
		return -1;
	if (settings->memory < MEMORY_LEAST)
		return err_set(err, ERR_USAGE, "%s is less than 16M", text);
	return 0;
}

static int apply_tmpdir(struct settings *settings, const char *text,
			struct err *err)
{
	struct stat st;

	if (stat(text, &st) || !S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "\"%s\" is not a directory",
			       text);
	settings->tmpdir = text;
	return 0;
}

static int apply_wrap_level(struct settings *settings, const char *text,
			    struct err *err)
{
	unsigned level = 0;

	if (parse_number(text, 1, WRAP_LEVEL_MOST, &level, err))
		return -1;
	settings->wrap_level = (int)level;
	return 0;
}

/* ---- names and choices ---- */

static int apply_references(struct settings *settings, const char *text,
			    struct err *err)
{
	struct stat st;

	settings->allow_references = true;
	if (!*text)
		return 0;
	if (stat(text, &st) || !S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "\"%s\" is not a directory",
			       text);
	settings->references_dir = text;
	return 0;
}

static int apply_secret(struct settings *settings, const char *text,
			struct err *err)
{
	if (access(text, R_OK))
		return err_set(err, ERR_USAGE, "\"%s\" cannot be read", text);
	settings->secret = text;
	return 0;
}

static int apply_ssh_config(struct settings *settings, const char *text,
			    struct err *err)
{
	if (access(text, R_OK))
		return err_set(err, ERR_USAGE, "\"%s\" cannot be read", text);
	settings->ssh_config = text;
	return 0;
}

static int apply_snapshot(struct settings *settings, const char *text,
			  struct err *err)
{
	if (!*text || strlen(text) > 255)
		return err_set(err, ERR_USAGE,
			       "the name must have 1 to 255 bytes");
	settings->snapshot = text;
	return 0;
}

static int apply_member(struct settings *settings, const char *text,
			struct err *err)
{
	if (!*text || strlen(text) > 255)
		return err_set(err, ERR_USAGE,
			       "a name or a number must have 1 to 255 bytes");
	settings->member = text;
	return 0;
}

static int apply_sector_size(struct settings *settings, const char *text,
			     struct err *err)
{
	if (strcmp(text, "512") && strcmp(text, "4096"))
		return err_set(err, ERR_USAGE, "\"%s\" is not 512 or 4096",
			       text);
	settings->sector_size = (uint32_t)atoi(text);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 digits, hyphens anywhere between them, braces around if there are. */
static int apply_uuid(struct settings *settings, const char *text,
		      struct err *err)
{
	struct create_options *create = &settings->create;
	unsigned digits = 0;

	memset(create->uuid, 0, sizeof create->uuid);
	for (const char *c = text; *c; c++) {
		int value = hex_digit(*c);

		if (value < 0 && strchr("-{}", *c))
			continue;
		if (value < 0 || digits == 32)
			digits = 33;
		if (digits == 33)
			break;
		create->uuid[digits / 2] |=
			(unsigned char)(digits % 2 ? value : value << 4);
		digits++;
	}
	if (digits != 32)
		return err_set(err, ERR_USAGE,
			       "\"%s\" is not a UUID (32 hexadecimal digits)",
			       text);
	create->has_uuid = true;
	return 0;
}

static int apply_plan(struct settings *settings, const char *text,
		      struct err *err)
{
	if (!*text)
		return err_set(err, ERR_USAGE,
			       "a number or an id from imgconv plan --all is "
			       "needed");
	settings->plan = text;
	return 0;
}

static int apply_bar(struct settings *settings, const char *text,
		     struct err *err)
{
	(void)text, (void)err;
	settings->progress = PROGRESS_BAR;
	return 0;
}

static int apply_progress(struct settings *settings, const char *text,
			  struct err *err)
{
	static const char *const styles[] = { [PROGRESS_NONE] = "none",
					      [PROGRESS_BAR] = "bar",
					      [PROGRESS_JSON] = "json" };

	for (unsigned i = 0; i < sizeof styles / sizeof *styles; i++)
		if (!strcmp(text, styles[i])) {
			settings->progress = (enum progress_style)i;
			return 0;
		}
	return err_set(err, ERR_USAGE, "\"%s\" is not bar, json or none", text);
}

static int refuse_n(struct settings *settings, const char *text,
		    struct err *err)
{
	(void)settings, (void)text;
	return err_set(err, ERR_USAGE,
		       "-n means something else in qemu-img (skip creation); "
		       "here it is --dry-run");
}

/* ---- the table ---- */

#define CONVERT OPTION_FOR_CONVERT
#define PLAN OPTION_FOR_PLAN
#define INFO OPTION_FOR_INFO
#define MAP OPTION_FOR_MAP
#define COMPARE OPTION_FOR_COMPARE
#define CHECK OPTION_FOR_CHECK
#define CREATE OPTION_FOR_CREATE
#define RESIZE OPTION_FOR_RESIZE
#define FORMATS OPTION_FOR_FORMATS
#define MEASURE OPTION_FOR_MEASURE
#define ROUTED (CONVERT | PLAN)
#define SHAPED (ROUTED | MEASURE)
#define READING (SHAPED | INFO | MAP | COMPARE | CHECK | RESIZE)

#define ON(field) NULL, offsetof(struct settings, field), true
#define OFF(field) NULL, offsetof(struct settings, field), false
#define CALL(function) function, 0, false

const struct option_row option_rows[] = {
	{ "from", 'f', "FORMAT", "the input's format, whatever its bytes say",
	  READING, CALL(apply_from) },
	{ "to", 'O', "FORMAT", "the output's format, not by its name; qcow2.xz: "
				"and a compression",
	  SHAPED | CREATE, CALL(apply_to) },
	{ "option", 'o', "KEY=VALUE,...",
	  "options of the output's format; \",,\" is a comma in a value",
	  SHAPED | CREATE, CALL(apply_option) },
	{ "backing", 'b', "FILE", "make an overlay over this image", CREATE,
	  CALL(apply_backing) },
	{ NULL, 'c', NULL,
	  "compress inside the image, by the format's default type", SHAPED,
	  CALL(apply_compress_default) },
	{ "compress", 0, "TYPE[:LEVEL]",
	  "compress inside the image: zlib or zstd, and how hard", SHAPED,
	  CALL(apply_compress) },
	{ "size", 's', "[+]SIZE", "make the disk this large, or so much larger",
	  SHAPED, CALL(option_size) },
	{ "shrink", 0, NULL, "let the disk become smaller, if nothing is cut",
	  SHAPED | RESIZE, ON(shrink) },
	{ "no-partition-fix", 0, NULL,
	  "leave the backup GPT where it was when the size changes",
	  SHAPED | RESIZE, OFF(partition_fix) },
	{ "no-pad", 0, NULL, "refuse rather than pad the end to a sector",
	  SHAPED, OFF(pad) },
	{ "snapshot", 'l', "NAME", "read this snapshot, by name or id",
	  SHAPED | INFO | MAP | COMPARE, CALL(apply_snapshot) },
	{ "member", 0, "NAME|N",
	  "the disk to read where a file holds several, by name or number",
	  READING, CALL(apply_member) },
	{ "secret", 0, "FILE", "the pass phrase of an encrypted input",
	  ROUTED, CALL(apply_secret) },
	{ "ssh-config", 0, "FILE",
	  "the SSH configuration for ssh:// inputs, instead of your own",
	  READING, CALL(apply_ssh_config) },
	{ "allow-references", 0, "[=DIR]",
	  "follow files an image names, in its folder or in DIR", READING,
	  CALL(apply_references) },
	{ "force", 0, NULL, "replace an output that exists", ROUTED | CREATE,
	  ON(force) },
	{ "target-is-zero", 0, NULL, "the output device reads as zero already",
	  ROUTED, ON(target_is_zero) },
	{ "consume", 0, NULL, "the input may be moved, and is gone afterwards",
	  ROUTED, ON(consume) },
	{ "rewrite", 0, NULL, "write a new image even if the old one would do",
	  SHAPED, ON(rewrite) },
	{ "wrap-level", 0, "N", "how hard to compress the file as a whole",
	  SHAPED, CALL(apply_wrap_level) },
	{ "reproducible", 0, NULL,
	  "only routes whose bytes depend on input and options alone", ROUTED,
	  ON(reproducible) },
	{ "unique", 0, NULL, "fresh identifiers in the output",
	  ROUTED | CREATE, ON(unique) },
	{ "uuid", 0, "UUID", "this identifier for the output's disk",
	  ROUTED | CREATE, CALL(apply_uuid) },
	{ "sector-size", 0, "512|4096",
	  "the output's logical sector size, whatever the input's is",
	  SHAPED | CREATE, CALL(apply_sector_size) },
	{ "verify", 0, NULL, "read the output again and compare", ROUTED,
	  ON(verify) },
	{ "digest", 0, NULL, "print the SHA-256 of the guest's bytes", ROUTED,
	  ON(digest) },
	{ "no-sync", 0, NULL, "do not wait until the output is on the disk",
	  ROUTED | RESIZE | CREATE, OFF(sync) },
	{ "threads", 'm', "N", "use so many threads, 1 to 1024",
	  SHAPED | COMPARE | RESIZE, CALL(apply_threads) },
	{ "memory", 0, "SIZE", "use at most so much memory",
	  SHAPED | COMPARE | CHECK | RESIZE, CALL(apply_memory) },
	{ "tmpdir", 0, "DIR", "where temporary files go", READING,
	  CALL(apply_tmpdir) },
	{ "plan", 0, "N|ID", "take this plan of imgconv plan --all",
	  SHAPED | RESIZE, CALL(apply_plan) },
	{ "dry-run", 0, NULL, "check and plan, then stop", ROUTED | RESIZE,
	  ON(dry_run) },
	{ "all", 0, NULL, "every plan, the cheapest first", PLAN, ON(all) },
	{ "json", 0, NULL, "answer in JSON",
	  PLAN | MEASURE | INFO | MAP | COMPARE | CHECK | FORMATS, ON(json) },
	{ "dot", 0, NULL, "answer as a graph for graphviz", PLAN, ON(dot) },
	{ NULL, 'p', NULL, "show progress, as --progress=bar",
	  SHAPED | RESIZE | COMPARE, CALL(apply_bar) },
	{ "progress", 0, "STYLE", "show progress: bar, json or none",
	  SHAPED | RESIZE | COMPARE, CALL(apply_progress) },
	{ "quiet", 'q', NULL, "errors only", OPTION_FOR_ALL, ON(quiet) },
	{ "verbose", 'v', NULL, "say how things were decided", OPTION_FOR_ALL,
	  ON(verbose) },
	{ NULL, 'n', NULL, NULL, OPTION_FOR_ALL, CALL(refuse_n) },
	{ NULL, 0, NULL, NULL, 0, CALL(NULL) }
};
