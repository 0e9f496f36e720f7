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
#include "cmd/checksum.h"
#include "cmd/option_output.h"
#include "cmd/option_remote.h"
#include "cmd/options.h"
#include "cmd/wraps.h"
#include "formats/foreign.h"
#include "formats/probe.h"

/* Below this not even one thread has room for its units and tables. */
#define MEMORY_LEAST (16 * MIB)
#define THREADS_MOST 1024
#define WRAP_LEVEL_MOST 22

int option_number(const char *text, unsigned least, unsigned most,
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

	settings->to = text;
	if (!strcasecmp(text, "ova"))
		return 0;
	/* What is around it: "qcow2.xz". Ends: it gets shorter. */
	wraps_spell_out(&format);
	while (wraps_take(format))
		;
	return option_check_format(format, false, err);
}

/* ---- resources ---- */

static int apply_threads(struct settings *settings, const char *text,
			 struct err *err)
{
	return option_number(text, 1, THREADS_MOST, &settings->threads, err);
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

static int apply_max_size(struct settings *settings, const char *text,
			  struct err *err)
{
	if (parse_bytes(text, &settings->max_size, err))
		return -1;
	return settings->max_size ? 0
				  : err_set(err, ERR_USAGE,
					    "nothing is 0 bytes or less");
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

	if (option_number(text, 1, WRAP_LEVEL_MOST, &level, err))
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

static int apply_checksum(struct settings *settings, const char *text,
			  struct err *err)
{
	const unsigned most =
		sizeof settings->checksum / sizeof *settings->checksum;
	struct checksum_word word;

	if (checksum_read_word(text, &word, err) < 0)
		return -1;
	if (settings->checksum_count == most)
		return err_set(err, ERR_USAGE, "more than %u of them", most);
	settings->checksum[settings->checksum_count++] = text;
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

static int apply_trace(struct settings *settings, const char *text,
		       struct err *err)
{
	if (!*text || !strcmp(text, "-"))
		return err_set(err, ERR_USAGE, "a file is needed");
	settings->trace = text;
	return 0;
}

static int apply_bar(struct settings *settings, const char *text,
		     struct err *err)
{
	(void)text, (void)err;
	settings->progress = PROGRESS_BAR;
	return 0;
}

/* The number of the word that `text` is. */
static int choose(const char *text, const char *const *words, unsigned count,
		  unsigned *out, struct err *err)
{
	char list[64] = "";

	for (*out = 0; *out < count; ++*out)
		if (!strcmp(text, words[*out]))
			return 0;
	for (unsigned i = 0; i < count; i++)
		snprintf(list + strlen(list), sizeof list - strlen(list),
			 "%s%s", !i ? "" : i == count - 1 ? " or " : ", ",
			 words[i]);
	return err_set(err, ERR_USAGE, "\"%s\" is not %s", text, list);
}
#define CHOOSE(text, words, out, err) \
	choose(text, words, sizeof(words) / sizeof *(words), out, err)

static int apply_progress(struct settings *settings, const char *text,
			  struct err *err)
{
	static const char *const styles[] = { [PROGRESS_NONE] = "none",
					      [PROGRESS_BAR] = "bar",
					      [PROGRESS_JSON] = "json" };
	unsigned style;

	if (CHOOSE(text, styles, &style, err) < 0)
		return -1;
	settings->progress = (enum progress_style)style;
	return 0;
}

static int apply_cache(struct settings *settings, const char *text,
		       struct err *err)
{
	static const char *const ways[] = { [PAGE_CACHE_AUTO] = "auto",
					    [PAGE_CACHE_DIRECT] = "direct",
					    [PAGE_CACHE_NONE] = "none" };
	unsigned way;

	if (CHOOSE(text, ways, &way, err) < 0)
		return -1;
	settings->cache = (enum page_cache)way;
	return 0;
}

static int apply_sandbox(struct settings *settings, const char *text,
			 struct err *err)
{
	static const char *const modes[] = { [SANDBOX_AUTO] = "auto",
					     [SANDBOX_REQUIRE] = "require",
					     [SANDBOX_OFF] = "off" };
	unsigned mode;

