/* SPDX-License-Identifier: MIT */
/* What the units of backups share: one file read as a disk at random, and as
 * a stream in one pass. */
#ifndef TESTS_TWO_FACES_H
#define TESTS_TWO_FACES_H

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/driver.h"
#include "tests/unit/check.h"
#include "tests/unit/fakes.h"

/* What a walk may ask for, in any order or its own (formats/walk.h). */
#define FACES_UNIT ((size_t)(4 * MIB))

/* A file, the disk in it that is wanted, and room for what that holds: of a
 * longer one only the size is looked at. */
struct faces {
	const struct driver *driver;
	const unsigned char *bytes;
	size_t len;
	const char *member;
	unsigned char *out;
	size_t room;
	uint64_t size; /* of the disk; the answer */
};

static inline int faces_disk(struct faces *faces, struct err *err)
{
	struct source *source AUTO_SOURCE =
		files_memory_source(faces->bytes, faces->len);
	struct open_options options = { .member = faces->member };
	struct disk *disk AUTO_DISK =
		faces->driver->open(source, &options, err);

	if (!disk)
		return -1;
	faces->size = disk->size;
	if (disk->size > faces->room)
		return 0;
	return disk_read(disk, faces->out, (size_t)disk->size, 0, err) ||
			       disk_finish(disk, err)
		       ? -1
		       : 0;
}

/* The stream comes `step` bytes at a time, the walk has room for `unit`. */
static inline int faces_walk(struct faces *faces, size_t step, size_t unit,
			     struct err *err)
{
	struct fake_chunks chunks = { .bytes = faces->bytes,
				      .len = faces->len,
				      .most = step };
	struct source *stream AUTO_SOURCE = fake_chunks_open(&chunks);
	struct open_options options = { .member = faces->member };
	struct walk *walk AUTO_WALK =
		faces->driver->walk(stream, &options, -1, err);
	unsigned char *buf AUTO_FREE = mem_zalloc(unit);
	struct walk_piece piece;
	int got = walk ? 1 : -1;

	faces->size = 0;
	while (got > 0 && (got = walk_next(walk, buf, unit, &piece, err)) > 0) {
		uint64_t end = piece.offset + piece.length;

		if (walk->ordered)
			CHECK_EQ(piece.offset, faces->size);
		faces->size = max_u64(faces->size, end);
		if (end > faces->room)
			continue;
		if (piece.stored)
			memcpy(faces->out + piece.offset, buf, piece.stored);
		else
			memset(faces->out + piece.offset, 0,
			       (size_t)piece.length);
	}
	return got;
}

static inline void faces_refuse_one(struct faces *faces, bool walk,
				    enum err_kind kind, const char *words)
{
	struct err err = { .kind = ERR_NONE, .message = "" };

	CHECK(walk ? faces_walk(faces, 100000, FACES_UNIT, &err)
		   : faces_disk(faces, &err));
	CHECK_EQ(err.kind, kind);
	if (!strstr(err.message, words))
		CHECK_STR(err.message, words);
}

/* Both say the same. */
static inline void faces_refuse(struct faces *faces, enum err_kind kind,
				const char *words)
{
	faces_refuse_one(faces, false, kind, words);
	faces_refuse_one(faces, true, kind, words);
}

#endif
