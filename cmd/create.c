/* SPDX-License-Identifier: MIT */
/*
 * Owns `imgconv create`: an empty image, or an overlay. No byte of an image
 * is parsed here: what is to be known of a backing file a worker finds out.
 * Parts come first: an external data file has its name before the image does.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/machine.h"
#include "cmd/options.h"
#include "cmd/parts.h"
#include "io/files.h"
#include "io/output.h"

#define SECTOR 512

struct creation {
	const struct settings *settings;
	struct ui *ui;
	const struct driver *driver;
	const char *path;
	struct create_options create;
	const char *backing, *backing_format, *data_file; /* or NULL */
	struct stat backing_stat;
	uint64_t size;
	struct log log; /* the writer's; leads to `ui` */
};

static void emit(struct log *log, enum log_level level, const char *line)
{
	struct creation *creation =
		(struct creation *)((char *)log -
				    offsetof(struct creation, log));

	ui_note(creation->ui, level, line);
}

/* ---- what is asked ---- */

static const char *find_option(const struct creation *creation,
			       const char *name)
{
	const char *value = create_option(&creation->create,
					  creation->driver->options, name);

	return value && *value ? value : NULL;
}

static int add_option(struct creation *creation, const char *name,
		      const char *value, struct err *err)
{
	struct create_options *create = &creation->create;
	unsigned at = create->option_count;

	if (at == CREATE_OPTIONS_MAX)
		return err_set(err, ERR_USAGE, "more than %u keys after -o",
			       CREATE_OPTIONS_MAX);
	if (strlen(value) >= sizeof create->option[at].value)
		return err_set(err, ERR_USAGE,
			       "%s has %zu bytes, at most %zu "
			       "are allowed",
			       name, strlen(value),
			       sizeof create->option[at].value - 1);
	snprintf(create->option[at].name, sizeof create->option[at].name, "%s",
		 name);
	snprintf(create->option[at].value, sizeof create->option[at].value,
		 "%s", value);
	create->option_count++;
	return 0;
}

/* [FORMAT] IMAGE [SIZE], by whether -O gave the format. */
static int take_arguments(struct creation *creation, struct settings *sized,
			  struct err *err)
{
	const struct settings *settings = creation->settings;
	unsigned used = 0;
	const char *format =
		settings->to ? settings->to : settings->argument[used++];

	creation->driver = driver_by_name(format);
	if (!creation->driver && option_check_format(format, false, err))
		return -1;
	if (!creation->driver)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s cannot be created (see imgconv formats)",
			       format);
	if (used == settings->argument_count)
		return err_set(err, ERR_USAGE,
			       "too few arguments: IMAGE is "
			       "missing");
	creation->path = settings->argument[used++];
	if (settings->argument_count > used + 1)
		return err_set(err, ERR_USAGE,
			       "\"%s\" is too much: with -O "
			       "create takes IMAGE [SIZE]",
			       settings->argument[used + 1]);
	if (!strcmp(creation->path, "-"))
		return err_set(err, ERR_USAGE,
			       "create makes a file, not standard output");
	if (settings->argument_count == used)
		return 0;
	if (option_size(sized, settings->argument[used], err))
		return err_in(err, "SIZE");
	if (sized->size_request == SIZE_RELATIVE)
		return err_set(err, ERR_USAGE,
			       "SIZE: \"%s\" has nothing to "
			       "be added to",
			       settings->argument[used]);
	return 0;
}

/* -b and -o backing_file are the same thing. */
static int take_backing(struct creation *creation, struct err *err)
{
	const char *backing = creation->settings->backing;

	if (backing && find_option(creation, "backing_file"))
		return err_set(err, ERR_USAGE,
			       "--backing and -o backing_file are given");
	if (backing && add_option(creation, "backing_file", backing, err))
		return -1;
	return 0;
}

/* ---- the backing file ---- */

/* `name` as seen from the image's folder. */
static char *beside(const char *image, const char *name)
{
	const char *slash = strrchr(image, '/');

	if (*name == '/' || !slash)
		return mem_strdup(name);
	return mem_printf("%.*s%s", (int)(slash - image + 1), image, name);
}

static int check_backing_name(const char *name, struct err *err)
{
	const char *colon = strchr(name, ':'), *slash = strchr(name, '/');

	/* Readers take such names for protocols, not for files. */
	if (colon && (!slash || colon < slash))
		return err_set(err, ERR_USAGE,
			       "backing file \"%s\" would be read as a "
			       "protocol; write ./%s",
			       name, name);
	return 0;
}

static int check_backing_image(const struct creation *creation,
			       const struct image *image, struct err *err)
{
	if (image->layers)
		return err_set(err, ERR_UNSUPPORTED,
			       "is compressed as a whole (%s); decompress it "
			       "to have it as a backing file",
			       image->layer[0].tag);
	if (!image->native && !creation->backing_format)
		return err_set(err, ERR_UNSUPPORTED,
			       "is %s, of which no size is known; give SIZE "
			       "and -o backing_fmt",
			       image->format);
	if (!image->size_known)
		return err_set(err, ERR_UNSUPPORTED,
			       "its size is not known; give SIZE");
	return 0;
}

/* Format and size of the backing file, by a worker. */
static int probe_backing(struct creation *creation, const char *file,
			 struct image *image, struct err *err)
{
	struct settings settings = *creation->settings;
	struct conductor *conductor;
	int result;

	settings.from = creation->backing_format;
	conductor = conductor_open(file, &settings, creation->ui, err);
	if (!conductor)
		return -1;
	result = conductor_probe(conductor, image, err);
	conductor_close(conductor);
	if (!result)
		result = check_backing_image(creation, image, err);
	return result ? err_in(err, "%s", file) : 0;
}

