/* SPDX-License-Identifier: MIT */
/* Owns the questions asked of the machine. Decides nothing. */
#include "cmd/machine.h"

#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* Not in every <linux/magic.h>. */
#define MAGIC_BCACHEFS 0xca451a4e
#define MAGIC_OCFS2 0x7461636f

#define GROUP_ROOT "/sys/fs/cgroup"
#define GROUP_PATH_LEN 4096

/* cpu.max: "QUOTA PERIOD" or "max PERIOD". 0: no limit known. */
static unsigned group_limit(const char *folder)
{
	char path[GROUP_PATH_LEN + 64];
	unsigned long long quota, period;
	unsigned result = 0;
	FILE *file;

	snprintf(path, sizeof path, GROUP_ROOT "%s/cpu.max", folder);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* Part of a processor counts as a whole one. */
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's numbers of 64 bits fit */
	if (fscanf(file, "%llu %llu", &quota, &period) == 2 && period)
		result = (unsigned)(quota / period + !!(quota % period));
	fclose(file);
	return result;
}

/* Our control group (version 2) as seen from the root: "0::/PATH". */
static void group_folder(char out[GROUP_PATH_LEN])
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[GROUP_PATH_LEN];

	out[0] = '\0';
	if (!file)
		return;
	/* Ends: one line for each hierarchy. */
	while (fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "0::/", 4) && !strstr(line, "/.."))
			strcpy(out, line + 3);
	}
	fclose(file);
}

/* The least of what our group and those above it are granted. */
static unsigned group_quota(void)
{
	char folder[GROUP_PATH_LEN], *slash;
	unsigned least = 0, limit;

	group_folder(folder);
	if (!strcmp(folder, "/"))
		folder[0] = '\0';
	/* Ends: the path gets shorter. */
	do {
		limit = group_limit(folder);
		if (limit && (!least || limit < least))
			least = limit;
		slash = strrchr(folder, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
	return least;
}

unsigned machine_processors(void)
{
	unsigned quota = group_quota();
	unsigned count = 1;
	cpu_set_t set;

	if (!sched_getaffinity(0, sizeof set, &set))
		count = (unsigned)CPU_COUNT(&set);
	if (quota && quota < count)
		count = quota;
	return count ? count : 1;
}

uint64_t machine_address_space(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

bool machine_tool(const char *name, char *out, size_t len)
{
	const char *path = getenv("PATH");

	/* Files are given to tools by this name. */
	if (access("/proc/self/fd", X_OK))
		return false;
	if (!path)
		path = "/usr/bin:/bin";
	while (*path) {
		size_t part = strcspn(path, ":");
		snprintf(out, len, "%.*s/%s", (int)part, path, name);
		if (part && !access(out, X_OK))
			return true;
		path += part + (path[part] == ':');
	}
	return false;
}

void machine_unique(unsigned char *seed, size_t len, int64_t *now)
{
	*now = time(NULL);
	/* At most 256 bytes come whole or not at all: before the pool is
	 * ready, or on a kernel without it. */
	if (getrandom(seed, len, GRND_NONBLOCK) == (ssize_t)len)
		return;
	struct timespec exact;
	clock_gettime(CLOCK_REALTIME, &exact);
	uint64_t mixed[2] = { (uint64_t)exact.tv_nsec ^ (uint64_t)*now << 30,
			      (uint64_t)getpid() };
	memset(seed, 0, len);
	memcpy(seed, mixed, len < sizeof mixed ? len : sizeof mixed);
}

bool machine_shares_extents(const char *path)
{
	struct statfs about;

	if (statfs(path, &about) < 0)
		return false;
	switch ((unsigned long)about.f_type) {
	case BTRFS_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case MAGIC_BCACHEFS:
	case MAGIC_OCFS2:
		return true;
	default:
		return false;
	}
}
