/* SPDX-License-Identifier: MIT */
/*
 * Owns the order in which an image is judged, and which failures are reasons.
 * What facts mean is judge_facts.c's; what the caller asked for besides (a
 * format, a name) is not known here.
 */
#include "transforms/judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/files.h"
#include "transforms/judge_facts.h"
#include "transforms/layer.h"
#include "transforms/tagging_survey.h"

/* The words that drivers and codecs have for a file that ends too early. No
 * decision hangs on it: without them it is damaged, which is as unsafe. */
static bool is_cut(const char *message)
{
	static const char *const words[] = {
		"past the end of the", "ends within", "cut short", "cut off",
		"is cut", "ends before", "ends in the middle",
		"no footer at the end",
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strstr(message, words[i]))
			return true;
	return false;
}

/* Whatever a header lacks that has no room in the file was cut off. */
#define HEADER_LEAST 512

/* Bytes of tables that are gone through in any image: seconds. */
#define TABLES_LEAST GIB

/* A failure that the image is to blame for: true. */
static bool blame(struct judgement *verdict, const struct err *failed)
{
	const struct image *image = &verdict->image;
	bool tiny = image->stored_known && image->stored_size < HEADER_LEAST;
	enum reason reason;

	switch (failed->kind) {
	case ERR_DAMAGED:
		reason = tiny || is_cut(failed->message) ? REASON_TRUNCATED
							 : REASON_DAMAGED;
		break;
	case ERR_LIMIT:
		reason = REASON_TOO_LARGE;
		break;
	case ERR_UNSUPPORTED:
		reason = REASON_UNSUPPORTED_FORMAT;
		break;
	case ERR_USAGE: /* nobody said which disk */
		if (*image->layer[0].tag || driver_by_name(image->format)) {
			reason = REASON_SEVERAL_DISKS;
			break;
		}
		return false;
	default:
		return false;
	}
	judge_add(verdict, reason, "%s", failed->message);
	return true;
}

/* A layer that is said to hold more than may be unpacked. */
static bool layers_too_large(struct judgement *verdict, uint64_t most)
{
	const struct image *image = &verdict->image;

	for (unsigned i = 0; i < image->layers; i++) {
		const struct image_layer *layer = &image->layer[i];

		if (!layer->size_known || layer->size <= most)
			continue;
		judge_add(verdict, REASON_TOO_LARGE,
			  "the %s holds %" PRIu64 " bytes, more than the %"
			  PRIu64 " of --max-size", layer->tag, layer->size,
			  most);
		return true;
	}
	return false;
}

static bool disk_too_large(struct judgement *verdict, uint64_t most)
{
	if (!verdict->image.size_known || verdict->image.size <= most)
		return false;
	judge_add(verdict, REASON_TOO_LARGE,
		  "the disk has %" PRIu64 " bytes, more than the %" PRIu64
		  " of --max-size", verdict->image.size, most);
	return true;
}

/* Which disk of an archive is meant is a choice, unless it was made: --member
 * makes one. */
static void judge_archives(struct judgement *verdict, bool chosen)
{
	const struct image *image = &verdict->image;

	for (unsigned i = 0; i < image->layers; i++) {
		if (!layer_is_archive(image->layer[i].tag))
			continue;
		if (!chosen)
			judge_add(verdict, REASON_ARCHIVE,
				  "%s archive, of which \"%s\" was taken for "
				  "the disk; --member says which it is",
				  image->layer[i].tag, image->layer[i].member);
		chosen = false;
	}
}

/* By its bytes alone: before any driver looks at it. */
static void judge_report(struct judgement *verdict)
{
	const struct image *image = &verdict->image;
	const struct probe_report *report = &image->report;
	const struct driver *driver = driver_by_name(report->name);
	/* Without the advice for those who convert. */
	const char *advice = strstr(report->conflict, "; say which");
	size_t len = advice ? (size_t)(advice - report->conflict)
			    : strlen(report->conflict);

	if (report->conflict[0])
		judge_add(verdict, REASON_TWO_SIGNATURES, "%.*s", (int)len,
			  report->conflict);
	/* To QEMU it is a format: "luks1" or "luks2". */
	if (report->class == PROBE_GUEST && !strncmp(report->name, "luks", 4))
		judge_add(verdict, REASON_ENCRYPTED,
			  "it is a LUKS encrypted volume (%s)",
			  report->evidence);
	if (image->stored_known && !image->stored_size)
		judge_add(verdict, REASON_TRUNCATED, "it is empty");
	if (report->class == PROBE_IMAGE && (!driver || !driver->open))
		judge_add(verdict, REASON_UNSUPPORTED_FORMAT,
			  "%s (%s): recognised, but not read", report->title,
			  report->evidence);
}

