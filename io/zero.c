/* SPDX-License-Identifier: MIT */
/*
 * Owns the scan for zeros: one loop a width of vector, chosen by what the
 * processor can do. The plain one is the compiler's own vectors of 16 bytes,
 * SSE2 on x86-64 and NEON on ARM, where it is the only one.
 *
 * Measured on a Zen 5, GB/s over 4 KiB, 64 KiB, 1 MiB and 128 MiB: SSE2 130,
 * 124, 106, 30; AVX2 259, 193, 132, 34; AVX-512 472, 183, 133, 37. A unit is a
 * MiB or two that was just read: reading it takes ten times as long as any.
 */
#include "io/zero.h"

#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

const unsigned char zero_bytes[ZERO_BYTES_LEN];

/* Looked at between two decisions: long enough that the branch is free, short
 * enough that data (whose first bytes mostly are not zero) leaves early. */
#define STEP ZERO_STEP

#define WORDS __attribute__((vector_size(16))) uint64_t

/* Variables, not an array: that would be kept in memory. */
static bool plain_steps(const unsigned char *bytes, size_t count)
{
	for (; count; count--, bytes += STEP) {
		WORDS one = { 0 }, two = { 0 };

		for (size_t i = 0; i < STEP; i += 4 * sizeof one) {
			WORDS a, b, c, d;

			memcpy(&a, bytes + i, sizeof a);
			memcpy(&b, bytes + i + sizeof a, sizeof b);
			memcpy(&c, bytes + i + 2 * sizeof a, sizeof c);
			memcpy(&d, bytes + i + 3 * sizeof a, sizeof d);
			one |= a | b;
			two |= c | d;
		}
		one |= two;
		if (one[0] | one[1])
			return false;
	}
	return true;
}

static bool always(void)
{
	return true;
}

#if defined(__x86_64__)
/* The processor was asked before main, by the compiler's runtime; each of
 * these looks at a bit. (Functions that the loader resolves save nothing that
 * can be measured, and not every C library has them.) */
static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

/* Those that came with it do not become slower by wide vectors, as the first
 * ones with AVX-512 did. */
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512vbmi2") &&
	       __builtin_cpu_supports("avx512f");
}

__attribute__((target("avx2"))) static bool
avx2_steps(const unsigned char *bytes, size_t count)
{
	for (; count; count--, bytes += STEP) {
		const __m256i *at = (const __m256i *)(const void *)bytes;
		__m256i one = _mm256_loadu_si256(at);
		__m256i two = _mm256_loadu_si256(at + 1);

		for (size_t i = 2; i < STEP / sizeof *at; i += 2) {
			one = _mm256_or_si256(one, _mm256_loadu_si256(at + i));
			two = _mm256_or_si256(two,
					      _mm256_loadu_si256(at + i + 1));
		}
		one = _mm256_or_si256(one, two);
		if (!_mm256_testz_si256(one, one))
			return false;
	}
	return true;
}

__attribute__((target("avx512f"))) static bool
avx512_steps(const unsigned char *bytes, size_t count)
{
	for (; count; count--, bytes += STEP) {
		__m512i one = _mm512_or_si512(_mm512_loadu_si512(bytes),
					      _mm512_loadu_si512(bytes + 64));
		__m512i two =
			_mm512_or_si512(_mm512_loadu_si512(bytes + 128),
					_mm512_loadu_si512(bytes + 192));

		one = _mm512_or_si512(one, two);
		if (_mm512_test_epi64_mask(one, one))
			return false;
	}
	return true;
}
#endif

const struct zero_way zero_ways[] = {
#if defined(__x86_64__)
	{ "AVX-512", has_avx512, avx512_steps },
	{ "AVX2", has_avx2, avx2_steps },
#endif
	{ "plain", always, plain_steps },
	{ NULL, NULL, NULL }
};

/* By name, not through the table: what is known is called without a detour. */
static bool steps_are_zero(const unsigned char *bytes, size_t count)
{
#if defined(__x86_64__)
	if (has_avx512())
		return avx512_steps(bytes, count);
	if (has_avx2())
		return avx2_steps(bytes, count);
#endif
	return plain_steps(bytes, count);
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
	return steps_are_zero(p, whole) &&
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
