/* SPDX-License-Identifier: MIT */
/* The ceilings of the house, each with its reason. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

/* Larger than any real disk, small enough that sums of a few fit 63 bits. */
#define LIMIT_DISK_SIZE ((uint64_t)1 << 60)

/* What a disk, or a file inside compressions, may have without being asked
 * for: a few bytes may say, or unpack to, anything. */
#define LIMIT_SIZE_UNASKED (64 * TIB)

/* Nested compressions: real files have two, bombs have many. */
#define LIMIT_COMPRESSIONS 8
/* ... of which so many may be archives. */
#define LIMIT_ARCHIVES 2

/* One table from a file held in memory at once: a qcow2 L1 of 32 MiB spans
 * 2 PiB at 64 KiB clusters. */
#define LIMIT_TABLE_LEN ((size_t)(32 * MIB))

/* Backing chains deeper than this are loops or neglect. */
#define LIMIT_CHAIN 64

/* Files that an image and those it names may name in all: a VMDK in extents of
 * 2 GiB has 1024 of them for 2 TiB. */
#define LIMIT_REFERENCES 2048

/* How far into a layer the probe may look: the btrfs superblock ends at
 * 68 KiB, everything else lies before. */
#define LIMIT_PROBE_LEN ((size_t)(128 * KIB))

/* How much of a stream is kept while probing, so that it can be read again:
 * more than LIMIT_PROBE_LEN, because a decoder reads a whole block ahead. */
#define LIMIT_REPLAY_LEN ((size_t)(16 * MIB))

/* What liblzma may use to decode one stream single-threaded: xz -9 needs
 * 65 MiB, a dictionary of 128 MiB a little over that. */
#define LIMIT_DECODER_MEMORY ((uint64_t)(192 * MIB))

/* A work unit of the pump, guest bytes. */
#define UNIT_LEN ((size_t)(1 * MIB))
#define UNIT_LEN_MAX ((size_t)(4 * MIB))

/* Names (paths, snapshot names) that cross the worker's socket. */
#define LIMIT_NAME_LEN 4096

#endif
