/* SPDX-License-Identifier: MIT */
/* Owns header, choice of the disk, and extents, the same for files and
 * streams. Does not look at what blocks hold. */
#include "formats/images/vma/vma.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/member.h"
#include "io/digest.h"

#define ULL(x) ((unsigned long long)(x))

/* The MD5 of `bytes`, whose own place at `at` counts as zero. */
static int check_md5(unsigned char *bytes, size_t len, size_t at,
		     uint64_t place, struct err *err)
{
	unsigned char wanted[DIGEST_MD5_LEN], found[DIGEST_MD5_LEN];
	struct digest *digest = digest_open_md5();

	if (!digest)
		return err_set(err, ERR_UNSUPPORTED,
			       "the crypto library refuses MD5, which "
			       "this format is verified with");
	memcpy(wanted, bytes + at, sizeof wanted);
	memset(bytes + at, 0, sizeof wanted);
	digest_add(digest, bytes, len);
	digest_get(digest, found);
	digest_close(digest);
	if (memcmp(wanted, found, sizeof found))
		return err_set(err, ERR_DAMAGED,
			       "the header at %llu has a wrong MD5",
			       ULL(place));
	return 0;
}

/* The name at `at` of the blobs: printable, ended, inside. */
static int blob_name(const unsigned char *blobs, uint32_t blobs_len,
		     uint32_t at, char out[VMA_NAME_LEN], struct err *err)
{
	uint32_t len;

	if (at > blobs_len || blobs_len - at < 2)
		return err_set(err, ERR_DAMAGED,
			       "a name at %lu lies past the blobs' %lu "
			       "bytes",
			       (unsigned long)at, (unsigned long)blobs_len);
	len = bytes_le16(blobs + at);
	if (len > blobs_len - at - 2)
		return err_set(err, ERR_DAMAGED,
			       "a name of %lu bytes at %lu lies past the "
			       "blobs' %lu bytes",
			       (unsigned long)len, (unsigned long)at,
			       (unsigned long)blobs_len);
	len = (uint32_t)strnlen((const char *)blobs + at + 2, len);
	if (!len || len >= VMA_NAME_LEN)
		return err_set(err, ERR_UNSUPPORTED,
			       "a device's name has %lu bytes (1..%d)",
			       (unsigned long)len, VMA_NAME_LEN - 1);
	memcpy(out, blobs + at + 2, len);
	out[len] = '\0';
	return 0;
}

static int parse_devices(const unsigned char *head, struct vma_header *header,
			 struct err *err)
{
	uint32_t blobs_at = bytes_be32(head + 48);
	uint32_t blobs_len = bytes_be32(head + 52);

	if (blobs_at < VMA_HEAD_LEN ||
	    !checked_inside(blobs_at, blobs_len, header->len))
		return err_set(err, ERR_DAMAGED,
			       "%lu bytes of blobs at %lu do not lie in "
			       "the header's %u to %lu",
			       (unsigned long)blobs_len,
			       (unsigned long)blobs_at, VMA_HEAD_LEN,
			       (unsigned long)header->len);
	for (unsigned i = 1; i < 256; i++) {
		const unsigned char *device = head + 4096 + 32 * (size_t)i;
		char name[VMA_NAME_LEN];

		if (!bytes_be32(device))
			continue;
		if (blob_name(head + blobs_at, blobs_len, bytes_be32(device),
			      name, err))
			return -1;
		if (!strcmp(name, "vmstate"))
			continue;
		header->disk[header->count].number = i;
		header->disk[header->count].size = bytes_be64(device + 8);
		if (header->disk[header->count].size > LIMIT_DISK_SIZE)
			return err_set(err, ERR_LIMIT,
				       "%s has %llu bytes, above the "
				       "limit %llu",
				       name, ULL(bytes_be64(device + 8)),
				       ULL(LIMIT_DISK_SIZE));
		memcpy(header->disk[header->count++].name, name, sizeof name);
	}
	return 0;
}

static int parse_header(struct source *source, struct vma_header *header,
			struct err *err)
{
	unsigned char fixed[60];
	unsigned char *head AUTO_FREE = NULL;

	if (source_read_all(source, fixed, sizeof fixed, 0, "header", err))
		return -1;
	if (memcmp(fixed, "VMA\0", 4))
		return err_set(err, ERR_DAMAGED, "no magic at 0");
	if (bytes_be32(fixed + 4) != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "version %lu is not 1",
			       (unsigned long)bytes_be32(fixed + 4));
	header->len = bytes_be32(fixed + 56);
	if (header->len < VMA_HEAD_LEN || header->len % 512)
		return err_set(err, ERR_DAMAGED,
			       "header of %lu bytes is not %u or more in "
			       "steps of 512",
			       (unsigned long)header->len, VMA_HEAD_LEN);
	head = mem_capped(header->len, 1, VMA_HEADER_MAX, "the header", err);
	if (!head)
		return -1;
	memcpy(head, fixed, sizeof fixed);
	if (source_read_all(source, head + sizeof fixed,
			    header->len - sizeof fixed, sizeof fixed,
			    "header", err))
		return -1;
	if (check_md5(head, header->len, 32, 0, err))
		return -1;
	memcpy(header->uuid, head + 8, sizeof header->uuid);
	header->time = bytes_be64(head + 24);
	return parse_devices(head, header, err);
}

