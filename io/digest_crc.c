/* SPDX-License-Identifier: MIT */
/* Owns the CRC-32 of what passes by. Headers and tables have formats/crc32.h,
 * which needs no tables. */
#include "io/digest_crc.h"

#include "base/bytes.h"

/* table[k][b]: byte b with k zero bytes behind it. */
void digest_crc_init(struct digest_crc *crc)
{
	crc->crc = 0;
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t value = byte;
		for (unsigned bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
		crc->table[0][byte] = value;
	}
	for (unsigned k = 1; k < 8; k++)
		for (unsigned byte = 0; byte < 256; byte++) {
			uint32_t value = crc->table[k - 1][byte];
			crc->table[k][byte] =
				value >> 8 ^ crc->table[0][value & 255];
		}
}

void digest_crc_add(struct digest_crc *crc, const void *bytes, size_t len)
{
	const uint32_t (*table)[256] =
		(const uint32_t (*)[256])crc->table;
	const unsigned char *p = bytes;
	uint32_t now = ~crc->crc;

	for (; len >= 8; len -= 8, p += 8) {
		uint32_t low = now ^ bytes_le32(p);
		uint32_t high = bytes_le32(p + 4);

		now = table[7][low & 255] ^ table[6][low >> 8 & 255] ^
		      table[5][low >> 16 & 255] ^ table[4][low >> 24] ^
		      table[3][high & 255] ^ table[2][high >> 8 & 255] ^
		      table[1][high >> 16 & 255] ^ table[0][high >> 24];
	}
	for (; len; len--, p++)
		now = now >> 8 ^ table[0][(now ^ *p) & 255];
	crc->crc = ~now;
}
