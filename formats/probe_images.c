/* SPDX-License-Identifier: MIT */
/*
 * Owns the signatures of disk images: which fields of a header are verified
 * and from where on the file may hold guest data. Does not open images: the
 * drivers check all the rest.
 */
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/probe_rows.h"

/* Version 1 is another format with the same magic. */
bool probe_qcow(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 8 || bytes_be32(v->head + 4) != 1)
		return false;
	/* L1 and L2 tables and clusters follow a header of 48 bytes at any
	 * cluster of 512 bytes or more. */
	hit->data_from = 512;
	probe_note(hit, 32, "version 1");
	return true;
}

/* The first cluster holds header, extensions and the backing file's name;
 * guest clusters may stand anywhere behind it. */
bool probe_qcow2(const struct probe_view *v, struct probe_hit *hit)
{
	uint32_t version, cluster_bits;

	if (v->head_len < 24) {
		probe_doubt(hit, "cut short");
		return true;
	}
	version = bytes_be32(v->head + 4);
	cluster_bits = bytes_be32(v->head + 20);
	if (version == 1)
		return false;
	if (version < 2 || version > 3)
		probe_note(hit, 0, "unknown version %u", version);
	else
		probe_note(hit, 32, "version %u", version);
	if (cluster_bits >= 9 && cluster_bits <= 21) {
		hit->bits += 32;
		hit->data_from = 1ull << cluster_bits;
	}
	return true;
}

/* The header's overHead says where grains may begin. */
bool probe_vmdk(const struct probe_view *v, struct probe_hit *hit)
{
	static const char ends[4] = { '\n', ' ', '\r', '\n' };
	const unsigned char *p = v->head;
	uint64_t overhead;
	uint32_t version;

	if (v->head_len < 512) {
		probe_doubt(hit, "cut short");
		return true;
	}
	version = bytes_le32(p + 4);
	if (version >= 1 && version <= 3)
		probe_note(hit, 32, "version %u", version);
	else
		probe_note(hit, 0, "unknown version %u", version);
	/* Bits 16 and 17: compressed grains, each with a marker. */
	if ((bytes_le32(p + 8) >> 16 & 3) == 3)
		hit->title = "VMware disk (streamOptimized)";
	if (!memcmp(p + 73, ends, sizeof ends))
		hit->bits += 32;
	overhead = bytes_le64(p + 64);
	if (overhead && overhead < UINT32_MAX)
		hit->data_from = overhead * 512;
	return true;
}

bool probe_vmdk_cowd(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 32 || bytes_le32(v->head + 4) != 1)
		probe_doubt(hit, "unknown version");
	else
		probe_note(hit, 32, "version 1");
	hit->data_from = 2048; /* four sectors of header */
	return true;
}

bool probe_vmdk_sesparse(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 16 || bytes_le64(v->head + 8) != 0x0000000200000001)
		return false;
	probe_note(hit, 64, "version 2.1");
	return true;
}

/* The first line says it, but blanks and a byte order mark before it are
 * tolerated by readers. */
bool probe_vmdk_text(const struct probe_view *v, struct probe_hit *hit)
{
	static const char line[] = "# disk descriptorfile";
	const char *p = (const char *)v->head;
	size_t len = v->head_len < 4096 ? v->head_len : 4096, at = 0;

	if (len >= 3 && !memcmp(p, "\xEF\xBB\xBF", 3))
		at = 3;
	while (at < len && p[at] && strchr(" \t\r\n", p[at]))
		at++;
	if (len - at < sizeof line - 1 ||
	    strncasecmp(p + at, line, sizeof line - 1))
		return false;
	hit->bits = 8 * (sizeof line - 1);
	probe_note(hit, 0, "\"# Disk DescriptorFile\" at %zu", at);
	return true;
}

bool probe_vhd_sum(const unsigned char *footer, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		if (i < 64 || i >= 68)
			sum += footer[i];
	return ~sum == bytes_be32(footer + 64);
}

static const char *vhd_type(const unsigned char *footer, struct probe_hit *hit)
{
	switch (bytes_be32(footer + 60)) {
	case 2:
		hit->title = "VHD (fixed)";
		return "fixed";
	case 3:
		hit->title = "VHD (dynamic)";
		return "dynamic";
	case 4:
		hit->title = "VHD (differencing)";
		return "differencing";
	default:
		return "of unknown type";
	}
}

