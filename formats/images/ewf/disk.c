/* SPDX-License-Identifier: MIT */
/* Owns EWF's disk face and its row of the registry. Each chunk is held
 * against its checksum whenever it is read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/ewf/ewf.h"

extern const struct driver driver_ewf;

/* Tables in memory: 8 MiB are those of 64 GiB in chunks of 32 KiB. */
#define TABLES_MEMORY ((uint64_t)(8 * MIB))

struct ewf_disk {
	struct disk disk;
	struct ewf_image image;
	struct packed *packed;
	char *second; /* name of the second segment; NULL: there is none */
	bool incomplete; /* further segments were left out: for info */
};

struct ewf_image *ewf_image_of(struct disk *disk)
{
	return &((struct ewf_disk *)disk)->image;
}

static size_t chunk_length(const struct ewf_image *image, uint64_t number)
{
	return (size_t)min_u64(image->chunk_len,
			       image->size - number * image->chunk_len);
}

/* zlib's bound for incompressible data is far below. */
static size_t stored_max(const struct ewf_image *image)
{
	return image->chunk_len + image->chunk_len / 8 + 1024;
}

/* A chunk that is not compressed, all of it, into `out`. */
static int read_plain(struct ewf_image *image, uint64_t number,
		      const struct ewf_chunk *chunk, unsigned char *out,
		      struct err *err)
{
	struct source *source = &image->segments.source;
	size_t length = chunk_length(image, number);
	unsigned char sum[EWF_SUM_LEN];

	if (chunk->room < length + EWF_SUM_LEN)
		return err_set(err, ERR_DAMAGED,
			       "chunk %" PRIu64 " has room for %" PRIu64
			       " bytes, not %zu", number, chunk->room,
			       length + EWF_SUM_LEN);
	if (source_read_all(source, out, length, chunk->place, "chunk", err) ||
	    source_read_all(source, sum, sizeof sum, chunk->place + length,
			    "chunk's checksum", err))
		return -1;
	if (bytes_le32(sum) != ewf_adler(out, length))
		return err_set(err, ERR_DAMAGED,
			       "chunk %" PRIu64 " does not have its checksum",
			       number);
	return 0;
}

static int read_chunk(struct ewf_disk *self, uint64_t number, size_t skip,
		      unsigned char *buf, size_t len, struct err *err)
{
	struct ewf_image *image = &self->image;
	size_t length = chunk_length(image, number);
	struct ewf_chunk chunk;

	if (ewf_tables_find(image, number, &chunk, err))
		return -1;
	if (chunk.packed) {
		const struct packed_chunk packed = {
			.codec = BLOCK_ZLIB,
			.place = chunk.place,
			.stored = (size_t)min_u64(chunk.room,
						  stored_max(image)),
			.length = length,
		};
		return packed_read(self->packed, &packed, skip, buf, len, err);
	}
	if (len == length)
		return read_plain(image, number, &chunk, buf, err);
	AUTO_FREE unsigned char *whole = mem_buffer(length);
	if (read_plain(image, number, &chunk, whole, err))
		return -1;
	memcpy(buf, whole + skip, len);
	return 0;
}

static int disk_op_read(struct disk *disk, void *buf, size_t len,
			uint64_t offset, struct err *err)
{
	struct ewf_disk *self = (struct ewf_disk *)disk;
	uint32_t chunk_len = self->image.chunk_len;
	unsigned char *at = buf;

	if (self->incomplete)
		return err_set(err, ERR_BUG,
			       "read of an image opened without its other "
			       "segments");
	while (len) {
		size_t skip = (size_t)(offset % chunk_len);
		size_t now = (size_t)min_u64(len, chunk_len - skip);
		if (read_chunk(self, offset / chunk_len, skip, at, now, err))
			return -1;
		at += now;
		offset += now;
		len -= now;
	}
	return 0;
}

/* The place of what is not compressed is kept back: whoever copied from there
 * would not see whether the checksum is right. */
static int disk_op_extent(struct disk *disk, uint64_t offset, uint64_t limit,
			  struct extent *out, struct err *err)
{
	struct ewf_disk *self = (struct ewf_disk *)disk;
	struct ewf_image *image = &self->image;
	uint64_t number = offset / image->chunk_len;
	struct ewf_chunk chunk;

	out->kind = EXTENT_DATA;
	out->length = limit;
	out->encoding = ENCODING_PLAIN;
	out->source = NULL;
	if (self->incomplete)
		return 0;
	if (ewf_tables_find(image, number, &chunk, err))
		return -1;
	out->length = min_u64(limit, (number + 1) * image->chunk_len - offset);
	if (chunk.packed) {
		out->encoding = ENCODING_ZLIB;
		out->source = &image->segments.source;
		out->place = chunk.place;
		out->stored = min_u64(chunk.room, stored_max(image));
		return 0;
	}
	/* Ends at the limit, or at a chunk that is compressed. */
	while (out->length < limit) {
		if (ewf_tables_find(image, ++number, &chunk, err))
			return -1;
		if (chunk.packed)
			break;
		out->length = min_u64(limit, (number + 1) * image->chunk_len -
						     offset);
	}
	return 0;
}

