/* SPDX-License-Identifier: MIT */
/* The pump's inside: what one slot of its ring holds, and the four things
 * done with it. Included by the pump's own files alone. */
#ifndef TRANSFORMS_PUMP_SLOT_H
#define TRANSFORMS_PUMP_SLOT_H

#include "base/limits.h"
#include "formats/codecs/codec.h"
#include "transforms/mapped.h"
#include "transforms/pump.h"

enum slot_kind {
	SLOT_UNIT,  /* bytes: unit */
	SLOT_RANGE, /* [offset, offset + length) of kind, no bytes */
	SLOT_CLONE  /* plain bytes at `from`, to be shared */
};

struct pump_slot {
	enum slot_kind kind;
	uint64_t offset, length; /* guest bytes, padding not counted */
	uint64_t padded;	 /* ... counted */
	uint64_t total;		 /* the guest's size as known then; 0: not */
	enum extent_kind range;
	struct unit unit;
	struct extent from; /* SLOT_CLONE */
	uint64_t place;
	bool recorded; /* an earlier run has stored it (pump_notes.h) */
	/* A piece of a scattered walk, before it is decoded. */
	struct walk_piece piece;
	unsigned char *piece_bytes; /* UNIT_LEN_MAX */
};

/* The largest sector, which is the least room an ordered walk asks for. */
#define CARRY_LEN 4096

struct pump_notes;

/* Where the pump stands in its input. Used by one thread at a time. */
struct pump_feed {
	struct pump *pump;
	uint64_t position; /* guest bytes fetched */
	uint64_t placed;   /* ... and placed, for progress */
	/* An ordered walk's range without data, as far as not yet fetched. */
	uint64_t gap;
	enum extent_kind gap_kind;
	/* Its bytes that did not fit the unit they were fetched for. */
	unsigned char carry[CARRY_LEN];
	size_t carry_at, carry_len;
	struct mapped mapped;
	struct pump_notes *notes; /* borrowed; or NULL */
	bool live; /* a slot was placed that no earlier run has stored */
};

/* What one thread needs: the writer's context, a decoder a codec. */
struct pump_context;

void pump_feed_init(struct pump_feed *feed, struct pump *pump);
/* What must be so before the first unit. */
int pump_feed_start(struct pump_feed *feed, struct err *err);
void pump_slot_init(const struct pump_feed *feed, struct pump_slot *slot);
void pump_slot_free(struct pump_slot *slot);
int pump_context_open(struct pump_feed *feed, void **context,
		      struct err *err);
void pump_context_close(struct pump_feed *feed, void *context);

/* 1: the slot is filled with what comes next; 0: the end; -1. */
int pump_fetch(struct pump_feed *feed, struct pump_slot *slot,
	       struct err *err);
/* Read, decode, find zeros, encode. What is recorded is read where its bytes
 * are looked at all the same. */
int pump_work(struct pump_feed *feed, struct pump_slot *slot, void *context,
	      struct err *err);
/* Digest, and the writer's decision where it goes. */
int pump_place(struct pump_feed *feed, struct pump_slot *slot,
	       struct err *err);
/* Write; the slot is empty afterwards. */
int pump_store(struct pump_feed *feed, struct pump_slot *slot,
	       struct err *err);
/* Everything is stored, and finishing begins: so the journal says. */
int pump_finishing(struct pump_feed *feed, struct err *err);
/* The input has ended: what can be verified only now; sizes. */
int pump_feed_end(struct pump_feed *feed, struct err *err);
void pump_feed_free(struct pump_feed *feed);

#endif
