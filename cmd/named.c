/* SPDX-License-Identifier: MIT */
/* Owns the comparison of an input's name with what the probe found. Bytes
 * always win over names where they say anything. */
#include "cmd/named.h"

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

int named_check(const char *path, const struct image *image, struct err *err)
{
	AUTO_FREE char *name = mem_strdup(path);
	const struct driver *driver;
	const char *promised;

	if (image->report.class != PROBE_BLANK)
		return 0;
	for (unsigned i = 0; i < image->layers; i++)
		strip(name, image->layer[i].codec);
	int id = codec_by_suffix(name);
	driver = driver_by_suffix(name);
	if (id >= 0)
		promised = codec_get((enum codec_id)id)->name;
	else if (driver && strcmp(driver->name, "raw"))
		promised = driver->name;
	else
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "the name says %s, but the bytes do not: cut off, "
		       "damaged or misnamed; -f raw takes them as they are",
		       promised);
}
