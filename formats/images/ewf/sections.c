/* SPDX-License-Identifier: MIT */
/* Owns the walk over a segment's sections: what they say is taken down and
 * held against each other. Reads no chunk. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "formats/images/ewf/ewf.h"

/* Largest chunk: 32768 sectors of 512 bytes is what the tools offer. */
#define CHUNK_MAX ((uint64_t)(32 * MIB))

/* Each takes a hundred bytes of the file; this many hold 2 EiB. */
#define TABLES_MAX (1u << 20)

/* A section: offsets in the joined segments. */
struct section {
	char type[EWF_TYPE_LEN + 1];
	uint64_t at, data, end;
	uint64_t file, file_end; /* of its segment */
	uint64_t from, to;	 /* of the sectors section before it; or 0 */
	unsigned number;	 /* of its segment, from 1 */
};

static bool is(const struct section *section, const char *type)
{
	return !strcmp(section->type, type);
}

/* `len` bytes of the section's data, whose sum stands at `sum`. */
static int read_summed(struct ewf_image *image, const struct section *section,
		       unsigned char *out, size_t len, size_t sum,
		       struct err *err)
{
	if (section->end - section->data < len)
		return err_set(err, ERR_DAMAGED,
			       "the section \"%s\" at %" PRIu64 " has %" PRIu64
			       " bytes, not %zu", section->type,
			       section->at - section->file,
			       section->end - section->data, len);
	if (source_read_all(&image->segments.source, out, len, section->data,
			    section->type, err))
		return -1;
	if (bytes_le32(out + sum) != ewf_adler(out, sum))
		return err_set(err, ERR_DAMAGED,
			       "the section \"%s\" at %" PRIu64
			       " does not have its checksum",
			       section->type, section->at - section->file);
	return 0;
}

static int take_numbers(struct ewf_image *image, const unsigned char *bytes,
			struct err *err)
{
	uint64_t sectors = image->smart ? bytes_le32(bytes + EWF_SECTORS)
					: bytes_le64(bytes + EWF_SECTORS);
	uint64_t chunk;

	image->chunk_count = bytes_le32(bytes + EWF_CHUNKS);
	image->chunk_sectors = bytes_le32(bytes + EWF_CHUNK_SECTORS);
	image->sector_len = bytes_le32(bytes + EWF_SECTOR_LEN);
	if (!image->chunk_sectors || !image->sector_len ||
	    !checked_mul(image->chunk_sectors, image->sector_len, &chunk) ||
	    chunk > CHUNK_MAX)
		return err_set(err, ERR_LIMIT,
			       "chunks of %u sectors of %u bytes are out of "
			       "range (1 to %" PRIu64 " bytes)",
			       image->chunk_sectors, image->sector_len,
			       CHUNK_MAX);
	if (!checked_mul(sectors, image->sector_len, &image->size) ||
	    image->size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "%" PRIu64 " sectors are more than the largest "
			       "disk has", sectors);
	image->chunk_len = (uint32_t)chunk;
	return 0;
}

static int take_volume(struct ewf_image *image, const struct section *section,
		       struct err *err)
{
	unsigned char bytes[EWF_VOLUME_LEN];
	size_t len = EWF_VOLUME_LEN;

	if (image->seen_volume)
		return err_set(err, ERR_DAMAGED, "a second section \"%s\"",
			       section->type);
	image->smart = section->end - section->data == EWF_VOLUME_SMART_LEN;
	if (image->smart)
		len = EWF_VOLUME_SMART_LEN;
	if (read_summed(image, section, bytes, len, len - EWF_SUM_LEN, err) ||
	    take_numbers(image, bytes, err))
		return -1;
	image->seen_volume = true;
	if (image->smart)
		return 0;
	image->media = bytes[EWF_MEDIA];
	image->compression = bytes[EWF_COMPRESSION];
	image->granularity = bytes_le32(bytes + EWF_GRANULARITY);
	memcpy(image->set, bytes + EWF_SET, sizeof image->set);
	return 0;
}

/* The volume's data again, in each further segment: is it of this image? Some
 * devices leave the sum out. */
static int take_data(struct ewf_image *image, const struct section *section,
		     struct err *err)
{
	unsigned char bytes[EWF_VOLUME_LEN];

