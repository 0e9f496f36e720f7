/* SPDX-License-Identifier: MIT */
/* Owns `imgconv plan`, and what --dry-run says elsewhere: the plan, or all of
 * them, as text, JSON or a graph; and the coefficients behind it. Does not plan, nor change anything. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/answer.h"
#include "cmd/checksums.h"
#include "cmd/commands.h"
#include "cmd/costs_file.h"
#include "cmd/plan_dot.h"
#include "cmd/refusals.h"
#include "cmd/planning.h"
#include "transforms/how.h"

#define PLANS_MOST 64
#define TAGS_LEN 1024
#define STEP_LEN 128

/* Everything an answer is made of. */
struct plans {
	struct ui *ui; /* borrowed */
	struct planning planning;
	struct plan *list; /* malloc'ed */
	unsigned count;
	char start[TAGS_LEN], goal[TAGS_LEN];
};

static double seconds(const struct plan *plan)
{
	return plan->weight / 1e6;
}

static uint64_t output_bytes(const struct plans *plans, const struct plan *plan)
{
	const struct state *last = plan->count
					   ? &plan->step[plan->count - 1].after
					   : &plans->planning.problem.start;

	return (uint64_t)costs_stored(&plans->planning.price_list, last);
}

/* ---- text ---- */

static void print_plan(const struct plans *plans, const struct plan *plan)
{
	char text[STEP_LEN], size[64];

	for (unsigned i = 0; i < plan->count; i++)
		printf("%u. %s\n", i + 1,
		       plan_step_text(&plan->step[i], text, sizeof text));
	if (!plan->count)
		printf("nothing is to be done\n");
	for (unsigned i = 0; i < plan->count; i++)
		if (how_of(&plan->step[i])->caveat)
			printf("caveat: %s: %s\n",
			       plan->step[i].transition->name,
			       how_of(&plan->step[i])->caveat);
	printf("weight: %.6f s\n", seconds(plan));
	printf("temp: %s\n", answer_size(plan->temp, size, sizeof size));
	printf("memory: %s\n", answer_size(plan->memory, size, sizeof size));
	printf("output: %s\n",
	       answer_size(output_bytes(plans, plan), size, sizeof size));
}

static void print_text(const struct plans *plans, bool all)
{
	char id[PLAN_ID_LEN];

	printf("start: %s\ngoal: %s\n", plans->start, plans->goal);
	for (unsigned i = 0; i < plans->count; i++) {
		if (all)
			printf("\nplan %u: %s\n", i + 1,
			       plan_id(&plans->list[i], id, sizeof id));
		print_plan(plans, &plans->list[i]);
	}
}

/* ---- JSON ---- */

static struct json *step_json(const struct plan_step *step)
{
	struct json *json = json_object_open();
	char text[TAGS_LEN];

	json_put_text(json, "name", step->transition->name);
	json_put_text(json, "text", plan_step_text(step, text, sizeof text));
	if (how_of(step)->caveat)
		json_put_text(json, "caveat", how_of(step)->caveat);
	return json;
}

static struct json *plan_json(const struct plans *plans,
			      const struct plan *plan, unsigned number)
{
	const struct vocabulary *vocabulary =
		plans->planning.problem.vocabulary;
	struct json *json = json_object_open();
	struct json *steps = json_list_open();
	char id[PLAN_ID_LEN], tags[TAGS_LEN];

	json_put_number(json, "number", number);
	json_put_text(json, "id", plan_id(plan, id, sizeof id));
	for (unsigned i = 0; i < plan->count; i++) {
		struct json *step = step_json(&plan->step[i]);

		state_text(&plan->step[i].after, vocabulary, false, tags,
			   sizeof tags);
		json_put(step, "tags", answer_words(tags));
		json_add(steps, step);
	}
	json_put(json, "steps", steps);
	json_put_real(json, "seconds", seconds(plan));
	json_put_number(json, "temp", plan->temp);
	json_put_number(json, "memory", plan->memory);
	json_put_number(json, "output", output_bytes(plans, plan));
	return json;
}

