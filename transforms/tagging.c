/* SPDX-License-Identifier: MIT */
/* Owns the peeling of layers and the questions asked of what is inside. What
 * bytes mean is formats/'s; what tags are good for is the planner's. */
#include "transforms/tagging.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/codecs/wrap.h"
#include "io/files.h"
#include "io/sink.h"
#include "io/zero.h"
#include "transforms/expect.h"
#include "transforms/layer.h"
#include "transforms/limit.h"
#include "transforms/tagging_survey.h"
#include "transforms/tags.h"

/* The layers opened while probing; closed from the top down. */
struct peeling {
	struct source *stack[TAGGING_STACK];
	unsigned depth; /* stack[0] is the caller's */
	unsigned char *head; /* of the layer on top, LIMIT_PROBE_LEN of room */
	size_t head_len;
	bool member_used; /* --member has chosen already */
	unsigned archives; /* so far */
};

static struct source *top(const struct peeling *peeling)
{
	return peeling->stack[peeling->depth - 1];
}

static void peeling_clear(struct peeling *peeling)
{
	while (peeling->depth > 1)
		source_close(peeling->stack[--peeling->depth]);
	free(peeling->head);
}

/* Have [0, len) of the top layer in head; less at its end. */
static int peeling_head(struct peeling *peeling, size_t len, struct err *err)
{
	size_t got;

	len = min_u64(len, LIMIT_PROBE_LEN);
	if (len <= peeling->head_len)
		return 0;
	if (source_read(top(peeling), peeling->head + peeling->head_len,
			len - peeling->head_len, peeling->head_len, &got,
			err) < 0)
		return -1;
	peeling->head_len += got;
	return 0;
}

/* Ask the pure probe until it is content; ends because it asks at most
 * PROBE_WINDOWS times. */
static int probe_top(struct peeling *peeling, struct probe_report *report,
		     struct err *err)
{
	struct source *source = top(peeling);
	unsigned char tail[SOURCE_TAIL_LEN];
	struct probe_input input = { .size_known = source->size_known,
				     .size = source->size,
				     .tail_reachable = source->seekable };
	uint64_t offset;
	size_t len, got;

	while (probe_layer(&input, report, &offset, &len) == PROBE_NEED) {
		if (input.count == PROBE_WINDOWS)
			return err_set(err, ERR_BUG, "the probe never ends");
		struct probe_window *window = &input.window[input.count++];
		if (offset + len <= LIMIT_PROBE_LEN) {
			if (peeling_head(peeling, offset + len, err) < 0)
				return -1;
			/* Learned at the end of a short stream. */
			input.size_known = source->size_known;
			input.size = source->size;
			window->offset = 0;
			window->bytes = peeling->head;
			window->len = peeling->head_len;
			continue;
		}
		if (!source->seekable || len > sizeof tail)
			return err_set(err, ERR_BUG,
				       "the probe asks for %zu bytes at %" PRIu64,
				       len, offset);
		if (source_read(source, tail, len, offset, &got, err) < 0)
			return -1;
		window->offset = offset;
		window->bytes = tail;
		window->len = got;
	}
	return 0;
}

static int refuse_conflict(const struct probe_report *report, struct err *err)
{
	if (!report->conflict[0])
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "ambiguous: %s (%s), but also %s; say what it is with "
		       "-f", report->title, report->evidence,
		       report->conflict);
}

/* What is known of a compression before it is opened. */
static int look_at_codec(struct peeling *peeling, const struct image *image,
			 struct image_layer *layer, struct err *err)
{
	int id = codec_by_name(image->report.name);
	bool index = false;

	if (id < 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s compression is not supported; decompress "
			       "it first", image->report.title);
	snprintf(layer->tag, sizeof layer->tag, "%s",
		 codec_get((enum codec_id)id)->tag);
	if (!top(peeling)->seekable)
		return 0;
	layer->size_known = wrap_size_hint((enum codec_id)id, top(peeling),
					   &layer->size, &index);
	if (index)
		layer->inside = LAYER_BLOCKS;
	return 0;
}

