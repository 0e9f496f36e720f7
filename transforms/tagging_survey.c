/* SPDX-License-Identifier: MIT */
/* Owns what planning wants to know of the inside: sizes, references, cluster
 * compression, order of the file, partition table. Reads tables and a few
 * bytes; bounded by SAMPLE_EXTENTS whatever the image says. */
#include "transforms/tagging_survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/codecs/wrap.h"
#include "formats/foreign.h"
#include "formats/gpt.h"
#include "transforms/layer.h"

/* How many extents are looked at: enough to see how a file is ordered and
 * whether it is compressed; a fragmented 1 TiB image has millions. */
#define SAMPLE_EXTENTS 20000

/* How many decoded blocks random access keeps at a time, at most: more of
 * them are so small that it does not matter. */
#define SAMPLE_BLOCKS 64

#define GPT_TAIL_LEN 4096

static void set_text(char *out, size_t len, const char *text)
{
	snprintf(out, len, "%s", text);
}

/* Facts by their names, whatever the driver. */
static void use_facts(const struct facts *facts, struct image *image)
{
	for (unsigned i = 0; i < facts->count; i++) {
		const struct fact *fact = &facts->fact[i];
		if (!strcmp(fact->name, "backing-file"))
			image->backing = true;
		else if (!strcmp(fact->name, "data-file"))
			image->data_file = true;
		else if (!strcmp(fact->name, "snapshot"))
			image->snapshots++;
		else if (!strcmp(fact->name, "snapshots"))
			image->snapshots = (uint32_t)fact->number;
		else if (!strcmp(fact->name, "encryption"))
			image->encrypted = true;
	}
}

/* The blocks that random access keeps, most recent first. */
struct block_cache {
	uint64_t block[SAMPLE_BLOCKS];
	unsigned room, used; /* room: 1..SAMPLE_BLOCKS */
	uint64_t misses;
};

static void touch_block(struct block_cache *cache, uint64_t block)
{
	unsigned i = 0;

	while (i < cache->used && cache->block[i] != block)
		i++;
	if (i == cache->used) {
		cache->misses++;
		if (cache->used < cache->room)
			cache->used++;
		else
			i--;
	}
	memmove(&cache->block[1], &cache->block[0],
		i * sizeof cache->block[0]);
	cache->block[0] = block;
}

/* A long run fills the cache with its end: only that is gone through, for an
 * image may say that each of its extents has all of the file's blocks. */
static void touch_run(struct block_cache *cache, uint64_t first, uint64_t last)
{
	if (last - first >= cache->room) {
		cache->misses += last - first - cache->room;
		first = last - cache->room;
	}
	for (uint64_t block = first; block <= last; block++)
		touch_block(cache, block);
}

/* Walk the first extents in guest order: is there compression, how much data,
 * and how often would each block of a compressed layer be decoded? */
static int sample_extents(struct disk *disk, uint64_t granule,
			  struct image *image, struct err *err)
{
	struct block_cache cache = {
		.room = (unsigned)min_u64(SAMPLE_BLOCKS,
					  max_u64(WRAP_RANDOM_CACHE / granule,
						  1)),
	};
	uint64_t at = 0, data = 0, stored = 0;
	struct extent extent;

	for (unsigned i = 0; at < disk->size && i < SAMPLE_EXTENTS; i++) {
		if (disk_extent(disk, at, disk->size - at, &extent, err) < 0)
			return -1;
		at += extent.length;
		if (extent.kind != EXTENT_DATA)
			continue;
		data += extent.length;
		stored += extent.stored;
		if (extent.encoding != ENCODING_PLAIN)
			set_text(image->inner, sizeof image->inner,
				 extent.encoding == ENCODING_ZSTD ? "zstd"
								  : "zlib");
		if (granule > 1 && extent.source && extent.stored)
			touch_run(&cache, extent.place / granule,
				  (extent.place + extent.stored - 1) /
					  granule);
	}
	/* What was not looked at is taken to be like what was. */
	if (at && at < disk->size)
		data = (uint64_t)((double)data * (double)disk->size /
				  (double)at);
	image->allocated = data;
	if (granule > 1 && stored)
		image->redecode = (double)cache.misses /
				  (double)div_up(stored, granule);
	if (image->redecode < 1)
		image->redecode = 1;
	return 0;
}

static void use_head(const unsigned char *head, size_t head_len,
		     const unsigned char *tail, size_t tail_len,
		     struct image *image)
{
	static const char *const names[] = { [GPT_NONE] = "none",
					     [GPT_AT_END] = "at-end",
					     [GPT_STALE] = "stale",
					     [GPT_DAMAGED] = "stale" };
	const char *used_by = NULL;
	struct gpt gpt;

	gpt_read(head, head_len, tail, tail_len, image->size, &gpt);
	set_text(image->gpt, sizeof image->gpt, names[gpt.state]);
	image->used_end = gpt_used_end(head, head_len, &used_by);
	set_text(image->used_by, sizeof image->used_by,
		 used_by ? used_by : "");
}

