/* SPDX-License-Identifier: MIT */
/* Arithmetic on numbers that came from a file: says when it does not fit. */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* In front of a function in which sums, products and shifts of unsigned
 * numbers lose their upper bits on purpose: hashes, checksums, sequences of
 * numbers without order. Its reason stands beside it. Not for a function that
 * also computes a length, a count or an offset: there clang's
 * -fsanitize=integer shall say so. */
#if defined(__clang__) && __clang_major__ >= 12
#define WRAPS                                                               \
	__attribute__((no_sanitize("unsigned-integer-overflow",             \
				   "unsigned-shift-base")))
#else
#define WRAPS
#endif

/* Each returns true and fills *out, or false when the result does not fit. */
static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool checked_mul(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* `unit` need not be a power of two; it is not 0. */
static inline bool checked_round_up(uint64_t a, uint64_t unit, uint64_t *out)
{
	uint64_t rest = a % unit;

	return checked_add(a, rest ? unit - rest : 0, out);
}

/* True when [offset, offset + length) lies inside [0, size). */
static inline bool checked_inside(uint64_t offset, uint64_t length,
				  uint64_t size)
{
	return offset <= size && length <= size - offset;
}

static inline uint64_t round_down(uint64_t a, uint64_t unit)
{
	return a - a % unit;
}

/* For our own numbers, known to fit. */
static inline uint64_t round_up(uint64_t a, uint64_t unit)
{
	return round_down(a + unit - 1, unit);
}

static inline uint64_t div_up(uint64_t a, uint64_t unit)
{
	return a / unit + (a % unit != 0);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline bool is_power_of_two(uint64_t a)
{
	return a && !(a & (a - 1));
}

#endif