/* A trailer of 512 bytes whose end is lost, by what it begins with: nothing
 * else of the file tells a truncated one from the disk that is in it. NULL if
 * there is none. */
static const unsigned char *cut_trailer(const struct probe_view *v,
					const void *start, size_t len,
					uint32_t version, size_t at)
{
	/* Shorter: there must be the version behind it. */
	for (size_t rest = at + 4; v->tail && rest < 512; rest++) {
		const unsigned char *p;

		if (v->tail_len < rest)
			return NULL;
		p = v->tail + v->tail_len - rest;
		if (!memcmp(p, start, len) && bytes_be32(p + at) == version)
			return p;
	}
	return NULL;
}

static bool vhd_tail(const struct probe_view *v, struct probe_hit *hit)
{
	/* Old versions of Virtual PC wrote a byte less. */
	for (size_t len = 512; len >= 511; len--) {
		const unsigned char *p;
		uint64_t size;

		if (!v->tail || v->tail_len < len)
			continue;
		p = v->tail + v->tail_len - len;
		if (memcmp(p, "conectix", 8))
			continue;
		hit->bits = 64;
		hit->data_from = 0; /* the disk itself comes first */
		probe_note(hit, 0, "\"conectix\" %zu bytes before the end, %s",
			   len, vhd_type(p, hit));
		size = bytes_be64(p + 48);
		if (!probe_vhd_sum(p, len))
			probe_doubt(hit, "checksum wrong");
		else if (bytes_be32(p + 60) != 2 ||
			 (v->size_known && size != v->size - len))
			probe_doubt(hit, "no such disk before it");
		else
			hit->bits += 96;
		return true;
	}
	if (!cut_trailer(v, "conectix", 8, 0x10000, 12))
		return false;
	hit->bits = 64 + 32;
	hit->data_from = 0;
	probe_doubt(hit, "\"conectix\" near the end, cut short");
	return true;
}

/* A dynamic disk has the cookie twice, at 0 and at the end: one row, so that
 * the two are one finding. */
bool probe_vhd(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 8 || memcmp(v->head, "conectix", 8))
		return vhd_tail(v, hit);
	hit->bits = 64;
	if (v->head_len < 512) {
		probe_doubt(hit, "\"conectix\" at 0, cut short");
		return true;
	}
	probe_note(hit, 0, "\"conectix\" at 0, %s", vhd_type(v->head, hit));
	if (probe_vhd_sum(v->head, 512))
		probe_note(hit, 32, "checksum right");
	else
		probe_note(hit, 0, "checksum wrong");
	/* Copy of the footer, then a dynamic header of 1024 bytes. */
	hit->data_from = 512 + 1024;
	return true;
}

/* Headers and log fill the first MiB and more: no guest data in reach. */
bool probe_vhdx(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len >= 65536 + 4 && !memcmp(v->head + 65536, "head", 4))
		probe_note(hit, 32, "\"head\" at 65536");
	return true;
}

bool probe_vdi(const struct probe_view *v, struct probe_hit *hit)
{
	uint32_t data;

	if (v->head_len < 512) {
		probe_doubt(hit, "cut short");
		return true;
	}
	if (bytes_le16(v->head + 70) <= 1)
		probe_note(hit, 16, "version %u.%u", bytes_le16(v->head + 70),
			   bytes_le16(v->head + 68));
	else
		probe_note(hit, 0, "unknown version");
	if (!memcmp(v->head, "<<<", 3))
		hit->bits += 24;
	data = bytes_le32(v->head + 344);
	/* The old header has map and data behind it, without a gap. */
	if (!bytes_le16(v->head + 70))
		hit->data_from = 420 + 4 * (uint64_t)bytes_le32(v->head + 364);
	else if (data >= 512)
		hit->data_from = data;
	return true;
}

bool probe_qed(const struct probe_view *v, struct probe_hit *hit)
{
	uint64_t cluster, clusters;

	if (v->head_len < 64) {
		probe_doubt(hit, "cut short");
		return true;
	}
	cluster = bytes_le32(v->head + 4);
	clusters = bytes_le32(v->head + 12);
	if (!is_power_of_two(cluster) || cluster < 4096 || !clusters)
		probe_doubt(hit, "cluster size %u", (unsigned)cluster);
	else
		probe_note(hit, 40, "cluster size %u", (unsigned)cluster);
	if (!hit->weak)
		hit->data_from = cluster * clusters;
	return true;
}

