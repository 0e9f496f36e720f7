/* SPDX-License-Identifier: MIT */
/*
 * Owns the snapshot table: reading its entries of varying length and finding
 * one. Does not look into the snapshots' own tables.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow2/qcow2.h"

/* An entry: fixed fields, extra data, id, name, padding to 8. */
#define FIXED_LEN 40
#define ID_LEN_AT 12
#define NAME_LEN_AT 14
#define SECONDS_AT 16
#define EXTRA_LEN_AT 36
#define EXTRA_MAX 1024 /* what version 3 defines are 24 bytes */
#define EXTRA_SIZE_AT 8

static char *text(const unsigned char *bytes, size_t len)
{
	char *copy = mem_zalloc(len + 1);

	memcpy(copy, bytes, len);
	return copy;
}

/* Reads the entry at `offset`; *len becomes its length with padding. */
static int read_entry(struct source *source, const struct qcow2_header *header,
		      uint64_t offset, struct qcow2_snapshot *out,
		      uint64_t *len, struct err *err)
{
	unsigned char fixed[FIXED_LEN], *extra;
	AUTO_FREE unsigned char *rest = NULL;
	uint32_t extra_len, id_len, name_len;

	if (source_read_all(source, fixed, sizeof fixed, offset,
			    "snapshot table", err))
		return -1;
	id_len = bytes_be16(fixed + ID_LEN_AT);
	name_len = bytes_be16(fixed + NAME_LEN_AT);
	extra_len = bytes_be32(fixed + EXTRA_LEN_AT);
	if (extra_len > EXTRA_MAX)
		return err_set(err, ERR_DAMAGED,
			       "extra_data_size %u is out of range (0..%d)",
			       extra_len, EXTRA_MAX);
	rest = mem_zalloc((size_t)extra_len + id_len + name_len + 1);
	if (source_read_all(source, rest, (size_t)extra_len + id_len + name_len,
			    offset + FIXED_LEN, "snapshot table", err))
		return -1;
	out->l1_offset = bytes_be64(fixed);
	out->l1_entries = bytes_be32(fixed + 8);
	out->seconds = bytes_be32(fixed + SECONDS_AT);
	out->size = header->size;
	extra = rest;
	if (extra_len >= EXTRA_SIZE_AT + 8)
		out->size = bytes_be64(extra + EXTRA_SIZE_AT);
	out->id = text(rest + extra_len, id_len);
	out->name = text(rest + extra_len + id_len, name_len);
	*len = round_up((uint64_t)FIXED_LEN + extra_len + id_len + name_len, 8);
	return 0;
}

/* The header's count, checked against its ceiling, ends the loop. */
int qcow2_snapshots_read(struct source *source,
			 const struct qcow2_header *header,
			 struct qcow2_snapshots *out, struct err *err)
{
	uint64_t offset = header->snapshots_offset, len = 0;

	memset(out, 0, sizeof *out);
	if (!header->snapshot_count)
		return 0;
	out->list = mem_capped(header->snapshot_count, sizeof *out->list,
			       LIMIT_TABLE_LEN, "snapshot table", err);
	if (!out->list)
		return -1;
	while (out->count < header->snapshot_count) {
		if (read_entry(source, header, offset, &out->list[out->count],
			       &len, err)) {
			err_in(err, "snapshot %zu", out->count);
			qcow2_snapshots_clear(out);
			return -1;
		}
		out->count++;
		offset += len;
		out->table_len += len;
		if (out->table_len > LIMIT_TABLE_LEN) {
			qcow2_snapshots_clear(out);
			return err_set(err, ERR_LIMIT,
				       "snapshot table is larger than allowed "
				       "(%zu)",
				       LIMIT_TABLE_LEN);
		}
	}
	return 0;
}

void qcow2_snapshots_clear(struct qcow2_snapshots *snapshots)
{
	for (size_t i = 0; i < snapshots->count; i++) {
		free(snapshots->list[i].id);
		free(snapshots->list[i].name);
	}
	free(snapshots->list);
	memset(snapshots, 0, sizeof *snapshots);
}

static void list_names(const struct qcow2_snapshots *snapshots, char *out,
		       size_t room)
{
	size_t used = 0;

	out[0] = 0;
	for (size_t i = 0; i < snapshots->count; i++) {
		const struct qcow2_snapshot *one = &snapshots->list[i];

		if (used + strlen(one->id) + strlen(one->name) + 8 > room)
			break;
		used += (size_t)snprintf(out + used, room - used, "%s%s (%s)",
					 used ? ", " : "", one->name, one->id);
	}
}

const struct qcow2_snapshot *
qcow2_snapshots_find(const struct qcow2_snapshots *snapshots,
		     const char *wanted, struct err *err)
{
	char names[600];

	for (size_t i = 0; i < snapshots->count; i++)
		if (!strcmp(snapshots->list[i].id, wanted))
			return &snapshots->list[i];
	for (size_t i = 0; i < snapshots->count; i++)
		if (!strcmp(snapshots->list[i].name, wanted))
			return &snapshots->list[i];
	list_names(snapshots, names, sizeof names);
	if (snapshots->count)
		err_set(err, ERR_USAGE,
			"there is no snapshot %s (there are: %s)", wanted,
			names);
	else
		err_set(err, ERR_USAGE,
			"there is no snapshot %s (the image has none)", wanted);
	return NULL;
}
