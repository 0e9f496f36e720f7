/* SPDX-License-Identifier: MIT */
/*
 * Owns counting: uses of clusters as found, refcounts as stored, and the
 * comparison of both. Does not know where uses come from.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow2/refcounts.h"

#define COUNT_MASK 0x1fffffffu
#define FLAG(use) (0x20000000u << (use))
#define TABLE_RESERVED 0x1ffULL
#define DEFAULT_MEMORY (256 * MIB)
#define SLICE_MAX ((size_t)(64 * KIB))

static int open_counts(struct refcounts *refs, uint64_t memory, struct err *err)
{
	uint64_t most = max_u64(memory, DEFAULT_MEMORY);
	uint64_t needed;

	refs->clusters = div_up(refs->source->size, refs->header->cluster_size);
	if (!checked_mul(refs->clusters, sizeof *refs->counts, &needed) ||
	    needed > most)
		return err_set(err, ERR_LIMIT,
			       "counting the uses of %llu clusters takes more "
			       "than %llu bytes of memory: allow more with "
			       "--memory",
			       (unsigned long long)refs->clusters,
			       (unsigned long long)most);
	refs->counts = mem_capped(refs->clusters, sizeof *refs->counts, most,
				  "table of uses", err);
	refs->seen = mem_capped(refs->clusters / 8 + 1, 1, most,
				"table of uses", err);
	return refs->counts && refs->seen ? 0 : -1;
}

/* Count the refcount structures themselves; entries that cannot be right are
 * reported and forgotten. */
static void use_blocks(struct refcounts *refs)
{
	uint32_t cluster = refs->header->cluster_size;

	refcounts_use(refs, refs->header->reftable_offset,
		      refs->table_entries * 8, USE_FIXED, "refcount table");
	for (uint64_t i = 0; i < refs->table_entries; i++) {
		uint64_t offset = refs->table[i];

		if (!offset)
			continue;
		if ((offset & TABLE_RESERVED) || offset % cluster) {
			check_corruption(refs->report,
					 "refcount table entry %llu: 0x%llx is "
					 "not a cluster's offset",
					 (unsigned long long)i,
					 (unsigned long long)offset);
			refs->table[i] = 0;
			continue;
		}
		if (!refcounts_use(refs, offset, cluster, USE_FIXED,
				   "refcount block"))
			refs->table[i] = 0;
	}
}

int refcounts_open(struct refcounts *refs, const struct qcow2_header *header,
		   struct source *source, struct check_report *report,
		   uint64_t memory, struct err *err)
{
	memset(refs, 0, sizeof *refs);
	refs->header = header;
	refs->source = source;
	refs->report = report;
	refs->table_entries =
		(uint64_t)header->reftable_clusters * header->cluster_size / 8;
	if (open_counts(refs, memory, err))
		return -1;
	refs->table = qcow2_tables_l1(source, header->reftable_offset,
				      (uint32_t)refs->table_entries, err);
	if (!refs->table)
		return -1;
	refs->slice = (size_t)min_u64(header->cluster_size, SLICE_MAX);
	refs->blocks = table_cache_open(source, "refcount block",
					refs->slice, 0);
	use_blocks(refs);
	return 0;
}

void refcounts_close(struct refcounts *refs)
{
	free(refs->counts);
	free(refs->seen);
	free(refs->table);
	table_cache_close(refs->blocks);
}

static bool use_one(struct refcounts *refs, uint64_t index, enum use use,
		    const char *what)
{
	uint32_t *count = &refs->counts[index];
	uint32_t others = *count & ~COUNT_MASK & ~FLAG(use);
	bool clash = others || (use == USE_FIXED && *count);

	if (clash)
		check_corruption(refs->report,
				 "%s at %llu overlaps something else", what,
				 (unsigned long long)index
					 << refs->header->cluster_bits);
	if ((*count & COUNT_MASK) < COUNT_MASK)
		++*count;
	*count |= FLAG(use);
	return !clash;
}

bool refcounts_use(struct refcounts *refs, uint64_t offset, uint64_t length,
		   enum use use, const char *what)
{
	unsigned bits = refs->header->cluster_bits;
	uint64_t end;
	bool good = true;

	if (!length)
		return true;
	if (!checked_add(offset, length - 1, &end) ||
	    end >> bits >= refs->clusters) {
		check_corruption(refs->report,
				 "%s at %llu lies past the end of the file "
				 "(%llu)",
				 what, (unsigned long long)offset,
				 (unsigned long long)refs->source->size);
		return false;
	}
	for (uint64_t index = offset >> bits; index <= end >> bits; index++)
		good &= use_one(refs, index, use, what);
	return good;
}

void refcounts_begin_state(struct refcounts *refs)
{
	memset(refs->seen, 0, (size_t)(refs->clusters / 8 + 1));
}

bool refcounts_first_use(struct refcounts *refs, uint64_t offset)
{
	uint64_t index = offset >> refs->header->cluster_bits;
	unsigned char bit = (unsigned char)(1 << index % 8);

	if (index >= refs->clusters || (refs->seen[index / 8] & bit))
		return false;
	refs->seen[index / 8] |= bit;
	return true;
}

uint64_t refcounts_entry(const unsigned char *block, unsigned order, uint64_t i)
{
	unsigned width = 1u << order;

	switch (order) {
	case 3:
		return block[i];
	case 4:
		return bytes_be16(block + i * 2);
	case 5:
		return bytes_be32(block + i * 4);
	case 6:
		return bytes_be64(block + i * 8);
	default:
		return block[i * width / 8] >> (i * width % 8) &
		       ((1u << width) - 1);
	}
}

int refcounts_stored(struct refcounts *refs, uint64_t offset, uint64_t *out,
		     struct err *err)
{
	const struct qcow2_header *header = refs->header;
	uint64_t index = offset >> header->cluster_bits;
	uint64_t a_slice = (refs->slice * 8) >> header->refcount_order;
	uint64_t slices = header->cluster_size / refs->slice;
	uint64_t number = index / a_slice, block = number / slices;
	const unsigned char *bytes;
	struct table_slot *slot;

	*out = 0;
	if (block >= refs->table_entries || !refs->table[block])
		return 0;
	offset = refs->table[block] + number % slices * refs->slice;
	/* The file may end within its last block: no uses are noted there. */
	if (!checked_inside(offset, refs->slice, refs->source->size))
		return 0;
	bytes = table_cache_hold(refs->blocks, offset, &slot, err);
	if (!bytes)
		return -1;
	*out = refcounts_entry(bytes, header->refcount_order, index % a_slice);
	table_cache_drop(refs->blocks, slot);
	return 0;
}

int refcounts_compare(struct refcounts *refs, struct err *err)
{
	for (uint64_t i = 0; i < refs->clusters; i++) {
		uint64_t offset = i << refs->header->cluster_bits;
		uint64_t found = refs->counts[i] & COUNT_MASK, stored;

		if (refcounts_stored(refs, offset, &stored, err))
			return -1;
		if (stored < found)
			check_corruption(refs->report,
					 "cluster at %llu has refcount %llu, "
					 "but %llu uses",
					 (unsigned long long)offset,
					 (unsigned long long)stored,
					 (unsigned long long)found);
		else if (stored > found)
			check_leak(refs->report,
				   "cluster at %llu has refcount %llu, but "
				   "%llu uses",
				   (unsigned long long)offset,
				   (unsigned long long)stored,
				   (unsigned long long)found);
	}
	return 0;
}
