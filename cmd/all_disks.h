/* SPDX-License-Identifier: MIT */
/* --all-disks: the disks that one file holds, and what each becomes. */
#ifndef CMD_ALL_DISKS_H
#define CMD_ALL_DISKS_H

#include "cmd/settings.h"
#include "cmd/ui.h"

#define ALL_DISKS_MOST 256

struct disk_output {
	char member[16]; /* for --member; "": the only disk */
	char *path;	 /* in the folder of --all-disks */
};

struct disk_list {
	unsigned count;
	struct disk_output disk[ALL_DISKS_MOST];
};

/* Asks for one disk after the other, until there is no such number. Names of
 * outputs come from members' names, of which only letters, digits and "._-"
 * are left: none leads out of the folder. Release with all_disks_clear, also
 * after a failure. */
int all_disks_find(const struct settings *settings, struct ui *ui,
		   struct disk_list *out, struct err *err);
void all_disks_clear(struct disk_list *list);

#endif
