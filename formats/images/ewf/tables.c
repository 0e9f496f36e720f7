/* SPDX-License-Identifier: MIT */
/* Owns the way from a chunk's number to its place. Tables are in memory while
 * they are used, as many as fit; what is in them is believed only after their
 * sum was right. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/ewf/ewf.h"

/* RFC 1950, 9: no more bytes than this before the sums must be reduced. */
#define ADLER_RUN 5552
#define ADLER_BASE 65521u

uint32_t ewf_adler(const unsigned char *bytes, size_t len)
{
	uint32_t a = 1, b = 0;

	while (len) {
		size_t run = len < ADLER_RUN ? len : ADLER_RUN;
		len -= run;
		for (; run; run--) {
			a += *bytes++;
			b += a;
		}
		a %= ADLER_BASE;
		b %= ADLER_BASE;
	}
	return b << 16 | a;
}

unsigned char *ewf_table_load(struct ewf_image *image,
			      const struct ewf_table *table, struct err *err)
{
	size_t len = (size_t)table->count * EWF_ENTRY_LEN;
	AUTO_FREE unsigned char *entries =
		mem_capped(table->count + 1u, EWF_ENTRY_LEN, LIMIT_TABLE_LEN,
			   "table", err);

	if (!entries ||
	    source_read_all(&image->segments.source, entries,
			    len + (table->summed ? EWF_SUM_LEN : 0),
			    table->entries, "table", err))
		return NULL;
	if (table->summed &&
	    bytes_le32(entries + len) != ewf_adler(entries, len)) {
		err_set(err, ERR_DAMAGED,
			"the table of chunks %" PRIu64 " to %" PRIu64
			" does not have its checksum", table->first,
			table->first + table->count - 1);
		return NULL;
	}
	return STEAL(entries);
}

static struct ewf_table *table_of(struct ewf_image *image, uint64_t number)
{
	unsigned low = 0, high = image->table_count;

	/* Ends: the interval halves. */
	while (high - low > 1) {
		unsigned middle = low + (high - low) / 2;
		if (image->table[middle].first <= number)
			low = middle;
		else
			high = middle;
	}
	return &image->table[low];
}

/* Make room by dropping the table that was not used for longest. Ends: each
 * turn drops one, and the one just loaded is the most recent. */
static void drop_old(struct ewf_image *image, const struct ewf_table *keep)
{
	while (image->held > image->memory) {
		struct ewf_table *oldest = NULL;
		for (unsigned i = 0; i < image->table_count; i++) {
			struct ewf_table *table = &image->table[i];
			if (table->loaded && table != keep &&
			    (!oldest || table->used < oldest->used))
				oldest = table;
		}
		if (!oldest)
			return;
		free(oldest->loaded);
		oldest->loaded = NULL;
		image->held -= (uint64_t)oldest->count * EWF_ENTRY_LEN;
	}
}

static int find_locked(struct ewf_image *image, uint64_t number,
		       struct ewf_chunk *out, struct err *err)
{
	struct ewf_table *table = table_of(image, number);
	size_t index = (size_t)(number - table->first);
	uint32_t entry;
	uint64_t end = table->to;

	if (!table->loaded) {
		table->loaded = ewf_table_load(image, table, err);
		if (!table->loaded)
			return -1;
		image->held += (uint64_t)table->count * EWF_ENTRY_LEN;
		drop_old(image, table);
	}
	table->used = ++image->clock;
	entry = bytes_le32(table->loaded + index * EWF_ENTRY_LEN);
	out->packed = image->smart || (entry & EWF_ENTRY_PACKED);
	out->place = table->base + (entry & ~EWF_ENTRY_PACKED);
	if (index + 1 < table->count) {
		entry = bytes_le32(table->loaded +
				   (index + 1) * EWF_ENTRY_LEN);
		end = table->base + (entry & ~EWF_ENTRY_PACKED);
	}
	if (out->place < table->from || end > table->to || out->place >= end)
		return err_set(err, ERR_DAMAGED,
			       "chunk %" PRIu64 " at %" PRIu64 " to %" PRIu64
			       " is not within %" PRIu64 " to %" PRIu64,
			       number, out->place, end, table->from,
			       table->to);
	out->room = end - out->place;
	return 0;
}

int ewf_tables_find(struct ewf_image *image, uint64_t number,
		    struct ewf_chunk *out, struct err *err)
{
	pthread_mutex_lock(&image->lock);
	int result = find_locked(image, number, out, err);
	pthread_mutex_unlock(&image->lock);
	return result;
}
