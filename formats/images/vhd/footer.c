/* SPDX-License-Identifier: MIT */
/*
 * Owns the footer: finding it, holding it against its copy, its fields and
 * their ranges, and which of its two sizes is the guest's. Repairs nothing.
 */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/images/vhd/vhd.h"

uint32_t vhd_sum(const unsigned char *bytes, size_t len, size_t at)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		if (i < at || i >= at + 4)
			sum += bytes[i];
	return ~sum;
}

static bool is_footer(const unsigned char *bytes)
{
	return !memcmp(bytes, VHD_COOKIE, VHD_COOKIE_LEN);
}

static bool is_sound(const unsigned char *bytes, size_t len)
{
	return is_footer(bytes) &&
	       vhd_sum(bytes, len, VHD_SUM) == bytes_be32(bytes + VHD_SUM);
}

void vhd_ends_tail(const unsigned char *tail, size_t tail_len, uint64_t size,
		   struct vhd_ends *out)
{
	memset(out, 0, sizeof *out);
	out->len = VHD_FOOTER_LEN;
	for (size_t len = VHD_FOOTER_LEN; len >= VHD_FOOTER_OLD_LEN; len--) {
		const unsigned char *footer = tail + tail_len - len;

		if (tail_len < len || !is_footer(footer))
			continue;
		out->len = len;
		out->has_tail = true;
		out->tail_sound = is_sound(footer, len);
		memcpy(out->tail, footer, len);
		break;
	}
	out->place = size - min_u64(size, out->len);
}

int vhd_ends_read(struct source *source, struct vhd_ends *out, struct err *err)
{
	unsigned char tail[VHD_FOOTER_LEN];
	size_t len = (size_t)min_u64(sizeof tail, source->size), got;

	if (source_read_all(source, tail, len, source->size - len, "footer",
			    err))
		return -1;
	vhd_ends_tail(tail, len, source->size, out);
	if (source_read(source, out->start, VHD_FOOTER_LEN, 0, &got, err))
		return -1;
	/* A lone footer (of a fixed disk of nothing) is not its own copy. */
	if (got == VHD_FOOTER_LEN && (out->place || !out->has_tail)) {
		out->has_start = is_footer(out->start);
		/* The missing byte of an old one is not counted. */
		out->start_sound = is_sound(out->start, out->len);
	}
	return 0;
}

bool vhd_ends_agree(const struct vhd_ends *ends)
{
	/* Not the time, nor the checksum that it changes, nor what is
	 * reserved, where a product keeps a flag of its own. */
	static const struct {
		size_t from, to;
	} part[] = { { VHD_FEATURES, VHD_TIME },
		     { VHD_CREATOR, VHD_SUM },
		     { VHD_UUID, VHD_SAVED + 1 } };

	for (size_t i = 0; i < sizeof part / sizeof *part; i++)
		if (memcmp(ends->tail + part[i].from,
			   ends->start + part[i].from,
			   part[i].to - part[i].from))
			return false;
	return true;
}

static int refuse_tail(const struct vhd_ends *ends, struct err *err)
{
	if (!ends->has_tail)
		return err_set(err, ERR_DAMAGED,
			       "there is no footer at the end of the file%s",
			       ends->start_sound
				       ? ", but a sound copy at its start: it "
					 "was cut short or something was "
					 "appended; get it again, or put the "
					 "copy where the last block ends"
				       : "");
	return err_set(err, ERR_DAMAGED,
		       "checksum 0x%08x of the footer at %" PRIu64
		       " is not 0x%08x%s",
		       bytes_be32(ends->tail + VHD_SUM), ends->place,
		       vhd_sum(ends->tail, ends->len, VHD_SUM),
		       ends->start_sound
			       ? ", but its copy at the start is sound: if the "
				 "rest is, put the first 512 bytes there"
			       : "");
}

