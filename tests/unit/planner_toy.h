/* SPDX-License-Identifier: MIT */
/*
 * A random problem as numbers: generated, walked through exhaustively, and
 * priced, all without the planner.
 */
#ifndef TESTS_PLANNER_TOY_H
#define TESTS_PLANNER_TOY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "planner/plan.h"

#define TOY_GROUPS 4
#define TOY_STEPS 7   /* transitions in a catalogue */
#define TOY_KINDS 4   /* a cost depends on the state, in so many ways */
#define VISITS 30000  /* a problem that takes more is passed over */
#define PLANS_MAX 400 /* so is its list of alternatives above that */

static uint64_t seed = 20240229;

/* Modulo 2^64. */
WRAPS static unsigned roll(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

/* The problem as numbers: a state is one value a group; sets of values are
 * bits. */
struct toy_step {
	unsigned needs[TOY_GROUPS]; /* bits; 0: no need */
	int sets[TOY_GROUPS];	    /* -1: leaves it */
	struct cost cost[TOY_KINDS];
	bool refused[TOY_KINDS];
};

struct toy {
	unsigned groups, values[TOY_GROUPS], steps, threads;
	int start[TOY_GROUPS];
	unsigned goal[TOY_GROUPS]; /* bits; 0: any */
	struct toy_step step[TOY_STEPS];
	uint64_t temp_limit, memory_limit;
};

enum flavour { MIXED, WORK, NOTHING };

static unsigned toy_kind(const struct toy *toy, const int *state)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < toy->groups; i++)
		sum += (unsigned)state[i] * (2 * i + 1);
	return sum % TOY_KINDS;
}

/* 0 or, once in `rare`, a number below `below`. */
static unsigned seldom(unsigned rare, unsigned below)
{
	return roll(rare) ? 0 : roll(below);
}

/* In one problem costs are of all kinds, in another mostly work, or mostly
 * nothing, so that each component decides somewhere. */
static void random_cost(struct cost *cost, enum flavour flavour, bool barrier)
{
	static const unsigned rare[] = { 3, 12, 6 };

	memset(cost, 0, sizeof *cost);
	cost->serial = seldom(flavour == MIXED ? 2 : 3, 20);
	cost->cpu = seldom(flavour == MIXED ? 2 : 3, 20);
	for (unsigned i = 0; i < COST_DEVICES; i++) {
		cost->read[i] = seldom(rare[flavour], 10);
		cost->write[i] = seldom(rare[flavour], 10);
	}
	cost->fixed = seldom(3, flavour == NOTHING ? 2 : 5);
	cost->temp = seldom(2, 6);
	cost->memory = roll(5);
	cost->barrier = barrier;
}

static void random_moves(const struct toy *toy, struct toy_step *step)
{
	for (unsigned i = 0; i < toy->groups; i++) {
		unsigned all = (1u << toy->values[i]) - 1;

		step->needs[i] = roll(3) ? 0 : 1 + roll(all);
		step->sets[i] = roll(3) ? -1 : (int)roll(toy->values[i]);
	}
	step->sets[roll(toy->groups)] = (int)roll(2);
}

/* Some do what an earlier one does, at another price: then labels of one
 * state differ in all components. */
static void random_step(const struct toy *toy, unsigned n,
			struct toy_step *step, enum flavour flavour)
{
	bool barrier = !roll(3);

	memset(step, 0, sizeof *step);
	if (n && !roll(3))
		*step = toy->step[roll(n)];
	else
		random_moves(toy, step);
	for (unsigned i = 0; i < TOY_KINDS; i++) {
		random_cost(&step->cost[i], flavour, barrier);
		step->refused[i] = !roll(12);
	}
}

static void random_toy(struct toy *toy)
{
	enum flavour flavour = roll(3);

	memset(toy, 0, sizeof *toy);
	toy->groups = 2 + roll(TOY_GROUPS - 1);
	toy->steps = 3 + roll(TOY_STEPS - 2);
	toy->threads = 1u << roll(3);
	for (unsigned i = 0; i < toy->groups; i++) {
		toy->values[i] = 2 + roll(3);
		toy->start[i] = (int)roll(toy->values[i]);
		toy->goal[i] = roll(2) ? 0 : 1u << roll(toy->values[i]);
		if (toy->goal[i] && !roll(4))
			toy->goal[i] |= 1u << roll(toy->values[i]);
	}
	for (unsigned i = 0; i < toy->steps; i++)
		random_step(toy, i, &toy->step[i], flavour);
	toy->temp_limit = roll(3) ? roll(10) : UINT64_MAX;
	toy->memory_limit = roll(2) ? UINT64_MAX : 3 + roll(5);
}

/* False where the step cannot be taken or would change nothing. */
static bool toy_take(const struct toy *toy, unsigned step, int *state,
		     struct cost *cost, bool forgiving)
{
	const struct toy_step *taken = &toy->step[step];
	unsigned kind = toy_kind(toy, state);
	bool changed = false;

	if (taken->refused[kind] && !forgiving)
		return false;
	for (unsigned i = 0; i < toy->groups; i++)
		if (taken->needs[i] && !(taken->needs[i] & 1u << state[i]))
			return false;
	for (unsigned i = 0; i < toy->groups; i++) {
		if (taken->sets[i] < 0 || taken->sets[i] == state[i])
			continue;
		state[i] = taken->sets[i];
		changed = true;
	}
	*cost = taken->cost[kind];
	return changed;
}

