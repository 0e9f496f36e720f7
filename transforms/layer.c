/* SPDX-License-Identifier: MIT */
/* Owns the opening of a layer and the choice of a member. How archives are
 * read, and what is called as a disk, is formats/archives/'s. */
#include "transforms/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "base/printable.h"
#include "formats/archives/appliance.h"
#include "formats/archives/choose.h"
#include "formats/archives/zip_entry.h"
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

/* What is looked at while the members pass. */
struct looking {
	struct image_layer *layer;
	struct archive_reader *reader;
	struct appliance *appliance; /* NULL: the archive is none */
	struct choose choose;
	const char *wanted;
	struct archive_member exact; /* it is called just so */
	bool has_exact, exact_twice;
};

/* The disks that a description lists are those there are. */
static void take_names(struct looking *looking)
{
	struct choose *choose = &looking->choose;
	const struct ovf *ovf = appliance_ovf(looking->appliance);

	if (!ovf || choose->named)
		return;
	choose->named = mem_zalloc((ovf->count + 1) * sizeof *choose->named);
	for (unsigned i = 0; i < ovf->count; i++)
		memcpy(choose->named[i], ovf->disk[i].file,
		       sizeof choose->named[i]);
	choose->named_count = ovf->count;
}

static int look_at(struct looking *looking,
		   const struct archive_member *member, struct err *err)
{
	if (looking->appliance) {
		if (appliance_see(looking->appliance, looking->reader, member,
				  err) < 0)
			return -1;
		take_names(looking);
	}
	if (member->regular && *looking->wanted &&
	    !strcmp(member->name, looking->wanted)) {
		looking->exact_twice = looking->has_exact;
		if (!looking->has_exact)
			looking->exact = *member;
		looking->has_exact = true;
	}
	return choose_add(&looking->choose, member, err);
}

/* In place nobody would look at its CRC: it is expected like a digest. Where
 * header and table disagree it is read in order, which says so. */
static int check_zip(struct image_layer *layer, struct source *source,
		     struct err *err)
{
	bool found;
	uint32_t crc;

	if (zip_entry_table(source, err) < 0)
		return -1;
	if (layer->inside != LAYER_WINDOW)
		return 0;
	if (zip_entry_stored(source, layer->offset, layer->size, &found, &crc,
			     err) < 0)
		return -1;
	if (!found) {
		layer->inside = LAYER_STREAM;
		return 0;
	}
	layer->digested = true;
	layer->digest_kind = DIGEST_CRC32;
	bytes_put_be32(layer->digest, crc);
	return 0;
}

/* What the manifest says of the disk, if it was seen. */
static int take_digest(struct looking *looking,
		       const struct archive_member *member, struct err *err)
{
	const struct manifest *manifest =
		looking->appliance ? appliance_manifest(looking->appliance)
				   : NULL;
	const struct manifest_line *line;

	if (!manifest)
		return 0;
	line = manifest_find(manifest, member->name);
	if (line) {
		looking->layer->digested = true;
		looking->layer->digest_kind = line->kind;
		memcpy(looking->layer->digest, line->digest,
		       digest_len(line->kind));
	}
	return appliance_check(looking->appliance, err);
}

static int refuse_twice(const char *name, struct err *err)
{
	char text[256];

	snprintf(text, sizeof text, "%.200s", name);
	printable(text);
	return err_set(err, ERR_USAGE,
		       "holds more than one file called %s: choose by number",
		       text);
}

/* All members, then the choice. */
static int choose_listed(struct looking *looking, struct source *source,
			 bool *used, struct err *err)
{
	const struct archive_member *chosen;
	struct archive_member member;
	int result;

	/* Ends as archive_next does. */
	while ((result = archive_next(looking->reader, &member, err)) > 0)
		if (look_at(looking, &member, err) < 0)
			return -1;
	if (result < 0)
		return -1;
	if (looking->exact_twice)
		return refuse_twice(looking->wanted, err);
	*used = looking->has_exact;
	chosen = looking->has_exact
			 ? &looking->exact
			 : choose_one(&looking->choose, looking->wanted, used,
				      err);
	if (!chosen)
		return -1;
	take(looking->layer, chosen);
	if (!strcmp(looking->layer->tag, "zip") &&
	    check_zip(looking->layer, source, err) < 0)
		return -1;
	return take_digest(looking, chosen, err);
}

