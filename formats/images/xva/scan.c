/* SPDX-License-Identifier: MIT */
/* Owns the choice of the disk, and where its blocks are, the same for files
 * and streams. Does not look at what blocks hold. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/xva/xva.h"
#include "formats/member.h"

#define ULL(x) ((unsigned long long)(x))

static int read_ova(struct xva_scan *scan, struct err *err)
{
	struct tar_member member;
	char *xml AUTO_FREE = NULL;
	int got = tar_next(&scan->tar, &member, err);

	if (got < 0)
		return -1;
	if (!got || !member.file || strcmp(member.name, "ova.xml"))
		return err_set(err, ERR_DAMAGED,
			       "the first member is not ova.xml");
	xml = mem_capped(member.size, 1, XVA_OVA_MAX, "ova.xml", err);
	if (!xml || source_read_all(scan->tar.source, xml, member.size,
				    member.place, "ova.xml", err))
		return -1;
	return xva_ova_parse(xml, member.size, scan->ova, err);
}

static const char *name_of(const void *opaque, unsigned i)
{
	return ((const struct xva_ova *)opaque)->vdi[i].ref;
}

/* By Ref, by number, or by the name that people gave it, if one has it. */
static int choose(const struct xva_ova *ova, const char *member,
		  struct err *err)
{
	const struct member_list list = { ova, ova->count, name_of };
	unsigned same = 0, which = 0;

	for (unsigned i = 0; member && *member && i < ova->count; i++)
		if (!strcmp(ova->vdi[i].label, member)) {
			which = i;
			same++;
		}
	return member_choose(&list, same == 1 ? ova->vdi[which].ref : member,
			     err);
}

int xva_scan_open(struct xva_scan *scan, struct source *source,
		  const struct open_options *options, struct err *err)
{
	int chosen = -1;

	memset(scan, 0, sizeof *scan);
	if (options && options->snapshot)
		return err_set(err, ERR_UNSUPPORTED,
			       "has no snapshots, so no %s",
			       options->snapshot);
	scan->tar.source = source;
	scan->ova = mem_zalloc(sizeof *scan->ova);
	if (!read_ova(scan, err))
		chosen = choose(scan->ova, options ? options->member : NULL,
				err);
	if (chosen < 0) {
		xva_scan_close(scan);
		return -1;
	}
	scan->vdi = (unsigned)chosen;
	return 0;
}

void xva_scan_close(struct xva_scan *scan)
{
	free(scan->ova);
	scan->ova = NULL;
}

/* "Ref:12/00000007.checksum": which disk, number and kind; false: neither a
 * block nor a checksum. */
static bool parse_name(const struct xva_scan *scan, const char *name,
		       struct xva_item *out, uint64_t *number)
{
	const char *slash = strchr(name, '/'), *rest;
	size_t digits;

	if (!slash)
		return false;
	rest = slash + 1;
	digits = strspn(rest, "0123456789");
	if (digits < 8 || digits > 18)
		return false;
	*number = strtoull(rest, NULL, 10);
	rest += digits;
	if (!strcmp(rest, ".checksum"))
		out->kind = XVA_SHA1;
	else if (!strcmp(rest, ".xxhash"))
		out->kind = XVA_XXH64;
	else if (!*rest)
		out->kind = XVA_BLOCK;
	else
		return false;
	for (out->vdi = 0; out->vdi < scan->ova->count; out->vdi++) {
		const char *ref = scan->ova->vdi[out->vdi].ref;

		if (strlen(ref) == (size_t)(slash - name) &&
		    !memcmp(ref, name, (size_t)(slash - name)))
			break;
	}
	return true;
}

static int refuse_block(const struct xva_vdi *vdi, uint64_t number,
			uint64_t size, const char *why, struct err *err)
{
	return err_set(err, ERR_DAMAGED, "%s: block %llu of %llu bytes %s",
		       vdi->ref, ULL(number), ULL(size), why);
}

