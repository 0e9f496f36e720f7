/* SPDX-License-Identifier: MIT */
/* Owns the worker process and the conversation with it. What files may be
 * opened is policy.c's; what is shown is ui.c's. */
#include "cmd/conductor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "cmd/planning.h"
#include "cmd/policy.h"
#include "cmd/signals.h"
#include "io/channel.h"
#include "io/spool.h"
#include "transforms/worker.h"

struct conductor_file {
	int fd; /* -1: none */
	struct stat about;
	uint64_t position; /* of a stream: bytes given out by NEED */
	bool seekable;
};

struct conductor {
	const struct settings *settings;
	struct ui *ui;
	pid_t worker;
	int channel;
	struct conductor_file file[2];
	struct policy policy;
	struct image image;
	bool probed;
	bool busy; /* an answer is awaited */
};

static int open_file(struct conductor_file *file, const char *path,
		     struct err *err)
{
	if (!strcmp(path, "-")) {
		if (isatty(0))
			return err_set(err, ERR_USAGE,
				       "standard input is a terminal; give a "
				       "file");
		file->fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
	} else {
		file->fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (file->fd < 0 || fstat(file->fd, &file->about) < 0)
		return err_sys(err, err_kind_of_errno(errno, ERR_NO_INPUT),
			       "%s", path);
	if (S_ISDIR(file->about.st_mode))
		return err_set(err, ERR_NO_INPUT, "%s: is a directory", path);
	file->seekable = S_ISREG(file->about.st_mode) ||
			 S_ISBLK(file->about.st_mode);
	/* A file on standard input that was read from already goes on where
	 * it stands: that is a stream. */
	if (!strcmp(path, "-") && lseek(file->fd, 0, SEEK_CUR) > 0)
		file->seekable = false;
	return 0;
}

static uint64_t file_size(const struct conductor_file *file)
{
	off_t end;

	if (S_ISREG(file->about.st_mode))
		return (uint64_t)file->about.st_size;
	end = lseek(file->fd, 0, SEEK_END);
	return end < 0 ? 0 : (uint64_t)end;
}

/* The conversation is over and the worker did not end it: why? */
static int worker_died(struct conductor *conductor, struct err *err)
{
	int status = 0;

	if (conductor->worker <= 0)
		return err_set(err, ERR_BUG, "the worker is gone");
	waitpid(conductor->worker, &status, 0);
	signals_unwatch_worker(conductor->worker);
	conductor->worker = 0;
	if (WIFSIGNALED(status))
		return err_set(err, ERR_BUG, "the worker was ended by signal "
			       "%d (%s)", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	return err_set(err, ERR_BUG, "the worker ended with status %d",
		       WEXITSTATUS(status));
}

/* A worker that does not take what it is told is gone: it always reads. */
static int tell_fd(struct conductor *conductor, uint32_t type,
		   const void *body, size_t len, int fd, struct err *err)
{
	struct err broken;

	if (!channel_send(conductor->channel, type, body, len, fd, &broken))
		return 0;
	if (conductor->worker > 0)
		kill(conductor->worker, SIGKILL);
	return worker_died(conductor, err);
}

static int tell(struct conductor *conductor, enum protocol_type type,
		const void *body, size_t len, struct err *err)
{
	return tell_fd(conductor, type, body, len, -1, err);
}

static int tell_input(struct conductor *conductor, unsigned which,
		      struct err *err)
{
	const struct settings *settings = conductor->settings;
	const struct conductor_file *file = &conductor->file[which];
	struct protocol_input about = {
		.seekable = file->seekable,
		.size = file->seekable ? file_size(file) : 0,
		.allocated = (uint64_t)file->about.st_blocks * 512,
		.references = settings->allow_references,
		.fix_gpt = settings->partition_fix,
		.threads = planning_threads(settings),
		.memory = planning_memory(settings),
	};

	if (S_ISBLK(file->about.st_mode))
		about.allocated = about.size;
	if (settings->from && !which)
		snprintf(about.from, sizeof about.from, "%s", settings->from);
	if (settings->snapshot && !which)
		snprintf(about.snapshot, sizeof about.snapshot, "%s",
			 settings->snapshot);
	return tell(conductor, PROTOCOL_INPUT, &about, sizeof about, err);
}

/* By number where the kernel cannot do it at once. */
static void close_from(unsigned first)
{
	long most = sysconf(_SC_OPEN_MAX);

	if (!syscall(SYS_close_range, first, ~0U, 0))
		return;
	for (long fd = first; fd < (most > 0 ? most : 65536); fd++)
		close((int)fd);
}

/* The worker keeps its end of the socket and stderr, nothing else. */
static void become_worker(int channel)
{
	int kept = fcntl(channel, F_DUPFD, 3);

	signals_worker();
	dup2(kept, 3);
	close_from(4);
	close(0);
	close(1);
	/* Numbers 0 and 1 shall not come to mean an image. */
	if (open("/dev/null", O_RDONLY) != 0 || open("/dev/null", O_WRONLY) != 1)
		_exit(err_status(ERR_BUG));
	exit(worker_main(3));
}

static int start_worker(struct conductor *conductor, struct err *err)
{
	int pair[2];

	if (channel_pair(pair, err) < 0)
		return -1;
	fflush(NULL); /* or the worker's exit would say it again */
	conductor->worker = fork();
	if (conductor->worker < 0) {
		err_sys(err, ERR_TEMPORARY, "start a worker");
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	if (!conductor->worker)
		become_worker(pair[1]);
	signals_watch_worker(conductor->worker);
	close(pair[1]);
	conductor->channel = pair[0];
	return 0;
}

struct conductor *conductor_open_bare(const struct settings *settings,
				      struct ui *ui, const char *path,
				      struct err *err)
{
	struct conductor *conductor = mem_zalloc(sizeof *conductor);

	conductor->settings = settings;
	conductor->ui = ui;
	conductor->channel = -1;
	conductor->file[0].fd = conductor->file[1].fd = -1;
	policy_init(&conductor->policy, settings);
	policy_input(&conductor->policy, 0, path);
	if (start_worker(conductor, err) < 0)
		return conductor_close(conductor);
	return conductor;
}

struct conductor *conductor_open(const char *path,
				 const struct settings *settings,
				 struct ui *ui, struct err *err)
{
	struct conductor_file file = { .fd = -1 };
	struct conductor *conductor;

	if (open_file(&file, path, err) < 0) {
		if (file.fd >= 0)
			close(file.fd);
		return NULL;
	}
	conductor = conductor_open_bare(settings, ui, path, err);
	if (!conductor) {
		close(file.fd);
		return NULL;
	}
	conductor->file[0] = file;
	if (tell_input(conductor, 0, err) < 0)
		return conductor_close(conductor);
	return conductor;
}

int conductor_second(struct conductor *conductor, const char *path,
		     struct err *err)
{
	if (open_file(&conductor->file[1], path, err) < 0)
		return -1;
	policy_input(&conductor->policy, 1, path);
	return tell_input(conductor, 1, err);
}

const struct stat *conductor_input(const struct conductor *conductor)
{
	return &conductor->file[0].about;
}

int conductor_input_fd(const struct conductor *conductor)
{
	return conductor->file[0].fd;
}

/* ---- answering ---- */

static int read_some(struct conductor_file *file, unsigned char *buf,
		     size_t len, uint64_t offset, size_t *got,
		     struct err *err)
{
	ssize_t n;

	if (file->fd < 0 || (!file->seekable && offset != file->position))
		return err_set(err, ERR_BUG, "the worker asks out of order");
	do
		n = file->seekable ? pread(file->fd, buf, len, (off_t)offset)
				   : read(file->fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, ERR_IO, "read the input");
	*got = (size_t)n;
	if (!file->seekable)
		file->position += *got;
	return 0;
}

static int answer_need(struct conductor *conductor,
		       const struct protocol_need *need, struct err *err)
{
	size_t len = (size_t)min_u64(need->len, CHANNEL_MAX / 2), got = 0;
	AUTO_FREE unsigned char *buf = mem_zalloc(len);
	struct err refusal;

	if (need->input > 1)
		return err_set(err, ERR_BUG, "the worker asks for input %u",
			       need->input);
	if (read_some(&conductor->file[need->input], buf, len, need->offset,
		      &got, &refusal) < 0)
		return tell(conductor, PROTOCOL_NO_FILE, &refusal,
			    sizeof refusal, err);
	return tell(conductor, PROTOCOL_BYTES, buf, got, err);
}

static int answer_refer(struct conductor *conductor,
			const struct protocol_refer *refer, struct err *err)
{
	struct err refusal = { .kind = ERR_NONE };
	int fd, result;

	fd = policy_open(&conductor->policy, refer, &refusal);
	if (fd < 0)
		return tell(conductor, PROTOCOL_NO_FILE, &refusal,
			    sizeof refusal, err);
	result = tell_fd(conductor, PROTOCOL_FILE, NULL, 0, fd, err);
	close(fd);
	return result;
}

static void hear_note(struct conductor *conductor,
		      const struct protocol_note *note)
{
	ui_note(conductor->ui, note->level == LOG_NOTE ? LOG_NOTE : LOG_DETAIL,
		note->text);
}

/* Everything but the last words. */
static int hear(struct conductor *conductor, struct channel_message *message,
		const struct conductor_answers *answers, struct err *err)
{
	const struct protocol_name *name = (void *)message->body;
	const struct protocol_progress *progress = (void *)message->body;

	switch (message->type) {
	case PROTOCOL_NEED:
		return answer_need(conductor, (void *)message->body, err);
	case PROTOCOL_REFER:
		return answer_refer(conductor, (void *)message->body, err);
	case PROTOCOL_NOTE:
		hear_note(conductor, (void *)message->body);
		return 0;
	case PROTOCOL_PROGRESS:
		ui_progress(conductor->ui, progress->done, progress->total);
		return 0;
	case PROTOCOL_STEP:
		ui_step(conductor->ui, name->text);
		return 0;
	case PROTOCOL_FINDING:
		if (answers && answers->finding)
			answers->finding(answers->opaque, name->text);
		return 0;
	case PROTOCOL_FACTS:
		if (answers && answers->facts)
			answers->facts(answers->opaque, (void *)message->body);
		return 0;
	case PROTOCOL_EXTENTS:
		if (answers && answers->extents)
			answers->extents(answers->opaque,
					 (void *)message->body,
					 message->len /
						 sizeof(struct protocol_extent));
		return 0;
	default:
		return err_set(err, ERR_BUG, "the worker said %u",
			       message->type);
	}
}

/* The last words, of which `out` may expect others. */
static int hear_done(const struct protocol_done *done, enum protocol_type last,
		     void *out, struct err *err)
{
	if (last == PROTOCOL_DONE)
		memcpy(out, done, sizeof *done);
	if (done->err.kind != ERR_NONE) {
		*err = done->err;
		return -1;
	}
	return last == PROTOCOL_DONE
		       ? 0
		       : err_set(err, ERR_BUG, "the worker gave no answer");
}

/* Until the worker says `last` or DONE; its body lands in `out`. */
static int converse(struct conductor *conductor, enum protocol_type last,
		    void *out, const struct conductor_answers *answers,
		    struct err *err)
{
	struct channel_message message;
	int result = 0;
	bool over = false;

	conductor->busy = true;
	while (!over && !result) {
		struct err broken;
		result = channel_receive(conductor->channel, &message,
					 &broken);
		/* Nonsense in the frame: no more of it is wanted. */
		if (result < 0 && conductor->worker > 0)
			kill(conductor->worker, SIGKILL);
		if (result <= 0)
			return worker_died(conductor, err);
		result = 0;
		if (protocol_check(message.type, message.body, message.len,
				   err) < 0) {
			result = -1;
		} else if (message.type == PROTOCOL_DONE) {
			result = hear_done((void *)message.body, last, out,
					   err);
			over = true;
		} else if (message.type == (uint32_t)last) {
			memcpy(out, message.body, message.len);
			over = true;
		} else {
			result = hear(conductor, &message, answers, err);
		}
		if (message.fd >= 0)
			close(message.fd);
		message.fd = -1;
		channel_message_clear(&message);
	}
	conductor->busy = !over;
	return result;
}

/* ---- asking ---- */

int conductor_probe(struct conductor *conductor, struct image *out,
		    struct err *err)
{
	if (tell(conductor, PROTOCOL_PROBE, NULL, 0, err) < 0 ||
	    converse(conductor, PROTOCOL_IMAGE, out, NULL, err) < 0)
		return -1;
	conductor->image = *out;
	conductor->probed = true;
	return 0;
}

static int pass_fd(struct conductor *conductor, uint32_t name, int fd,
		   struct err *err)
{
	return tell_fd(conductor, PROTOCOL_FD, &name, sizeof name, fd, err);
}

/* Layers without an index, and pipes, are unpacked to be looked into. */
static int pass_spool(struct conductor *conductor, uint32_t name,
		      struct err *err)
{
	const char *dir = conductor->settings->tmpdir;
	AUTO_FD int fd = spool_open_fd(dir ? dir : "/var/tmp", err);

	return fd < 0 ? -1 : pass_fd(conductor, name, fd, err);
}

int conductor_inspect(struct conductor *conductor, enum protocol_type what,
		      const struct conductor_answers *answers,
		      struct protocol_done *done, struct err *err)
{
	const struct image *image = &conductor->image;
	bool unpack = !conductor->probed || !conductor->file[0].seekable ||
		      (image->layers && !image->layer[0].index);

	if (pass_fd(conductor, PROTOCOL_FD_INPUT, conductor->file[0].fd,
		    err) < 0)
		return -1;
	if (what == PROTOCOL_COMPARE &&
	    (pass_fd(conductor, PROTOCOL_FD_SECOND, conductor->file[1].fd,
		     err) < 0 ||
	     pass_spool(conductor, PROTOCOL_FD_OUTPUT, err) < 0))
		return -1;
	if (unpack && what != PROTOCOL_INFO &&
	    pass_spool(conductor, PROTOCOL_FD_SPOOL, err) < 0)
		return -1;
	if (tell(conductor, what, NULL, 0, err) < 0)
		return -1;
	return converse(conductor, PROTOCOL_DONE, done, answers, err);
}

/* A run that began with one content and ended with another made neither. The
 * worker looks too, but only from where it was given the file. */
static int check_unchanged(const struct conductor_file *file, struct err *err)
{
	const struct stat *then = &file->about;
	struct stat now;

	if (file->fd < 0 || !S_ISREG(then->st_mode))
		return 0;
	if (fstat(file->fd, &now) < 0)
		return err_sys(err, ERR_IO, "look at the input again");
	if (now.st_size == then->st_size &&
	    now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == then->st_mtim.tv_nsec)
		return 0;
	return err_set(err, ERR_TEMPORARY,
		       "the input was changed meanwhile; try again when "
		       "nothing writes to it");
}

int conductor_run(struct conductor *conductor, const struct job *job,
		  const int fds[PROTOCOL_FDS], struct protocol_done *done,
		  struct err *err)
{
	for (unsigned i = 0; i < PROTOCOL_FDS; i++) {
		int fd = i == PROTOCOL_FD_INPUT && fds[i] < 0
				 ? conductor->file[0].fd
				 : fds[i];
		if (fd >= 0 && pass_fd(conductor, i, fd, err) < 0)
			return -1;
	}
	if (tell(conductor, PROTOCOL_RUN, job, sizeof *job, err) < 0)
		return -1;
	if (converse(conductor, PROTOCOL_DONE, done, NULL, err) < 0)
		return -1;
	return check_unchanged(&conductor->file[0], err);
}

struct conductor *conductor_close(struct conductor *conductor)
{
	if (!conductor)
		return NULL;
	if (conductor->channel >= 0)
		close(conductor->channel);
	if (conductor->worker > 0) {
		/* It ends by itself when its socket closes, unless it is in
		 * the middle of something that has lost its purpose. */
		if (conductor->busy)
			kill(conductor->worker, SIGKILL);
		waitpid(conductor->worker, NULL, 0);
		signals_unwatch_worker(conductor->worker);
	}
	for (unsigned i = 0; i < 2; i++)
		if (conductor->file[i].fd >= 0)
			close(conductor->file[i].fd);
	policy_clear(&conductor->policy);
	free(conductor);
	return NULL;
}
