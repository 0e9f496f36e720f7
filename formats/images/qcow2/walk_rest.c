/* SPDX-License-Identifier: MIT */
/*
 * Owns the end of a walk: the stream is over, all tables are in the spool,
 * and so is every cluster that did not go out directly. Reads the spool as
 * an image and yields what was not promised. Does not touch the stream.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/checked.h"
#include "formats/images/qcow2/walk_parts.h"
#include "io/files.h"

int walk_rest_begin(struct qcow2_walk *walk, struct err *err)
{
	struct qcow2_snapshots snapshots;
	int fd;

	if (ftruncate(walk->spool_fd, (off_t)walk->position))
		return err_sys(err, ERR_IO, "spool");
	fd = fcntl(walk->spool_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, ERR_IO, "spool");
	walk->spool = files_source(fd, err);
	/* Again, as the length of the file is known now. */
	if (!walk->spool ||
	    qcow2_header_read(walk->spool, QCOW2_FOR_READING, &walk->header,
			      err) ||
	    qcow2_snapshots_read(walk->spool, &walk->header, &snapshots, err))
		return -1;
	qcow2_snapshots_clear(&snapshots);
	if (qcow2_tables_open(&walk->tables, &walk->header, NULL, walk->spool,
			      walk->memory, err))
		return -1;
	walk->packed = qcow2_packed_open(&walk->header, walk->spool);
	return 0;
}

void walk_rest_close(struct qcow2_walk *walk)
{
	packed_close(walk->packed);
	qcow2_tables_close(&walk->tables);
	source_close(walk->spool);
}

static void advance(struct qcow2_walk *walk, uint64_t length)
{
	walk->guest += length;
	walk->run.offset += length;
	walk->run.place += length;
	walk->run.length -= length;
}

/* File bytes that went out for one guest range are not in the spool: nobody
 * else may have them. */
static int check_taken(const struct qcow2_walk *walk, uint64_t place,
		       uint64_t length, struct err *err)
{
	if (!ranges_find(&walk->taken, place, length))
		return 0;
	return err_set(err, ERR_DAMAGED, "cluster at %llu is used twice",
		       (unsigned long long)place);
}

/* 0: what is left of the run went out before. */
static int plain_next(struct qcow2_walk *walk, void *buf, size_t len,
		      struct walk_piece *out, struct err *err)
{
	uint32_t cluster = walk->header.cluster_size;
	uint64_t to_edge, want = 0;

	while (walk->run.length &&
	       claims_has(&walk->claims, walk->guest / cluster)) {
		to_edge = cluster - walk->guest % cluster;
		advance(walk, min_u64(to_edge, walk->run.length));
	}
	while (want < walk->run.length &&
	       !claims_has(&walk->claims, (walk->guest + want) / cluster)) {
		to_edge = cluster - (walk->guest + want) % cluster;
		if (want + to_edge > len)
			break;
		want = min_u64(want + to_edge, walk->run.length);
	}
	if (!want)
		return 0;
	if (check_taken(walk, walk->run.place, want, err) ||
	    source_read_all(walk->spool, buf, (size_t)want, walk->run.place,
			    "cluster", err))
		return -1;
	*out = (struct walk_piece){
		.offset = walk->guest,
		.length = want,
		.kind = EXTENT_DATA,
		.stored = (size_t)want,
	};
	advance(walk, want);
	return 1;
}

static int packed_next(struct qcow2_walk *walk, void *buf,
		       struct walk_piece *out, struct err *err)
{
	struct qcow2_run run = walk->run;
	bool whole = run.length == walk->header.cluster_size;

	advance(walk, run.length);
	if (claims_has(&walk->claims, run.offset / walk->header.cluster_size))
		return 0;
	if (check_taken(walk, run.place, run.stored, err))
		return -1;
	*out = (struct walk_piece){
		.offset = run.offset,
		.length = run.length,
		.kind = EXTENT_DATA,
		.stored = (size_t)run.length,
	};
	if (!whole)
		return qcow2_packed_read(walk->packed, &walk->header, &run, buf,
					 (size_t)run.length, err)
			       ? -1
			       : 1;
	out->encoding =
		walk->header.compression ? ENCODING_ZSTD : ENCODING_DEFLATE;
	out->stored = (size_t)run.stored;
	return source_read_all(walk->spool, buf, (size_t)run.stored, run.place,
			       "compressed cluster", err)
		       ? -1
		       : 1;
}

static int run_next(struct qcow2_walk *walk, void *buf, size_t len,
		    struct walk_piece *out, struct err *err)
{
	switch (walk->run.kind) {
	case QCOW2_PLAIN:
		return plain_next(walk, buf, len, out, err);
	case QCOW2_PACKED:
		return packed_next(walk, buf, out, err);
	case QCOW2_READS_ZERO:
		*out = (struct walk_piece){
			.offset = walk->guest,
			.length = walk->run.length,
			.kind = EXTENT_ZERO,
		};
		advance(walk, walk->run.length);
		return 1;
	case QCOW2_UNALLOCATED:
		break;
	}
	advance(walk, walk->run.length);
	return 0;
}

int walk_rest_next(struct qcow2_walk *walk, void *buf, size_t len,
		   struct walk_piece *out, struct err *err)
{
	int status;

	/* Each turn ends with a piece or further on in the guest. */
	while (walk->guest < walk->header.size) {
		if (!walk->run.length &&
		    qcow2_tables_run(&walk->tables, walk->guest,
				     walk->header.size - walk->guest,
				     &walk->run, err))
			return -1;
		status = run_next(walk, buf, len, out, err);
		if (status > 0 && out->kind == EXTENT_DATA)
			walk->walk.spooled += out->length;
		if (status)
			return status;
	}
	return 0;
}
