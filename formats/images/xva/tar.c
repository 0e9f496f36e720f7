/* SPDX-License-Identifier: MIT */
/* Owns tar headers. Does not know what members are for. */
#include "formats/images/xva/tar.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "io/zero.h"

#define BLOCK 512u
#define EXTENDED_MAX ((uint64_t)65536) /* a path and some numbers */

#define ULL(x) ((unsigned long long)(x))

/* What extended headers say of the next member. */
struct extended {
	char name[TAR_NAME_LEN];
	bool has_size;
	uint64_t size;
};

/* Blanks, octal digits, then a blank or NUL; or, with the highest bit set, a
 * big-endian number. False: neither, or too large. */
static bool number(const unsigned char *p, size_t len, uint64_t *out)
{
	size_t i = 0;

	*out = 0;
	if (p[0] == 0x80) {
		for (i = 1; i < len; i++) {
			if (*out >> 56)
				return false;
			*out = *out << 8 | p[i];
		}
		return true;
	}
	while (i < len && p[i] == ' ')
		i++;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		*out = *out << 3 | (uint64_t)(p[i] - '0');
	return i == len || !p[i] || p[i] == ' ';
}

/* The sum of the header's bytes, its own field as blanks. */
static bool sum_is_right(const unsigned char *head)
{
	uint64_t wanted, found = 0;

	for (size_t i = 0; i < BLOCK; i++)
		found += i >= 148 && i < 156 ? ' ' : head[i];
	return number(head + 148, 8, &wanted) && wanted == found;
}

/* Behind the first block of zeros: only zeros, to the end. */
static int read_end(struct tar *tar, struct err *err)
{
	unsigned char *buf AUTO_FREE = mem_buffer(EXTENDED_MAX);
	size_t got;

	do {
		if (source_read(tar->source, buf, EXTENDED_MAX, tar->at, &got,
				err))
			return -1;
		if (got && !zero_is(buf, got))
			return err_set(err, ERR_DAMAGED,
				       "bytes follow the archive's end at "
				       "%llu",
				       ULL(tar->at));
		tar->at += got;
	} while (got);
	return 0;
}

/* 1 a header, 0 the end. */
static int read_head(struct tar *tar, unsigned char *head, struct err *err)
{
	size_t got;

	if (source_read(tar->source, head, BLOCK, tar->at, &got, err))
		return -1;
	if (got < BLOCK)
		return err_set(err, ERR_DAMAGED,
			       "the archive is cut short at %llu: its end "
			       "mark is missing",
			       ULL(tar->at + got));
	tar->at += BLOCK;
	if (zero_is(head, BLOCK))
		return read_end(tar, err);
	if (!sum_is_right(head))
		return err_set(err, ERR_DAMAGED,
			       "the tar header at %llu has a wrong checksum",
			       ULL(tar->at - BLOCK));
	return 1;
}

/* Records "LENGTH KEY=VALUE\n". Ends: each is 5 bytes at least. */
static bool parse_pax(const char *p, size_t len, struct extended *out)
{
	while (len) {
		char *end;
		unsigned long record = strtoul(p, &end, 10);
		size_t digits = (size_t)(end - p);

		if (record < 5 || record > len || *end != ' ' ||
		    digits + 3 > record || p[record - 1] != '\n')
			return false;

		const char *value = end + 1;
		size_t left = record - digits - 2;

		if (left > 5 && !memcmp(value, "path=", 5)) {
			if (left - 5 >= sizeof out->name)
				return false;
			memcpy(out->name, value + 5, left - 5);
			out->name[left - 5] = '\0';
		} else if (left > 5 && !memcmp(value, "size=", 5)) {
			out->size = strtoull(value + 5, NULL, 10);
			out->has_size = true;
		}
		p += record;
		len -= record;
	}
	return true;
}

static int read_extended(struct tar *tar, char type, uint64_t size,
			 struct extended *out, struct err *err)
{
	char *text AUTO_FREE = NULL;
	bool good = true;

	/* One more for the NUL that strtoul stops at. */
	text = mem_capped(size + 1, 1, EXTENDED_MAX, "an extended header", err);
	if (!text || source_read_all(tar->source, text, size, tar->at,
				     "extended header", err))
		return -1;
	if (type == 'x')
		good = parse_pax(text, size, out);
	else if ((good = strlen(text) < sizeof out->name))
		memcpy(out->name, text, strlen(text) + 1);
	if (!good)
		return err_set(err, ERR_DAMAGED,
			       "the extended tar header at %llu is not right",
			       ULL(tar->at));
	return 0;
}

static void take_name(const unsigned char *head, const struct extended *more,
		      char *out)
{
	size_t prefix = strnlen((const char *)head + 345, 155);
	size_t name = strnlen((const char *)head, 100);

	if (*more->name) {
		memcpy(out, more->name, sizeof more->name);
		return;
	}
	if (memcmp(head + 257, "ustar", 6))
		prefix = 0; /* GNU has other things there */
	memcpy(out, head + 345, prefix);
	if (prefix)
		out[prefix++] = '/';
	memcpy(out + prefix, head, name);
	out[prefix + name] = '\0';
}

static int check_place(const struct tar *tar, uint64_t size, uint64_t *end,
		       struct err *err)
{
	const struct source *source = tar->source;

	if (!checked_round_up(size, BLOCK, end) ||
	    !checked_add(*end, tar->at, end) ||
	    (source->size_known && *end > source->size))
		return err_set(err, ERR_DAMAGED,
			       "a member of %llu bytes at %llu lies past the "
			       "end of the file",
			       ULL(size), ULL(tar->at));
	return 0;
}

/* Ends: each header moves on through the file. */
int tar_next(struct tar *tar, struct tar_member *out, struct err *err)
{
	struct extended more = { .size = 0 };
	unsigned char head[BLOCK];
	uint64_t size, end;
	int got;

	while ((got = read_head(tar, head, err)) > 0) {
		char type = (char)head[156];
		bool about_next = type && strchr("xgLK", type);

		if (!number(head + 124, 12, &size))
			return err_set(err, ERR_DAMAGED,
				       "the tar header at %llu has no size",
				       ULL(tar->at - BLOCK));
		if (type == 'S')
			return err_set(err, ERR_UNSUPPORTED,
				       "a sparse member at %llu",
				       ULL(tar->at - BLOCK));
		if (more.has_size && !about_next)
			size = more.size;
		/* Links, folders and devices have no data, whatever they
		 * say. */
		if (type >= '1' && type <= '6')
			size = 0;
		if (check_place(tar, size, &end, err))
			return -1;
		if ((type == 'x' || type == 'L') &&
		    read_extended(tar, type, size, &more, err))
			return -1;
		out->place = tar->at;
		tar->at = end;
		if (about_next)
			continue;
		take_name(head, &more, out->name);
		out->size = size;
		out->file = !type || type == '0' || type == '7';
		return 1;
	}
	return got;
}
