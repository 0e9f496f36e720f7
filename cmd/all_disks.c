/* SPDX-License-Identifier: MIT */
/* Owns the finding of a file's disks and the naming of what they become. The
 * conversions are convert.c's. */
#include "cmd/all_disks.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cmd/conductor.h"
#include "cmd/wraps.h"
#include "formats/images/driver.h"

/* Without what is around it and the image's own suffix. */
static char *stem_of(const char *member)
{
	const char *slash = strrchr(member, '/');
	char *name = mem_strdup(slash ? slash + 1 : member), *dot;

	wraps_spell_out(&name);
	/* Ends: the name gets shorter. */
	while (wraps_take(name))
		;
	dot = strrchr(name, '.');
	if (driver_by_suffix(name) && dot && dot > name)
		*dot = '\0';
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '_';
	if (*name == '.' || *name == '-')
		*name = '_';
	return name;
}

/* "qcow2" is ".qcow2", "raw.xz" is ".raw.xz". */
static char *suffix_of(const char *to)
{
	AUTO_FREE char *format = mem_printf("%.*s", (int)strcspn(to, "."), to);
	const struct driver *driver = driver_by_name(format);
	const char *wraps = strchr(to, '.');

	return mem_printf("%s%s",
			  driver && driver->suffixes ? driver->suffixes[0]
						     : "",
			  wraps ? wraps : "");
}

static bool is_taken(const struct disk_list *list, const char *path)
{
	for (unsigned i = 0; i < list->count; i++)
		if (!strcasecmp(list->disk[i].path, path))
			return true;
	return false;
}

/* Two members of one name get numbers. Ends: there are fewer than most. */
static char *name_output(const struct settings *settings,
			 const struct disk_list *list, const char *stem)
{
	AUTO_FREE char *suffix = suffix_of(settings->to);
	char *path = mem_printf("%s/%s%s", settings->all_disks,
				*stem ? stem : "disk", suffix);

	for (unsigned i = 1; is_taken(list, path); i++) {
		free(path);
		path = mem_printf("%s/%s-%u%s", settings->all_disks,
				  *stem ? stem : "disk", i, suffix);
	}
	return path;
}

/* The name of the disk that was found: of the member furthest in. */
static char *stem_in(const struct image *image, unsigned number)
{
	for (unsigned i = image->layers; i; i--)
		if (*image->layer[i - 1].member)
			return stem_of(image->layer[i - 1].member);
	return mem_printf("disk-%u", number);
}

/* 1: there is such a disk; 0: there is none; -1. */
static int look_for(const struct settings *settings, struct ui *ui,
		    const char *member, struct image *image, struct err *err)
{
	struct settings one = *settings;
	struct conductor *conductor;
	int result;

	one.member = *member ? member : NULL;
	conductor = conductor_open(settings->argument[0], &one, ui, err);
	if (!conductor)
		return -1;
	result = conductor_probe(conductor, image, err) < 0 ? -1 : 1;
	conductor_close(conductor);
	if (result < 0 && *member && err->kind == ERR_USAGE)
		return 0;
	return result < 0 ? err_in(err, "%s", settings->label[0]) : 1;
}

static void add(const struct settings *settings, struct disk_list *out,
		const char *member, const struct image *image)
{
	struct disk_output *disk = &out->disk[out->count];
	AUTO_FREE char *stem = stem_in(image, out->count);

	snprintf(disk->member, sizeof disk->member, "%s", member);
	disk->path = name_output(settings, out, stem);
	out->count++;
}

static int check_folder(const struct settings *settings, struct err *err)
{
	struct stat about;

	if (!stat(settings->all_disks, &about) && S_ISDIR(about.st_mode))
		return 0;
	return err_set(err, ERR_CREATE,
		       "%s: is no folder; make it first", settings->all_disks);
}

int all_disks_find(const struct settings *settings, struct ui *ui,
		   struct disk_list *out, struct err *err)
{
	AUTO_FREE struct image *image = mem_zalloc(sizeof *image);
	char member[16];
	int found = 1;

	memset(out, 0, sizeof *out);
	if (check_folder(settings, err) < 0)
		return -1;
	for (unsigned i = 0; found > 0; i++) {
		snprintf(member, sizeof member, "%u", i);
		found = look_for(settings, ui, member, image, err);
		if (found > 0 && out->count == ALL_DISKS_MOST)
			return err_set(err, ERR_LIMIT, "more than %d disks",
				       ALL_DISKS_MOST);
		if (found > 0)
			add(settings, out, member, image);
	}
	/* One that has a single disk knows no numbers. */
	if (!found && !out->count) {
		found = look_for(settings, ui, "", image, err);
		if (found > 0)
			add(settings, out, "", image);
	}
	return found < 0 ? -1 : 0;
}

void all_disks_clear(struct disk_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		free(list->disk[i].path);
	list->count = 0;
}
