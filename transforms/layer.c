/* SPDX-License-Identifier: MIT */
/* Owns the opening of a layer and the choice of a member. How archives are
 * read, and what is called as a disk, is formats/archives/'s. */
#include "transforms/layer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "base/printable.h"
#include "formats/archives/choose.h"
#include "formats/archives/reader.h"
#include "formats/codecs/wrap.h"
#include "io/files.h"
#include "planner/words.h"

bool layer_is_archive(const char *tag)
{
	return words_hold(ARCHIVE_TAGS, tag) && *tag;
}

/* ---- choice ---- */

/* As much of a name as fits, for people. */
static void show(const struct archive_member *member, char *out, size_t room)
{
	snprintf(out, room, "%.*s", (int)room - 1, member->name);
	printable(out);
}

static void take(struct image_layer *layer,
		 const struct archive_member *member)
{
	show(member, layer->member, sizeof layer->member);
	layer->number = member->number;
	layer->size_known = member->size_known;
	layer->size = member->size;
	layer->inside = member->window ? LAYER_WINDOW : LAYER_STREAM;
	layer->offset = member->offset;
}

/* All members, then the choice. */
static int choose_listed(struct image_layer *layer,
			 struct archive_reader *reader, struct choose *choose,
			 const char *wanted, bool *used, struct err *err)
{
	const struct archive_member *chosen;
	struct archive_member member;
	int result;

	/* Ends as archive_next does. */
	while ((result = archive_next(reader, &member, err)) > 0)
		if (choose_add(choose, &member, err) < 0)
			return -1;
	if (result < 0)
		return -1;
	chosen = choose_one(choose, wanted, used, err);
	if (!chosen)
		return -1;
	take(layer, chosen);
	return 0;
}

/* The first that may be it: what comes behind is seen at the end. */
static int choose_passing(struct image_layer *layer,
			  struct archive_reader *reader, struct choose *choose,
			  const char *wanted, bool *used, struct err *err)
{
	struct archive_member member;
	int result;

	/* Ends as archive_next does. */
	while ((result = archive_next(reader, &member, err)) > 0) {
		if (choose_add(choose, &member, err) < 0)
			return -1;
		if (!choose_stops(choose, &member, wanted))
			continue;
		take(layer, &member);
		*used = *wanted;
		if (!*wanted)
			layer->alone = choose_rank(&member);
		return 0;
	}
	if (result < 0)
		return -1;
	/* With all of them seen, the message can say what there is. */
	return err_set(err, ERR_USAGE, "holds no disk%s%s",
		       *wanted ? " " : "", wanted);
}

int layer_choose(struct image_layer *layer, struct source *source,
		 const char *wanted, bool *used, struct err *err)
{
	struct archive_reader *reader = archive_open(layer->tag, source, err);
	struct choose choose = { .count = 0 };
	int result;

	*used = false;
	if (!reader)
		return -1;
	if (!source->seekable && !strcmp(layer->tag, "7z")) {
		archive_close(reader);
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot be read in one pass, its table is at "
			       "the end; store it in a file first");
	}
	result = (source->seekable ? choose_listed : choose_passing)(
		layer, reader, &choose, wanted, used, err);
	choose_clear(&choose);
	archive_close(reader);
	return result;
}

/* ---- opening ---- */

static int refuse_second(void *opaque, const struct archive_member *member,
			 struct err *err)
{
	enum choose_rank alone = (enum choose_rank)(uintptr_t)opaque;
	char name[256];

	if (!alone || choose_rank(member) < alone)
		return 0;
	show(member, name, sizeof name);
	return err_set(err, ERR_USAGE,
		       "holds another file that may be the disk, %s: choose "
		       "with --member", name);
}

static struct source *open_archive(const struct image_layer *layer,
				   struct source *source, bool random,
				   struct err *err)
{
	const struct archive_extract what = {
		.tag = layer->tag,
		.number = layer->number,
		.after = refuse_second,
		.opaque = (void *)(uintptr_t)layer->alone,
	};

	if (!random || layer->inside != LAYER_WINDOW)
		return archive_extract(&what, source, err);
	/* It was found in this very file. */
	if (!source->seekable ||
	    !checked_inside(layer->offset, layer->size, source->size)) {
		err_set(err, ERR_TEMPORARY,
			"%s: the archive was changed meanwhile", layer->tag);
		return NULL;
	}
	return files_window(source, layer->offset, layer->size);
}

struct source *layer_open(const struct image_layer *layer,
			  struct source *source, bool random,
			  unsigned threads, uint64_t memory, struct err *err)
{
	int id = codec_by_name(layer->tag);

	if (layer_is_archive(layer->tag))
		return open_archive(layer, source, random, err);
	if (id < 0) {
		err_set(err, ERR_BUG, "no reader for \"%s\"", layer->tag);
		return NULL;
	}
	return random && layer->inside == LAYER_BLOCKS
		       ? wrap_random((enum codec_id)id, source, err)
		       : wrap_decode((enum codec_id)id, source, threads, memory,
				     err);
}
