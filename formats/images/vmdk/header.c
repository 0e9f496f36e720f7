/* SPDX-License-Identifier: MIT */
/* Owns the headers of hosted sparse and COWD extents and the footer: out of
 * bytes, every field in range. Does not read tables. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "formats/images/vmdk/vmdk.h"

bool vmdk_header_kind(const unsigned char *bytes, size_t len,
		      enum vmdk_kind *kind)
{
	if (len >= 8 && bytes_le32(bytes) == VMDK_MAGIC)
		*kind = VMDK_HOSTED;
	else if (len >= 8 && bytes_le32(bytes) == COWD_MAGIC)
		*kind = VMDK_COWD;
	else if (len >= 8 && bytes_le64(bytes) == SESPARSE_MAGIC)
		*kind = VMDK_SESPARSE;
	else
		return false;
	return true;
}

size_t vmdk_header_len(enum vmdk_kind kind)
{
	return kind == VMDK_COWD ? COWD_HEADER_LEN : VMDK_HEADER_LEN;
}

static bool touches(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

const char *vmdk_header_overlap(const struct vmdk_header *header,
				uint64_t offset, uint64_t length)
{
	if (offset < vmdk_header_len(header->kind))
		return "header";
	if (header->descriptor && touches(offset, length, header->descriptor,
					  header->descriptor_len))
		return "descriptor";
	if (!header->gd_at_end && header->gd &&
	    touches(offset, length, header->gd,
		    header->gd_entries * header->entry_len))
		return "grain directory";
	return NULL;
}

int vmdk_header_check_gd(const struct vmdk_header *header, uint64_t gd,
			 const char *what, uint64_t file_size, struct err *err)
{
	uint64_t length = header->gd_entries * header->entry_len;

	if (gd < vmdk_header_len(header->kind))
		return err_set(err, ERR_DAMAGED,
			       "%s at %" PRIu64 " lies in the header", what,
			       gd);
	if (header->descriptor && touches(gd, length, header->descriptor,
					  header->descriptor_len))
		return err_set(err, ERR_DAMAGED,
			       "%s at %" PRIu64 " overlaps the descriptor",
			       what, gd);
	if (!checked_inside(gd, length, file_size))
		return err_set(err, ERR_DAMAGED,
			       "%s at %" PRIu64 " (%" PRIu64 " bytes) lies "
			       "past the end of the file (%" PRIu64 ")",
			       what, gd, length, file_size);
	return 0;
}

/* A place or size in sectors, as bytes that leave room for sums. */
static int to_bytes(uint64_t sectors, const char *what, uint64_t *out,
		    struct err *err)
{
	if (sectors > LIMIT_DISK_SIZE / VMDK_SECTOR)
		return err_set(err, ERR_LIMIT,
			       "%s of %" PRIu64 " sectors is more than the "
			       "%" PRIu64 " that are possible",
			       what, sectors, LIMIT_DISK_SIZE / VMDK_SECTOR);
	*out = sectors * VMDK_SECTOR;
	return 0;
}

static int set_geometry(uint64_t capacity, uint64_t grain, uint64_t grain_min,
			struct vmdk_header *out, struct err *err)
{
	if (!is_power_of_two(grain) || grain < grain_min ||
	    grain > VMDK_GRAIN_MAX)
		return err_set(err, ERR_DAMAGED,
			       "a grain of %" PRIu64 " sectors is not a power "
			       "of two from %" PRIu64 " to %u",
			       grain, grain_min, VMDK_GRAIN_MAX);
	if (to_bytes(capacity, "a capacity", &out->size, err))
		return -1;
	out->grain = (uint32_t)(grain * VMDK_SECTOR);
	out->span = (uint64_t)out->grain * out->entries;
	out->gd_entries = div_up(out->size, out->span);
	return 0;
}

/* A transfer as text turns "\n" into "\r\n" or the other way round. */
static int check_newlines(const unsigned char *bytes, uint32_t flags,
			  struct err *err)
{
	const unsigned char *at = bytes + VMDK_NEWLINES;

	if (!(flags & VMDK_FLAG_NEWLINES) ||
	    !memcmp(at, VMDK_NEWLINES_TEXT, VMDK_NEWLINES_LEN))
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "the four newline bytes are %02x %02x %02x %02x (0a 20 "
		       "0d 0a): the file was changed by a transfer as text; "
		       "fetch it again as binary",
		       at[0], at[1], at[2], at[3]);
}

static int parse_flags(const unsigned char *bytes, struct vmdk_header *out,
		       struct err *err)
{
	uint32_t flags = bytes_le32(bytes + VMDK_FLAGS);
	unsigned method = bytes_le16(bytes + VMDK_COMPRESSION);

