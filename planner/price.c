/* SPDX-License-Identifier: MIT */
/*
 * Owns the arithmetic of weights: how the costs of steps add up, within a
 * pipeline and across barriers. Does not know where costs come from.
 *
 * Two properties the search rests on: adding a step never lowers the weight,
 * and leaving a step out never raises it, barrier or not, because the
 * maximum of sums is at most the sum of maxima.
 */
#include "planner/load.h"
#include "planner/plan.h"

#include <assert.h>

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

double load_weight(const struct load *load, unsigned threads)
{
	double open = load->cpu / (threads ? threads : 1);

	if (load->serial > open)
		open = load->serial;
	for (unsigned i = 0; i < COST_DEVICES; i++)
		if (load->device[i] > open)
			open = load->device[i];
	return load->done + open;
}

void load_add(struct load *load, const struct cost *cost, unsigned threads)
{
	assert(cost->serial >= 0 && cost->cpu >= 0 && cost->fixed >= 0);

	load->done += cost->fixed;
	if (cost->serial > load->serial)
		load->serial = cost->serial;
	load->cpu += cost->cpu;
	for (unsigned i = 0; i < COST_DEVICES; i++) {
		assert(cost->read[i] >= 0 && cost->write[i] >= 0);
		load->device[i] += cost->read[i] + cost->write[i];
	}
	load->temp = add_capped(load->temp, cost->temp);
	load->memory = add_capped(load->memory, cost->memory);
	if (load->memory > load->memory_peak)
		load->memory_peak = load->memory;
	if (!cost->barrier)
		return;
	load->done = load_weight(load, threads);
	load->serial = load->cpu = 0;
	for (unsigned i = 0; i < COST_DEVICES; i++)
		load->device[i] = 0;
	load->memory = 0;
}

bool load_covers(const struct load *a, const struct load *b)
{
	if (a->done > b->done || a->serial > b->serial || a->cpu > b->cpu)
		return false;
	for (unsigned i = 0; i < COST_DEVICES; i++)
		if (a->device[i] > b->device[i])
			return false;
	return true;
}

void plan_price(const struct problem *problem, struct plan *plan)
{
	struct load load = { .done = problem->fixed };

	for (unsigned i = 0; i < plan->count; i++)
		load_add(&load, &plan->step[i].cost, problem->threads);
	plan->weight = load_weight(&load, problem->threads);
	plan->temp = load.temp;
	plan->memory = load.memory_peak;
}
