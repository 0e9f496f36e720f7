/* SPDX-License-Identifier: MIT */
/* Units for the sandbox: what is in force after each kind of entering, asked
 * from inside. Each in a thread of its own: Landlock and seccomp close in the
 * thread that asks for them, and the others can go on. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/sandbox.h"
#include "tests/unit/check.h"

/* What a sanitizer does when a thread ends is on no list. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED                                                              \
	(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

struct inside {
	struct sandbox sandbox;
	/* Filled in by the thread. */
	int result;
	struct err err;
	struct sandbox_posture posture;
	bool opens, makes, connects, sends, executes;
	int open_errno;
};

/* Calls, not the C library's names for them: those may do more. */
static void *enter(void *opaque)
{
	struct inside *inside = opaque;
	long fd;
	void *page;

	inside->result =
		sandbox_enter(&inside->sandbox, &inside->posture, &inside->err);
	fd = syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
	inside->opens = fd >= 0;
	inside->open_errno = errno;
	if (fd >= 0)
		syscall(SYS_close, fd);
	fd = syscall(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0600);
	inside->makes = fd >= 0;
	if (fd >= 0)
		syscall(SYS_close, fd);
	fd = syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
	inside->connects = fd >= 0;
	if (fd >= 0)
		syscall(SYS_close, fd);
	/* Of descriptor -1: EBADF once the call is allowed at all. */
	inside->sends =
		syscall(SYS_shutdown, -1, SHUT_RD) < 0 && errno == EBADF;
	page = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	inside->executes = page != MAP_FAILED;
	if (page != MAP_FAILED)
		munmap(page, 4096);
	return NULL;
}

static struct inside entered(enum sandbox_mode mode, enum sandbox_need need)
{
	struct inside inside = { .sandbox = { mode, need } };
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, enter, &inside));
	CHECK(!pthread_join(thread, NULL));
	return inside;
}

static void test_off(void)
{
	struct inside inside = entered(SANDBOX_OFF, SANDBOX_FILES);
	char text[80];

	CHECK_EQ(inside.result, 0);
	CHECK(inside.opens && inside.connects && inside.executes);
	CHECK_STR(sandbox_text(&inside.posture, text, sizeof text), "none");
}

static void test_files(void)
{
	struct inside inside = entered(SANDBOX_REQUIRE, SANDBOX_FILES);

	CHECK_EQ(inside.result, 0);
	CHECK(inside.posture.no_new_privileges && inside.posture.seccomp &&
	      inside.posture.landlock);
	CHECK(!inside.opens && !inside.makes && !inside.connects &&
	      !inside.executes && !inside.sends);
	CHECK_EQ(inside.open_errno, ENOENT);
	/* In force for the thread, and for it alone. */
	CHECK_EQ(entered(SANDBOX_OFF, SANDBOX_FILES).opens, true);
}

/* Connections that are there are spoken over, none is made. */
static void test_sockets(void)
{
	struct inside inside = entered(SANDBOX_AUTO, SANDBOX_SOCKETS);

	CHECK_EQ(inside.result, 0);
	CHECK(inside.posture.seccomp);
	CHECK(inside.sends && !inside.connects && !inside.opens &&
	      !inside.makes && !inside.executes);
}

/* Files can be read, not made; that is less than all. */
static void test_network(void)
{
	struct inside inside = entered(SANDBOX_AUTO, SANDBOX_NETWORK);

	CHECK_EQ(inside.result, 0);
	CHECK(inside.posture.landlock && !inside.posture.seccomp);
	CHECK(inside.opens && inside.connects && !inside.makes);
	inside = entered(SANDBOX_REQUIRE, SANDBOX_NETWORK);
	CHECK_EQ(inside.result, -1);
	CHECK_EQ(inside.err.kind, ERR_UNSUPPORTED);
	CHECK(strstr(inside.err.message, "a server with TLS") != NULL);
	CHECK(!inside.makes);
}

static void test_text(void)
{
	const struct sandbox_posture all = { true, true, 4 };
	const struct sandbox_posture no_landlock = { true, true, 0 };
	char text[80];

	CHECK_STR(sandbox_text(&all, text, sizeof text),
		  "no-new-privileges landlock-4 seccomp");
	CHECK_STR(sandbox_text(&no_landlock, text, sizeof text),
		  "no-new-privileges seccomp");
}

int main(void)
{
	test_text();
	test_off();
	if (SANITIZED) {
		printf("skipped: a sanitizer's threads are not closed in\n");
		return check_result() ? 1 : 77;
	}
	/* valgrind has no Landlock, and would not survive the filter. */
	if (syscall(SYS_landlock_create_ruleset, NULL, 0,
		    LANDLOCK_CREATE_RULESET_VERSION) < 1) {
		printf("skipped: this kernel has no Landlock\n");
		return check_result() ? 1 : 77;
	}
	test_network();
	test_sockets();
	test_files();
	return check_result();
}
