/* SPDX-License-Identifier: MIT */
/*
 * A library for LD_PRELOAD: counts the calls that may fail, and makes one of
 * them fail. Knows nothing of what imgconv does with them; faults.py chooses.
 *
 *   FAULT_RECORD  a file of zeros of RECORD_LEN bytes: what happened
 *   FAULT_SITE    the name of a site below
 *   FAULT_WHO     0 the first process (the conductor), 1 those it forks
 *   FAULT_NUMBER  which of its calls: 1 is the first
 *   FAULT_HOW     a number of errno, or "short": half of what was asked for
 *   FAULT_LAST    which call is the last one to fail; else FAULT_NUMBER
 *   FAULT_NO_TMPFILE  if it is set, no file system knows O_TMPFILE
 *
 * The record is mapped, not written: a worker keeps no descriptor but its own,
 * and its sandbox opens nothing.
 */
/* Both names of a call are defined here, and neither inline. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SITES(SITE)                                                          \
	SITE(alloc) SITE(read) SITE(pread) SITE(write) SITE(pwrite)          \
	SITE(pwritev) SITE(ftruncate) SITE(fallocate) SITE(sync_file_range)  \
	SITE(fsync) SITE(linkat) SITE(renameat) SITE(close)                  \
	SITE(close_written) SITE(pthread_create) SITE(fork) SITE(socketpair) \
	SITE(sendmsg) SITE(recvmsg) SITE(recv) SITE(open) SITE(openat)       \
	SITE(dup) SITE(fstat)

#define NUMBERED(name) SITE_##name,
#define NAMED(name) #name,
enum site { SITES(NUMBERED) SITE_COUNT };

static const char *const names[] = { SITES(NAMED) };

#define SHORT (-1)

struct record {
	uint64_t fired;
	uint64_t synced_again; /* the file of a failed fsync */
	uint64_t failed_inode;
	/* What was not given back when the process came to its end by exit:
	 * pieces of memory, and 1. */
	uint64_t kept[2];
	uint64_t calls[2][SITE_COUNT];
};

#define RECORD_LEN 4096
_Static_assert(sizeof(struct record) <= RECORD_LEN, "RECORD_LEN");

static struct record *record; /* NULL: nothing is counted */
static pid_t conductor;
static unsigned armed = SITE_COUNT, who;
static uint64_t first, last;
static int how;
static bool no_tmpfile;
static int64_t held; /* pieces of memory, in all threads */

