/* SPDX-License-Identifier: MIT */
/*
 * Owns the signatures of archives, and of compressions that formats/codecs
 * cannot decode: they are named so that they are refused by name.
 */
#include <ctype.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "formats/crc32.h"
#include "formats/probe_rows.h"

#define TAR_BLOCK 512

/* Blanks, octal digits, then a blank or NUL. */
static bool tar_octal(const unsigned char *p, size_t len, uint64_t *out)
{
	size_t i = 0;
	bool any = false;

	*out = 0;
	while (i < len && p[i] == ' ')
		i++;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++) {
		*out = *out << 3 | (uint64_t)(p[i] - '0');
		any = true;
	}
	return any && (i == len || !p[i] || p[i] == ' ');
}

/* The sum of the header with its own field blank; some old writers summed
 * signed bytes. */
static bool tar_sum(const unsigned char *p)
{
	uint64_t want;
	uint32_t plain = 0;
	int32_t signed_sum = 0;

	if (!tar_octal(p + 148, 8, &want))
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		unsigned char c = i >= 148 && i < 156 ? ' ' : p[i];

		plain += c;
		signed_sum += (signed char)c;
	}
	return want == plain ||
	       (signed_sum > 0 && want == (uint32_t)signed_sum);
}

bool probe_tar(const struct probe_view *v, struct probe_hit *hit)
{
	const unsigned char *p = v->head;
	bool magic = v->head_len >= TAR_BLOCK && !memcmp(p + 257, "ustar", 5);

	if (v->head_len < TAR_BLOCK || !p[0])
		return false;
	if (!tar_sum(p)) {
		if (!magic)
			return false;
		hit->bits = 40;
		probe_doubt(hit, "\"ustar\" at 257, checksum wrong");
		return true;
	}
	/* A checksum over a header that looks like nothing else: 17 bits, and
	 * as much for the digits it must be written in. */
	hit->bits = 40 + (magic ? 40 : 0);
	probe_note(hit, 0, "%s, checksum right",
		   !magic		       ? "header without magic (v7)"
		   : !memcmp(p + 262, "  ", 2) ? "\"ustar  \" at 257 (old GNU)"
					       : "\"ustar\" at 257");
	/* Members' data stands uncompressed behind the first header. */
	hit->data_from = TAR_BLOCK;
	return true;
}

/* The header of the first real member, behind extended headers; each step
 * goes forward and stays inside head. */
static const unsigned char *tar_first(const struct probe_view *v)
{
	uint64_t at = 0, size;

	while (checked_inside(at, TAR_BLOCK, v->head_len)) {
		const unsigned char *p = v->head + at;

		if (!p[0] || !tar_sum(p))
			return NULL;
		if (!p[156] || !strchr("xgLK", p[156]))
			return p;
		if (!tar_octal(p + 124, 12, &size))
			return NULL;
		at += TAR_BLOCK + round_up(size, TAR_BLOCK);
	}
	return NULL;
}

bool probe_ova(const struct probe_view *v, struct probe_hit *hit)
{
	const unsigned char *p = tar_first(v);
	size_t len = p ? strnlen((const char *)p, 100) : 0;

	if (len < 5 || memcmp(p + len - 4, ".ovf", 4) || !probe_tar(v, hit))
		return false;
	probe_note(hit, 32, "first member *.ovf");
	return true;
}

bool probe_xva(const struct probe_view *v, struct probe_hit *hit)
{
	const unsigned char *p = tar_first(v);

	if (!p || memcmp(p, "ova.xml", 8) || !probe_tar(v, hit))
		return false;
	probe_note(hit, 64, "first member ova.xml");
	return true;
}

bool probe_ovf(const struct probe_view *v, struct probe_hit *hit)
{
	static const char name[] = "http://schemas.dmtf.org/ovf/envelope";
	size_t len = v->head_len < 4096 ? v->head_len : 4096;

	if (!memmem(v->head, len, name, sizeof name - 1))
		return false;
	probe_note(hit, 64, "the name space of OVF");
	return true;
}

/* A member, or an empty archive's end. */
bool probe_zip(const struct probe_view *v, struct probe_hit *hit)
{
	const unsigned char *p = v->head;

	if (v->head_len >= 22 && !memcmp(p, "PK\5\6", 4) &&
	    !bytes_le16(p + 10)) {
		hit->bits = 48;
		probe_note(hit, 0, "\"PK\\5\\6\" at 0, empty");
		return true;
	}
	if (v->head_len < 4 || memcmp(p, "PK\3\4", 4))
		return false;
	hit->bits = 32;
	probe_note(hit, 0, "\"PK\\3\\4\" at 0");
	if (v->head_len < 30 || bytes_le16(p + 8) > 99 || !bytes_le16(p + 26))
		probe_doubt(hit, "its member has no name or method");
	else
		hit->bits += 24;
	return true;
}