static void print_json(const struct plans *plans)
{
	struct json *json = json_object_open(), *list = json_list_open();

	json_put(json, "start", answer_words(plans->start));
	json_put(json, "goal", answer_words(plans->goal));
	for (unsigned i = 0; i < plans->count; i++)
		json_add(list, plan_json(plans, &plans->list[i], i + 1));
	json_put(json, "plans", list);
	json_print_pretty(stdout, json);
}

/* ---- the command ---- */

static int find(const struct settings *settings, struct plans *plans,
		struct err *err)
{
	const struct problem *problem = &plans->planning.problem;

	if (settings->all)
		return plan_all(problem, PLANS_MOST, &plans->list,
				&plans->count, err);
	plans->list = mem_zalloc(sizeof *plans->list);
	plans->count = 1;
	return planning_choose(&plans->planning, settings, plans->list, err);
}

/* For input `which`, of which an appliance has several. */
static int answer(const struct settings *settings, unsigned which,
		  struct conductor *conductor, struct plans *plans,
		  struct err *err)
{
	AUTO_FREE struct image *image = mem_zalloc(sizeof *image);
	const struct problem *problem = &plans->planning.problem;
	bool in_place = settings->command->run == command_resize;
	struct expectations expect;
	const struct planning_paths paths = {
		.input = conductor_input(conductor),
		.input_fd = conductor_input_fd(conductor),
		.output = settings->argument[in_place ? 0
						      : settings->argument_count -
								1],
		.expect = &expect,
		.in_place = in_place,
	};

	if (conductor_probe(conductor, image, err))
		return err_in(err, "%s", settings->label[which]);
	if (!in_place && refusals_size(settings, image, err) < 0)
		return err_in(err, "%s", settings->label[which]);
	if (checksums_make(settings, plans->ui, conductor_name(conductor),
			   image, &expect, err) < 0)
		return -1;
	if (planning_make(&plans->planning, settings, image, &paths, err))
		return -1;
	state_text(&problem->start, problem->vocabulary, false, plans->start,
		   sizeof plans->start);
	plan_goal_text(problem, plans->goal, sizeof plans->goal);
	if (find(settings, plans, err))
		return err_in(err, "%s: %s (%s)", settings->label[which],
			      image->report.title, image->format);
	if (settings->json)
		print_json(plans);
	else if (settings->dot)
		plan_dot_print(problem, plans->list, plans->count);
	else
		print_text(plans, settings->all);
	return 0;
}

static int plan_input(const struct settings *settings, unsigned which,
		      struct ui *ui, struct err *err)
{
	AUTO_FREE struct plans *plans = mem_zalloc(sizeof *plans);
	struct conductor *conductor =
		conductor_open(settings->argument[which], settings, ui, err);
	int result = -1;

	plans->ui = ui;
	if (conductor)
		result = answer(settings, which, conductor, plans, err);
	conductor_close(conductor);
	free(plans->list);
	return result;
}

static int print_coefficients(const struct settings *settings)
{
	struct ui *ui = ui_open(settings);
	struct coefficients coefficients;
	struct err err = { 0 };

	if (!costs_file_load(&coefficients, &err))
		costs_file_print(&coefficients);
	return answer_end(ui, &err, 0);
}

int command_plan(const struct settings *settings)
{
	if (settings->coefficients)
		return print_coefficients(settings);

	bool in_place = settings->command->run == command_resize;
	unsigned inputs = in_place ? 1 : settings->argument_count - 1;
	struct ui *ui = ui_open(settings);
	struct err err = { 0 };

	for (unsigned i = 0; i < inputs; i++)
		if (plan_input(settings, i, ui, &err) < 0)
			break;
	return answer_end(ui, &err, 0);
}