	if (image->smart || section->end - section->data < sizeof bytes)
		return 0;
	if (source_read_all(&image->segments.source, bytes, sizeof bytes,
			    section->data, "section \"data\"", err))
		return -1;
	if (memcmp(bytes + EWF_SET, image->set, sizeof image->set))
		return err_set(err, ERR_DAMAGED,
			       "segment %u belongs to another image (its set "
			       "identifier differs)", section->number);
	return 0;
}

static int take_table(struct ewf_image *image, const struct section *section,
		      struct err *err)
{
	unsigned char bytes[EWF_TABLE_LEN];
	struct ewf_table table = { .first = image->chunks };
	uint64_t len, base;

	if (read_summed(image, section, bytes, sizeof bytes, EWF_TABLE_SUM,
			err))
		return -1;
	table.count = bytes_le32(bytes + EWF_TABLE_COUNT);
	base = bytes_le64(bytes + EWF_TABLE_BASE);
	table.entries = section->data + EWF_TABLE_LEN;
	table.summed = !image->smart;
	len = (uint64_t)table.count * EWF_ENTRY_LEN +
	      (table.summed ? EWF_SUM_LEN : 0);
	if (len > section->end - table.entries || len > LIMIT_TABLE_LEN)
		return err_set(err, ERR_DAMAGED,
			       "the table at %" PRIu64 " says that it has %u "
			       "entries, which is more than the section holds",
			       section->at - section->file, table.count);
	if (base > section->file_end - section->file)
		return err_set(err, ERR_DAMAGED,
			       "the table at %" PRIu64 " has the base %" PRIu64
			       ", which is past the end of the file",
			       section->at - section->file, base);
	if (!table.count)
		return 0;
	if (image->table_count == TABLES_MAX)
		return err_set(err, ERR_LIMIT, "more than %u tables",
			       TABLES_MAX);
	table.base = section->file + base;
	/* Chunks lie in the section before, or, as it was at first, behind
	 * the entries. */
	table.from = section->to ? section->from : table.entries + len;
	table.to = section->to ? section->to : section->end;
	image->chunks += table.count;
	image->table = mem_resize(image->table, image->table_count + 1,
				  sizeof *image->table);
	image->table[image->table_count++] = table;
	return 0;
}

static int take_hashes(struct ewf_image *image, const struct section *section,
		       struct err *err)
{
	static const unsigned char none[20];
	unsigned char bytes[EWF_DIGEST_LEN];
	bool both = is(section, "digest");

	if (read_summed(image, section, bytes,
			both ? EWF_DIGEST_LEN : EWF_HASH_LEN,
			both ? EWF_DIGEST_SUM : EWF_HASH_SUM, err))
		return -1;
	if (memcmp(bytes, none, sizeof image->md5)) {
		image->has_md5 = true;
		memcpy(image->md5, bytes, sizeof image->md5);
	}
	if (both && memcmp(bytes + EWF_DIGEST_SHA1, none, sizeof none)) {
		image->has_sha1 = true;
		memcpy(image->sha1, bytes + EWF_DIGEST_SHA1,
		       sizeof image->sha1);
	}
	return 0;
}

static int take_errors(struct ewf_image *image, const struct section *section,
		       struct err *err)
{
	unsigned char bytes[EWF_ERRORS_LEN];

	if (read_summed(image, section, bytes, sizeof bytes, EWF_ERRORS_SUM,
			err))
		return -1;
	image->errors = bytes_le32(bytes + EWF_ERRORS_COUNT);
	return 0;
}

/* Texts about the case, copies of tables, and what later versions added are
 * passed over. */
static int take(struct ewf_image *image, struct section *section,
		struct err *err)
{
	if (is(section, "volume") || is(section, "disk"))
		return take_volume(image, section, err);
	if (is(section, "incomplete"))
		return err_set(err, ERR_UNSUPPORTED,
			       "the image was not finished (it has a section "
			       "\"incomplete\")");
	if (is(section, "ltree"))
		return err_set(err, ERR_UNSUPPORTED,
			       "it holds single files, not a disk");
	if (is(section, "data"))
		return take_data(image, section, err);
	if (is(section, "sectors")) {
		section->from = section->data;
		section->to = section->end;
	}
	if (is(section, "table")) {
		if (!image->seen_volume)
			return err_set(err, ERR_DAMAGED,
				       "a table before the volume section");
		return take_table(image, section, err);
	}
	if (is(section, "hash") || is(section, "digest"))
		return take_hashes(image, section, err);
	if (is(section, "error2"))
		return take_errors(image, section, err);
	return 0;
}

