/* SPDX-License-Identifier: MIT */
/*
 * Owns the walk face of qcow2: one pass over a stream.
 *
 *   header -> [L1, L2 tables, clusters, in any order] -> end -> the rest
 *
 * Whatever the tables seen so far make us expect is in a heap by its place in
 * the file. Up to the next expected item, bytes go to the spool at their own
 * offset, and stay holes there when they are zero. An expected table goes to
 * the spool too and tells of more; an expected cluster goes out. Each guest
 * cluster is either promised by an item or left to the rest, never both; an
 * item that lies before what was read already is a second use of the same
 * bytes, which is damage.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow2/walk_parts.h"
#include "io/zero.h"

#define CHUNK_LEN ((size_t)MIB)
#define SECTOR 512
/* A file system's block: smaller holes save nothing. */
#define HOLE_LEN 4096
#define DEFAULT_MEMORY (96 * MIB)

static int spool_all(int fd, const unsigned char *bytes, size_t len,
		     uint64_t offset, struct err *err)
{
	ssize_t done;

	while (len) {
		done = pwrite(fd, bytes, len, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(err, ERR_IO, "writing to the spool");
		bytes += done;
		len -= (size_t)done;
		offset += (uint64_t)done;
	}
	return 0;
}

static int spool(struct qcow2_walk *walk, const unsigned char *bytes,
		 size_t len, uint64_t offset, struct err *err)
{
	size_t run;
	bool zero;

	while (len) {
		run = zero_run(bytes, len, HOLE_LEN, &zero);
		if (!zero && spool_all(walk->spool_fd, bytes, run, offset, err))
			return -1;
		bytes += run;
		len -= run;
		offset += run;
	}
	return 0;
}

/* The next `len` bytes; fewer mean that the stream has ended. */
static int read_on(struct qcow2_walk *walk, void *buf, size_t len, size_t *got,
		   struct err *err)
{
	if (source_read(walk->stream, buf, len, walk->position, got, err))
		return -1;
	walk->position += *got;
	if (*got < len)
		walk->ended = true;
	return 0;
}

static int past_end(const struct qcow2_walk *walk, const char *what,
		    uint64_t offset, struct err *err)
{
	return err_set(err, ERR_DAMAGED,
		       "%s at %llu lies past the end of the file (%llu)", what,
		       (unsigned long long)offset,
		       (unsigned long long)walk->position);
}

static int read_exactly(struct qcow2_walk *walk, void *buf, size_t len,
			const char *what, struct err *err)
{
	uint64_t offset = walk->position;
	size_t got;

	if (read_on(walk, buf, len, &got, err))
		return -1;
	return got == len ? 0 : past_end(walk, what, offset, err);
}

/* Bytes nothing is known about, at most `limit`. */
static int take_unknown(struct qcow2_walk *walk, uint64_t limit,
			struct err *err)
{
	uint64_t offset = walk->position;
	size_t got;

	walk->carry_len = 0;
	if (read_on(walk, walk->chunk, (size_t)min_u64(limit, CHUNK_LEN), &got,
		    err))
		return -1;
	return spool(walk, walk->chunk, got, offset, err);
}

static int take_l1(struct qcow2_walk *walk, size_t len, struct err *err)
{
	uint64_t offset = walk->position;

	walk->l1 = mem_capped(len, 1, LIMIT_TABLE_LEN, "L1 table", err);
	if (!walk->l1 || read_exactly(walk, walk->l1, len, "L1 table", err) ||
	    spool(walk, (unsigned char *)walk->l1, len, offset, err))
		return -1;
	for (size_t i = 0; i < len / sizeof *walk->l1; i++)
		walk->l1[i] = bytes_be64(&walk->l1[i]);
	pending_advance(&walk->pending, len);
	return walk_expect_l1(walk, err);
}

static int take_l2(struct qcow2_walk *walk, uint64_t index, struct err *err)
{
	uint64_t offset = walk->position;
	size_t len = walk->header.cluster_size;

	if (read_exactly(walk, walk->table, len, "L2 table", err) ||
	    spool(walk, walk->table, len, offset, err))
		return -1;
	pending_advance(&walk->pending, len);
	return walk_expect_l2(walk, index, walk->table, err);
}

/* 1: a piece, as much of the item as the buffer holds. */
static int take_plain(struct qcow2_walk *walk, struct pending_item item,
		      void *buf, size_t len, struct walk_piece *out,
		      struct err *err)
{
	size_t now = (size_t)min_u64(
		item.length, round_down(len, walk->header.cluster_size));

	if (read_exactly(walk, buf, now, "cluster", err))
		return -1;
	/* With no room left to note that these bytes were taken, they are
	 * spooled as well: then a second use of them reads right. */
	if (!ranges_add(&walk->taken, item.host, now) &&
	    spool(walk, buf, now, item.host, err))
		return -1;
	pending_advance(&walk->pending, now);
	*out = (struct walk_piece){
		.offset = item.guest,
		.length = now,
		.kind = EXTENT_DATA,
		.stored = now,
	};
	return 1;
}

/* Make the carry begin at `offset`, and reach at least to `end`. */
static int carry_to(struct qcow2_walk *walk, uint64_t offset, uint64_t end,
		    struct err *err)
{
	size_t drop, got;

	if (!walk->carry_len)
		walk->carry_at = walk->position;
	drop = (size_t)(offset - walk->carry_at);
	walk->carry_len -= drop;
	walk->carry_at = offset;
	memmove(walk->carry, walk->carry + drop, walk->carry_len);
	if (end <= walk->position)
		return 0;
	if (read_on(walk, walk->carry + walk->carry_len,
		    (size_t)(end - walk->position), &got, err))
		return -1;
	walk->carry_len += got;
	/* The last sector of a file need not be whole. */
	if (walk->position <= offset || end - walk->position >= SECTOR)
		return past_end(walk, "compressed cluster", offset, err);
	return 0;
}

static int take_packed(struct qcow2_walk *walk, struct pending_item item,
		       void *buf, struct walk_piece *out, struct err *err)
{
	uint64_t end = item.host + item.length, sector;
	size_t stored;

	if (item.host == walk->packed_at)
		return err_set(err, ERR_DAMAGED,
			       "compressed cluster at %llu is used twice",
			       (unsigned long long)item.host);
	if (carry_to(walk, item.host, end, err))
		return -1;
	walk->packed_at = item.host;
	stored = (size_t)min_u64(item.length, walk->carry_len);
	memcpy(buf, walk->carry, stored);
	/* Another one, of which no table told yet, may begin in the last
	 * sector: the rest must find it whole. */
	sector = max_u64(item.host, round_down(item.host + stored - 1, SECTOR));
	if (spool_all(walk->spool_fd, walk->carry + (sector - item.host),
		      (size_t)(item.host + stored - sector), sector, err))
		return -1;
	pending_advance(&walk->pending, item.length);
	*out = (struct walk_piece){
		.offset = item.guest,
		.length = walk->header.cluster_size,
		.kind = EXTENT_DATA,
		.encoding = walk->header.compression ? ENCODING_ZSTD
						     : ENCODING_DEFLATE,
		.stored = stored,
	};
	return 1;
}

/* May the item begin before what was read? Only a compressed cluster, within
 * the one before it. */
static int check_order(const struct qcow2_walk *walk,
		       const struct pending_item *item, struct err *err)
{
	if (item->host == walk->position)
		return 0;
	if (item->kind == PENDING_PACKED && walk->carry_len &&
	    item->host >= walk->carry_at)
		return 0;
	return err_set(err, ERR_DAMAGED, "cluster at %llu is used twice",
		       (unsigned long long)item->host);
}

/* 1: a piece; 0: further on in the stream. */
static int stream_next(struct qcow2_walk *walk, void *buf, size_t len,
		       struct walk_piece *out, struct err *err)
{
	const struct pending_item *first = pending_first(&walk->pending);
	struct pending_item item;

	if (!first)
		return take_unknown(walk, CHUNK_LEN, err);
	item = *first;
	if (item.host > walk->position)
		return take_unknown(walk, item.host - walk->position, err);
	if (check_order(walk, &item, err))
		return -1;
	if (item.kind == PENDING_PACKED)
		return take_packed(walk, item, buf, out, err);
	walk->carry_len = 0;
	switch (item.kind) {
	case PENDING_L1:
		return take_l1(walk, (size_t)item.length, err);
	case PENDING_L2:
		return take_l2(walk, item.guest, err);
	case PENDING_PLAIN:
	case PENDING_PACKED:
		break;
	}
	return take_plain(walk, item, buf, len, out, err);
}

/* The stream ended: nothing may be missing. */
static int stream_end(struct qcow2_walk *walk, struct err *err)
{
	static const char *const names[] = { "L1 table", "L2 table", "cluster",
					     "compressed cluster" };
	const struct pending_item *first = pending_first(&walk->pending);

	/* A compressed cluster may lie in the last one's sector. */
	if (first && first->kind == PENDING_PACKED && walk->carry_len &&
	    first->host < walk->position)
		return 0;
	if (first)
		return past_end(walk, names[first->kind], first->host, err);
	return walk_rest_begin(walk, err);
}

static int qcow2_walk_next(struct walk *base, void *buf, size_t len,
			   struct walk_piece *out, struct err *err)
{
	struct qcow2_walk *walk = (struct qcow2_walk *)base;
	int status;

	/* Each turn reads on, or takes an item away, until the end. */
	while (!walk->spool) {
		if (walk->ended && stream_end(walk, err))
			return -1;
		if (walk->spool)
			break;
		status = stream_next(walk, buf, len, out, err);
		if (status)
			return status;
	}
	return walk_rest_next(walk, buf, len, out, err);
}

static void qcow2_walk_close(struct walk *base)
{
	struct qcow2_walk *walk = (struct qcow2_walk *)base;

	walk_rest_close(walk);
	pending_clear(&walk->pending);
	claims_clear(&walk->claims);
	ranges_clear(&walk->taken);
	free(walk->l1);
	free(walk->chunk);
	free(walk->table);
	free(walk->carry);
	free(walk);
}

static const struct walk_ops qcow2_walk_ops = {
	.next = qcow2_walk_next,
	.close = qcow2_walk_close,
};

/* Read the first cluster, keep it in the spool and understand it. */
static int read_header(struct qcow2_walk *walk, struct log *log,
		       struct err *err)
{
	struct source *stream = walk->stream;
	uint64_t size = stream->size_known ? stream->size : UINT64_MAX;
	AUTO_FREE unsigned char *bytes = NULL;
	unsigned char start[SECTOR];
	size_t got, more = 0, want = 0;

	if (read_on(walk, start, sizeof start, &got, err) ||
	    qcow2_header_want(start, got, &want, err))
		return -1;
	bytes = mem_buffer(want);
	memcpy(bytes, start, got);
	if (!walk->ended && read_on(walk, bytes + got, want - got, &more, err))
		return -1;
	if (qcow2_header_parse(bytes, got + more, size, QCOW2_FOR_READING,
			       &walk->header, err))
		return -1;
	if (walk->header.incompatible & QCOW2_INCOMPAT_DIRTY)
		log_note(log, "qcow2: the image was not closed properly: its "
			      "reference counts may be stale, its content is "
			      "not affected");
	walk->view = (struct qcow2_view){
		.header = &walk->header,
		.size = walk->header.size,
		.file_size = size,
		.data_size = size,
		.l1_offset = walk->header.l1_offset,
		.l1_len = (uint64_t)walk->header.l1_entries * 8,
	};
	return spool(walk, bytes, got + more, 0, err);
}

static int prepare(struct qcow2_walk *walk, uint64_t memory, struct err *err)
{
	const struct qcow2_header *header = &walk->header;
	struct pending_item l1 = {
		.host = header->l1_offset,
		.length = walk->view.l1_len,
		.kind = PENDING_L1,
	};

	walk->memory = memory;
	if (!memory)
		memory = DEFAULT_MEMORY;
	pending_init(&walk->pending,
		     (size_t)(1 + memory / 2 / sizeof(struct pending_item)));
	walk->taken.most = (size_t)(1 + memory / 8 / sizeof(struct range));
	if (claims_init(&walk->claims, div_up(header->size, header->l2_span),
			header->l2_entries, memory / 4, err))
		return -1;
	walk->chunk = mem_buffer(CHUNK_LEN);
	walk->table = mem_buffer(header->cluster_size);
	/* A compressed cluster takes two clusters at most, and so much may be
	 * carried from the one before. */
	walk->carry = mem_buffer((size_t)header->cluster_size * 4);
	walk->packed_at = UINT64_MAX;
	if (l1.length)
		pending_add(&walk->pending, &l1);
	return 0;
}

struct walk *qcow2_walk(struct source *stream,
			const struct open_options *options, int spool_fd,
			struct err *err)
{
	struct qcow2_walk *walk = mem_zalloc(sizeof *walk);
	AUTO_WALK struct walk *base = &walk->walk;

	walk_init(base, &qcow2_walk_ops, "qcow2");
	walk->stream = stream;
	walk->spool_fd = spool_fd;
	if (options->snapshot) {
		err_set(err, ERR_UNSUPPORTED,
			"a snapshot cannot be read in one pass");
		return NULL;
	}
	if (read_header(walk, options->log, err))
		return NULL;
	if (walk->header.has_backing || walk->header.has_data_file) {
		err_set(err, ERR_UNSUPPORTED,
			"an image with a %s file cannot be read in one pass",
			walk->header.has_backing ? "backing" : "data");
		return NULL;
	}
	if (prepare(walk, options->memory, err))
		return NULL;
	base->size_known = true;
	base->size = walk->header.size;
	base->sector_size = 512;
	base->granule = walk->header.cluster_size;
	return STEAL(base);
}
