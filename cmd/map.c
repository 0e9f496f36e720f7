/* SPDX-License-Identifier: MIT */
/*
 * Owns `imgconv map`: extents as they come from the worker, neighbours that
 * belong together joined, each printed as soon as the next one differs. Holds
 * one extent at a time, however large the image is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/answer.h"
#include "cmd/commands.h"

struct map {
	bool json;
	bool begun; /* the head of the table or of the list is out */
	bool pending;
	struct protocol_extent last;
};

static const char *kind_name(uint32_t kind)
{
	return kind == EXTENT_DATA   ? "data"
	       : kind == EXTENT_ZERO ? "zero"
				     : "hole";
}

static const char *encoding_name(uint32_t encoding)
{
	return encoding == ENCODING_DEFLATE ? "deflate"
	       : encoding == ENCODING_ZLIB  ? "zlib"
	       : encoding == ENCODING_ZSTD  ? "zstd"
					    : "plain";
}

/* Field names as in `qemu-img map --output=json`; encoding, stored and file
 * are ours. */
static void print_json(const struct protocol_extent *extent)
{
	struct json *json = json_object_open();
	bool data = extent->kind == EXTENT_DATA;
	bool plain = extent->encoding == ENCODING_PLAIN;

	json_put_number(json, "start", extent->offset);
	json_put_number(json, "length", extent->length);
	/* How deep in a chain another file lies is not known here. */
	if (!*extent->file)
		json_put_number(json, "depth", 0);
	json_put_bool(json, "present", extent->kind != EXTENT_HOLE);
	json_put_bool(json, "zero", !data);
	json_put_bool(json, "data", data);
	json_put_bool(json, "compressed", data && !plain);
	/* An offset promises that the guest's bytes are to be found there. */
	if (extent->placed && plain)
		json_put_number(json, "offset", extent->place);
	if (extent->placed && !plain) {
		json_put_text(json, "encoding",
			      encoding_name(extent->encoding));
		json_put_number(json, "stored-offset", extent->place);
		json_put_number(json, "stored-length", extent->stored);
	}
	if (*extent->file)
		json_put_text(json, "file", extent->file);
	json_print(stdout, json);
}

static void print_text(const struct protocol_extent *extent)
{
	printf("%-15" PRIu64 " %-15" PRIu64 " %-5s", extent->offset,
	       extent->length, kind_name(extent->kind));
	if (extent->placed) {
		printf(" %" PRIu64, extent->place);
		if (extent->encoding != ENCODING_PLAIN)
			printf(" %s %" PRIu64, encoding_name(extent->encoding),
			       extent->stored);
	} else if (*extent->file) {
		printf(" -");
	}
	if (*extent->file) {
		printf(" in ");
		answer_text(extent->file);
	}
	putchar('\n');
}

static void begin(struct map *map)
{
	if (map->begun)
		return;
	map->begun = true;
	if (map->json)
		fputs("[ ", stdout);
	else
		printf("%-15s %-15s %-5s %s\n", "offset", "length", "kind",
		       "stored at");
}

static void flush(struct map *map, bool more)
{
	if (!map->pending)
		return;
	(map->json ? print_json : print_text)(&map->last);
	if (map->json && more)
		fputs(",\n", stdout);
	map->pending = false;
}

/* Do `a` and `b` make one line? */
static bool joins(const struct protocol_extent *a,
		  const struct protocol_extent *b)
{
	if (a->offset + a->length != b->offset || a->kind != b->kind ||
	    a->encoding != b->encoding || a->placed != b->placed ||
	    strcmp(a->file, b->file))
		return false;
	if (!a->placed)
		return true;
	return a->encoding == ENCODING_PLAIN &&
	       a->place + a->length == b->place;
}

static void take_extents(void *opaque, const struct protocol_extent *list,
			 unsigned count)
{
	struct map *map = opaque;

	begin(map);
	for (unsigned i = 0; i < count; i++) {
		const struct protocol_extent *next = &list[i];

		if (map->pending && joins(&map->last, next)) {
			map->last.length += next->length;
			map->last.stored += next->stored;
			continue;
		}
		flush(map, true);
		map->last = *next;
		map->pending = true;
	}
}

static int answer(const struct settings *settings, struct conductor *conductor,
		  struct err *err)
{
	AUTO_FREE struct image *image = mem_zalloc(sizeof *image);
	struct map map = { .json = settings->json };
	struct conductor_answers answers = { .extents = take_extents,
					     .opaque = &map };
	struct protocol_done done = { 0 };

	/* After an error a list stays open: it must not look complete. */
	if (conductor_probe(conductor, image, err) ||
	    conductor_inspect(conductor, PROTOCOL_MAP, &answers, &done, err))
		return err_in(err, "%s", settings->label[0]);
	begin(&map);
	flush(&map, false);
	if (map.json)
		fputs("]\n", stdout);
	return 0;
}

int command_map(const struct settings *settings)
{
	struct ui *ui = ui_open(settings);
	struct err err = { 0 };
	struct conductor *conductor =
		conductor_open(settings->argument[0], settings, ui, &err);

	if (conductor)
		answer(settings, conductor, &err);
	conductor_close(conductor);
	return answer_end(ui, &err, 0);
}