static int use_backing(struct creation *creation, struct settings *sized,
		       struct err *err)
{
	AUTO_FREE struct image *image = mem_zalloc(sizeof *image);
	AUTO_FREE char *file = beside(creation->path, creation->backing);

	if (check_backing_name(creation->backing, err))
		return -1;
	if (stat(file, &creation->backing_stat))
		return err_sys(err, ERR_NO_INPUT, "%s", file);
	if (creation->backing_format && sized->size_request != SIZE_KEEP)
		return 0;
	if (probe_backing(creation, file, image, err))
		return -1;
	if (!creation->backing_format &&
	    add_option(creation, "backing_fmt", image->format, err))
		return -1;
	if (sized->size_request == SIZE_KEEP) {
		sized->size_request = SIZE_ABSOLUTE;
		sized->size = image->size;
	}
	return 0;
}

static int settle_sectors(struct creation *creation, struct err *err)
{
	const struct settings *settings = creation->settings;
	const struct driver *driver = creation->driver;
	uint32_t size = settings->sector_size ? settings->sector_size : SECTOR;

	creation->create.sector_size = size;
	if (!settings->sector_size || driver->sector_sizes & size)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "%s cannot say that a disk has sectors of %" PRIu32
		       " bytes", driver->name, size);
}

/* The name without its folder, for what is named after it. */
static void settle_identity(struct creation *creation)
{
	struct create_options *create = &creation->create;
	const char *slash = strrchr(creation->path, '/');
	const char *name = slash ? slash + 1 : creation->path;

	if (strlen(name) < sizeof create->name)
		strcpy(create->name, name);
	if (creation->settings->unique)
		machine_unique(create->seed, sizeof create->seed,
			       &create->now);
}

static int settle_size(struct creation *creation, const struct settings *sized,
		       struct err *err)
{
	char note[128];

	if (sized->size_request == SIZE_KEEP)
		return err_set(err, ERR_USAGE,
			       "SIZE is missing (only an overlay has it from "
			       "its backing file)");
	creation->size = driver_round_size(creation->driver, &creation->create,
					   sized->size);
	if (creation->size != sized->size) {
		snprintf(note, sizeof note,
			 "the size is %" PRIu64 ", not %" PRIu64
			 ": the next that %s can have",
			 creation->size, sized->size, creation->driver->name);
		ui_note(creation->ui, LOG_NOTE, note);
	}
	creation->create.size_known = true;
	creation->create.size = creation->size;
	return 0;
}

static int prepare(struct creation *creation, struct err *err)
{
	struct settings sized = *creation->settings;

	if (take_arguments(creation, &sized, err))
		return -1;
	if (take_backing(creation, err) ||
	    driver_check_options(creation->driver, &creation->create, err))
		return -1;
	creation->backing = find_option(creation, "backing_file");
	creation->backing_format = find_option(creation, "backing_fmt");
	creation->data_file = find_option(creation, "data_file");
	if (creation->backing && use_backing(creation, &sized, err))
		return -1;
	settle_identity(creation);
	if (settle_sectors(creation, err))
		return -1;
	return settle_size(creation, &sized, err);
}

/* ---- writing ---- */

static struct sink *open_sink(const struct creation *creation,
			      const struct output *output, struct err *err)
{
	int fd = dup(output_fd(output));

	if (fd < 0) {
		err_sys(err, ERR_IO, "%s", creation->path);
		return NULL;
	}
	return files_image_sink(fd,
				&(const struct image_sink_options){
					.sync = creation->settings->sync,
					.direct = -1 },
				err);
}

static int write_image(struct creation *creation, struct sink *sink,
		       struct err *err)
{
	AUTO_WRITER struct writer *writer =
		creation->driver->create(sink, &creation->create, err);

	if (!writer ||
	    driver_check_room(creation->driver, &creation->create, writer,
			      err) ||
	    writer_finish(writer, creation->size, err))
		return err_in(err, "%s", creation->path);
	return 0;
}

static int write_all(struct creation *creation, struct output *output,
		     struct parts_list *parts, struct err *err)
{
	AUTO_SINK struct sink *sink = open_sink(creation, output, err);
	AUTO_SINK struct sink *data = NULL;

	if (!sink)
		return -1;
	if (creation->data_file) {
		struct output *part =
			parts_add(parts, creation->data_file, err);
		data = part ? open_sink(creation, part, err) : NULL;
		if (!data)
			return -1;
		creation->create.data_sink = data;
	}
	creation->create.parts =
		parts_direct(parts, creation->settings->sync);
	return write_image(creation, sink, err);
}

static int make(struct creation *creation, struct err *err)
{
	struct output_options options = {
		.force = creation->settings->force,
		.sync = creation->settings->sync,
		.input = creation->backing ? &creation->backing_stat : NULL
	};
	struct output *output = output_open(creation->path, &options, err);
	struct parts_list *parts;
	int result;

	if (!output)
		return err_in(err, "%s", creation->path);
	parts = parts_open(creation->path, output, &options);
	result = write_all(creation, output, parts, err);
	if (!result)
		result = parts_commit(parts, err);
	parts_close(parts);
	output_close(output);
	return result;
}

int command_create(const struct settings *settings)
{
	struct err err = { 0 };
	struct creation creation = { .settings = settings,
				     .create = settings->create,
				     .log = { emit } };

	/* By make -n. */
	if (settings->dry_run)
		return 0;
	creation.ui = ui_open(settings);
	creation.create.log = &creation.log;
	if (!prepare(&creation, &err))
		make(&creation, &err);
	return answer_end(creation.ui, &err, 0);
}
