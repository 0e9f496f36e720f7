/* SPDX-License-Identifier: MIT */
/* Owns the frame of a tar around one member. Knows nothing of its bytes. */
#include "formats/archives/tar_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"

struct tar {
	struct sink sink;
	struct sink *inner;
	struct tar_member member; /* its name is ours */
	char name[TAR_NAME_MOST + 1];
};

/* Octal digits and a NUL; what does not fit, in base 256 (GNU, star). */
static void put_number(unsigned char *out, size_t len, uint64_t value)
{
	if (value >> (3 * (len - 1))) {
		memset(out, 0, len);
		for (size_t i = len; i-- > 1 && value; value >>= 8)
			out[i] = (unsigned char)value;
		out[0] = 0x80;
		return;
	}
	for (size_t i = len - 1; i; i--, value >>= 3)
		out[i - 1] = (unsigned char)('0' + (value & 7));
	out[len - 1] = '\0';
}

void tar_header(const struct tar_member *member, unsigned char out[TAR_BLOCK])
{
	unsigned sum = 0;

	memset(out, 0, TAR_BLOCK);
	memcpy(out, member->name, strnlen(member->name, TAR_NAME_MOST));
	put_number(out + 100, 8, 0644);
	put_number(out + 108, 8, 0);
	put_number(out + 116, 8, 0);
	put_number(out + 124, 12, member->size);
	put_number(out + 136, 12, (uint64_t)member->mtime);
	memset(out + 148, ' ', 8);
	out[156] = '0';
	memcpy(out + 257, member->dialect == TAR_GNU ? "ustar  " : "ustar\0"
								   "00",
	       8);
	if (member->dialect == TAR_USTAR) {
		put_number(out + 329, 8, 0);
		put_number(out + 337, 8, 0);
	}
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += out[i];
	/* Six digits, NUL, blank. */
	put_number(out + 148, 7, sum);
}

uint64_t tar_padding(uint64_t size)
{
	return round_up(size, TAR_BLOCK) - size;
}

uint64_t tar_end(uint64_t end)
{
	return round_up(end + (uint64_t)2 * TAR_BLOCK, TAR_RECORD);
}

static int tar_write(struct sink *sink, const void *buf, size_t len,
		     uint64_t offset, struct err *err)
{
	return sink_write(((struct tar *)sink)->inner, buf, len,
			  offset + TAR_BLOCK, err);
}

static int tar_zero(struct sink *sink, uint64_t offset, uint64_t length,
		    enum sink_zero how, struct err *err)
{
	return sink_zero(((struct tar *)sink)->inner, offset + TAR_BLOCK,
			 length, how, err);
}

static int put_header(struct tar *tar, struct err *err)
{
	unsigned char header[TAR_BLOCK];

	tar_header(&tar->member, header);
	return sink_write(tar->inner, header, sizeof header, 0, err);
}

static int tar_finish(struct sink *sink, uint64_t size, struct err *err)
{
	struct tar *tar = (struct tar *)sink;
	uint64_t end = TAR_BLOCK + size, total;

	if (tar->member.size_known && tar->member.size != size)
		return err_set(err, ERR_BUG,
			       "a member of %llu bytes came out as %llu",
			       (unsigned long long)tar->member.size,
			       (unsigned long long)size);
	tar->member.size = size;
	total = tar_end(end + tar_padding(size));
	/* Zeros, really: not every sink is fresh. */
	if (sink_zero(tar->inner, end, total - end, SINK_ZERO_WRITE, err) < 0)
		return -1;
	if (tar->inner->seekable && put_header(tar, err) < 0)
		return -1;
	return sink_finish(tar->inner, total, err);
}

static void tar_close(struct sink *sink)
{
	sink_close(((struct tar *)sink)->inner);
	free(sink);
}

static const struct sink_ops tar_ops = { .write = tar_write,
					 .zero = tar_zero,
					 .finish = tar_finish,
					 .close = tar_close };

struct sink *tar_sink(struct sink *take_inner, const struct tar_member *member,
		      struct err *err)
{
	const uint64_t around = (uint64_t)2 * TAR_RECORD;
	struct tar *tar = mem_zalloc(sizeof *tar);

	sink_init(&tar->sink, &tar_ops);
	tar->inner = take_inner;
	tar->member = *member;
	snprintf(tar->name, sizeof tar->name, "%s", member->name);
	tar->member.name = tar->name;
	tar->sink.seekable = take_inner->seekable;
	tar->sink.fresh = take_inner->fresh;
	if (take_inner->capacity != UINT64_MAX)
		tar->sink.capacity =
			take_inner->capacity > around
				? take_inner->capacity - around
				: 0;
	if (take_inner->seekable)
		return &tar->sink;
	if (!member->size_known)
		err_set(err, ERR_BUG, "tar: the member's size is not known");
	else if (!put_header(tar, err))
		return &tar->sink;
	return sink_close(&tar->sink);
}
