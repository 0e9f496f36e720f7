/* SPDX-License-Identifier: MIT */
/*
 * Predicted costs: the coefficients (coefficients.h), and the sizes they are
 * multiplied with. Numbers are functions of the state. No measuring at run
 * time: the same input, machine description and goal give the same plan.
 *
 * The model:
 *
 * - Files are taken to be in memory as far as they are read, and to be written
 *   to memory: both are work of the pool's threads, which copy. A device gets
 *   its part at the end, when the output is waited for (`sync`); temporary
 *   files are not.
 * - Holes are neither read nor written, but what flows as a stream has its
 *   zeros in it: they are decoded, looked for, hashed, encoded and piped.
 * - A decoder, a digest in the guest's order and a pipe's end are serial
 *   stages; everything else is shared by the threads.
 * - A run of a worker, a program and a whole run take so long to start.
 * - What is not known is guessed: a compressed image has a third of the bytes
 *   of what it holds; the rest of what is inside is zeros.
 */
#ifndef TRANSFORMS_COSTS_H
#define TRANSFORMS_COSTS_H

#include <stdint.h>

#include "planner/transition.h"
#include "transforms/coefficients.h"
#include "transforms/protocol.h"

/* Devices of struct cost: only a server is one. */
enum { DEVICE_SERVER };

struct price_list {
	const struct coefficients *coefficients;
	struct image image;
	struct expectations expect;
	bool remote; /* the input is on a server */
	bool sync; /* the output is waited for */
	bool verify; /* it is read again, for its digest */
	unsigned threads;
	uint64_t memory;
	int wrap_level; /* 0: each codec's default */
};

/* What any run takes, microseconds: its start; the probe of an input of
 * compressed blocks, some of which are decoded to look inside; and reading
 * what came out again. */
double costs_start(const struct price_list *list, const struct state *start,
		   const struct goal *goal);

/* Bytes of the file as it is in `state` (compressed, container or raw): from
 * its front to its end, and those that take room. They differ by holes. */
double costs_length(const struct price_list *list, const struct state *state);
double costs_stored(const struct price_list *list, const struct state *state);
/* Guest bytes that hold data; bytes that the guest has. */
double costs_allocated(const struct price_list *list);
double costs_guest(const struct price_list *list, const struct state *state);

/*
 * Where the bytes of a step come from and go to. A step that flows reads when
 * it takes the image from rest, and writes when what comes out is the goal; a
 * step at rest first lets what flows towards it be written, and what it does
 * itself, by a worker or a program, comes after.
 */
void costs_flow(const struct pricing *pricing, struct cost *out);
void costs_settle(const struct pricing *pricing, struct cost *out);
/* So many bytes into a temporary file, which lives on. */
void costs_keep(const struct price_list *list, double bytes,
		struct cost *out);
/* What comes after is the run of another worker. */
void costs_barrier(const struct price_list *list, struct cost *out);

/* A compression off or around `inside`, as a serial stage or by the pool.
 * `times`: so much slower than usual. */
void costs_decode(const struct price_list *list, const struct state *inside,
		  enum codec_id id, bool serial, struct cost *out);
void costs_encode(const struct price_list *list, const struct state *inside,
		  enum codec_id id, double times, bool serial,
		  struct cost *out);

/* An input on a server that is read at random: round trips, which nothing
 * hides; all of it, `times` over. Nothing for a local one. */
void costs_jumps(const struct pricing *pricing, double times,
		 struct cost *out);

/* Will a conversion from `state` share its plain runs with the input, so that
 * no data moves? */
bool costs_shares(const struct pricing *pricing, const struct state *state);

/* With a step that takes TAG_CHECKSUM away the run reads whatever is expected
 * to have a certain digest: adds what that costs. False: some of that is
 * inside a layer that was not taken off. */
bool costs_verify(const struct pricing *pricing, struct cost *out);
/* The digests and the reading for them. */
void costs_digest(const struct price_list *list, struct cost *out);

/* What of the memory is the encoders', and the decoders' while something is
 * encoded: the rest is the pump's and the tables'. */
uint64_t costs_encoders_memory(uint64_t memory, bool decodes);
uint64_t costs_decoders_memory(uint64_t memory, bool encodes);

/* Work of `ns` nanoseconds a byte: on one thread of the pool, or as a serial
 * stage. */
void costs_pool(struct cost *out, double bytes, double ns);
void costs_serial(struct cost *out, double bytes, double ns);

#endif
