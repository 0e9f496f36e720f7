/* SPDX-License-Identifier: MIT */
/* Owns `imgconv info`: what an image is, layer by layer, and what its format
 * says of itself. Does not find anything out: the worker does. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/posture.h"

#define TAGS_LEN 1024

static void take_facts(void *opaque, const struct facts *facts)
{
	memcpy(opaque, facts, sizeof *facts);
}

static void print_image(const struct image *image)
{
	char size[64];

	printf("format: ");
	answer_text(image->format);
	printf("%s\n", image->native ? "" : " (recognised, not read natively)");
	printf("content: ");
	answer_text(image->report.title);
	if (*image->report.evidence) {
		printf(" (");
		answer_text(image->report.evidence);
		putchar(')');
	}
	putchar('\n');
	if (image->size_known)
		printf("virtual-size: %s\n",
		       answer_size(image->size, size, sizeof size));
	if (image->native)
		printf("allocated: %s\n",
		       answer_size(image->allocated, size, sizeof size));
	if (image->sector_size)
		printf("sector-size: %" PRIu32 "\n", image->sector_size);
	if (image->used_end) {
		printf("used-end: %s (",
		       answer_size(image->used_end, size, sizeof size));
		answer_text(image->used_by);
		printf(")\n");
	}
}

static void print_text(const char *name, const char *tags,
		       const struct image *image, const struct facts *facts)
{
	printf("image: ");
	answer_text(name);
	printf("\ntags: ");
	answer_text(tags);
	putchar('\n');
	answer_layers(image);
	print_image(image);
	answer_facts(facts);
}

/* Names as in `qemu-img info --output=json` where it has them. */
static void print_json(const char *name, const char *tags,
		       const struct image *image, const struct facts *facts,
		       const struct sandbox_posture *posture)
{
	struct json *json = json_object_open();

	json_put_text(json, "filename", name);
	json_put(json, "tags", answer_words(tags));
	json_put(json, "layers", answer_layers_json(image));
	json_put_text(json, "format", image->format);
	json_put_bool(json, "native", image->native);
	json_put_text(json, "content", image->report.title);
	json_put_text(json, "evidence", image->report.evidence);
	if (image->size_known)
		json_put_number(json, "virtual-size", image->size);
	if (image->native)
		json_put_number(json, "allocated", image->allocated);
	if (image->sector_size)
		json_put_number(json, "sector-size", image->sector_size);
	if (image->used_end) {
		json_put_number(json, "used-end", image->used_end);
		json_put_text(json, "used-by", image->used_by);
	}
	json_put_bool(json, "encrypted", image->encrypted);
	json_put_number(json, "snapshots", image->snapshots);
	json_put(json, "format-specific", answer_facts_json(facts));
	json_put(json, "sandbox", posture_json(posture));
	json_print_pretty(stdout, json);
}

static int answer(const struct settings *settings, struct conductor *conductor,
		  struct err *err)
{
	AUTO_FREE struct facts *facts = mem_zalloc(sizeof *facts);
	AUTO_FREE struct image *image = mem_zalloc(sizeof *image);
	struct conductor_answers answers = { .facts = take_facts,
					     .opaque = facts };
	struct protocol_done done = { 0 };
	char tags[TAGS_LEN];

	if (conductor_probe(conductor, image, err))
		return err_in(err, "%s", settings->label[0]);
	/* A format that no driver of ours reads has no facts to ask for. */
	if (image->native &&
	    conductor_inspect(conductor, PROTOCOL_INFO, &answers, &done, err))
		return err_in(err, "%s", settings->label[0]);
	answer_tags(image, tags, sizeof tags);
	if (settings->json)
		print_json(settings->label[0], tags, image, facts,
			   conductor_posture(conductor));
	else
		print_text(settings->label[0], tags, image, facts);
	return 0;
}

int command_info(const struct settings *settings)
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
