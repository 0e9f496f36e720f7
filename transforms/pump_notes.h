/* SPDX-License-Identifier: MIT */
/*
 * What the pump notes in a journal (io/journal.h): one record for each slot
 * that is placed and stored, in the order of placing, with all that `place`
 * was told of it. Whoever has these records can place the same slots again
 * without their bytes, and the writer is where it was. Included by the pump's
 * own files alone.
 *
 *   0 kind (enum slot_kind)   1 range (enum extent_kind)   2 zero
 *   4 number of runs   8 offset   16 length
 *   24 runs of granules: count, and what each is: bit 31 data, below it the
 *      length of its code
 */
#ifndef TRANSFORMS_PUMP_NOTES_H
#define TRANSFORMS_PUMP_NOTES_H

#include "io/journal.h"
#include "transforms/pump_slot.h"

/* One record; `run` is borrowed from the journal. */
struct pump_record {
	enum slot_kind kind;
	enum extent_kind range;
	uint64_t offset, length;
	uint32_t runs;
	const unsigned char *run;
};

struct pump_notes;

/* `journal` is borrowed; NULL: nothing is noted, and the result is NULL. At
 * most `slots` are placed and not stored at a time. */
struct pump_notes *pump_notes_open(struct journal *journal, unsigned slots);
/* Accepts NULL, returns NULL. */
struct pump_notes *pump_notes_close(struct pump_notes *notes);

/* What an earlier run did next: 1, until the next call; 0: it did not come
 * farther; -1. From one thread at a time. */
int pump_notes_next(struct pump_notes *notes, struct pump_record *out,
		    struct err *err);
/* The record is not of this input; -1. */
int pump_notes_misfit(uint64_t offset, struct err *err);
/* The granules of a unit, whose length is set, are those of the record. */
int pump_notes_granules(const struct pump_record *record, struct unit *unit,
			struct err *err);

/* Slot number `turn` was placed: one thread at a time, in ascending order. */
void pump_notes_placed(struct pump_notes *notes, uint64_t turn,
		       const struct pump_slot *slot);
/* ... and stored: from any thread. May make a checkpoint. */
int pump_notes_stored(struct pump_notes *notes, uint64_t turn,
		      struct err *err);

#endif
