/* SPDX-License-Identifier: MIT */
/* Owns how the layers of an image are shown. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/answer.h"

/* The bytes of layer `index`, the image itself being the last. */
static bool layer_size(const struct image *image, uint32_t index, uint64_t *out)
{
	if (!index) {
		*out = image->file_size;
		return image->file_size_known;
	}
	if (index == image->layers && image->stored_known) {
		*out = image->stored_size;
		return true;
	}
	*out = image->layer[index - 1].size;
	return image->layer[index - 1].size_known;
}

static const char *layer_name(const struct image *image, uint32_t index)
{
	return index < image->layers ? image->layer[index].tag
				     : image->format;
}

void answer_layers(const struct image *image)
{
	char size[64];
	uint64_t bytes;

	for (uint32_t i = 0; i <= image->layers; i++) {
		printf("layer %" PRIu32 ": ", i + 1);
		answer_text(layer_name(image, i));
		if (layer_size(image, i, &bytes))
			printf(", %s bytes",
			       answer_size(bytes, size, sizeof size));
		if (i < image->layers && image->layer[i].inside == LAYER_BLOCKS)
			printf(", in blocks that can be read at random");
		if (i < image->layers && *image->layer[i].member) {
			printf(", member ");
			answer_text(image->layer[i].member);
		}
		putchar('\n');
	}
}

struct json *answer_layers_json(const struct image *image)
{
	struct json *list = json_list_open();
	uint64_t bytes;

	for (uint32_t i = 0; i <= image->layers; i++) {
		struct json *layer = json_object_open();

		json_put_text(layer, "name", layer_name(image, i));
		json_put_text(layer, "kind",
			      i == image->layers ? "image"
			      : *image->layer[i].member ? "archive"
							: "codec");
		if (layer_size(image, i, &bytes))
			json_put_number(layer, "size", bytes);
		if (i < image->layers)
			json_put_bool(layer, "random-access",
				      image->layer[i].inside != LAYER_STREAM);
		if (i < image->layers && *image->layer[i].member)
			json_put_text(layer, "member", image->layer[i].member);
		json_add(list, layer);
	}
	return list;
}