/* The rest of a stream that stands in front of the disk is lost for the run,
 * unless it can be read again. */
static int rewind_archive(struct peeling *peeling, struct err *err)
{
	struct source *source = top(peeling);

	if (!source->seekable && source->position > LIMIT_REPLAY_LEN)
		return err_set(err, ERR_UNSUPPORTED,
			       "more than %zu bytes lie in front of the "
			       "disk, too much to be kept of a stream; store "
			       "it in a file first", LIMIT_REPLAY_LEN);
	return source_rewind(source, err);
}

static int look_at_archive(struct peeling *peeling, const struct image *image,
			   const char *wanted, struct image_layer *layer,
			   struct err *err)
{
	bool used;

	snprintf(layer->tag, sizeof layer->tag, "%.7s", image->report.name);
	if (!layer_is_archive(layer->tag))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s (%s): such archives are not read; extract "
			       "the image first, or -f raw to take the bytes "
			       "as they are", image->report.title,
			       image->report.evidence);
	if (layer_choose(layer, top(peeling), wanted, &used, err) < 0)
		return -1;
	if (used)
		peeling->member_used = true;
	return rewind_archive(peeling, err);
}

/* What comes out of one layer and goes into the next: no more than may come
 * out of the last. A named file's layers (0) are looked at, not gone through. */
static struct source *bound(struct source *source, unsigned layers,
			    uint64_t most, struct source **stack,
			    unsigned *depth)
{
	if (!layers || source->seekable || !most)
		return source;
	stack[*depth] = limit_stream(source, most);
	return stack[(*depth)++];
}

/* One more layer off. */
static int peel(struct peeling *peeling, const struct protocol_input *about,
		struct image *image, struct err *err)
{
	struct image_layer *layer = &image->layer[image->layers];
	const char *wanted = peeling->member_used ? "" : about->member;
	bool archive = image->report.class == PROBE_ARCHIVE;
	bool random;
	int result;

	if (image->layers == LIMIT_COMPRESSIONS)
		return err_set(err, ERR_LIMIT,
			       "more than %d compressions and archives inside "
			       "each other", LIMIT_COMPRESSIONS);
	if (archive && peeling->archives++ == LIMIT_ARCHIVES)
		return err_set(err, ERR_LIMIT,
			       "more than %d archives inside each other: "
			       "extract the outermost first", LIMIT_ARCHIVES);
	if (source_rewind(top(peeling), err) < 0)
		return -1;
	bound(top(peeling), image->layers, about->max_size, peeling->stack,
	      &peeling->depth);
	result = archive ? look_at_archive(peeling, image, wanted, layer, err)
			 : look_at_codec(peeling, image, layer, err);
	if (result < 0)
		return -1;
	/* A member in place costs nothing; blocks are decoded whole, which
	 * the run will do if it pays. */
	random = layer->inside == LAYER_WINDOW;
	struct source *source = layer_open(layer, top(peeling), random, 1,
					   about->memory, err);
	if (!source)
		return -1;
	peeling->stack[peeling->depth++] = source;
	peeling->head_len = 0;
	image->layers++;
	return 0;
}

/* Peel until something else than a compression or an archive shows. */
static int peel_all(struct peeling *peeling,
		    const struct protocol_input *about, struct log *log,
		    struct image *image, struct err *err)
{
	/* Ends at LIMIT_COMPRESSIONS. */
	for (;;) {
		if (probe_top(peeling, &image->report, err) < 0 ||
		    refuse_conflict(&image->report, err) < 0)
			return image->layers ? err_in(err, "inside %s",
				image->layer[image->layers - 1].tag) : -1;
		log_detail(log, "layer %u: %s: %s", image->layers + 1,
			   image->report.title, image->report.evidence);
		if (image->report.class != PROBE_CODEC &&
		    image->report.class != PROBE_ARCHIVE)
			return 0;
		if (peel(peeling, about, image, err) < 0)
			return err_in(err, "%s", image->report.name);
	}
}

