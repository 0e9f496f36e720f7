/* SPDX-License-Identifier: MIT */
/* Owns allocation. Does not know what memory is used for. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"

__attribute__((weak)) void mem_exhausted(void)
{
	abort();
}

static void *or_give_up(void *memory)
{
	if (!memory)
		mem_exhausted();
	return memory;
}

void *mem_zalloc(size_t len)
{
	return or_give_up(calloc(1, len ? len : 1));
}

char *mem_strdup(const char *text)
{
	return or_give_up(strdup(text));
}

char *mem_printf(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return or_give_up(text);
}

void *mem_resize(void *memory, size_t count, size_t size)
{
	return or_give_up(reallocarray(memory, count ? count : 1, size));
}

void *mem_capped(uint64_t count, uint64_t size, uint64_t cap,
		 const char *what, struct err *err)
{
	uint64_t len;

	if (!checked_mul(count, size, &len) || len > cap) {
		err_set(err, ERR_LIMIT,
			"%s of %llu entries is larger than %llu bytes", what,
			(unsigned long long)count, (unsigned long long)cap);
		return NULL;
	}
	void *memory = calloc(1, len ? len : 1);
	if (!memory)
		err_set(err, ERR_LIMIT, "no memory for %s of %llu bytes", what,
			(unsigned long long)len);
	return memory;
}

void *mem_buffer(size_t len)
{
	return or_give_up(aligned_alloc(4096, round_up(len ? len : 1, 4096)));
}

void mem_free_pointer(void *pointer)
{
	void **where = pointer;

	free(*where);
	*where = NULL;
}

void mem_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
