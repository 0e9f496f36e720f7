/* SPDX-License-Identifier: MIT */
/* Planning problems on the real catalogue, without a program around it: an
 * image by hand, what is wished, and where it happens. */
#ifndef TESTS_PLAN_CASES_H
#define TESTS_PLAN_CASES_H

#include "check.h"

#include "base/checked.h"
#include "planner/plan.h"
#include "transforms/catalogue.h"
#include "transforms/costs.h"
#include "transforms/expect.h"
#include "transforms/tagging.h"
#include "transforms/tags.h"

#define ROWS_MAX 64

/* The input, the goal and the surroundings, in the words of the options. */
struct wish {
	/* Input: "qcow2.xz" inside out, as a name would have it. */
	const char *from;    /* format */
	const char *wrap;    /* one compression, or NULL */
	const char *archive; /* around the image, inside the compression */
	uint64_t size;	     /* virtual; 0: not known before the end */
	uint64_t data;	     /* of it in use; 0: all */
	bool blocks;	     /* the compression has an index */
	double redecode;     /* 0: 1 */
	uint64_t block; /* of these at most; 0: not known to be long */
	const char *inner;   /* of the input's clusters, or NULL */
	bool gpt, luks, snapshot, backing, pipe;
	/* Goal. */
	const char *to;
	const char *to_wrap;  /* stack, outermost first, or NULL */
	const char *compress; /* -c, or NULL */
	const char *resize;   /* -s: bytes, "+N" too, or NULL */
	unsigned checksum; /* 1: of the file; 2: of what is inside */
	bool digest, rewrite, no_fix, consume, chosen, in_place;
	/* Surroundings. */
	const char *sink; /* NULL: "file" */
	const char *ssh;  /* the input is there: "nbdkit", "sftp", "both" */
	bool clone, other_fs, no_qemu;
};

struct case_problem {
	struct price_list list;
	struct problem problem;
};

static inline void case_want(struct goal *goal, unsigned group, bool negated,
			     const char *value)
{
	struct want *want = &goal->want[goal->count++];

	want->group = group;
	want->negated = negated;
	snprintf(want->value, sizeof want->value, "%s", value);
}

static inline void case_image(const struct wish *wish, struct image *image)
{
	uint64_t data = wish->data ? wish->data : wish->size;
	bool stream = wish->pipe || (wish->wrap && !wish->blocks);
	bool seen = !strcmp(wish->from, "raw") ||
		    !stream;

	memset(image, 0, sizeof *image);
	snprintf(image->format, sizeof image->format, "%s", wish->from);
	snprintf(image->inner, sizeof image->inner, "%s",
		 wish->inner ? wish->inner : "");
	snprintf(image->gpt, sizeof image->gpt, "%s",
		 !seen ? "unknown" : wish->gpt ? "at-end" : "none");
	image->size = wish->size;
	image->size_known = wish->size;
	image->allocated = data;
	image->native = true;
	image->ordered = !strcmp(wish->from, "raw");
	image->scattered = !strcmp(wish->from, "qcow2");
	image->encrypted = wish->luks;
	image->snapshots = wish->snapshot;
	image->backing = wish->backing;
	image->redecode = wish->redecode > 0 ? wish->redecode : 1;
	image->block = wish->block;
	image->file_size_known = !wish->pipe;
	image->file_size = wish->pipe ? 0
			   : wish->inner || wish->wrap ? data / 3
			   : seen && image->ordered ? max_u64(data, wish->size)
						    : data;
	if (wish->wrap) {
		image->layers = 1;
		snprintf(image->layer[0].tag, sizeof image->layer[0].tag,
			 "%s", wish->wrap);
		image->layer[0].inside = wish->blocks ? LAYER_BLOCKS
						      : LAYER_STREAM;
		image->layer[0].size_known = !strcmp(wish->wrap, "xz");
		image->layer[0].size = data;
	}
	if (wish->archive) {
		struct image_layer *layer = &image->layer[image->layers++];

		snprintf(layer->tag, sizeof layer->tag, "%s", wish->archive);
		layer->size_known = true;
		layer->size = data;
		layer->inside = stream ? LAYER_STREAM : LAYER_WINDOW;
	}
}

