/* SPDX-License-Identifier: MIT */
/*
 * Owns the framing of messages on a socket pair: type and length, four bytes
 * each in the machine's order, then the body; a descriptor travels with the
 * first byte. Does not know what messages mean, and does not trust the peer:
 * a worker that was taken over may send anything.
 */
#include "io/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEADER_LEN 8

/* Room for one descriptor; the kernel drops what does not fit, but for one
 * more that alignment leaves room for. */
union control {
	struct cmsghdr align;
	unsigned char bytes[CMSG_SPACE(sizeof(int))];
};

int channel_pair(int out[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out))
		return err_sys(err, ERR_IO, "cannot make a pair of sockets");
	return 0;
}

static void put_fd(struct msghdr *message, union control *control, int fd)
{
	struct cmsghdr *part;

	memset(control, 0, sizeof *control);
	message->msg_control = control->bytes;
	message->msg_controllen = sizeof control->bytes;
	part = CMSG_FIRSTHDR(message);
	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(part), &fd, sizeof fd);
}

/* Steps over `len` bytes that were sent. */
static void advance(struct msghdr *message, size_t len)
{
	while (len) {
		struct iovec *first = message->msg_iov;
		size_t step = len < first->iov_len ? len : first->iov_len;

		first->iov_base = (unsigned char *)first->iov_base + step;
		first->iov_len -= step;
		len -= step;
		if (!first->iov_len) {
			message->msg_iov++;
			message->msg_iovlen--;
		}
	}
}

int channel_send(int channel, uint32_t type, const void *body, size_t len,
		 int fd, struct err *err)
{
	unsigned char header[HEADER_LEN];
	uint32_t len32 = (uint32_t)len;
	/* The body is only read from; the type has no const. */
	struct iovec parts[2] = { { header, sizeof header },
				  { (void *)(uintptr_t)body, len } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = len ? 2 : 1 };
	union control control;

	if (len > CHANNEL_MAX)
		return err_set(err, ERR_BUG,
			       "a message of %zu bytes is larger than %zu", len,
			       CHANNEL_MAX);
	memcpy(header, &type, sizeof type);
	memcpy(header + sizeof type, &len32, sizeof len32);
	if (fd >= 0)
		put_fd(&message, &control, fd);
	/* Ends: each sendmsg sends something or fails. */
	while (message.msg_iovlen) {
		ssize_t n = sendmsg(channel, &message, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, ERR_IO,
				       "the other process is gone");
		message.msg_control = NULL;
		message.msg_controllen = 0;
		advance(&message, (size_t)n);
	}
	return 0;
}

/* The first descriptor that came is kept, all others are closed. */
static int take_fds(struct msghdr *message)
{
	struct cmsghdr *part;
	int kept = -1;

	for (part = CMSG_FIRSTHDR(message); part;
	     part = CMSG_NXTHDR(message, part)) {
		size_t at = CMSG_LEN(0);

		if (part->cmsg_level != SOL_SOCKET ||
		    part->cmsg_type != SCM_RIGHTS)
			continue;
		for (; at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
			int fd;

			memcpy(&fd, (unsigned char *)part + at, sizeof fd);
			if (kept < 0)
				kept = fd;
			else
				close(fd);
		}
	}
	return kept;
}

/* Up to `len` bytes, with what else comes along: bytes, 0 at the end, -1. */
static ssize_t receive_first(int channel, unsigned char *buf, size_t len,
			     int *fd)
{
	union control control;
	struct iovec part = { buf, len };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	ssize_t n;

	do
		n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		*fd = take_fds(&message);
	return n;
}

/* All of it. Descriptors that come here are dropped by the kernel. */
static int receive_rest(int channel, unsigned char *buf, size_t len,
			struct err *err)
{
	/* Ends: each recv brings something, the end or a failure. */
	while (len) {
		ssize_t n = recv(channel, buf, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, ERR_IO,
				       "cannot read from the other process");
		if (!n)
			return err_set(err, ERR_IO,
				       "the other process ended in the "
				       "middle of a message");
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static int receive_body(int channel, struct channel_message *out,
			struct err *err)
{
	if (out->len > CHANNEL_MAX)
		return err_set(err, ERR_BUG,
			       "the other process announced %u bytes, at most "
			       "%zu are allowed",
			       out->len, CHANNEL_MAX);
	if (!out->len)
		return 0;
	out->body = malloc(out->len);
	if (!out->body)
		return err_set(err, ERR_TEMPORARY,
			       "no memory for a message of %u bytes", out->len);
	return receive_rest(channel, out->body, out->len, err);
}

int channel_receive(int channel, struct channel_message *out, struct err *err)
{
	unsigned char header[HEADER_LEN];
	ssize_t n;

	memset(out, 0, sizeof *out);
	out->fd = -1;
	n = receive_first(channel, header, sizeof header, &out->fd);
	/* A peer that dies with messages unread resets the connection. */
	if (!n || (n < 0 && errno == ECONNRESET)) {
		channel_message_clear(out);
		return 0;
	}
	if (n < 0)
		return err_sys(err, ERR_IO,
			       "cannot read from the other process");
	if (!receive_rest(channel, header + n, sizeof header - (size_t)n,
			  err)) {
		memcpy(&out->type, header, sizeof out->type);
		memcpy(&out->len, header + sizeof out->type, sizeof out->len);
		if (!receive_body(channel, out, err))
			return 1;
	}
	channel_message_clear(out);
	return -1;
}

void channel_message_clear(struct channel_message *message)
{
	free(message->body);
	if (message->fd >= 0)
		close(message->fd);
	memset(message, 0, sizeof *message);
	message->fd = -1;
}
