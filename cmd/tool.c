/* SPDX-License-Identifier: MIT */
/* Owns the running of external programs: descriptors, confinement, what they
 * say. Does not know what they are for. */
#include "cmd/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/signals.h"

#define LAST_WORDS 512

#define READ_ACCESS                                                    \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | \
	 LANDLOCK_ACCESS_FS_EXECUTE)

/* What the first version of Landlock can forbid. */
#define ALL_ACCESS                                                         \
	(READ_ACCESS | LANDLOCK_ACCESS_FS_WRITE_FILE |                     \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |     \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |     \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |   \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)

static void allow(int ruleset, int fd, __u64 access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access,
						   .parent_fd = fd };

	if (fd >= 0)
		syscall(SYS_landlock_add_rule, ruleset,
			LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* Only system files, and the two it was given. Where the kernel has no
 * Landlock the tool still gets one file in which nothing names another. */
static void confine(int input_fd, int output_fd)
{
	static const char *const readable[] = { "/usr", "/lib", "/lib64",
						"/bin", "/etc", "/proc",
						"/nix", "/sys/devices" };
	struct landlock_ruleset_attr attr = { .handled_access_fs =
						      ALL_ACCESS };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
				   sizeof attr, 0);
	int null = open("/dev/null", O_PATH | O_CLOEXEC);

	if (ruleset < 0)
		return;
	for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
		int fd = open(readable[i], O_PATH | O_CLOEXEC);
		allow(ruleset, fd, READ_ACCESS);
	}
	allow(ruleset, null, LANDLOCK_ACCESS_FS_READ_FILE |
				     LANDLOCK_ACCESS_FS_WRITE_FILE);
	allow(ruleset, input_fd, LANDLOCK_ACCESS_FS_READ_FILE);
	allow(ruleset, output_fd,
	      LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_landlock_restrict_self, ruleset, 0);
}

static void become_tool(const struct tool *tool, int input_fd, int output_fd,
			int words)
{
	char *argv[TOOL_ARGUMENTS + 1];
	int null = open("/dev/null", O_RDWR);
	unsigned i;

	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, 0);
	dup2(words, 1);
	dup2(words, 2);
	if (input_fd >= 0)
		fcntl(input_fd, F_SETFD, 0);
	if (output_fd >= 0)
		fcntl(output_fd, F_SETFD, 0);
	confine(input_fd, output_fd);
	for (i = 0; i < tool->count; i++)
		/* execvp wants them so, and does not change them. */
		argv[i] = (char *)(uintptr_t)tool->argument[i];
	argv[i] = NULL;
	execvp(argv[0], argv);
	_exit(127);
}

/* The last line, which is where tools say why. */
static void keep_last_line(char *words)
{
	size_t len = strlen(words);
	char *line;

	while (len && words[len - 1] == '\n')
		words[--len] = '\0';
	line = strrchr(words, '\n');
	if (line)
		memmove(words, line + 1, strlen(line + 1) + 1);
}

static void listen_to(int fd, char *words, size_t room)
{
	char chunk[512];
	size_t len = 0;
	ssize_t n;

	/* Ends when the tool has closed its end. */
	while ((n = read(fd, chunk, sizeof chunk)) > 0 ||
	       (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		size_t take = (size_t)n < room - 1 ? (size_t)n : room - 1;
		if (len + take > room - 1) {
			size_t drop = len + take - (room - 1);
			memmove(words, words + drop, len - drop);
			len -= drop;
		}
		memcpy(words + len, chunk + n - take, take);
		len += take;
	}
	words[len] = '\0';
	keep_last_line(words);
}

int tool_run(const struct tool *tool, int input_fd, int output_fd,
	     struct err *err)
{
	char words[LAST_WORDS];
	int pipes[2], status = 0;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(err, ERR_TEMPORARY, "start %s",
			       tool->argument[0]);
	fflush(NULL);
	pid_t pid = fork();
	if (!pid)
		become_tool(tool, input_fd, output_fd, pipes[1]);
	close(pipes[1]);
	if (pid < 0) {
		close(pipes[0]);
		return err_sys(err, ERR_TEMPORARY, "start %s",
			       tool->argument[0]);
	}
	signals_watch_worker(pid);
	listen_to(pipes[0], words, sizeof words);
	close(pipes[0]);
	waitpid(pid, &status, 0);
	signals_unwatch_worker(pid);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFSIGNALED(status))
		return err_set(err, ERR_IO, "%s was ended by signal %d",
			       tool->argument[0], WTERMSIG(status));
	return err_set(err, ERR_DAMAGED, "%s failed: %s", tool->argument[0],
		       *words ? words : "it did not say why");
}

int tool_pieces(int spool, struct tool_pieces *out, struct err *err)
{
	ssize_t got = pread(spool, out, sizeof *out, 0);

	/* Nothing at all: there was nothing to do. */
	if (!got)
		out->count = 0;
	else if (got != sizeof *out || out->count > TOOL_PIECES)
		return err_set(err, ERR_BUG, "pieces for a tool make no sense");
	for (uint64_t i = 0; i < out->count; i++)
		if (out->piece[i].len > TOOL_PIECE_LEN)
			return err_set(err, ERR_BUG,
				       "a piece for a tool is too long");
	return 0;
}

int tool_piece(int spool, uint64_t from, uint64_t len, struct err *err)
{
	AUTO_FREE void *bytes = mem_zalloc((size_t)len);
	AUTO_FD int fd = memfd_create("piece", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(err, ERR_TEMPORARY, "make a file in memory");
	if (pread(spool, bytes, (size_t)len, (off_t)from) != (ssize_t)len ||
	    write(fd, bytes, (size_t)len) != (ssize_t)len)
		return err_sys(err, ERR_IO, "hand a piece to a tool");
	return STEAL_FD(fd);
}
