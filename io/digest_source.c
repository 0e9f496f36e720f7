/* SPDX-License-Identifier: MIT */
/* Owns the digesting of what passes, the thread that does so beside random
 * readers, and the comparison. Does not know whose digests these are. */
#include "io/digest_source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/digest_share.h"

/* Read and digested at once. */
#define STEP_LEN DIGEST_SHARE_BLOCK
/* Zeros of a hole between two looks at `stop`. */
#define STEP_ZEROS ((uint64_t)(16 * MIB))

struct digesting {
	struct source source;
	struct source *inner;
	struct digest_expected expected[DIGEST_EXPECTED_MOST];
	struct digest *digest[DIGEST_EXPECTED_MOST]; /* NULL: refused */
	unsigned count;
	char inside[64];
	/* Beside a seekable source. */
	struct digest_share *share; /* NULL: reading twice costs little */
	pthread_t thread;
	bool started, read_through;
	atomic_bool stop;
	int result; /* of the reading; `failure` is why */
	struct err failure;
};

static void add(struct digesting *digesting, const void *bytes, size_t len)
{
	for (unsigned i = 0; i < digesting->count; i++)
		if (digesting->digest[i])
			digest_add(digesting->digest[i], bytes, len);
}

static void add_zeros(struct digesting *digesting, uint64_t length)
{
	for (unsigned i = 0; i < digesting->count; i++)
		if (digesting->digest[i])
			digest_add_zeros(digesting->digest[i], length);
}

static void open_digests(struct digesting *digesting)
{
	for (unsigned i = 0; i < digesting->count; i++)
		digesting->digest[i] = digest_open_kind(
			(enum digest_kind)digesting->expected[i].kind);
}

static void close_digests(struct digesting *digesting)
{
	for (unsigned i = 0; i < digesting->count; i++)
		digesting->digest[i] = digest_close(digesting->digest[i]);
}

/* ---- all of a seekable source, in order ---- */

/* Up to the end of a block, `len` bytes at most; what others have read first. */
static int add_piece(struct digesting *digesting, unsigned char *buf,
		     uint64_t at, uint64_t *len, struct err *err)
{
	size_t now = (size_t)min_u64(*len, STEP_LEN - at % STEP_LEN), got;

	*len = now;
	if (!digesting->share ||
	    !digest_share_take(digesting->share, buf, now, at)) {
		if (atomic_load(&digesting->stop))
			return 0;
		/* All of it: it lies inside the size. */
		if (source_read(digesting->inner, buf, now, at, &got, err) < 0)
			return -1;
	}
	add(digesting, buf, now);
	return 0;
}

static int add_extent(struct digesting *digesting, const struct extent *extent,
		      unsigned char *buf, struct err *err)
{
	uint64_t at = extent->offset, end = at + extent->length;

	while (at < end && !atomic_load(&digesting->stop)) {
		uint64_t len;

		if (extent->kind != EXTENT_DATA) {
			len = min_u64(STEP_ZEROS, end - at);
			add_zeros(digesting, len);
		} else {
			len = end - at;
			if (add_piece(digesting, buf, at, &len, err) < 0)
				return -1;
		}
		at += len;
	}
	return 0;
}

/* Ends: each extent is at least a byte long. */
static int add_all(struct digesting *digesting, struct err *err)
{
	AUTO_FREE unsigned char *buf = mem_buffer(STEP_LEN);
	uint64_t size = digesting->inner->size;
	struct extent extent;

	for (uint64_t at = 0; at < size; at += extent.length) {
		if (atomic_load(&digesting->stop))
			return 0;
		if (source_extent(digesting->inner, at, size - at, &extent,
				  err) < 0 ||
		    add_extent(digesting, &extent, buf, err) < 0)
			return -1;
	}
	return 0;
}

static void *digesting_thread(void *argument)
{
	struct digesting *digesting = argument;

	digesting->result = add_all(digesting, &digesting->failure);
	return NULL;
}

static int read_through(struct digesting *digesting, struct err *err)
{
	if (digesting->share)
		digest_share_end(digesting->share);
	if (!digesting->read_through && digesting->started)
		pthread_join(digesting->thread, NULL);
	else if (!digesting->read_through) /* there was no thread to be had */
		digesting_thread(digesting);
	digesting->read_through = true;
	if (digesting->result < 0)
		*err = digesting->failure;
	return digesting->result;
}

/* ---- comparison ---- */

