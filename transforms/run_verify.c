/* SPDX-License-Identifier: MIT */
/* Owns the second look at an output: opens it as anybody would, from the
 * file, and digests the guest's bytes. */
#include "transforms/run_verify.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "formats/overlay.h"
#include "formats/survey.h"
#include "io/files.h"
#include "transforms/costs.h"
#include "transforms/layer.h"
#include "transforms/pump.h"
#include "transforms/tagging.h"
#include "transforms/tags.h"

/* The file with its layers taken off. */
struct read_back {
	const struct run *run;
	const struct driver *driver;
	struct source *stack[TAGGING_STACK];
	unsigned depth;
	struct disk *disk;
	struct walk *walk;
};

static struct source *top(const struct read_back *back)
{
	return back->depth ? back->stack[back->depth - 1] : back->run->input;
}

/* Layers of the written file, outermost first, as tagging knows them. An
 * archive has the image as its first member, or its description says where. */
static int name_layers(const struct run *run, struct image *image,
		       struct err *err)
{
	struct state rest = run->job->start;
	char tag[TAG_LEN];
	bool used;

	while (image->layers < LIMIT_COMPRESSIONS &&
	       state_top(&rest, TAG_WRAPS, tag)) {
		struct image_layer *layer = &image->layer[image->layers];

		memcpy(layer->tag, tag, sizeof layer->tag - 1);
		state_pop(&rest, TAG_WRAPS);
		if (!image->layers++ && layer_is_archive(layer->tag) &&
		    layer_choose(layer, run->input,
				 strcmp(layer->tag, "ova")
					 ? ""
					 : run->job->member_name,
				 &used, err) < 0)
			return -1;
	}
	return 0;
}

/* A format that can be read in order needs no room for it. */
static int decode_in_order(struct read_back *back, const struct image *image,
			   struct err *err)
{
	const struct job *job = back->run->job;

	for (unsigned i = 0; i < image->layers; i++) {
		struct source *source = layer_open(
			&image->layer[i], top(back), false, job->threads,
			costs_decoders_memory(job->memory, false), err);
		if (!source)
			return -1;
		back->stack[back->depth++] = source;
	}
	return 0;
}

static int open_back(struct read_back *back, const struct image *image,
		     struct err *err)
{
	const struct run *run = back->run;
	struct open_options options = { .log = run->log };
	bool in_order = back->driver->walk && !back->driver->walk_order &&
			back->driver->walk_usual == WALK_ORDERED;
	int result = 0;

	if (image->layers && in_order)
		result = decode_in_order(back, image, err);
	else if (image->layers)
		result = tagging_unwrap(run->input, image, NULL, UINT64_MAX,
					run->spool_fd, back->stack, &back->depth, err);
	else if (!strcmp(back->driver->name, "raw"))
		/* A device goes on behind the image. */
		back->stack[back->depth++] = files_window(
			run->input, 0, run->job->expected_size);
	if (result < 0)
		return -1;
	if (top(back)->seekable)
		back->disk = back->driver->open(top(back), &options, err);
	else if (back->driver->walk)
		back->walk = back->driver->walk(top(back), &options, -1, err);
	else
		return err_set(err, ERR_BUG, "%s cannot be read back in order",
			       back->driver->name);
	/* What pads the last sector is not the guest's. */
	if (back->disk && back->disk->size > run->job->expected_size)
		back->disk = overlay_disk(back->disk,
					  run->job->expected_size);
	return back->disk || back->walk ? 0 : -1;
}

static int digest_back(struct read_back *back, unsigned char *digest,
		       struct err *err)
{
	const struct run *run = back->run;
	AUTO_WRITER struct writer *nowhere = survey_writer(NULL);
	struct pump pump = { .disk = back->disk,
			     .walk = back->walk,
			     .writer = nowhere,
			     .threads = run->job->threads,
			     .digest = digest_open(),
			     .stages = run->stages,
			     .progress = run->events->progress,
			     .opaque = run->events->opaque };
	int result = pump_run(&pump, err);

	digest_get(pump.digest, digest);
	digest_close(pump.digest);
	return result;
}

int run_verify(const struct run *run, struct err *err)
{
	unsigned char digest[DIGEST_LEN];
	struct image *image = mem_zalloc(sizeof *image);
	struct read_back back = { .run = run,
				  .driver = driver_by_name(run->job->format) };
	int result = -1;

	run->events->step(run->events->opaque, "verify");
	if (name_layers(run, image, err) < 0)
		;
	else if (!back.driver || !back.driver->open)
		err_set(err, ERR_BUG, "%s cannot be read back",
			run->job->format);
	else if (!open_back(&back, image, err))
		result = digest_back(&back, digest, err);
	disk_close(back.disk);
	walk_close(back.walk);
	while (back.depth)
		source_close(back.stack[--back.depth]);
	free(image);
	if (result < 0)
		return err_in(err, "verify");
	if (memcmp(digest, run->job->expected, sizeof digest))
		return err_set(err, ERR_IO,
			       "verify: the output reads back differently from "
			       "what was written");
	return 0;
}