/* The first that may be it: what comes behind is seen at the end. */
static int choose_passing(struct looking *looking, struct source *source,
			  bool *used, struct err *err)
{
	struct choose *choose = &looking->choose;
	struct archive_member member;
	int result;

	(void)source;
	/* Ends as archive_next does. */
	while ((result = archive_next(looking->reader, &member, err)) > 0) {
		if (look_at(looking, &member, err) < 0)
			return -1;
		if (!*looking->wanted && choose->named_count > 1)
			return choose_refuse_named(choose, err);
		if (!choose_stops(choose, &member, looking->wanted))
			continue;
		take(looking->layer, &member);
		*used = *looking->wanted;
		looking->layer->named = *looking->wanted &&
					!strcmp(member.name, looking->wanted);
		if (!*looking->wanted && !choose->named_count)
			looking->layer->alone = choose_rank(&member);
		return take_digest(looking, &member, err);
	}
	if (result < 0)
		return -1;
	return err_set(err, ERR_USAGE, "holds no disk%s%s",
		       *looking->wanted ? " " : "", looking->wanted);
}

int layer_choose(struct image_layer *layer, struct source *source,
		 const char *wanted, bool *used, struct err *err)
{
	struct looking *looking = mem_zalloc(sizeof *looking);
	int result = -1;

	*used = false;
	looking->layer = layer;
	looking->wanted = archive_plain_name(wanted);
	looking->reader = archive_open(layer->tag, source, err);
	if (!strcmp(layer->tag, "ova"))
		looking->appliance = appliance_open();
	if (looking->reader && !source->seekable && !strcmp(layer->tag, "7z"))
		err_set(err, ERR_UNSUPPORTED,
			"cannot be read in one pass, its table is at the end; "
			"store it in a file first");
	else if (looking->reader)
		result = (source->seekable ? choose_listed : choose_passing)(
			looking, source, used, err);
	free(looking->choose.named);
	choose_clear(&looking->choose);
	appliance_close(looking->appliance);
	archive_close(looking->reader);
	free(looking);
	return result;
}

/* ---- opening ---- */

/* A member on its way, and what may follow it. */
struct passing {
	struct image_layer layer;
	/* A manifest behind the disk may ask for any of them; or NULL. */
	struct appliance *appliance;
	struct appliance_digests *digests;
};

static void pass_bytes(void *opaque, const void *bytes, size_t len)
{
	struct passing *passing = opaque;

	if (passing->digests)
		appliance_digests_add(passing->digests, bytes, len);
}

static int check_manifest(struct passing *passing,
			  struct archive_reader *reader,
			  const struct archive_member *member, struct err *err)
{
	const struct manifest *manifest;
	const struct manifest_line *line;

	if (appliance_see(passing->appliance, reader, member, err) < 0)
		return -1;
	manifest = appliance_manifest(passing->appliance);
	line = manifest ? manifest_find(manifest, passing->layer.member) : NULL;
	if (!line || !passing->digests)
		return 0;
	if (appliance_digests_check(passing->digests, line, err) < 0)
		return -1;
	passing->digests = appliance_digests_close(passing->digests);
	return 0;
}

static int see_later(void *opaque, struct archive_reader *reader,
		     const struct archive_member *member, struct err *err)
{
	struct passing *passing = opaque;
	char name[256];

	if (passing->appliance &&
	    check_manifest(passing, reader, member, err) < 0)
		return -1;
	if (passing->layer.named && member->regular &&
	    !strcmp(member->name, passing->layer.member))
		return refuse_twice(member->name, err);
	if (!passing->layer.alone ||
	    choose_rank(member) < passing->layer.alone)
		return 0;
	show(member, name, sizeof name);
	return err_set(err, ERR_USAGE,
		       "holds another file that may be the disk, %s: choose "
		       "with --member", name);
}

static void passing_close(void *opaque)
{
	struct passing *passing = opaque;

	appliance_digests_close(passing->digests);
	appliance_close(passing->appliance);
	free(passing);
}

static struct source *open_stream(const struct image_layer *layer,
				  struct source *source, struct err *err)
{
	struct passing *passing = mem_zalloc(sizeof *passing);
	const struct archive_extract what = {
		.tag = layer->tag,
		.number = layer->number,
		.pass = pass_bytes,
		.after = see_later,
		.close = passing_close,
		.opaque = passing,
	};

	passing->layer = *layer;
	if (!strcmp(layer->tag, "ova") && !layer->digested) {
		passing->appliance = appliance_open();
		passing->digests = appliance_digests_open();
	}
	return archive_extract(&what, source, err);
}

static struct source *open_archive(const struct image_layer *layer,
				   struct source *source, bool random,
				   struct err *err)
{
	if (!random || layer->inside != LAYER_WINDOW)
		return open_stream(layer, source, err);
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