static const char *name_of(const void *opaque, unsigned i)
{
	return ((const struct vma_header *)opaque)->disk[i].name;
}

int vma_scan_open(struct vma_scan *scan, struct source *source,
		  const char *member, struct err *err)
{
	struct vma_header *header = mem_zalloc(sizeof *header);
	int chosen = -1;

	memset(scan, 0, sizeof *scan);
	scan->header = header;
	scan->source = source;
	if (!parse_header(source, header, err)) {
		const struct member_list list = { header, header->count,
						  name_of };

		chosen = member_choose(&list, member, err);
	}
	if (chosen < 0) {
		vma_scan_close(scan);
		return -1;
	}
	scan->disk = (unsigned)chosen;
	scan->at = header->len;
	return 0;
}

void vma_scan_close(struct vma_scan *scan)
{
	free(scan->header);
	scan->header = NULL;
}

/* Neighbours that are one in the disk and in the file become one. */
static void add_piece(struct vma_extent *out, uint64_t offset, uint64_t length,
		      uint64_t place)
{
	struct vma_piece *last =
		out->count ? &out->piece[out->count - 1] : NULL;

	if (last && last->offset + last->length == offset &&
	    (place ? last->place && last->place + last->length == place
		   : !last->place)) {
		last->length += length;
		return;
	}
	out->piece[out->count++] =
		(struct vma_piece){ offset, length, place };
}

/* A last block reaches past the disk's end, where it is padding. */
static int add_cluster(const struct vma_scan *scan, const unsigned char *info,
		       uint64_t place, struct vma_extent *out,
		       struct err *err)
{
	uint64_t size = scan->header->disk[scan->disk].size;
	uint64_t cluster = (uint64_t)bytes_be32(info + 4) * VMA_CLUSTER_SIZE;
	unsigned mask = bytes_be16(info);

	if (cluster >= size)
		return err_set(err, ERR_DAMAGED,
			       "a cluster at %llu lies past the disk's "
			       "end (%llu)",
			       ULL(cluster), ULL(size));
	for (unsigned i = 0; i < VMA_BLOCKS; i++) {
		uint64_t offset = cluster + (uint64_t)i * VMA_BLOCK_SIZE;
		bool stored = mask >> i & 1;

		if (offset < size)
			add_piece(out, offset,
				  min_u64(VMA_BLOCK_SIZE, size - offset),
				  stored ? place : 0);
		else if (stored)
			return err_set(err, ERR_DAMAGED,
				       "a block at %llu lies past the "
				       "disk's end (%llu)",
				       ULL(offset), ULL(size));
		place += stored ? VMA_BLOCK_SIZE : 0;
	}
	return 0;
}

static int parse_extent(struct vma_scan *scan, unsigned char *head,
			struct vma_extent *out, struct err *err)
{
	unsigned wanted = scan->header->disk[scan->disk].number;
	unsigned stored = bytes_be16(head + 6), blocks = 0;
	uint64_t data = scan->at + VMA_EXTENT_LEN;

	if (memcmp(head, "VMAE", 4))
		return err_set(err, ERR_DAMAGED,
			       "no extent at %llu, where one must be",
			       ULL(scan->at));
	if (check_md5(head, VMA_EXTENT_LEN, 24, scan->at, err))
		return -1;
	if (memcmp(head + 8, scan->header->uuid, 16))
		return err_set(err, ERR_DAMAGED,
			       "the extent at %llu is of another archive "
			       "(its UUID differs)",
			       ULL(scan->at));
	for (unsigned i = 0; i < VMA_CLUSTERS; i++) {
		const unsigned char *info = head + 40 + 8 * (size_t)i;

		if (!info[3])
			continue;
		if (info[3] == wanted &&
		    add_cluster(scan, info,
				data + (uint64_t)blocks * VMA_BLOCK_SIZE, out,
				err))
			return -1;
		blocks += (unsigned)__builtin_popcount(bytes_be16(info));
	}
	if (blocks != stored)
		return err_set(err, ERR_DAMAGED,
			       "the extent at %llu has %u blocks, but "
			       "its clusters %u",
			       ULL(scan->at), stored, blocks);
	scan->at = data + (uint64_t)blocks * VMA_BLOCK_SIZE;
	if (scan->source->size_known && scan->at > scan->source->size)
		return err_set(err, ERR_DAMAGED,
			       "the extent's blocks up to %llu lie past "
			       "the end of the file (%llu)",
			       ULL(scan->at), ULL(scan->source->size));
	return 0;
}

/* Each call moves on by an extent's header at least. */
int vma_scan_next(struct vma_scan *scan, struct vma_extent *out,
		  struct err *err)
{
	unsigned char head[VMA_EXTENT_LEN];
	size_t got;

	out->count = 0;
	if (source_read(scan->source, head, sizeof head, scan->at, &got, err))
		return -1;
	if (!got)
		return 0;
	if (got < sizeof head)
		return err_set(err, ERR_DAMAGED,
			       "an extent's header at %llu is cut short",
			       ULL(scan->at));
	return parse_extent(scan, head, out, err) ? -1 : 1;
}
