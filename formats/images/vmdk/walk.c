/* SPDX-License-Identifier: MIT */
/*
 * Owns the walk face: stream-optimized images in one pass.
 *
 *   header, descriptor -> [directory, tables] -> grains and tables, each with
 *   its marker -> [footer] -> end of stream, zeros
 *
 * Grains come out in the guest's order, decoded, what lies between them as
 * holes. Everything else is remembered (seen.c) and must agree in the end.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/vmdk/vmdk.h"
#include "io/zero.h"

#define STORE_FIRST "store it in a file first, then convert that"

struct vmdk_walk {
	struct walk walk;
	struct source *stream;
	struct vmdk_header header;
	struct vmdk_descriptor descriptor;
	struct vmdk_seen seen;
	struct block_decoder *decoder;
	uint64_t position; /* in the stream, of the next marker */
	uint64_t guest;	   /* what was yielded ends here */
	uint64_t next;	   /* the next grain begins here or later */
	unsigned char *stored; /* a grain as it is in the file */
	unsigned char *grain;  /* decoded */
	uint64_t grain_at;     /* its guest offset */
	size_t grain_len;      /* 0: none in work */
	uint64_t footer_gd;    /* 0: no footer yet */
	bool ended;
};

static struct vmdk_walk *self(struct walk *walk)
{
	return (struct vmdk_walk *)walk;
}

/* All of `len` bytes at the position, which they move. */
static int take(struct vmdk_walk *walk, void *buf, size_t len,
		const char *what, struct err *err)
{
	if (source_read_all(walk->stream, buf, len, walk->position, what, err))
		return -1;
	walk->position += len;
	return 0;
}

/* ---- in front of the grains ---- */

