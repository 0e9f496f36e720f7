/* SPDX-License-Identifier: MIT */
/* Owns what is refused before a plan is sought, and the plain words for why
 * there is none. Decides nothing about routes. */
#include "cmd/refusals.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "cmd/consumers.h"
#include "io/nbd.h"
#include "transforms/limit.h"
#include "transforms/tags.h"

/* `imgconv resize` changes the file that is there; why it may not be able to
 * is better said plainly than by a plan that cannot be found. */
int refusals_in_place(const struct image *image,
			   const struct planning_paths *paths, struct err *err)
{
	const char *why = NULL;

	if (!strcmp(paths->output, "-"))
		return err_set(err, ERR_USAGE,
			       "resize changes a file; for standard input use "
			       "convert with -s");
	if (image->layers)
		why = "a compressed file";
	else if (!image->native)
		why = "an image of this format";
	else if (image->backing)
		why = "an image with a backing file";
	else if (S_ISBLK(paths->input->st_mode))
		why = "a device";
	if (!why)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "%s: %s%s%s: %s cannot be resized in place; convert it "
		       "with -s", paths->output, image->report.title,
		       image->layers ? ", " : "",
		       image->layers ? image->layer[0].tag : "", why);
}

int refusals_size(const struct settings *settings, const struct image *image,
		  struct err *err)
{
	uint64_t most = settings->max_size;

	for (unsigned i = 0; i < image->layers; i++)
		if (image->layer[i].size_known &&
		    limit_check(image->layer[i].size, most, err) < 0)
			return -1;
	return image->size_known ? limit_check(image->size, most, err) : 0;
}

/* The output is read back before it has its name: alone. */
int refusals_verify(const struct planning *planning, struct err *err)
{
	const struct create_options *create = &planning->target.create;
	const struct driver *driver = planning->target.driver;

	if (driver && driver->in_parts && driver->in_parts(create))
		return err_set(err, ERR_USAGE,
			       "--verify reads OUTPUT alone, and with these "
			       "options it is several files; imgconv compare "
			       "can look at it afterwards");
	for (unsigned i = 0; i < create->option_count; i++)
		if (!strcmp(create->option[i].name, "backing_file") ||
		    !strcmp(create->option[i].name, "data_file"))
			return err_set(err, ERR_USAGE,
				       "--verify reads OUTPUT alone, and with "
				       "-o %s it needs another file; leave out "
				       "one of the two; imgconv compare can "
				       "look at it afterwards",
				       create->option[i].name);
	return 0;
}

/* Nothing inside is changed by it: what counts in 4096 stays so. */
int refusals_sectors(const struct planning *planning, struct err *err)
{
	const struct driver *driver = planning->target.driver;
	uint32_t size = planning->target.create.sector_size;

	if (!driver || !driver->sector_sizes || driver->sector_sizes & size)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "the disk has sectors of %" PRIu32 " bytes, and %s "
		       "means 512: --sector-size=512 writes it all the same, "
		       "with partitions and file systems that count in %"
		       PRIu32, size, driver->name, size);
}

int refusals_parts(const struct planning *planning,
			const struct planning_paths *paths, struct err *err)
{
	const struct target *target = &planning->target;
	struct stat about;
	bool file = paths->output && strcmp(paths->output, "-") &&
		    (stat(paths->output, &about) || S_ISREG(about.st_mode));

	if (!strcmp(target->archive, "ova") && !file &&
	    paths->output)
		return err_set(err, ERR_USAGE,
			       "an appliance is written to a file: what stands "
			       "first in it is known last");
	if (paths->in_place || !target->driver || !target->driver->in_parts ||
	    !target->driver->in_parts(&target->create) ||
	    ((file || !paths->output) && !target->wrap_count))
		return 0;
	return err_set(err, ERR_USAGE,
		       "with these options %s is several files: OUTPUT must "
		       "be a file, not compressed as a whole",
		       target->format);
}

int refusals_consumer(const struct settings *settings,
		      const struct target *target, const struct image *image,
		      struct err *err)
{
	const struct consumer *consumer = settings->consumer;
	uint64_t size = image->size;

	if (settings->size_request == SIZE_ABSOLUTE)
		size = settings->size;
	else if (!image->size_known ||
		 (settings->size_request == SIZE_RELATIVE &&
		  !checked_add(size, settings->size, &size)))
		return 0;
	size = driver_round_size(target->driver, &target->create, size);
	if (!consumer || !consumer->most || size <= consumer->most)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "%s takes disks of at most %" PRIu64 " bytes, and this "
		       "would have %" PRIu64, consumer->name, consumer->most,
		       size);
}

/* To qemu-nbd, "snapshot.name=x" is not a name but a way to give one. */
bool refusals_names_otherwise(const char *snapshot)
{
	return snapshot && !strncmp(snapshot, "snapshot.", 9);
}

/* What an encrypted input lacks; NULL: nothing. */
static const char *why_not_decrypted(const struct planning *planning,
				     const struct settings *settings)
{
	const struct image *image = &planning->price_list.image;

	if (!image->encrypted)
		return NULL;
	if (!settings->secret)
		return "the image is encrypted; --secret FILE says where its "
		       "pass phrase is";
	if (!nbd_built())
		return "the image is encrypted, and read with the help of "
		       "qemu-nbd and libnbd, which this program was built "
		       "without";
	if (refusals_names_otherwise(settings->snapshot))
		return "the image is encrypted, and qemu-nbd takes this "
		       "snapshot's name for something else; give its id";
	if (!*planning->problem.start.tag[TAG_QEMU_NBD])
		return "the image is encrypted, and read with the help of "
		       "qemu-nbd, which is not installed or not allowed here";
	if (image->backing || image->data_file)
		return "the image is encrypted, and with the help of qemu-nbd "
		       "it is read only where it needs no other file";
	return NULL;
}

/* Where no driver reads the input, what would help is known, and is easier to
 * understand than which tags are out of reach. NULL: not so. */
static const char *why_not_read(const struct planning *planning)
{
	const struct image *image = &planning->price_list.image;

	return image->native ? NULL
			     : "this format is recognised but not read; -f raw "
			       "takes the bytes as they are";
}

const char *refusals_why_not(const struct planning *planning,
			     const struct settings *settings)
{
	const char *why = why_not_decrypted(planning, settings);

	if (!strcmp(planning->problem.start.tag[TAG_PLACE], "output"))
		return "this image cannot be resized in place here; convert "
		       "it with -s";
	return why ? why : why_not_read(planning);
}
