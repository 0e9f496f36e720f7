/* SPDX-License-Identifier: MIT */
/* Owns the CRC-32 of headers and tables; does not serve bulk data, where a
 * library's carry-less multiplication is an order of magnitude faster. */
#include "formats/crc32.h"

/* Four bits a step: the remainders of 0..15, reflected. */
static const uint32_t nibble[16] = {
	0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
	0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
	0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t crc32_bytes(uint32_t crc, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}

/* a * b modulo the polynomial; bit 31 is the coefficient of x^0. Ends: `bit`
 * is shifted out. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = UINT32_C(1) << 31; bit; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b & 1 ? b >> 1 ^ 0xedb88320 : b >> 1;
	}
	return product;
}

/* A zero byte multiplies the remainder by x^8. Ends: `length` is halved. */
uint32_t crc32_zeros(uint32_t crc, uint64_t length)
{
	uint32_t power = UINT32_C(1) << 23; /* x^8 */

	crc = ~crc;
	for (; length; length >>= 1) {
		if (length & 1)
			crc = multiply(crc, power);
		power = multiply(power, power);
	}
	return ~crc;
}
