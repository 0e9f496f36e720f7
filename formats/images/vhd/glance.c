/* SPDX-License-Identifier: MIT */
/*
 * Owns what footer and header ask for, told without judging them: footer.c
 * stops where the two ends disagree, and whoever is sent a disk wants to know
 * of a parent all the same.
 */
#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/vhd/vhd.h"
#include "io/zero.h"

/* A name of a parent where there is none: who follows names finds it. */
static void glance_header(struct source *source, uint64_t at,
			  struct facts *facts)
{
	unsigned char bytes[VHD_HEADER_LEN];
	struct err ignored;
	size_t got;

	if (source_read(source, bytes, sizeof bytes, at, &got, &ignored) < 0 ||
	    got < sizeof bytes)
		return;
	if (!zero_is(bytes + VHD_PARENT_UUID, 16) ||
	    !zero_is(bytes + VHD_PARENT_NAME, VHD_PARENT_NAME_LEN))
		facts_item(facts, "contradiction",
			   "its type has no parent, but its header names one");
}

static void glance_footer(struct source *source, const unsigned char *footer,
			  struct facts *facts)
{
	const uint32_t known = VHD_FEATURE_TEMPORARY | VHD_FEATURE_RESERVED;
	uint32_t features = bytes_be32(footer + VHD_FEATURES);
	uint32_t type = bytes_be32(footer + VHD_TYPE);

	if (features & VHD_FEATURE_TEMPORARY)
		facts_item(facts, "feature", "temporary");
	for (unsigned bit = 0; bit < 32; bit++)
		if (features & ~known & 1u << bit)
			facts_item(facts, "unknown-feature", "bit %u", bit);
	if (footer[VHD_SAVED])
		facts_bool(facts, "saved-state", true);
	if (type == VHD_DIFFERENCING)
		facts_text(facts, "backing-file", "(differencing)");
	else if (type == VHD_DYNAMIC)
		glance_header(source, bytes_be64(footer + VHD_DATA_OFFSET),
			      facts);
}

void vhd_glance(struct source *source, struct facts *facts)
{
	struct vhd_ends ends;
	struct err ignored;

	if (vhd_ends_read(source, &ends, &ignored))
		return;
	if (ends.has_tail)
		glance_footer(source, ends.tail, facts);
	/* What both say is said once: where they differ, all of it. */
	if (ends.has_start && (!ends.has_tail || !vhd_ends_agree(&ends)))
		glance_footer(source, ends.start, facts);
}
