/* SPDX-License-Identifier: MIT */
/* Owns how a VMDK's facts are named for `info`, and what the head of a stream
 * tells of it. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/vmdk/vmdk.h"

static void descriptor_facts(const struct vmdk_image *image,
			     struct facts *facts)
{
	const struct vmdk_descriptor *descriptor = &image->descriptor;

	facts_text(facts, "subformat", "%s", descriptor->create_type);
	facts_number(facts, "descriptor-version", descriptor->version);
	if (descriptor->has_cid)
		facts_text(facts, "cid", "%08" PRIx32, descriptor->cid);
	if (descriptor->parent_cid != VMDK_NO_PARENT)
		facts_text(facts, "parent-cid", "%08" PRIx32,
			   descriptor->parent_cid);
	if (*descriptor->adapter)
		facts_text(facts, "adapter-type", "%s", descriptor->adapter);
	if (*descriptor->hardware)
		facts_text(facts, "hardware-version", "%s",
			   descriptor->hardware);
	if (*descriptor->uuid)
		facts_text(facts, "uuid", "%s", descriptor->uuid);
}

static void header_facts(const struct vmdk_header *header, struct facts *facts)
{
	facts_number(facts, "version", header->version);
	facts_number(facts, "grain-size", header->grain);
	facts_bool(facts, "compressed", header->compressed);
	if (header->unclean)
		facts_bool(facts, "unclean", true);
}

void vmdk_info(const struct vmdk_image *image, struct facts *facts)
{
	const struct vmdk_descriptor *descriptor = &image->descriptor;

	descriptor_facts(image, facts);
	if (image->alone) {
		header_facts(&image->header, facts);
	} else {
		/* Of the first one there is: they are of a kind. */
		for (size_t i = 0; i < image->opened; i++) {
			if (!image->extents[i].map.header.grain)
				continue;
			header_facts(&image->extents[i].map.header, facts);
			break;
		}
	}
	facts_number(facts, "extents", descriptor->count);
	if (descriptor->parent)
		facts_text(facts, "backing-file", "%s", descriptor->parent);
	for (size_t i = 0; !image->alone && i < descriptor->count; i++)
		if (descriptor->lines[i].name)
			facts_item(facts, "data-file", "%s",
				   descriptor->lines[i].name);
}

/* Descriptor inside: 1 when more bytes are needed. */
static int peek_inside(struct vmdk_image *image, const unsigned char *head,
		       size_t len, struct err *err)
{
	struct vmdk_header *header = &image->header;

	if (len < VMDK_HEADER_LEN)
		return 1;
	if (vmdk_header_parse(head, VMDK_HOSTED, UINT64_MAX, header, err))
		return -1;
	if (!header->descriptor)
		return vmdk_refuse_part(NULL, "sparse", err);
	if (header->descriptor + header->descriptor_len > len)
		return 1;
	image->has_header = true;
	image->alone = header->size;
	if (!vmdk_descriptor_parse(head + header->descriptor,
				   (size_t)header->descriptor_len,
				   &image->descriptor, err))
		return 0;
	return image->descriptor.empty ? vmdk_refuse_part(NULL, "sparse", err)
				       : -1;
}

int vmdk_peek(const unsigned char *head, size_t len, uint64_t *size,
	      struct facts *facts, struct err *err)
{
	struct vmdk_image *image = mem_zalloc(sizeof *image);
	enum vmdk_kind kind;
	int status;

	if (!vmdk_header_kind(head, len, &kind))
		/* Only its end says that a text is whole. */
		status = len >= LIMIT_PROBE_LEN ||
			 vmdk_descriptor_parse(head, len, &image->descriptor,
					       err);
	else if (kind == VMDK_HOSTED)
		status = peek_inside(image, head, len, err);
	else
		status = vmdk_refuse_part(
			NULL, kind == VMDK_COWD ? "COWD" : "seSparse", err);
	if (!status) {
		*size = image->descriptor.size;
		vmdk_info(image, facts);
	}
	vmdk_descriptor_clear(&image->descriptor);
	free(image);
	return status;
}

enum walk_order vmdk_walk_order(const unsigned char *head, size_t len)
{
	struct vmdk_descriptor descriptor;
	struct vmdk_header header;
	enum walk_order order = WALK_NONE;
	enum vmdk_kind kind;
	const char *parent;
	struct err err;

	if (len < VMDK_HEADER_LEN || !vmdk_header_kind(head, len, &kind) ||
	    kind != VMDK_HOSTED ||
	    vmdk_header_parse(head, kind, UINT64_MAX, &header, &err) ||
	    !header.markers || !header.size)
		return WALK_NONE;
	/* The descriptor can be too far away to be seen: it says, with few
	 * exceptions, that there are no other files. */
	if (!header.descriptor ||
	    header.descriptor + header.descriptor_len > len)
		return WALK_ORDERED;
	if (!vmdk_descriptor_parse(head + header.descriptor,
				   (size_t)header.descriptor_len, &descriptor,
				   &err) &&
	    !vmdk_descriptor_parent(&descriptor, &parent, &err) && !parent &&
	    descriptor.count == 1)
		order = WALK_ORDERED;
	vmdk_descriptor_clear(&descriptor);
	return order;
}
