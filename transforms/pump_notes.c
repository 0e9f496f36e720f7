/* SPDX-License-Identifier: MIT */
/* Owns slots as records of a journal, and their order there. Does not know
 * when the journal is written, nor who does what a slot says. */
#include "transforms/pump_notes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"

#define FIXED_LEN 24
#define RUN_LEN 8
#define DATA_BIT ((uint32_t)1 << 31)

enum note_state { NOTE_NONE, NOTE_PLACED, NOTE_STORED };

struct note {
	enum note_state state;
	bool recorded; /* it is in the journal already */
	unsigned char *record;
	size_t len, room;
	uint64_t progress;
};

struct pump_notes {
	struct journal *journal;
	bool replayed; /* all that was there */
	pthread_mutex_t lock; /* of what follows */
	struct note *note; /* of slot number n: note[n % count] */
	unsigned count;
	uint64_t first; /* not in the journal yet */
};

struct pump_notes *pump_notes_open(struct journal *journal, unsigned slots)
{
	struct pump_notes *notes;

	if (!journal)
		return NULL;
	notes = mem_zalloc(sizeof *notes);
	notes->journal = journal;
	notes->count = slots;
	notes->note = mem_zalloc(slots * sizeof *notes->note);
	pthread_mutex_init(&notes->lock, NULL);
	return notes;
}

struct pump_notes *pump_notes_close(struct pump_notes *notes)
{
	if (!notes)
		return NULL;
	for (unsigned i = 0; i < notes->count; i++)
		free(notes->note[i].record);
	pthread_mutex_destroy(&notes->lock);
	free(notes->note);
	free(notes);
	return NULL;
}

/* ---- reading ---- */

int pump_notes_misfit(uint64_t offset, struct err *err)
{
	return err_set(err, ERR_DAMAGED,
		       "what an earlier run noted of guest offset %llu does "
		       "not fit, and was removed; run it again",
		       (unsigned long long)offset);
}

int pump_notes_next(struct pump_notes *notes, struct pump_record *out,
		    struct err *err)
{
	const unsigned char *payload;
	size_t len;
	int got;

	if (!notes || notes->replayed)
		return 0;
	got = journal_next(notes->journal, &payload, &len, err);
	if (got <= 0) {
		notes->replayed = true;
		return got;
	}
	if (len < FIXED_LEN || payload[0] > SLOT_CLONE)
		return pump_notes_misfit(0, err);
	out->kind = (enum slot_kind)payload[0];
	out->range = payload[1] == EXTENT_HOLE ? EXTENT_HOLE : EXTENT_ZERO;
	out->runs = bytes_le32(payload + 4);
	out->offset = bytes_le64(payload + 8);
	out->length = bytes_le64(payload + 16);
	out->run = payload + FIXED_LEN;
	if (!out->length || out->runs > (len - FIXED_LEN) / RUN_LEN)
		return pump_notes_misfit(out->offset, err);
	return 1;
}

int pump_notes_granules(const struct pump_record *record, struct unit *unit,
			struct err *err)
{
	size_t filled = 0;

	for (uint32_t i = 0; i < record->runs; i++) {
		const unsigned char *run = record->run + (size_t)i * RUN_LEN;
		uint32_t count = bytes_le32(run), is = bytes_le32(run + 4);
		struct granule granule = {
			.kind = is & DATA_BIT ? EXTENT_DATA : EXTENT_ZERO,
			.coded_len = is & ~DATA_BIT,
		};

		if (count > unit->granule_count - filled ||
		    granule.coded_len > unit->room)
			return pump_notes_misfit(unit->offset, err);
		for (; count; count--)
			unit->granules[filled++] = granule;
	}
	return filled == unit->granule_count
		       ? 0
		       : pump_notes_misfit(unit->offset, err);
}

/* ---- noting ---- */

static uint32_t what_is(const struct granule *granule)
{
	return granule->kind == EXTENT_DATA ? DATA_BIT | granule->coded_len
					    : 0;
}

/* Runs of equal granules; their number. */
static uint32_t put_runs(const struct unit *unit, unsigned char *out)
{
	uint32_t runs = 0, count;

	/* Ends: a run is a granule or more. */
	for (size_t i = 0; i < unit->granule_count; i += count, runs++) {
		uint32_t is = what_is(&unit->granules[i]);

		count = 1;
		while (i + count < unit->granule_count &&
		       what_is(&unit->granules[i + count]) == is)
			count++;
		bytes_put_le32(out + (size_t)runs * RUN_LEN, count);
		bytes_put_le32(out + (size_t)runs * RUN_LEN + 4, is);
	}
	return runs;
}

static void describe(struct note *note, const struct pump_slot *slot)
{
	size_t room = FIXED_LEN + slot->unit.granule_count * RUN_LEN;
	uint32_t runs = 0;

	if (room > note->room) {
		note->record = mem_resize(note->record, room, 1);
		note->room = room;
	}
	memset(note->record, 0, FIXED_LEN);
	if (slot->kind == SLOT_UNIT)
		runs = put_runs(&slot->unit, note->record + FIXED_LEN);
	note->record[0] = (unsigned char)slot->kind;
	note->record[1] = (unsigned char)slot->range;
	bytes_put_le32(note->record + 4, runs);
	bytes_put_le64(note->record + 8, slot->offset);
	bytes_put_le64(note->record + 16, slot->length);
	note->len = FIXED_LEN + (size_t)runs * RUN_LEN;
	note->progress = slot->length;
}

void pump_notes_placed(struct pump_notes *notes, uint64_t turn,
		       const struct pump_slot *slot)
{
	struct note *note;

	if (!notes)
		return;
	note = &notes->note[turn % notes->count];
	/* Nobody else looks at it before it is stored. */
	note->recorded = slot->recorded;
	if (!slot->recorded)
		describe(note, slot);
	pthread_mutex_lock(&notes->lock);
	note->state = NOTE_PLACED;
	pthread_mutex_unlock(&notes->lock);
}

/* All that is stored without a gap, with the lock held. */
static int add_stored(struct pump_notes *notes, struct err *err)
{
	struct note *note = &notes->note[notes->first % notes->count];

	/* Ends: there are `count` notes, each of which is taken once. */
	while (note->state == NOTE_STORED) {
		if (!note->recorded &&
		    journal_add(notes->journal, note->record, note->len,
				note->progress, err) < 0)
			return -1;
		note->state = NOTE_NONE;
		note = &notes->note[++notes->first % notes->count];
	}
	return 0;
}

int pump_notes_stored(struct pump_notes *notes, uint64_t turn,
		      struct err *err)
{
	int result;

	if (!notes)
		return 0;
	pthread_mutex_lock(&notes->lock);
	notes->note[turn % notes->count].state = NOTE_STORED;
	result = add_stored(notes, err);
	pthread_mutex_unlock(&notes->lock);
	/* Without the lock: the others go on meanwhile. */
	return result < 0 ? -1 : journal_turn(notes->journal, err);
}
