/* SPDX-License-Identifier: MIT */
/* Looking without converting: a format's facts, the map of extents, a check
 * of consistency, a comparison. In a worker; prints nothing. */
#ifndef TRANSFORMS_INSPECT_H
#define TRANSFORMS_INSPECT_H

#include "base/log.h"
#include "formats/images/driver.h"
#include "transforms/protocol.h"
#include "transforms/tagging.h"

/* One image, its layers taken off. */
struct inspected {
	struct source *source; /* the file; borrowed */
	const struct image *image;
	const struct protocol_input *about;
	struct references *references;
	struct log *log;
	const struct expectations *expect; /* NULL: none; for inspect_check */
	int spool_fd; /* for layers that cannot be read at random; or -1 */
	/* Made by inspect_open, released by inspect_close. */
	struct source *stack[TAGGING_STACK];
	unsigned depth;
	struct disk *disk;
};

/* The guest, to be read or (metadata_only) looked at. */
int inspect_open(struct inspected *image, bool metadata_only,
		 struct err *err);
void inspect_close(struct inspected *image);

/* `emit` gets extents in batches. */
int inspect_map(struct inspected *image,
		void (*emit)(void *opaque, const struct protocol_extent *list,
			     unsigned count),
		void *opaque, struct err *err);

/* Facts; without opening when the layers would have to be unpacked. */
int inspect_info(struct inspected *image, struct facts *facts,
		 struct err *err);

/* First that its bytes have the digests expected, then what is in them. */
int inspect_check(struct inspected *image, struct check_report *report,
		  struct err *err);

/* Guest content equal? Beyond the end of the shorter one, zeros are. */
int inspect_compare(struct inspected *a, struct inspected *b,
		    struct protocol_done *done,
		    void (*progress)(void *opaque, uint64_t done,
				     uint64_t total),
		    void *opaque, struct err *err);

#endif