	if (check_newlines(bytes, flags, err))
		return -1;
	if (flags & ~VMDK_FLAGS_KNOWN)
		return err_set(err, ERR_UNSUPPORTED,
			       "unknown flags 0x%08" PRIx32 " (0x%08x are "
			       "known)", flags, VMDK_FLAGS_KNOWN);
	if (method > VMDK_COMPRESSION_DEFLATE)
		return err_set(err, ERR_UNSUPPORTED,
			       "compression method %u is unknown (0 none, 1 "
			       "deflate)", method);
	out->compressed = flags & VMDK_FLAG_COMPRESSED;
	out->markers = flags & VMDK_FLAG_MARKERS;
	out->zero_grains = flags & VMDK_FLAG_ZERO_GRAINS;
	if (out->compressed != (method == VMDK_COMPRESSION_DEFLATE))
		return err_set(err, ERR_DAMAGED,
			       "flags 0x%08" PRIx32 " and compression method "
			       "%u contradict each other", flags, method);
	if (out->markers && !out->compressed)
		return err_set(err, ERR_UNSUPPORTED,
			       "markers before grains that are not "
			       "compressed");
	return 0;
}

static int parse_descriptor(const unsigned char *bytes, uint64_t file_size,
			    struct vmdk_header *out, struct err *err)
{
	uint64_t at = bytes_le64(bytes + VMDK_DESCRIPTOR);
	uint64_t length = bytes_le64(bytes + VMDK_DESCRIPTOR_LEN);

	if (!at)
		return 0;
	if (to_bytes(at, "a descriptor's place", &out->descriptor, err))
		return -1;
	if (!length || length > VMDK_DESCRIPTOR_MAX / VMDK_SECTOR)
		return err_set(err, ERR_DAMAGED,
			       "a descriptor of %" PRIu64 " sectors is out of "
			       "range (1 to %u)", length,
			       VMDK_DESCRIPTOR_MAX / VMDK_SECTOR);
	out->descriptor_len = length * VMDK_SECTOR;
	if (!checked_inside(out->descriptor, out->descriptor_len, file_size))
		return err_set(err, ERR_DAMAGED,
			       "descriptor at %" PRIu64 " lies past the end "
			       "of the file (%" PRIu64 ")", out->descriptor,
			       file_size);
	return 0;
}

static int parse_directories(const unsigned char *bytes, uint64_t file_size,
			     struct vmdk_header *out, struct err *err)
{
	uint64_t gd = bytes_le64(bytes + VMDK_GD);
	uint64_t rgd = bytes_le64(bytes + VMDK_RGD);
	bool redundant = bytes_le32(bytes + VMDK_FLAGS) & VMDK_FLAG_REDUNDANT;

	out->gd_at_end = gd == VMDK_GD_AT_END;
	if (redundant && rgd && rgd != VMDK_GD_AT_END &&
	    to_bytes(rgd, "a redundant directory's place", &out->rgd, err))
		return -1;
	if (out->gd_at_end || !out->size)
		return 0;
	if (to_bytes(gd, "a directory's place", &out->gd, err))
		return -1;
	return vmdk_header_check_gd(out, out->gd, "grain directory", file_size,
				    err);
}

static int parse_hosted(const unsigned char *bytes, uint64_t file_size,
			struct vmdk_header *out, struct err *err)
{
	out->version = bytes_le32(bytes + VMDK_VERSION);
	if (out->version < 1 || out->version > 3)
		return err_set(err, ERR_UNSUPPORTED,
			       "version %" PRIu32 " is unknown (1 to 3)",
			       out->version);
	if (parse_flags(bytes, out, err))
		return -1;
	out->entries = bytes_le32(bytes + VMDK_TABLE_ENTRIES);
	out->entry_len = VMDK_ENTRY_LEN;
	if (!is_power_of_two(out->entries) ||
	    out->entries < VMDK_TABLE_ENTRIES_MIN ||
	    out->entries > VMDK_TABLE_ENTRIES_MAX)
		return err_set(err, ERR_DAMAGED,
			       "%" PRIu32 " entries in a grain table are not a "
			       "power of two from %u to %u", out->entries,
			       VMDK_TABLE_ENTRIES_MIN, VMDK_TABLE_ENTRIES_MAX);
	if (set_geometry(bytes_le64(bytes + VMDK_CAPACITY),
			 bytes_le64(bytes + VMDK_GRAIN), VMDK_GRAIN_MIN, out,
			 err) ||
	    to_bytes(bytes_le64(bytes + VMDK_OVERHEAD), "overhead",
		     &out->overhead, err) ||
	    parse_descriptor(bytes, file_size, out, err))
		return -1;
	out->unclean = bytes[VMDK_UNCLEAN];
	if (!out->size && !out->descriptor)
		return err_set(err, ERR_DAMAGED,
			       "the capacity is 0, and there is no "
			       "descriptor");
	return parse_directories(bytes, file_size, out, err);
}

static int parse_cowd(const unsigned char *bytes, uint64_t file_size,
		      struct vmdk_header *out, struct err *err)
{
	uint64_t stored = bytes_le32(bytes + COWD_GD_ENTRIES);

