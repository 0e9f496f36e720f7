/* SPDX-License-Identifier: MIT */
/*
 * Owns the view of a file with its log replayed: the log's writes are laid
 * over what is read, in their order; the file itself is not touched. A file
 * that has not grown as far as the log says reads as zeros there, as it would
 * once grown. Does not know what the bytes mean.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhdx/vhdx.h"

struct replay {
	struct source source;
	struct source *base;
	struct vhdx_log log;
};

static void lay_over(const struct vhdx_patch *patch, unsigned char *buf,
		     size_t len, uint64_t offset)
{
	uint64_t from = max_u64(patch->offset, offset);
	uint64_t to = min_u64(patch->offset + patch->length, offset + len);

	if (from >= to)
		return;
	if (patch->bytes)
		memcpy(buf + (from - offset),
		       patch->bytes + (from - patch->offset),
		       (size_t)(to - from));
	else
		memset(buf + (from - offset), 0, (size_t)(to - from));
}

static int replay_read(struct source *source, void *buf, size_t len,
		       uint64_t offset, size_t *got, struct err *err)
{
	struct replay *replay = (struct replay *)source;

	if (source_read(replay->base, buf, len, offset, got, err))
		return -1;
	memset((unsigned char *)buf + *got, 0, len - *got);
	*got = len;
	for (size_t i = 0; i < replay->log.count; i++)
		lay_over(&replay->log.patches[i], buf, len, offset);
	return 0;
}

/* The last patch that holds `offset`, or NULL; *end: up to where that stays
 * so. */
static const struct vhdx_patch *find(const struct replay *replay,
				     uint64_t offset, uint64_t *end)
{
	const struct vhdx_patch *found = NULL;

	*end = replay->source.size;
	for (size_t i = replay->log.count; i; i--) {
		const struct vhdx_patch *patch = &replay->log.patches[i - 1];

		if (patch->offset > offset)
			*end = min_u64(*end, patch->offset);
		else if (offset - patch->offset < patch->length) {
			found = patch;
			*end = min_u64(*end, patch->offset + patch->length);
			break;
		}
	}
	return found;
}

static int replay_extent(struct source *source, uint64_t offset,
			 struct extent *out, struct err *err)
{
	struct replay *replay = (struct replay *)source;
	uint64_t end;
	const struct vhdx_patch *patch = find(replay, offset, &end);

	if (!patch && offset < replay->base->size)
		/* The base's own place: these bytes are in the file. */
		return source_extent(replay->base, offset, end - offset, out,
				     err);
	out->length = end - offset;
	if (!patch || !patch->bytes)
		out->kind = EXTENT_ZERO;
	return 0;
}

static void replay_close(struct source *source)
{
	vhdx_log_clear(&((struct replay *)source)->log);
	free(source);
}

struct source *vhdx_replay_open(struct source *base, struct vhdx_log *log)
{
	static const struct source_ops ops = { .read = replay_read,
					       .extent = replay_extent,
					       .close = replay_close };
	struct replay *replay = mem_zalloc(sizeof *replay);

	source_init(&replay->source, &ops);
	replay->base = base;
	replay->log = *log;
	memset(log, 0, sizeof *log);
	replay->source.seekable = true;
	replay->source.size_known = true;
	replay->source.size = replay->log.last;
	replay->source.granule = base->granule;
	return &replay->source;
}
