/* SPDX-License-Identifier: MIT */
/* Owns the comparison of an input's name with what the probe found. Bytes
 * always win over names where they say anything. */
#include "cmd/named.h"

#include <fnmatch.h>
#include <string.h>

#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/images/driver.h"

/* Take off the end that stands for `codec`. */
static void strip(char *name, const char *codec)
{
	int id = codec_by_suffix(name);

	if (id >= 0 && id == codec_by_name(codec))
		*strrchr(name, '.') = '\0';
}

/* The format that such a file is a part of, or NULL. */
static const struct driver *part_of(const char *name)
{
	for (const struct driver *const *row = driver_table; *row; row++)
		for (const char *const *part = (*row)->part_names;
		     part && *part; part++)
			if (!fnmatch(*part, name, 0))
				return *row;
	return NULL;
}

int named_check(const char *path, const struct image *image, struct err *err)
{
	AUTO_FREE char *name = mem_strdup(path);
	const struct driver *driver;
	const char *promised;

	if (image->report.class != PROBE_BLANK &&
	    image->report.class != PROBE_GUEST)
		return 0;
	for (unsigned i = 0; i < image->layers; i++)
		strip(name, image->layer[i].tag);
	driver = part_of(name);
	if (driver)
		return err_set(err, ERR_UNSUPPORTED,
			       "by its name an extent of a %s image, without "
			       "its descriptor: give the descriptor, with "
			       "--allow-references, or -f raw to take these "
			       "bytes alone", driver->name);
	if (image->report.class != PROBE_BLANK)
		return 0;
	int id = codec_by_suffix(name);
	driver = driver_by_suffix(name);
	if (id >= 0)
		promised = codec_get((enum codec_id)id)->name;
	else if (driver && strcmp(driver->name, "raw") && !driver->raw_suffix)
		promised = driver->name;
	else
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "the name says %s, but the bytes do not: cut off, "
		       "damaged or misnamed; -f raw takes them as they are",
		       promised);
}

int named_judge(const char *path, const struct image *image, struct err *err)
{
	AUTO_FREE char *name = mem_strdup(path);
	const struct driver *driver;

	if (named_check(path, image, err) < 0)
		return -1;
	for (unsigned i = 0; i < image->layers; i++)
		strip(name, image->layer[i].tag);
	int id = codec_by_suffix(name);

	if (id >= 0)
		return err_set(err, ERR_DAMAGED,
			       "the name says %s, but it is %s",
			       codec_get((enum codec_id)id)->name,
			       image->format);
	driver = driver_by_suffix(name);
	/* Any container is called .img, and .raw by mistake alone: the bytes
	 * say what it is, and nobody who looks at them is misled. */
	if (!driver || !strcmp(driver->name, "raw") ||
	    !strcmp(driver->name, image->format) ||
	    (driver->raw_suffix && !strcmp(image->format, "raw")))
		return 0;
	return err_set(err, ERR_DAMAGED, "the name says %s, but it is %s",
		       driver->name, image->format);
}
