/* SPDX-License-Identifier: MIT */
/*
 * Owns `imgconv sandbox-test`: a process closes itself in as a worker does and
 * then tries whatever a taken-over one might. Each thing is told with what
 * became of it; one that went well is a failure of the whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "io/sandbox.h"

#define PAGE 4096

/* Each returns as a system call does: less than 0 is what is wanted. */

static long read_file(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static long read_own_memory(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR, 0);
}

static long create_file(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/tmp/imgconv-sandbox-test",
		       O_CREAT | O_RDWR, 0600);
}

static long name_file(void)
{
	return syscall(SYS_linkat, 1, "", AT_FDCWD,
		       "/tmp/imgconv-sandbox-test", AT_EMPTY_PATH);
}

static long remove_file(void)
{
	return syscall(SYS_unlinkat, AT_FDCWD, "/tmp/imgconv-sandbox-test", 0);
}

static long rename_file(void)
{
	return syscall(SYS_renameat2, AT_FDCWD, "/tmp/imgconv-sandbox-test",
		       AT_FDCWD, "/tmp/imgconv-sandbox-moved", 0);
}

static long make_folder(void)
{
	return syscall(SYS_mkdirat, AT_FDCWD, "/tmp/imgconv-sandbox-test",
		       0700);
}

static long look_at_name(void)
{
	char room[512];

	return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", room, 0);
}

static long open_by_handle(void)
{
	return syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, O_RDONLY);
}

static long execute(void)
{
	char *const words[] = { (char[]){ "true" }, NULL };

	return syscall(SYS_execve, "/bin/true", words, NULL);
}

static long execute_descriptor(void)
{
	char *const words[] = { (char[]){ "true" }, NULL };

	return syscall(SYS_execveat, 0, "", words, NULL, AT_EMPTY_PATH);
}

static long new_process(void)
{
	long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (!child)
		_exit(0);
	return child;
}

static long new_process_unseen(void)
{
	unsigned long long arguments[11] = { [4] = SIGCHLD };
	long child = syscall(SYS_clone3, arguments, sizeof arguments);

	if (!child)
		_exit(0);
	return child;
}

static long new_namespace(void)
{
	return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long connect_out(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long local_socket(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long socket_pair(void)
{
	int pair[2];

	return syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
}

static long trace_parent(void)
{
	return syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long parents_memory(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static long signal_parent(void)
{
	return syscall(SYS_kill, getppid(), 0);
}

static long signal_parents_thread(void)
{
	pid_t parent = getppid();

	return syscall(SYS_tgkill, parent, parent, 0);
}

static long executable_memory(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -1 : 0;
}

static long made_executable(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? 0
				  : mprotect(page, PAGE, PROT_READ | PROT_EXEC);
}

static long file_in_memory(void)
{
	return syscall(SYS_memfd_create, "x", 0);
}

static long asynchronous_calls(void)
{
	char room[128] = { 0 };

	return syscall(SYS_io_uring_setup, 1, room);
}

static long kernel_program(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long watch_processor(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long mount_something(void)
{
	return syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
}

static long other_root(void)
{
	return syscall(SYS_chroot, "/tmp");
}

static long other_user(void)
{
	return syscall(SYS_setuid, getuid());
}

static long other_limits(void)
{
	return syscall(SYS_prlimit64, 0, 0, NULL, NULL);
}

static long kernel_keys(void)
{
	return syscall(SYS_keyctl, 0, -3, 1);
}

static long type_into_terminal(void)
{
	/* TIOCSTI: the shell outside would read it. */
	char letter = 'x';

	return syscall(SYS_ioctl, 2, 0x5412, &letter);
}

static long more_privileges(void)
{
	return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static const struct {
	const char *name;
	long (*attempt)(void);
} attempts[] = {
	{ "open a file", read_file },
	{ "open its own memory", read_own_memory },
	{ "create a file", create_file },
	{ "give a descriptor a name", name_file },
	{ "remove a file", remove_file },
	{ "rename a file", rename_file },
	{ "make a folder", make_folder },
	{ "look at a name", look_at_name },
	{ "open by handle", open_by_handle },
	{ "execute", execute },
	{ "execute a descriptor", execute_descriptor },
	{ "start a process", new_process },
	{ "start a process with clone3", new_process_unseen },
	{ "enter a namespace", new_namespace },
	{ "open an internet socket", connect_out },
	{ "open a local socket", local_socket },
	{ "make a pair of sockets", socket_pair },
	{ "trace the parent", trace_parent },
	{ "read the parent's memory", parents_memory },
	{ "signal the parent", signal_parent },
	{ "signal the parent's thread", signal_parents_thread },
	{ "map memory to be executed", executable_memory },
	{ "make memory executable", made_executable },
	{ "make a file in memory", file_in_memory },
	{ "set up io_uring", asynchronous_calls },
	{ "load a program into the kernel", kernel_program },
	{ "watch the processor", watch_processor },
	{ "mount", mount_something },
	{ "change the root", other_root },
	{ "change the user", other_user },
	{ "change limits", other_limits },
	{ "use the kernel's keys", kernel_keys },
	{ "type into the terminal", type_into_terminal },
	{ "undo what was forbidden", more_privileges },
};

#define ATTEMPTS (sizeof attempts / sizeof *attempts)

/* In the child: number and errno of each attempt down the pipe, for it can do
 * little else any more. Exits with 1 when it could not be closed in. */
static void try_all(int to)
{
	const struct sandbox sandbox = { .mode = SANDBOX_REQUIRE };
	struct sandbox_posture posture;
	struct err err;

	if (sandbox_enter(&sandbox, &posture, &err) < 0) {
		fprintf(stderr, "imgconv: %s\n", err.message);
		_exit(1);
	}
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		int result = attempts[i].attempt() < 0 ? errno : 0;

		if (write(to, &result, sizeof result) != sizeof result)
			_exit(2);
	}
	_exit(0);
}

/* As far as the child came. */
static bool tell(int from)
{
	unsigned i = 0;
	bool good = true;
	int result;

	while (i < ATTEMPTS &&
	       read(from, &result, sizeof result) == sizeof result) {
		printf("%s: %s\n", attempts[i++].name,
		       result ? strerror(result) : "POSSIBLE");
		good = good && result;
	}
	return good && i == ATTEMPTS;
}

int command_sandbox_test(const struct settings *settings)
{
	int pair[2], status;
	bool good;
	pid_t child;

	(void)settings;
	if (pipe(pair))
		return err_status(ERR_TEMPORARY);
	fflush(NULL);
	child = fork();
	if (child < 0)
		return err_status(ERR_TEMPORARY);
	if (!child)
		try_all(pair[1]);
	close(pair[1]);
	good = tell(pair[0]);
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		return err_status(ERR_UNSUPPORTED);
	return good ? 0 : err_status(ERR_BUG);
}