/* The partition table and file system, through the guest's view. */
static int look_at_guest(struct disk *disk, struct image *image,
			 struct err *err)
{
	size_t head_len = (size_t)min_u64(GPT_HEAD_LEN, disk->size);
	size_t tail_len = (size_t)min_u64(GPT_TAIL_LEN, disk->size);
	AUTO_FREE unsigned char *head = mem_zalloc(head_len);
	unsigned char tail[GPT_TAIL_LEN];

	if (disk_read(disk, head, head_len, 0, err) < 0 ||
	    disk_read(disk, tail, tail_len, disk->size - tail_len, err) < 0)
		return -1;
	use_head(head, head_len, tail, tail_len, image);
	return 0;
}

/* As far as its first bytes tell. */
static bool says_encrypted(const struct survey_input *input,
			   const struct driver *driver)
{
	struct image *image;
	struct facts *facts;
	struct err ignored;
	uint64_t size;
	bool encrypted;

	if (!driver->peek)
		return false;
	image = mem_zalloc(sizeof *image);
	facts = mem_zalloc(sizeof *facts);
	encrypted = !driver->peek(input->head, *input->head_len, &size, facts,
				  &ignored);
	if (encrypted)
		use_facts(facts, image);
	encrypted = image->encrypted;
	free(facts);
	free(image);
	return encrypted;
}

static int survey_disk(const struct survey_input *input,
		       const struct driver *driver, struct source *source,
		       struct image *image, struct err *err)
{
	/* Without its key an image is only looked at. */
	bool encrypted = says_encrypted(input, driver);
	bool follow = input->references != NULL && !encrypted;
	struct open_options options = { .references = input->references,
					.metadata_only = !follow };
	AUTO_DISK struct disk *disk = NULL;
	struct facts *facts;

	if (*input->about->snapshot)
		options.snapshot = input->about->snapshot;
	if (*input->about->name)
		options.name = input->about->name;
	if (*input->about->member)
		options.member = input->about->member;
	disk = driver->open(source, &options, err);
	if (!disk)
		return err_in(err, "%s", driver->name);
	image->size_known = true;
	image->size = disk->size;
	image->sector_size = disk->sector_size;
	if (source->granule > 1)
		image->block = source->granule;
	facts = mem_zalloc(sizeof *facts);
	disk_info(disk, facts);
	use_facts(facts, image);
	free(facts);
	if (!follow && (image->backing || image->data_file))
		return 0; /* not to be read */
	if (encrypted)
		set_text(image->gpt, sizeof image->gpt, "unknown");
	if (strcmp(driver->name, "raw") &&
	    sample_extents(disk, source->granule, image, err) < 0)
		return err_in(err, "%s", driver->name);
	if (!encrypted && look_at_guest(disk, image, err) < 0)
		return err_in(err, "%s", driver->name);
	return 0;
}

/* A stream shows only its first bytes. */
static int survey_stream(const struct survey_input *input,
			 const struct driver *driver, struct image *image,
			 struct err *err)
{
	struct facts *facts;

	if (!strcmp(driver->name, "raw")) {
		image->size_known = image->stored_known;
		image->size = image->stored_size;
		use_head(input->head, *input->head_len, NULL, 0, image);
		return 0;
	}
	/* The guest itself comes later, or out of order. */
	set_text(image->gpt, sizeof image->gpt, "unknown");
	if (!driver->peek)
		return 0;
	facts = mem_zalloc(sizeof *facts);
	int result = driver->peek(input->head, *input->head_len, &image->size,
				  facts, err);
	use_facts(facts, image);
	free(facts);
	image->size_known = result == 0;
	return result < 0 ? err_in(err, "%s", driver->name) : 0;
}

static void survey_foreign(struct image *image)
{
	const struct foreign *foreign = foreign_by_name(image->format);

	set_text(image->gpt, sizeof image->gpt, "unknown");
	image->encrypted = foreign && foreign->encrypted;
}

int tagging_survey(const struct survey_input *input, struct image *image,
		   struct err *err)
{
	const struct driver *driver = driver_by_name(image->format);
	AUTO_SOURCE struct source *random = NULL;

	if (!image->native) {
		survey_foreign(image);
		return 0;
	}
	if (input->source->seekable)
		return survey_disk(input, driver, input->source, image, err);
	/* Raw bytes need no random access to be understood. */
	if (strcmp(driver->name, "raw") && input->below &&
	    input->below->seekable) {
		const struct image_layer *last =
			&image->layer[image->layers - 1];
		struct err ignored;

		if (last->inside == LAYER_BLOCKS)
			random = layer_open(last, input->below, true, 1,
					    LIMIT_DECODER_MEMORY, &ignored);
	}
	if (random)
		return survey_disk(input, driver, random, image, err);
	return survey_stream(input, driver, image, err);
}
