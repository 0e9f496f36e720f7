/* SPDX-License-Identifier: MIT */
/*
 * A pipeline being built in a worker: each step fits its part. Opening and
 * closing in the right order is owned here, so that the transitions' files
 * say only what they add.
 *
 *   source -> decoders -> disk | walk -> overlay -> pump -> writer -> encoders
 *          -> sink
 */
#ifndef TRANSFORMS_BUILD_H
#define TRANSFORMS_BUILD_H

#include "base/err.h"
#include "base/log.h"
#include "formats/codecs/codec.h"
#include "formats/disk.h"
#include "formats/images/driver.h"
#include "formats/walk.h"
#include "io/sink.h"
#include "io/source.h"
#include "transforms/protocol.h"

/* One decoder a layer, and the file. */
#define BUILD_SOURCES (LIMIT_COMPRESSIONS + 1)

struct build {
	const struct job *job;
	struct log *log;
	struct references *references; /* NULL: none allowed */
	int spool_fd;		       /* or -1; borrowed */
	int *served_fd; /* a socket that serves the input, to be taken; or
			   NULL or -1 */

	/* Bytes: source[depth - 1] is what the next step sees. */
	struct source *source[BUILD_SOURCES];
	unsigned depth;
	const char *format; /* of those bytes, inside all layers */

	/* The guest's view, once a step asked for it: one of the two. */
	struct disk *disk;
	struct walk *walk;
	uint64_t old_size; /* before a resize; 0: not known */

	/* Writing. */
	const struct driver *target;   /* NULL: the bytes as they are */
	unsigned wraps;		       /* encoders, innermost first */
	char wrap[LIMIT_COMPRESSIONS][8]; /* tags of codecs and archives */
	bool survey;		       /* find what holds data first */
	bool converts;		       /* a step reads guest blocks */
	bool walk_known; /* the walk's size was known from the start */
	bool expect_backup;	       /* the backup GPT was not seen yet: */
	uint64_t backup_end;	       /* the stream must end here */
};

/* `source`: the input, as bytes; borrowed. */
void build_init(struct build *build, const struct job *job,
		struct source *source);
/* A decoder on top of what is there; taken. */
void build_push(struct build *build, struct source *take_source);
struct source *build_source(const struct build *build);

/* Make sure there is a disk (seekable source) or a walk (stream). */
int build_enter_guest(struct build *build, struct err *err);

/* The guest's size; false when it is not known yet. */
bool build_size(const struct build *build, uint64_t *size);

/* The virtual size that the job's goal asks for: absolute, or relative to
 * what the guest has now. ERR_BUG when relative and not known. */
int build_goal_size(const struct build *build, uint64_t *size,
		    struct err *err);

/* A GPT says that its backup ends at `said`, and the image ends at `is`:
 * fills `err` (ERR_DAMAGED, with the remedy); returns -1. */
int build_backup_elsewhere(uint64_t said, uint64_t is, struct err *err);

/* Something around the file that is being written, outside of what is there:
 * a codec's tag, or an archive's. */
int build_wrap(struct build *build, const char *tag, struct err *err);

/* Closes everything, in order. */
void build_clear(struct build *build);

#endif
