/* SPDX-License-Identifier: MIT */
/* Owns the check: every table and chunk against its sum, no byte of the files
 * in two places, the media against the hashes that were taken of it. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/ewf/ewf.h"
#include "formats/usage.h"
#include "io/digest.h"

struct media {
	struct digest *md5, *sha1; /* NULL: none to compare with */
	bool whole;		   /* all chunks were readable */
};

/* Chunks in a row share nothing. */
static int claim_chunks(struct ewf_image *image, struct usage *usage,
			struct check_report *report, struct err *err)
{
	struct ewf_chunk chunk;
	struct err found;

	for (uint64_t i = 0; i < image->chunks; i++) {
		if (ewf_tables_find(image, i, &chunk, &found))
			continue; /* told when it is read */
		if (usage_claim(usage, report, "chunk", chunk.place,
				chunk.room, err))
			return -1;
	}
	return 0;
}

static int read_media(struct disk *disk, struct media *media,
		      struct check_report *report)
{
	AUTO_FREE unsigned char *buf = mem_buffer(disk->granule);
	struct err found;

	/* Ends: each turn moves on by a chunk. */
	for (uint64_t at = 0; at < disk->size; at += disk->granule) {
		size_t len = (size_t)min_u64(disk->granule, disk->size - at);
		if (disk_read(disk, buf, len, at, &found)) {
			check_corruption(report, "%s", found.message);
			media->whole = false;
			continue;
		}
		if (media->md5)
			digest_add(media->md5, buf, len);
		if (media->sha1)
			digest_add(media->sha1, buf, len);
	}
	return 0;
}

static void compare_hash(struct digest *digest, const char *name,
			 const unsigned char *wanted, size_t len,
			 struct check_report *report)
{
	unsigned char found[DIGEST_LEN];

	digest_get(digest, found);
	if (memcmp(found, wanted, len))
		check_corruption(report,
				 "the media does not have the %s that the "
				 "image says it has", name);
}

int ewf_check(struct source *source, const struct open_options *options,
	      struct check_report *report, struct err *err)
{
	struct open_options whole = *options;
	struct media media = { .whole = true };
	struct ewf_image *image;
	struct usage *usage;
	int result;

	/* Without the other segments there is nothing to compare with. */
	whole.metadata_only = false;
	AUTO_DISK struct disk *disk = ewf_open(source, &whole, err);
	if (!disk)
		return -1;
	image = ewf_image_of(disk);
	usage = usage_open(image->segments.source.size);
	result = claim_chunks(image, usage, report, err);
	if (!result)
		usage_report(usage, report, 0);
	usage_close(usage);
	if (result)
		return -1;
	media.md5 = image->has_md5 ? digest_open_md5() : NULL;
	media.sha1 = image->has_sha1 ? digest_open_sha1() : NULL;
	result = read_media(disk, &media, report);
	if (media.whole && media.md5)
		compare_hash(media.md5, "MD5", image->md5, sizeof image->md5,
			     report);
	if (media.whole && media.sha1)
		compare_hash(media.sha1, "SHA-1", image->sha1,
			     sizeof image->sha1, report);
	digest_close(media.md5);
	digest_close(media.sha1);
	return result;
}
