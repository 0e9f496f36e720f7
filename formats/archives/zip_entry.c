/* SPDX-License-Identifier: MIT */
/*
 * Owns the look at
 *
 *   members | central directory | zip64 end, its locator | end, comment
 *
 * Whatever is odd counts as not found; the member is then read in order, by
 * libarchive, which says what is wrong.
 */
#include "formats/archives/zip_entry.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/archives/archive.h"

#define END_LEN 22u
#define COMMENT_MOST 65535u
#define LOCATOR_LEN 20u
#define END64_LEN 56u
#define ENTRY_LEN 46u
#define LOCAL_LEN 30u

struct directory {
	struct source *source;
	uint64_t offset, len, entries;
};

struct entry {
	uint16_t flags, method;
	uint32_t crc;
	uint64_t packed, size, local;
	uint64_t next; /* bytes from this entry to the next one */
};

/* All of [offset, offset + len)? *all false: they lie past the end. */
static int fetch(struct source *source, void *buf, size_t len, uint64_t offset,
		 bool *all, struct err *err)
{
	size_t got;

	*all = false;
	if (!checked_inside(offset, len, source->size))
		return 0;
	if (source_read(source, buf, len, offset, &got, err) < 0)
		return -1;
	*all = got == len;
	return 0;
}

/* The numbers of the small end that do not fit are in the big one. */
static int find_directory64(struct directory *directory, uint64_t end,
			    bool *found, struct err *err)
{
	unsigned char locator[LOCATOR_LEN], end64[END64_LEN];

	*found = true;
	if (directory->offset != UINT32_MAX && directory->len != UINT32_MAX &&
	    directory->entries != UINT16_MAX)
		return 0;
	*found = false;
	if (end < LOCATOR_LEN)
		return 0;
	if (fetch(directory->source, locator, sizeof locator,
		  end - LOCATOR_LEN, found, err) < 0)
		return -1;
	if (!*found || memcmp(locator, "PK\6\7", 4)) {
		/* So many by chance. */
		*found = true;
		return 0;
	}
	if (fetch(directory->source, end64, sizeof end64,
		  bytes_le64(locator + 8), found, err) < 0)
		return -1;
	*found = *found && !memcmp(end64, "PK\6\6", 4);
	directory->entries = bytes_le64(end64 + 32);
	directory->len = bytes_le64(end64 + 40);
	directory->offset = bytes_le64(end64 + 48);
	return 0;
}

static int find_directory(struct directory *directory, bool *found,
			  struct err *err)
{
	struct source *source = directory->source;
	size_t len = (size_t)min_u64(END_LEN + COMMENT_MOST, source->size);
	AUTO_FREE unsigned char *tail = mem_buffer(len ? len : 1);
	uint64_t base = source->size - len;
	const unsigned char *p;

	if (fetch(source, tail, len, base, found, err) < 0)
		return -1;
	if (!*found || len < END_LEN) {
		*found = false;
		return 0;
	}
	/* The last one whose comment is all there; more may follow it. Ends: p
	 * goes down to the buffer's start. */
	for (p = tail + len - END_LEN;; p--) {
		if (!memcmp(p, "PK\5\6", 4) &&
		    bytes_le16(p + 20) <= (size_t)(tail + len - p) - END_LEN)
			break;
		if (p == tail) {
			*found = false;
			return 0;
		}
	}
	directory->entries = bytes_le16(p + 10);
	directory->len = bytes_le32(p + 12);
	directory->offset = bytes_le32(p + 16);
	return find_directory64(directory, base + (uint64_t)(p - tail), found,
				err);
}

int zip_entry_table(struct source *source, struct err *err)
{
	struct directory directory = { .source = source };
	bool found;

	if (find_directory(&directory, &found, err) < 0)
		return -1;
	if (found && checked_inside(directory.offset, directory.len,
				    source->size))
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "has no table of its members at its end: it is cut");
}

