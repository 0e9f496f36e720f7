/* SPDX-License-Identifier: MIT */
/* The probe on disk images by other people, if they are on this machine:
 * $IMGCONV_CORPUS or shared/corpus beside the source's folder. */
#include <libgen.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/limits.h"
#include "formats/probe.h"
#include "tests/unit/check.h"

static char folder[4096];

static bool ends(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n >= s && !strcmp(name + n - s, suffix);
}

static bool probe_file(const char *path, struct probe_report *report)
{
	struct probe_input in = { .size_known = true, .tail_reachable = true };
	FILE *f = fopen(path, "rb");
	uint64_t offset;
	size_t len;

	if (!f)
		return false;
	fseeko(f, 0, SEEK_END);
	in.size = (uint64_t)ftello(f);
	while (probe_layer(&in, report, &offset, &len) == PROBE_NEED) {
		struct probe_window *w = &in.window[in.count++];
		unsigned char *bytes = malloc(len);

		fseeko(f, (off_t)offset, SEEK_SET);
		w->offset = offset;
		w->len = fread(bytes, 1, len, f);
		w->bytes = bytes;
	}
	for (unsigned i = 0; i < in.count; i++)
		free((void *)(uintptr_t)in.window[i].bytes);
	fclose(f);
	return true;
}

/* What is inside, as a stream of unknown length. */
static void probe_inside(const char *path, struct probe_report *report)
{
	static unsigned char bytes[LIMIT_PROBE_LEN];
	struct probe_input in = { .count = 1 };
	uint64_t offset;
	char command[8192 + 64];
	size_t len;
	FILE *f;

	snprintf(command, sizeof command, "%s -dc '%s' 2>/dev/null",
		 ends(path, ".gz") ? "gzip" : "bzip2", path);
	f = popen(command, "r");
	in.window[0].bytes = bytes;
	in.window[0].len = f ? fread(bytes, 1, sizeof bytes, f) : 0;
	if (f)
		pclose(f);
	CHECK_EQ(probe_layer(&in, report, &offset, &len), PROBE_DONE);
}

static void check_is(const char *file, const char *format, bool flat,
		     const struct probe_report *r)
{
	bool raw = r->class == PROBE_GUEST || r->class == PROBE_BLANK;
	bool right =
		!strcmp(format, "raw") || flat ? raw : !strcmp(r->name, format);

	if (!right || r->conflict[0])
		fprintf(stderr, "%s: %s, found %s (%s) %s\n", file, format,
			r->name, r->evidence, r->conflict);
	CHECK(right);
	CHECK_STR(r->conflict, "");
}

static void check_row(char *line)
{
	char *format = strsep(&line, "\t"), *file = strsep(&line, "\t");
	struct probe_report report;
	char path[8192];
	bool flat;

	if (!file || !line)
		return;
	flat = strstr(line, "plain (flat)") != NULL;
	snprintf(path, sizeof path, "%s/%s", folder, file);
	if (!probe_file(path, &report)) {
		printf("not there: %s\n", file);
		return;
	}
	if (!ends(file, ".gz") && !ends(file, ".bz2")) {
		check_is(file, format, flat, &report);
		return;
	}
	check_is(file, ends(file, ".gz") ? "gz" : "bz2", false, &report);
	probe_inside(path, &report);
	check_is(file, format, flat, &report);
}

int main(void)
{
	const char *given = getenv("IMGCONV_CORPUS");
	char source[] = __FILE__, line[8192], path[8192];
	FILE *list;

	if (given)
		snprintf(folder, sizeof folder, "%s", given);
	else
		snprintf(folder, sizeof folder, "%s/../../../shared/corpus",
			 dirname(source));
	snprintf(path, sizeof path, "%s/corpus.tsv", folder);
	list = fopen(path, "r");
	if (!list) {
		printf("skipped: no %s\n", path);
		return 77;
	}
	if (!fgets(line, sizeof line, list)) /* the column names */
		line[0] = 0;
	while (fgets(line, sizeof line, list))
		check_row(line);
	fclose(list);
	return check_result();
}
