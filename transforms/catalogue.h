/* SPDX-License-Identifier: MIT */
/*
 * Every transition there is, one row each: deleting a row changes plans and
 * needs no other edit. A new one is a file in this folder and a row in
 * catalogue.c.
 */
#ifndef TRANSFORMS_CATALOGUE_H
#define TRANSFORMS_CATALOGUE_H

#include "planner/transition.h"

/* NULL-terminated, in the order that breaks ties. */
extern const struct transition *const catalogue[];

/* The index of a row, for the socket; the row of an index, or NULL. */
unsigned catalogue_index(const struct transition *transition);
const struct transition *catalogue_row(unsigned index);

#endif
