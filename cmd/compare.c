/* SPDX-License-Identifier: MIT */
/* Owns `imgconv compare`: says what the worker found. Exit status 0 equal, 1
 * different; more is an error. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/answer.h"
#include "cmd/commands.h"

static void print_text(const struct settings *settings,
		       const struct protocol_done *done)
{
	bool sizes = done->size_a != done->size_b;

	if (!done->differs && !sizes) {
		printf("Images are identical.\n");
		return;
	}
	if (done->differs)
		printf("Images differ at offset %" PRIu64 ".\n",
		       done->difference);
	if (sizes) {
		printf("Sizes differ: ");
		answer_text(settings->label[0]);
		printf(" has %" PRIu64 " bytes, ", done->size_a);
		answer_text(settings->label[1]);
		printf(" has %" PRIu64 " bytes.\n", done->size_b);
	}
}

static void print_json(const struct protocol_done *done, bool identical)
{
	struct json *json = json_object_open();

	json_put_bool(json, "identical", identical);
	if (done->differs)
		json_put_number(json, "offset", done->difference);
	json_put_number(json, "size-a", done->size_a);
	json_put_number(json, "size-b", done->size_b);
	json_print_pretty(stdout, json);
}

static int answer(const struct settings *settings, struct conductor *conductor,
		  bool *identical, struct err *err)
{
	struct conductor_answers answers = { 0 };
	struct protocol_done done = { 0 };

	if (conductor_second(conductor, settings->argument[1], err))
		return -1;
	/* Both are read at once: the worker alone knows which it was. */
	if (conductor_inspect(conductor, PROTOCOL_COMPARE, &answers, &done,
			      err))
		return err_in(err, "%s and %s", settings->label[0],
			      settings->label[1]);
	*identical = !done.differs && done.size_a == done.size_b;
	if (settings->json)
		print_json(&done, *identical);
	else if (!settings->quiet)
		print_text(settings, &done);
	return 0;
}

int command_compare(const struct settings *settings)
{
	struct ui *ui = ui_open(settings);
	struct err err = { 0 };
	bool identical = false;
	struct conductor *conductor =
		conductor_open(settings->argument[0], settings, ui, &err);

	if (conductor)
		answer(settings, conductor, &identical, &err);
	conductor_close(conductor);
	return answer_end(ui, &err, identical ? 0 : 1);
}