static inline void case_start(const struct wish *wish, struct state *start)
{
	const char *sink = wish->sink ? wish->sink : "file";
	bool file = !strcmp(sink, "file");
	bool wrapped = wish->to_wrap && *wish->to_wrap;
	bool writes = strcmp(wish->to, "qcow") != 0;

	state_set(start, TAG_SINK, sink);
	state_set(start, TAG_SAME_FS,
		  file && !wish->other_fs && !wish->pipe ? "yes" : "");
	state_set(start, TAG_CLONE,
		  file && wish->clone && !wish->pipe ? "yes" : "");
	state_set(start, TAG_TEMPLATE,
		  wish->consume || wish->in_place ? "" : "yes");
	state_set(start, TAG_CONSUME, wish->consume ? "yes" : "");
	state_set(start, TAG_QEMU_IMG, wish->no_qemu ? "" : "yes");
	state_set(start, TAG_QEMU_IO, wish->no_qemu ? "" : "yes");
	state_set(start, TAG_QEMU_NBD, wish->no_qemu ? "" : "yes");
	state_set(start, TAG_WRITER, writes ? "native" : "qemu");
	/* An archive around the output, as the program sets it. */
	const char *tar = wrapped ? strstr(wish->to_wrap, "tar") : NULL;
	bool sized = tar && (tar != wish->to_wrap || !file);
	bool packs = tar || (wrapped && strstr(wish->to_wrap, "zip"));

	if (packs)
		state_set(start, TAG_PACK, sized ? "sized" : "freely");
	state_set(start, TAG_SURVEY, sized && strcmp(wish->to, "raw")
		  ? "never" :
		  !strcmp(wish->to, "qcow2") &&
				  ((wrapped && (sized || !tar)) ||
				   !strcmp(sink, "stream"))
			  ? "needed" : "");
	if (wish->chosen)
		state_set(start, TAG_SNAPSHOTS, "chosen");
	if (wish->in_place)
		state_set(start, TAG_PLACE, "output");
	if (wish->ssh) {
		state_set(start, TAG_PLACE, "ssh");
		state_set(start, TAG_SSH, wish->ssh);
	}
	if (wish->resize && *wish->resize != '+')
		state_set(start, TAG_LENGTH, "known");
	if (wish->no_fix && !strcmp(start->tag[TAG_GPT], "at-end"))
		state_set(start, TAG_GPT, "");
}

static inline void case_goal(const struct wish *wish,
			     const struct state *start, struct goal *goal)
{
	case_want(goal, TAG_WRAPS, false,
		  wish->to_wrap ? wish->to_wrap : "");
	case_want(goal, TAG_TEMPLATE, true, "yes");
	case_want(goal, TAG_FORMAT, false, wish->to);
	case_want(goal, TAG_INNER, false,
		  wish->compress ? wish->compress : "|zlib|zstd");
	case_want(goal, TAG_PLACE, false, "flow|output|moved");
	case_want(goal, TAG_LEVEL, false, "file");
	case_want(goal, TAG_CHECKED, false, "yes");
	if (wish->to_wrap && *wish->to_wrap)
		case_want(goal, TAG_WHOLE, false, "yes");
	if (wish->to_wrap && (strstr(wish->to_wrap, "tar") ||
			      strstr(wish->to_wrap, "zip")))
		case_want(goal, TAG_PACK, false, "done");
	if (!wish->in_place)
		case_want(goal, TAG_BACKING, false, "");
	case_want(goal, TAG_SNAPSHOTS, true, "chosen");
	if (wish->resize) {
		case_want(goal, TAG_SIZE, false, wish->resize);
		if (*start->tag[TAG_GPT] && !wish->no_fix)
			case_want(goal, TAG_GPT, false, "moved");
	}
	if (wish->checksum)
		case_want(goal, TAG_CHECKSUM, false, "");
	if (wish->digest)
		case_want(goal, TAG_DIGEST, false, "yes");
	if (wish->rewrite || wish->compress)
		case_want(goal, TAG_LAYOUT, false, "fresh");
}

/* `rows`: NULL-terminated, as a catalogue. */
static inline void case_make(const struct wish *wish,
			     const struct transition *const *rows,
			     struct case_problem *out)
{
	memset(out, 0, sizeof *out);
	case_image(wish, &out->list.image);
	out->list.coefficients = &costs_default;
	out->list.sync = true;
	out->list.threads = 4;
	out->list.memory = 256 * MIB;
	tagging_state(&out->list.image, &out->problem.start);
	case_start(wish, &out->problem.start);
	if (wish->checksum) {
		out->list.expect.count = 1;
		out->list.expect.list[0].depth =
			wish->checksum > 1 ? out->list.image.layers : 0;
	}
	expect_tag(&out->list.expect, &out->problem.start);
	case_goal(wish, &out->problem.start, &out->problem.goal);
	out->problem.context = &out->list;
	out->problem.threads = 4;
	out->problem.temp_limit = UINT64_MAX;
	out->problem.memory_limit = UINT64_MAX;
	out->problem.vocabulary = &tags_vocabulary;
	out->problem.catalogue = rows;
}

#endif
