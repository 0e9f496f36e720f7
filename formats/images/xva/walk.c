/* SPDX-License-Identifier: MIT */
/* Owns XVA's one pass over a stream, in the guest's order, in which each
 * block's checksum is verified; a block without one is taken as it is. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/xva/xva.h"
#include "formats/xxh64.h"
#include "io/digest.h"

extern const struct driver driver_xva;

struct xva_walk {
	struct walk walk;
	struct xva_scan scan;
	struct xva_item block; /* of which `done` bytes were yielded */
	uint64_t done;
	uint64_t position; /* guest bytes yielded */
	/* Sums of the block so far: both, until one has been seen. */
	bool kind_known;
	enum xva_item_kind kind;
	struct digest *sha1;
	struct xxh64 xxh64;
};

static int start_sums(struct xva_walk *xva, struct err *err)
{
	xva->sha1 = digest_close(xva->sha1);
	xxh64_start(&xva->xxh64);
	if (xva->kind_known && xva->kind != XVA_SHA1)
		return 0;
	xva->sha1 = digest_open_sha1();
	if (!xva->sha1)
		return err_set(err, ERR_UNSUPPORTED,
			       "the crypto library refuses SHA-1, which this "
			       "format is verified with");
	return 0;
}

static void add_sums(struct xva_walk *xva, const void *buf, size_t len)
{
	if (xva->sha1)
		digest_add(xva->sha1, buf, len);
	if (!xva->kind_known || xva->kind == XVA_XXH64)
		xxh64_add(&xva->xxh64, buf, len);
}

static int check_sum(struct xva_walk *xva, struct xva_item *item,
		     struct err *err)
{
	unsigned char sha1[DIGEST_SHA1_LEN];
	char found[2 * DIGEST_SHA1_LEN + 1] = "";
	size_t len = strcspn(item->sum, " \t\r\n");

	if (xva->kind_known && xva->kind != item->kind)
		return err_set(err, ERR_DAMAGED,
			       "checksums of two kinds in one disk");
	xva->kind_known = true;
	xva->kind = item->kind;
	if (item->kind == XVA_SHA1) {
		digest_get(xva->sha1, sha1);
		for (size_t i = 0; i < sizeof sha1; i++)
			snprintf(found + 2 * i, 3, "%02x", sha1[i]);
	} else {
		snprintf(found, sizeof found, "%016llx",
			 (unsigned long long)xxh64_get(&xva->xxh64));
	}
	item->sum[len] = '\0';
	for (size_t i = 0; i < len; i++)
		item->sum[i] = (char)tolower((unsigned char)item->sum[i]);
	if (!strcmp(found, item->sum))
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "%s: the block at %llu has checksum %s, not %s",
		       xva->scan.ova->vdi[xva->scan.vdi].ref,
		       (unsigned long long)xva->block.offset, found,
		       item->sum);
}

/* The next block with bytes, the sums of others checked. Ends: the archive
 * does. */
static int next_block(struct xva_walk *xva, struct err *err)
{
	struct xva_item item;
	uint64_t size;
	int got;

	while ((got = xva_scan_next(&xva->scan, &item, err)) > 0) {
		if (item.vdi != xva->scan.vdi)
			continue;
		if (item.kind != XVA_BLOCK) {
			if (check_sum(xva, &item, err))
				return -1;
			continue;
		}
		xva->block = item;
		xva->done = 0;
		if (start_sums(xva, err))
			return -1;
		if (item.length)
			return 1;
	}
	if (got || xva_scan_size(&xva->scan, &size, err))
		return -1;
	return source_finish(xva->scan.tar.source, err);
}

/* What lies past the disk's end is padding: summed up, not yielded. */
static int read_padding(struct xva_walk *xva, void *buf, size_t len,
			struct err *err)
{
	struct xva_item *block = &xva->block;

	while (xva->done < block->length) {
		size_t part =
			(size_t)min_u64(len, block->length - xva->done);

		if (source_read_all(xva->scan.tar.source, buf, part,
				    block->place + xva->done, "block", err))
			return -1;
		add_sums(xva, buf, part);
		xva->done += part;
	}
	return 0;
}

