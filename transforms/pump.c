/* SPDX-License-Identifier: MIT */
/* Owns the threads and the order of work: who does what next, and when it
 * ends. What a slot holds and where it comes from is pump_fetch.c's. */
#include "transforms/pump.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "transforms/pump_notes.h"
#include "transforms/pump_slot.h"

/*
 * A slot goes round: FREE -> (fetch) BUSY -> (work) READY -> (place) STORING
 * -> (store) FREE. `next` is the slot number to be fetched, `turn` the one to
 * be placed; both only grow, so slots are placed in the order of fetching.
 */
enum slot_state { SLOT_FREE, SLOT_BUSY, SLOT_READY, SLOT_STORING };

struct ring_slot {
	enum slot_state state;
	struct pump_slot work;
};

struct ring {
	struct pump *pump;
	struct pump_feed feed;
	pthread_mutex_t mutex; /* guards everything below */
	pthread_cond_t change;
	struct ring_slot *slot;
	unsigned count;
	uint64_t next, turn;
	unsigned waiting; /* threads */
	bool fetching, placing, fetched_all, stop;
	struct err err;	 /* the first failure */
};

static struct ring_slot *ring_at(struct ring *ring, uint64_t number)
{
	return &ring->slot[number % ring->count];
}

static bool ring_can_place(struct ring *ring)
{
	return !ring->placing && ring->turn < ring->next &&
	       ring_at(ring, ring->turn)->state == SLOT_READY;
}

static bool ring_can_fetch(struct ring *ring)
{
	return !ring->fetching && !ring->fetched_all &&
	       ring_at(ring, ring->next)->state == SLOT_FREE;
}

static bool ring_done(const struct ring *ring)
{
	return ring->fetched_all && ring->turn == ring->next;
}

/*
 * Called by a thread that is about to work without the mutex: what else can
 * be done is for another. One is woken, which does the same when it has
 * chosen: nobody is woken in vain, however many there are. Whoever changes a
 * state goes on to look for work itself, so nothing is missed; only the end
 * is told to all.
 */
static void ring_unlock(struct ring *ring)
{
	if (ring->waiting && (ring_can_place(ring) || ring_can_fetch(ring)))
		pthread_cond_signal(&ring->change);
	pthread_mutex_unlock(&ring->mutex);
}

static void ring_fail(struct ring *ring, const struct err *err)
{
	if (!ring->stop)
		ring->err = *err;
	ring->stop = true;
	pthread_cond_broadcast(&ring->change);
}

/* Both halves are entered and left with the mutex held. */
static void ring_fetch(struct ring *ring, void *context, struct err *err)
{
	struct ring_slot *slot = ring_at(ring, ring->next);
	uint64_t begin;
	int got;

	ring->fetching = true;
	slot->state = SLOT_BUSY;
	ring_unlock(ring);
	begin = stages_begin(ring->pump->stages);
	got = pump_fetch(&ring->feed, &slot->work, err);
	stages_end(ring->pump->stages, SPAN_FETCH, begin, 0);
	pthread_mutex_lock(&ring->mutex);
	ring->fetching = false;
	if (got <= 0) {
		slot->state = SLOT_FREE;
		ring->fetched_all = true;
		if (got < 0)
			ring_fail(ring, err);
		pthread_cond_broadcast(&ring->change);
		return;
	}
	ring->next++;
	ring_unlock(ring);
	got = pump_work(&ring->feed, &slot->work, context, err);
	pthread_mutex_lock(&ring->mutex);
	if (got < 0)
		ring_fail(ring, err);
	slot->state = SLOT_READY;
}

static void ring_place(struct ring *ring, struct err *err)
{
	struct ring_slot *slot = ring_at(ring, ring->turn);
	bool in_order = !ring->pump->writer->sink ||
			!ring->pump->writer->sink->seekable;
	uint64_t turn = ring->turn;
	int result;

	ring->placing = true;
	slot->state = SLOT_STORING;
	ring_unlock(ring);
	result = pump_place(&ring->feed, &slot->work, err);
	if (!result)
		pump_notes_placed(ring->feed.notes, turn, &slot->work);
	if (!result && in_order)
		result = pump_store(&ring->feed, &slot->work, err);
	pthread_mutex_lock(&ring->mutex);
	ring->placing = false;
	ring->turn++;
	if (!result && !in_order) {
		ring_unlock(ring);
		result = pump_store(&ring->feed, &slot->work, err);
		if (!result)
			result = pump_notes_stored(ring->feed.notes, turn, err);
		pthread_mutex_lock(&ring->mutex);
	}
	if (result < 0)
		ring_fail(ring, err);
	slot->state = SLOT_FREE;
	if (ring_done(ring))
		pthread_cond_broadcast(&ring->change);
}