/* The first block says how large those are that were left out. */
static int start_disk(struct xva_vdi *vdi, uint64_t number, uint64_t size,
		      struct err *err)
{
	if (number)
		return refuse_block(vdi, number, size, "is not the first one",
				    err);
	if (!size || size % 512 || size > XVA_BLOCK_MAX)
		return refuse_block(vdi, number, size,
				    "is no size for all (512 bytes to 64 MiB)",
				    err);
	vdi->seen = true;
	vdi->block_size = size;
	return 0;
}

static int add_block(struct xva_vdi *vdi, uint64_t number, uint64_t size,
		     uint64_t *offset, struct err *err)
{
	uint64_t skipped;

	if (!vdi->seen) {
		if (start_disk(vdi, number, size, err))
			return -1;
	} else {
		if (number <= vdi->number)
			return refuse_block(vdi, number, size,
					    "comes after a later one", err);
		if (vdi->short_block && size)
			return refuse_block(vdi, number, size,
					    "comes after a shorter one", err);
		if (size > vdi->block_size)
			return refuse_block(vdi, number, size,
					    "is larger than the first", err);
		if (!checked_mul(number - vdi->number - 1, vdi->block_size,
				 &skipped) ||
		    skipped > LIMIT_DISK_SIZE - vdi->position)
			return refuse_block(vdi, number, size,
					    "lies past the limit of sizes",
					    err);
		vdi->position += skipped;
	}
	vdi->number = number;
	vdi->short_block |= size && size != vdi->block_size;
	*offset = vdi->position;
	if (size > LIMIT_DISK_SIZE - vdi->position)
		return refuse_block(vdi, number, size,
				    "lies past the limit of sizes", err);
	vdi->position += size;
	/* A last block may be padded, no more. */
	if (vdi->has_size && size && *offset >= vdi->size)
		return refuse_block(vdi, number, size,
				    "lies past the disk's end", err);
	return 0;
}

/* In the order of the checks that can fail. */
static int take_item(struct xva_scan *scan, const struct tar_member *member,
		     uint64_t number, struct xva_item *out, struct err *err)
{
	struct xva_vdi *vdi;
	size_t len = sizeof out->sum - 1;

	if (out->vdi == scan->ova->count)
		return err_set(err, ERR_DAMAGED,
			       "%s belongs to no disk of ova.xml",
			       member->name);
	vdi = &scan->ova->vdi[out->vdi];
	if (!member->file)
		return err_set(err, ERR_DAMAGED, "%s is no file",
			       member->name);
	out->place = member->place;
	if (out->kind == XVA_BLOCK) {
		out->length = member->size;
		return add_block(vdi, number, member->size, &out->offset,
				 err);
	}
	if (!vdi->seen || number != vdi->number)
		return err_set(err, ERR_DAMAGED,
			       "%s does not follow its block", member->name);
	if (member->size > len)
		return err_set(err, ERR_DAMAGED,
			       "%s has %llu bytes (at most %zu)",
			       member->name, ULL(member->size), len);
	return source_read_all(scan->tar.source, out->sum, member->size,
			       member->place, "checksum", err);
}

/* Ends: the archive does. */
int xva_scan_next(struct xva_scan *scan, struct xva_item *out,
		  struct err *err)
{
	struct tar_member member;
	uint64_t number;
	int got;

	while ((got = tar_next(&scan->tar, &member, err)) > 0) {
		memset(out, 0, sizeof *out);
		if (!parse_name(scan, member.name, out, &number))
			continue;
		if (take_item(scan, &member, number, out, err))
			return -1;
		return 1;
	}
	scan->ended = !got;
	return got;
}

int xva_scan_size(const struct xva_scan *scan, uint64_t *size,
		  struct err *err)
{
	const struct xva_vdi *vdi = &scan->ova->vdi[scan->vdi];

	*size = vdi->has_size ? vdi->size : vdi->position;
	if (*size > vdi->position)
		return err_set(err, ERR_DAMAGED,
			       "%s has blocks up to %llu of %llu bytes: it "
			       "is cut short or was exported without data",
			       vdi->ref, ULL(vdi->position), ULL(*size));
	return 0;
}
