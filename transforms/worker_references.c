/* SPDX-License-Identifier: MIT */
/* Owns the asking for named files. What is allowed is the conductor's. */
#include "transforms/worker_references.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/files.h"
#include "transforms/tagging.h"
#include "transforms/worker_ask.h"

static struct source *open_source(struct references *references,
				  const char *name, struct err *err)
{
	struct worker_referrer *self = (struct worker_referrer *)references;
	struct source *source;
	int fd = -1;

	if (self->all->count == LIMIT_REFERENCES) {
		err_set(err, ERR_LIMIT, "more than %d files are named",
			LIMIT_REFERENCES - PROTOCOL_FIRST_REFERENCE);
		return NULL;
	}
	if (worker_ask_reference(self->all->channel, self->number, name, &fd,
				 err) < 0)
		return NULL;
	/* The conductor counts its answers the same way. */
	self->all->count++;
	source = files_input(fd, -1, self->all->cache, err);
	if (source && !source->seekable) {
		err_set(err, ERR_REFUSED, "%s is not a file", name);
		source = source_close(source);
	}
	return source;
}

/* The format: as stated, else by the bytes. */
static const struct driver *find_driver(struct worker_referrer *self,
					const char *format,
					struct source *source,
					struct err *err)
{
	struct protocol_input about = { .seekable = true,
					.size = source->size,
					.memory = LIMIT_DECODER_MEMORY };
	struct image *image = mem_zalloc(sizeof *image);
	const struct driver *driver = NULL;

	if (format && *format) {
		snprintf(about.from, sizeof about.from, "%s", format);
		driver = driver_by_name(format);
	}
	if (driver || !tagging_probe(source, &about, &self->base,
				     self->all->log, image, err)) {
		if (!driver && !image->layers)
			driver = driver_by_name(image->format);
		if (!driver || !driver->open) {
			err_set(err, ERR_UNSUPPORTED,
				"it is %s, which is not read here",
				*image->format ? image->format : format);
			driver = NULL;
		}
	}
	free(image);
	return driver;
}

static struct disk *open_disk(struct references *references, const char *name,
			      const char *format, struct source **source,
			      struct err *err)
{
	struct worker_referrer *self = (struct worker_referrer *)references;
	struct disk *disk = NULL;

	*source = open_source(references, name, err);
	if (!*source)
		return NULL;
	struct worker_referrer *named =
		&self->all->referrer[self->all->count - 1];
	const struct driver *driver = find_driver(named, format, *source,
						  err);
	struct open_options options = { .references = &named->base,
					.log = self->all->log };
	if (driver)
		disk = driver->open(*source, &options, err);
	/* Whoever asked puts the name in front of what went wrong. */
	if (!disk)
		*source = source_close(*source);
	return disk;
}

void worker_references_init(struct worker_references *all, int channel,
			    struct log *log)
{
	all->channel = channel;
	all->log = log;
	all->count = PROTOCOL_FIRST_REFERENCE;
	for (unsigned i = 0; i < LIMIT_REFERENCES; i++) {
		all->referrer[i].base.open_disk = open_disk;
		all->referrer[i].base.open_source = open_source;
		all->referrer[i].all = all;
		all->referrer[i].number = i;
	}
}

struct references *worker_references_of(struct worker_references *all,
					unsigned which)
{
	return &all->referrer[which].base;
}

void worker_references_clear(struct worker_references *all)
{
	all->count = PROTOCOL_FIRST_REFERENCE;
}