/* Why is there nothing to do? */
static enum span ring_obstacle(struct ring *ring)
{
	if (ring->fetching)
		return SPAN_WAIT_FETCH;
	return ring->placing ? SPAN_WAIT_PLACE : SPAN_WAIT_WORK;
}

static void ring_wait(struct ring *ring)
{
	enum span obstacle = ring_obstacle(ring);
	uint64_t begin = stages_begin(ring->pump->stages);

	ring->waiting++;
	pthread_cond_wait(&ring->change, &ring->mutex);
	ring->waiting--;
	stages_end(ring->pump->stages, obstacle, begin, 0);
}

static void *ring_thread(void *argument)
{
	struct ring *ring = argument;
	struct err err;
	void *context;

	if (pump_context_open(&ring->feed, &context, &err) < 0) {
		pthread_mutex_lock(&ring->mutex);
		ring_fail(ring, &err);
		pthread_mutex_unlock(&ring->mutex);
		return NULL;
	}
	pthread_mutex_lock(&ring->mutex);
	while (!ring->stop && !ring_done(ring)) {
		/* Placing first: it lets others go on. */
		if (ring_can_place(ring))
			ring_place(ring, &err);
		else if (ring_can_fetch(ring))
			ring_fetch(ring, context, &err);
		else
			ring_wait(ring);
	}
	pthread_mutex_unlock(&ring->mutex);
	pump_context_close(&ring->feed, context);
	return NULL;
}

static void ring_run(struct ring *ring)
{
	unsigned threads = ring->pump->threads, started = 0;
	pthread_t *thread = mem_zalloc(threads * sizeof *thread);

	/* One fewer than allowed is no failure: this thread works too. */
	while (started + 1 < threads &&
	       !pthread_create(&thread[started], NULL, ring_thread, ring))
		started++;
	ring_thread(ring);
	for (unsigned i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	free(thread);
}

static int ring_finish(struct ring *ring, struct err *err)
{
	struct pump *pump = ring->pump;
	uint64_t begin;
	int result;

	if (ring->stop) {
		/* What is stored is stored, whatever else went wrong. */
		if (pump->journal)
			journal_sync(pump->journal, err);
		*err = ring->err;
		return -1;
	}
	begin = stages_begin_finish(pump->stages);
	result = pump_feed_end(&ring->feed, err);
	if (!result && pump->check)
		result = pump->check(pump->check_opaque, err);
	if (!result)
		result = pump_finishing(&ring->feed, err);
	if (!result)
		result = writer_finish(pump->writer, pump->padded, err);
	stages_end(pump->stages, SPAN_FINISH, begin, 0);
	return result;
}

int pump_run(struct pump *pump, struct err *err)
{
	struct ring ring = { .pump = pump };
	int result;

	if (!pump->threads)
		pump->threads = 1;
	ring.count = 2 * pump->threads + 1;
	ring.slot = mem_zalloc(ring.count * sizeof *ring.slot);
	pthread_mutex_init(&ring.mutex, NULL);
	pthread_cond_init(&ring.change, NULL);
	pump_feed_init(&ring.feed, pump);
	ring.feed.notes = pump_notes_open(pump->journal, ring.count);
	for (unsigned i = 0; i < ring.count; i++)
		pump_slot_init(&ring.feed, &ring.slot[i].work);
	result = pump_feed_start(&ring.feed, err);
	if (!result) {
		ring_run(&ring);
		result = ring_finish(&ring, err);
	}
	for (unsigned i = 0; i < ring.count; i++)
		pump_slot_free(&ring.slot[i].work);
	pump_feed_free(&ring.feed);
	pthread_cond_destroy(&ring.change);
	pthread_mutex_destroy(&ring.mutex);
	pump_notes_close(ring.feed.notes);
	free(ring.slot);
	return result;
}
