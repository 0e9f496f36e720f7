/* SPDX-License-Identifier: MIT */
/* Owns XXH64: four lanes of 8 bytes a stripe, merged at the end. What WRAPS
 * here is arithmetic modulo 2^64, as the definition has it. */
#include "formats/xxh64.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"

#define PRIME_1 UINT64_C(0x9e3779b185ebca87)
#define PRIME_2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define PRIME_3 UINT64_C(0x165667b19e3779f9)
#define PRIME_4 UINT64_C(0x85ebca77c2b2ae63)
#define PRIME_5 UINT64_C(0x27d4eb2f165667c5)

WRAPS static uint64_t turn(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

WRAPS static uint64_t mix(uint64_t lane, uint64_t word)
{
	return turn(lane + word * PRIME_2, 31) * PRIME_1;
}

WRAPS static uint64_t plus(uint64_t a, uint64_t b)
{
	return a + b;
}

WRAPS static uint64_t times(uint64_t a, uint64_t b)
{
	return a * b;
}

/* One more word, or what was made of it. */
static uint64_t join(uint64_t hash, uint64_t word, unsigned bits, uint64_t by,
		     uint64_t more)
{
	return plus(times(turn(hash ^ word, bits), by), more);
}

void xxh64_start(struct xxh64 *sum)
{
	memset(sum, 0, sizeof *sum);
	sum->lane[0] = plus(PRIME_1, PRIME_2);
	sum->lane[1] = PRIME_2;
	sum->lane[3] = ~PRIME_1 + 1;
}

static void stripe(struct xxh64 *sum, const unsigned char *p)
{
	for (size_t i = 0; i < 4; i++)
		sum->lane[i] = mix(sum->lane[i], bytes_le64(p + 8 * i));
}

void xxh64_add(struct xxh64 *sum, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t kept = sum->total % 32;

	sum->total += len;
	if (kept && kept + len >= 32) {
		memcpy(sum->kept + kept, p, 32 - kept);
		stripe(sum, sum->kept);
		p += 32 - kept;
		len -= 32 - kept;
		kept = 0;
	}
	for (; !kept && len >= 32; p += 32, len -= 32)
		stripe(sum, p);
	if (len)
		memcpy(sum->kept + kept, p, len);
}

WRAPS static uint64_t merge(const uint64_t *lane)
{
	uint64_t hash = turn(lane[0], 1) + turn(lane[1], 7) +
			turn(lane[2], 12) + turn(lane[3], 18);

	for (unsigned i = 0; i < 4; i++)
		hash = (hash ^ mix(0, lane[i])) * PRIME_1 + PRIME_4;
	return hash;
}

uint64_t xxh64_get(const struct xxh64 *sum)
{
	const unsigned char *p = sum->kept;
	size_t len = sum->total % 32;
	uint64_t hash = sum->total >= 32 ? merge(sum->lane) : PRIME_5;

	hash = plus(hash, sum->total);
	for (; len >= 8; p += 8, len -= 8)
		hash = join(hash, mix(0, bytes_le64(p)), 27, PRIME_1, PRIME_4);
	if (len >= 4) {
		hash = join(hash, times(bytes_le32(p), PRIME_1), 23, PRIME_2,
			    PRIME_3);
		p += 4;
		len -= 4;
	}
	for (; len; p++, len--)
		hash = join(hash, times(*p, PRIME_5), 11, PRIME_1, 0);
	hash = times(hash ^ hash >> 33, PRIME_2);
	hash = times(hash ^ hash >> 29, PRIME_3);
	return hash ^ hash >> 32;
}