int vhd_ends_check(const struct vhd_ends *ends, struct err *err)
{
	bool fixed = bytes_be32(ends->tail + VHD_TYPE) == VHD_FIXED;

	if (!ends->tail_sound)
		return refuse_tail(ends, err);
	/* A fixed disk begins with the guest's bytes. */
	if (fixed && ends->start_sound)
		return err_set(err, ERR_DAMAGED,
			       "the footer at the end is of a fixed disk, but "
			       "the file begins with the footer of a dynamic "
			       "one: which of them holds cannot be told");
	if (fixed)
		return 0;
	if (!ends->start_sound)
		return err_set(err, ERR_DAMAGED,
			       "the copy of the footer at the start is %s, "
			       "but the one at the end is sound: if the rest "
			       "is, put that one at 0",
			       ends->has_start ? "damaged (checksum)"
					       : "missing");
	if (!vhd_ends_agree(ends))
		return err_set(err, ERR_DAMAGED,
			       "the footer and its copy at the start are both "
			       "sound but say different things");
	return 0;
}

static bool creator_is(const struct vhd_footer *footer, const char *name)
{
	return !memcmp(footer->creator, name, sizeof footer->creator);
}

uint64_t vhd_geometry_size(uint16_t cylinders, uint8_t heads, uint8_t track)
{
	return (uint64_t)cylinders * heads * track * VHD_SECTOR;
}

void vhd_geometry(uint64_t size, uint16_t *cylinders, uint8_t *heads,
		  uint8_t *track)
{
	const uint64_t most = (uint64_t)VHD_CYLINDERS_MAX * VHD_HEADS_MAX;
	uint64_t sectors = min_u64(size / VHD_SECTOR, most * VHD_TRACK_MAX);
	uint64_t tracks, wide;

	*heads = VHD_HEADS_MAX;
	*track = VHD_TRACK_MAX;
	if (sectors < most * 63) {
		*track = 17;
		tracks = sectors / *track;
		wide = max_u64(4, div_up(tracks, 1024));
		if (wide > VHD_HEADS_MAX || tracks >= wide * 1024) {
			*track = 31;
			wide = VHD_HEADS_MAX;
			tracks = sectors / *track;
		}
		if (tracks >= wide * 1024)
			*track = 63;
		*heads = (uint8_t)wide;
	}
	*cylinders = (uint16_t)(sectors / *track / *heads);
}

/*
 * Virtual PC and early QEMU mean the geometry when they say how large the disk
 * is; everybody else means the footer's size. So does everybody where the
 * geometry is the largest one there is: it says nothing then. These are the
 * rules of QEMU since version 10; before, it took the geometry for each
 * creator that it did not know. A geometry of nothing, or of more than the
 * footer's size, cannot be meant.
 */
static void choose_size(struct vhd_footer *footer)
{
	uint64_t chs = vhd_geometry_size(footer->cylinders, footer->heads,
					 footer->track);
	uint64_t most = vhd_geometry_size(VHD_CYLINDERS_MAX, VHD_HEADS_MAX,
					  VHD_TRACK_MAX);

	footer->by_chs =
		(creator_is(footer, "vpc ") || creator_is(footer, "qemu")) &&
		chs && chs != most && chs <= footer->current_size;
	footer->size = footer->by_chs ? chs : footer->current_size;
}

void vhd_footer_tell(const struct vhd_footer *footer, struct log *log)
{
	uint64_t chs = vhd_geometry_size(footer->cylinders, footer->heads,
					 footer->track);

	log_detail(log,
		   "vhd: the size is the %s: creator \"%.4s\", geometry "
		   "%u/%u/%u (%" PRIu64 " bytes), footer's size %" PRIu64,
		   footer->by_chs ? "geometry's" : "footer's", footer->creator,
		   footer->cylinders, footer->heads, footer->track, chs,
		   footer->current_size);
	if (footer->by_chs && footer->size != footer->current_size)
		log_note(log,
			 "vhd: the disk is %" PRIu64 " bytes by its geometry, "
			 "as its creator \"%.4s\" has it; the footer's size is "
			 "%" PRIu64,
			 footer->size, footer->creator, footer->current_size);
	if (footer->type == VHD_FIXED && footer->place > footer->current_size)
		log_note(log,
			 "vhd: %" PRIu64 " bytes between the end of the disk "
			 "and the footer are not part of it",
			 footer->place - footer->current_size);
}

