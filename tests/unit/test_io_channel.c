/* SPDX-License-Identifier: MIT */
/* Units for the channel: messages of all sizes, descriptors, a peer that
 * goes away and one that lies. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/channel.h"
#include "tests/unit/check.h"

static unsigned open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

struct sending {
	int channel;
	const unsigned char *bytes;
	unsigned failures;
};

static const size_t lens[] = {
	0, 1, 7, 8, 65536, CHANNEL_MAX - 1, CHANNEL_MAX
};
#define LENS (sizeof lens / sizeof *lens)

static void *send_all(void *opaque)
{
	struct sending *sending = opaque;
	struct err err;

	for (unsigned i = 0; i < LENS; i++)
		sending->failures +=
			!!channel_send(sending->channel, i + 1, sending->bytes,
				       lens[i], -1, &err);
	close(sending->channel);
	return NULL;
}

static void test_sizes(void)
{
	unsigned char *bytes = malloc(CHANNEL_MAX);
	struct channel_message message;
	struct sending sending;
	pthread_t thread;
	struct err err;
	int pair[2];

	for (size_t i = 0; i < CHANNEL_MAX; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 256);
	CHECK(!channel_pair(pair, &err));
	CHECK(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);
	sending = (struct sending){ pair[0], bytes, 0 };
	CHECK(!pthread_create(&thread, NULL, send_all, &sending));
	for (unsigned i = 0; i < LENS; i++) {
		CHECK(channel_receive(pair[1], &message, &err) == 1);
		CHECK_EQ(message.type, i + 1);
		CHECK_EQ(message.len, lens[i]);
		CHECK_EQ(message.fd, -1);
		CHECK(!message.body == !lens[i]);
		if (message.body)
			CHECK(!memcmp(message.body, bytes, lens[i]));
		channel_message_clear(&message);
		CHECK(!message.body);
	}
	pthread_join(thread, NULL);
	CHECK_EQ(sending.failures, 0);
	CHECK(channel_receive(pair[1], &message, &err) == 0);
	CHECK(channel_send(pair[1], 1, NULL, 0, -1, &err));
	CHECK_EQ(err.kind, ERR_IO); /* and no SIGPIPE */
	CHECK(channel_send(pair[1], 1, bytes, CHANNEL_MAX + 1, -1, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	close(pair[1]);
	free(bytes);
}

static void test_descriptor(void)
{
	struct channel_message message;
	int pair[2], file[2];
	struct err err;
	char byte = 0;

	CHECK(!channel_pair(pair, &err) && !pipe(file));
	CHECK(!channel_send(pair[0], 9, "body", 4, file[0], &err));
	CHECK(!channel_send(pair[0], 10, NULL, 0, file[0], &err));
	CHECK(!channel_send(pair[0], 11, "none", 4, -1, &err));
	CHECK(write(file[1], "xy", 2) == 2);
	for (int i = 0; i < 2; i++) {
		CHECK(channel_receive(pair[1], &message, &err) == 1);
		CHECK(message.fd >= 0 && message.fd != file[0]);
		CHECK(fcntl(message.fd, F_GETFD) & FD_CLOEXEC);
		CHECK(read(message.fd, &byte, 1) == 1 && byte == "xy"[i]);
		channel_message_clear(&message);
		CHECK_EQ(message.fd, -1);
	}
	CHECK(channel_receive(pair[1], &message, &err) == 1);
	CHECK_EQ(message.fd, -1);
	channel_message_clear(&message);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(file[i]);
	}
}

/* A peer that dies with our messages unread: an end, not a failure. */
static void test_reset(void)
{
	struct channel_message message;
	struct err err;
	int pair[2];

	CHECK(!channel_pair(pair, &err));
	CHECK(!channel_send(pair[1], 1, "unread", 6, -1, &err));
	close(pair[0]);
	CHECK(channel_receive(pair[1], &message, &err) == 0);
	close(pair[1]);
}

/* Raw bytes from a lying peer, with `fds` descriptors at the first. */
static void lie(int channel, const void *bytes, size_t len, int fds)
{
	union {
		struct cmsghdr align;
		unsigned char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)bytes, len };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fds) {
		struct cmsghdr *head;

		message.msg_control = control.bytes;
		message.msg_controllen =
			CMSG_SPACE((unsigned)fds * sizeof(int));
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN((unsigned)fds * sizeof(int));
		memset(CMSG_DATA(head), 0, (unsigned)fds * sizeof(int));
	}
	CHECK(sendmsg(channel, &message, MSG_NOSIGNAL) == (ssize_t)len);
}

/* `kind` is ERR_NONE for a message that is received all the same. */
static void check_lie(const uint32_t *words, size_t len, int fds,
		      enum err_kind kind)
{
	struct channel_message message;
	struct err err = { ERR_NONE, 0, "" };
	unsigned before = open_fds();
	int pair[2];

	CHECK(!channel_pair(pair, &err));
	lie(pair[0], words, len, fds);
	/* Descriptors in the middle of a message, too. */
	if (len == 8 && words[1] == 4 && kind == ERR_NONE)
		lie(pair[0], "body", 4, 2);
	close(pair[0]);
	CHECK(channel_receive(pair[1], &message, &err) == (kind ? -1 : 1));
	CHECK_EQ(err.kind, kind);
	if (kind)
		CHECK(!message.body && message.fd == -1);
	channel_message_clear(&message);
	close(pair[1]);
	CHECK_EQ(open_fds(), before);
}

static void test_lies(void)
{
	static const uint32_t huge[2] = { 1, (uint32_t)CHANNEL_MAX + 1 };
	static const uint32_t most[2] = { 1, UINT32_MAX };
	static const uint32_t cut[2] = { 1, 4 };
	static const uint32_t empty[2] = { 1, 0 };

	check_lie(huge, 8, 0, ERR_BUG);
	check_lie(huge, 8, 1, ERR_BUG);
	check_lie(most, 8, 0, ERR_BUG);
	check_lie(cut, 8, 1, ERR_IO); /* no body comes */
	check_lie(cut, 3, 1, ERR_IO); /* not even a header */
	for (int fds = 1; fds <= 16; fds++)
		check_lie(empty, 8, fds, ERR_NONE);
	check_lie(cut, 8, 3, ERR_NONE);
}

int main(void)
{
	test_sizes();
	test_descriptor();
	test_reset();
	test_lies();
	return check_result();
}
