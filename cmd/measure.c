/* SPDX-License-Identifier: MIT */
/*
 * Owns `imgconv measure`: the conversion is planned and run as it would be,
 * but its output is only counted. So the answer is exact, for compressed
 * outputs too; it takes the time of reading and encoding.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/answer.h"
#include "cmd/appliance.h"
#include "cmd/commands.h"
#include "cmd/execute.h"
#include "cmd/refusals.h"

struct measuring {
	struct image image;
	struct planning planning;
	struct plan plan;
	struct protocol_done done;
	bool size_known;
	uint64_t size; /* of the disk in the output */
};

/* What a disk full of data would take at most; false: it cannot be said. */
static bool most_of(const struct measuring *measuring, uint64_t *out)
{
	const struct target *target = &measuring->planning.target;

	if (!target->driver || !target->driver->measure ||
	    target->wrap_count || !measuring->size_known)
		return false;
	*out = target->driver->measure(&target->create, measuring->size,
				       measuring->size);
	return true;
}

/* The run that read the guest knows best; a copy of bytes does not look. */
static void settle_size(struct measuring *measuring)
{
	const struct target *target = &measuring->planning.target;
	const struct protocol_done *done = &measuring->done;

	measuring->size_known = done->has_size || measuring->image.size_known;
	measuring->size = driver_round_size(
		target->driver, &target->create,
		done->has_size ? done->size : measuring->image.size);
}

/* Names as in `qemu-img measure`. */
static void print(const struct settings *settings,
		  const struct measuring *measuring)
{
	char text[64];
	uint64_t most;
	bool known = most_of(measuring, &most);

	if (settings->json) {
		struct json *json = json_object_open();

		json_put_text(json, "format",
			      measuring->planning.target.format);
		if (measuring->size_known)
			json_put_number(json, "virtual-size", measuring->size);
		json_put_number(json, "required", measuring->done.measured);
		if (known)
			json_put_number(json, "fully-allocated", most);
		json_print_pretty(stdout, json);
		return;
	}
	if (measuring->size_known)
		printf("virtual size: %s\n",
		       answer_size(measuring->size, text, sizeof text));
	printf("required size: %s\n",
	       answer_size(measuring->done.measured, text, sizeof text));
	if (known)
		printf("fully allocated size: %s\n",
		       answer_size(most, text, sizeof text));
}

static int measure(const struct settings *settings,
		   struct conductor *conductor, struct ui *ui, struct err *err)
{
	AUTO_FREE struct measuring *measuring = mem_zalloc(sizeof *measuring);
	const struct planning_paths paths = {
		.input = conductor_input(conductor),
		.input_fd = conductor_input_fd(conductor),
	};
	struct member_place place;
	struct execution execution = {
		.settings = settings,
		.planning = &measuring->planning,
		.plan = &measuring->plan,
		.input = conductor,
		.input_path = settings->argument[0],
		/* Parts are named after it, and descriptors hold the names. */
		.output_path = settings->argument[0],
		.ui = ui,
	};

	if (conductor_probe(conductor, &measuring->image, err) < 0 ||
	    refusals_size(settings, &measuring->image, err) < 0 ||
	    planning_make(&measuring->planning, settings, &measuring->image,
			  &paths, err) < 0 ||
	    planning_choose(&measuring->planning, settings, &measuring->plan,
			    err) < 0 ||
	    appliance_place(&measuring->planning.target,
			    settings->argument[0], &place, &execution.place,
			    err) < 0 ||
	    execute_plan(&execution, &measuring->done, err) < 0)
		return err_in(err, "%s", settings->label[0]);
	settle_size(measuring);
	print(settings, measuring);
	return 0;
}

int command_measure(const struct settings *settings)
{
	struct settings shaped = *settings;
	struct ui *ui = ui_open(settings);
	struct err err = { 0 };
	struct conductor *conductor;

	/* As qemu-img has it. */
	if (!shaped.to)
		shaped.to = "raw";
	conductor = conductor_open(settings->argument[0], settings, ui, &err);
	if (conductor)
		measure(&shaped, conductor, ui, &err);
	conductor_close(conductor);
	return answer_end(ui, &err, 0);
}