static uint64_t number_of(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void arm(void)
{
	const char *path = getenv("FAULT_RECORD");
	const char *site = getenv("FAULT_SITE");
	const char *kind = getenv("FAULT_HOW");
	int fd;
	void *map;

	/* Not the tools it may start. */
	if (!path || strcmp(program_invocation_short_name, "imgconv"))
		return;
	fd = open(path, O_RDWR);
	if (fd < 0)
		abort();
	map = mmap(NULL, RECORD_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   0);
	if (map == MAP_FAILED)
		abort();
	close(fd);
	conductor = getpid();
	no_tmpfile = getenv("FAULT_NO_TMPFILE");
	who = (unsigned)number_of("FAULT_WHO");
	first = number_of("FAULT_NUMBER");
	last = number_of("FAULT_LAST");
	if (last < first)
		last = first;
	how = kind && !strcmp(kind, "short") ? SHORT
					     : (int)number_of("FAULT_HOW");
	for (unsigned i = 0; site && i < SITE_COUNT; i++)
		if (!strcmp(names[i], site))
			armed = i;
	if (site && armed == SITE_COUNT)
		abort();
	record = map;
}

static uint64_t add_one(uint64_t *counter)
{
	return __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* 0: as it should be; else a number of errno, or SHORT. */
static int strike(enum site site)
{
	unsigned process;
	uint64_t call;

	if (!record)
		return 0;
	process = getpid() != conductor;
	call = add_one(&record->calls[process][site]);
	if (site != armed || process != who || call < first || call > last)
		return 0;
	if (how != SHORT)
		add_one(&record->fired);
	return how;
}

/* 1: errno says what went wrong. */
static int fails(enum site site)
{
	int number = strike(site);

	if (number <= 0)
		return 0;
	errno = number;
	return 1;
}

/* How much of `len` bytes is asked for; -1: none, and errno says why. */
static ssize_t part_of(enum site site, size_t len)
{
	int number = strike(site);

	if (number > 0) {
		errno = number;
		return -1;
	}
	if (number != SHORT || len < 2)
		return (ssize_t)len;
	add_one(&record->fired);
	return (ssize_t)(len / 2);
}

#define REAL(name)                                                           \
	static __typeof__(&(name)) real;                                     \
	if (!real)                                                           \
		*(void **)&real = dlsym(RTLD_NEXT, #name)

/* Memory: dlsym may want some itself, so by the C library's other names. */
/* NOLINTBEGIN(bugprone-reserved-identifier): they are the C library's */
void *__libc_malloc(size_t len);
void *__libc_calloc(size_t count, size_t len);
void *__libc_realloc(void *memory, size_t len);
void *__libc_memalign(size_t alignment, size_t len);

void __libc_free(void *memory);
/* NOLINTEND(bugprone-reserved-identifier) */

static void *hold(void *memory)
{
	if (memory)
		__atomic_add_fetch(&held, 1, __ATOMIC_RELAXED);
	return memory;
}

void *malloc(size_t len)
{
	return fails(SITE_alloc) ? NULL : hold(__libc_malloc(len));
}

void *calloc(size_t count, size_t len)
{
	return fails(SITE_alloc) ? NULL : hold(__libc_calloc(count, len));
}

void free(void *memory)
{
	if (memory)
		__atomic_sub_fetch(&held, 1, __ATOMIC_RELAXED);
	__libc_free(memory);
}

void *realloc(void *memory, size_t len)
{
	if (memory && !len) {
		free(memory);
		return NULL;
	}
	if (fails(SITE_alloc))
		return NULL;
	return memory ? __libc_realloc(memory, len)
		      : hold(__libc_realloc(NULL, len));
}

void *aligned_alloc(size_t alignment, size_t len)
{
	return fails(SITE_alloc) ? NULL
				 : hold(__libc_memalign(alignment, len));
}

int posix_memalign(void **out, size_t alignment, size_t len)
{
	if (fails(SITE_alloc))
		return ENOMEM;
	*out = hold(__libc_memalign(alignment, len));
	return *out ? 0 : ENOMEM;
}

__attribute__((destructor)) static void tell_held(void)
{
	if (record)
		record->kept[getpid() != conductor] = 1 + (uint64_t)held;
}

/* Reading and writing. */
ssize_t read(int fd, void *buf, size_t len)
{
	REAL(read);
	ssize_t part = part_of(SITE_read, len);

	return part < 0 ? -1 : real(fd, buf, (size_t)part);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t offset)
{
	REAL(pread64);
	ssize_t part = part_of(SITE_pread, len);

	return part < 0 ? -1 : real(fd, buf, (size_t)part, offset);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	REAL(write);
	ssize_t part = part_of(SITE_write, len);

	return part < 0 ? -1 : real(fd, buf, (size_t)part);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t offset)
{
	REAL(pwrite64);
	ssize_t part = part_of(SITE_pwrite, len);

	return part < 0 ? -1 : real(fd, buf, (size_t)part, offset);
}

ssize_t pwritev64(int fd, const struct iovec *list, int count, off64_t offset)
{
	REAL(pwritev64);
	ssize_t part = part_of(SITE_pwritev, list->iov_len);
	struct iovec half = { list->iov_base, (size_t)part };

	if (part < 0)
		return -1;
	if ((size_t)part < list->iov_len)
		return real(fd, &half, 1, offset);
	return real(fd, list, count, offset);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	REAL(sendmsg);
	struct iovec half = *message->msg_iov;
	struct msghdr shorter = *message;
	ssize_t part = part_of(SITE_sendmsg, half.iov_len);

	if (part < 0)
		return -1;
	if ((size_t)part == half.iov_len)
		return real(fd, message, flags);
	half.iov_len = (size_t)part;
	shorter.msg_iov = &half;
	shorter.msg_iovlen = 1;
	return real(fd, &shorter, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	REAL(recvmsg);
	ssize_t part = part_of(SITE_recvmsg, message->msg_iov->iov_len);

	if (part < 0)
		return -1;
	message->msg_iov->iov_len = (size_t)part;
	return real(fd, message, flags);
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	REAL(recv);
	ssize_t part = part_of(SITE_recv, len);

	return part < 0 ? -1 : real(fd, buf, (size_t)part, flags);
}

/* Files and their names. */
int ftruncate64(int fd, off64_t size)
{
	REAL(ftruncate64);
	return fails(SITE_ftruncate) ? -1 : real(fd, size);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
	REAL(fallocate64);
	return fails(SITE_fallocate) ? -1 : real(fd, mode, offset, length);
}

int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags)
{
	REAL(sync_file_range);
	return fails(SITE_sync_file_range) ? -1
					   : real(fd, offset, length, flags);
}

static uint64_t inode_of(int fd)
{
	struct stat about;

	return fstat(fd, &about) ? 0 : about.st_ino;
}

/* fdatasync is the same site: neither may be called again once one failed. */
static int sync_fails(int fd)
{
	if (record && record->failed_inode &&
	    record->failed_inode == inode_of(fd))
		add_one(&record->synced_again);
	if (!fails(SITE_fsync))
		return 0;
	int number = errno;

	record->failed_inode = inode_of(fd);
	errno = number;
	return 1;
}

int fsync(int fd)
{
	REAL(fsync);
	return sync_fails(fd) ? -1 : real(fd);
}

int fdatasync(int fd)
{
	REAL(fdatasync);
	return sync_fails(fd) ? -1 : real(fd);
}

int linkat(int from, const char *old, int to, const char *name, int flags)
{
	REAL(linkat);
	return fails(SITE_linkat) ? -1 : real(from, old, to, name, flags);
}

int renameat(int from, const char *old, int to, const char *name)
{
	REAL(renameat);
	return fails(SITE_renameat) ? -1 : real(from, old, to, name);
}

/* Of a file that is written to, late errors may be told by it. */
static enum site closing(int fd)
{
	struct stat about;
	int flags = fcntl(fd, F_GETFL, 0);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY &&
			       !fstat(fd, &about) && S_ISREG(about.st_mode)
		       ? SITE_close_written
		       : SITE_close;
}

int renameat2(int from, const char *old, int to, const char *name,
	      unsigned flags)
{
	REAL(renameat2);
	return fails(SITE_renameat) ? -1 : real(from, old, to, name, flags);
}

/* The descriptor is gone whatever the answer is. */
int close(int fd)
{
	REAL(close);
	int before = errno;
	int number = record ? strike(closing(fd)) : 0, result;

	errno = before;
	result = real(fd);

	if (number <= 0)
		return result;
	errno = number;
	return -1;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE
		       ? va_arg(args, mode_t)
		       : 0;
}

int open64(const char *path, int flags, ...)
{
	REAL(open64);
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return fails(SITE_open) ? -1 : real(path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
	REAL(openat64);
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return fails(SITE_openat) ? -1 : real(dir, path, flags, mode);
}

int fstat64(int fd, struct stat64 *out)
{
	REAL(fstat64);
	return fails(SITE_fstat) ? -1 : real(fd, out);
}

/* Of fcntl only what makes a descriptor. */
int fcntl64(int fd, int command, ...)
{
	REAL(fcntl64);
	va_list args;
	void *argument;

	va_start(args, command);
	argument = va_arg(args, void *);
	va_end(args);
	if (command == F_DUPFD_CLOEXEC && fails(SITE_dup))
		return -1;
	return real(fd, command, argument);
}

/* Processes and threads. */
pid_t fork(void)
{
	REAL(fork);
	return fails(SITE_fork) ? -1 : real();
}

int pthread_create(pthread_t *thread, const pthread_attr_t *about,
		   void *(*start)(void *), void *argument)
{
	REAL(pthread_create);
	int number = strike(SITE_pthread_create);

	return number > 0 ? number : real(thread, about, start, argument);
}

int socketpair(int domain, int type, int protocol, int out[2])
{
	REAL(socketpair);
	return fails(SITE_socketpair) ? -1
				      : real(domain, type, protocol, out);
}

/* The names that a program has which was built with checks. */
/* NOLINTBEGIN(bugprone-reserved-identifier): they are the C library's */
ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t offset,
		      size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);
/* NOLINTEND(bugprone-reserved-identifier) */

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	(void)room;
	return read(fd, buf, len);
}

ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t offset,
		      size_t room)
{
	(void)room;
	return pread64(fd, buf, len, offset);
}

ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
	(void)room;
	return recv(fd, buf, len, flags);
}
