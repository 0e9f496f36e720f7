/* SPDX-License-Identifier: MIT */
/*
 * Owns the writer of VDI images and its options. Places of blocks are
 * block_map.h's.
 *
 *   0 header | 512 block map | data, aligned to 1 MiB: blocks ...
 *
 * Blocks in the way of the map's end come last; even in a static image, when
 * its map is longer than MAP_AT .. 1 MiB. The header holds a UUID made of the first guest bytes. Where the sink takes
 * no order but its own, those bytes are kept until they are all there, then
 * come header, map and what was kept.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/block_map.h"
#include "formats/images/vdi/vdi.h"

#define MAP_AT 512
/* VDI_DATA_ALIGN */
#define DATA_ALIGN MIB
const struct driver_option vdi_options[] = {
	{ "static", "on|off", "off", "give every block its place" },
	{ "block_size", "4K..256M", "1M",
	  "bytes of a block (QEMU reads 1M only)" },
	{ "preallocation", "off|falloc|full", "off",
	  "static=on: room for zeros: none, reserved, or written" },
	{ NULL, NULL, NULL, NULL }
};

struct config {
	bool fixed;
	uint32_t block_size;
	enum sink_zero how;
};

/* Stores of the first bytes, in order. */
struct kept {
	struct kept *next;
	uint64_t offset;
	size_t len;
	unsigned char bytes[];
};

struct vdi_writer {
	struct writer writer;
	struct config config;
	struct identity *identity;
	struct block_room room;
	bool size_known;
	uint64_t size;
	bool headed; /* append-only: the header is out */
	struct kept *kept, **kept_end;
};

static struct vdi_writer *self(struct writer *writer)
{
	return (struct vdi_writer *)writer;
}

static int parse(const struct create_options *options, struct config *out,
		 struct err *err)
{
	const char *value =
		create_option(options, vdi_options, "preallocation");
	uint64_t block_size;

	if (create_option_bool(options, vdi_options, "static", &out->fixed,
			       err) ||
	    create_option_size(options, vdi_options, "block_size", &block_size,
			       err))
		return -1;
	if (!is_power_of_two(block_size))
		return err_set(err, ERR_USAGE,
			       "option block_size=%llu is not a power of two "
			       "(4K..256M)",
			       (unsigned long long)block_size);
	out->block_size = (uint32_t)block_size;
	out->how = SINK_ZERO_SPARSE;
	if (!strcmp(value, "falloc"))
		out->how = SINK_ZERO_ALLOCATE;
	else if (!strcmp(value, "full"))
		out->how = SINK_ZERO_WRITE;
	if (out->how != SINK_ZERO_SPARSE && !out->fixed)
		return err_set(err, ERR_USAGE,
			       "option preallocation=%s needs static=on",
			       value);
	return 0;
}

int vdi_check_options(const struct create_options *options, struct err *err)
{
	struct config config;

	return parse(options, &config, err);
}

uint32_t vdi_survey_granule(const struct create_options *options)
{
	struct config config;
	struct err err;

	if (parse(options, &config, &err))
		return 4096; /* it will not come to a survey */
	return block_room_survey_granule(config.block_size);
}

static uint64_t map_end(uint64_t blocks)
{
	return MAP_AT + blocks * 4;
}

static uint64_t data_at(uint64_t blocks, uint32_t block_size)
{
	uint64_t front = round_up(map_end(blocks), DATA_ALIGN);

	return DATA_ALIGN + round_up(front - DATA_ALIGN, block_size);
}

uint64_t vdi_measure(const struct create_options *options, uint64_t size,
		     uint64_t data)
{
	struct config config;
	struct err err;
	uint64_t blocks;

	if (parse(options, &config, &err))
		return size;
	blocks = div_up(size, config.block_size);
	if (!config.fixed)
		size = min_u64(data, size);
	return data_at(blocks, config.block_size) +
	       round_up(size, config.block_size);
}

