/* SPDX-License-Identifier: MIT */
/* Owns the running of external programs: descriptors, confinement, what they
 * say. Does not know what they are for. */
#include "cmd/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
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

/* What the tool is given; -1: none. */
struct files {
	int input, output, secret;
	int listener; /* becomes SERVED_FD */
};

#define SERVED_FD 3 /* SD_LISTEN_FDS_START of systemd's sd_listen_fds(3) */

static void allow(int ruleset, int fd, __u64 access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access,
						   .parent_fd = fd };

	if (fd >= 0)
		syscall(SYS_landlock_add_rule, ruleset,
			LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* Only system files, and those it was given. Where the kernel has no
 * Landlock the tool still gets one file in which nothing names another. */
static void confine(const struct files *files)
{
	static const char *const readable[] = { "/usr", "/lib", "/lib64",
						"/bin", "/etc", "/proc",
						"/nix", "/sys/devices" };
	struct landlock_ruleset_attr attr = { .handled_access_fs =
						      ALL_ACCESS };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
				   sizeof attr, 0);
	int null;

	if (ruleset < 0)
		return;
	null = open("/dev/null", O_PATH | O_CLOEXEC);
	for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
		int fd = open(readable[i], O_PATH | O_CLOEXEC);
		allow(ruleset, fd, READ_ACCESS);
	}
	allow(ruleset, null, LANDLOCK_ACCESS_FS_READ_FILE |
				     LANDLOCK_ACCESS_FS_WRITE_FILE);
	allow(ruleset, files->input, LANDLOCK_ACCESS_FS_READ_FILE);
	allow(ruleset, files->secret, LANDLOCK_ACCESS_FS_READ_FILE);
	allow(ruleset, files->output,
	      LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_landlock_restrict_self, ruleset, 0);
}

static void keep_open(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

/* Socket activation, as sd_listen_fds(3) has it. */
static void take_listener(int listener)
{
	char pid[16];

	if (listener < 0)
		return;
	dup2(listener, SERVED_FD);
	keep_open(SERVED_FD);
	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
}

static void become_tool(const struct tool *tool, const struct files *files,
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
	take_listener(files->listener);
	keep_open(files->input);
	keep_open(files->output);
	keep_open(files->secret);
	confine(files);
	for (i = 0; i < tool->count; i++)
		/* execvp wants them so, and does not change them. */
		argv[i] = (char *)(uintptr_t)tool->argument[i];
	argv[i] = NULL;
	execvp(tool->argument[0], argv);
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

/* How it ended. */
static int judge(const char *name, int status, const char *words,
		 struct err *err)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFSIGNALED(status))
		return err_set(err, ERR_IO, "%s was ended by signal %d", name,
			       WTERMSIG(status));
	return err_set(err, ERR_DAMAGED, "%s failed: %s", name,
		       *words ? words : "it did not say why");
}

int tool_run(const struct tool *tool, int input_fd, int output_fd,
	     struct err *err)
{
	const struct files files = { input_fd, output_fd, -1, -1 };
	char words[LAST_WORDS];
	int pipes[2], status = 0;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(err, ERR_TEMPORARY, "start %s",
			       tool->argument[0]);
	fflush(NULL);
	pid_t pid = fork();
	if (!pid)
		become_tool(tool, &files, pipes[1]);
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
	return judge(tool->argument[0], status, words, err);
}

/* A socket that listens, and one that is connected to it, before anybody else
 * can be: its name lies in a folder of ours alone, and only until then. */
static int socket_pair(const char *dir, int *listener, int *connected,
		       struct err *err)
{
	AUTO_FREE char *folder =
		mem_printf("%s/imgconv-XXXXXX", dir ? dir : "/var/tmp");
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int at, result = -1;

	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*connected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0 || *connected < 0 || !mkdtemp(folder))
		return err_sys(err, ERR_TEMPORARY, "make a socket");
	at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* However long the folder's own name is. */
	snprintf(name.sun_path, sizeof name.sun_path,
		 "/proc/self/fd/%d/nbd", at);
	if (at >= 0 &&
	    !bind(*listener, (struct sockaddr *)&name, sizeof name) &&
	    !listen(*listener, 1) &&
	    !connect(*connected, (struct sockaddr *)&name, sizeof name))
		result = 0;
	else
		err_sys(err, ERR_TEMPORARY, "connect a socket");
	if (at >= 0) {
		unlinkat(at, "nbd", 0);
		close(at);
	}
	rmdir(folder);
	return result;
}

/* Out of the way of SERVED_FD. */
static int move_up(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, SERVED_FD + 1);
}

int tool_serve(struct tool_server *server, struct tool *tool,
	       const struct plan_step *step, const char *dir, struct err *err)
{
	AUTO_FD int input = move_up(server->input_fd);
	AUTO_FD int secret = move_up(server->secret_fd);
	AUTO_FD int words = memfd_create("words", MFD_CLOEXEC);
	AUTO_FD int listener = -1;
	AUTO_FD int connected = -1;
	char from[32], key[32];

	snprintf(from, sizeof from, "/proc/self/fd/%d", input);
	snprintf(key, sizeof key, "/proc/self/fd/%d", secret);
	tool->input = from;
	tool->secret = key;
	how_of(step)->command(tool, step);
	if (words < 0 || input < 0 || secret < 0)
		return err_sys(err, ERR_TEMPORARY, "start %s",
			       tool->argument[0]);
	if (socket_pair(dir, &listener, &connected, err) < 0)
		return -1;
	const struct files files = { input, -1, secret, listener };
	fflush(NULL);
	server->pid = fork();
	if (!server->pid)
		become_tool(tool, &files, words);
	if (server->pid < 0)
		return err_sys(err, ERR_TEMPORARY, "start %s",
			       tool->argument[0]);
	signals_watch_worker(server->pid);
	snprintf(server->name, sizeof server->name, "%s", tool->argument[0]);
	server->socket = STEAL_FD(connected);
	server->words = STEAL_FD(words);
	return 0;
}

int tool_serve_end(struct tool_server *server, bool failed, struct err *err)
{
	char words[LAST_WORDS] = "";
	struct err found = { .kind = ERR_NONE };
	int status = 0, result;

	/* One that has failed is gone already; for the others there is nothing
	 * left to do. */
	close(server->socket);
	kill(server->pid, SIGTERM);
	waitpid(server->pid, &status, 0);
	signals_unwatch_worker(server->pid);
	if (!lseek(server->words, 0, SEEK_SET))
		listen_to(server->words, words, sizeof words);
	close(server->words);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
		return failed ? -1 : 0;
	result = judge(server->name, status, words, &found);
	if (result < 0)
		*err = found;
	return result < 0 || failed ? -1 : 0;
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