/* The descriptor at section->at. */
static int read_descriptor(struct ewf_image *image, struct section *section,
			   bool *last, struct err *err)
{
	unsigned char bytes[EWF_SECTION_LEN];
	uint64_t at = section->at - section->file, next, size;
	uint64_t file_len = section->file_end - section->file;

	if (!checked_inside(at, sizeof bytes, file_len))
		return err_set(err, ERR_DAMAGED,
			       "a section at %" PRIu64 " lies past the end of "
			       "the file (%" PRIu64 ")", at, file_len);
	if (source_read_all(&image->segments.source, bytes, sizeof bytes,
			    section->at, "section", err))
		return -1;
	if (bytes_le32(bytes + EWF_SECTION_SUM) !=
	    ewf_adler(bytes, EWF_SECTION_SUM))
		return err_set(err, ERR_DAMAGED,
			       "the section at %" PRIu64 " does not have its "
			       "checksum", at);
	memcpy(section->type, bytes + EWF_TYPE, EWF_TYPE_LEN);
	section->type[EWF_TYPE_LEN] = '\0';
	next = bytes_le64(bytes + EWF_NEXT);
	size = bytes_le64(bytes + EWF_SIZE);
	*last = is(section, "next") || is(section, "done");
	if (*last)
		next = at + EWF_SECTION_LEN;
	else if (next < at + EWF_SECTION_LEN || next > file_len)
		return err_set(err, ERR_DAMAGED,
			       "the section after \"%s\" at %" PRIu64 " is said "
			       "to be at %" PRIu64 " of %" PRIu64,
			       section->type, at, next, file_len);
	else if (size && size != next - at)
		/* Two images could be hidden in one file. */
		return err_set(err, ERR_DAMAGED,
			       "the section \"%s\" at %" PRIu64 " has %" PRIu64
			       " bytes, but the next one is %" PRIu64
			       " further on", section->type, at, size,
			       next - at);
	section->data = section->at + EWF_SECTION_LEN;
	section->end = section->file + next;
	return 0;
}

static int check_header(struct ewf_image *image, const struct section *section,
			struct err *err)
{
	unsigned char bytes[EWF_HEADER_LEN];
	unsigned number;

	if (source_read_all(&image->segments.source, bytes, sizeof bytes,
			    section->file, "file header", err))
		return -1;
	if (memcmp(bytes, EWF_SIGNATURE, EWF_SIGNATURE_LEN))
		return err_set(err, ERR_UNSUPPORTED,
			       "not an E01 or S01 file by its first bytes "
			       "(Ex01, L01 and Lx01 are not read)");
	number = bytes_le16(bytes + EWF_SEGMENT);
	if (number == section->number)
		return 0;
	if (section->number == 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "this is segment %u; give the first one", number);
	return err_set(err, ERR_DAMAGED, "segment %u is wanted, this is %u",
		       section->number, number);
}

int ewf_sections_read(struct ewf_image *image, struct err *err)
{
	const struct ewf_segments *segments = &image->segments;
	struct section section = {
		.number = segments->count,
		.file = segments->start[segments->count - 1],
		.file_end = segments->start[segments->count],
	};
	bool last = false;

	if (check_header(image, &section, err))
		return -1;
	/* Ends: each section begins behind the one before. */
	for (section.at = section.file + EWF_HEADER_LEN; !last;
	     section.at = section.end)
		if (read_descriptor(image, &section, &last, err) ||
		    take(image, &section, err))
			return -1;
	if (!image->seen_volume)
		return err_set(err, ERR_DAMAGED, "there is no volume section");
	image->more = is(&section, "next");
	return 0;
}

int ewf_sections_finish(struct ewf_image *image, struct err *err)
{
	uint64_t chunks = div_up(image->size, image->chunk_len);

	if (image->chunks == chunks && image->chunk_count == chunks)
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "the tables have %" PRIu64 " chunks and the volume says "
		       "%u, but its %" PRIu64 " bytes are %" PRIu64 " chunks",
		       image->chunks, image->chunk_count, image->size, chunks);
}