static bool toy_done(const struct toy *toy, const int *state)
{
	for (unsigned i = 0; i < toy->groups; i++)
		if (toy->goal[i] && !(toy->goal[i] & 1u << state[i]))
			return false;
	return true;
}

/* A complete plan, and what it comes to. */
struct way {
	unsigned count, step[PLAN_STEPS];
	struct cost cost[PLAN_STEPS];
	double weight;
	uint64_t temp, memory;
};

static double larger(double a, double b)
{
	return a > b ? a : b;
}

/* The time and memory of the steps [from, to), one pipeline. */
static double price_pipeline(const struct way *way, unsigned from, unsigned to,
			     unsigned threads, uint64_t *memory)
{
	double longest = 0, work = 0;

	*memory = 0;
	for (unsigned i = from; i < to; i++) {
		work += way->cost[i].cpu;
		longest = larger(longest, way->cost[i].serial);
		*memory += way->cost[i].memory;
	}
	longest = larger(longest, work / threads);
	for (unsigned d = 0; d < COST_DEVICES; d++) {
		double busy = 0;

		for (unsigned i = from; i < to; i++)
			busy += way->cost[i].read[d] + way->cost[i].write[d];
		longest = larger(longest, busy);
	}
	return longest;
}

/* The whole plan at once: cut it after its barriers, add up the pieces. */
static void price(struct way *way, unsigned threads)
{
	unsigned from = 0;

	way->weight = 0;
	way->temp = way->memory = 0;
	for (unsigned i = 0; i < way->count; i++) {
		uint64_t memory;

		way->weight += way->cost[i].fixed;
		way->temp += way->cost[i].temp;
		if (!way->cost[i].barrier && i + 1 < way->count)
			continue;
		way->weight +=
			price_pipeline(way, from, i + 1, threads, &memory);
		if (memory > way->memory)
			way->memory = memory;
		from = i + 1;
	}
}

static bool within(const struct toy *toy, const struct way *way)
{
	return way->temp <= toy->temp_limit && way->memory <= toy->memory_limit;
}

static int way_order(const void *one, const void *other)
{
	const struct way *a = one, *b = other;

	if (a->weight != b->weight)
		return a->weight < b->weight ? -1 : 1;
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	for (unsigned i = 0; i < a->count; i++)
		if (a->step[i] != b->step[i])
			return a->step[i] < b->step[i] ? -1 : 1;
	return 0;
}

/* The exhaustive walk. */
struct walk {
	const struct toy *toy;
	bool forgiving; /* take refused steps too */
	unsigned visits, plans;
	struct way way, best;
	int trail[PLAN_STEPS + 1][TOY_GROUPS];
	struct way list[PLANS_MAX]; /* the first that end at the goal */
};

static void walk_arrived(struct walk *walk)
{
	price(&walk->way, walk->toy->threads);
	if (!within(walk->toy, &walk->way))
		return;
	if (walk->plans < PLANS_MAX)
		walk->list[walk->plans] = walk->way;
	if (!walk->plans++ || way_order(&walk->way, &walk->best) < 0)
		walk->best = walk->way;
}

static bool been_there(const struct walk *walk, const int *state)
{
	for (unsigned i = 0; i <= walk->way.count; i++)
		if (!memcmp(walk->trail[i], state, sizeof walk->trail[i]))
			return true;
	return false;
}

/* Goes on beyond the goal too: nothing is taken for granted. */
/* NOLINTNEXTLINE(misc-no-recursion): up to PLAN_STEPS */
static void walk_on(struct walk *walk)
{
	unsigned at = walk->way.count;

	if (walk->visits++ > VISITS)
		return;
	if (toy_done(walk->toy, walk->trail[at]))
		walk_arrived(walk);
	if (at == PLAN_STEPS)
		return;
	for (unsigned i = 0; i < walk->toy->steps; i++) {
		int next[TOY_GROUPS];

		memcpy(next, walk->trail[at], sizeof next);
		if (!toy_take(walk->toy, i, next, &walk->way.cost[at],
			      walk->forgiving) ||
		    been_there(walk, next))
			continue;
		walk->way.step[at] = i;
		walk->way.count = at + 1;
		memcpy(walk->trail[at + 1], next, sizeof next);
		walk_on(walk);
		walk->way.count = at;
	}
}

static void walk_all(struct walk *walk, const struct toy *toy, bool forgiving)
{
	memset(walk, 0, sizeof *walk);
	walk->toy = toy;
	walk->forgiving = forgiving;
	memcpy(walk->trail[0], toy->start, sizeof toy->start);
	walk_on(walk);
}

/* Are the steps of `way` whose bits are set a plan themselves? */
static bool part_serves(const struct toy *toy, const struct way *way,
			unsigned bits)
{
	struct way part = { 0 };
	int state[TOY_GROUPS];

	memcpy(state, toy->start, sizeof state);
	for (unsigned i = 0; i < way->count; i++) {
		if (!(bits & 1u << i))
			continue;
		if (!toy_take(toy, way->step[i], state,
			      &part.cost[part.count++], false))
			return false;
	}
	price(&part, toy->threads);
	return toy_done(toy, state) && within(toy, &part);
}

static bool reducible(const struct toy *toy, const struct way *way)
{
	unsigned all = (1u << way->count) - 1;

	for (unsigned bits = 0; bits < all; bits++)
		if (part_serves(toy, way, bits))
			return true;
	return false;
}

#endif
