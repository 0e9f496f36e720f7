/* SPDX-License-Identifier: MIT */
/* Units for temporary files and for sharing blocks. Sharing is
 * only checked where the file system can, and it says so where it cannot. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/offload.h"
#include "io/spool.h"
#include "tests/unit/check.h"

#define LEN ((size_t)3 << 20)

static unsigned names(const char *path)
{
	DIR *dir = opendir(path);
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static void test_spool(const char *dir)
{
	struct stat st;
	struct err err;
	char text[4] = "";
	int fd = spool_open_fd(dir, &err);

	CHECK(fd >= 0 && !fstat(fd, &st));
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_EQ(st.st_nlink, 0);
	CHECK(write(fd, "abc", 3) == 3 && pread(fd, text, 3, 0) == 3);
	CHECK_STR(text, "abc");
	CHECK_EQ(names(dir), 0);
	CHECK(!spool_check_room(fd, 1, &err));
	CHECK(spool_check_room(fd, (uint64_t)1 << 62, &err));
	CHECK_EQ(err.kind, ERR_CREATE);
	CHECK_STR(strstr(err.message, "4.0 EiB are needed, but only")
			  ? ""
			  : err.message,
		  "");
	close(fd);
	CHECK(spool_open_fd("/nowhere/at/all", &err) == -1);
	CHECK_EQ(err.kind, ERR_CREATE);
	CHECK(strstr(err.message, "--tmpdir"));
}

static bool same(int a, int b, size_t at, size_t to, size_t len)
{
	unsigned char *one = malloc(2 * len), *two = one + len;
	bool result = pread(a, one, len, (off_t)at) == (ssize_t)len &&
		      pread(b, two, len, (off_t)to) == (ssize_t)len &&
		      !memcmp(one, two, len);

	free(one);
	return result;
}

static void test_offload(const char *dir)
{
	uint32_t *words = malloc(LEN);
	struct err err;
	int in = spool_open_fd(dir, &err), out = spool_open_fd(dir, &err);
	int pipe_[2];

	for (size_t i = 0; i < LEN / 4; i++)
		words[i] = (uint32_t)i;
	CHECK(write(in, words, LEN) == (ssize_t)LEN);
	free(words);

	if (offload_can_clone(in, dir)) {
		CHECK_EQ(offload_clone(in, 0, out, LEN, 1 << 20, &err),
			 OFFLOAD_DONE);
		CHECK(same(in, out, 0, LEN, 1 << 20));
		CHECK_EQ(offload_clone(in, 1 << 20, out, 0, 0, &err),
			 OFFLOAD_DONE);
		CHECK(same(in, out, 1 << 20, 0, 2 << 20));
		/* not aligned */
		CHECK_EQ(offload_clone(in, 1, out, 0, 4096, &err),
			 OFFLOAD_UNABLE);
		CHECK(!ftruncate(in, 10) && offload_can_clone(in, dir));
	} else {
		CHECK_EQ(offload_clone(in, 0, out, 0, 4096, &err),
			 OFFLOAD_UNABLE);
		printf("%s cannot share blocks: not checked\n", dir);
	}
	CHECK_EQ(names(dir), 0);
	CHECK(!pipe(pipe_));
	CHECK(!offload_can_clone(pipe_[0], dir));
	CHECK(!offload_can_clone(in, "/nowhere/at/all"));
	CHECK_EQ(offload_clone(pipe_[0], 0, out, 0, 1, &err), OFFLOAD_UNABLE);
	for (int i = 0; i < 2; i++)
		close(pipe_[i]);
	close(in);
	close(out);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	char dir[4096];

	snprintf(dir, sizeof dir, "%s/test_io_offload.XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	test_spool(dir);
	test_offload(dir);
	CHECK(!rmdir(dir));
	return check_result();
}
