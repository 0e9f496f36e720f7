/* SPDX-License-Identifier: MIT */
/* Owns the signatures of sparse bundles, forensic images and backups, as
 * probe_images.c does those of virtual machines' disks. */
#include <string.h>

#include "base/bytes.h"
#include "formats/probe_rows.h"

static void version(const struct probe_view *v, size_t at, uint32_t known,
		    struct probe_hit *hit)
{
	if (v->head_len < at + 4)
		probe_doubt(hit, "cut short");
	else if (bytes_be32(v->head + at) == known)
		probe_note(hit, 32, "version %u", known);
	else
		probe_doubt(hit, "unknown version %u",
			    bytes_be32(v->head + at));
}

/* Bands of guest data follow a header of 4096 bytes. */
bool probe_sparseimage(const struct probe_view *v, struct probe_hit *hit)
{
	version(v, 4, 3, hit);
	hit->data_from = 4096;
	return true;
}

bool probe_asif(const struct probe_view *v, struct probe_hit *hit)
{
	version(v, 4, 1, hit);
	if (!hit->weak && v->head_len >= 12 && bytes_be32(v->head + 8) == 512)
		hit->bits += 32;
	return true;
}

/* Version 1 goes on with 1, the segment's number and two zeros. */
bool probe_ewf(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 13) {
		probe_doubt(hit, "cut short");
		return true;
	}
	if (v->head[3] != '2' && v->head[8] == 1)
		probe_note(hit, 8, "segment %u", bytes_le16(v->head + 9));
	return true;
}

/* Four digits at 30 in either layout. */
bool probe_partclone(const struct probe_view *v, struct probe_hit *hit)
{
	const char *digits;

	if (v->head_len < 34) {
		probe_doubt(hit, "cut short");
		return true;
	}
	digits = (const char *)v->head + 30;
	if (!memcmp(digits, "0001", 4) || !memcmp(digits, "0002", 4))
		probe_note(hit, 32, "version %.4s", digits);
	else
		probe_note(hit, 0, "unknown version");
	return true;
}

bool probe_vma(const struct probe_view *v, struct probe_hit *hit)
{
	version(v, 4, 1, hit);
	if (v->head_len >= 60 && !(bytes_be32(v->head + 56) % 512))
		hit->bits += 9;
	return true;
}

/* Records begin with their length (of an index header: 48) and type. */
bool probe_casync(const struct probe_view *v, struct probe_hit *hit)
{
	if (bytes_le64(v->head) != 48)
		return false;
	probe_note(hit, 64, "record of 48 bytes");
	return true;
}
