/* SPDX-License-Identifier: MIT */
/*
 * What a sequence of steps adds up to. A pipeline's stages overlap, so its
 * time is not a sum: the components are kept apart, those of the pipeline
 * still open beside the time at which everything before it has finished.
 */
#ifndef PLANNER_LOAD_H
#define PLANNER_LOAD_H

#include "planner/transition.h"

struct load {
	double done; /* finished pipelines, and all that overlaps nothing */
	/* The open pipeline. */
	double serial;		     /* its longest serial stage */
	double cpu;		     /* all its CPU work */
	double device[COST_DEVICES]; /* reading and writing */
	uint64_t memory;
	/* Since the start. */
	uint64_t temp;	      /* bytes that live on */
	uint64_t memory_peak; /* of any pipeline */
};

/* The predicted time if the run ended here. */
double load_weight(const struct load *load, unsigned threads);
void load_add(struct load *load, const struct cost *cost, unsigned threads);
/* Is `a` in no component of time worse, whatever follows? */
bool load_covers(const struct load *a, const struct load *b);

#endif
