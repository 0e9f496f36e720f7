/* SPDX-License-Identifier: MIT */
/*
 * What a file of ours leaves in the kernel's page cache. Advice alone: bytes
 * and results are the same whatever is chosen.
 *
 *   pass [offset, length) ... | so much later: out of the cache | end: the rest
 *
 * A *trail* follows one descriptor that is read or written. Until more than
 * `keep` bytes have passed, everything stays. From then on what passed leaves
 * the cache, some steps of 8 MiB behind where work is going on, in whatever
 * order that comes; of what is written, it goes to the disk for that.
 */
#ifndef IO_PAGE_CACHE_H
#define IO_PAGE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "base/err.h"

/* The system call cachestat: kernel 6.5; older headers do not have it. The
 * number is the same on all machines that do not have numbers of their own. */
#if defined(SYS_cachestat)
#define PAGE_CACHE_STAT SYS_cachestat
#elif defined(__x86_64__) || defined(__aarch64__) || defined(__riscv)
#define PAGE_CACHE_STAT 451
#endif

enum page_cache {
	PAGE_CACHE_AUTO,   /* small files stay, large ones leave nothing */
	PAGE_CACHE_DIRECT, /* around it where possible (io/direct.h) */
	PAGE_CACHE_NONE	   /* no file leaves anything */
};

/* The bytes that may pass through one file and stay: a quarter of the
 * machine's memory for PAGE_CACHE_AUTO, else 0. */
uint64_t page_cache_keep(enum page_cache how);

struct page_trail;

/* Of a file of `size` bytes that is read; `fd` is borrowed. What is in the
 * cache now stays there, unless `keep` is 0; then nothing does. NULL, which all
 * functions take: no trail is needed, for not that much can pass. */
struct page_trail *page_trail_read(int fd, uint64_t size, uint64_t keep);

/* Of a file that is written. */
struct page_trail *page_trail_write(int fd, uint64_t keep);

/* These bytes were read or written. From any thread. Fails (ERR_IO) only with
 * what the kernel says of earlier writes, and says only once. */
int page_trail_pass(struct page_trail *trail, uint64_t offset, uint64_t length,
		    struct err *err);

/* All has passed: if anything is to leave, all of it leaves now; what was
 * written is waited for. Fails as above. */
int page_trail_end(struct page_trail *trail, struct err *err);

/* Accepts NULL, returns NULL. */
struct page_trail *page_trail_free(struct page_trail *trail);

#endif