/* 64-bit numbers stand in field 1, each only where its place is full. */
static void take_big(const unsigned char *extra, size_t len,
		     struct entry *entry)
{
	uint64_t *const numbers[] = { &entry->size, &entry->packed,
				      &entry->local };

	/* Ends: each turn takes 4 bytes or more. */
	while (len >= 4) {
		size_t field = bytes_le16(extra + 2);

		if (field > len - 4)
			return;
		if (bytes_le16(extra) == 1) {
			const unsigned char *p = extra + 4;
			for (unsigned i = 0; i < 3; i++) {
				if (*numbers[i] != UINT32_MAX)
					continue;
				if ((size_t)(extra + 4 + field - p) < 8)
					return;
				*numbers[i] = bytes_le64(p);
				p += 8;
			}
			return;
		}
		extra += 4 + field;
		len -= 4 + field;
	}
}

static int read_entry(struct source *source, uint64_t at, struct entry *entry,
		      bool *found, struct err *err)
{
	AUTO_FREE unsigned char *extra = NULL;
	unsigned char bytes[ENTRY_LEN];
	size_t name_len, extra_len;

	if (fetch(source, bytes, sizeof bytes, at, found, err) < 0)
		return -1;
	if (!*found || memcmp(bytes, "PK\1\2", 4)) {
		*found = false;
		return 0;
	}
	name_len = bytes_le16(bytes + 28);
	extra_len = bytes_le16(bytes + 30);
	*entry = (struct entry){
		.flags = bytes_le16(bytes + 8),
		.method = bytes_le16(bytes + 10),
		.crc = bytes_le32(bytes + 16),
		.packed = bytes_le32(bytes + 20),
		.size = bytes_le32(bytes + 24),
		.local = bytes_le32(bytes + 42),
		.next = ENTRY_LEN + name_len + extra_len +
			bytes_le16(bytes + 32),
	};
	if (!extra_len)
		return 0;
	extra = mem_buffer(extra_len);
	if (fetch(source, extra, extra_len, at + ENTRY_LEN + name_len, found,
		  err) < 0)
		return -1;
	if (*found)
		take_big(extra, extra_len, entry);
	return 0;
}

/* Do the bytes behind the entry's own header begin at `offset`? */
static int begins_at(struct source *source, const struct entry *entry,
		     uint64_t offset, bool *found, struct err *err)
{
	unsigned char local[LOCAL_LEN];

	*found = false;
	/* Name and extra fields are 131070 bytes at most. */
	if (entry->local > offset || offset - entry->local < LOCAL_LEN ||
	    offset - entry->local > LOCAL_LEN + 2 * UINT16_MAX)
		return 0;
	if (fetch(source, local, sizeof local, entry->local, found, err) < 0)
		return -1;
	*found = *found && !memcmp(local, "PK\3\4", 4) &&
		 bytes_le16(local + 8) == 0 && !(bytes_le16(local + 6) & 1) &&
		 entry->local + LOCAL_LEN + bytes_le16(local + 26) +
				 bytes_le16(local + 28) == offset;
	return 0;
}

int zip_entry_stored(struct source *source, uint64_t offset, uint64_t size,
		     bool *found, uint32_t *crc, struct err *err)
{
	struct directory directory = { .source = source };
	uint64_t at, count;

	if (find_directory(&directory, found, err) < 0)
		return -1;
	if (!*found)
		return 0;
	at = directory.offset;
	count = min_u64(directory.entries, LIMIT_MEMBERS);
	/* Ends after so many entries. */
	for (; count; count--) {
		struct entry entry;

		if (read_entry(source, at, &entry, found, err) < 0)
			return -1;
		if (!*found)
			return 0;
		at += entry.next;
		if (begins_at(source, &entry, offset, found, err) < 0)
			return -1;
		if (!*found)
			continue;
		*crc = entry.crc;
		*found = !entry.method && !(entry.flags & 0x41) &&
			 entry.packed == size && entry.size == size;
		return 0;
	}
	*found = false;
	return 0;
}
