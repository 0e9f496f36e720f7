/* SPDX-License-Identifier: MIT */
/*
 * Thousands of small random problems. Each is held twice: as numbers, which
 * the code here walks through exhaustively and prices by itself, and as tags,
 * which the planner gets. Both must come to the same plans.
 *
 * All costs are small whole numbers and the threads a power of two, so that
 * sums are exact and ties are real ties.
 */
#include "check.h"

#include <time.h>

#include "planner/plan.h"

#define PROBLEMS 8000
#define TOY_GROUPS 4
#define TOY_STEPS 7   /* transitions in a catalogue */
#define TOY_KINDS 4   /* a cost depends on the state, in so many ways */
#define VISITS 30000  /* a problem that takes more is passed over */
#define PLANS_MAX 400 /* so is its list of alternatives above that */

static uint64_t seed = 20240229;

static unsigned roll(unsigned below)
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

static unsigned toy_kind(const struct toy *toy, const int *state)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < toy->groups; i++)
		sum += (unsigned)state[i] * (2 * i + 1);
	return sum % TOY_KINDS;
}

static void random_cost(struct cost *cost, bool barrier)
{
	memset(cost, 0, sizeof *cost);
	cost->serial = roll(2) ? roll(10) : 0;
	cost->cpu = roll(2) ? roll(20) : 0;
	for (unsigned i = 0; i < COST_DEVICES; i++) {
		cost->read[i] = roll(3) ? 0 : roll(10);
		cost->write[i] = roll(3) ? 0 : roll(10);
	}
	cost->fixed = roll(3) ? 0 : roll(5);
	cost->temp = roll(2) ? 0 : roll(6);
	cost->memory = roll(5);
	cost->barrier = barrier;
}

static void random_step(const struct toy *toy, struct toy_step *step)
{
	bool barrier = !roll(3);

	memset(step, 0, sizeof *step);
	for (unsigned i = 0; i < toy->groups; i++) {
		unsigned all = (1u << toy->values[i]) - 1;

		step->needs[i] = roll(3) ? 0 : 1 + roll(all);
		step->sets[i] = roll(3) ? -1 : (int)roll(toy->values[i]);
	}
	step->sets[roll(toy->groups)] = (int)roll(2);
	for (unsigned i = 0; i < TOY_KINDS; i++) {
		random_cost(&step->cost[i], barrier);
		step->refused[i] = !roll(12);
	}
}

