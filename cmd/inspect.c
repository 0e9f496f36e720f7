/* SPDX-License-Identifier: MIT */
/*
 * Owns `imgconv inspect`: may a service that was sent this image hand it on?
 * Puts what the caller asked for beside what the worker found, and says both.
 * Exit status 0 safe, 1 unsafe; more: there is no verdict.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/named.h"
#include "cmd/posture.h"
#include "transforms/layer.h"

static void add(struct judgement *verdict, enum reason reason,
		const char *text)
{
	struct verdict_reason *next = &verdict->reason[verdict->count];

	/* The worker gives none of these two. */
	if (verdict->count == REASON_COUNT)
		return;
	next->code = reason;
	snprintf(next->text, sizeof next->text, "%s", text);
	verdict->count++;
}

static bool has(const struct judgement *verdict, enum reason reason)
{
	for (unsigned i = 0; i < verdict->count; i++)
		if (verdict->reason[i].code == (uint32_t)reason)
			return true;
	return false;
}

/* What the file is as it stands, whatever is inside of it. */
static void judge_format(const struct settings *settings,
			 struct judgement *verdict)
{
	const struct image *image = &verdict->image;
	const char *found = *image->layer[0].tag ? image->layer[0].tag
						 : image->format;
	const struct driver *wanted;
	char text[256];

	if (!settings->from)
		return;
	wanted = driver_by_name(settings->from);
	if (!strcasecmp(wanted ? wanted->name : settings->from, found))
		return;
	snprintf(text, sizeof text, "it is %s, not %s", found, settings->from);
	add(verdict, REASON_OTHER_FORMAT, text);
}

static void judge_name(const char *name, struct judgement *verdict)
{
	struct err err;

	if (*name && named_judge(name, &verdict->image, &err) < 0)
		add(verdict, REASON_NAME_MISMATCH, err.message);
}

/* ---- what it says of itself ---- */

static unsigned each_of(const struct facts *facts, const char *name,
			void (*take)(void *opaque, const char *text),
			void *opaque)
{
	unsigned found = 0;

	for (unsigned i = 0; i < facts->count; i++) {
		if (strcmp(facts->fact[i].name, name))
			continue;
		take(opaque, facts->fact[i].text);
		found++;
	}
	return found;
}

/* What the opened image says, or where it says nothing, its header. */
static void each_text(const struct judgement *verdict, const char *name,
		      void (*take)(void *opaque, const char *text),
		      void *opaque)
{
	if (!each_of(&verdict->facts, name, take, opaque))
		each_of(&verdict->glance, name, take, opaque);
}

static void take_text(void *opaque, const char *text)
{
	json_add_text(opaque, text);
}

static struct json *features_json(const struct judgement *verdict)
{
	struct json *list = json_list_open();

	each_text(verdict, "feature", take_text, list);
	each_text(verdict, "unknown-feature", take_text, list);
	return list;
}

struct references_list {
	struct json *list;
	const char *kind;
};

static void take_reference(void *opaque, const char *text)
{
	struct references_list *references = opaque;
	struct json *one = json_object_open();

	json_put_text(one, "kind", references->kind);
	json_put_text(one, "name", text);
	json_add(references->list, one);
}

static struct json *references_json(const struct judgement *verdict)
{
	struct references_list references = { .list = json_list_open() };
	bool qcow2 = !strcmp(verdict->image.format, "qcow2");

	references.kind = has(verdict, REASON_PARENT) ? "parent"
						      : "backing-file";
	each_text(verdict, "backing-file", take_reference, &references);
	references.kind = qcow2 ? "data-file" : "extent";
	each_text(verdict, "data-file", take_reference, &references);
	references.kind = "extent";
	each_text(verdict, "own-extent", take_reference, &references);
	return references.list;
}

static uint64_t snapshots(const struct judgement *verdict)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < verdict->facts.count; i++) {
		const struct fact *fact = &verdict->facts.fact[i];

		if (!strcmp(fact->name, "snapshot"))
			count++;
		else if (!strcmp(fact->name, "snapshots"))
			count += fact->number;
	}
	return count;
}

