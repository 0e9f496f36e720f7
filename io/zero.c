/* SPDX-License-Identifier: MIT */
/* Owns the scan for zeros: one loop over the compiler's own vectors. On x86 a
 * second copy of it is compiled for AVX2 and chosen by what the processor can
 * do. */
#include "io/zero.h"

#include <stdint.h>
#include <string.h>

const unsigned char zero_bytes[ZERO_BYTES_LEN];

/* Looked at between two decisions: long enough that the branch is free, short
 * enough that data (whose first bytes mostly are not zero) leaves early. */
#define STEP ((size_t)256)

/* Four words at a time: the compiler makes one register of them where there
 * is one, and two or four where there is not. */
#define WORDS __attribute__((vector_size(32))) uint64_t

static inline __attribute__((always_inline)) bool
step_is_zero(const unsigned char *bytes)
{
	WORDS one = { 0 }, two = { 0 };

	for (size_t i = 0; i < STEP; i += 2 * sizeof one) {
		WORDS a, b;

		memcpy(&a, bytes + i, sizeof a);
		memcpy(&b, bytes + i + sizeof a, sizeof b);
		one |= a;
		two |= b;
	}
	one |= two;
	return !(one[0] | one[1] | one[2] | one[3]);
}

static inline __attribute__((always_inline)) bool
steps_are_zero(const unsigned char *bytes, size_t count)
{
	for (; count; count--, bytes += STEP)
		if (!step_is_zero(bytes))
			return false;
	return true;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static bool
steps_are_zero_avx2(const unsigned char *bytes, size_t count)
{
	return steps_are_zero(bytes, count);
}
#endif

static bool steps_are_zero_best(const unsigned char *bytes, size_t count)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		return steps_are_zero_avx2(bytes, count);
#endif
	return steps_are_zero(bytes, count);
}

static bool few_are_zero(const unsigned char *bytes, size_t len)
{
	uint64_t word;

	for (; len >= sizeof word; len -= sizeof word, bytes += sizeof word) {
		memcpy(&word, bytes, sizeof word);
		if (word)
			return false;
	}
	for (; len; len--, bytes++)
		if (*bytes)
			return false;
	return true;
}

bool zero_is(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t whole = len / STEP;

	/* Mostly there is something at the very start or at the end. */
	if (len >= 16 && !(few_are_zero(p, 8) && few_are_zero(p + len - 8, 8)))
		return false;
	return steps_are_zero_best(p, whole) &&
	       few_are_zero(p + whole * STEP, len % STEP);
}

size_t zero_run(const void *bytes, size_t len, size_t granule, bool *is_zero)
{
	const unsigned char *p = bytes;
	size_t run = 0;

	*is_zero = false;
	/* Ends: `run` grows by a granule, or by the rest. */
	while (run < len) {
		size_t now = len - run < granule ? len - run : granule;
		bool zero = zero_is(p + run, now);

		if (!run)
			*is_zero = zero;
		else if (zero != *is_zero)
			break;
		run += now;
	}
	return run;
}
