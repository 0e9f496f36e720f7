/* SPDX-License-Identifier: MIT */
/*
 * Without libFuzzer: every file of SEEDS/NAME/ through target NAME, then so
 * many mutations of each, always the same ones: a few bytes changed to values
 * that matter, moved, cut off or doubled. A crash is the failure; the file
 * last written to `LAST` made it.
 *
 *   replay SEEDS MUTATIONS LAST [NAME...]
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "tests/fuzz/targets.h"

/* Longer seeds would make each turn slow. */
#define SEED_MOST ((size_t)6 << 20)

static uint64_t random_state;

/* xorshift64*, modulo 2^64: the same everywhere. */
WRAPS static uint64_t draw(uint64_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dULL >> 11) % below;
}

/* Most of what matters is near the front. */
static size_t draw_place(size_t len)
{
	size_t near = len < 1024 ? len : draw(3) ? 1024 : len;

	return (size_t)draw(near);
}

static void change_number(unsigned char *at, size_t room)
{
	static const uint64_t values[] = {
		0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
		0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000,
		0xffffffffffffffff, 512, 65536, 1 << 20
	};
	uint64_t value = values[draw(sizeof values / sizeof *values)];
	size_t len = (size_t)1 << draw(4);
	bool big = draw(2);

	if (len > room)
		len = room;
	for (size_t i = 0; i < len; i++)
		at[big ? len - 1 - i : i] = (unsigned char)(value >> 8 * i);
}

/* Changes `bytes` in place; returns the new length, at most `room`. */
static size_t mutate(unsigned char *bytes, size_t len, size_t room)
{
	for (unsigned turns = 1 + (unsigned)draw(4); turns && len; turns--) {
		size_t at = draw_place(len), other = draw_place(len);
		size_t most = len - (at > other ? at : other);
		size_t part = 1 + (size_t)draw(most < 64 ? most : 64);

		switch (draw(6)) {
		case 0:
			bytes[at] ^= (unsigned char)(1 << draw(8));
			break;
		case 1:
			bytes[at] = (unsigned char)draw(256);
			break;
		case 2:
		case 3:
			change_number(bytes + at, len - at);
			break;
		case 4:
			memmove(bytes + at, bytes + other, part);
			break;
		default:
			if (draw(2))
				len = 1 + (size_t)draw(len);
			else if (len + part <= room)
				memmove(bytes + len, bytes + at, part),
					len += part;
		}
	}
	return len;
}

/* What is about to be run, for whoever looks at the crash. */
static void keep(int last, const unsigned char *bytes, size_t len)
{
	if (ftruncate(last, 0) || pwrite(last, bytes, len, 0) != (ssize_t)len)
		perror("keep");
}

static uint64_t run_seed(const struct fuzz_target *target, const char *path,
			 unsigned long mutations, int last)
{
	AUTO_FREE unsigned char *seed = mem_zalloc(SEED_MOST);
	AUTO_FREE unsigned char *bytes = mem_zalloc(2 * SEED_MOST);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, seed, SEED_MOST);

	if (len < 0) {
		perror(path);
		exit(66);
	}
	random_state = 0x9e3779b97f4a7c15ULL ^ (uint64_t)len;
	keep(last, seed, (size_t)len);
	target->run(target->which, seed, (size_t)len);
	for (unsigned long i = 0; i < mutations; i++) {
		memcpy(bytes, seed, (size_t)len);
		size_t now = mutate(bytes, (size_t)len, 2 * SEED_MOST);
		/* Of its own: a sanitizer sees reads past the end. */
		AUTO_FREE unsigned char *exact = mem_zalloc(now ? now : 1);
		memcpy(exact, bytes, now);
		keep(last, exact, now);
		target->run(target->which, exact, now);
	}
	return 1 + mutations;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static uint64_t run_target(const struct fuzz_target *target,
			   const char *seeds, unsigned long mutations,
			   int last)
{
	AUTO_FREE char *folder = mem_printf("%s/%s", seeds, target->name);
	struct dirent **list;
	int count = scandir(folder, &list, NULL, by_name);
	uint64_t runs = 0;

	for (int i = 0; i < count; i++) {
		AUTO_FREE char *path =
			mem_printf("%s/%s", folder, list[i]->d_name);

		if (*list[i]->d_name != '.')
			runs += run_seed(target, path, mutations, last);
		free(list[i]);
	}
	if (count >= 0)
		free(list);
	return runs;
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 4; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 4;
}

int main(int argc, char **argv)
{
	struct fuzz_target target;
	int last, lacking = 0;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (unsigned i = 0; fuzz_list(i, &target); i++)
			puts(target.name);
		return 0;
	}
	if (argc < 4) {
		fputs("usage: replay SEEDS MUTATIONS LAST [NAME...]\n",
		      stderr);
		return 64;
	}
	last = open(argv[3], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (last < 0) {
		perror(argv[3]);
		return 73;
	}
	for (unsigned i = 0; fuzz_list(i, &target); i++) {
		if (!wanted(target.name, argc, argv))
			continue;
		uint64_t runs = run_target(&target, argv[1],
					   strtoul(argv[2], NULL, 10), last);
		printf("%s: %" PRIu64 " inputs\n", target.name, runs);
		fflush(stdout);
		lacking += !runs;
	}
	/* A target that nothing was tried on proves nothing. */
	return lacking ? 1 : 0;
}
