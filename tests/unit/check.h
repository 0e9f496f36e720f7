/* SPDX-License-Identifier: MIT */
/* The units' only frame: CHECK counts and prints, TEST_MAIN runs the list.
 * A failing CHECK goes on, so that one run shows all. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned check_count, check_failures;

/* What goes wrong behind a failed CHECK is no finding of scripts/lint. */
#if defined __clang_analyzer__ || defined __cppcheck__
#define CHECK_GO_ON() abort()
#else
#define CHECK_GO_ON() (void)0
#endif

#define CHECK(condition)                                                    \
	do {                                                                \
		check_count++;                                              \
		if (!(condition)) {                                         \
			check_failures++;                                   \
			fprintf(stderr, "%s:%d: %s: failed: %s\n",          \
				__FILE__, __LINE__, __func__, #condition);  \
			CHECK_GO_ON();                                      \
		}                                                           \
	} while (0)

#define CHECK_EQ(a, b)                                                      \
	do {                                                                \
		uint64_t a_ = (uint64_t)(a), b_ = (uint64_t)(b);            \
		check_count++;                                              \
		if (a_ != b_) {                                             \
			check_failures++;                                   \
			fprintf(stderr,                                     \
				"%s:%d: %s: %s is %" PRIu64                 \
				", %s is %" PRIu64 "\n",                    \
				__FILE__, __LINE__, __func__, #a, a_, #b,   \
				b_);                                        \
			CHECK_GO_ON();                                      \
		}                                                           \
	} while (0)

#define CHECK_STR(a, b)                                                     \
	do {                                                                \
		const char *a_ = (a), *b_ = (b);                            \
		check_count++;                                              \
		if (strcmp(a_, b_)) {                                       \
			check_failures++;                                   \
			fprintf(stderr, "%s:%d: %s: \"%s\" is not \"%s\"\n", \
				__FILE__, __LINE__, __func__, a_, b_);      \
			CHECK_GO_ON();                                      \
		}                                                           \
	} while (0)

static inline int check_result(void)
{
	printf("%u checks, %u failed\n", check_count, check_failures);
	return check_failures != 0;
}

#endif
