/* SPDX-License-Identifier: MIT */
/* Owns the gateway to walks: checks that pieces are what walk.h promises, and
 * learns the size at the end. Does not know any format. */
#include "formats/walk.h"

#include <string.h>

#include "base/checked.h"
#include "base/limits.h"

void walk_init(struct walk *walk, const struct walk_ops *ops,
	       const char *format)
{
	memset(walk, 0, sizeof *walk);
	walk->ops = ops;
	walk->format = format;
	walk->sector_size = 512;
	walk->granule = 4096;
}

static int check_piece(struct walk *walk, size_t len,
		       const struct walk_piece *piece, struct err *err)
{
	bool data = piece->kind == EXTENT_DATA;
	bool plain = piece->encoding == ENCODING_PLAIN;
	uint64_t end;

	if (!piece->length || piece->stored > len || (!data && piece->stored) ||
	    (data && plain && piece->stored != piece->length) ||
	    (data && !plain && piece->length > walk->granule))
		return err_set(err, ERR_BUG, "%s: malformed piece at %llu",
			       walk->format, (unsigned long long)piece->offset);
	if (walk->ordered && piece->offset != walk->position)
		return err_set(err, ERR_BUG, "%s: piece at %llu after %llu",
			       walk->format, (unsigned long long)piece->offset,
			       (unsigned long long)walk->position);
	if (!checked_add(piece->offset, piece->length, &end) ||
	    end > (walk->size_known ? walk->size : LIMIT_DISK_SIZE))
		return err_set(err, ERR_DAMAGED,
			       "%llu bytes at %llu lie past the disk's end",
			       (unsigned long long)piece->length,
			       (unsigned long long)piece->offset);
	walk->position = end;
	return 0;
}

static int end_walk(struct walk *walk, struct err *err)
{
	walk->ended = true;
	if (!walk->ordered)
		return 0;
	if (!walk->size_known) {
		walk->size = walk->position;
		walk->size_known = true;
	}
	if (walk->position != walk->size)
		return err_set(err, ERR_DAMAGED,
			       "ends after %llu of %llu bytes",
			       (unsigned long long)walk->position,
			       (unsigned long long)walk->size);
	return 0;
}

int walk_next(struct walk *walk, void *buf, size_t len, struct walk_piece *out,
	      struct err *err)
{
	if (walk->ended)
		return 0;
	if (len < (walk->ordered ? walk->sector_size : UNIT_LEN_MAX))
		return err_set(err, ERR_BUG, "walk into %zu bytes of room",
			       len);
	memset(out, 0, sizeof *out);

	int got = walk->ops->next(walk, buf, len, out, err);

	if (got < 0)
		return -1;
	if (!got)
		return end_walk(walk, err);
	return check_piece(walk, len, out, err) ? -1 : 1;
}

struct walk *walk_close(struct walk *walk)
{
	if (walk)
		walk->ops->close(walk);
	return NULL;
}

void walk_close_pointer(struct walk **walk)
{
	*walk = walk_close(*walk);
}
