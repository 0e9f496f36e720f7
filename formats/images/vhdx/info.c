/* SPDX-License-Identifier: MIT */
/* Owns how a VHDX's facts are named for `info`. */
#include "formats/images/vhdx/vhdx.h"

void vhdx_info(const struct vhdx_image *image, struct facts *facts)
{
	const struct vhdx_metadata *metadata = &image->metadata;
	char text[VHDX_GUID_TEXT_LEN];

	facts_text(facts, "type", "%s",
		   metadata->has_parent ? "differencing"
		   : metadata->fixed	? "fixed"
					: "dynamic");
	facts_number(facts, "block-size", metadata->block_size);
	facts_number(facts, "logical-sector-size", metadata->logical);
	facts_number(facts, "physical-sector-size", metadata->physical);
	facts_text(facts, "disk-id", "%s", vhdx_guid_text(metadata->id, text));
	facts_text(facts, VHDX_FACT_LINKAGE, "%s",
		   vhdx_guid_text(image->header.data_write, text));
	if (*image->header.creator)
		facts_text(facts, "creator", "%s", image->header.creator);
	facts_text(facts, "log", "%s", image->replay ? "dirty" : "clean");
	if (image->replay)
		facts_number(facts, "log-entries", image->replayed);
	if (metadata->stray_locator)
		facts_item(facts, "contradiction",
			   "its type has no parent, but it says where one is");
	if (!metadata->has_parent)
		return;
	facts_text(facts, "backing-file", "%s", metadata->locator.name);
	facts_text(facts, "backing-format", "vhdx");
	for (unsigned i = 0; i < metadata->locator.linkages; i++)
		facts_item(facts, "parent-linkage", "%s",
			   vhdx_guid_text(metadata->locator.linkage[i], text));
}
