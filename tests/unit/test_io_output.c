/* SPDX-License-Identifier: MIT */
/* Units for the output transaction: whatever happens, a name shows the old
 * file or the new one, and nothing lies beside it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/output.h"
#include "tests/unit/check.h"

static const struct output_options plain = { .sync = true };
static const struct output_options forced = { .sync = true, .force = true };

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void check_content(const char *path, const char *text)
{
	char buf[100] = "";
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0);
	if (fd < 0)
		return;
	CHECK(read(fd, buf, sizeof buf - 1) >= 0);
	CHECK_STR(buf, text);
	close(fd);
}

/* The number of names in the working directory, which is the test's own. */
static unsigned names(void)
{
	DIR *dir = opendir(".");
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static void wipe(void)
{
	CHECK(!system("rm -rf ./* ./.[a-zA-Z]*"));
	CHECK_EQ(names(), 0);
}

static struct output *open_ok(const char *path,
			      const struct output_options *options)
{
	struct err err;
	struct output *output = output_open(path, options, &err);

	if (!output)
		CHECK_STR(err.message, "");
	return output;
}

static void check_refused(const char *path,
			  const struct output_options *options,
			  enum err_kind kind, const char *part)
{
	struct err err;
	unsigned before = names();

	CHECK(!output_open(path, options, &err));
	CHECK_EQ(err.kind, kind);
	if (!strstr(err.message, part))
		CHECK_STR(err.message, part);
	CHECK_EQ(names(), before);
}

static void write_text(struct output *output, const char *text)
{
	CHECK(write(output_fd(output), text, strlen(text)) ==
	      (ssize_t)strlen(text));
}

static void make(const char *path, const struct output_options *options,
		 const char *text)
{
	struct output *output = open_ok(path, options);
	struct err err;

	if (!output)
		return;
	CHECK_EQ(output_kind(output), OUTPUT_FILE);
	write_text(output, text);
	if (output_commit(output, &err))
		CHECK_STR(err.message, "");
	CHECK(!output_close(output));
	check_content(path, text);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	CHECK(!stat(path, &st));
	return st.st_mode & 07777;
}

static void test_new(void)
{
	struct output *output;
	mode_t old = umask(027);

	output = open_ok("new", &plain);
	CHECK_STR(output_dir(output), ".");
	write_text(output, "half");
	CHECK_EQ(names(), 0); /* nothing is visible */
	output_close(output);
	CHECK_EQ(names(), 0);
	make("new", &plain, "whole");
	CHECK_EQ(names(), 1);
	CHECK_EQ(mode_of("new"), 0640);
	umask(old);
	wipe();
}

static void test_existing(void)
{
	struct output *output;
	struct stat st;

	put("old", "old");
	check_refused("old", &plain, ERR_CREATE,
		      "exists; use --force to replace it");
	check_content("old", "old");
	output = open_ok("old", &forced);
	write_text(output, "new");
	check_content("old", "old");
	output_abandon(output);
	output_close(output);
	check_content("old", "old");

	CHECK(!chmod("old", 0604));
	CHECK(!link("old", "other"));
	make("old", &forced, "new");
	CHECK_EQ(mode_of("old"), 0604);
	check_content("other", "old"); /* a hard link keeps the old file */
	CHECK(!stat("old", &st));
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(names(), 2);
	make("free", &forced, "new");
	wipe();
}

static void test_races(void)
{
	struct output *output = open_ok("name", &plain);
	struct err err;

	/* Somebody takes the name before we do. */
	put("name", "theirs");
	CHECK(output_commit(output, &err));
	CHECK_EQ(err.kind, ERR_CREATE);
	CHECK(strstr(err.message, "use --force"));
	CHECK(output_commit(output, &err)); /* no second time */
	CHECK_EQ(err.kind, ERR_BUG);
	output_close(output);
	check_content("name", "theirs");
	CHECK(!unlink("name"));

	output = open_ok("name", &forced);
	put("name", "theirs");
	write_text(output, "ours");
	CHECK(!output_commit(output, &err));
	output_close(output);
	check_content("name", "ours");

	/* A directory cannot be replaced, also not with force. */
	output = open_ok("name", &forced);
	CHECK(!unlink("name") && !mkdir("name", 0755));
	CHECK(output_commit(output, &err));
	CHECK_EQ(err.kind, ERR_CREATE);
	output_close(output);
	CHECK_EQ(names(), 1);
	wipe();
}

static void test_refused(void)
{
	struct output_options same = forced;
	struct stat st;

	CHECK(!mkdir("dir", 0755));
	check_refused("dir", &forced, ERR_CREATE, "is a directory");
	check_refused("dir/", &forced, ERR_CREATE, "is a directory");
	check_refused("none/", &plain, ERR_CREATE, "directory");
	check_refused("none/file", &plain, ERR_CREATE, "none");
	check_refused("", &plain, ERR_CREATE, "no name");
	put("input", "input");
	check_refused("input/file", &plain, ERR_CREATE, "Not a directory");
	CHECK(!stat("input", &st));
	same.input = &st;
	check_refused("input", &same, ERR_CREATE, "is the input itself");
	CHECK(!link("input", "twin") && !symlink("input", "link"));
	check_refused("twin", &same, ERR_CREATE, "is the input itself");
	check_refused("link", &same, ERR_CREATE, "is the input itself");
	CHECK(!symlink("loop", "loop"));
	check_refused("loop", &forced, ERR_CREATE, "loop");
	check_content("input", "input");
	if (geteuid()) { /* root may write anywhere */
		CHECK(!chmod("dir", 0555));
		check_refused("dir/file", &plain, ERR_REFUSED, "dir");
		CHECK(!chmod("twin", 0444));
		check_refused("twin", &forced, ERR_REFUSED, "write-protected");
	}
	wipe();
}

static bool is_link(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISLNK(st.st_mode);
}

static void test_links(void)
{
	CHECK(!mkdir("dir", 0755) && !mkdir("dir/sub", 0755));
	CHECK(!symlink("dir/hop", "link"));
	CHECK(!symlink("sub/target", "dir/hop"));
	/* Dangling: the file it names is made. */
	make("link", &plain, "one");
	check_content("dir/sub/target", "one");
	check_refused("link", &plain, ERR_CREATE, "exists");
	make("link", &forced, "two");
	check_content("dir/sub/target", "two");
	CHECK(is_link("link") && is_link("dir/hop"));
	CHECK(!is_link("dir/sub/target"));
	CHECK(!symlink("dir/sub", "way"));
	make("way/file", &plain, "three");
	check_content("dir/sub/file", "three");
	wipe();
}

static void test_streams(void)
{
	struct output *output = open_ok("/dev/null", &plain);
	struct stat st;
	struct err err;
	int saved, reader;

	CHECK_EQ(output_kind(output), OUTPUT_STREAM);
	write_text(output, "gone");
	CHECK(!output_commit(output, &err));
	output_close(output);

	CHECK(!mkfifo("fifo", 0600));
	reader = open("fifo", O_RDONLY | O_NONBLOCK);
	output = open_ok("fifo", &plain);
	CHECK_EQ(output_kind(output), OUTPUT_STREAM);
	write_text(output, "x");
	output_close(output); /* not committed, and yet not removed */
	CHECK(!stat("fifo", &st) && S_ISFIFO(st.st_mode));
	close(reader);

	/* Standard output, as a file. */
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	put("stdout", "");
	reader = open("stdout", O_RDWR);
	CHECK(dup2(reader, STDOUT_FILENO) == STDOUT_FILENO);
	close(reader);
	output = open_ok("-", &plain);
	CHECK_EQ(output_kind(output), OUTPUT_STREAM);
	CHECK_STR(output_dir(output), ".");
	write_text(output, "text");
	CHECK(!output_commit(output, &err));
	output_close(output);
	CHECK(!stat("stdout", &st));
	struct output_options same = { .input = &st };
	check_refused("-", &same, ERR_CREATE, "is the input itself");
	/* closed */
	close(STDOUT_FILENO);
	check_refused("-", &plain, ERR_CREATE, "standard output");
	CHECK(dup2(saved, STDOUT_FILENO) == STDOUT_FILENO);
	close(saved);
	check_content("stdout", "text");
	wipe();
}

static void test_in_place(void)
{
	struct output_options options = { .in_place = true, .sync = true };
	struct output *output;
	struct err err;

	check_refused("none", &options, ERR_NO_INPUT, "does not exist");
	check_refused("/dev/null", &options, ERR_CREATE, "in place");
	put("file", "abcdef");
	output = open_ok("file", &options);
	CHECK_EQ(output_kind(output), OUTPUT_FILE);
	write_text(output, "ABC");
	CHECK(!output_commit(output, &err));
	output_close(output);
	check_content("file", "ABCdef");
	CHECK_EQ(names(), 1);
	wipe();
}

static void test_adopt(void)
{
	struct output *output;
	struct err err;

	put("input", "input");
	output = open_ok("output", &plain);
	CHECK(!output_adopt(output, "input", &err));
	output_close(output); /* not committed: nothing happened */
	check_content("input", "input");

	output = open_ok("output", &plain);
	CHECK(!output_adopt(output, "input", &err));
	CHECK(!output_commit(output, &err));
	output_close(output);
	check_content("output", "input");
	CHECK_EQ(names(), 1);

	put("input", "again");
	output = open_ok("late", &plain);
	CHECK(!output_adopt(output, "input", &err));
	put("late", "theirs");
	CHECK(output_commit(output, &err));
	CHECK_EQ(err.kind, ERR_CREATE);
	output_close(output);
	check_content("late", "theirs");
	check_content("input", "again");

	output = open_ok("late", &forced);
	CHECK(!output_adopt(output, "input", &err));
	CHECK(!output_commit(output, &err));
	output_close(output);
	check_content("late", "again");

	CHECK(!symlink("late", "link"));
	output = open_ok("more", &plain);
	CHECK(output_adopt(output, "link", &err));
	CHECK(output_adopt(output, "none", &err));
	output_close(output);
	wipe();
}

/* Strays go when nobody holds their lock, and nothing else goes. */
static void test_strays(void)
{
	static const char *const kept[] = {
		".image.imgconv-abcde",	 ".image.imgconv-abcdefg",
		".image.imgconv-abc-ef", ".other.imgconv-abcdef",
		"image.imgconv-abcdef",	 ".image.imgconv-locked",
		".image.imgconv-symlnk", ".image.imgconv-subdir",
	};
	const size_t count = sizeof kept / sizeof *kept;
	struct output *output;
	struct stat st;
	int lock;

	for (size_t i = 0; i < count - 2; i++)
		put(kept[i], "x");
	CHECK(!symlink("image", kept[count - 2]));
	CHECK(!mkdir(kept[count - 1], 0755));
	lock = open(".image.imgconv-locked", O_RDWR);
	CHECK(!flock(lock, LOCK_EX));
	put(".image.imgconv-a1B2c3", "stray");
	put(".image.imgconv-zzzzzz", "stray");
	output = open_ok("image", &plain);
	CHECK_EQ(names(), count);
	for (size_t i = 0; i < count; i++)
		CHECK(!lstat(kept[i], &st));
	close(lock);
	output_close(output);
	output_close(open_ok("image", &plain));
	CHECK_EQ(names(), count - 1);
	wipe();
}

/* A name so long that a sibling's has to be cut. */
static void test_long_name(void)
{
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	make(name, &plain, "one");
	make(name, &forced, "two");
	CHECK_EQ(names(), 1);
	name[254] = '\0';
	make(name, &plain, "three");
	wipe();
}

/* A child is killed after each stage; the parent sees the old state or the
 * new one, and the next run finds nothing in its way. */
static void killed_child(const char *path, int stage)
{
	struct output *output;
	struct err err;

	output = output_open(path, &forced, &err);
	if (stage > 0)
		write_text(output, "new");
	if (stage > 1)
		CHECK(!output_commit(output, &err));
	kill(getpid(), SIGKILL);
}

static void test_killed(void)
{
	for (int old = 0; old < 2; old++)
		for (int stage = 0; stage < 3; stage++) {
			int status;
			pid_t child;

			if (old)
				put("image", "old");
			child = fork();
			if (!child)
				killed_child("image", stage);
			CHECK(waitpid(child, &status, 0) == child);
			CHECK(WIFSIGNALED(status));
			if (old || stage == 2)
				check_content("image",
					      stage == 2 ? "new" : "old");
			/* What was replaced may still be there. */
			CHECK(names() <= (unsigned)(old || stage == 2) +
						 (old && stage == 2));
			output_close(open_ok("image", &forced));
			CHECK_EQ(names(), old || stage == 2);
			wipe();
		}
}

/* Committed, and taken back because something else could not be. */
static void test_withdraw(void)
{
	for (int old = 0; old < 2; old++)
		for (int consume = 0; consume < 2; consume++) {
			struct output *output;
			struct err err;

			if (old && consume)
				continue;
			if (old)
				put("image", "old");
			put("input", "input");
			output = open_ok("image", &forced);
			write_text(output, "new");
			if (consume)
				CHECK(!output_adopt(output, "input", &err));
			CHECK(!output_commit(output, &err));
			check_content("image", consume ? "input" : "new");
			output_withdraw(output);
			output_close(output);
			check_content("input", "input");
			CHECK_EQ(names(), 1 + old);
			if (old)
				check_content("image", "old");
			wipe();
		}
}

static struct output *doomed;

static void abandon(int number)
{
	/* NOLINTNEXTLINE(bugprone-signal-handler): its header says so */
	output_abandon(doomed);
	_exit(number);
}

/* A child that replaces a file over and over gets a signal at some moment:
 * its handler leaves no sibling. */
static void test_signal(void)
{
	for (int turn = 0; turn < 20; turn++) {
		int status, ready[2];
		struct err err;
		pid_t child;
		char byte;

		put("image", "old");
		CHECK(!pipe(ready));
		child = fork();
		if (!child) {
			struct output_options quick = { .force = true };
			struct output *first =
				output_open("image", &quick, &err);

			doomed = first;
			signal(SIGTERM, abandon);
			(void)!write(ready[1], "x", 1);
			for (;;) {
				sigset_t block, open_;
				struct output *old;

				output_commit(doomed, &err);
				sigemptyset(&block);
				sigaddset(&block, SIGTERM);
				sigprocmask(SIG_BLOCK, &block, &open_);
				old = doomed;
				doomed = output_open("image", &quick, &err);
				output_close(old);
				sigprocmask(SIG_SETMASK, &open_, NULL);
			}
		}
		CHECK(read(ready[0], &byte, 1) == 1);
		usleep((unsigned)turn * 100);
		kill(child, SIGTERM);
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status));
		CHECK_EQ(names(), 1);
		close(ready[0]);
		close(ready[1]);
		wipe();
	}
}

int main(void)
{
	char dir[] = "/tmp/test_io_output.XXXXXX";
	const char *tmp = getenv("TMPDIR");
	char *path = NULL;

	if (tmp && asprintf(&path, "%s/test_io_output.XXXXXX", tmp) < 0)
		return 1;
	if (!mkdtemp(path ? path : dir) || chdir(path ? path : dir))
		return 1;
	test_new();
	test_existing();
	test_races();
	test_refused();
	test_links();
	test_streams();
	test_in_place();
	test_adopt();
	test_strays();
	test_long_name();
	test_killed();
	test_withdraw();
	test_signal();
	CHECK(!chdir("/") && !rmdir(path ? path : dir));
	free(path);
	return check_result();
}