/* ---- the answer ---- */

static struct json *reasons_json(const struct judgement *verdict)
{
	struct json *list = json_list_open();

	for (unsigned i = 0; i < verdict->count; i++) {
		struct json *one = json_object_open();

		json_put_text(one, "code",
			      reason_code(verdict->reason[i].code));
		json_put_text(one, "message", verdict->reason[i].text);
		json_add(list, one);
	}
	return list;
}

static void sizes_json(const struct settings *settings,
		       const struct image *image, struct json *json)
{
	if (image->size_known)
		json_put_number(json, "virtual-size", image->size);
	if (image->file_size_known)
		json_put_number(json, "file-size", image->file_size);
	/* Of raw bytes that were unpacked nobody counts the zeros. */
	if (image->size_known && !settings->shallow &&
	    (!image->layers || strcmp(image->format, "raw")))
		json_put_number(json, "allocated", image->allocated);
}

static void print_json(const struct settings *settings,
		       const struct judgement *verdict,
		       const struct sandbox_posture *posture)
{
	const struct image *image = &verdict->image;
	struct json *json = json_object_open();

	json_put_text(json, "filename", settings->label[0]);
	json_put_bool(json, "safe", !verdict->count);
	json_put_text(json, "verdict", verdict->count ? "unsafe" : "safe");
	json_put(json, "reasons", reasons_json(verdict));
	json_put_bool(json, "shallow", settings->shallow);
	json_put_text(json, "format", image->format);
	json_put_text(json, "content", image->report.title);
	json_put_text(json, "evidence", image->report.evidence);
	sizes_json(settings, image, json);
	json_put(json, "layers", answer_layers_json(image));
	json_put(json, "features", features_json(verdict));
	json_put(json, "references", references_json(verdict));
	json_put_number(json, "snapshots", snapshots(verdict));
	json_put_bool(json, "encrypted", has(verdict, REASON_ENCRYPTED));
	json_put_number(json, "leaks", verdict->leaks);
	json_put(json, "format-specific", answer_facts_json(&verdict->facts));
	json_put(json, "sandbox", posture_json(posture));
	json_print_pretty(stdout, json);
}

static void print_text(const struct settings *settings,
		       const struct judgement *verdict)
{
	const struct image *image = &verdict->image;
	char size[64];

	answer_text(settings->label[0]);
	printf(": %s, ", verdict->count ? "unsafe" : "safe");
	answer_text(image->format);
	for (unsigned i = image->layers; i; i--) {
		printf(" in ");
		answer_text(image->layer[i - 1].tag);
	}
	if (image->size_known)
		printf(", %s bytes",
		       answer_size(image->size, size, sizeof size));
	putchar('\n');
	for (unsigned i = 0; i < verdict->count; i++) {
		printf("%s: ", reason_code(verdict->reason[i].code));
		answer_text(verdict->reason[i].text);
		putchar('\n');
	}
}

static int answer(const struct settings *settings, struct conductor *conductor,
		  struct judgement *verdict, struct err *err)
{
	if (conductor_judge(conductor, verdict, err))
		return err_in(err, "%s", settings->label[0]);
	judge_format(settings, verdict);
	judge_name(conductor_name(conductor), verdict);
	if (settings->json)
		print_json(settings, verdict, conductor_posture(conductor));
	else if (!settings->quiet)
		print_text(settings, verdict);
	return 0;
}

int command_inspect(const struct settings *settings)
{
	struct ui *ui = ui_open(settings);
	struct judgement *verdict = mem_zalloc(sizeof *verdict);
	struct err err = { 0 };
	struct conductor *conductor =
		conductor_open(settings->argument[0], settings, ui, &err);
	int status;

	if (conductor)
		answer(settings, conductor, verdict, &err);
	conductor_close(conductor);
	status = verdict->count ? 1 : 0;
	free(verdict);
	return answer_end(ui, &err, status);
}
