/* SPDX-License-Identifier: MIT */
/* The way in for libFuzzer: fuzz --target=NAME [libFuzzer's own words]. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/targets.h"

static struct fuzz_target target;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* It leaves alone what begins with two dashes. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char word[] = "--target=";

	for (int i = 1; i < *argc; i++) {
		const char *name = (*argv)[i];

		if (!strncmp(name, word, strlen(word)) &&
		    fuzz_find(name + strlen(word), &target))
			return 0;
	}
	fputs("give --target=NAME, one of these:\n", stderr);
	for (unsigned i = 0; fuzz_list(i, &target); i++)
		fprintf(stderr, "%s\n", target.name);
	exit(64);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	target.run(target.which, bytes, len);
	return 0;
}
