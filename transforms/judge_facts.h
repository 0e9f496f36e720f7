/* SPDX-License-Identifier: MIT */
/* From what a driver says of an image to reasons. The inside of judge.h. */
#ifndef TRANSFORMS_JUDGE_FACTS_H
#define TRANSFORMS_JUDGE_FACTS_H

#include "transforms/protocol.h"

/* Each code is given once, by the first that it is said with. */
void judge_add(struct judgement *verdict, enum reason reason,
	       const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Of verdict->facts and ->glance. */
void judge_facts(struct judgement *verdict);

#endif
