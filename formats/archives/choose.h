/* SPDX-License-Identifier: MIT */
/*
 * Which member of an archive is the disk: by what it is called, by what the
 * user says, by what an appliance's description says. Looks at names and
 * sizes, never at content.
 */
#ifndef FORMATS_ARCHIVES_CHOOSE_H
#define FORMATS_ARCHIVES_CHOOSE_H

#include "base/err.h"
#include "formats/archives/archive.h"

/* Disks that an archive may be asked for. */
#define CHOOSE_MOST 256

enum choose_rank {
	CHOOSE_NEVER, /* a folder, a description, a checksum, ... */
	CHOOSE_MAYBE, /* some file */
	CHOOSE_IMAGE  /* called as an image is, compressed or not */
};

/* What a member is by its name; an empty one is never a disk. */
enum choose_rank choose_rank(const struct archive_member *member);

/* The members that may be the disk, in order. */
struct choose {
	/* What a description lists, in its order; 0: there is none. */
	unsigned named_count;
	char (*named)[ARCHIVE_NAME_LEN]; /* borrowed; or NULL */
	/* Found so far; release with choose_clear. */
	struct archive_member *found;
	unsigned count;
	bool images; /* found holds CHOOSE_IMAGE only */
	uint64_t more; /* CHOOSE_MAYBE beyond CHOOSE_MOST, not kept */
};

/* One more member of the archive, in its order. ERR_LIMIT after CHOOSE_MOST. */
int choose_add(struct choose *choose, const struct archive_member *member,
	       struct err *err);

/* After all were added: `member` is a name, or a number from 0 among those
 * that may be the disk; "": the only one. *used: `member` was needed for this;
 * when it was not, it may choose among what is inside. NULL: ERR_USAGE lists
 * what there is, ERR_UNSUPPORTED when there is nothing. */
const struct archive_member *choose_one(struct choose *choose,
					const char *member, bool *used,
					struct err *err);
void choose_clear(struct choose *choose);

/* The same for a stream, where what follows is not known yet: is the member
 * that was just added the one? Numbers count what is called as an image. */
bool choose_stops(const struct choose *choose,
		  const struct archive_member *member, const char *wanted);

/* ERR_USAGE with what the description lists: one of them is to be chosen. */
int choose_refuse_named(const struct choose *choose, struct err *err);

#endif
