/* SPDX-License-Identifier: MIT */
/*
 * What tests of writers share: a guest whose content follows from a number,
 * and the smallest loop that writes it the way the pump does (scan, encode,
 * place; stores in any order when the sink seeks).
 */
#ifndef TESTS_MAKE_IMAGE_H
#define TESTS_MAKE_IMAGE_H

#include <stdbool.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/driver.h"
#include "io/files.h"
#include "io/zero.h"

#define GUEST_LIVE 4

struct guest {
	uint64_t size;
	unsigned seed;
	uint64_t group; /* bytes that are of one kind; a power of two */
	/* If any is given, all else is zero. */
	struct {
		uint64_t offset, length;
	} live[GUEST_LIVE];
};

/* Modulo 2^64. */
WRAPS static inline uint64_t guest_hash(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

static inline bool guest_is_live(const struct guest *guest, uint64_t offset)
{
	for (unsigned i = 0; i < GUEST_LIVE; i++)
		if (offset >= guest->live[i].offset &&
		    offset - guest->live[i].offset < guest->live[i].length)
			return true;
	return !guest->live[0].length;
}

/* One byte of a group that is of one kind: zero, random, or lines of text. */
static inline unsigned char guest_byte(uint64_t kind, uint64_t at)
{
	if (kind < 3)
		return 0;
	if (kind < 5)
		return (unsigned char)(guest_hash(at / 8 + kind) >> at % 8 * 8);
	return (unsigned char)"lines of text, again\n"[(at + kind * (at >> 9)) %
						       21];
}

static inline void guest_fill(const struct guest *guest, uint64_t offset,
			      unsigned char *buf, size_t len)
{
	uint64_t end = min_u64(offset + len, max_u64(offset, guest->size));

	memset(buf, 0, len);
	for (uint64_t at = offset; at < end;) {
		uint64_t group = at / guest->group;
		uint64_t kind = guest_hash(group * 64 + guest->seed) % 8;
		uint64_t stop = min_u64(end, (group + 1) * guest->group);

		if (!guest_is_live(guest, at))
			kind = 0;
		for (; kind >= 3 && at < stop; at++)
			buf[at - offset] = guest_byte(kind, at);
		at = stop;
	}
}

/* Zero for sure, told cheaply. */
static inline bool guest_is_dead(const struct guest *guest, uint64_t offset,
				 uint64_t length)
{
	for (unsigned i = 0; i < GUEST_LIVE; i++)
		if (guest->live[i].offset < offset + length &&
		    guest->live[i].offset + guest->live[i].length > offset)
			return false;
	return guest->live[0].length;
}

/* Where the dead range ends that `at` lies in, in whole units. */
static inline uint64_t guest_dead_end(const struct guest *guest, uint64_t at,
				      uint64_t to, size_t unit_len)
{
	for (unsigned i = 0; i < GUEST_LIVE; i++)
		if (guest->live[i].length && guest->live[i].offset > at)
			to = min_u64(to, round_down(guest->live[i].offset,
						    unit_len));
	return to;
}

struct making {
	const struct guest *guest;
	bool shuffle;	     /* store units of a batch backwards */
	bool zeros_as_units; /* zero units come as units, not as ranges */
	bool head_last;	     /* the first unit after all others */
};

#define MAKING_BATCH 5

static inline int make_store(struct unit *units, unsigned count, bool shuffle,
			     struct err *err)
{
	int failed = 0;

	for (unsigned i = 0; i < count; i++) {
		struct unit *unit = &units[shuffle ? count - 1 - i : i];

		if (!failed && writer_store(unit, err))
			failed = -1;
		unit_reset(unit);
	}
	return failed;
}

/* Read and scan one unit; true when it is all zero. */
static inline bool make_scan(const struct guest *guest, struct writer *writer,
			     struct unit *unit, uint64_t offset)
{
	size_t granule = writer->granule;
	bool zero = true;

	unit->offset = offset;
	unit->len = min_u64(writer->unit_len, guest->size - offset);
	unit->granule_count = div_up(unit->len, granule);
	guest_fill(guest, offset, unit->data, unit->granule_count * granule);
	for (size_t i = 0; i < unit->granule_count; i++) {
		bool is = zero_is(unit->data + i * granule, granule);

		unit->granules[i].kind = is ? EXTENT_ZERO : EXTENT_DATA;
		zero &= is;
	}
	return zero;
}

static inline int make_unit(const struct making *making, struct writer *writer,
			    void *context, struct unit *unit, uint64_t offset,
			    struct err *err)
{
	if (make_scan(making->guest, writer, unit, offset) &&
	    !making->zeros_as_units)
		return writer_zero(writer, offset, unit->len,
				   offset % 3 ? EXTENT_ZERO : EXTENT_HOLE, err);
	if (writer_encode(writer, context, unit, err))
		return -1;
	return writer_place(writer, unit, err);
}

/* From `from` to `to`, in batches. */
static inline int make_range(const struct making *making, struct writer *writer,
			     void *context, uint64_t from, uint64_t to,
			     struct err *err)
{
	struct unit units[MAKING_BATCH];
	unsigned used = 0;
	int failed = 0;

	for (unsigned i = 0; i < MAKING_BATCH; i++)
		unit_init(&units[i], writer);
	for (uint64_t at = from; at < to && !failed;) {
		uint64_t end = min_u64(to, at + writer->unit_len);

		if (guest_is_dead(making->guest, at, end - at) &&
		    !making->zeros_as_units) {
			end = guest_dead_end(making->guest, at, to,
					     writer->unit_len);
			failed = writer_zero(writer, at, end - at, EXTENT_HOLE,
					     err);
		} else {
			failed = make_unit(making, writer, context,
					   &units[used], at, err);
			used++;
		}
		at = end;
		if (used == MAKING_BATCH || failed || at >= to) {
			if (make_store(units, failed ? 0 : used,
				       making->shuffle, err))
				failed = -1;
			used = 0;
		}
	}
	for (unsigned i = 0; i < MAKING_BATCH; i++)
		unit_free(&units[i]);
	return failed;
}

static inline int make_image(const struct making *making, struct writer *writer,
			     struct err *err)
{
	uint64_t size = making->guest->size;
	uint64_t head = making->head_last && writer->head_last
				? min_u64(size, writer->unit_len)
				: 0;
	void *context = writer_context_open(writer, err);
	int failed = context ? 0 : -1;

	if (!failed)
		failed = make_range(making, writer, context, head, size, err);
	if (!failed)
		failed = make_range(making, writer, context, 0, head, err);
	writer_context_close(writer, context);
	if (failed)
		return -1;
	return writer_finish(writer, round_up(size, 512), err);
}

/* "cluster_size=4K,compat=0.10" */
static inline void make_options(struct create_options *options,
				const char *text)
{
	memset(options, 0, sizeof *options);
	while (*text) {
		unsigned i = options->option_count++;
		size_t name = strcspn(text, "="), value;

		memcpy(options->option[i].name, text, name);
		text += name + 1;
		value = strcspn(text, ",");
		memcpy(options->option[i].value, text, value);
		text += value + (text[value] == ',');
	}
}

/* What a survey by content finds. */
static inline int make_survey(const struct guest *guest, uint32_t granule,
			      struct survey *survey, struct err *err)
{
	unsigned char *buf AUTO_FREE = mem_zalloc(granule);

	if (survey_init(survey, guest->size, granule, err))
		return -1;
	for (uint64_t at = 0; at < guest->size; at += granule) {
		if (guest_is_dead(guest, at, granule))
			continue;
		guest_fill(guest, at, buf, granule);
		if (!zero_is(buf, granule))
			survey_mark(survey, at / granule);
	}
	return 0;
}

#endif
