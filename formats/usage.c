/* SPDX-License-Identifier: MIT */
/* Owns the list of claims on a container's bytes, and finding out who
 * overlaps. Does not know any format. */
#include "formats/usage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"

struct claim {
	uint64_t offset, length;
	const char *what;
	bool shares;
};

struct usage {
	uint64_t file_size;
	struct claim *list;
	size_t count, room;
};

struct usage *usage_open(uint64_t file_size)
{
	struct usage *usage = mem_zalloc(sizeof *usage);

	usage->file_size = file_size;
	return usage;
}

static int by_offset(const void *a, const void *b)
{
	const struct claim *left = a, *right = b;

	if (left->offset != right->offset)
		return left->offset < right->offset ? -1 : 1;
	return (left->length > right->length) - (left->length < right->length);
}

/* Neighbours of one kind that touch become one; overlaps stay as they are. */
static void join(struct usage *usage)
{
	size_t kept = 0;

	/* Of nothing there is no list. */
	if (!usage->count)
		return;
	qsort(usage->list, usage->count, sizeof *usage->list, by_offset);
	for (size_t i = 1; i < usage->count; i++) {
		struct claim *last = &usage->list[kept];
		const struct claim *next = &usage->list[i];

		if (next->what == last->what && next->shares == last->shares &&
		    (next->offset == last->offset + last->length))
			last->length += next->length;
		else
			usage->list[++kept] = *next;
	}
	usage->count = kept + 1;
}

static int make_room(struct usage *usage, struct err *err)
{
	size_t most = USAGE_MEMORY / sizeof *usage->list;

	if (usage->count < usage->room)
		return 0;
	if (usage->room == most) {
		join(usage);
		/* Sorting again and again would take for ever. */
		return usage->count < most - most / 4
			       ? 0
			       : err_set(err, ERR_LIMIT,
					 "the image is in more than %zu "
					 "pieces, which is more than can be "
					 "checked", most);
	}
	usage->room = usage->room ? (size_t)min_u64(usage->room * 2, most)
				  : 64;
	usage->list = mem_resize(usage->list, usage->room,
				 sizeof *usage->list);
	return 0;
}

static int add(struct usage *usage, struct check_report *report,
	       struct claim claim, struct err *err)
{
	if (!claim.length)
		return 0;
	if (!checked_inside(claim.offset, claim.length, usage->file_size)) {
		check_corruption(report,
				 "%s at %" PRIu64 " (%" PRIu64 " bytes) lies "
				 "past the end of the file (%" PRIu64 ")",
				 claim.what, claim.offset, claim.length,
				 usage->file_size);
		return 0;
	}
	if (usage->count) {
		struct claim *last = &usage->list[usage->count - 1];

		if (last->what == claim.what && last->shares == claim.shares &&
		    last->offset + last->length == claim.offset) {
			last->length += claim.length;
			return 0;
		}
	}
	if (make_room(usage, err))
		return -1;
	usage->list[usage->count++] = claim;
	return 0;
}

int usage_claim(struct usage *usage, struct check_report *report,
		const char *what, uint64_t offset, uint64_t length,
		struct err *err)
{
	return add(usage, report, (struct claim){ offset, length, what, false },
		   err);
}

int usage_share(struct usage *usage, struct check_report *report,
		const char *what, uint64_t offset, uint64_t length,
		struct err *err)
{
	return add(usage, report, (struct claim){ offset, length, what, true },
		   err);
}

void usage_report(struct usage *usage, struct check_report *report,
		  uint64_t unit)
{
	uint64_t end = 0;		  /* all before it is settled */
	const struct claim *last = NULL; /* the one that reaches there */

	join(usage);
	for (size_t i = 0; i < usage->count; i++) {
		const struct claim *claim = &usage->list[i];

		if (claim->offset < end &&
		    !(claim->shares && last->shares &&
		      claim->what == last->what))
			check_corruption(report,
					 "%s at %" PRIu64 " overlaps %s at %"
					 PRIu64 " (%" PRIu64 " bytes)",
					 claim->what, claim->offset,
					 last->what, last->offset,
					 min_u64(end, claim->offset +
							      claim->length) -
						 claim->offset);
		if (unit && claim->offset > end &&
		    claim->offset - end >= unit)
			check_leak(report,
				   "%" PRIu64 " bytes at %" PRIu64
				   " are used by nothing",
				   claim->offset - end, end);
		if (claim->offset + claim->length > end) {
			end = claim->offset + claim->length;
			last = claim;
		}
	}
	if (unit && usage->file_size > end && usage->file_size - end >= unit)
		check_leak(report,
			   "%" PRIu64 " bytes at %" PRIu64
			   " are used by nothing",
			   usage->file_size - end, end);
}

struct usage *usage_close(struct usage *usage)
{
	if (usage) {
		free(usage->list);
		free(usage);
	}
	return NULL;
}