static int compare(struct digesting *digesting, unsigned i, struct err *err)
{
	const struct digest_expected *expected = &digesting->expected[i];
	enum digest_kind kind = (enum digest_kind)expected->kind;
	char text[DIGEST_TEXT_LEN_MOST], wanted[DIGEST_TEXT_LEN_MOST];
	unsigned char found[DIGEST_LEN_MOST];

	if (!digesting->digest[i])
		return err_set(err, ERR_UNSUPPORTED,
			       "the crypto library here refuses %s",
			       digest_name(kind));
	digest_get(digesting->digest[i], found);
	if (!memcmp(found, expected->digest, digest_len(kind)))
		return 0;
	digest_hex(found, digest_len(kind), text);
	digest_hex(expected->digest, digest_len(kind), wanted);
	return err_set(err, ERR_DAMAGED, "the %s is %s, expected %s (from %s)",
		       digest_name(kind), text, wanted, expected->from);
}

/* ---- the source ---- */

/* What a stream learns only at its end. */
static void follow(struct digesting *digesting)
{
	struct source *source = &digesting->source;
	const struct source *inner = digesting->inner;

	source->size = inner->size;
	source->size_known = inner->size_known;
	source->tail_len = inner->tail_len;
	memcpy(source->tail, inner->tail, sizeof source->tail);
}

static int digesting_read(struct source *source, void *buf, size_t len,
			  uint64_t offset, size_t *got, struct err *err)
{
	struct digesting *digesting = (struct digesting *)source;

	if (source_read(digesting->inner, buf, len, offset, got, err) < 0)
		return -1;
	if (digesting->share)
		digest_share_put(digesting->share, buf, *got, offset);
	if (source->seekable)
		return 0;
	add(digesting, buf, *got);
	follow(digesting);
	return 0;
}

static int digesting_extent(struct source *source, uint64_t offset,
			    struct extent *out, struct err *err)
{
	struct digesting *digesting = (struct digesting *)source;
	struct extent inner;

	if (source_extent(digesting->inner, offset, out->length, &inner, err) <
	    0)
		return -1;
	out->length = inner.length;
	out->kind = inner.kind;
	return 0;
}

static int digesting_finish(struct source *source, struct err *err)
{
	struct digesting *digesting = (struct digesting *)source;

	/* Why a source cannot be read, or changed meanwhile, says more than
	 * that its digest is wrong. */
	if (source->seekable && read_through(digesting, err) < 0)
		return -1;
	if (source_finish(digesting->inner, err) < 0)
		return -1;
	for (unsigned i = 0; i < digesting->count; i++)
		if (compare(digesting, i, err) < 0)
			return *digesting->inside
				       ? err_in(err, "%s", digesting->inside)
				       : -1;
	return 0;
}

static int digesting_rewind(struct source *source, struct err *err)
{
	struct digesting *digesting = (struct digesting *)source;

	if (source_rewind(digesting->inner, err) < 0)
		return -1;
	close_digests(digesting);
	open_digests(digesting);
	return 0;
}

static void digesting_close(struct source *source)
{
	struct digesting *digesting = (struct digesting *)source;

	atomic_store(&digesting->stop, true);
	if (digesting->share)
		digest_share_end(digesting->share);
	if (digesting->started && !digesting->read_through)
		pthread_join(digesting->thread, NULL);
	digest_share_close(digesting->share);
	close_digests(digesting);
	free(digesting);
}

static const struct source_ops digesting_ops = {
	.read = digesting_read,
	.extent = digesting_extent,
	.finish = digesting_finish,
	.rewind = digesting_rewind,
	.close = digesting_close,
};

struct source *digest_source(struct source *inner,
			     const struct digest_expected *expected,
			     unsigned count, const char *inside)
{
	struct digesting *digesting = mem_zalloc(sizeof *digesting);
	struct source *source = &digesting->source;

	source_init(source, &digesting_ops);
	digesting->inner = inner;
	digesting->count =
		(unsigned)min_u64(count, DIGEST_EXPECTED_MOST);
	memcpy(digesting->expected, expected,
	       digesting->count * sizeof *expected);
	snprintf(digesting->inside, sizeof digesting->inside, "%s", inside);
	open_digests(digesting);
	source->seekable = inner->seekable;
	source->granule = inner->granule;
	source->fd = inner->fd;
	source->fd_base = inner->fd_base;
	follow(digesting);
	/* A file's bytes are in the page cache when they are read again. */
	if (inner->seekable && inner->fd < 0)
		digesting->share = digest_share_open();
	if (inner->seekable)
		digesting->started = !pthread_create(&digesting->thread, NULL,
						     digesting_thread,
						     digesting);
	return source;
}

bool digest_source_is(const struct source *source)
{
	return source->ops == &digesting_ops;
}
