/* SPDX-License-Identifier: MIT */
/*
 * Owns XVA's reading at random, by a list of the blocks made at opening.
 * Blocks are read where and as far as they are wanted: walk.c verifies their
 * checksums in one pass, which is made when all was read.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/xva/xva.h"
#include "formats/runs.h"

extern const struct driver driver_xva;

struct xva_disk {
	struct disk disk;
	struct xva_scan scan;
	struct runs runs;
};

static int xva_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	struct xva_disk *xva = (struct xva_disk *)disk;

	return runs_read(&xva->runs, xva->scan.tar.source, buf, len, offset,
			 err);
}

static int xva_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	struct xva_disk *xva = (struct xva_disk *)disk;

	(void)err;
	runs_extent(&xva->runs, xva->scan.tar.source, offset, limit, out);
	return 0;
}

static void xva_info(struct disk *disk, struct facts *facts)
{
	const struct xva_scan *scan = &((struct xva_disk *)disk)->scan;
	const struct xva_ova *ova = scan->ova;

	facts_item(facts, "member", "%s", ova->vdi[scan->vdi].ref);
	facts_number(facts, "block-size", ova->vdi[scan->vdi].block_size);
	for (unsigned i = 0; i < ova->count; i++)
		facts_item(facts, "disk", "%s %llu %s", ova->vdi[i].ref,
			   (unsigned long long)ova->vdi[i].size,
			   ova->vdi[i].label);
}

/* Reads at random saw no checksum: another pass does. */
static int xva_finish(struct disk *disk, struct err *err)
{
	const struct xva_scan *scan = &((struct xva_disk *)disk)->scan;
	bool absent;

	if (xva_verify(scan->tar.source, scan->ova->vdi[scan->vdi].ref,
		       &absent, err))
		return -1;
	return source_finish(scan->tar.source, err);
}

static void xva_close(struct disk *disk)
{
	struct xva_disk *xva = (struct xva_disk *)disk;

	xva_scan_close(&xva->scan);
	runs_clear(&xva->runs);
	free(xva);
}

static const struct disk_ops disk_ops = {
	.read = xva_read,
	.extent = xva_extent,
	.info = xva_info,
	.finish = xva_finish,
	.close = xva_close,
};

/* Ends: the archive does. */
static int read_runs(struct xva_scan *scan, struct runs *runs, struct err *err)
{
	const struct xva_vdi *vdi = &scan->ova->vdi[scan->vdi];
	struct xva_item item;
	int got;

	while ((got = xva_scan_next(scan, &item, err)) > 0) {
		struct run run = { .offset = item.offset,
				   .length = item.length,
				   .kind = RUN_DATA,
				   .place = item.place };

		if (item.kind != XVA_BLOCK || item.vdi != scan->vdi ||
		    !item.length)
			continue;
		if (vdi->has_size)
			run.length = min_u64(run.length,
					     vdi->size - run.offset);
		if (runs_add(runs, &run, err))
			return -1;
	}
	if (got || xva_scan_size(scan, &runs->size, err))
		return -1;
	return runs_finish(runs, false, err);
}

/* Of several in ova.xml, the only one that has blocks; NULL: there is no such
 * thing, or an error, which comes again. */
static const char *only_member(struct source *source,
			       const struct open_options *options,
			       char name[XVA_TEXT_LEN])
{
	const struct open_options first = { .member = "0" };
	struct err ignored = { 0 };
	struct xva_scan scan;
	struct xva_item item;
	unsigned seen = 0;

	if ((options && (options->member || options->snapshot)) ||
	    xva_scan_open(&scan, source, &first, &ignored))
		return options ? options->member : NULL;
	/* Ends: the archive does. */
	while (scan.ova->count > 1 &&
	       xva_scan_next(&scan, &item, &ignored) > 0)
		;
	for (unsigned i = 0; i < scan.ova->count; i++)
		if (scan.ova->vdi[i].seen && !seen++)
			memcpy(name, scan.ova->vdi[i].ref, XVA_TEXT_LEN);
	xva_scan_close(&scan);
	return seen == 1 ? name : NULL;
}

struct disk *xva_open(struct source *source,
		      const struct open_options *options, struct err *err)
{
	struct open_options chosen = options ? *options
					     : (struct open_options){ 0 };
	char name[XVA_TEXT_LEN];
	struct runs runs = { 0 };
	struct xva_scan scan;

	chosen.member = only_member(source, options, name);
	if (xva_scan_open(&scan, source, &chosen, err))
		return NULL;
	if (read_runs(&scan, &runs, err)) {
		runs_clear(&runs);
		xva_scan_close(&scan);
		return NULL;
	}

	struct xva_disk *xva = mem_zalloc(sizeof *xva);

	disk_init(&xva->disk, &disk_ops, driver_xva.name);
	xva->scan = scan;
	xva->runs = runs;
	xva->disk.size = runs.size;
	return &xva->disk;
}

static const char *const xva_suffixes[] = { ".xva", NULL };

const struct driver driver_xva = {
	.name = "xva",
	.title = "XenServer export (XVA)",
	.suffixes = xva_suffixes,
	.members = true,
	.open = xva_open,
	.walk = xva_walk,
	.walk_usual = WALK_ORDERED,
	.check = xva_check,
};
