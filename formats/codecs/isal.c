/* SPDX-License-Identifier: MIT */
/* Owns the use of ISA-L: the fastest inflate as a stream. Does not encode with
 * it: at levels 1 and 2 the same input gave other bytes in a few of
 * hundreds of runs on a busy machine, and level 3 depends on the
 * processor. */
#include "formats/codecs/block.h"

#ifdef HAVE_ISAL

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#include "base/mem.h"

static void *isal_open(struct err *err)
{
	(void)err;
	struct inflate_state *state = mem_zalloc(sizeof *state);
	isal_inflate_init(state);
	return state;
}

/* Whole bytes still in the bit buffer, when the stream has ended, are not
 * deflate's: they are the lowest after the bits of the last byte. */
static void isal_give_back(struct inflate_state *state,
			   struct inflate_step *step)
{
	unsigned bits = (unsigned)state->read_in_length;
	uint64_t value = state->read_in >> bits % 8;

	step->back_len = bits / 8;
	for (size_t i = 0; i < step->back_len; i++) {
		step->back[i] = (unsigned char)value;
		value >>= 8;
	}
	state->read_in_length = 0;
}

static int isal_step(void *opaque, struct inflate_step *step)
{
	struct inflate_state *state = opaque;
	/* A quarter of the range: the library's totals are 32 bits wide. */
	uint32_t most = UINT32_MAX / 4;
	uint32_t in_len = step->in_len < most ? (uint32_t)step->in_len : most;
	uint32_t out_len =
		step->out_len < most ? (uint32_t)step->out_len : most;

	state->next_in = (uint8_t *)(uintptr_t)step->in;
	state->avail_in = in_len;
	state->next_out = step->out;
	state->avail_out = out_len;
	int result = isal_inflate(state);
	/* What is left means nothing then: it can be below 0. */
	if (result != ISAL_DECOMP_OK && result != ISAL_END_INPUT &&
	    result != ISAL_OUT_OVERFLOW)
		return -1;
	step->in_used = in_len - state->avail_in;
	step->out_used = out_len - state->avail_out;
	step->end = state->block_state == ISAL_BLOCK_FINISH;
	step->back_len = 0;
	if (step->end)
		isal_give_back(state, step);
	return 0;
}

static void isal_reset(void *state)
{
	isal_inflate_reset(state);
}

static void isal_close(void *state)
{
	free(state);
}

static uint32_t isal_crc(uint32_t crc, const void *bytes, size_t len)
{
	return crc32_gzip_refl(crc, bytes, len);
}

const struct inflate_library inflate_isal = {
	.open = isal_open,
	.step = isal_step,
	.reset = isal_reset,
	.close = isal_close,
	.crc = isal_crc,
};

#else

const struct inflate_library inflate_isal = { .open = NULL };

#endif