static void random_toy(struct toy *toy)
{
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
		random_step(toy, &toy->step[i]);
	toy->temp_limit = roll(2) ? UINT64_MAX : roll(12);
	toy->memory_limit = roll(2) ? UINT64_MAX : 2 + roll(8);
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

/* The same problem as tags. */
static const char *const tags[] = { "", "a", "bb", "c" };

static int number_of(const char *tag)
{
	int i = 0;

	while (strcmp(tags[i], tag))
		i++;
	return i;
}

static bool cost_of(const struct pricing *pricing, unsigned step,
		    struct cost *out)
{
	const struct toy *toy = pricing->context;
	int state[TOY_GROUPS] = { 0 };
	unsigned kind;

	for (unsigned i = 0; i < toy->groups; i++)
		state[i] = number_of(pricing->before->tag[i]);
	kind = toy_kind(toy, state);
	*out = toy->step[step].cost[kind];
	return !toy->step[step].refused[kind];
}

#define COST(n)                                                                \
	static bool cost_##n(const struct pricing *pricing, struct cost *out)  \
	{                                                                      \
		return cost_of(pricing, n, out);                               \
	}
COST(0)
COST(1)
COST(2)
COST(3)
COST(4)
COST(5)
COST(6)

static bool (*const costs[TOY_STEPS])(const struct pricing *, struct cost *) = {
	cost_0, cost_1, cost_2, cost_3, cost_4, cost_5, cost_6
};
static const char *const names[TOY_STEPS] = { "s0", "s1", "s2", "s3",
					      "s4", "s5", "s6" };
static const struct group groups[TOY_GROUPS] = { { "g0", STYLE_VALUE },
						 { "g1", STYLE_VALUE },
						 { "g2", STYLE_HIDDEN },
						 { "g3", STYLE_VALUE } };

struct tagged {
	struct problem problem;
	struct vocabulary vocabulary;
	struct transition step[TOY_STEPS];
	const struct transition *catalogue[TOY_STEPS + 1];
	char text[TOY_STEPS][TOY_GROUPS][16];
};

/* Bits as "a|c"; with `inverted`, the other values. */
static void list_text(char text[16], unsigned bits, unsigned values,
		      bool inverted)
{
	bool first = true;

	*text = '\0';
	for (unsigned i = 0; i < values; i++) {
		if (!(bits & 1u << i) != inverted)
			continue;
		if (!first)
			strcat(text, "|");
		strcat(text, tags[i]);
		first = false;
	}
}

static void tag_step(struct tagged *tagged, const struct toy *toy, unsigned n)
{
	struct transition *step = &tagged->step[n];
	unsigned needs = 0, sets = 0;

	step->name = step->title = names[n];
	step->detail = GROUPS_MAX;
	step->cost = costs[n];
	for (unsigned i = 0; i < toy->groups; i++) {
		unsigned bits = toy->step[n].needs[i];
		unsigned all = (1u << toy->values[i]) - 1;
		bool inverted = n % 2 && bits != all;

		if (bits) {
			char *text = tagged->text[n][i];

			list_text(text, bits, toy->values[i], inverted);
			step->needs[needs++] =
				(struct need){ i, inverted ? NEED_NOT : NEED_IS,
					       text };
		}
		if (toy->step[n].sets[i] >= 0)
			step->sets[sets++] =
				(struct set){ i, SET_TO,
					      tags[toy->step[n].sets[i]] };
	}
	tagged->catalogue[n] = step;
}

static void tag_toy(struct tagged *tagged, const struct toy *toy)
{
	struct problem *problem = &tagged->problem;

	memset(tagged, 0, sizeof *tagged);
	tagged->vocabulary = (struct vocabulary){ groups, toy->groups };
	problem->vocabulary = &tagged->vocabulary;
	problem->catalogue = tagged->catalogue;
	problem->context = toy;
	problem->threads = toy->threads;
	problem->temp_limit = toy->temp_limit;
	problem->memory_limit = toy->memory_limit;
	for (unsigned i = 0; i < toy->groups; i++) {
		struct want *want = &problem->goal.want[problem->goal.count];

		state_set(&problem->start, i, tags[toy->start[i]]);
		if (!toy->goal[i])
			continue;
		want->group = i;
		list_text(want->value, toy->goal[i], toy->values[i], false);
		problem->goal.count++;
	}
	for (unsigned i = 0; i < toy->steps; i++)
		tag_step(tagged, toy, i);
}

static bool same(const struct plan *plan, const struct way *way)
{
	if (plan->count != way->count || plan->weight != way->weight ||
	    plan->temp != way->temp || plan->memory != way->memory)
		return false;
	for (unsigned i = 0; i < way->count; i++)
		if (plan->step[i].transition->name != names[way->step[i]])
			return false;
	return true;
}

static void check_price(const struct problem *problem, const struct plan *plan,
			const struct way *way)
{
	static struct plan copy;

	copy = *plan;
	copy.weight = -1;
	copy.temp = copy.memory = 77;
	plan_price(problem, &copy);
	CHECK(same(&copy, way));
}

/* What is said must be true: more plans without limits, or with the steps
 * that are refused. */
static void check_reason(const struct toy *toy, const struct err *err,
			 struct walk *walk)
{
	struct toy free_toy = *toy;
	bool limits, refused;

	CHECK_EQ(err->kind, ERR_NO_PLAN);
	CHECK(!strncmp(err->message, "no plan", 7));
	free_toy.temp_limit = free_toy.memory_limit = UINT64_MAX;
	walk_all(walk, &free_toy, false);
	limits = walk->plans;
	walk_all(walk, &free_toy, true);
	refused = walk->plans && !limits;
	if (walk->visits > VISITS)
		return;
	CHECK(limits == !!strstr(err->message, "within the limits"));
	CHECK(refused == !!strstr(err->message, "is not possible with"));
}

/* The list that plan_all should give, in place of the walk's own. */
static unsigned irreducible(struct walk *walk)
{
	unsigned count = 0;

	for (unsigned i = 0; i < walk->plans; i++)
		if (!reducible(walk->toy, &walk->list[i]))
			walk->list[count++] = walk->list[i];
	qsort(walk->list, count, sizeof *walk->list, way_order);
	if (count && !way_order(&walk->list[0], &walk->best))
		return count;
	count += count < PLANS_MAX;
	memmove(walk->list + 1, walk->list, (count - 1) * sizeof *walk->list);
	walk->list[0] = walk->best;
	return count;
}

static void check_all(const struct problem *problem, struct walk *walk,
		      unsigned most)
{
	struct err err = { 0 };
	struct plan *plans;
	unsigned wanted = irreducible(walk), count;

	if (wanted > most)
		wanted = most;
	CHECK(!plan_all(problem, most, &plans, &count, &err));
	CHECK_EQ(count, wanted);
	for (unsigned i = 0; i < count && i < wanted; i++)
		CHECK(same(&plans[i], &walk->list[i]));
	free(plans);
}

int main(void)
{
	static struct walk walk;
	static struct tagged tagged;
	static struct plan plan;
	static struct toy toy;
	unsigned tried = 0, solved = 0, listed = 0, limited = 0;
	clock_t spent = 0, began;
	double per_plan;

	while (tried < PROBLEMS) {
		struct err err = { 0 };
		int result;

		random_toy(&toy);
		walk_all(&walk, &toy, false);
		if (walk.visits > VISITS)
			continue;
		tried++;
		tag_toy(&tagged, &toy);
		began = clock();
		result = plan_search(&tagged.problem, &plan, &err);
		spent += clock() - began;
		CHECK((result == 0) == (walk.plans > 0));
		limited += toy.memory_limit != UINT64_MAX && !result;
		if (result) {
			check_reason(&toy, &err, &walk);
			continue;
		}
		solved++;
		CHECK(same(&plan, &walk.best));
		check_price(&tagged.problem, &plan, &walk.best);
		if (walk.plans > PLANS_MAX)
			continue;
		listed++;
		check_all(&tagged.problem, &walk, roll(2) ? PLANS_MAX : 2);
	}
	per_plan = (double)spent * 1e6 / CLOCKS_PER_SEC / tried;
	printf("%u problems, %u solved, %u of them under a memory limit, %u "
	       "lists of alternatives; %.0f us a planning\n",
	       tried, solved, limited, listed, per_plan);
	CHECK(solved > PROBLEMS / 8 && listed > PROBLEMS / 10 &&
	      limited > PROBLEMS / 20);
	return check_result();
}
