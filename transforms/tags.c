/* SPDX-License-Identifier: MIT */
/* Owns the names of the groups and how each is shown. */
#include "transforms/tags.h"

static const struct group groups[TAG_COUNT] = {
	[TAG_WRAPS] = { "wraps", STYLE_STACK },
	[TAG_TEMPLATE] = { "template", STYLE_SWITCH },
	[TAG_FORMAT] = { "format", STYLE_VALUE },
	[TAG_SIZE] = { "size", STYLE_SIZE },
	[TAG_INNER] = { "inner", STYLE_VALUE },
	[TAG_LAYOUT] = { "layout", STYLE_HIDDEN },
	[TAG_SNAPSHOTS] = { "snapshots", STYLE_VALUE },
	[TAG_BACKING] = { "backing", STYLE_SWITCH },
	[TAG_ENCRYPTION] = { "encryption", STYLE_SWITCH },
	[TAG_GPT] = { "gpt", STYLE_VALUE },
	[TAG_DIGEST] = { "digest", STYLE_HIDDEN },
	[TAG_PLACE] = { "place", STYLE_HIDDEN },
	[TAG_ACCESS] = { "access", STYLE_VALUE },
	[TAG_LEVEL] = { "level", STYLE_HIDDEN },
	[TAG_CHECKED] = { "checked", STYLE_HIDDEN },
	[TAG_WHOLE] = { "whole", STYLE_HIDDEN },
	[TAG_CHECKSUM] = { "checksum", STYLE_HIDDEN },
	[TAG_LENGTH] = { "length", STYLE_HIDDEN },
	[TAG_SURVEY] = { "survey", STYLE_HIDDEN },
	[TAG_PACK] = { "pack", STYLE_HIDDEN },
	[TAG_NATIVE] = { "native", STYLE_HIDDEN },
	[TAG_INSIDE] = { "inside", STYLE_HIDDEN },
	[TAG_SINK] = { "sink", STYLE_HIDDEN },
	[TAG_CLONE] = { "clone", STYLE_HIDDEN },
	[TAG_SAME_FS] = { "same-fs", STYLE_HIDDEN },
	[TAG_CONSUME] = { "consume", STYLE_HIDDEN },
	[TAG_QEMU_IMG] = { "qemu-img", STYLE_HIDDEN },
	[TAG_QEMU_IO] = { "qemu-io", STYLE_HIDDEN },
	[TAG_QEMU_NBD] = { "qemu-nbd", STYLE_HIDDEN },
	[TAG_SSH] = { "ssh", STYLE_HIDDEN },
	[TAG_WRITER] = { "writer", STYLE_HIDDEN },
};

const struct vocabulary tags_vocabulary = { groups, TAG_COUNT };