	if (CHOOSE(text, modes, &mode, err) < 0)
		return -1;
	settings->sandbox = (enum sandbox_mode)mode;
	return 0;
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
#define INSPECT OPTION_FOR_INSPECT
#define ROUTED (CONVERT | PLAN)
#define SHAPED (ROUTED | MEASURE)
#define FOLLOWING (SHAPED | INFO | MAP | COMPARE | CHECK | RESIZE)
#define READING (FOLLOWING | INSPECT)
#define REMOTE (SHAPED | INFO | MAP | COMPARE | CHECK | INSPECT)

#define ON(field) NULL, offsetof(struct settings, field), true
#define OFF(field) NULL, offsetof(struct settings, field), false
#define CALL(function) function, 0, false

const struct option_row option_rows[] = {
	{ "from", 'f', "FORMAT", "the input's format, whatever its bytes say",
	  READING, CALL(apply_from) },
	{ "to", 'O', "FORMAT", "the output's format, not by its name; qcow2.xz: "
				"and a compression",
	  SHAPED | CREATE, CALL(apply_to) },
	{ "for", 0, "TARGET", "what a cloud or hypervisor accepts; see targets",
	  SHAPED | CHECK, CALL(option_for) },
	{ "option", 'o', "KEY=VALUE,...",
	  "options of the output's format; \",,\" is a comma in a value",
	  SHAPED | CREATE, CALL(option_option) },
	{ "backing", 'b', "FILE", "make an overlay over this image", CREATE,
	  CALL(option_backing) },
	{ NULL, 'c', NULL,
	  "compress inside the image, by the format's default type", SHAPED,
	  CALL(option_compress_default) },
	{ "compress", 0, "TYPE[:LEVEL]",
	  "compress inside the image: zlib or zstd, and how hard", SHAPED,
	  CALL(option_compress) },
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
	{ "all-disks", 0, "DIR",
	  "convert every disk of the input into a file in DIR", CONVERT,
	  CALL(option_all_disks) },
	{ "member-name", 0, "NAME", "what the image is called in an archive",
	  SHAPED, CALL(option_member_name) },
	{ "tar-format", 0, "ustar|gnu", "the dialect of a tar, default ustar",
	  SHAPED, CALL(option_tar_format) },
	{ "checksum", 0, "[KIND:]HEX|FILE",
	  "the input must have this digest, or the one in FILE",
	  ROUTED | CHECK, CALL(apply_checksum) },
	{ "secret", 0, "FILE", "the pass phrase of an encrypted input",
	  ROUTED, CALL(apply_secret) },
	{ "ssh-config", 0, "FILE",
	  "the SSH configuration for ssh:// inputs, instead of your own",
	  READING, CALL(apply_ssh_config) },
	{ "allow-references", 0, "[=DIR]",
	  "follow files an image names, in its folder or in DIR", FOLLOWING,
	  CALL(apply_references) },
	{ "force", 0, NULL, "replace an output that exists", ROUTED | CREATE,
	  ON(force) },
	{ "if-changed", 0, NULL,
	  "replace an output that exists, but not by the same bytes", CONVERT,
	  ON(if_changed) },
	{ "resume", 0, NULL,
	  "go on where the same command was interrupted", CONVERT,
	  ON(resume) },
	{ "MF", 0, "FILE", "say in FILE, for make and ninja, what was read",
	  CONVERT, CALL(option_depfile) },
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
	  ROUTED | CREATE, CALL(option_uuid) },
	{ "sector-size", 0, "512|4096",
	  "the output's logical sector size, whatever the input's is",
	  SHAPED | CREATE, CALL(option_sector_size) },
	{ "verify", 0, NULL, "read the output again and compare", ROUTED,
	  ON(verify) },
	{ "digest", 0, NULL, "print the SHA-256 of the guest's bytes", ROUTED,
	  ON(digest) },
	{ "no-sync", 0, NULL, "do not wait until the output is on the disk",
	  ROUTED | RESIZE | CREATE, OFF(sync) },
	{ "cache", 0, "auto|direct|none",
	  "what stays in the page cache: small files, nothing",
	  ROUTED | COMPARE | CHECK, CALL(apply_cache) },
	{ "threads", 'm', "N", "use so many threads, 1 to 1024",
	  SHAPED | COMPARE | RESIZE, CALL(apply_threads) },
	{ "memory", 0, "SIZE", "use at most so much memory",
	  SHAPED | COMPARE | CHECK | RESIZE, CALL(apply_memory) },
	{ "max-size", 0, "SIZE",
	  "refuse what has, or unpacks to, more; default 64T",
	  SHAPED | COMPARE | CHECK | MAP | INSPECT, CALL(apply_max_size) },
	{ "tmpdir", 0, "DIR", "where temporary files go", READING,
	  CALL(apply_tmpdir) },
	{ "connections", 0, "N", "to a server, at a time", REMOTE,
	  CALL(option_connections) },
	{ "timeout", 0, "SECONDS", "give up on a server that is silent so long",
	  REMOTE, CALL(option_timeout) },
	{ "retries", 0, "N", "try again so often what failed on a server",
	  REMOTE, CALL(option_retries) },
	{ "cacert", 0, "FILE", "trust servers that these certificates vouch for",
	  REMOTE, CALL(option_ca_file) },
	{ "cert", 0, "FILE", "the certificate to show to a server", REMOTE,
	  CALL(option_cert_file) },
	{ "key", 0, "FILE", "its key, where that is in a file of its own",
	  REMOTE, CALL(option_key_file) },
	{ "netrc", 0, NULL, "names and passwords for servers are in ~/.netrc",
	  REMOTE, ON(remote.netrc) },
	{ "netrc-file", 0, "FILE", "the same, in this file", REMOTE,
	  CALL(option_netrc_file) },
	{ "proxy", 0, "URL", "reach servers through this proxy", REMOTE,
	  CALL(option_proxy) },
	{ "plan", 0, "N|ID", "take this plan of imgconv plan --all",
	  SHAPED | RESIZE, CALL(apply_plan) },
	{ "sandbox", 0, "require|auto|off",
	  "how what reads the image is closed in, default auto", READING,
	  CALL(apply_sandbox) },
	{ "dry-run", 0, NULL, "check and plan, then stop", ROUTED | RESIZE,
	  ON(dry_run) },
	{ "all", 0, NULL, "every plan, the cheapest first", PLAN, ON(all) },
	{ "coefficients", 0, NULL,
	  "the numbers that costs are worked out with, as IMGCONV_COSTS takes "
	  "them", PLAN, ON(coefficients) },
	{ "json", 0, NULL, "answer in JSON",
	  PLAN | MEASURE | INFO | INSPECT | MAP | COMPARE | CHECK | FORMATS,
	  ON(json) },
	{ "shallow", 0, NULL, "judge by headers: no tables, nothing unpacked",
	  INSPECT, ON(shallow) },
	{ "dot", 0, NULL, "answer as a graph for graphviz", PLAN, ON(dot) },
	{ NULL, 'p', NULL, "show progress, as --progress=bar",
	  SHAPED | RESIZE | COMPARE, CALL(apply_bar) },
	{ "progress", 0, "STYLE", "show progress: bar, json or none",
	  SHAPED | RESIZE | COMPARE, CALL(apply_progress) },
	{ "trace", 0, "FILE", "say in FILE, for chrome://tracing, what took when",
	  CONVERT | RESIZE, CALL(apply_trace) },
	{ "quiet", 'q', NULL, "errors only", OPTION_FOR_ALL, ON(quiet) },
	{ "verbose", 'v', NULL, "say how things were decided", OPTION_FOR_ALL,
	  ON(verbose) },
	{ NULL, 'n', NULL, NULL, OPTION_FOR_ALL, CALL(refuse_n) },
	{ NULL, 0, NULL, NULL, 0, CALL(NULL) }
};
