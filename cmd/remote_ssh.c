/* SPDX-License-Identifier: MIT */
/*
 * Owns the running of nbdkit and sftp: their command lines and what they say.
 * They are not confined as tools are that read images: they see no image's
 * structure, and need the user's keys, the agent and the network.
 */
#include "cmd/remote_ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/machine.h"
#include "cmd/remote_ssh_url.h"
#include "cmd/signals.h"
#include "io/nbd.h"
#include "io/spool.h"

#define ARGUMENTS 24
#define WORDS_LEN 4096
#define CONNECT_SECONDS "30"

struct command_line {
	char *argument[ARGUMENTS + 1];
	unsigned count;
};

static void add(struct command_line *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct command_line *command, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (command->count == ARGUMENTS ||
	    vasprintf(&command->argument[command->count], format, list) < 0)
		abort(); /* a bug; no memory */
	command->count++;
	va_end(list);
}

static void clear(struct command_line *command)
{
	for (unsigned i = 0; i < command->count; i++)
		free(command->argument[i]);
	command->count = 0;
}

/* `fds` are its standard streams. */
static pid_t start(const struct command_line *command, const int fds[3], int kept)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	if (kept >= 0)
		fcntl(kept, F_SETFD, 0);
	execvp(command->argument[0], command->argument);
	_exit(127);
}

/* A descriptor above the standard ones. */
static int move_up(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* ---- what they say ---- */

/* In the order in which one is the cause of another. */
static const struct {
	const char *text;
	enum err_kind kind;
} causes[] = {
	{ "ost key", ERR_REFUSED }, /* [Hh]ost key */
	{ "known_hosts", ERR_REFUSED },
	{ "uthentication", ERR_REFUSED },
	{ "Permission denied", ERR_REFUSED },
	{ "Temporary failure", ERR_TEMPORARY },
	{ "not known", ERR_NO_INPUT }, /* a host's name */
	{ "resolve hostname", ERR_NO_INPUT },
	{ "No such file", ERR_NO_INPUT },
	{ " not found", ERR_NO_INPUT },
	{ "not a regular file", ERR_NO_INPUT },
	{ "refused", ERR_TEMPORARY },
	{ "timed out", ERR_TEMPORARY },
	{ "error: ", ERR_TEMPORARY },
};

static const char *line_with(char *words, const char *text, size_t *len)
{
	const char *found = strstr(words, text), *start = found;

	if (!found)
		return NULL;
	while (start > words && start[-1] != '\n')
		start--;
	*len = strcspn(start, "\r\n");
	return start;
}

bool remote_ssh_judge(const char *program, char *words, struct err *err)
{
	const char *line = NULL, *error;
	size_t len = 0;

	for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
		line = line_with(words, causes[i].text, &len);
		if (!line)
			continue;
		/* Without nbdkit's "nbdkit: ssh[1]: error: ". */
		error = memmem(line, len, "error: ", 7);
		if (error) {
			len -= (size_t)(error + 7 - line);
			line = error + 7;
		}
		err_set(err, causes[i].kind, "%s: %.*s", program, (int)len,
			line);
		return true;
	}
	return false;
}

static void read_words(int fd, char words[WORDS_LEN])
{
	ssize_t n = pread(fd, words, WORDS_LEN - 1, 0);

	words[n > 0 ? n : 0] = '\0';
}

/* ---- nbdkit ---- */

/* Has nbdkit the plugin? */
static bool can_serve(void)
{
	AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int fds[3] = { null, null, null };
	struct command_line command = { .count = 0 };
	char path[4096];
	int status = -1;
	pid_t pid;

	if (!nbd_built() || !machine_tool("nbdkit", path, sizeof path))
		return false;
	add(&command, "nbdkit");
	add(&command, "--dump-plugin");
	add(&command, "ssh");
	pid = start(&command, fds, -1);
	clear(&command);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static int serve(const char *text, const struct ssh_url *url,
		 const struct settings *settings, struct remote *out,
		 struct err *err)
{
	struct command_line command = { .count = 0 };
	int pair[2];

	out->words = memfd_create("words", MFD_CLOEXEC);
	if (out->words < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, ERR_TEMPORARY, "start nbdkit");
	out->socket = pair[0];
	AUTO_FD int theirs = pair[1];
	add(&command, "nbdkit");
	add(&command, "--readonly");
	add(&command, "--single");
	add(&command, "ssh");
	add(&command, "host=%s", url->host);
	if (url->user)
		add(&command, "user=%s", url->user);
	if (url->port)
		add(&command, "port=%s", url->port);
	if (settings->ssh_config)
		add(&command, "config=%s", settings->ssh_config);
	add(&command, "timeout=" CONNECT_SECONDS);
	add(&command, "path=%s", url->path);
	out->process = start(&command,
			     (const int[]){ theirs, theirs, out->words }, -1);
	clear(&command);
	if (out->process < 0)
		return err_sys(err, ERR_TEMPORARY, "start nbdkit");
	signals_watch_worker(out->process);
	out->place = PROTOCOL_PLACE_NBD;
	out->url = text;
	return 0;
}

/* ---- sftp ---- */

bool remote_ssh_can_fetch(void)
{
	char path[4096];

	return machine_tool("sftp", path, sizeof path);
}

static void sftp_command(const struct ssh_url *url,
			 const struct settings *settings,
			 struct command_line *command)
{
	add(command, "sftp");
	if (settings->ssh_config) {
		add(command, "-F");
		add(command, "%s", settings->ssh_config);
	}
	add(command, "-o");
	add(command, "ConnectTimeout=" CONNECT_SECONDS);
	if (url->port) {
		add(command, "-P");
		add(command, "%s", url->port);
	}
	/* It asks nothing then. */
	add(command, "-b");
	add(command, "-");
	add(command, strchr(url->host, ':') ? "%s%s[%s]" : "%s%s%s",
	    url->user ? url->user : "", url->user ? "@" : "", url->host);
}

/* Sizes that sftp's "ls -l" said, before and after: as far as they can be
 * told. False when the file was another one at the end. */
static bool same_listing(char *words)
{
	char *first = NULL, *line, *rest = words;
	bool same = true;

	/* Ends: a line is taken off each time. */
	while ((line = strsep(&rest, "\n"))) {
		if (*line != '-') /* a regular file's mode */
			continue;
		if (first)
			same &= !strcmp(first, line);
		else
			first = line;
	}
	return same;
}

static int judge_fetch(int status, int words, struct err *err)
{
	AUTO_FREE char *text = mem_zalloc(WORDS_LEN);

	read_words(words, text);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		if (remote_ssh_judge("sftp", text, err))
			return -1;
		return err_set(err, ERR_TEMPORARY,
			       "sftp failed: the connection was lost");
	}
	if (!same_listing(text))
		return err_set(err, ERR_TEMPORARY,
			       "the input was changed meanwhile; try again "
			       "when nothing writes to it");
	return 0;
}

