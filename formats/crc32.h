/* SPDX-License-Identifier: MIT */
/* CRC-32 as GPT and gzip use it (reflected polynomial
 * 0xEDB88320). Small and slow: for headers and tables, not for data. */
#ifndef FORMATS_CRC32_H
#define FORMATS_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Start with `crc` 0; feed the result in again to go on. */
uint32_t crc32_bytes(uint32_t crc, const void *bytes, size_t len);
/* The same for `length` zero bytes, in a few steps however many they are. */
uint32_t crc32_zeros(uint32_t crc, uint64_t length);

#endif
