/* SPDX-License-Identifier: MIT */
/* Owns VMA's faces: at random by a list of runs, and in one pass. */
#include <stdlib.h>
#include <time.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/identity.h"
#include "formats/images/vma/vma.h"

extern const struct driver driver_vma;

struct vma_disk {
	struct disk disk;
	struct vma_scan scan;
	struct runs runs;
};

static int vma_read(struct disk *disk, void *buf, size_t len, uint64_t offset,
		    struct err *err)
{
	struct vma_disk *vma = (struct vma_disk *)disk;

	return runs_read(&vma->runs, vma->scan.source, buf, len, offset, err);
}

static int vma_extent(struct disk *disk, uint64_t offset, uint64_t limit,
		      struct extent *out, struct err *err)
{
	struct vma_disk *vma = (struct vma_disk *)disk;

	(void)err;
	runs_extent(&vma->runs, vma->scan.source, offset, limit, out);
	return 0;
}

static void vma_info(struct disk *disk, struct facts *facts)
{
	const struct vma_scan *scan = &((struct vma_disk *)disk)->scan;
	const struct vma_header *header = scan->header;
	time_t seconds = (time_t)header->time;
	char text[40];
	struct tm parts;

	facts_number(facts, "version", 1);
	identity_text(header->uuid, text);
	facts_text(facts, "uuid", "%s", text);
	if (gmtime_r(&seconds, &parts) &&
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts))
		facts_text(facts, "created", "%s", text);
	facts_item(facts, "member", "%s", header->disk[scan->disk].name);
	for (unsigned i = 0; i < header->count; i++)
		facts_item(facts, "disk", "%s %llu", header->disk[i].name,
			   (unsigned long long)header->disk[i].size);
}

static int vma_finish(struct disk *disk, struct err *err)
{
	return source_finish(((struct vma_disk *)disk)->scan.source, err);
}

static void vma_close(struct disk *disk)
{
	struct vma_disk *vma = (struct vma_disk *)disk;

	vma_scan_close(&vma->scan);
	runs_clear(&vma->runs);
	free(vma);
}

static const struct disk_ops disk_ops = {
	.read = vma_read,
	.extent = vma_extent,
	.info = vma_info,
	.finish = vma_finish,
	.close = vma_close,
};

/* Ends: the scan moves on through the file. */
static int read_runs(struct vma_scan *scan, struct runs *runs, struct err *err)
{
	struct vma_extent *extent AUTO_FREE = mem_zalloc(sizeof *extent);
	int got;

	runs->size = scan->header->disk[scan->disk].size;
	while ((got = vma_scan_next(scan, extent, err)) > 0)
		for (unsigned i = 0; i < extent->count; i++) {
			const struct vma_piece *piece = &extent->piece[i];
			struct run run = { .offset = piece->offset,
					   .length = piece->length,
					   .kind = piece->place ? RUN_DATA
								: RUN_ZERO,
					   .place = piece->place };

			if (runs_add(runs, &run, err))
				return -1;
		}
	if (got)
		return -1;
	return runs_finish(runs, true, err);
}

static int scan_open(struct vma_scan *scan, struct source *source,
		     const struct open_options *options, struct err *err)
{
	if (options && options->snapshot)
		return err_set(err, ERR_UNSUPPORTED,
			       "has no snapshots, so no %s",
			       options->snapshot);
	return vma_scan_open(scan, source, options ? options->member : NULL,
			     err);
}

struct disk *vma_open(struct source *source,
		      const struct open_options *options, struct err *err)
{
	struct runs runs = { 0 };
	struct vma_scan scan;

	if (scan_open(&scan, source, options, err))
		return NULL;
	if (read_runs(&scan, &runs, err)) {
		runs_clear(&runs);
		vma_scan_close(&scan);
		return NULL;
	}

	struct vma_disk *vma = mem_zalloc(sizeof *vma);

	disk_init(&vma->disk, &disk_ops, driver_vma.name);
	vma->scan = scan;
	vma->runs = runs;
	vma->disk.size = runs.size;
	vma->disk.granule = VMA_CLUSTER_SIZE;
	return &vma->disk;
}

/* ---- one pass ---- */

struct vma_walk {
	struct walk walk;
	struct vma_scan scan;
	struct vma_extent extent;
	unsigned piece;
	unsigned char *seen; /* a bit a cluster */
	uint64_t missing;    /* clusters */
};

/* Each cluster must come once: extents hold whole ones. */
static int mark(struct vma_walk *vma, const struct vma_piece *piece,
		struct err *err)
{
	uint64_t end = piece->offset + piece->length;

