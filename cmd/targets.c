/* SPDX-License-Identifier: MIT */
/* Owns `imgconv targets`: what the rows of consumers.c say. */
#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/consumers.h"

static void print_row(const struct consumer *row)
{
	char size[64];

	printf("%s: %s\n  makes: -O %s", row->name, row->title, row->to);
	if (row->options)
		printf(" -o %s", row->options);
	if (row->compress)
		printf(" --compress=%s", row->compress);
	if (row->member)
		printf(" --member-name %s", row->member);
	if (row->gnu_tar)
		printf(" --tar-format gnu");
	if (row->unit > 512)
		printf("\n  size: a multiple of %s",
		       units_about(row->unit, size, sizeof size));
	if (row->most)
		printf("\n  at most: %" PRIu64 " bytes", row->most);
	printf("\n  accepts:");
	for (const struct consumer_form *form = row->accepts;
	     form < row->accepts + CONSUMER_FORMS && form->format; form++)
		printf("%s %s%s%s%s%s", form == row->accepts ? "" : ",",
		       form->format, form->variant ? " " : "",
		       form->variant ? form->variant : "",
		       form->wraps ? " in " : "",
		       form->wraps ? form->wraps : "");
	printf("\n  why: %s\n  source: %s\n", row->why, row->source);
}

static struct json *row_json(const struct consumer *row)
{
	struct json *json = json_object_open(), *list = json_list_open();

	json_put_text(json, "name", row->name);
	json_put_text(json, "title", row->title);
	json_put_text(json, "to", row->to);
	if (row->options)
		json_put_text(json, "options", row->options);
	if (row->member)
		json_put_text(json, "member-name", row->member);
	json_put_number(json, "unit", row->unit);
	if (row->most)
		json_put_number(json, "most", row->most);
	for (const struct consumer_form *form = row->accepts;
	     form < row->accepts + CONSUMER_FORMS && form->format; form++) {
		struct json *one = json_object_open();

		json_put_text(one, "format", form->format);
		if (form->variant)
			json_put_text(one, "variant", form->variant);
		if (form->wraps)
			json_put_text(one, "wraps", form->wraps);
		json_add(list, one);
	}
	json_put(json, "accepts", list);
	json_put_text(json, "why", row->why);
	json_put_text(json, "source", row->source);
	return json;
}

int command_targets(const struct settings *settings)
{
	struct ui *ui = ui_open(settings);
	struct err err = { .kind = ERR_NONE };
	const char *name = settings->argument[0];
	struct json *list = settings->json ? json_list_open() : NULL;
	unsigned found = 0;

	for (const struct consumer *row = consumers; row->name; row++) {
		if (name && consumer_by_name(name) != row)
			continue;
		found++;
		if (list)
			json_add(list, row_json(row));
		else
			print_row(row);
	}
	if (list)
		json_print_pretty(stdout, list);
	if (!found)
		err_set(&err, ERR_USAGE, "%s is no target; imgconv targets "
			"lists them", name);
	return answer_end(ui, &err, 0);
}
