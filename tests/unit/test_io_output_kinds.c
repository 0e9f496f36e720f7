/* SPDX-License-Identifier: MIT */
/* Units for what an output may be: each kind of file, terminals, standard
 * output, and folders and files of which one has only some rights. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/output.h"
#include "tests/unit/check.h"

#define NOBODY 65534

static const struct output_options plain = { .sync = true };
static const struct output_options forced = { .sync = true, .force = true };
static const struct output_options in_place = { .in_place = true };

static void refused(const char *path, const struct output_options *options,
		    enum err_kind kind, const char *part)
{
	struct err err = { .message = "" };

	CHECK(!output_open(path, options, &err));
	CHECK_EQ(err.kind, kind);
	if (!strstr(err.message, part))
		CHECK_STR(err.message, part);
}

/* The path is written to and has its name in the end. */
static void written(const char *path, const struct output_options *options)
{
	struct err err = { .message = "" };
	struct output *output = output_open(path, options, &err);

	CHECK_STR(err.message, "");
	if (!output)
		return;
	CHECK_EQ(write(output_fd(output), "new", 3), 3);
	CHECK(!output_commit(output, &err));
	CHECK(!output_close(output));
	CHECK(!access(path, F_OK));
}

static void make(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	CHECK(fd >= 0 && !fchmod(fd, mode) && !close(fd));
}

static void test_kinds(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX,
				    .sun_path = "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(!bind(fd, (struct sockaddr *)&name, sizeof name));
	close(fd);
	refused("socket", &plain, ERR_CREATE,
		"is a socket; name a file, a device or a FIFO");
	CHECK(!mkfifo("fifo", 0600));
	refused("fifo", &in_place, ERR_CREATE,
		"is a FIFO and cannot be changed in place");
	refused("/dev/null", &in_place, ERR_CREATE,
		"is a character device and cannot be changed in place");
	refused(".", &plain, ERR_CREATE, "is a directory");
	refused("nothing", &in_place, ERR_NO_INPUT, "does not exist");
}

/* A terminal shows bytes, it does not keep them. */
static void test_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), terminal, before;
	const char *path;

	if (master < 0 || grantpt(master) || unlockpt(master) ||
	    !(path = ptsname(master))) {
		printf("no terminal to be had\n");
		return;
	}
	refused(path, &plain, ERR_USAGE, "is a terminal; name a file");
	terminal = open(path, O_RDWR | O_NOCTTY);
	fflush(stdout);
	before = dup(STDOUT_FILENO);
	dup2(terminal, STDOUT_FILENO);
	refused("-", &plain, ERR_USAGE, "standard output is a terminal");
	dup2(before, STDOUT_FILENO);
	close(before);
	close(terminal);
	close(master);
}

static void test_standard_output(void)
{
	int before = dup(STDOUT_FILENO);
	struct stat input;
	struct output_options other = { .input = &input };

	refused("-", &in_place, ERR_USAGE, "cannot be changed in place");
	fflush(stdout);
	close(STDOUT_FILENO);
	refused("-", &plain, ERR_CREATE, "standard output cannot be used");
	/* A shell's `>` of the input. */
	make("same", 0600);
	CHECK_EQ(open("same", O_WRONLY), STDOUT_FILENO);
	CHECK(!stat("same", &input));
	refused("-", &other, ERR_CREATE, "is the input itself");
	dup2(before, STDOUT_FILENO);
	close(before);
}

