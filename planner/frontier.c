/* SPDX-License-Identifier: MIT */
/*
 * Owns the partial plans of one search and their order. Does not judge which
 * are worth keeping: its client says so.
 */
#include "planner/frontier.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CHUNK_LABELS 128

struct chunk {
	struct chunk *next;
	unsigned used;
	struct label label[CHUNK_LABELS];
};

bool frontier_before(const struct label *a, const struct label *b)
{
	if (a->weight != b->weight)
		return a->weight < b->weight;
	if (a->steps != b->steps)
		return a->steps < b->steps;
	for (unsigned i = 0; i < a->steps; i++)
		if (a->path[i] != b->path[i])
			return a->path[i] < b->path[i];
	return false;
}

bool frontier_exceeds(const struct problem *problem, const struct load *load)
{
	return load->temp > problem->temp_limit ||
	       load->memory_peak > problem->memory_limit;
}

static void heap_push(struct frontier *frontier, struct label *label)
{
	unsigned at = frontier->heap_count++;

	if (frontier->heap_count > frontier->heap_room) {
		frontier->heap_room = frontier->heap_room * 2 + 64;
		frontier->heap = mem_resize(frontier->heap, frontier->heap_room,
					    sizeof *frontier->heap);
	}
	while (at && frontier_before(label, frontier->heap[(at - 1) / 2])) {
		frontier->heap[at] = frontier->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	frontier->heap[at] = label;
}

static struct label *heap_pop(struct frontier *frontier)
{
	struct label **heap = frontier->heap;
	struct label *top = heap[0], *last = heap[--frontier->heap_count];
	unsigned at = 0, child;

	while ((child = 2 * at + 1) < frontier->heap_count) {
		if (child + 1 < frontier->heap_count &&
		    frontier_before(heap[child + 1], heap[child]))
			child++;
		if (!frontier_before(heap[child], last))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return top;
}

/* Room for one more label: the last of the first chunk. Not yet counted. */
static struct label *room_for(struct frontier *frontier)
{
	struct chunk *chunk = frontier->chunks;

	if (!chunk || chunk->used == CHUNK_LABELS) {
		struct chunk *fresh = mem_zalloc(sizeof *fresh);

		fresh->next = chunk;
		frontier->chunks = chunk = fresh;
	}
	return &chunk->label[chunk->used];
}

/* Takes the label that room_for gave, if it is worth it. */
static void offer(struct frontier *frontier, struct label *label)
{
	struct chunk *chunk = frontier->chunks;

	label->weight =
		load_weight(&label->load, frontier->graph->problem->threads);
	if (!frontier->keep(frontier, label))
		return;
	if (frontier->count == frontier->most) {
		frontier->full = true;
		return;
	}
	frontier->count++;
	chunk->used++;
	label->beside = label->node->labels;
	label->node->labels = label;
	heap_push(frontier, label);
}

void frontier_open(struct frontier *frontier, struct graph *graph,
		   bool (*keep)(struct frontier *, struct label *),
		   unsigned most)
{
	struct label *first;

	memset(frontier, 0, sizeof *frontier);
	frontier->graph = graph;
	frontier->keep = keep;
	frontier->most = most;
	for (unsigned i = 0; i < graph->count; i++)
		graph->node[i]->labels = NULL;
	first = room_for(frontier);
	first->node = graph->node[0];
	first->load.done = graph->problem->fixed;
	offer(frontier, first);
}

void frontier_close(struct frontier *frontier)
{
	struct chunk *chunk = frontier->chunks;

	while (chunk) {
		struct chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	free(frontier->heap);
	memset(frontier, 0, sizeof *frontier);
}

struct label *frontier_next(struct frontier *frontier)
{
	while (frontier->heap_count) {
		struct label *label = heap_pop(frontier);

		if (!label->dead)
			return label;
	}
	return NULL;
}

/* A state occurs once in a plan. */
static bool was_there(const struct label *label, const struct node *node)
{
	for (; label; label = label->parent)
		if (label->node == node)
			return true;
	return false;
}

void frontier_expand(struct frontier *frontier, const struct label *label)
{
	const struct problem *problem = frontier->graph->problem;

	if (label->steps == PLAN_STEPS)
		return;
	graph_expand(frontier->graph, label->node);
	for (unsigned i = 0; i < label->node->edge_count; i++) {
		const struct edge *edge = &label->node->edges[i];
		struct label *next;

		if (was_there(label, edge->target))
			continue;
		next = room_for(frontier);
		*next = *label;
		next->node = edge->target;
		next->parent = label;
		next->path[next->steps++] = (uint16_t)edge->transition;
		load_add(&next->load, &edge->cost, problem->threads);
		if (!frontier_exceeds(problem, &next->load))
			offer(frontier, next);
	}
}

void frontier_plan(const struct frontier *frontier, const struct label *label,
		   struct plan *out)
{
	const struct problem *problem = frontier->graph->problem;

	memset(out, 0, sizeof *out);
	out->count = label->steps;
	out->weight = label->weight;
	out->temp = label->load.temp;
	out->memory = label->load.memory_peak;
	for (unsigned i = label->steps; i; i--, label = label->parent) {
		struct plan_step *step = &out->step[i - 1];
		const struct node *before = label->parent->node;

		step->transition = problem->catalogue[label->path[i - 1]];
		step->before = before->state;
		step->after = label->node->state;
		step->cost = graph_edge(before, label->path[i - 1])->cost;
		plan_step_detail(problem->vocabulary, step);
	}
}