/* Header and map, for a disk of `size` bytes whose blocks have their places. */
static int store_head(struct vdi_writer *w, uint64_t size, struct err *err)
{
	unsigned char bytes[VDI_HEAD_LEN];
	struct block_room *room = &w->room;
	uint64_t blocks = div_up(size, room->block_size);
	struct vdi_header header = {
		.type = room->fixed ? VDI_STATIC : VDI_DYNAMIC,
		.map = MAP_AT,
		.data = room->data,
		.size = size,
		.block_size = room->block_size,
		.blocks = (uint32_t)blocks,
		.used = (uint32_t)(room->fixed ? blocks : room->used),
	};

	identity_uuid(w->identity, size, "image", header.uuid);
	/* VirtualBox takes no image without. */
	identity_uuid(w->identity, size, "snapshot", header.modify);
	vdi_header_put(&header, bytes);
	/* Header last where there is a choice: no image without its map. */
	if (!w->writer.sink->seekable &&
	    sink_write(w->writer.sink, bytes, sizeof bytes, 0, err))
		return -1;
	if (block_room_store(room, MAP_AT, blocks, 0, VDI_BLOCK_FREE, err))
		return -1;
	if (!w->writer.sink->seekable)
		return 0;
	if (sink_zero(w->writer.sink, map_end(blocks),
		      room->data - map_end(blocks), SINK_ZERO_SPARSE, err))
		return -1;
	return sink_write(w->writer.sink, bytes, sizeof bytes, 0, err);
}

/* ---- the head of an append-only sink ---- */

/* The unit's stores are copied, and are its own no more. */
static void keep(struct vdi_writer *w, struct unit *unit)
{
	for (size_t i = 0; i < unit->store_count; i++) {
		const struct store *store = &unit->stores[i];
		struct kept *kept = mem_zalloc(sizeof *kept + store->len);

		kept->offset = store->offset;
		kept->len = store->len;
		memcpy(kept->bytes, store->bytes, store->len);
		*w->kept_end = kept;
		w->kept_end = &kept->next;
	}
	unit->store_count = 0;
}

static void drop_kept(struct vdi_writer *w)
{
	while (w->kept) {
		struct kept *next = w->kept->next;

		free(w->kept);
		w->kept = next;
	}
	w->kept_end = &w->kept;
}

/* All before these was stored: units of such a sink are, one by one. */
static int store_kept(struct vdi_writer *w, struct err *err)
{
	if (store_head(w, w->size, err))
		return -1;
	for (const struct kept *kept = w->kept; kept; kept = kept->next)
		if (sink_write(w->writer.sink, kept->bytes, kept->len,
			       kept->offset, err))
			return -1;
	drop_kept(w);
	w->headed = true;
	return 0;
}

static bool wants_head(const struct vdi_writer *w)
{
	return !w->writer.sink->seekable && !w->headed;
}

/* ---- the faces ---- */

static int vdi_place(struct writer *writer, struct unit *unit, struct err *err)
{
	struct vdi_writer *w = self(writer);

	identity_unit(w->identity, unit, writer->granule);
	if (block_room_place(&w->room, unit, err))
		return -1;
	if (!wants_head(w))
		return 0;
	if (identity_ready(writer->position, w->size))
		return store_kept(w, err);
	keep(w, unit);
	return 0;
}

static int vdi_zero(struct writer *writer, uint64_t offset, uint64_t length,
		    enum extent_kind kind, struct err *err)
{
	struct vdi_writer *w = self(writer);

	(void)kind; /* bytes must not depend on how zeros are told */
	if (block_room_zero(&w->room, offset, length, err))
		return -1;
	if (wants_head(w) && identity_ready(writer->position, w->size))
		return store_kept(w, err);
	return 0;
}

static int vdi_reserve(struct writer *writer, uint64_t offset, uint64_t length,
		       uint64_t *place, struct err *err)
{
	return block_room_reserve(&self(writer)->room, offset, length, place,
				  err);
}

