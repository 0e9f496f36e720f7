/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of system calls and the filter made of it (classic BPF, see
 * seccomp(2)). A library would do the same for half a millisecond of every
 * run. What is not on the list fails with EPERM; a call of another
 * architecture's ends the process.
 */
#include "io/sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/page_cache.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#endif

#ifndef ARCH
bool sandbox_limit_calls(bool sockets)
{
	(void)sockets;
	return false;
}
#else

/* Whatever their arguments are: they work on what is there. */
static const int plain[] = {
	/* descriptors */
	SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_pwritev,
	SYS_lseek, SYS_close, SYS_dup, SYS_ftruncate, SYS_fallocate,
	SYS_fadvise64, SYS_sync_file_range, SYS_fsync, SYS_fdatasync,
	SYS_fcntl, SYS_sendmsg, SYS_recvmsg, SYS_recvfrom, SYS_ppoll,
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef PAGE_CACHE_STAT
	PAGE_CACHE_STAT,
#endif
	/* memory */
	SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_sysinfo,
	/* threads, signals, time */
	SYS_futex, SYS_set_robust_list, SYS_exit, SYS_exit_group,
	SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_restart_syscall,
	SYS_sched_yield, SYS_sched_getaffinity, SYS_gettid, SYS_getpid,
	SYS_clock_gettime, SYS_clock_nanosleep, SYS_getrandom,
#ifdef SYS_rseq
	SYS_rseq,
#endif
};

static const int with_sockets[] = {
	SYS_sendto, SYS_shutdown, SYS_getsockopt,
	SYS_setsockopt, SYS_eventfd2, SYS_writev,
};

/* Of block devices and shared extents. */
static const unsigned ioctls[] = {
	FICLONERANGE, BLKGETSIZE64, BLKZEROOUT, BLKSSZGET,
};

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define FILTER_MOST 256

struct filter {
	struct sock_filter line[FILTER_MOST];
	unsigned short count;
};

static void add(struct filter *filter, struct sock_filter line)
{
	filter->line[filter->count++] = line;
}

static void load(struct filter *filter, size_t offset)
{
	add(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 (unsigned)offset));
}

static void answer(struct filter *filter, unsigned action)
{
	add(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* The next `skip` lines are only for what is equal. */
static void unless_equal(struct filter *filter, unsigned value,
			 unsigned char skip)
{
	add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						 value, 0, skip));
}

static void unless_any_bit(struct filter *filter, unsigned bits,
			   unsigned char skip)
{
	add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
						 bits, 0, skip));
}

#define REFUSE(number) (SECCOMP_RET_ERRNO | (number))

/* The low half of an argument, wherever the kernel looks at no more. */
static size_t argument(size_t index)
{
	size_t at = offsetof(struct seccomp_data, args) + index * 8;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	at += 4;
#endif
	return at;
}

static void allow(struct filter *filter, int call)
{
	unless_equal(filter, (unsigned)call, 1);
	answer(filter, SECCOMP_RET_ALLOW);
}

static void refuse(struct filter *filter, int call, int number)
{
	unless_equal(filter, (unsigned)call, 1);
	answer(filter, REFUSE((unsigned)number));
}

/* Memory that is written or read, never executed. */
static void allow_memory(struct filter *filter, int call)
{
	unless_equal(filter, (unsigned)call, 4);
	load(filter, argument(2));
	unless_any_bit(filter, PROT_EXEC, 1);
	answer(filter, REFUSE(EPERM));
	answer(filter, SECCOMP_RET_ALLOW);
}

/* Threads, no processes. Of clone3 the flags cannot be seen: without it the C
 * library takes clone. */
static void allow_threads(struct filter *filter)
{
	unless_equal(filter, SYS_clone, 4);
	load(filter, argument(0));
	unless_any_bit(filter, CLONE_THREAD, 1);
	answer(filter, SECCOMP_RET_ALLOW);
	answer(filter, REFUSE(EPERM));
	refuse(filter, SYS_clone3, ENOSYS);
}

static void allow_ioctls(struct filter *filter)
{
	unless_equal(filter, SYS_ioctl, 2 * COUNT(ioctls) + 2);
	load(filter, argument(1));
	for (unsigned i = 0; i < COUNT(ioctls); i++) {
		unless_equal(filter, ioctls[i], 1);
		answer(filter, SECCOMP_RET_ALLOW);
	}
	/* Also what a terminal is asked with: it is none. */
	answer(filter, REFUSE(ENOTTY));
}

/* Of a descriptor; by name there is nothing. */
static void allow_stat(struct filter *filter)
{
	allow(filter, SYS_fstat);
#ifdef SYS_newfstatat
	unless_equal(filter, SYS_newfstatat, 4);
	load(filter, argument(3));
	unless_any_bit(filter, AT_EMPTY_PATH, 1);
	answer(filter, SECCOMP_RET_ALLOW);
	answer(filter, REFUSE(ENOENT));
#endif
}

/* abort() and what it sends: to nobody else. */
static void allow_abort(struct filter *filter)
{
	unless_equal(filter, SYS_tgkill, 4);
	load(filter, argument(0));
	unless_equal(filter, (unsigned)getpid(), 1);
	answer(filter, SECCOMP_RET_ALLOW);
	answer(filter, REFUSE(EPERM));
}

static void make(struct filter *filter, bool sockets)
{
	load(filter, offsetof(struct seccomp_data, arch));
	add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						 ARCH, 1, 0));
	answer(filter, SECCOMP_RET_KILL_PROCESS);
	load(filter, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < COUNT(plain); i++)
		allow(filter, plain[i]);
	for (unsigned i = 0; sockets && i < COUNT(with_sockets); i++)
		allow(filter, with_sockets[i]);
#ifdef SYS_open
	refuse(filter, SYS_open, ENOENT);
#endif
	refuse(filter, SYS_openat, ENOENT);
	/* These look at an argument: what follows them would see that in the
	 * place of the call's number, so each ends with an answer. */
	allow_memory(filter, SYS_mmap);
	allow_memory(filter, SYS_mprotect);
	allow_threads(filter);
	allow_ioctls(filter);
	allow_stat(filter);
	allow_abort(filter);
	answer(filter, REFUSE(EPERM));
}

bool sandbox_limit_calls(bool sockets)
{
	struct filter filter = { .count = 0 };
	struct sock_fprog program = { .filter = filter.line };

	make(&filter, sockets);
	program.len = filter.count;
	return !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
#endif