	out->version = bytes_le32(bytes + COWD_VERSION);
	if (out->version != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "COWD version %" PRIu32 " is unknown (1)",
			       out->version);
	out->entries = COWD_TABLE_ENTRIES;
	out->entry_len = VMDK_ENTRY_LEN;
	if (set_geometry(bytes_le32(bytes + COWD_CAPACITY),
			 bytes_le32(bytes + COWD_GRAIN), 1, out, err))
		return -1;
	if (!out->size)
		return err_set(err, ERR_DAMAGED, "the capacity is 0");
	if (stored < out->gd_entries)
		return err_set(err, ERR_DAMAGED,
			       "the grain directory has %" PRIu64 " entries, "
			       "but the capacity takes %" PRIu64,
			       stored, out->gd_entries);
	out->gd = (uint64_t)bytes_le32(bytes + COWD_GD) * VMDK_SECTOR;
	out->overhead = COWD_HEADER_LEN;
	out->unclean = bytes_le32(bytes + COWD_UNCLEAN);
	return vmdk_header_check_gd(out, out->gd, "grain directory", file_size,
				    err);
}

int vmdk_header_parse(const unsigned char *bytes, enum vmdk_kind kind,
		      uint64_t file_size, struct vmdk_header *out,
		      struct err *err)
{
	memset(out, 0, sizeof *out);
	out->kind = kind;
	switch (kind) {
	case VMDK_HOSTED:
		return parse_hosted(bytes, file_size, out, err);
	case VMDK_COWD:
		return parse_cowd(bytes, file_size, out, err);
	case VMDK_SESPARSE:
		break;
	}
	if (vmdk_sesparse_parse(bytes, out, err))
		return -1;
	return vmdk_header_check_gd(out, out->gd, "grain directory", file_size,
				    err);
}

static bool is_marker(const unsigned char *at, uint32_t type)
{
	return !bytes_le32(at + VMDK_MARKER_SIZE) &&
	       bytes_le32(at + VMDK_MARKER_TYPE) == type;
}

/* The last three sectors: the footer's marker, the footer, the end. The
 * footer repeats the header, but for the directory's place. */
static int read_footer(struct source *source, struct vmdk_header *header,
		       struct err *err)
{
	unsigned char last[VMDK_FOOTER_MARKER_BACK];
	const unsigned char *footer = last + VMDK_SECTOR;
	struct vmdk_header said;

	if (source->size < sizeof last + VMDK_HEADER_LEN)
		return err_set(err, ERR_DAMAGED,
			       "the file of %" PRIu64 " bytes ends before its "
			       "footer", source->size);
	if (source_read_all(source, last, sizeof last,
			    source->size - sizeof last, "footer", err))
		return -1;
	if (!is_marker(last, VMDK_MARKER_FOOTER) ||
	    !is_marker(footer + VMDK_SECTOR, VMDK_MARKER_END) ||
	    bytes_le32(footer) != VMDK_MAGIC)
		return err_set(err, ERR_DAMAGED,
			       "there is no footer at the end of the file "
			       "(%" PRIu64 "): it is cut short, or something "
			       "follows it", source->size);
	if (vmdk_header_parse(footer, VMDK_HOSTED, source->size, &said, err))
		return err_in(err, "footer");
	if (said.gd_at_end)
		return err_set(err, ERR_DAMAGED,
			       "the footer does not say where the grain "
			       "directory is");
	if (said.size != header->size || said.grain != header->grain ||
	    said.entries != header->entries ||
	    said.markers != header->markers)
		return err_set(err, ERR_DAMAGED,
			       "header and footer disagree (%" PRIu64 " and "
			       "%" PRIu64 " bytes, grains of %" PRIu32
			       " and %" PRIu32 ")", header->size, said.size,
			       header->grain, said.grain);
	header->gd = said.gd;
	header->rgd = said.rgd;
	header->gd_at_end = false;
	return 0;
}

int vmdk_header_read(struct source *source, struct vmdk_header *out,
		     struct err *err)
{
	unsigned char bytes[COWD_HEADER_LEN];
	enum vmdk_kind kind;
	size_t len;

	if (source_read_all(source, bytes, 8, 0, "header", err))
		return -1;
	if (!vmdk_header_kind(bytes, 8, &kind))
		return err_set(err, ERR_DAMAGED,
			       "the file is not a sparse extent");
	len = vmdk_header_len(kind);
	if (source_read_all(source, bytes, len, 0, "header", err) ||
	    vmdk_header_parse(bytes, kind, source->size, out, err))
		return -1;
	if (kind == VMDK_SESPARSE)
		return vmdk_sesparse_check(source,
					   vmdk_sesparse_volatile(bytes), err);
	return out->gd_at_end && out->size ? read_footer(source, out, err) : 0;
}
