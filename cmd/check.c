/* SPDX-License-Identifier: MIT */
/* Owns `imgconv check`: the worker's findings and the sum of them. Exit
 * status 0 clean, 2 corrupt, 3 leaks only; more is an error. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "cmd/answer.h"
#include "cmd/commands.h"

/* A damaged image can have millions: as many as anybody reads are listed in
 * JSON, which is printed at the end; as text all of them are. */
#define FINDINGS_LISTED 1000

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

static void print_json(const struct settings *settings,
		       const struct image *image, struct json *take_findings,
		       const struct protocol_done *done)
{
	struct json *json = json_object_open();

	json_put_text(json, "filename", settings->label[0]);
	json_put_text(json, "format", image->format);
	json_put_number(json, "corruptions", done->corruptions);
	json_put_number(json, "leaks", done->leaks);
	json_put(json, "findings", take_findings);
	json_print_pretty(stdout, json);
}

static void print_text(const struct protocol_done *done)
{
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
		   struct image *image, struct protocol_done *done,
		   struct err *err)
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
		print_json(settings, image, findings.list, done);
	else if (!settings->quiet)
		print_text(done);
	return 0;
}

static int answer(const struct settings *settings, struct conductor *conductor,
		  struct protocol_done *done, struct err *err)
{
	AUTO_FREE struct image *image = mem_zalloc(sizeof *image);
	const struct driver *driver;

	if (conductor_probe(conductor, image, err))
		return err_in(err, "%s", settings->label[0]);
	driver = driver_by_name(image->format);
	/* What is around it was checked by decoding it to its end. */
	if (!image->layers && (!driver || !driver->check))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: %s: has nothing that could be checked",
			       settings->label[0], image->format);
	return inspect(settings, conductor, image, done, err);
}

int command_check(const struct settings *settings)
{
	struct ui *ui = ui_open(settings);
	struct protocol_done done = { 0 };
	struct err err = { 0 };
	struct conductor *conductor =
		conductor_open(settings->argument[0], settings, ui, &err);

	if (conductor)
		answer(settings, conductor, &done, &err);
	conductor_close(conductor);
	return answer_end(ui, &err, done.corruptions ? 2 : done.leaks ? 3 : 0);
}