static int xva_next(struct walk *walk, void *buf, size_t len,
		    struct walk_piece *out, struct err *err)
{
	struct xva_walk *xva = (struct xva_walk *)walk;
	struct xva_item *block = &xva->block;
	uint64_t end;

	if (walk->size_known && xva->position == walk->size &&
	    read_padding(xva, buf, len, err))
		return -1;
	if (xva->done == block->length) {
		int got = next_block(xva, err);

		if (got <= 0)
			return got;
	}
	out->offset = xva->position;
	if (xva->position < block->offset) {
		out->kind = EXTENT_HOLE; /* blocks that were left out */
		out->length = block->offset - xva->position;
		xva->position = block->offset;
		return 1;
	}
	end = block->offset + block->length;
	if (walk->size_known)
		end = min_u64(end, walk->size);
	out->kind = EXTENT_DATA;
	out->length = min_u64(len, end - xva->position);
	out->stored = (size_t)out->length;
	if (source_read_all(xva->scan.tar.source, buf, out->stored,
			    block->place + xva->done, "block", err))
		return -1;
	add_sums(xva, buf, out->stored);
	xva->done += out->stored;
	xva->position += out->stored;
	return 1;
}

static void xva_walk_close(struct walk *walk)
{
	struct xva_walk *xva = (struct xva_walk *)walk;

	digest_close(xva->sha1);
	xva_scan_close(&xva->scan);
	free(xva);
}

static const struct walk_ops walk_ops = { .next = xva_next,
					  .close = xva_walk_close };

struct walk *xva_walk(struct source *stream,
		      const struct open_options *options, int spool_fd,
		      struct err *err)
{
	struct xva_scan scan;
	const struct xva_vdi *vdi;

	(void)spool_fd; /* the blocks come in order: nothing to keep */
	if (xva_scan_open(&scan, stream, options, err))
		return NULL;

	struct xva_walk *xva = mem_zalloc(sizeof *xva);

	walk_init(&xva->walk, &walk_ops, driver_xva.name);
	vdi = &scan.ova->vdi[scan.vdi];
	xva->scan = scan;
	xva->walk.ordered = true;
	xva->walk.size_known = vdi->has_size;
	xva->walk.size = vdi->size;
	return &xva->walk;
}

int xva_verify(struct source *source, const char *ref, bool *absent,
	       struct err *err)
{
	const struct open_options options = { .member = ref };
	struct walk *walk AUTO_WALK = xva_walk(source, &options, -1, err);
	unsigned char *buf AUTO_FREE = mem_buffer(UNIT_LEN);
	struct walk_piece piece;
	int got = walk ? 1 : -1;

	/* Ends with the archive. */
	while (got > 0)
		got = walk_next(walk, buf, UNIT_LEN, &piece, err);
	*absent = false;
	if (got && walk) {
		const struct xva_scan *scan = &((struct xva_walk *)walk)->scan;

		*absent = scan->ended && !scan->ova->vdi[scan->vdi].seen;
	}
	return got;
}

/* With `optional`, a disk that was described but not exported is no finding
 * (an ISO image in the drive). */
static int check_disk(struct source *source, const char *ref, bool optional,
		      struct check_report *report, struct err *err)
{
	bool absent;

	if (!xva_verify(source, ref, &absent, err))
		return 0;
	if (err->kind != ERR_DAMAGED)
		return -1;
	if (!optional || !absent)
		check_corruption(report, "%s", err->message);
	return 0;
}

int xva_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err)
{
	const char *member = options ? options->member : NULL;
	const struct open_options first = { .member = member ? member : "0" };
	struct xva_scan scan;
	int failed = 0;

	/* Of several disks all, unless one is asked for. */
	if (xva_scan_open(&scan, source, &first, err)) {
		if (err->kind != ERR_DAMAGED)
			return -1;
		check_corruption(report, "%s", err->message);
		return 0;
	}
	for (unsigned i = 0; i < scan.ova->count && !failed; i++)
		if (!member || i == scan.vdi)
			failed = check_disk(source, scan.ova->vdi[i].ref,
					    !member && scan.ova->count > 1,
					    report, err);
	xva_scan_close(&scan);
	return failed;
}