/* The first of several files has a mark, the last one a table's end that says
 * which it is; those between look like anything. */
bool probe_zip_part(const struct probe_view *v, struct probe_hit *hit)
{
	const unsigned char *end;

	if (v->head_len >= 8 && !memcmp(v->head, "PK\7\10PK\3\4", 8)) {
		hit->bits = 64;
		probe_note(hit, 0, "\"PK\\7\\8\" at 0");
		return true;
	}
	if (!v->tail || v->tail_len < 22)
		return false;
	end = v->tail + v->tail_len - 22;
	if (memcmp(end, "PK\5\6", 4) || bytes_le16(end + 20) ||
	    !bytes_le16(end + 4) || bytes_le16(end + 4) > 999)
		return false;
	hit->bits = 48;
	probe_note(hit, 0, "\"PK\\5\\6\" at the end, of file %u",
		   bytes_le16(end + 4) + 1u);
	return true;
}

bool probe_7z(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 32 ||
	    crc32_bytes(0, v->head + 12, 20) != bytes_le32(v->head + 8))
		probe_note(hit, 0, "header checksum wrong");
	else
		probe_note(hit, 32, "header checksum right");
	return true;
}

bool probe_rar(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 8)
		probe_doubt(hit, "cut short");
	else if (v->head[6] == 0)
		probe_note(hit, 8, "version 4");
	else
		probe_note(hit, 8, "version 5");
	return true;
}

/* "07070" was found; 1 and 2 go on in hexadecimal, 7 in octal digits. */
bool probe_cpio(const struct probe_view *v, struct probe_hit *hit)
{
	size_t len;

	if (v->head_len < 76 || !strchr("127", v->head[5]) || !v->head[5])
		return false;
	len = v->head[5] == '7' ? 76 : 110;
	for (size_t i = 6; i < len; i++)
		if (i >= v->head_len || !isxdigit(v->head[i]))
			return false;
	probe_note(hit, 128, "digits up to %zu", len);
	return true;
}

/* Sixteen-bit words of either order: the name must have the length that
 * the header says. */
bool probe_cpio_old(const struct probe_view *v, struct probe_hit *hit)
{
	unsigned name;

	if (v->head_len < 28)
		return false;
	if (bytes_le16(v->head) == 070707)
		name = bytes_le16(v->head + 20);
	else if (bytes_be16(v->head) == 070707)
		name = bytes_be16(v->head + 20);
	else
		return false;
	if (name < 2 || name > 4096 || 26 + name > v->head_len ||
	    strnlen((const char *)v->head + 26, name) != name - 1)
		return false;
	hit->bits = 16 + 16;
	probe_note(hit, 0, "070707 at 0 and a name of %u bytes", name);
	return true;
}

/* ---- compressions without a codec ---- */

bool probe_lzip(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head_len < 6 || v->head[4] > 1 || (v->head[5] & 31) < 12)
		return false;
	probe_note(hit, 8, "version %u", v->head[4]);
	return true;
}

/* No magic at all: the usual properties, a dictionary of 2^n or 3 * 2^n, a
 * size that is absent or sane, and the range coder's first byte, always 0. */
bool probe_lzma(const struct probe_view *v, struct probe_hit *hit)
{
	uint32_t dictionary;
	uint64_t size;

	if (v->head_len < 14)
		return false;
	dictionary = bytes_le32(v->head + 1);
	size = bytes_le64(v->head + 5);
	if (dictionary < 4096 ||
	    (!is_power_of_two(dictionary) &&
	     (dictionary % 3 || !is_power_of_two(dictionary / 3))))
		return false;
	if (!size || (size != UINT64_MAX && size >> 40) || v->head[13])
		return false;
	probe_note(hit, 40, "dictionary %u", dictionary);
	return true;
}

bool probe_compress(const struct probe_view *v, struct probe_hit *hit)
{
	unsigned bits;

	if (v->head_len < 3)
		return false;
	bits = v->head[2] & 31;
	if (bits < 9 || bits > 16 || (v->head[2] & 0x60))
		return false;
	/* 19 bits are little: content that boots goes before it. */
	hit->weak = true;
	probe_note(hit, 3, "%u bits", bits);
	return true;
}

/* Versions 0.1 to 0.7, from before the format was fixed. */
bool probe_zstd_old(const struct probe_view *v, struct probe_hit *hit)
{
	if (v->head[0] != 0x1E && (v->head[0] < 0x22 || v->head[0] > 0x27))
		return false;
	probe_note(hit, 5, "before version 0.8");
	return true;
}

/* The beginning of a codec's magic, where the codec itself found too much
 * wrong to claim it: a damaged file is not a raw disk. */
bool probe_damaged_codec(const struct probe_view *v, struct probe_hit *hit)
{
	(void)v;
	probe_doubt(hit, "but the header is damaged");
	return true;
}