/* As somebody who has few rights here. */
static void test_rights(void)
{
	char away[] = "/tmp/test-output-XXXXXX";

	CHECK(mkdtemp(away) && !chdir(away) && !chmod(away, 0711));
	CHECK(!mkdir("unlisted", 0700) && !chmod("unlisted", 0733));
	CHECK(!mkdir("closed", 0700) && !chmod("closed", 0755));
	CHECK(!mkdir("sticky", 0700) && !chmod("sticky", 01777));
	make("closed/kept", 0644);
	make("sticky/theirs", 0666);
	CHECK(!mkfifo("fifo", 0600));
	CHECK(!seteuid(NOBODY));

	written("unlisted/new", &plain);
	refused("closed/new", &plain, ERR_REFUSED, "cannot create a file in");
	refused("closed/kept", &plain, ERR_CREATE, "exists; use --force");
	refused("closed/kept", &forced, ERR_REFUSED, "is write-protected");
	refused("closed/kept", &in_place, ERR_REFUSED,
		"cannot be opened for writing");
	refused("fifo", &plain, ERR_REFUSED, "cannot be opened for writing");
	/* Better said now than by the rename after hours. */
	refused("sticky/theirs", &forced, ERR_REFUSED,
		"in sticky only the owner may replace it");
	written("sticky/ours", &plain);
	written("sticky/ours", &forced);

	CHECK(!seteuid(0));
	CHECK(!system("rm -rf unlisted closed sticky fifo"));
	CHECK(!chdir("/") && !rmdir(away));
}

/* What is there already can become the output, if it can be renamed. */
static void test_adopted(void)
{
	struct err err = { .message = "" };
	struct output *output = output_open("adopting", &plain, &err);
	struct output *changed;
	char *const elsewhere = (char[]){ "/dev/shm/test-output-XXXXXX" };
	struct stat here, there;
	int fd = mkstemp(elsewhere);

	CHECK(output_adopt(output, "nothing", &err));
	CHECK(strstr(err.message, "cannot rename nothing"));
	CHECK(output_adopt(output, "fifo", &err));
	CHECK(strstr(err.message, "it is not a regular file"));
	if (fd >= 0 && !fstat(fd, &there) && !stat(".", &here) &&
	    here.st_dev != there.st_dev) {
		CHECK(output_adopt(output, elsewhere, &err));
		CHECK(strstr(err.message, "it is on another file system"));
	}
	if (fd >= 0) {
		close(fd);
		unlink(elsewhere);
	}
	make("adopted", 0600);
	CHECK(!output_adopt(output, "adopted", &err));
	CHECK(!output_commit(output, &err));
	CHECK(output_commit(output, &err)); /* once */
	CHECK_EQ(err.kind, ERR_BUG);
	output_close(output);
	CHECK(!access("adopting", F_OK) && access("adopted", F_OK));
	changed = output_open("adopting", &in_place, &err);
	CHECK(output_adopt(changed, "adopting", &err));
	CHECK_EQ(err.kind, ERR_BUG);
	output_close(changed);
	/* It went while the output was made. */
	output = output_open("late", &plain, &err);
	make("gone", 0600);
	CHECK(!output_adopt(output, "gone", &err));
	CHECK(!unlink("gone"));
	CHECK(output_commit(output, &err));
	output_close(output);
	CHECK(access("late", F_OK));
}

static void test_same(void)
{
	struct err err;
	struct output *a = output_open("one", &plain, &err);
	struct output *b = output_open("./one", &plain, &err);
	struct output *c = output_open("other", &plain, &err);
	struct output *away = output_elsewhere();

	CHECK(output_same(a, b));
	CHECK(!output_same(a, c));
	CHECK(!output_same(a, away) && !output_same(away, away));
	CHECK_EQ(output_kind(away), OUTPUT_EXPORT);
	CHECK_EQ(output_fd(away), -1);
	CHECK(!output_commit(away, &err));
	output_close(a);
	output_close(b);
	output_close(c);
	output_close(away);
}

int main(void)
{
	char dir[] = "/tmp/test-output-XXXXXX";

	CHECK(mkdtemp(dir) && !chdir(dir));
	test_kinds();
	test_terminal();
	test_standard_output();
	test_adopted();
	test_same();
	CHECK(!system("rm -f socket fifo same adopting"));
	CHECK(!chdir("/") && !rmdir(dir));
	if (geteuid())
		printf("not root: rights are not tried\n");
	else
		test_rights();
	return check_result();
}
