/* SPDX-License-Identifier: MIT */
/*
 * Owns the writing of streamOptimized images ("Virtual Disk Format 5.0",
 * "Stream-Optimized Compressed Sparse Extents"): one ascending pass, to a
 * file as to a pipe.
 *
 * A table stands behind the last grain it maps, and only where it has any;
 * the directory behind all; the footer, which has the directory's place, and
 * the end follow. Header and descriptor stand in front, but need the disk's
 * first bytes for its identity: a file gets them last, and of a stream the
 * few grains that come before it is settled are held back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vmdk/write.h"

/* As VMware's: the first grain is aligned like one of a sparse extent. */
#define FIRST_SECTOR GRAIN_SECTORS

/* What a grain takes at most, its marker counted: its length and a sector,
 * which is also what open-vmdk's reader has room for. zlib (deflateBound) and
 * libdeflate (its bound) stay under that by hundreds of bytes. */
#define CODED_MAX (GRAIN_LEN + VMDK_SECTOR)

/* What is stored before the identity is settled: its bytes, compressed. */
#define HELD_MAX (IDENTITY_LEN / GRAIN_LEN * CODED_MAX)

struct vmdk_stream {
	uint64_t next; /* sector */
	/* The table being filled, and its number. */
	unsigned char table[TABLE_LEN];
	uint64_t table_index;
	bool table_used;
	unsigned char *gd;
	uint64_t gd_room; /* entries */
	/* An append-only sink's: has it got its header? What follows it. */
	bool begun;
	unsigned char *held;
	size_t held_len;
};

/* ---- encode ---- */

static int encode_grain(void *encoder, const unsigned char *grain,
			uint64_t offset, unsigned char *out, uint32_t *out_len,
			struct err *err)
{
	size_t len, end, padded;

	if (block_encode(encoder, grain, GRAIN_LEN, out + VMDK_MARKER_DATA,
			 CODED_MAX - VMDK_MARKER_DATA, &len, err))
		return -1;
	if (!len)
		return err_set(err, ERR_BUG, "a grain does not fit %zu bytes",
			       CODED_MAX);
	bytes_put_le64(out + VMDK_MARKER_VALUE, offset / VMDK_SECTOR);
	bytes_put_le32(out + VMDK_MARKER_SIZE, (uint32_t)len);
	end = VMDK_MARKER_DATA + len;
	padded = (size_t)round_up(end, VMDK_SECTOR);
	memset(out + end, 0, padded - end);
	*out_len = (uint32_t)padded;
	return 0;
}

/* Grains lie side by side, markers and padding included: as in the file. */
static int stream_encode(struct writer *writer, void *context,
			 struct unit *unit, struct err *err)
{
	uint32_t at = 0;

	(void)writer;
	for (size_t i = 0; i < unit->granule_count; i++) {
		struct granule *granule = &unit->granules[i];

		if (granule->kind != EXTENT_DATA)
			continue;
		if (encode_grain(context, unit->data + i * GRAIN_LEN,
				 unit->offset + i * GRAIN_LEN, unit->coded + at,
				 &granule->coded_len, err))
			return -1;
		granule->coded_at = at;
		at += granule->coded_len;
	}
	return 0;
}

static void *stream_context_open(struct writer *writer, struct err *err)
{
	const struct vmdk_writer *w = (const struct vmdk_writer *)writer;

	return block_encoder_open(BLOCK_ZLIB, &w->config.block, err);
}

static void stream_context_close(void *context)
{
	block_encoder_close(context);
}

/* ---- place ---- */

/* A marker that announces `sectors` of what follows it. */
static void put_marker(unsigned char *out, uint32_t type, uint64_t sectors)
{
	bytes_put_le64(out + VMDK_MARKER_VALUE, sectors);
	bytes_put_le32(out + VMDK_MARKER_TYPE, type);
}

/* `len` more bytes of the file, whole sectors; ERR_UNSUPPORTED where tables
 * cannot say so high a sector. */
static int advance(struct vmdk_stream *stream, size_t len, uint64_t *offset,
		   struct err *err)
{
	*offset = stream->next * VMDK_SECTOR;
	stream->next += len / VMDK_SECTOR;
	if (stream->next > UINT32_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "a streamOptimized file ends at 2 TiB; use "
			       "subformat=twoGbMaxExtentSparse");
	return 0;
}

static bool is_holding(const struct vmdk_writer *w)
{
	return !w->writer.sink->seekable && !w->stream->begun;
}

static void hold(struct vmdk_stream *stream, const void *bytes, size_t len)
{
	memcpy(stream->held + stream->held_len, bytes, len);
	stream->held_len += len;
}

