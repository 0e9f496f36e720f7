/* SPDX-License-Identifier: MIT */
/* Owns what --max-size allows, and the counting of bytes that pass between
 * layers. Does not know what they are. */
#include "transforms/limit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/files.h"

struct limited {
	struct source *inner;
	uint64_t at, most;
};

static int limit_pull(void *opaque, void *buf, size_t len, size_t *got,
		      struct err *err)
{
	struct limited *limited = opaque;

	if (source_read(limited->inner, buf, len, limited->at, got, err) < 0)
		return -1;
	limited->at += *got;
	if (limited->at <= limited->most)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "unpacks to more than %" PRIu64 " bytes on the way: "
		       "allow it by --max-size", limited->most);
}

static int limit_finish(void *opaque, struct err *err)
{
	return source_finish(((struct limited *)opaque)->inner, err);
}

struct source *limit_stream(struct source *inner, uint64_t most)
{
	static const struct stream_ops ops = { limit_pull, limit_finish,
					       free };
	struct limited *limited = mem_zalloc(sizeof *limited);

	limited->inner = inner;
	limited->most = most;
	return files_stream(&ops, limited);
}

int limit_check(uint64_t size, uint64_t most, struct err *err)
{
	if (size <= most)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "%" PRIu64 " bytes are more than the %" PRIu64
		       " of --max-size: allow more by it, if this is right",
		       size, most);
}
