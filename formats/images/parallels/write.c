/* SPDX-License-Identifier: MIT */
/*
 * Owns the writer of extended Parallels images and its options. Places of
 * clusters are block_map.h's.
 *
 *   0 header | 64 BAT | data, aligned to the cluster size: clusters ...
 *
 * Clusters in the way of the BAT's end come last.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/parallels/parallels.h"

/* A geometry as QEMU notes it; nobody needs it. */
#define HEADS 16
#define SECTORS_A_CYLINDER 32

const struct driver_option parallels_options[] = {
	{ "cluster_size", "4K..256M", "1M", "bytes of a cluster" },
	{ NULL, NULL, NULL, NULL }
};

struct parallels_writer {
	struct writer writer;
	struct block_room room;
	bool size_known;
	uint64_t size;
	bool headed; /* append-only: the header is out */
};

static struct parallels_writer *self(struct writer *writer)
{
	return (struct parallels_writer *)writer;
}

static int parse(const struct create_options *options, uint32_t *cluster_size,
		 struct err *err)
{
	uint64_t size;

	*cluster_size = 0;
	if (create_option_size(options, parallels_options, "cluster_size",
			       &size, err))
		return -1;
	if (!is_power_of_two(size))
		return err_set(err, ERR_USAGE,
			       "option cluster_size=%llu is not a power of two "
			       "(4K..256M)",
			       (unsigned long long)size);
	*cluster_size = (uint32_t)size;
	return 0;
}

int parallels_check_options(const struct create_options *options,
			    struct err *err)
{
	uint32_t cluster_size;

	return parse(options, &cluster_size, err);
}

uint32_t parallels_survey_granule(const struct create_options *options)
{
	uint32_t cluster_size;
	struct err err;

	if (parse(options, &cluster_size, &err))
		return 4096; /* it will not come to a survey */
	return block_room_survey_granule(cluster_size);
}

static uint64_t bat_end(uint64_t clusters)
{
	return PARALLELS_HEADER_LEN + clusters * 4;
}

static uint64_t data_at(uint64_t clusters, uint32_t cluster_size)
{
	return round_up(bat_end(clusters), cluster_size);
}

uint64_t parallels_measure(const struct create_options *options, uint64_t size,
			   uint64_t data)
{
	uint32_t cluster_size;
	struct err err;

	if (parse(options, &cluster_size, &err))
		return size;
	return data_at(div_up(size, cluster_size), cluster_size) +
	       round_up(min_u64(data, size), cluster_size);
}

/* Header and BAT, for clusters that have their places. */
static int store_head(struct parallels_writer *w, struct err *err)
{
	unsigned char bytes[PARALLELS_HEADER_LEN];
	const struct block_room *room = &w->room;
	struct sink *sink = w->writer.sink;
	uint64_t clusters = div_up(w->size, room->block_size);
	uint64_t end = bat_end(clusters);
	uint64_t sectors = w->size / PARALLELS_SECTOR;
	const struct parallels_header header = {
		.heads = HEADS,
		.cylinders = (uint32_t)min_u64(
			sectors / HEADS / SECTORS_A_CYLINDER, UINT32_MAX),
		.tracks = room->block_size / PARALLELS_SECTOR,
		.entries = (uint32_t)clusters,
		.sectors = sectors,
		.in_use = PARALLELS_CLOSED,
		.data_sector = (uint32_t)(room->data / PARALLELS_SECTOR),
	};

	parallels_header_put(&header, bytes);
	if (!sink->seekable && sink_write(sink, bytes, sizeof bytes, 0, err))
		return -1;
	if (block_room_store(room, PARALLELS_HEADER_LEN, clusters,
			     (uint32_t)(room->data / room->block_size), 0, err))
		return -1;
	if (!sink->seekable)
		return 0;
	/* Header last where there is a choice: no image without its BAT. */
	if (sink_zero(sink, end, room->data - end, SINK_ZERO_SPARSE, err))
		return -1;
	return sink_write(sink, bytes, sizeof bytes, 0, err);
}

static int settle(struct parallels_writer *w, struct err *err)
{
	return block_room_settle(&w->room,
				 bat_end(div_up(w->size, w->room.block_size)),
				 SINK_ZERO_SPARSE, err);
}

/* In front of all else, where it must be. */
static int start(struct parallels_writer *w, struct err *err)
{
	if (w->writer.sink->seekable || w->headed)
		return 0;
	w->headed = true;
	return store_head(w, err);
}

static int parallels_place(struct writer *writer, struct unit *unit,
			   struct err *err)
{
	struct parallels_writer *w = self(writer);

	return start(w, err) || block_room_place(&w->room, unit, err) ? -1 : 0;
}

static int parallels_zero(struct writer *writer, uint64_t offset,
			  uint64_t length, enum extent_kind kind,
			  struct err *err)
{
	/* What is not stored is zero. */
	(void)writer, (void)offset, (void)length, (void)kind, (void)err;
	return 0;
}

static int parallels_reserve(struct writer *writer, uint64_t offset,
			     uint64_t length, uint64_t *place, struct err *err)
{
	return block_room_reserve(&self(writer)->room, offset, length, place,
				  err);
}

static int parallels_finish(struct writer *writer, uint64_t size,
			    struct err *err)
{
	struct parallels_writer *w = self(writer);

	if (w->size_known && size != w->size)
		return err_set(
			err, ERR_BUG, "size was announced as %llu and is %llu",
			(unsigned long long)w->size, (unsigned long long)size);
	w->size = size;
	if (writer->sink->seekable
		    ? settle(w, err) || store_head(w, err)
		    : start(w, err) || block_room_flush(&w->room, err))
		return -1;
	return sink_finish(writer->sink, block_room_end(&w->room), err);
}

static void parallels_writer_close(struct writer *writer)
{
	block_room_clear(&self(writer)->room);
	free(writer);
}

static const struct writer_ops parallels_ops = {
	.place = parallels_place,
	.zero = parallels_zero,
	.reserve = parallels_reserve,
	.finish = parallels_finish,
	.close = parallels_writer_close,
};

static int open_room(struct parallels_writer *w, uint32_t cluster_size,
		     const struct create_options *options, struct err *err)
{
	struct sink *sink = w->writer.sink;
	struct block_room *room = &w->room;

	*room = (struct block_room){
		.sink = sink,
		.block_size = cluster_size,
		.most = BLOCK_ROOM_MOST,
		.data = data_at(1, cluster_size),
	};
	if (block_room_open(room, w->size,
			    sink->seekable ? NULL : options->survey, err))
		return -1;
	return sink->seekable ? 0 : settle(w, err);
}

struct writer *parallels_create(struct sink *sink,
				const struct create_options *options,
				struct err *err)
{
	AUTO_WRITER struct writer *writer = NULL;
	uint32_t cluster_size;

	if (parse(options, &cluster_size, err))
		return NULL;
	if (!sink->seekable && (!options->size_known || !options->survey)) {
		err_set(err, ERR_BUG, "in order, without a survey");
		return NULL;
	}
	struct parallels_writer *w = mem_zalloc(sizeof *w);

	writer = &w->writer;
	writer_init(writer, &parallels_ops, "parallels", sink);
	writer->granule = block_room_granule(cluster_size);
	w->size_known = options->size_known;
	w->size = options->size_known ? options->size : 0;
	if (open_room(w, cluster_size, options, err))
		return NULL;
	return STEAL(writer);
}
