/* SPDX-License-Identifier: MIT */
/* Owns the worker's side of NEED and BYTES, and the choice of what is spoken
 * with a remote input's server. Does not interpret what comes. */
#include "transforms/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "io/channel.h"
#include "io/files.h"
#include "io/nbd_source.h"
#include "io/remote_source.h"
#include "transforms/worker_ask.h"

/* One request's bytes: an answer fits a message. */
#define INPUT_REQUEST ((size_t)256 * 1024)

struct input {
	int channel;
	unsigned number;   /* for NEED */
	int fd;		   /* of a stream; -1 until attached */
	enum protocol_place place;
	int socket;	   /* of a remote input, until it is reached; or -1 */
	uint64_t position; /* of a stream: bytes pulled */
	struct source *source;
};

/* A seekable input before its descriptor has come. */
struct asking {
	struct source source;
	struct input *input;
};

static int input_ask(struct input *input, void *buf, size_t len,
		     uint64_t offset, size_t *got, struct err *err)
{
	struct protocol_need need = { input->number, offset,
				      min_u64(len, INPUT_REQUEST) };
	struct channel_message message;
	int result;

	if (channel_send(input->channel, PROTOCOL_NEED, &need, sizeof need,
			 -1, err) < 0)
		return -1;
	result = channel_receive(input->channel, &message, err);
	if (result <= 0)
		return result < 0 ? -1
				  : err_set(err, ERR_IO,
					    "the conductor is gone");
	if (message.type == PROTOCOL_BYTES && message.len <= need.len) {
		if (message.len)
			memcpy(buf, message.body, message.len);
		*got = message.len;
	} else if (message.type == PROTOCOL_NO_FILE &&
		   message.len == sizeof *err) {
		memcpy(err, message.body, sizeof *err);
		result = -1;
	} else {
		result = err_set(err, ERR_BUG, "unexpected answer %u",
				 message.type);
	}
	channel_message_clear(&message);
	return result < 0 ? -1 : 0;
}

static int input_read(struct source *source, void *buf, size_t len,
		      uint64_t offset, size_t *got, struct err *err)
{
	return input_ask(((struct asking *)source)->input, buf, len, offset, got,
			 err);
}

/* Tables that were never written need not be read, where that is known. */
static int input_extent(struct source *source, uint64_t offset,
			struct extent *out, struct err *err)
{
	struct input *input = ((struct asking *)source)->input;
	struct protocol_need need = { input->number, offset,
				      source->size - offset };
	struct protocol_found found = { .length = 0 };
	struct channel_message message;

	if (channel_send(input->channel, PROTOCOL_LOOK, &need, sizeof need,
			 -1, err) < 0)
		return -1;
	int result = channel_receive(input->channel, &message, err);
	if (result <= 0)
		return result < 0 ? -1
				  : err_set(err, ERR_IO,
					    "the conductor is gone");
	if (message.type == PROTOCOL_FOUND && message.len == sizeof found)
		memcpy(&found, message.body, sizeof found);
	channel_message_clear(&message);
	if (!found.length)
		return err_set(err, ERR_BUG, "unexpected answer %u",
			       message.type);
	out->kind = found.hole ? EXTENT_HOLE : EXTENT_DATA;
	out->length = found.length;
	return 0;
}

static void input_source_close(struct source *source)
{
	free(source);
}

static int input_pull(void *opaque, void *buf, size_t len, size_t *got,
		      struct err *err)
{
	struct input *input = opaque;
	ssize_t n;

	if (input->fd < 0) {
		if (input_ask(input, buf, len, input->position, got, err) < 0)
			return -1;
		input->position += *got;
		return 0;
	}
	do
		n = read(input->fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, ERR_IO, "read");
	*got = (size_t)n;
	return 0;
}

static const struct source_ops asking_ops = { .read = input_read,
					      .extent = input_extent,
					      .close = input_source_close };

static const struct stream_ops pull_ops = { .pull = input_pull };

struct input *input_open(int channel, unsigned number,
			 const struct protocol_input *about, int take_fd)
{
	struct input *input = mem_zalloc(sizeof *input);

	input->channel = channel;
	input->number = number;
	input->fd = -1;
	input->place = about->place;
	input->socket = take_fd;
	if (input->place != PROTOCOL_PLACE_LOCAL)
		return input;
	if (!about->seekable) {
		input->source = files_stream(&pull_ops, input);
		return input;
	}
	struct asking *asking = mem_zalloc(sizeof *asking);
	source_init(&asking->source, &asking_ops);
	asking->source.seekable = true;
	asking->source.size_known = true;
	asking->source.size = about->size;
	asking->input = input;
	input->source = &asking->source;
	return input;
}

static int connect_more(void *opaque, struct err *err)
{
	struct input *input = opaque;
	int fd;

	return worker_ask_connection(input->channel, input->number, &fd, err) <
			       0
		       ? -1
		       : fd;
}

static struct source *reach(struct input *input,
			    struct protocol_input *about,
			    struct err *err)
{
	int fd = STEAL_FD(input->socket);

	if (input->place == PROTOCOL_PLACE_NBD)
		return nbd_source(fd, &about->nbd,
				  &(const struct nbd_more){ connect_more,
							    input },
				  err);
	if (input->place == PROTOCOL_PLACE_REMOTE && fd >= 0)
		return remote_source(fd, &about->version, err);
	if (fd >= 0)
		close(fd);
	err_set(err, ERR_BUG, "place %u of an input", input->place);
	return NULL;
}

int input_reach(struct input *input, struct protocol_input *about,
		struct err *err)
{
	if (input->source)
		return 0;
	input->source = reach(input, about, err);
	if (!input->source)
		return -1;
	about->seekable = input->source->seekable;
	about->size = input->source->size_known ? input->source->size : 0;
	about->allocated = about->size;
	return 0;
}

struct source *input_source(struct input *input)
{
	return input->source;
}

int input_attach(struct input *input, int take_fd, int take_direct,
		 enum page_cache cache, struct err *err)
{
	AUTO_FD int direct = take_direct;

	if (input->place != PROTOCOL_PLACE_LOCAL) {
		if (source_rewind(input->source, err) < 0)
			return -1;
		if (!input->source->seekable)
			files_stream_forget(input->source);
		return 0;
	}
	if (input->source->seekable) {
		source_close(input->source);
		input->source = files_input(take_fd, STEAL_FD(direct), cache, err);
		return input->source ? 0 : -1;
	}
	input->fd = take_fd;
	if (source_rewind(input->source, err) < 0)
		return -1;
	files_stream_forget(input->source);
	return 0;
}

struct input *input_close(struct input *input)
{
	if (!input)
		return NULL;
	source_close(input->source);
	if (input->fd >= 0)
		close(input->fd);
	if (input->socket >= 0)
		close(input->socket);
	free(input);
	return NULL;
}
