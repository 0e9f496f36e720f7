/* SPDX-License-Identifier: MIT */
/* Owns the questions asked of the machine. Decides nothing. */
#include "cmd/machine.h"

#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Not in every <linux/magic.h>. */
#define MAGIC_BCACHEFS 0xca451a4e
#define MAGIC_OCFS2 0x7461636f

/* cgroup v2, cpu.max: "QUOTA PERIOD" or "max PERIOD". 0: no limit known. */
static unsigned group_quota(void)
{
	FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
	unsigned long long quota, period;
	unsigned result = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%llu %llu", &quota, &period) == 2 && period)
		result = (unsigned)((quota + period - 1) / period);
	fclose(file);
	return result;
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

bool machine_tool(const char *name, char *out, size_t len)
{
	const char *path = getenv("PATH");

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