static int name_format(struct image *image,
		       const struct protocol_input *about, bool used,
		       struct err *err)
{
	const struct probe_report *report = &image->report;
	const char *from = about->from;
	const char *name = "raw";

	if (*from)
		name = from;
	else if (report->class == PROBE_IMAGE)
		name = report->name;
	const struct driver *driver = driver_by_name(name);
	snprintf(image->format, sizeof image->format, "%s",
		 driver ? driver->name : name);
	if (*about->member && !used && !(driver && driver->members))
		return err_set(err, ERR_USAGE,
			       "%s holds one disk: --member makes no sense",
			       image->format);
	if (!driver)
		return 0;
	image->native = driver->open != NULL;
	return 0;
}

/* Sizes as far as they are known without a driver. */
static void set_sizes(struct image *image, const struct peeling *peeling,
		      const struct protocol_input *about)
{
	const struct source *source = top(peeling);

	image->file_size_known = about->seekable;
	image->file_size = about->size;
	image->version = about->version;
	image->redecode = 1;
	image->sector_size = 512;
	image->stored_known = source->size_known;
	image->stored_size = source->size;
	if (image->layers) {
		const struct image_layer *last =
			&image->layer[image->layers - 1];
		if (last->size_known) {
			image->stored_known = true;
			image->stored_size = last->size;
		}
	} else if (about->seekable) {
		image->allocated = about->allocated;
	}
}

static void set_order(struct image *image, const struct peeling *peeling)
{
	const struct driver *driver = driver_by_name(image->format);
	enum walk_order order =
		driver ? driver_walk_order(driver, peeling->head,
					   peeling->head_len)
		       : WALK_NONE;

	image->ordered = order == WALK_ORDERED;
	image->scattered = order == WALK_SCATTERED;
}

int tagging_probe(struct source *source, const struct protocol_input *about,
		  struct references *references, struct log *log,
		  struct image *out, struct err *err)
{
	struct peeling peeling = { .stack = { source }, .depth = 1 };
	int result = 0;

	memset(out, 0, sizeof *out);
	snprintf(out->gpt, sizeof out->gpt, "none");
	peeling.head = mem_buffer(LIMIT_PROBE_LEN);
	if (!*about->from)
		result = peel_all(&peeling, about, log, out, err);
	if (!result)
		result = name_format(out, about, peeling.member_used, err);
	if (!result)
		result = peeling_head(&peeling, LIMIT_PROBE_LEN, err);
	if (!result) {
		const struct survey_input input = {
			.source = top(&peeling),
			.below = peeling.depth > 1
					 ? peeling.stack[peeling.depth - 2]
					 : NULL,
			.head = peeling.head,
			.head_len = &peeling.head_len,
			.references = references,
			.about = about,
		};
		set_sizes(out, &peeling, about);
		set_order(out, &peeling);
		if (!about->shallow)
			result = tagging_survey(&input, out, err);
	}
	peeling_clear(&peeling);
	if (!result)
		result = source_rewind(source, err);
	return result;
}

void tagging_state(const struct image *image, struct state *out)
{
	char number[TAG_LEN];

	static const char *const inside[] = { [LAYER_STREAM] = "stream",
					      [LAYER_BLOCKS] = "blocks",
					      [LAYER_WINDOW] = "window" };

	/* Innermost first: each push puts one around. */
	for (unsigned i = image->layers; i; i--) {
		const struct image_layer *layer = &image->layer[i - 1];

		state_push(out, TAG_WRAPS, layer->tag);
		state_push(out, TAG_INSIDE, inside[layer->inside]);
	}
	state_set(out, TAG_FORMAT, image->format);
	snprintf(number, sizeof number, "%" PRIu64, image->size);
	state_set(out, TAG_SIZE, image->size_known ? number : "unknown");
	state_set(out, TAG_INNER, image->inner);
	state_set(out, TAG_LAYOUT, "original");
	state_set(out, TAG_SNAPSHOTS, image->snapshots ? "kept" : "");
	state_set(out, TAG_BACKING,
		  image->backing || image->data_file ? "yes" : "");
	state_set(out, TAG_ENCRYPTION, image->encrypted ? "yes" : "");
	state_set(out, TAG_GPT,
		  strcmp(image->gpt, "none") ? image->gpt : "");
	state_set(out, TAG_PLACE, "input");
	state_set(out, TAG_ACCESS, image->file_size_known ? "random"
							  : "stream");
	state_set(out, TAG_LEVEL, "file");
	/* Raw bytes have no tables that could be wrong. */
	state_set(out, TAG_CHECKED, !strcmp(image->format, "raw") ? "yes"
								  : "");
	state_set(out, TAG_LENGTH, image->size_known ? "known" : "unknown");
	state_set(out, TAG_NATIVE,
		  !image->native ? "" : image->ordered ? "ordered"
		  : image->scattered ? "scattered" : "disk");
}

