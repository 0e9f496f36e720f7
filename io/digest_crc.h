/* SPDX-License-Identifier: MIT */
/* CRC-32 (reflected polynomial 0xEDB88320, as in zip) of bulk data, eight bytes
 * a step by tables that are made when it is opened. */
#ifndef IO_DIGEST_CRC_H
#define IO_DIGEST_CRC_H

#include <stddef.h>
#include <stdint.h>

struct digest_crc {
	uint32_t crc;
	uint32_t table[8][256];
};

void digest_crc_init(struct digest_crc *crc);
void digest_crc_add(struct digest_crc *crc, const void *bytes, size_t len);

#endif