static void hex_fact(struct facts *facts, const char *name,
		     const unsigned char *bytes, size_t len)
{
	char text[65];

	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, sizeof text - 2 * i, "%02x", bytes[i]);
	facts_text(facts, name, "%s", text);
}

static void disk_op_info(struct disk *disk, struct facts *facts)
{
	static const unsigned char none[16];
	static const char *const levels[] = { "none", "good", "best" };
	const struct ewf_disk *self = (const struct ewf_disk *)disk;
	const struct ewf_image *image = &self->image;

	facts_text(facts, "variant", "%s", image->smart ? "S01" : "E01");
	facts_number(facts, "chunk-size", image->chunk_len);
	facts_number(facts, "bytes-per-sector", image->sector_len);
	if (!image->smart && image->compression < 3)
		facts_text(facts, "compression-level", "%s",
			   levels[image->compression]);
	if (!self->incomplete)
		facts_number(facts, "segments", image->segments.count);
	if (self->second)
		facts_text(facts, "data-file", "%s", self->second);
	if (memcmp(image->set, none, sizeof none))
		hex_fact(facts, "set-identifier", image->set,
			 sizeof image->set);
	if (image->has_md5)
		hex_fact(facts, "md5", image->md5, sizeof image->md5);
	if (image->has_sha1)
		hex_fact(facts, "sha1", image->sha1, sizeof image->sha1);
	if (image->errors)
		facts_number(facts, "unreadable-ranges", image->errors);
}

static void disk_op_close(struct disk *disk)
{
	struct ewf_disk *self = (struct ewf_disk *)disk;

	packed_close(self->packed);
	for (unsigned i = 0; i < self->image.table_count; i++)
		free(self->image.table[i].loaded);
	free(self->image.table);
	ewf_segments_clear(&self->image.segments);
	pthread_mutex_destroy(&self->image.lock);
	free(self->second);
	free(self);
}

static const struct disk_ops disk_ops = { .read = disk_op_read,
					  .extent = disk_op_extent,
					  .info = disk_op_info,
					  .close = disk_op_close };

/* The next file of a set; ends: each has a name of its own, and there are not
 * more than there are names. */
static int open_segment(struct ewf_image *image,
			const struct open_options *options, const char *name,
			struct err *err)
{
	struct references *references = options->references;
	struct source *source;
	uint64_t total;

	if (!references)
		return err_set(err, ERR_REFUSED,
			       "the image goes on in %s, which is not opened "
			       "without --allow-references", name);
	source = references->open_source(references, name, err);
	if (!source)
		return err_in(err, "segment %u (%s)",
			      image->segments.count + 1, name);
	if (!checked_add(image->segments.source.size, source->size, &total) ||
	    total > INT64_MAX) {
		err_set(err, ERR_LIMIT,
			"segment %u (%s) of %" PRIu64 " bytes is too large "
			"together with those before it",
			image->segments.count + 1, name, source->size);
		source_close(source);
		return -1;
	}
	ewf_segments_add(&image->segments, source);
	if (ewf_sections_read(image, err))
		return err_in(err, "%s", name);
	return 0;
}

static int open_segments(struct ewf_disk *self,
			 const struct open_options *options, struct err *err)
{
	struct ewf_image *image = &self->image;

	if (ewf_sections_read(image, err))
		return -1;
	while (image->more) {
		AUTO_FREE char *name = ewf_segment_name(
			options->name, image->segments.count + 1, err);
		if (!self->second)
			self->second = mem_strdup(
				name ? name : "(not named after the first)");
		if (!name || open_segment(image, options, name, err)) {
			self->incomplete = options->metadata_only;
			return options->metadata_only ? 0 : -1;
		}
	}
	return ewf_sections_finish(image, err);
}

struct disk *ewf_open(struct source *source,
		      const struct open_options *options, struct err *err)
{
	struct ewf_disk *self = mem_zalloc(sizeof *self);
	AUTO_DISK struct disk *disk = &self->disk;
	struct ewf_image *image = &self->image;

	disk_init(disk, &disk_ops, driver_ewf.name);
	pthread_mutex_init(&image->lock, NULL);
	ewf_segments_init(&image->segments, source);
	image->memory = options->memory ? options->memory : TABLES_MEMORY;
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED,
			"EWF has no snapshots, so no %s", options->snapshot);
		return NULL;
	}
	if (open_segments(self, options, err))
		return NULL;
	if (image->errors)
		log_note(options->log,
			 "ewf: %u ranges of sectors could not be read when "
			 "the image was made, and are zero in it",
			 image->errors);
	disk->size = image->size;
	disk->sector_size = image->sector_len == 4096 ? 4096 : 512;
	disk->granule = image->chunk_len;
	self->packed = packed_open(&image->segments.source,
				   "compressed chunk", stored_max(image),
				   image->chunk_len);
	return STEAL(disk);
}

static const char *const ewf_aliases[] = { "e01", "expert", NULL };
static const char *const ewf_suffixes[] = { ".e01", ".s01", NULL };

const struct driver driver_ewf = {
	.name = "ewf",
	.title = "Expert Witness images (E01, S01)",
	.aliases = ewf_aliases,
	.suffixes = ewf_suffixes,
	.open = ewf_open,
	.check = ewf_check,
};