/* A layer that cannot be read at random goes into the spool. */
static struct source *unwrap_into(struct source *stream, uint64_t most,
				  int spool_fd, struct err *err)
{
	AUTO_FREE unsigned char *buf = mem_buffer(UNIT_LEN);
	AUTO_SINK struct sink *sink = NULL;
	AUTO_FD int fd = dup(spool_fd);
	uint64_t at = 0;
	size_t got;

	if (fd < 0) {
		err_sys(err, ERR_IO, "duplicate a descriptor");
		return NULL;
	}
	sink = files_sink(STEAL_FD(fd), err);
	if (!sink)
		return NULL;
	do {
		if (source_read(stream, buf, UNIT_LEN, at, &got, err) < 0)
			return NULL;
		/* Left out, zeros take no room in a fresh file. */
		if (!zero_is(buf, got) &&
		    sink_write(sink, buf, got, at, err) < 0)
			return NULL;
		at += got;
		if (at > most) {
			err_set(err, ERR_LIMIT,
				"unpacks to more than %" PRIu64 " bytes: allow "
				"it by --max-size", most);
			return NULL;
		}
	} while (got);
	if (source_finish(stream, err) < 0 || sink_finish(sink, at, err) < 0)
		return NULL;
	fd = dup(spool_fd);
	return fd < 0 ? (err_sys(err, ERR_IO, "duplicate a descriptor"), NULL)
		      : files_source(STEAL_FD(fd), err);
}

/* With what is expected of the bytes on top. */
static struct source *unwrap_expect(const struct expectations *expect,
				    unsigned layer, const char *tag,
				    struct source *source,
				    struct source **stack, unsigned *depth)
{
	uint32_t count = 0;
	struct source *over =
		expect ? expect_over(expect, layer, tag, source, &count)
		       : NULL;

	if (!over)
		return source;
	stack[(*depth)++] = over;
	return over;
}

int tagging_open(struct source *source, const struct image *image,
		 const struct expectations *expect, uint64_t max_size,
		 struct source *stack[TAGGING_STACK], unsigned *depth,
		 struct err *err)
{
	*depth = 0;
	source = unwrap_expect(expect, 0, "", source, stack, depth);
	for (unsigned i = 0; i < image->layers; i++) {
		const struct image_layer *layer = &image->layer[i];

		source = bound(source, i, max_size, stack, depth);
		source = layer_open(layer, source, source->seekable, 1,
				    LIMIT_DECODER_MEMORY, err);
		if (!source)
			return err_in(err, "%s", layer->tag);
		stack[(*depth)++] = source;
		source = unwrap_expect(expect, i + 1, layer->tag, source,
				       stack, depth);
	}
	return 0;
}

int tagging_unwrap(struct source *source, const struct image *image,
		   const struct expectations *expect, uint64_t max_size,
		   int spool_fd, struct source *stack[TAGGING_STACK], unsigned *depth,
		   struct err *err)
{
	if (tagging_open(source, image, expect, max_size, stack, depth,
			 err) < 0)
		return -1;
	if (*depth)
		source = stack[*depth - 1];
	if (source->seekable)
		return 0;
	stack[*depth] = unwrap_into(source, max_size, spool_fd, err);
	if (!stack[*depth])
		return -1;
	(*depth)++;
	return 0;
}
