/* SPDX-License-Identifier: MIT */
/* Owns how the stages of a run are shown. What they are is io/stages.h's. */
#include "cmd/stage_table.h"

#include <stdio.h>

#include "base/limits.h"
#include "cmd/json.h"

/* Less is no stage, but what is between two: nanoseconds. */
#define LEAST 500000

static double seconds(uint64_t nanoseconds)
{
	return (double)nanoseconds / 1e9;
}

/* MiB a second of one thread that does nothing else. */
static double rate(const struct stage_row *row)
{
	return row->busy ? (double)row->bytes / (double)MIB /
				   seconds(row->busy)
			 : 0;
}

static void tell_row(struct ui *ui, const char *name,
		     const struct stage_row *row)
{
	char text[128];

	if (row->bytes)
		snprintf(text, sizeof text, "%-7s %9.3f %10.1f %9.0f %9.3f",
			 name, seconds(row->busy),
			 (double)row->bytes / (double)MIB, rate(row),
			 seconds(row->waiting));
	else
		snprintf(text, sizeof text, "%-7s %9.3f %10s %9s %9.3f", name,
			 seconds(row->busy), "-", "-", seconds(row->waiting));
	ui_note(ui, LOG_DETAIL, text);
}

static void tell_text(struct ui *ui, const struct protocol_done *done,
		      const struct stage_row *commit)
{
	char text[128];

	snprintf(text, sizeof text, "%-7s %9s %10s %9s %9s", "stage",
		 "busy s", "MiB", "MiB/s", "waiting s");
	ui_note(ui, LOG_DETAIL, text);
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		if (done->stage[i].bytes || done->stage[i].busy >= LEAST)
			tell_row(ui, stage_name((enum stage)i),
				 &done->stage[i]);
	tell_row(ui, "commit", commit);
	snprintf(text, sizeof text,
		 "the runs took %.3f s, and %.3f s of processors",
		 seconds(done->wall), seconds(done->processor));
	ui_note(ui, LOG_DETAIL, text);
}

static void add_row(struct json *list, const char *name,
		    const struct stage_row *row)
{
	struct json *json = json_object_open();

	json_put_text(json, "stage", name);
	json_put_real(json, "busy", seconds(row->busy));
	json_put_number(json, "bytes", row->bytes);
	json_put_real(json, "waiting", seconds(row->waiting));
	json_add(list, json);
}

void stage_table_tell(struct ui *ui, const struct protocol_done *done,
		      uint64_t committing)
{
	const struct stage_row commit = { .busy = committing };
	struct json *json = ui_event(ui, "stages");
	struct json *list;

	if (!json) {
		tell_text(ui, done, &commit);
		return;
	}
	list = json_list_open();
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		add_row(list, stage_name((enum stage)i), &done->stage[i]);
	add_row(list, "commit", &commit);
	json_put(json, "stages", list);
	json_put_real(json, "seconds", seconds(done->wall));
	json_put_real(json, "processor", seconds(done->processor));
	ui_say_event(json);
}