static int check_fields(const struct vhd_footer *footer, uint32_t version,
			uint32_t type, struct err *err)
{
	uint32_t known = VHD_FEATURE_TEMPORARY | VHD_FEATURE_RESERVED;

	if (version >> 16 != VHD_VERSION_1 >> 16)
		return err_set(err, ERR_UNSUPPORTED,
			       "format version %u.%u is not supported (1.0 is)",
			       version >> 16, version & 0xffff);
	if (footer->features & ~known)
		return err_set(err, ERR_UNSUPPORTED,
			       "unknown features 0x%08x (known: 0x%08x)",
			       footer->features & ~known, known);
	if (type < VHD_FIXED || type > VHD_DIFFERENCING)
		return err_set(err, ERR_UNSUPPORTED,
			       "disk type %u is not supported (2 fixed, 3 "
			       "dynamic, 4 differencing)",
			       type);
	if (footer->current_size % VHD_SECTOR)
		return err_set(err, ERR_DAMAGED,
			       "current size %" PRIu64
			       " is not whole sectors of %u bytes",
			       footer->current_size, VHD_SECTOR);
	if (footer->current_size > VHD_SIZE_MAX)
		return err_set(err, ERR_DAMAGED,
			       "current size %" PRIu64
			       " is out of range (0..%" PRIu64 ")",
			       footer->current_size, VHD_SIZE_MAX);
	/* Its first version numbered the bits of bitmaps the other way. */
	if (type != VHD_FIXED && creator_is(footer, "tap\0") &&
	    footer->creator_version == 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "creator \"tap\" version 0.1 has sector bitmaps "
			       "in another order, which is not supported");
	return 0;
}

int vhd_footer_parse(const unsigned char *bytes, size_t len, uint64_t place,
		     struct vhd_footer *out, struct err *err)
{
	uint32_t version = bytes_be32(bytes + VHD_FORMAT_VERSION);
	uint32_t type = bytes_be32(bytes + VHD_TYPE);

	memset(out, 0, sizeof *out);
	out->place = place;
	out->len = len;
	out->features = bytes_be32(bytes + VHD_FEATURES);
	out->data_offset = bytes_be64(bytes + VHD_DATA_OFFSET);
	out->time = bytes_be32(bytes + VHD_TIME);
	memcpy(out->creator, bytes + VHD_CREATOR, sizeof out->creator);
	out->creator_version = bytes_be32(bytes + VHD_CREATOR_VERSION);
	memcpy(out->creator_os, bytes + VHD_CREATOR_OS, sizeof out->creator_os);
	out->original_size = bytes_be64(bytes + VHD_ORIGINAL_SIZE);
	out->current_size = bytes_be64(bytes + VHD_CURRENT_SIZE);
	out->cylinders = bytes_be16(bytes + VHD_CYLINDERS);
	out->heads = bytes[VHD_HEADS];
	out->track = bytes[VHD_TRACK];
	memcpy(out->uuid, bytes + VHD_UUID, sizeof out->uuid);
	out->saved = bytes[VHD_SAVED];
	if (check_fields(out, version, type, err))
		return -1;
	out->type = (enum vhd_type)type;
	choose_size(out);
	return 0;
}

int vhd_footer_read(struct source *source, struct vhd_footer *out,
		    struct err *err)
{
	struct vhd_ends ends;

	if (vhd_ends_read(source, &ends, err) || vhd_ends_check(&ends, err) ||
	    vhd_footer_parse(ends.tail, ends.len, ends.place, out, err))
		return -1;
	if (out->type == VHD_FIXED && out->size > out->place)
		return err_set(err, ERR_DAMAGED,
			       "a fixed disk of %" PRIu64 " bytes is cut "
			       "short: %" PRIu64 " are in front of the footer",
			       out->size, out->place);
	return 0;
}

int vhd_footer_check_state(const struct vhd_footer *footer, struct err *err)
{
	if (footer->saved)
		return err_set(err, ERR_UNSUPPORTED,
			       "the disk is part of a machine's saved state: "
			       "resume and shut down the machine first");
	return 0;
}