bool probe_parallels(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 64) {
		probe_doubt(hit, "cut short");
		return true;
	}
	if (bytes_le32(v->head + 16) == 2)
		probe_note(hit, 32, "version 2");
	else
		probe_note(hit, 0, "unknown version");
	/* Blocks come after the table, unless the header says where. */
	hit->data_from = 64 + 4 * (uint64_t)bytes_le32(v->head + 32);
	if (bytes_le32(v->head + 48))
		hit->data_from = 512 * (uint64_t)bytes_le32(v->head + 48);
	return true;
}

bool probe_parallels_xml(const struct probe_view *v, struct probe_hit *hit)
{
	static const char tag[] = "<Parallels_disk_image";
	size_t len = v->head_len < 512 ? v->head_len : 512;

	if (!memmem(v->head, len, tag, sizeof tag - 1))
		return false;
	probe_note(hit, 8 * (sizeof tag - 1), "%s", tag);
	return true;
}

bool probe_bochs(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 72) {
		probe_doubt(hit, "cut short");
		return true;
	}
	probe_note(hit, 0, "%.12s", (const char *)v->head + 48);
	if (!memcmp(v->head + 32, "Redolog", 7))
		hit->bits += 56;
	hit->data_from = bytes_le32(v->head + 68);
	if (hit->data_from < 84)
		hit->data_from = PROBE_ALL_OURS;
	return true;
}

bool probe_cloop(const struct probe_view *v, struct probe_hit *hit)
{
	uint32_t block;

	if (v->head_len < 136) {
		probe_doubt(hit, "cut short");
		return true;
	}
	block = bytes_be32(v->head + 128);
	if (!block || block % 512)
		probe_doubt(hit, "block size %u", block);
	else
		probe_note(hit, 9, "block size %u", block);
	return true;
}

/* Of a trailer (or, in old images, a header): the property list must lie in
 * the file. The data fork is any bytes: those of the disk, or compressed. */
static void dmg_koly(const struct probe_view *v, const unsigned char *p,
		     struct probe_hit *hit)
{
	hit->bits = 32;
	hit->data_from = 0;
	if (bytes_be32(p + 4) != 4 || bytes_be32(p + 8) != 512)
		probe_doubt(hit, "unknown version");
	else if (v->size_known && !checked_inside(bytes_be64(p + 216),
						  bytes_be64(p + 224), v->size))
		probe_doubt(hit, "its list is out of the file");
	else
		hit->bits += 64 + 32;
}

bool probe_dmg(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len >= 8 && !memcmp(v->head, "encrcdsa", 8)) {
		hit->bits = 64;
		hit->title = "Apple disk image (encrypted)";
		probe_note(hit, 0, "\"encrcdsa\" at 0");
		return true;
	}
	if (v->tail && v->tail_len >= 512 &&
	    !memcmp(v->tail + v->tail_len - 512, "koly", 4)) {
		probe_note(hit, 0, "\"koly\" 512 bytes before the end");
		dmg_koly(v, v->tail + v->tail_len - 512, hit);
		return true;
	}
	if (v->head_len >= 512 && !memcmp(v->head, "koly", 4)) {
		probe_note(hit, 0, "\"koly\" at 0");
		dmg_koly(v, v->head, hit);
		hit->data_from = 512;
		return true;
	}
	/* "koly", its version and its length. */
	if (cut_trailer(v, "koly\0\0\0\4", 8, 512, 8)) {
		hit->bits = 96;
		hit->data_from = 0;
		probe_doubt(hit, "\"koly\" near the end, cut short");
		return true;
	}
	return false;
}

/* A raw chunk's data is shifted by the headers before it; still it is data. */
bool probe_simg(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 28) {
		probe_doubt(hit, "cut short");
		return true;
	}
	if (bytes_le16(v->head + 4) == 1)
		probe_note(hit, 16, "version 1");
	else
		probe_note(hit, 0, "unknown version");
	if (bytes_le16(v->head + 8) >= 28 && bytes_le16(v->head + 10) >= 12)
		hit->bits += 32;
	hit->data_from = 28 + 12;
	return true;
}