/* A batch of commands, as its standard input. */
static int batch(const char *text, struct err *err)
{
	AUTO_FD int file = memfd_create("batch", MFD_CLOEXEC);
	size_t len = strlen(text);

	if (file < 0 || write(file, text, len) != (ssize_t)len ||
	    lseek(file, 0, SEEK_SET) < 0)
		return err_sys(err, ERR_TEMPORARY, "start sftp");
	return STEAL_FD(file);
}

/* Run the batch `text`; `words` (a file) gets what it says, `kept` is for
 * it. Its status, or -1. */
static int run_sftp(const struct ssh_url *url, const struct settings *settings,
		    const char *text, int words, int kept, struct err *err)
{
	AUTO_FD int commands = batch(text, err);
	struct command_line command = { .count = 0 };
	int status = 0;
	pid_t pid;

	if (commands < 0)
		return -1;
	if (words < 0)
		return err_sys(err, ERR_TEMPORARY, "start sftp");
	sftp_command(url, settings, &command);
	pid = start(&command, (const int[]){ commands, words, words }, kept);
	clear(&command);
	if (pid < 0)
		return err_sys(err, ERR_TEMPORARY, "start sftp");
	signals_watch_worker(pid);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	signals_unwatch_worker(pid);
	return status;
}

static int fetch(const struct ssh_url *url, const struct settings *settings,
		 int fd, struct err *err)
{
	AUTO_FD int to = move_up(fd);
	AUTO_FD int words = memfd_create("words", MFD_CLOEXEC);
	AUTO_FREE char *path = ssh_url_quoted_path(url);
	AUTO_FREE char *text = mem_printf("ls -ln %s\nget %s "
					  "\"/proc/self/fd/%d\"\nls -ln %s\n",
					  path, path, to, path);
	int status;

	if (to < 0)
		return err_sys(err, ERR_TEMPORARY, "start sftp");
	status = run_sftp(url, settings, text, words, to, err);
	return status < 0 ? -1 : judge_fetch(status, words, err);
}

bool remote_ssh_size(const char *url, const struct settings *settings,
		     uint64_t *out)
{
	AUTO_FD int words = memfd_create("words", MFD_CLOEXEC);
	AUTO_FREE char *said = mem_zalloc(WORDS_LEN);
	AUTO_FREE char *path = NULL, *text = NULL;
	struct ssh_url parts;
	struct err ignored;
	int status = -1, at = 0;
	const char *line;
	char *end;

	if (remote_ssh_can_fetch() && !ssh_url_parse(url, &parts, &ignored)) {
		path = ssh_url_quoted_path(&parts);
		text = mem_printf("ls -ln %s\n", path);
		status = run_sftp(&parts, settings, text, words, -1, &ignored);
		ssh_url_clear(&parts);
	}
	if (status)
		return false;
	read_words(words, said);
	/* Behind the line that repeats the command. */
	line = strstr(said, "\n-");
	if (!line)
		return false;
	sscanf(line, " %*s %*s %*s %*s %n", &at);
	/* More than fits is the most there is: not what it was. */
	*out = strtoull(line + at, &end, 10);
	return at && end > line + at;
}

int remote_ssh_fetch(const char *url, const struct settings *settings, int fd,
		     struct err *err)
{
	struct ssh_url parts;
	int result = ssh_url_parse(url, &parts, err);

	if (!result)
		result = fetch(&parts, settings, fd, err);
	ssh_url_clear(&parts);
	return result;
}

/* ---- either ---- */

static int fetch_all(const struct ssh_url *url, const struct settings *settings,
		     struct remote *out, struct err *err)
{
	const char *dir = settings->tmpdir ? settings->tmpdir : "/var/tmp";

	out->file = spool_open_fd(dir, err);
	return out->file < 0 ? -1 : fetch(url, settings, out->file, err);
}

int remote_ssh_open(const char *url, const struct settings *settings,
		    struct remote *out, struct err *err)
{
	struct ssh_url parts;
	int result = ssh_url_parse(url, &parts, err);

	if (!result && can_serve())
		result = serve(url, &parts, settings, out, err);
	else if (!result && remote_ssh_can_fetch())
		result = fetch_all(&parts, settings, out, err);
	else if (!result)
		result = err_set(err, ERR_UNSUPPORTED,
				 "SSH is spoken by nbdkit (with its ssh "
				 "plugin) or sftp; install one of them");
	ssh_url_clear(&parts);
	return result;
}