/* What the probe could not get to the end of. */
static bool judge_failed(struct judgement *verdict, const struct err *probed)
{
	struct image *image = &verdict->image;
	const struct probe_report *report = &image->report;
	/* Was the layer read that is reported last, but not what is in it? */
	bool inside = image->layers &&
		      !strcmp(image->layer[image->layers - 1].tag,
			      report->name);

	if (!*image->format)
		snprintf(image->format, sizeof image->format, "%s",
			 inside || !*report->name ? "unknown" : report->name);
	judge_report(verdict);
	if (report->conflict[0])
		return true;
	if (report->class == PROBE_ARCHIVE)
		judge_add(verdict, REASON_ARCHIVE, "%s (%s)", report->title,
			  report->evidence);
	/* "--member makes no sense": that is no fault of the image's. */
	if (probed->kind == ERR_USAGE && report->class != PROBE_ARCHIVE)
		return false;
	return blame(verdict, probed);
}

/* ---- the layers ---- */

/* A stream's end may show what its beginning did not: the footer of a fixed
 * VHD, the trailer of another container. */
static int probe_again(struct inspected *in, struct judgement *verdict,
		       struct err *err)
{
	const struct source *inside = in->stack[in->depth - 1];
	const struct protocol_input about = {
		.seekable = true,
		.size = inside->size,
		.shallow = true,
		.memory = in->about->memory,
		.max_size = in->about->max_size,
	};
	AUTO_FREE struct image *again = mem_zalloc(sizeof *again);
	struct image *image = &verdict->image;
	struct err failed;
	int result = tagging_probe(in->stack[in->depth - 1], &about, NULL,
				   in->log, again, &failed);

	image->stored_known = true;
	image->stored_size = inside->size;
	if (again->layers) {
		judge_add(verdict, REASON_TWO_SIGNATURES,
			  "it begins as %s, but as a whole it is %s",
			  image->report.title, again->layer[0].tag);
		return 0;
	}
	if (result < 0 && !again->report.conflict[0]) {
		*err = failed;
		return -1;
	}
	image->report = again->report;
	if (result < 0)
		return 0; /* judge_report has the rest */
	image->native = again->native;
	snprintf(image->format, sizeof image->format, "%s", again->format);
	return 0;
}

/* Read through once, from beginning to end, as whoever has no index does: so
 * all checksums are looked at. */
static int unpack(struct inspected *in, struct judgement *verdict,
		  struct err *err)
{
	AUTO_FREE struct image *plain = mem_zalloc(sizeof *plain);

	*plain = verdict->image;
	for (unsigned i = 0; i < plain->layers; i++)
		if (plain->layer[i].inside == LAYER_BLOCKS)
			plain->layer[i].inside = LAYER_STREAM;
	if (!plain->layers && in->source->seekable)
		return 0;
	if (tagging_unwrap(in->source, plain, NULL, in->about->max_size,
			   in->spool_fd, in->stack, &in->depth, err) < 0)
		return -1;
	return probe_again(in, verdict, err);
}

/* ---- the image ---- */

static struct source *inside(const struct inspected *in)
{
	return in->depth ? in->stack[in->depth - 1] : in->source;
}

struct findings {
	struct check_report report; /* first: take_finding finds it by it */
	char first[512], cut[512];
};

static void take_finding(struct check_report *report, const char *line)
{
	struct findings *findings = (struct findings *)report;

	/* Leaks are counted, and no reason. A corruption was counted before
	 * it is told. */
	if (!report->corruptions)
		return;
	if (!*findings->first)
		snprintf(findings->first, sizeof findings->first, "%s", line);
	if (!*findings->cut && is_cut(line))
		snprintf(findings->cut, sizeof findings->cut, "%s", line);
}

/* Every entry of every table, as `check` does. */
static int judge_tables(struct inspected *in, const struct driver *driver,
			struct judgement *verdict, struct err *err)
{
	AUTO_FREE struct findings *findings = mem_zalloc(sizeof *findings);
	const struct protocol_input *about = in->about;
	const struct open_options options = {
		.log = in->log,
		.name = *about->name ? about->name : NULL,
		.member = *about->member ? about->member : NULL,
		.metadata_only = true,
	};
	uint64_t count;