	for (uint64_t at = round_up(piece->offset, VMA_CLUSTER_SIZE);
	     at < end; at += VMA_CLUSTER_SIZE) {
		uint64_t i = at / VMA_CLUSTER_SIZE;
		unsigned char bit = (unsigned char)(1u << i % 8);

		if (vma->seen[i / 8] & bit)
			return err_set(err, ERR_DAMAGED,
				       "the disk's bytes at %llu are "
				       "stored twice",
				       (unsigned long long)at);
		vma->seen[i / 8] |= bit;
		vma->missing--;
	}
	return 0;
}

/* Ends: the scan moves on through the stream. */
static int next_extent(struct vma_walk *vma, struct err *err)
{
	int got = 1;

	while (vma->piece == vma->extent.count && got > 0) {
		vma->piece = 0;
		got = vma_scan_next(&vma->scan, &vma->extent, err);
	}
	if (got)
		return got;
	if (vma->missing)
		return err_set(err, ERR_DAMAGED,
			       "%llu clusters are missing: the file is "
			       "cut short or was not finished",
			       (unsigned long long)vma->missing);
	return source_finish(vma->scan.source, err);
}

static int vma_next(struct walk *walk, void *buf, size_t len,
		    struct walk_piece *out, struct err *err)
{
	struct vma_walk *vma = (struct vma_walk *)walk;
	const struct vma_piece *piece;
	int got = next_extent(vma, err);

	if (got <= 0)
		return got;
	piece = &vma->extent.piece[vma->piece++];
	if (mark(vma, piece, err))
		return -1;
	out->offset = piece->offset;
	out->length = piece->length;
	out->kind = EXTENT_ZERO;
	if (!piece->place)
		return 1;
	/* An extent's data is less than a walk's room. */
	if (piece->length > len)
		return err_set(err, ERR_BUG, "no room for an extent");
	out->kind = EXTENT_DATA;
	out->stored = (size_t)piece->length;
	if (source_read_all(vma->scan.source, buf, out->stored, piece->place,
			    "block", err))
		return -1;
	return 1;
}

static void vma_walk_close(struct walk *walk)
{
	struct vma_walk *vma = (struct vma_walk *)walk;

	vma_scan_close(&vma->scan);
	free(vma->seen);
	free(vma);
}

static const struct walk_ops walk_ops = { .next = vma_next,
					  .close = vma_walk_close };

struct walk *vma_walk(struct source *stream,
		      const struct open_options *options, int spool_fd,
		      struct err *err)
{
	struct vma_walk *vma = mem_zalloc(sizeof *vma);
	uint64_t size;

	(void)spool_fd; /* every block is placed when it comes */
	if (scan_open(&vma->scan, stream, options, err)) {
		free(vma);
		return NULL;
	}
	walk_init(&vma->walk, &walk_ops, driver_vma.name);
	size = vma->scan.header->disk[vma->scan.disk].size;
	vma->missing = div_up(size, VMA_CLUSTER_SIZE);
	vma->walk.size_known = true;
	vma->walk.size = size;
	vma->walk.granule = VMA_BLOCK_SIZE;
	vma->seen = mem_capped(div_up(vma->missing, 8) + 1, 1, LIMIT_TABLE_LEN,
			       "the list of clusters", err);
	if (!vma->seen) {
		vma_walk_close(&vma->walk);
		return NULL;
	}
	return &vma->walk;
}

static int check_disk(struct source *source, const char *name,
		      struct check_report *report, struct err *err)
{
	const struct open_options options = { .member = name };
	struct disk *disk AUTO_DISK = vma_open(source, &options, err);

	if (disk)
		return 0;
	if (err->kind != ERR_DAMAGED)
		return -1;
	check_corruption(report, "%s: %s", name, err->message);
	return 0;
}

int vma_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err)
{
	const char *member = options ? options->member : NULL;
	struct vma_scan scan;
	int failed = 0;

	/* Of several disks all, unless one is asked for. */
	if (vma_scan_open(&scan, source, member ? member : "0", err)) {
		if (err->kind != ERR_DAMAGED)
			return -1;
		check_corruption(report, "%s", err->message);
		return 0;
	}
	for (unsigned i = 0; i < scan.header->count && !failed; i++)
		if (!member || i == scan.disk)
			failed = check_disk(source, scan.header->disk[i].name,
					    report, err);
	vma_scan_close(&scan);
	return failed;
}

static const char *const vma_suffixes[] = { ".vma", NULL };

const struct driver driver_vma = {
	.name = "vma",
	.title = "Proxmox backup (VMA)",
	.suffixes = vma_suffixes,
	.members = true,
	.open = vma_open,
	.walk = vma_walk,
	.walk_usual = WALK_SCATTERED,
	.check = vma_check,
};
