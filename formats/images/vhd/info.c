/* SPDX-License-Identifier: MIT */
/* Owns how a VHD's facts are named for `info`, and what of them stands at the
 * start of a stream. */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "formats/identity.h"
#include "formats/images/vhd/vhd.h"

static const char *type_name(enum vhd_type type)
{
	switch (type) {
	case VHD_FIXED:
		return "fixed";
	case VHD_DYNAMIC:
		return "dynamic";
	case VHD_DIFFERENCING:
		break;
	}
	return "differencing";
}

/* Four letters without the blanks and NULs behind them. */
static void letters_fact(const char letters[4], const char *name,
			 struct facts *facts)
{
	int len = 4;

	while (len && (!letters[len - 1] || letters[len - 1] == ' '))
		len--;
	facts_text(facts, name, "%.*s", len, letters);
}

static void time_fact(uint32_t seconds, const char *name, struct facts *facts)
{
	time_t time = (time_t)seconds + VHD_EPOCH;
	struct tm parts;
	char date[32];

	if (seconds && gmtime_r(&time, &parts) &&
	    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &parts))
		facts_text(facts, name, "%s", date);
}

static void uuid_fact(const unsigned char *uuid, const char *name,
		      struct facts *facts)
{
	char text[IDENTITY_TEXT_LEN];

	identity_text(uuid, text);
	facts_text(facts, name, "%s", text);
}

void vhd_info(const struct vhd_footer *footer, const struct vhd_header *header,
	      const struct vhd_names *names, struct facts *facts)
{
	facts_text(facts, "subformat", "%s", type_name(footer->type));
	letters_fact(footer->creator, "creator", facts);
	facts_text(facts, "creator-version", "%u.%u",
		   footer->creator_version >> 16,
		   footer->creator_version & 0xffff);
	letters_fact(footer->creator_os, "creator-os", facts);
	uuid_fact(footer->uuid, "uuid", facts);
	time_fact(footer->time, "time", facts);
	facts_text(facts, "geometry", "%u/%u/%u", footer->cylinders,
		   footer->heads, footer->track);
	facts_text(facts, "size-by", "%s",
		   footer->by_chs ? "geometry" : "footer");
	facts_number(facts, "footer-size", footer->current_size);
	facts_bool(facts, "temporary",
		   footer->features & VHD_FEATURE_TEMPORARY);
	facts_bool(facts, "saved-state", footer->saved);
	if (footer->type == VHD_FIXED && footer->place != UINT64_MAX &&
	    footer->place > footer->current_size)
		facts_number(facts, "gap",
			     footer->place - footer->current_size);
	if (header)
		facts_number(facts, "block-size", header->block_size);
	if (footer->type != VHD_DIFFERENCING)
		return;
	facts_text(facts, "backing-file", "%s",
		   names && names->count ? names->name[0] : "(not named)");
	facts_text(facts, "backing-format", "vhd");
	if (!header)
		return;
	uuid_fact(header->parent_uuid, "parent-uuid", facts);
	time_fact(header->parent_time, "parent-time", facts);
}

int vhd_peek(const unsigned char *head, size_t len, uint64_t *size,
	     struct facts *facts, struct err *err)
{
	struct vhd_names names = { 0 };
	struct vhd_footer footer;
	struct vhd_header header;
	const unsigned char *at;

	/* A fixed disk tells nothing of itself before its end. */
	if (len < VHD_FOOTER_LEN || vhd_walk_order(head, len) == WALK_ORDERED)
		return 1;
	if (vhd_sum(head, VHD_FOOTER_LEN, VHD_SUM) !=
	    bytes_be32(head + VHD_SUM))
		return err_set(err, ERR_DAMAGED,
			       "checksum of the footer's copy at the start is "
			       "wrong");
	if (vhd_footer_parse(head, VHD_FOOTER_LEN, UINT64_MAX, &footer, err))
		return -1;
	*size = footer.size;
	if (footer.type == VHD_FIXED)
		return 1;
	if (len < VHD_HEADER_LEN || footer.data_offset > len - VHD_HEADER_LEN) {
		vhd_info(&footer, NULL, NULL, facts);
		return 0;
	}
	at = head + footer.data_offset;
	if (vhd_header_parse(at, &footer, UINT64_MAX, &header, err) ||
	    vhd_names_read(NULL, at, &names, err))
		return -1;
	vhd_info(&footer, &header, &names, facts);
	vhd_names_clear(&names);
	return 0;
}
