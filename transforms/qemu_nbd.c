/* SPDX-License-Identifier: MIT */
/*
 * Transition: read an encrypted image, for which no driver of ours has the
 * key, through qemu-nbd: it serves the guest on a socket while the run reads
 * it; nothing goes through a temporary file. It is given the format, one file
 * in which nothing names another, and the file with the pass phrase, and is
 * confined to these by the conductor.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/nbd_source.h"
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static bool nbd_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;

	costs_flow(pricing, out);
	costs_serial(out, costs_allocated(list), list->coefficients->qemu_nbd);
	out->fixed += list->coefficients->process_us;
	return true;
}

/* QEMU's block drivers name the option differently: luks itself has
 * "key-secret", a format around it "encrypt.key-secret". */
static void nbd_command(struct tool *tool, const struct plan_step *step)
{
	const char *format = step->before.tag[TAG_FORMAT];
	const char *prefix = strcmp(format, "luks") ? "encrypt." : "";

	tool_add(tool, "qemu-nbd");
	tool_add(tool, "--read-only");
	tool_add(tool, "--object");
	tool_add(tool, "secret,id=key,file=%s", tool->secret);
	if (tool->snapshot) {
		tool_add(tool, "--load-snapshot");
		tool_add(tool, "%s", tool->snapshot);
	}
	tool_add(tool, "--image-opts");
	tool_add(tool,
		 "driver=%s,%skey-secret=key,file.driver=file,"
		 "file.filename=%s",
		 format, prefix, tool->input);
}

static int nbd_fit(struct build *build, const struct plan_step *step,
		   struct err *err)
{
	const char *known = step->before.tag[TAG_SIZE];
	char size[TAG_LEN];
	struct source *source;

	if (!build->served_fd || *build->served_fd < 0)
		return err_set(err, ERR_BUG, "nobody serves the image");
	const struct nbd_terms terms = { .connections = 1 };

	source = nbd_source(STEAL_FD(*build->served_fd), &terms, NULL, err);
	if (!source)
		return -1;
	build_push(build, source);
	build->format = "raw";
	snprintf(size, sizeof size, "%" PRIu64, source->size);
	if (strcmp(known, "unknown") && strcmp(known, size))
		return err_set(err, ERR_UNSUPPORTED,
			       "qemu-nbd serves %s bytes of the %s that the "
			       "image says it has", size, known);
	return 0;
}

const struct transition transition_qemu_nbd = {
	.name = "qemu-nbd",
	.title = "let qemu-nbd decrypt an image, and read the guest from it",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_ENCRYPTION, NEED_IS, "yes" },
		{ TAG_WRAPS, NEED_IS, "" },

		{ TAG_FORMAT, NEED_IS, "qcow2|qcow|luks" },
		{ TAG_BACKING, NEED_IS, "" },
		{ TAG_LAYOUT, NEED_IS, "original" },
		{ TAG_LEVEL, NEED_IS, "file" },
		{ TAG_QEMU_NBD, NEED_IS, "yes" },
		{ TAG_ACCESS, NEED_IS, "random" },
		{ TAG_PLACE, NEED_IS, "input|temp" },
	},
	.sets = {
		{ TAG_ENCRYPTION, SET_TO, "" },
		{ TAG_FORMAT, SET_TO, "raw" },
		{ TAG_NATIVE, SET_TO, "ordered" },
		{ TAG_LENGTH, SET_TO, "known" },
		{ TAG_SNAPSHOTS, SET_TO, "" },
		{ TAG_INNER, SET_TO, "" },
		{ TAG_LEVEL, SET_TO, "guest" },
		{ TAG_PLACE, SET_TO, "flow" },
		{ TAG_TEMPLATE, SET_TO, "" },
		/* There are no extents of it to share. */
		{ TAG_CLONE, SET_TO, "" },
	},
	.cost = nbd_cost,
	.how = &(const struct how){
		.where = HOW_PIPELINE,
		.fit = nbd_fit,
		.command = nbd_command,
		.caveat = "a truncated or damaged input may be read as zeros "
			  "without a word",
	},
};
