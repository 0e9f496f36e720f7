/* SPDX-License-Identifier: MIT */
/* Numbers without any order that are the same at every run, so that a failure
 * comes again: the state after `state`. */
#ifndef TESTS_SEQUENCE_H
#define TESTS_SEQUENCE_H

#include <stdint.h>

#include "base/checked.h"

/* Modulo 2^32; the upper bits are the better ones. */
WRAPS static inline uint32_t sequence32(uint32_t state)
{
	return state * 1664525 + 1013904223;
}

/* xorshift64: what is shifted out is gone; not for 0. */
WRAPS static inline uint64_t sequence64(uint64_t state)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^ state << 17;
}

#endif
