/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as VHDX and iSCSI use
 * it. Small and slow: for headers, tables and logs, not for data. */
#ifndef FORMATS_CRC32C_H
#define FORMATS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Start with `crc` 0; feed the result in again to go on. */
uint32_t crc32c_bytes(uint32_t crc, const void *bytes, size_t len);

#endif