	if (!driver->check)
		return 0;
	findings->report.emit = take_finding;
	/* Of a file that somebody made for it, the tables may be shared by
	 * thousands of states: an image that is what it seems needs less. */
	findings->report.tables_most = TABLES_LEAST +
				       4 * min_u64(inside(in)->size, TIB);
	if (driver->check(inside(in), &options, &findings->report, err) < 0)
		return -1;
	count = findings->report.corruptions;
	verdict->leaks = findings->report.leaks;
	if (*findings->cut)
		judge_add(verdict, REASON_TRUNCATED, "%s", findings->cut);
	if (count && (!*findings->cut ||
		      strcmp(findings->first, findings->cut)))
		judge_add(verdict, REASON_DAMAGED,
			  "%s%s", findings->first,
			  count > 1 ? ", and more" : "");
	return source_finish(inside(in), err);
}

/* How much it stores, and what the guest's first bytes are: for the answer,
 * so that a failure to look costs no more than that. */
static void survey(struct inspected *in, struct judgement *verdict)
{
	AUTO_FREE unsigned char *head = mem_buffer(LIMIT_PROBE_LEN);
	size_t head_len = 0;
	const struct survey_input input = {
		.source = inside(in),
		.head = head,
		.head_len = &head_len,
		.about = in->about,
	};
	struct err ignored;

	if (source_read(inside(in), head, LIMIT_PROBE_LEN, 0, &head_len,
			&ignored) < 0 ||
	    tagging_survey(&input, &verdict->image, &ignored) < 0)
		verdict->image.allocated = 0;
}

static int judge_disk(struct inspected *in, struct judgement *verdict,
		      struct err *err)
{
	const struct driver *driver = driver_by_name(verdict->image.format);
	bool large;

	if (!driver || !driver->open)
		return 0; /* said by judge_report */
	if (driver->glance)
		driver->glance(inside(in), &verdict->glance);
	if (inspect_open(in, true, err) < 0) {
		judge_facts(verdict);
		return -1;
	}
	disk_info(in->disk, &verdict->facts);
	verdict->image.size_known = true;
	verdict->image.size = in->disk->size;
	verdict->image.sector_size = in->disk->sector_size;
	in->disk = disk_close(in->disk);
	judge_facts(verdict);
	large = disk_too_large(verdict, in->about->max_size);
	if (large || in->about->headers_only)
		return 0;
	survey(in, verdict);
	return judge_tables(in, driver, verdict, err);
}

/* Of a stream that is not to be unpacked: what its first bytes tell. */
static int judge_head(struct inspected *in, struct judgement *verdict,
		      struct err *err)
{
	const struct driver *driver = driver_by_name(verdict->image.format);
	AUTO_FREE unsigned char *head = mem_buffer(LIMIT_PROBE_LEN);
	AUTO_SOURCE struct source *source = NULL;
	struct image *image = &verdict->image;
	size_t got;
	int result;

	if (!driver || (!driver->glance && !driver->peek))
		return 0;
	if (tagging_open(in->source, image, NULL, in->about->max_size,
			 in->stack, &in->depth, err) < 0 ||
	    source_read(inside(in), head, LIMIT_PROBE_LEN, 0, &got, err) < 0)
		return -1;
	source = files_memory_source(head, got);
	if (driver->glance)
		driver->glance(source, &verdict->glance);
	result = driver->peek ? driver->peek(head, got, &image->size,
					     &verdict->facts, err) : 1;
	image->size_known = result == 0;
	judge_facts(verdict);
	disk_too_large(verdict, in->about->max_size);
	return result < 0 ? -1 : 0;
}

static int judge_layers(struct inspected *in, struct judgement *verdict,
			struct err *err)
{
	bool seekable = in->source->seekable &&
			image_at_random(&verdict->image);

	judge_archives(verdict, *in->about->member);
	if (layers_too_large(verdict, in->about->max_size)) {
		judge_report(verdict);
		return 0;
	}
	if (in->about->headers_only && !seekable) {
		judge_report(verdict);
		return judge_head(in, verdict, err);
	}
	/* Layers that can be read at random need not be unpacked. */
	if (in->about->headers_only
		    ? tagging_open(in->source, &verdict->image, NULL,
				   in->about->max_size, in->stack, &in->depth,
				   err) < 0
		    : unpack(in, verdict, err) < 0)
		return -1;
	judge_report(verdict);
	return judge_disk(in, verdict, err);
}

int judge_image(struct inspected *image, const struct err *probed,
		struct judgement *out, struct err *err)
{
	struct err failed = { .kind = ERR_NONE };
	bool blamed;

	out->image.file_size_known = image->about->seekable;
	out->image.file_size = image->about->size;
	if (probed) {
		blamed = judge_failed(out, probed);
		failed = *probed;
	} else {
		blamed = !judge_layers(image, out, &failed) ||
			 blame(out, &failed);
	}
	if (blamed)
		return 0;
	*err = failed;
	return -1;
}
