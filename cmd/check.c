/* SPDX-License-Identifier: MIT */
/* Owns `imgconv check`: the worker's findings and the sum of them. Exit
 * status 0 clean, 2 corrupt or not accepted (--for), 3 leaks only; more is an error. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/answer.h"
#include "cmd/checksums.h"
#include "cmd/commands.h"
#include "cmd/consumers.h"

/* A damaged image can have millions: as many as anybody reads are listed in
 * JSON, which is printed at the end; as text all of them are. */
#define FINDINGS_LISTED 1000

/* What --for found. */
struct verdict {
	const struct settings *settings;
	struct facts facts;
	struct json *list; /* or NULL */
	unsigned reasons;
};

struct findings {
	bool text;
	struct json *list; /* or NULL */
	unsigned count;
};

static void take_finding(void *opaque, const char *text)
{
	struct findings *findings = opaque;

	if (findings->list && findings->count < FINDINGS_LISTED)
		json_add_text(findings->list, text);
	findings->count++;
	if (!findings->text)
		return;
	answer_text(text);
	putchar('\n');
}

static void take_facts(void *opaque, const struct facts *facts)
{
	((struct verdict *)opaque)->facts = *facts;
}

static void take_reason(void *opaque, const char *text)
{
	struct verdict *verdict = opaque;

	if (verdict->list)
		json_add_text(verdict->list, text);
	else if (!verdict->settings->quiet) {
		printf("%s: ", verdict->settings->consumer->name);
		answer_text(text);
		putchar('\n');
	}
}

/* Would whom it is for take it? */
static int judge(struct verdict *verdict, struct conductor *conductor,
		 const struct image *image, struct err *err)
{
	const struct settings *settings = verdict->settings;
	struct conductor_answers answers = { .facts = take_facts,
					     .opaque = verdict };
	struct protocol_done done;

	if (!settings->consumer)
		return 0;
	if (settings->json)
		verdict->list = json_list_open();
	if (conductor_inspect(conductor, PROTOCOL_INFO, &answers, &done, err))
		return err_in(err, "%s", settings->label[0]);
	verdict->reasons = consumer_judge(settings->consumer, image,
					  &verdict->facts, take_reason,
					  verdict);
	if (!verdict->reasons && !settings->json && !settings->quiet)
		printf("%s accepts it.\n", settings->consumer->name);
	return 0;
}

static void print_json(const struct settings *settings,
		       const struct image *image, struct json *take_findings,
		       struct verdict *verdict,
		       const struct protocol_done *done)
{
	struct json *json = json_object_open();

	json_put_text(json, "filename", settings->label[0]);
	json_put_text(json, "format", image->format);
	json_put_number(json, "corruptions", done->corruptions);
	json_put_number(json, "leaks", done->leaks);
	if (done->verified)
		json_put_number(json, "checksums", done->verified);
	json_put(json, "findings", take_findings);
	if (verdict->list) {
		json_put_bool(json, "accepted", !verdict->reasons);
		json_put(json, "reasons", verdict->list);
		verdict->list = NULL;
	}
	json_print_pretty(stdout, json);
}

static void print_text(const struct protocol_done *done)
{
	if (done->verified)
		printf("The checksum%s as expected.\n",
		       done->verified == 1 ? " is" : "s are");
	if (!done->corruptions && !done->leaks) {
		printf("No errors were found.\n");
		return;
	}
	if (done->corruptions)
		printf("%" PRIu64 " corruption%s: the image may lose data.\n",
		       done->corruptions, done->corruptions == 1 ? "" : "s");
	if (done->leaks)
		printf("%" PRIu64 " leak%s: space is lost, data is not.\n",
		       done->leaks, done->leaks == 1 ? "" : "s");
}

static int inspect(const struct settings *settings, struct conductor *conductor,
		   struct image *image, struct verdict *verdict,
		   struct protocol_done *done, struct err *err)
{
	struct findings findings = {
		.text = !settings->json && !settings->quiet,
		.list = settings->json ? json_list_open() : NULL
	};
	struct conductor_answers answers = { .finding = take_finding,
					     .opaque = &findings };

	if (conductor_inspect(conductor, PROTOCOL_CHECK, &answers, done, err)) {
		json_close(findings.list);
		return err_in(err, "%s", settings->label[0]);
	}
	if (settings->json)
		print_json(settings, image, findings.list, verdict, done);
	else if (!settings->quiet)
		print_text(done);
	return 0;
}

static int answer(const struct settings *settings, struct ui *ui,
		  struct conductor *conductor, struct verdict *verdict,
		  struct protocol_done *done, struct err *err)
{
	AUTO_FREE struct image *image = mem_zalloc(sizeof *image);
	struct expectations expect;
	const struct driver *driver;

	if (conductor_probe(conductor, image, err))
		return err_in(err, "%s", settings->label[0]);
	if (checksums_make(settings, ui, conductor_name(conductor), image,
			   &expect, err) < 0)
		return -1;
	conductor_expect(conductor, &expect);
	driver = driver_by_name(image->format);
	if (judge(verdict, conductor, image, err) < 0)
		return -1;
	/* What is around it was checked by decoding it to its end. */
	if (settings->consumer && !image->layers && !expect.count &&
	    (!driver || !driver->check)) {
		if (settings->json)
			print_json(settings, image, json_list_open(), verdict,
				   done);
		return 0;
	}
	if (!image->layers && !expect.count && (!driver || !driver->check))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: %s: has nothing that could be checked",
			       settings->label[0], image->format);
	return inspect(settings, conductor, image, verdict, done, err);
}

int command_check(const struct settings *settings)
{
	struct ui *ui = ui_open(settings);
	struct protocol_done done = { 0 };
	struct verdict *verdict = mem_zalloc(sizeof *verdict);
	struct err err = { 0 };
	struct conductor *conductor =
		conductor_open(settings->argument[0], settings, ui, &err);
	int status;

	verdict->settings = settings;
	if (conductor)
		answer(settings, ui, conductor, verdict, &done, &err);
	conductor_close(conductor);
	status = done.corruptions || verdict->reasons ? 2
		 : done.leaks			      ? 3
						      : 0;
	json_close(verdict->list);
	free(verdict);
	return answer_end(ui, &err, status);
}
