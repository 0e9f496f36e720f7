/* SPDX-License-Identifier: MIT */
/* Allocation, and the scope macros. Small allocations of our own give up when
 * memory is out; a size that came from a file goes through mem_capped. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What happens then: abort(). A program that knows better has a function of
 * this name itself; it is called in any thread and must not allocate. */
void mem_exhausted(void) __attribute__((noreturn));

/* Zeroed memory; never NULL (mem_exhausted). For sizes our own code chose. */
void *mem_zalloc(size_t len) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((returns_nonnull));
char *mem_printf(const char *format, ...)
	__attribute__((format(printf, 1, 2), returns_nonnull));
/* `count` elements of `size` bytes; gives up on overflow or when out. */
void *mem_resize(void *memory, size_t count, size_t size)
	__attribute__((returns_nonnull));

/* Zeroed memory for count * size bytes where a file gave the numbers: fails
 * with ERR_LIMIT above `cap` bytes or when memory is out. Free with free(). */
void *mem_capped(uint64_t count, uint64_t size, uint64_t cap,
		 const char *what, struct err *err);

/* Page-aligned, not zeroed, for I/O; never NULL. Free with free(). Long ones
 * are not touched here: the thread that first fills one gets its pages. (2 MiB
 * aligned and as huge pages they made 780 page faults of 2060 in a run of 1.1
 * GiB, and no difference in its time.) */
void *mem_buffer(size_t len) __attribute__((returns_nonnull));

void mem_free_pointer(void *pointer);
void mem_close_fd(int *fd);

/* Scope cleanup: the variable is released at the end of its scope unless
 * stolen: `return STEAL(p)`. */
#define AUTO_FREE __attribute__((cleanup(mem_free_pointer)))
#define AUTO_FD __attribute__((cleanup(mem_close_fd)))
#define STEAL(p)                                                            \
	(__extension__({                                                    \
		__typeof__(p) stolen_ = (p);                                \
		(p) = NULL;                                                 \
		stolen_;                                                    \
	}))
#define STEAL_FD(fd)                                                        \
	(__extension__({                                                    \
		int stolen_ = (fd);                                         \
		(fd) = -1;                                                  \
		stolen_;                                                    \
	}))

#endif
