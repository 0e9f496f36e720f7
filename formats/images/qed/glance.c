/* SPDX-License-Identifier: MIT */
/* Owns what a header asks for, told without judging it; see driver->glance. */
#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/qed/qed.h"

void qed_glance(struct source *source, struct facts *facts)
{
	static const char *const names[] = { "backing-file", "need-check",
					     "backing-format-no-probe" };
	unsigned char bytes[QED_HEADER_LEN];
	char name[QED_NAME_LEN] = "";
	uint64_t features;
	struct err ignored;
	size_t got;

	if (source_read(source, bytes, sizeof bytes, 0, &got, &ignored) < 0 ||
	    got < sizeof bytes)
		return;
	features = bytes_le64(bytes + QED_FEATURES_AT);
	for (unsigned bit = 0; bit < 64; bit++) {
		if (!(features >> bit & 1))
			continue;
		if (bit < sizeof names / sizeof *names)
			facts_item(facts, "feature", "%s", names[bit]);
		else
			facts_item(facts, "unknown-feature", "bit %u", bit);
	}
	if (!(features & QED_F_BACKING_FILE))
		return;
	/* Elsewhere than it may be, or too long: it has one all the same. */
	if (source_read(source, name,
			min_u64(bytes_le32(bytes + QED_BACKING_LEN_AT),
				QED_NAME_LEN - 1),
			bytes_le32(bytes + QED_BACKING_AT), &got,
			&ignored) < 0)
		*name = '\0';
	facts_text(facts, "backing-file", "%s", name);
}
