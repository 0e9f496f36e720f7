/* SPDX-License-Identifier: MIT */
/* Owns the words between conductor and worker: telling, listening, answering
 * what is asked meanwhile. What files may be opened is policy.c's; what is
 * shown is ui.c's. */
#include "cmd/conversation.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "cmd/parts.h"
#include "cmd/signals.h"
#include "io/channel.h"

/* The conversation is over and the worker did not end it: why? */
static int conversation_over(struct conductor *conductor, struct err *err)
{
	int status = 0;

	if (conductor->worker <= 0)
		return err_set(err, ERR_BUG, "the worker is gone");
	waitpid(conductor->worker, &status, 0);
	signals_unwatch_worker(conductor->worker);
	conductor->worker = 0;
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU ||
				    WTERMSIG(status) == SIGXFSZ)) {
		err_set(err, ERR_INTERRUPTED, "the limit on %s is passed",
			WTERMSIG(status) == SIGXCPU
				? "processor time (RLIMIT_CPU)"
				: "a file's length (RLIMIT_FSIZE)");
		err->signal = WTERMSIG(status);
		return -1;
	}
	if (WIFSIGNALED(status))
		return err_set(err, ERR_BUG,
			       "the worker was ended by signal "
			       "%d (%s)",
			       WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) == err_status(ERR_TEMPORARY))
		return err_set(err, ERR_TEMPORARY,
			       "the worker ran out of memory");
	return err_set(err, ERR_BUG, "the worker ended with status %d",
		       WEXITSTATUS(status));
}

int conversation_tell_fd(struct conductor *conductor, uint32_t type,
			 const void *body, size_t len, int fd, struct err *err)
{
	struct err broken;

	if (!channel_send(conductor->channel, type, body, len, fd, &broken))
		return 0;
	if (conductor->worker > 0)
		kill(conductor->worker, SIGKILL);
	return conversation_over(conductor, err);
}

int conversation_tell(struct conductor *conductor, enum protocol_type type,
		      const void *body, size_t len, struct err *err)
{
	return conversation_tell_fd(conductor, type, body, len, -1, err);
}

static int read_some(struct conductor_file *file, unsigned char *buf,
		     size_t len, uint64_t offset, size_t *got, struct err *err)
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
		return conversation_tell(conductor, PROTOCOL_NO_FILE, &refusal,
					 sizeof refusal, err);
	return conversation_tell(conductor, PROTOCOL_BYTES, buf, got, err);
}

/* Where a file system does not tell, all is data. */
static int answer_look(struct conductor *conductor,
		       const struct protocol_need *need, struct err *err)
{
	const struct conductor_file *file;
	struct protocol_found found = { .hole = false, .length = need->len };
	off_t data, end;

	if (need->input > 1 || !need->len || need->offset > INT64_MAX)
		return err_set(err, ERR_BUG, "the worker looks at nothing");
	file = &conductor->file[need->input];
	data = lseek(file->fd, (off_t)need->offset, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		found.hole = true;
	} else if (data > (off_t)need->offset) {
		found.hole = true;
		found.length = (uint64_t)data - need->offset;
	} else if (data >= 0) {
		end = lseek(file->fd, (off_t)need->offset, SEEK_HOLE);
		if (end > (off_t)need->offset)
			found.length = (uint64_t)end - need->offset;
	}
	found.length = min_u64(found.length, need->len);
	return conversation_tell(conductor, PROTOCOL_FOUND, &found,
				 sizeof found, err);
}

static int answer_refer(struct conductor *conductor,
			const struct protocol_refer *refer, struct err *err)
{
	struct err refusal = { .kind = ERR_NONE };
	int fd, result;

	fd = policy_open(&conductor->policy, refer, &refusal);
	if (fd < 0)
		return conversation_tell(conductor, PROTOCOL_NO_FILE, &refusal,
					 sizeof refusal, err);
	result = conversation_tell_fd(conductor, PROTOCOL_FILE, NULL, 0, fd,
				      err);
	close(fd);
	return result;
}

static int answer_part(struct conductor *conductor,
		       const struct protocol_name *name, struct err *err)
{
	struct err refusal = { .kind = ERR_NONE };
	struct output *part = NULL;

	if (conductor->parts)
		part = parts_add_made(conductor->parts, name->text, &refusal);
	else
		err_set(&refusal, ERR_BUG, "%s: one file is all there is",
			name->text);
	if (!part)
		return conversation_tell(conductor, PROTOCOL_NO_FILE, &refusal,
					 sizeof refusal, err);
	return conversation_tell_fd(conductor, PROTOCOL_FILE, NULL, 0,
				    output_fd(part), err);
}

static int answer_connect(struct conductor *conductor, uint32_t which,
			  struct err *err)
{
	const struct remote *remote =
		which < 2 ? &conductor->file[which].remote : conductor->output;
	struct err refusal = { .kind = ERR_NONE };
	AUTO_FD int fd = -1;

	if (which > 2 || !remote)
		return err_set(err, ERR_BUG, "the worker connects to nobody");
	fd = remote_again(remote, conductor->settings, &refusal);
	if (fd < 0)
		return conversation_tell(conductor, PROTOCOL_NO_FILE, &refusal,
					 sizeof refusal, err);
	return conversation_tell_fd(conductor, PROTOCOL_FILE, NULL, 0, fd,
				    err);
}

static void hear_note(struct conductor *conductor,
		      const struct protocol_note *note)
{
	conductor->notes++;
	if (conductor->skip_notes) {
		conductor->skip_notes--;
		return;
	}
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
	case PROTOCOL_LOOK:
		return answer_look(conductor, (void *)message->body, err);
	case PROTOCOL_REFER:
		return answer_refer(conductor, (void *)message->body, err);
	case PROTOCOL_CONNECT:
		return answer_connect(conductor, *(uint32_t *)message->body,
				      err);
	case PROTOCOL_PART:
		return answer_part(conductor, name, err);
	case PROTOCOL_NOTE:
		hear_note(conductor, (void *)message->body);
		return 0;
	case PROTOCOL_POSTURE:
		memcpy(&conductor->posture, message->body,
		       sizeof conductor->posture);
		ui_posture(conductor->ui, &conductor->posture);
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
			answers->extents(
				answers->opaque, (void *)message->body,
				message->len / sizeof(struct protocol_extent));
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

int conversation_hear(struct conductor *conductor, enum protocol_type last,
		      void *out, const struct conductor_answers *answers,
		      struct err *err)
{
	struct channel_message message;
	int result = 0;
	bool over = false;

	conductor->busy = true;
	while (!over && !result) {
		struct err broken;
		result = channel_receive(conductor->channel, &message, &broken);
		/* Nonsense in the frame: no more of it is wanted. */
		if (result < 0 && conductor->worker > 0)
			kill(conductor->worker, SIGKILL);
		if (result <= 0) {
			conversation_over(conductor, err);
			/* If the reason is ours, its end is not it. */
			if (result < 0 && broken.kind != ERR_IO)
				*err = broken;
			return -1;
		}
		result = 0;
		if (protocol_check(message.type, message.body, message.len,
				   err) < 0) {
			result = -1;
		} else if (message.type == PROTOCOL_DONE) {
			result =
				hear_done((void *)message.body, last, out, err);
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
