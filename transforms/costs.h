/* SPDX-License-Identifier: MIT */
/*
 * Predicted costs: one table of coefficients, and the sizes they are
 * multiplied with. Numbers are functions of the state. No measuring at run
 * time: the same input, machine description and goal give the same plan.
 */
#ifndef TRANSFORMS_COSTS_H
#define TRANSFORMS_COSTS_H

#include <stdint.h>

#include "formats/codecs/codec.h"
#include "planner/transition.h"
#include "transforms/protocol.h"

/* Nanoseconds a byte unless the name says otherwise; of the bytes that come
 * out of a decoder or go into an encoder. */
struct coefficients {
	double decode[CODEC_COUNT];
	double encode[CODEC_COUNT];
	double cluster_decode, cluster_deflate, cluster_zstd;
	double scan, digest, copy; /* zero scan; SHA-256; memory to memory */
	double read, write;	   /* of a device, page cache included */
	double network;		   /* of a server, in order */
	double trip_us;		   /* a question and its answer */
	double clone_us;	   /* one reflink of a whole file */
	double clone_runs; /* reflinks run by run, out of and into tables */
	double metadata_us;	   /* opening an image, walking its tables */
	double process_us;	   /* starting an external tool */
	double ssh; /* of a file at the other end of SSH */
	double ssh_us; /* until it is reached */
	double qemu; /* qemu-img convert, on top of reading and writing */
};

extern const struct coefficients costs_default;

/* Devices of struct cost. Files on one file system share a device. */
enum { DEVICE_INPUT, DEVICE_OUTPUT, DEVICE_TEMP };

struct price_list {
	const struct coefficients *coefficients;
	struct image image;
	struct expectations expect;
	bool remote; /* the input is on a server */
	unsigned device[3]; /* by DEVICE_*: which index of struct cost */
	unsigned threads;
	uint64_t memory;
	int wrap_level; /* 0: each codec's default */
};

/* Bytes of the file as it is in `state`: compressed, container or raw. */
double costs_stored(const struct price_list *list, const struct state *state);
/* Guest bytes that hold data. */
double costs_allocated(const struct price_list *list);

/*
 * Where the bytes of a step come from and go to. A step that flows reads when
 * it takes the image from rest, and writes when what comes out is the goal; a
 * step at rest first lets what flows towards it be written.
 */
void costs_flow(const struct pricing *pricing, struct cost *out);
void costs_settle(const struct pricing *pricing, struct cost *out);

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
