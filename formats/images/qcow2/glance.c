/* SPDX-License-Identifier: MIT */
/*
 * Owns what a header asks for, told without judging it: header.c stops at the
 * first thing that is wrong, and a verdict wants to know the rest. Believes
 * nothing: a name or an extension that does not lie in the bytes is left out.
 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/qcow2/qcow2.h"

#define EXTENSION_HEAD 8

struct glance {
	const unsigned char *bytes;
	size_t len;
	uint32_t version, header_len;
	uint64_t incompatible;
	struct facts *facts;
};

/* Feature bits of one kind by their names in QEMU; NULL: not known. */
struct kind {
	const char *name;
	size_t at;
	const char *const bits[5];
};

static const struct kind kinds[] = {
	{ "incompatible", QCOW2_INCOMPATIBLE,
	  { "dirty", "corrupt", "data-file", "compression-type",
	    "extended-l2" } },
	{ "compatible", QCOW2_COMPATIBLE, { "lazy-refcounts" } },
	{ "autoclear", QCOW2_AUTOCLEAR, { "bitmaps", "data-file-raw" } },
};

static void features(const struct glance *glance, const struct kind *kind)
{
	uint64_t set = bytes_be64(glance->bytes + kind->at);

	for (unsigned bit = 0; bit < 64; bit++) {
		const char *name =
			bit < sizeof kind->bits / sizeof *kind->bits
				? kind->bits[bit] : NULL;

		if (!(set >> bit & 1))
			continue;
		if (name)
			facts_item(glance->facts, "feature", "%s", name);
		else if (kind == kinds)
			facts_item(glance->facts, "unknown-feature",
				   "%s bit %u", kind->name, bit);
		else
			facts_item(glance->facts, "feature", "%s bit %u",
				   kind->name, bit);
	}
}

static void backing(const struct glance *glance)
{
	uint64_t offset = bytes_be64(glance->bytes + QCOW2_BACKING_OFFSET);
	uint32_t len = bytes_be32(glance->bytes + QCOW2_BACKING_LEN);

	if (!offset)
		return;
	if (checked_inside(offset, len, glance->len))
		facts_text(glance->facts, "backing-file", "%.*s",
			   (int)min_u64(len, QCOW2_BACKING_LEN_MAX),
			   (const char *)glance->bytes + offset);
	else
		facts_text(glance->facts, "backing-file",
			   "(its name lies elsewhere)");
}

/* Each turn moves on by a head at least. */
static void extensions(const struct glance *glance, bool *data_file,
		       bool *crypto)
{
	uint64_t at = glance->header_len;

	while (checked_inside(at, EXTENSION_HEAD, glance->len)) {
		uint32_t type = bytes_be32(glance->bytes + at);
		uint32_t len = bytes_be32(glance->bytes + at + 4);

		at += EXTENSION_HEAD;
		if (type == QCOW2_EXT_END ||
		    !checked_inside(at, len, glance->len))
			return;
		*crypto = *crypto || type == QCOW2_EXT_CRYPTO;
		if (type == QCOW2_EXT_DATA_FILE) {
			facts_item(glance->facts, "data-file", "%.*s",
				   (int)min_u64(len, QCOW2_NAME_LEN),
				   (const char *)glance->bytes + at);
			*data_file = true;
		}
		at += round_up(len, 8);
	}
}

static void glance_at(const struct glance *glance)
{
	static const char *const methods[] = { NULL, "aes", "luks" };
	uint32_t crypt = bytes_be32(glance->bytes + QCOW2_CRYPT);
	bool data_file = false, crypto = false;

	backing(glance);
	extensions(glance, &data_file, &crypto);
	if (glance->incompatible & QCOW2_INCOMPAT_DATA_FILE && !data_file)
		facts_item(glance->facts, "data-file", "(not named)");
	if (glance->incompatible & QCOW2_INCOMPAT_CORRUPT)
		facts_bool(glance->facts, "corrupt", true);
	if (glance->incompatible & QCOW2_INCOMPAT_DIRTY)
		facts_bool(glance->facts, "dirty", true);
	if (crypt)
		facts_text(glance->facts, "encryption", "%s",
			   crypt < 3 ? methods[crypt] : "unknown method");
	else if (crypto)
		facts_text(glance->facts, "encryption", "luks header");
	/* Last, for they may be many, and then the others have no room. */
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (glance->version > 2)
			features(glance, &kinds[i]);
}

void qcow2_glance(struct source *source, struct facts *facts)
{
	AUTO_FREE unsigned char *bytes = mem_zalloc(LIMIT_PROBE_LEN);
	struct glance glance = { .bytes = bytes, .facts = facts };
	struct err ignored;

	/* What lies behind a short file's end reads as zero, as in QEMU. */
	if (source_read(source, bytes, LIMIT_PROBE_LEN, 0, &glance.len,
			&ignored) < 0 ||
	    glance.len < QCOW2_CLUSTER_BITS)
		return;
	glance.len = LIMIT_PROBE_LEN;
	glance.version = bytes_be32(bytes + QCOW2_VERSION);
	glance.header_len = QCOW2_V2_LEN;
	if (glance.version > 2) {
		glance.incompatible = bytes_be64(bytes + QCOW2_INCOMPATIBLE);
		glance.header_len = bytes_be32(bytes + QCOW2_HEADER_LEN);
	}
	glance_at(&glance);
}