static int read_head(struct vmdk_walk *walk, struct err *err)
{
	struct source *stream = walk->stream;
	uint64_t size = stream->size_known ? stream->size : UINT64_MAX;
	unsigned char bytes[VMDK_HEADER_LEN];
	const char *parent;

	if (take(walk, bytes, sizeof bytes, "header", err))
		return -1;
	if (bytes_le32(bytes) != VMDK_MAGIC)
		return err_set(err, ERR_UNSUPPORTED,
			       "not a stream-optimized image; " STORE_FIRST);
	if (vmdk_header_parse(bytes, VMDK_HOSTED, size, &walk->header, err))
		return -1;
	if (!walk->header.markers || !walk->header.size)
		return err_set(err, ERR_UNSUPPORTED,
			       "only stream-optimized images can be read in "
			       "one pass; " STORE_FIRST);
	if (!walk->header.descriptor)
		return vmdk_refuse_part(NULL, "sparse", err);
	if (vmdk_descriptor_read(stream, walk->header.descriptor,
				 walk->header.descriptor_len,
				 &walk->descriptor, err) ||
	    vmdk_descriptor_parent(&walk->descriptor, &parent, err))
		return -1;
	walk->position = walk->header.descriptor + walk->header.descriptor_len;
	if (parent || walk->descriptor.count != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "an image with other files (%s) cannot be read "
			       "in one pass; " STORE_FIRST,
			       parent ? parent : "extents");
	return vmdk_line_fits(walk->descriptor.lines, &walk->header, err);
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int take_table(struct vmdk_walk *walk, struct err *err)
{
	AUTO_FREE unsigned char *table = mem_zalloc(walk->seen.table_len);
	uint64_t place = walk->position;

	if (take(walk, table, walk->seen.table_len, "grain table", err))
		return -1;
	vmdk_seen_table(&walk->seen, table, place);
	return 0;
}

static int take_directory(struct vmdk_walk *walk, struct err *err)
{
	AUTO_FREE unsigned char *bytes =
		mem_capped(walk->header.gd_entries, VMDK_ENTRY_LEN,
			   LIMIT_TABLE_LEN, "grain directory", err);
	uint64_t place = walk->position;

	if (!bytes || take(walk, bytes,
			   (size_t)walk->header.gd_entries * VMDK_ENTRY_LEN,
			   "grain directory", err))
		return -1;
	vmdk_seen_directory(&walk->seen, STEAL(bytes), place);
	return 0;
}

/* The directory stands in front, and the tables it lists behind it. */
static int read_front(struct vmdk_walk *walk, struct err *err)
{
	const struct vmdk_header *header = &walk->header;
	size_t count = (size_t)header->gd_entries;
	AUTO_FREE uint64_t *places = NULL;

	if (header->gd < walk->position)
		return err_set(err, ERR_UNSUPPORTED,
			       "the grain directory at %" PRIu64 " stands "
			       "before the descriptor; " STORE_FIRST,
			       header->gd);
	walk->position = header->gd;
	if (take_directory(walk, err))
		return -1;
	places = mem_resize(NULL, count + 1, sizeof *places);
	for (size_t i = 0; i < count; i++)
		if (vmdk_entry_table(header,
				     vmdk_entry_raw(header,
						    walk->seen.directory, i),
				     i, UINT64_MAX, &places[i], err))
			return -1;
	qsort(places, count, sizeof *places, by_place);
	for (size_t i = 0; i < count; i++) {
		if (places[i] < walk->position ||
		    places[i] >= header->overhead)
			continue; /* missed if it is a table: see the end */
		walk->position = places[i];
		if (take_table(walk, err))
			return -1;
	}
	return 0;
}

static int begin(struct vmdk_walk *walk, struct err *err)
{
	const struct vmdk_header *header = &walk->header;

	if (read_head(walk, err) ||
	    vmdk_seen_open(&walk->seen, header, err))
		return -1;
	if (!header->gd_at_end && header->gd < header->overhead &&
	    read_front(walk, err))
		return -1;
	walk->position = round_up(max_u64(walk->position, header->overhead),
				  VMDK_SECTOR);
	walk->decoder = block_decoder_open(BLOCK_ZLIB, err);
	walk->stored = mem_buffer(VMDK_PACKED_MAX(header->grain) +
				  (size_t)2 * VMDK_SECTOR);
	walk->grain = mem_buffer(header->grain);
	return walk->decoder ? 0 : -1;
}

/* ---- grains ---- */

static int check_order(const struct vmdk_walk *walk, uint64_t guest,
		       struct err *err)
{
	if (guest >= walk->header.size || guest % walk->header.grain)
		return err_set(err, ERR_DAMAGED,
			       "marker at %" PRIu64 ": guest offset %" PRIu64
			       " is no grain of a disk of %" PRIu64 " bytes",
			       walk->position, guest, walk->header.size);
	if (guest < walk->next)
		return err_set(err, ERR_UNSUPPORTED,
			       "the grain at guest offset %" PRIu64 " comes "
			       "after those behind it, so it cannot be read "
			       "in one pass; " STORE_FIRST, guest);
	return 0;
}

/* The disk's end cuts the last grain; some writers compress all of it all the
 * same. */
static int decode(struct vmdk_walk *walk, uint64_t guest, uint32_t stored,
		  struct err *err)
{
	const unsigned char *from = walk->stored + VMDK_MARKER_DATA;
	size_t len = vmdk_map_grain_len(&walk->header, guest);
	struct err first;

	if (len < walk->header.grain &&
	    !block_decode(walk->decoder, from, stored, walk->grain, len,
			  &first))
		return 0;
	return block_decode(walk->decoder, from, stored, walk->grain,
			    walk->header.grain, err);
}

/* The marker's sector is in `stored`; the rest of the grain follows. */
static int take_grain(struct vmdk_walk *walk, struct err *err)
{
	uint64_t sector = bytes_le64(walk->stored + VMDK_MARKER_VALUE);
	uint64_t place = walk->position, guest;
	uint32_t stored;
	size_t total, got;

	if (!checked_mul(sector, VMDK_SECTOR, &guest))
		guest = UINT64_MAX;
	if (check_order(walk, guest, err) ||
	    vmdk_map_marker(&walk->header, walk->stored, guest, &stored, err))
		return -1;
	total = (size_t)round_up(VMDK_MARKER_DATA + (uint64_t)stored,
				 VMDK_SECTOR);
	/* What fills up the last sector may be missing at the very end. */
	if (source_read(walk->stream, walk->stored + VMDK_SECTOR,
			total - VMDK_SECTOR, place + VMDK_SECTOR, &got, err))
		return -1;
	if (VMDK_SECTOR + got < VMDK_MARKER_DATA + (size_t)stored)
		return err_set(err, ERR_DAMAGED,
			       "compressed grain at %" PRIu64 " (%" PRIu32
			       " bytes) lies past the end of the file", place,
			       stored);
	walk->position = place + total;
	if (decode(walk, guest, stored, err))
		return err_in(err, "compressed grain at %" PRIu64, place);
	vmdk_seen_grain(&walk->seen, guest, place);
	walk->next = guest + walk->header.grain;
	/* The capacity may be rounded up from the disk's size. */
	walk->grain_at = guest;
	walk->grain_len = (size_t)min_u64(
		walk->header.grain,
		walk->walk.size - min_u64(walk->walk.size, guest));
	return 0;
}

/* ---- everything else ---- */

static int take_footer(struct vmdk_walk *walk, struct err *err)
{
	const struct vmdk_header *header = &walk->header;
	unsigned char bytes[VMDK_HEADER_LEN];
	struct vmdk_header said;

	if (take(walk, bytes, sizeof bytes, "footer", err))
		return -1;
	if (bytes_le32(bytes) != VMDK_MAGIC ||
	    vmdk_header_parse(bytes, VMDK_HOSTED, walk->position, &said, err))
		return err_set(err, ERR_DAMAGED, "the footer is no header");
	if (said.gd_at_end || said.size != header->size ||
	    said.grain != header->grain || said.entries != header->entries)
		return err_set(err, ERR_DAMAGED,
			       "header and footer disagree (%" PRIu64
			       " and %" PRIu64 " bytes)", header->size,
			       said.size);
	walk->footer_gd = said.gd;
	return 0;
}

/* qemu-img fills up the file with zeros, which look like more such markers. */
static int take_zeros(struct vmdk_walk *walk, struct err *err)
{
	size_t room = walk->header.grain, got;

	/* Ends with the stream. */
	do {
		if (source_read(walk->stream, walk->grain, room,
				walk->position, &got, err))
			return -1;
		if (got && !zero_is(walk->grain, got))
			return err_set(err, ERR_DAMAGED,
				       "something follows the end-of-stream "
				       "marker, after %" PRIu64,
				       walk->position);
		walk->position += got;
	} while (got == room);
	return 0;
}

static int end(struct vmdk_walk *walk, struct err *err)
{
	uint64_t gd = walk->header.gd;

	walk->ended = true;
	if (take_zeros(walk, err))
		return -1;
	if (walk->header.gd_at_end) {
		gd = walk->footer_gd;
		if (!gd)
			return err_set(err, ERR_DAMAGED,
				       "the stream ends at %" PRIu64
				       " without a footer: it is cut short",
				       walk->position);
	}
	return vmdk_seen_verify(&walk->seen, gd, walk->position, err);
}

/* Bytes that must follow a marker of this type; SIZE_MAX: no such type. */
static size_t needed_by(const struct vmdk_walk *walk, uint32_t type)
{
	switch (type) {
	case VMDK_MARKER_END:
		return 0;
	case VMDK_MARKER_TABLE:
		return walk->seen.table_len;
	case VMDK_MARKER_DIRECTORY:
		return (size_t)walk->header.gd_entries * VMDK_ENTRY_LEN;
	case VMDK_MARKER_FOOTER:
		return VMDK_HEADER_LEN;
	default:
		return SIZE_MAX;
	}
}

/* More sectors than are needed may be announced, to be skipped. */
static int take_marked(struct vmdk_walk *walk, struct err *err)
{
	uint64_t sectors = bytes_le64(walk->stored + VMDK_MARKER_VALUE);
	uint32_t type = bytes_le32(walk->stored + VMDK_MARKER_TYPE);
	uint64_t place = walk->position, after;
	size_t needed = needed_by(walk, type);
	int status;

	if (needed == SIZE_MAX)
		return err_set(err, ERR_DAMAGED,
			       "marker at %" PRIu64 " is of unknown type "
			       "%" PRIu32 " (0 to 3)", place, type);
	if (sectors < div_up(needed, VMDK_SECTOR) ||
	    sectors > (needed ? LIMIT_TABLE_LEN : 0))
		return err_set(err, ERR_DAMAGED,
			       "marker at %" PRIu64 " announces %" PRIu64
			       " sectors, but %" PRIu64 " are needed", place,
			       sectors, div_up(needed, VMDK_SECTOR));
	walk->position += VMDK_SECTOR;
	after = walk->position + sectors * VMDK_SECTOR;
	if (type == VMDK_MARKER_END)
		return end(walk, err);
	if (type == VMDK_MARKER_TABLE)
		status = take_table(walk, err);
	else if (type == VMDK_MARKER_DIRECTORY)
		status = take_directory(walk, err);
	else
		status = take_footer(walk, err);
	walk->position = after;
	return status;
}

/* One marker and what it announces. */
static int step(struct vmdk_walk *walk, struct err *err)
{
	size_t got;

	if (source_read(walk->stream, walk->stored, VMDK_SECTOR,
			walk->position, &got, err))
		return -1;
	/* With tables in front, these say whether anything is missing. */
	if (!got && !walk->header.gd_at_end)
		return end(walk, err);
	if (got < VMDK_SECTOR && !(got && zero_is(walk->stored, got)))
		return err_set(err, ERR_DAMAGED,
			       "marker at %" PRIu64 " lies past the end of "
			       "the file: it is cut short", walk->position);
	if (got < VMDK_SECTOR)
		memset(walk->stored + got, 0, VMDK_SECTOR - got);
	return bytes_le32(walk->stored + VMDK_MARKER_SIZE)
		       ? take_grain(walk, err)
		       : take_marked(walk, err);
}

/* 1: the hole in front of the grain in work, or of the end. */
static int yield_hole(struct vmdk_walk *walk, uint64_t until,
		      struct walk_piece *out)
{
	*out = (struct walk_piece){
		.offset = walk->guest,
		.length = until - walk->guest,
		.kind = EXTENT_HOLE,
	};
	walk->guest = until;
	return 1;
}

static int yield_grain(struct vmdk_walk *walk, void *buf, size_t len,
		       struct walk_piece *out)
{
	size_t skip = (size_t)(walk->guest - walk->grain_at);
	size_t part = (size_t)min_u64(walk->grain_len - skip, len);

	memcpy(buf, walk->grain + skip, part);
	*out = (struct walk_piece){
		.offset = walk->guest,
		.length = part,
		.kind = EXTENT_DATA,
		.stored = part,
	};
	walk->guest += part;
	if (skip + part == walk->grain_len)
		walk->grain_len = 0;
	return 1;
}

static int vmdk_next(struct walk *base, void *buf, size_t len,
		     struct walk_piece *out, struct err *err)
{
	struct vmdk_walk *walk = self(base);

	/* Each turn reads on in the stream, until its end. */
	while (!walk->grain_len && !walk->ended)
		if (step(walk, err))
			return -1;
	if (walk->grain_len && walk->guest < walk->grain_at)
		return yield_hole(walk, walk->grain_at, out);
	if (walk->grain_len)
		return yield_grain(walk, buf, len, out);
	if (walk->guest < base->size)
		return yield_hole(walk, base->size, out);
	return source_finish(walk->stream, err);
}

static void vmdk_walk_close(struct walk *base)
{
	struct vmdk_walk *walk = self(base);

	block_decoder_close(walk->decoder);
	vmdk_seen_close(&walk->seen);
	vmdk_descriptor_clear(&walk->descriptor);
	free(walk->stored);
	free(walk->grain);
	free(walk);
}

static const struct walk_ops vmdk_walk_ops = { .next = vmdk_next,
					       .close = vmdk_walk_close };

struct walk *vmdk_walk(struct source *stream,
		       const struct open_options *options, int spool_fd,
		       struct err *err)
{
	struct vmdk_walk *walk = mem_zalloc(sizeof *walk);
	AUTO_WALK struct walk *base = &walk->walk;

	(void)spool_fd; /* the grains come in order: nothing to keep */
	walk_init(base, &vmdk_walk_ops, "vmdk");
	walk->stream = stream;
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED,
			"snapshots are images of their own, so there is no %s "
			"in this one", options->snapshot);
		return NULL;
	}
	if (begin(walk, err))
		return NULL;
	if (walk->header.unclean)
		log_note(options->log,
			 "vmdk: the image was not closed properly: what was "
			 "written last may be missing");
	base->ordered = true;
	base->size_known = true;
	base->size = walk->descriptor.size;
	base->sector_size = VMDK_SECTOR;
	base->granule = walk->header.grain;
	return STEAL(base);
}