static int put_directory(struct vmdk_stream *stream, uint64_t index,
			 uint64_t sector, struct err *err)
{
	if (index >= stream->gd_room) {
		uint64_t room = index + 1 + index / 2;

		if (vmdk_check_directory((index + 1) * TABLE_SPAN, err))
			return -1;
		stream->gd =
			mem_resize(stream->gd, (size_t)room, VMDK_ENTRY_LEN);
		memset(stream->gd + stream->gd_room * VMDK_ENTRY_LEN, 0,
		       (size_t)(room - stream->gd_room) * VMDK_ENTRY_LEN);
		stream->gd_room = room;
	}
	bytes_put_le32(stream->gd + index * VMDK_ENTRY_LEN, (uint32_t)sector);
	return 0;
}

/* The table so far, malloc'ed, with its marker; NULL when it is empty: then
 * the directory has no place for it either. */
static int end_table(struct vmdk_stream *stream, unsigned char **out,
		     uint64_t *offset, struct err *err)
{
	*out = NULL;
	if (!stream->table_used)
		return 0;
	if (advance(stream, VMDK_SECTOR + TABLE_LEN, offset, err) ||
	    put_directory(stream, stream->table_index,
			  *offset / VMDK_SECTOR + 1, err))
		return -1;
	*out = mem_zalloc(VMDK_SECTOR + TABLE_LEN);
	put_marker(*out, VMDK_MARKER_TABLE, TABLE_SECTORS);
	memcpy(*out + VMDK_SECTOR, stream->table, TABLE_LEN);
	memset(stream->table, 0, TABLE_LEN);
	stream->table_used = false;
	return 0;
}

static int place_grain(struct vmdk_writer *w, struct unit *unit, size_t index,
		       struct err *err)
{
	struct vmdk_stream *stream = w->stream;
	const struct granule *granule = &unit->granules[index];
	const unsigned char *bytes = unit->coded + granule->coded_at;
	uint64_t grain = unit->offset / GRAIN_LEN + index, offset;
	uint64_t table = grain / VMDK_TABLE_ENTRIES_USUAL;
	unsigned char *ended = NULL;

	if (table != stream->table_index) {
		if (end_table(stream, &ended, &offset, err))
			return -1;
		if (ended)
			unit_store_take(unit, w->writer.sink, offset, ended,
					VMDK_SECTOR + TABLE_LEN);
		stream->table_index = table;
	}
	if (advance(stream, granule->coded_len, &offset, err))
		return -1;
	stream->table_used = true;
	bytes_put_le32(stream->table + grain % VMDK_TABLE_ENTRIES_USUAL *
					       VMDK_ENTRY_LEN,
		       (uint32_t)(offset / VMDK_SECTOR));
	/* Held grains lie in the first table: none ends while holding. */
	if (is_holding(w))
		hold(stream, bytes, granule->coded_len);
	else
		unit_store(unit, w->writer.sink, offset, bytes,
			   granule->coded_len);
	return 0;
}

/* Header, descriptor and what lies between them and the first grain. */
static unsigned char *make_head(struct vmdk_writer *w, size_t *len)
{
	struct vmdk_layout layout;
	unsigned char *bytes;

	*len = (size_t)FIRST_SECTOR * VMDK_SECTOR;
	bytes = mem_zalloc(*len);
	vmdk_layout_init(&layout, w->size, 0);
	layout.rgd = 0;
	layout.gd = VMDK_GD_AT_END;
	layout.overhead = FIRST_SECTOR;
	vmdk_head_put(&w->config, &layout, bytes);
	vmdk_text_put(w, bytes + (size_t)TEXT_SECTOR * VMDK_SECTOR);
	return bytes;
}

/* An append-only sink's beginning, as soon as all is known. */
static void begin(struct vmdk_writer *w, struct unit *unit)
{
	struct vmdk_stream *stream = w->stream;
	size_t len;
	unsigned char *head;

	head = make_head(w, &len);
	unit_store_take(unit, w->writer.sink, 0, head, len);
	unit_store_take(unit, w->writer.sink, len, stream->held,
			stream->held_len);
	stream->held = NULL;
	stream->begun = true;
}

static int stream_place(struct writer *writer, struct unit *unit,
			struct err *err)
{
	struct vmdk_writer *w = (struct vmdk_writer *)writer;

	identity_unit(w->identity, unit, writer->granule);
	if (is_holding(w) && identity_ready(unit->offset + unit->len, w->size))
		begin(w, unit);
	for (size_t i = 0; i < unit->granule_count; i++)
		if (unit->granules[i].kind == EXTENT_DATA &&
		    place_grain(w, unit, i, err))
			return -1;
	return 0;
}

