/* SPDX-License-Identifier: MIT */
/*
 * XenServer exports (XVA; XenServer, "VM import/export", docs of xapi): a tar
 * whose first member, ova.xml, describes the machine, and where each disk is
 * a folder named as its VDI there ("Ref:12"):
 *
 *   Ref:12/00000000            a block, nearly always 1 MiB
 *   Ref:12/00000000.checksum   its SHA-1, or .xxhash: its XXH64, in digits
 *   Ref:12/00000007            blocks 1 to 6 are zero and left out
 *
 * The numbers count blocks, not bytes: an empty one counts and holds none.
 * The size of the first is that of all but the last. First and last are
 * always there, so that a disk that ends early was cut short.
 */
#ifndef FORMATS_IMAGES_XVA_XVA_H
#define FORMATS_IMAGES_XVA_XVA_H

#include "base/limits.h"
#include "formats/images/driver.h"
#include "formats/images/xva/tar.h"

#define XVA_OVA_MAX ((uint64_t)(16 * MIB)) /* of ova.xml; real ones: 100 KiB */
#define XVA_BLOCK_MAX ((uint64_t)(64 * MIB))
#define XVA_DISKS 256u
#define XVA_TEXT_LEN 64

struct xva_vdi {
	char ref[XVA_TEXT_LEN], label[XVA_TEXT_LEN];
	bool has_size;
	uint64_t size; /* bytes */
	/* How far a scan has come. */
	bool seen, short_block;
	uint64_t number, position, block_size;
};

struct xva_ova {
	unsigned count;
	struct xva_vdi vdi[XVA_DISKS];
};

/* The VDIs in ova.xml, in its order: an XML-RPC value, an array of objects
 * with members class, id and snapshot, in this order, of whose snapshot
 * name_label and virtual_size are wanted. */
int xva_ova_parse(const char *xml, size_t len, struct xva_ova *out,
		  struct err *err);

enum xva_item_kind { XVA_BLOCK, XVA_SHA1, XVA_XXH64 };

struct xva_item {
	enum xva_item_kind kind;
	unsigned vdi;
	uint64_t offset, length; /* of a block: guest bytes */
	uint64_t place;
	char sum[48]; /* of a checksum: as it stands there */
};

struct xva_scan {
	struct tar tar;
	struct xva_ova *ova;
	unsigned vdi; /* the one asked for */
	bool ended;   /* all of the archive was seen */
};

/* Reads ova.xml and finds the disk; several and no `member`: ERR_USAGE. */
int xva_scan_open(struct xva_scan *scan, struct source *source,
		  const struct open_options *options, struct err *err);
void xva_scan_close(struct xva_scan *scan);
/* The next block or checksum of any disk: 1; 0 at the end; -1. */
int xva_scan_next(struct xva_scan *scan, struct xva_item *out,
		  struct err *err);
/* At the end: the disk's size; ERR_DAMAGED when some of it is missing. */
int xva_scan_size(const struct xva_scan *scan, uint64_t *size,
		  struct err *err);

struct disk *xva_open(struct source *source,
		      const struct open_options *options, struct err *err);
struct walk *xva_walk(struct source *stream,
		      const struct open_options *options, int spool_fd,
		      struct err *err);
/* One pass over the disk `ref`: ERR_DAMAGED for a checksum that does not
 * match. *absent: the disk was described, but has no blocks. */
int xva_verify(struct source *source, const char *ref, bool *absent,
	       struct err *err);
int xva_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err);

#endif