/* The data begin at whole MiB, as everywhere. */
static int settle(struct vdi_writer *w, struct err *err)
{
	uint64_t blocks = div_up(w->size, w->room.block_size);

	return block_room_settle(&w->room,
				 round_up(map_end(blocks), DATA_ALIGN),
				 w->config.how, err);
}

/* A static image holds all of its disk, to the end of the last block. */
static int fill(struct vdi_writer *w, struct err *err)
{
	struct block_room *room = &w->room;
	uint64_t seen = w->writer.position;

	room->count = div_up(w->size, room->block_size);
	if (room->count > room->most)
		return err_set(err, ERR_UNSUPPORTED,
			       "%llu bytes are more than %llu blocks of %u "
			       "bytes: say the size with -s",
			       (unsigned long long)w->size,
			       (unsigned long long)room->most,
			       room->block_size);
	return block_room_zero(room, seen,
			       room->count * room->block_size - seen, err);
}

static int vdi_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct vdi_writer *w = self(writer);

	if (w->size_known && size != w->size)
		return err_set(
			err, ERR_BUG, "size was announced as %llu and is %llu",
			(unsigned long long)w->size, (unsigned long long)size);
	w->size = size;
	if (w->room.fixed && fill(w, err))
		return -1;
	if (writer->sink->seekable
		    ? settle(w, err) || store_head(w, size, err)
		    : (wants_head(w) && store_kept(w, err)) ||
			      block_room_flush(&w->room, err))
		return -1;
	return sink_finish(writer->sink, block_room_end(&w->room), err);
}

static void vdi_writer_close(struct writer *writer)
{
	struct vdi_writer *w = self(writer);

	drop_kept(w);
	block_room_clear(&w->room);
	identity_close(w->identity);
	free(w);
}

static const struct writer_ops vdi_ops = {
	.place = vdi_place,
	.zero = vdi_zero,
	.reserve = vdi_reserve,
	.finish = vdi_finish,
	.close = vdi_writer_close,
};

static int open_room(struct vdi_writer *w, const struct create_options *options,
		     struct err *err)
{
	struct block_room *room = &w->room;
	struct sink *sink = w->writer.sink;
	uint64_t blocks = div_up(w->size, w->config.block_size);

	*room = (struct block_room){
		.sink = sink,
		.block_size = w->config.block_size,
		.fixed = w->config.fixed,
		.how = w->config.how,
		.most = BLOCK_ROOM_MOST,
		.data = DATA_ALIGN,
	};
	if (block_room_open(room, w->size,
			    sink->seekable ? NULL : options->survey, err) ||
	    (!sink->seekable && settle(w, err)))
		return -1;
	/* Room for all of it at once: no room is found out before any work. */
	if (!room->fixed || room->how != SINK_ZERO_ALLOCATE || !w->size_known ||
	    !sink->seekable)
		return 0;
	if (sink->fresh) /* it stays zero where nothing is written */
		room->how = SINK_ZERO_SPARSE;
	return sink_zero(sink, room->data, blocks * room->block_size,
			 SINK_ZERO_ALLOCATE, err);
}

struct writer *vdi_create(struct sink *sink,
			  const struct create_options *options, struct err *err)
{
	AUTO_WRITER struct writer *writer = NULL;
	struct config config;

	if (parse(options, &config, err))
		return NULL;
	if (!sink->seekable && (!options->size_known || !options->survey)) {
		err_set(err, ERR_BUG, "in order, without a survey");
		return NULL;
	}
	struct vdi_writer *w = mem_zalloc(sizeof *w);

	writer = &w->writer;
	writer_init(writer, &vdi_ops, "vdi", sink);
	writer->granule = block_room_granule(config.block_size);
	w->config = config;
	w->kept_end = &w->kept;
	w->identity = identity_open(writer, options);
	w->size_known = options->size_known;
	w->size = options->size_known ? options->size : 0;
	if (open_room(w, options, err))
		return NULL;
	return STEAL(writer);
}