static int stream_zero(struct writer *writer, uint64_t offset, uint64_t length,
		       enum extent_kind kind, struct err *err)
{
	(void)writer, (void)offset, (void)length, (void)kind, (void)err;
	return 0; /* an entry of 0; the next unit sees that time has passed */
}

/* ---- the end ---- */

/* Directory, footer and end, with their markers. */
static int store_tail(struct vmdk_writer *w, struct err *err)
{
	struct vmdk_stream *stream = w->stream;
	struct vmdk_layout layout;
	uint64_t offset;

	vmdk_layout_init(&layout, w->size, 0);
	size_t gd_len = (size_t)layout.gd_sectors * VMDK_SECTOR;
	size_t len = gd_len + (size_t)4 * VMDK_SECTOR;
	unsigned char *bytes AUTO_FREE = mem_zalloc(len);
	unsigned char *footer = bytes + VMDK_SECTOR + gd_len;

	if (advance(stream, len, &offset, err))
		return -1;
	put_marker(bytes, VMDK_MARKER_DIRECTORY, layout.gd_sectors);
	if (stream->gd) /* no data, no directory */
		memcpy(bytes + VMDK_SECTOR, stream->gd,
		       (size_t)min_u64(stream->gd_room * VMDK_ENTRY_LEN,
				       gd_len));
	put_marker(footer, VMDK_MARKER_FOOTER, 1);
	layout.rgd = 0;
	layout.gd = offset / VMDK_SECTOR + 1;
	layout.overhead = FIRST_SECTOR;
	vmdk_head_put(&w->config, &layout, footer + VMDK_SECTOR);
	/* The end's marker is all zero. */
	return sink_write(w->writer.sink, bytes, len, offset, err);
}

static int store_head(struct vmdk_writer *w, struct err *err)
{
	size_t len;
	unsigned char *head AUTO_FREE = make_head(w, &len);

	return sink_write(w->writer.sink, head, len, 0, err);
}

/* What a stream is still owed when the disk ends before it could begin. */
static int store_beginning(struct vmdk_writer *w, struct err *err)
{
	if (!is_holding(w))
		return 0;
	if (store_head(w, err))
		return -1;
	w->stream->begun = true;
	return sink_write(w->writer.sink, w->stream->held, w->stream->held_len,
			  FIRST_SECTOR * VMDK_SECTOR, err);
}

static int stream_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct vmdk_writer *w = (struct vmdk_writer *)writer;
	unsigned char *table AUTO_FREE = NULL;
	uint64_t offset;

	if (vmdk_writer_settle(w, size, err) ||
	    vmdk_check_directory(size, err) || store_beginning(w, err) ||
	    end_table(w->stream, &table, &offset, err) ||
	    (table && sink_write(writer->sink, table, VMDK_SECTOR + TABLE_LEN,
				 offset, err)) ||
	    store_tail(w, err) ||
	    (writer->sink->seekable && store_head(w, err)))
		return -1;
	return sink_finish(writer->sink, w->stream->next * VMDK_SECTOR, err);
}

static void stream_close(struct writer *writer)
{
	struct vmdk_writer *w = (struct vmdk_writer *)writer;

	free(w->stream->held);
	free(w->stream->gd);
	free(w->stream);
	vmdk_writer_close(w);
	free(w);
}

static const struct writer_ops stream_ops = {
	.encode = stream_encode,
	.place = stream_place,
	.zero = stream_zero,
	.finish = stream_finish,
	.context_open = stream_context_open,
	.context_close = stream_context_close,
	.close = stream_close,
};

static int start(struct vmdk_writer *w, const struct create_options *options,
		 struct err *err)
{
	bool file = w->writer.sink->seekable;
	uint64_t from;

	if (vmdk_writer_init(w, options, err) ||
	    !vmdk_file_at(w, 0, &from, err))
		return -1;
	if (!file && !w->size_known)
		return err_set(err, ERR_UNSUPPORTED,
			       "the size of the disk must be known before the "
			       "first byte of a stream; write to a file, or "
			       "give the size with -s");
	w->stream->next = FIRST_SECTOR;
	if (!file)
		w->stream->held = mem_buffer(HELD_MAX);
	return 0;
}

struct writer *vmdk_stream_create(struct sink *sink,
				  const struct create_options *options,
				  struct err *err)
{
	struct vmdk_writer *w = mem_zalloc(sizeof *w);

	w->stream = mem_zalloc(sizeof *w->stream);
	writer_init(&w->writer, &stream_ops, "vmdk", sink);
	w->writer.granule = GRAIN_LEN;
	w->writer.coded_room = w->writer.unit_len / GRAIN_LEN * CODED_MAX;
	if (start(w, options, err)) {
		stream_close(&w->writer);
		return NULL;
	}
	return &w->writer;
}
