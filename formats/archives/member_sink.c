/* SPDX-License-Identifier: MIT */
/* Owns the writing of one member into its place. The frame around it is
 * ova.c's. */
#include "formats/archives/member_sink.h"

#include <stdlib.h>

#include "base/mem.h"
#include "formats/archives/tar_sink.h"

struct member {
	struct sink sink;
	struct sink *inner;
	uint64_t offset;
	enum digest_kind kind;
	struct digest *digest; /* or NULL */
	struct member_made *out;
};

static int member_write(struct sink *sink, const void *buf, size_t len,
			uint64_t offset, struct err *err)
{
	struct member *member = (struct member *)sink;

	if (member->digest)
		digest_add(member->digest, buf, len);
	return sink_write(member->inner, buf, len, member->offset + offset,
			  err);
}

static int member_zero(struct sink *sink, uint64_t offset, uint64_t length,
		       enum sink_zero how, struct err *err)
{
	struct member *member = (struct member *)sink;

	if (member->digest)
		digest_add_zeros(member->digest, length);
	return sink_zero(member->inner, member->offset + offset, length, how,
			 err);
}

static int member_finish(struct sink *sink, uint64_t size, struct err *err)
{
	struct member *member = (struct member *)sink;
	uint64_t end = member->offset + size + tar_padding(size);

	member->out->length = size;
	if (member->digest)
		digest_get(member->digest, member->out->digest);
	return sink_finish(member->inner, tar_end(end), err);
}

static void member_close(struct sink *sink)
{
	struct member *member = (struct member *)sink;

	digest_close(member->digest);
	sink_close(member->inner);
	free(member);
}

static const struct sink_ops member_ops = { .write = member_write,
					    .zero = member_zero,
					    .finish = member_finish,
					    .close = member_close };

struct sink *member_sink(struct sink *take_inner, uint64_t offset,
			 enum digest_kind kind, struct member_made *out)
{
	struct member *member = mem_zalloc(sizeof *member);

	sink_init(&member->sink, &member_ops);
	member->inner = take_inner;
	member->offset = offset;
	member->kind = kind;
	member->digest = kind < DIGEST_KINDS ? digest_open_kind(kind) : NULL;
	member->out = out;
	return &member->sink;
}
