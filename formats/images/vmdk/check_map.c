/* SPDX-License-Identifier: MIT */
/*
 * Owns the check of one sparse extent: goes through every table, judges the
 * entries, claims what they use, and holds the redundant tables against the
 * primary ones. Changes nothing.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vmdk/vmdk.h"
#include "formats/usage.h"

struct check {
	const struct vmdk_header *header;
	struct source *source;
	struct check_report *report;
	struct usage *usage;
	struct vmdk_map map; /* only what unpacking a grain needs */
	bool decode;
	size_t table_len;
	uint64_t *places;     /* of the tables, 0 for none or a bad one */
	uint64_t *redundant;  /* NULL: there are none */
	unsigned char *table; /* the one in work */
	unsigned char *other; /* its redundant one */
	unsigned char *grain;
};

static int claim(struct check *check, const char *what, uint64_t offset,
		 uint64_t length, struct err *err)
{
	return usage_claim(check->usage, check->report, what, offset, length,
			   err);
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Tables that are used twice are followed by nobody: the claims tell of them,
 * and the time is bounded by the file. */
static void drop_shared(struct check *check, uint64_t *places)
{
	size_t count = (size_t)check->header->gd_entries;
	AUTO_FREE uint64_t *sorted =
		mem_resize(NULL, count + 1, sizeof *sorted);
	const uint64_t *found;

	memcpy(sorted, places, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_place);
	for (size_t i = 0; i < count; i++) {
		if (!places[i])
			continue;
		found = bsearch(&places[i], sorted, count, sizeof *sorted,
				by_place);
		if ((found > sorted && found[-1] == *found) ||
		    (found + 1 < sorted + count && found[1] == *found))
			places[i] = 0;
	}
}

/* The tables of one directory, claimed. NULL: err. */
static uint64_t *load_tables(struct check *check, uint64_t gd,
			     const char *what, struct err *err)
{
	const struct vmdk_header *header = check->header;
	AUTO_FREE uint64_t *tables =
		vmdk_map_directory(header, check->source, gd, err);
	struct err found;

	for (uint64_t i = 0; tables && i < header->gd_entries; i++) {
		if (vmdk_entry_table(header, tables[i], i,
				     check->source->size, &tables[i],
				     &found)) {
			check_corruption(check->report, "%s", found.message);
			tables[i] = 0;
		}
		if (tables[i] == VMDK_TABLE_ZERO)
			tables[i] = 0;
		if (tables[i] &&
		    claim(check, what, tables[i], check->table_len, err))
			return NULL;
	}
	if (tables)
		drop_shared(check, tables);
	return STEAL(tables);
}

static int check_packed(struct check *check, uint64_t guest, uint64_t place,
			struct err *err)
{
	const struct vmdk_header *header = check->header;
	struct vmdk_run run = {
		.kind = VMDK_PACKED,
		.offset = guest,
		.length = vmdk_map_grain_len(header, guest),
		.place = place,
	};
	struct packed_chunk chunk;
	struct err found;
	uint64_t end;

	if (vmdk_map_chunk(&check->map, &run, &chunk, &found)) {
		check_corruption(check->report, "%s", found.message);
		return 0;
	}
	if (check->decode &&
	    vmdk_map_unpack(&check->map, &run, check->grain, &found))
		check_corruption(check->report, "%s", found.message);
	if (!header->markers)
		return 0; /* nobody knows where it ends */
	end = min_u64(round_up(chunk.place + chunk.stored, VMDK_SECTOR),
		      check->source->size);
	return claim(check, "compressed grain", place, end - place, err);
}

static int check_entry(struct check *check, uint64_t guest,
		       const unsigned char *entry, struct err *err)
{
	const struct vmdk_header *header = check->header;
	enum vmdk_run_kind kind;
	struct err found;
	uint64_t place;

	if (vmdk_entry_grain(header, entry, guest, check->source->size, &kind,
			     &place, &found)) {
		check_corruption(check->report, "%s", found.message);
		return 0;
	}
	if (kind == VMDK_PACKED)
		return check_packed(check, guest, place, err);
	if (kind != VMDK_PLAIN)
		return 0;
	/* Behind the disk's end a last grain need not be there. */
	return claim(check, "grain", place,
		     min_u64(header->grain, check->source->size - place), err);
}

/* Two tables that should say the same. */
static int compare(struct check *check, uint64_t index, struct err *err)
{
	const struct vmdk_header *header = check->header;
	uint64_t place = check->redundant[index];
	size_t differ = 0, first = 0;

	memset(check->other, 0, check->table_len);
	if (place && source_read_all(check->source, check->other,
				     check->table_len, place,
				     "redundant grain table", err))
		return -1;
	if (!memcmp(check->table, check->other, check->table_len))
		return 0;
	for (size_t i = 0; i < header->entries; i++) {
		if (vmdk_entry_raw(header, check->table, i) ==
		    vmdk_entry_raw(header, check->other, i))
			continue;
		if (!differ++)
			first = i;
	}
	check_corruption(check->report,
			 "grain table %" PRIu64 " and its redundant one differ "
			 "in %zu entries, first at guest offset %" PRIu64,
			 index, differ,
			 index * header->span + first * header->grain);
	return 0;
}

static int check_table(struct check *check, uint64_t index, struct err *err)
{
	const struct vmdk_header *header = check->header;
	uint64_t guest = index * header->span;

	memset(check->table, 0, check->table_len);
	if (check->places[index] &&
	    source_read_all(check->source, check->table, check->table_len,
			    check->places[index], "grain table", err))
		return -1;
	for (uint64_t i = 0; check->places[index] && i < header->entries &&
			     guest < header->size;
	     i++, guest += header->grain)
		if (check_entry(check, guest,
				check->table + i * header->entry_len, err))
			return -1;
	return check->redundant ? compare(check, index, err) : 0;
}

static int claim_fixed(struct check *check, struct err *err)
{
	const struct vmdk_header *header = check->header;

	if (claim(check, "header", 0, vmdk_header_len(header->kind), err) ||
	    claim(check, "descriptor", header->descriptor,
		  header->descriptor_len, err))
		return -1;
	return claim(check, "grain directory", header->gd,
		     header->gd_entries * header->entry_len, err);
}

/* Where the redundant directory is not sound, it is a finding, and that is
 * all: nothing is read by it. */
static int load_redundant(struct check *check, struct err *err)
{
	const struct vmdk_header *header = check->header;
	struct err found;

	if (!header->rgd)
		return 0;
	if (vmdk_header_check_gd(header, header->rgd,
				 "redundant grain directory",
				 check->source->size, &found)) {
		check_corruption(check->report, "%s", found.message);
		return 0;
	}
	if (claim(check, "redundant grain directory", header->rgd,
		  header->gd_entries * header->entry_len, err))
		return -1;
	check->redundant = load_tables(check, header->rgd,
				       "redundant grain table", err);
	return check->redundant ? 0 : -1;
}

/* What no grain or table uses: whole grains. A stream's markers and a COWD
 * directory's rest are smaller; the journal and the bitmaps of seSparse are
 * not known. */
static uint64_t leak_unit(const struct vmdk_header *header)
{
	switch (header->kind) {
	case VMDK_HOSTED:
		return header->compressed && !header->markers ? 0
							      : header->grain;
	case VMDK_COWD:
		return max_u64(header->grain, (uint64_t)64 * 1024);
	case VMDK_SESPARSE:
		break;
	}
	return 0;
}

static int check_all(struct check *check, struct err *err)
{
	const struct vmdk_header *header = check->header;

	if (claim_fixed(check, err))
		return -1;
	check->places = load_tables(check, header->gd, "grain table", err);
	if (!check->places || load_redundant(check, err))
		return -1;
	for (uint64_t i = 0; i < header->gd_entries; i++)
		if (check_table(check, i, err))
			return -1;
	usage_report(check->usage, check->report, leak_unit(header));
	return 0;
}

int vmdk_check_map(const struct vmdk_header *header, struct source *source,
		   bool decode, struct check_report *report, struct err *err)
{
	struct check check = {
		.header = header,
		.source = source,
		.report = report,
		.usage = usage_open(source->size),
		.map = { .header = *header, .source = source },
		.decode = decode,
		.table_len = (size_t)header->entries * header->entry_len,
	};
	int status;

	check.table = mem_buffer(check.table_len);
	check.other = mem_buffer(check.table_len);
	check.grain = mem_buffer(header->grain);
	if (header->compressed)
		check.map.packed = packed_open(source, "compressed grain",
					       VMDK_PACKED_MAX(header->grain),
					       header->grain);
	status = check_all(&check, err);
	vmdk_map_close(&check.map);
	usage_close(check.usage);
	free(check.places);
	free(check.redundant);
	free(check.table);
	free(check.other);
	free(check.grain);
	return status;
}
