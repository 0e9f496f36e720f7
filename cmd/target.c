/* SPDX-License-Identifier: MIT */
/* Owns the reading of OUTPUT's name and of -O: format, compressions around
 * it, and the options the format knows. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/units.h"
#include "cmd/machine.h"
#include "cmd/planning.h"
#include "cmd/remote.h"
#include "cmd/wraps.h"
#include "formats/codecs/codec.h"
#include "formats/codecs/wrap.h"
#include "formats/foreign.h"

/* Suffixes of what is around the image, outermost first; they are cut off
 * `name`. An archive is the innermost of them. */
static int take_wraps(char *name, struct target *out, struct err *err)
{
	const char *outer[LIMIT_COMPRESSIONS], *tag;
	unsigned count = 0;

	/* Ends: each turn makes the name shorter. */
	while ((tag = wraps_take(name))) {
		if (*out->archive)
			return err_set(err, ERR_USAGE,
				       "a %s file around %s is not written: an "
				       "archive holds the image itself",
				       out->archive, tag);
		if (count == LIMIT_COMPRESSIONS)
			return err_set(err, ERR_USAGE,
				       "more than %d compressions in a name",
				       LIMIT_COMPRESSIONS);
		outer[count++] = tag;
		if (codec_by_name(tag) < 0)
			out->archive = tag;
	}
	if (*out->archive && strcmp(out->archive, "tar") && count > 1)
		return err_set(err, ERR_USAGE,
			       "a compressed %s file is not written: what is "
			       "in it is compressed already", out->archive);
	out->wrap_count = count;
	for (unsigned i = 0; i < count; i++)
		snprintf(out->wrap[i], sizeof out->wrap[i], "%s",
			 outer[count - 1 - i]);
	return 0;
}

/* The image's name in an archive: --member-name, or OUTPUT's own name without
 * what is around it, with a suffix of the format. */
static int name_member(const struct settings *settings, const char *bare,
		       struct target *out, struct err *err)
{
	const char *slash = strrchr(bare, '/');
	const char *base = slash ? slash + 1 : bare;
	const char *suffix = "";
	AUTO_FREE char *name = NULL;

	if (settings->member_name && (!*out->archive ||
				      !strcmp(out->archive, "ova")))
		return err_set(err, ERR_USAGE,
			       "--member-name needs an OUTPUT that is an "
			       "archive (.tar, .tar.gz, .zip)");
	if (!*out->archive)
		return 0;
	if (settings->member_name)
		base = settings->member_name;
	else if (driver_by_suffix(base) != out->driver && out->driver &&
		 out->driver->suffixes)
		suffix = out->driver->suffixes[0];
	name = mem_printf("%s%s", !strcmp(base, "-") ? "disk" : base, suffix);
	if (strlen(name) > TAR_NAME_MOST)
		return err_set(err, ERR_USAGE,
			       "the image's name in the archive is longer than "
			       "%d bytes: give a shorter one with "
			       "--member-name", TAR_NAME_MOST);
	snprintf(out->member_name, sizeof out->member_name, "%s", name);
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
		int found = codec_by_name(target->wrap[i]);
		enum codec_id id = (enum codec_id)found;
		uint64_t least;

		if (found < 0)
			continue;

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

	if (!strcmp(out->archive, "ova")) {
		if (named && driver_by_name(named) != driver_by_suffix("x" OVA_DISK_SUFFIX))
			return err_set(err, ERR_USAGE,
				       "the disks of an appliance are VMDK, "
				       "not %s: leave out -O", named);
		out->driver = driver_by_suffix("x" OVA_DISK_SUFFIX);
	} else if (named) {
		out->driver = driver_by_name(named);
		foreign = foreign_by_name(named);
	} else if (is_device(output) || remote_kind(output) == REMOTE_NBD) {
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

/* An appliance's keys of -o are not its disks'. */
static void move_options(struct target *target)
{
	struct create_options *from = &target->create, *to = &target->appliance;
	unsigned kept = 0;

	for (unsigned i = 0; i < from->option_count; i++) {
		const struct driver_option *row = ova_options;

		while (row->name && strcmp(row->name, from->option[i].name))
			row++;
		if (row->name)
			to->option[to->option_count++] = from->option[i];
		else
			from->option[kept++] = from->option[i];
	}
	from->option_count = kept;
}

/* The disks are of one kind, whatever is said of them. */
static int shape_disks(struct target *target, struct err *err)
{
	struct create_options *create = &target->create;
	struct ova *ova;
	const char *given;
	int result;

	assert(target->driver); /* find_format's for an appliance */
	given = create_option(create, target->driver->options,
			      OVA_DISK_OPTION);
	move_options(target);
	for (unsigned i = 0; i < create->option_count; i++)
		if (!strcmp(create->option[i].name, OVA_DISK_OPTION) &&
		    strcmp(given, OVA_DISK_VALUE))
			return err_set(err, ERR_USAGE,
				       "the disks of an appliance are "
				       OVA_DISK_VALUE ", not %s", given);
	if (strcmp(given, OVA_DISK_VALUE)) {
		unsigned at = create->option_count;

		if (at == CREATE_OPTIONS_MAX)
			return err_set(err, ERR_USAGE, "too many options");
		snprintf(create->option[at].name,
			 sizeof create->option[at].name, OVA_DISK_OPTION);
		snprintf(create->option[at].value,
			 sizeof create->option[at].value, OVA_DISK_VALUE);
		create->option_count++;
	}
	/* What is wrong is said before anything is planned. */
	ova = mem_zalloc(sizeof *ova);
	result = ova_init(ova, &target->appliance, "x", err);
	free(ova);
	return result;
}

int planning_target(const struct settings *settings, const char *output,
		    struct target *out, struct err *err)
{
	AUTO_FREE char *bare = mem_strdup(output);
	AUTO_FREE char *named = settings->to ? mem_strdup(settings->to) : NULL;
	/* "-O qcow2.xz" says all; "-O qcow2" leaves the rest to the name. */
	char **wrapped = named && strchr(named, '.') ? &named : &bare;

	memset(out, 0, sizeof *out);
	out->archive = "";
	/* What an export is called says nothing. */
	if (remote_kind(output) == REMOTE_NBD)
		*bare = '\0';
	if (named && !strcasecmp(named, "ova")) {
		snprintf(out->wrap[0], sizeof out->wrap[0], "ova");
		out->wrap_count = 1;
		out->archive = "ova";
		free(STEAL(named));
		wrapped = NULL;
	}
	if (wrapped)
		wraps_spell_out(wrapped);
	out->create = settings->create;
	if (settings->unique)
		machine_unique(out->create.seed, sizeof out->create.seed,
			       &out->create.now);
	if ((wrapped && take_wraps(*wrapped, out, err) < 0) ||
	    find_format(named, output,
			settings->member_name && *out->archive
				? settings->member_name
				: bare,
			out, err) < 0 ||
	    name_member(settings, bare, out, err) < 0 ||
	    (!strcmp(out->archive, "ova") && shape_disks(out, err) < 0) ||
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
