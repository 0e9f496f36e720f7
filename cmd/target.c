/* SPDX-License-Identifier: MIT */
/* Owns the reading of OUTPUT's name and of -O: format, compressions around
 * it, and the options the format knows. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/units.h"
#include "cmd/machine.h"
#include "cmd/planning.h"
#include "formats/codecs/codec.h"
#include "formats/codecs/wrap.h"
#include "formats/foreign.h"

/* Suffixes of compressions, outermost first; they are cut off `name`. */
static int take_wraps(char *name, struct target *out, struct err *err)
{
	int outer[LIMIT_COMPRESSIONS], id;
	unsigned count = 0;

	/* Ends: each turn makes the name shorter. */
	while ((id = codec_by_suffix(name)) >= 0) {
		if (count == LIMIT_COMPRESSIONS)
			return err_set(err, ERR_USAGE,
				       "more than %d compressions in a name",
				       LIMIT_COMPRESSIONS);
		outer[count++] = id;
		name[strlen(name) -
		     strlen(codec_get((enum codec_id)id)->suffix)] = '\0';
	}
	out->wrap_count = count;
	for (unsigned i = 0; i < count; i++)
		out->wrap[i] = outer[count - 1 - i];
	return 0;
}

/* What cannot be encoded with this level, or in this memory, is said before
 * anything is planned. */
static int check_wraps(const struct settings *settings,
		       const struct target *target, struct err *err)
{
	uint64_t room =
		costs_encoders_memory(planning_memory(settings), false);
	char needed[32], allowed[32];

	if (settings->wrap_level && !target->wrap_count)
		return err_set(err, ERR_USAGE,
			       "--wrap-level needs an OUTPUT that ends in a "
			       "compression (.xz, .zst, .gz)");
	for (unsigned i = 0; i < target->wrap_count; i++) {
		enum codec_id id = (enum codec_id)target->wrap[i];
		uint64_t least;

		if (wrap_encode_check(id, settings->wrap_level, err) < 0)
			return err_in(err, "--wrap-level");
		least = wrap_encode_memory(id, settings->wrap_level, 1);
		if (least > room)
			return err_set(
				err, ERR_LIMIT,
				"%s at this level needs %s of memory, "
				"allowed are %s; allow more with "
				"--memory, or lower --wrap-level",
				codec_get(id)->name,
				units_about(least, needed, sizeof needed),
				units_about(room, allowed, sizeof allowed));
	}
	return 0;
}

static bool is_device(const char *path)
{
	struct stat about;

	return !stat(path, &about) && S_ISBLK(about.st_mode);
}

/* `named` is -O without its compressions, or NULL; `bare` the same of OUTPUT. */
static int find_format(const char *named, const char *output, const char *bare,
		       struct target *out, struct err *err)
{
	const struct foreign *foreign = NULL;

	if (named) {
		out->driver = driver_by_name(named);
		foreign = foreign_by_name(named);
	} else if (is_device(output)) {
		out->driver = driver_by_name("raw");
	} else if (strcmp(output, "-")) {
		out->driver = driver_by_suffix(bare);
		foreign = foreign_by_suffix(bare);
	}
	if (out->driver && !out->driver->create)
		out->driver = NULL;
	if (out->driver) {
		out->format = out->driver->name;
		return 0;
	}
	if (foreign && foreign->writes) {
		out->format = foreign->name;
		return 0;
	}
	if (named)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s images cannot be written", named);
	return err_set(err, ERR_USAGE,
		       "%s: the name does not tell the format; give -O",
		       output);
}

/* Plain -c is the format's first compression. */
static int resolve_compress(struct target *target, struct err *err)
{
	const char *const *known =
		target->driver ? target->driver->compressions : NULL;
	char *compress = target->create.compress;

	if (!*compress)
		return 0;
	if (!known)
		return err_set(err, ERR_USAGE,
			       "%s has no compression inside; leave out -c, or "
			       "end OUTPUT in .xz, .zst or .gz",
			       target->format);
	if (!strcmp(compress, "default"))
		snprintf(compress, sizeof target->create.compress, "%s",
			 known[0]);
	for (; *known; known++)
		if (!strcmp(*known, compress))
			return 0;
	return err_set(err, ERR_USAGE, "%s cannot be compressed with %s",
		       target->format, compress);
}

int planning_target(const struct settings *settings, const char *output,
		    struct target *out, struct err *err)
{
	AUTO_FREE char *bare = mem_strdup(output);
	AUTO_FREE char *named = settings->to ? mem_strdup(settings->to) : NULL;
	/* "-O qcow2.xz" says all; "-O qcow2" leaves the rest to the name. */
	char *wrapped = named && strchr(named, '.') ? named : bare;

	memset(out, 0, sizeof *out);
	out->create = settings->create;
	if (settings->unique)
		machine_unique(out->create.seed, sizeof out->create.seed,
			       &out->create.now);
	if (take_wraps(wrapped, out, err) < 0 ||
	    find_format(named, output, bare, out, err) < 0 ||
	    resolve_compress(out, err) < 0 ||
	    check_wraps(settings, out, err) < 0)
		return -1;
	if (out->driver)
		return driver_check_options(out->driver, &out->create, err);
	if (out->create.option_count || out->wrap_count)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s is written by qemu-img; neither -o nor a "
			       "compression around it is supported",
			       out->format);
	return 0;
}
