/* SPDX-License-Identifier: MIT */
/* Real images for the qcow2 units, made by qemu-img and qemu-io in a
 * directory of the test's own; without them the test says so and skips. */
#ifndef TESTS_QCOW2_TOOLS_H
#define TESTS_QCOW2_TOOLS_H

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "formats/codecs/codec.h"
#include "formats/images/qcow2/qcow2.h"
#include "base/mem.h"
#include "io/files.h"

/* Run a command in the current directory; its exit status. */
__attribute__((format(printf, 1, 2))) static inline int
tools_run(const char *format, ...)
{
	char command[4096];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof command, format, arguments);
	va_end(arguments);
	return system(command);
}

/* Go to a new directory; false when the tools are not there. */
static inline bool tools_begin(void)
{
	char name[] = "/tmp/imgconv-unit-XXXXXX";

	if (tools_run("command -v qemu-img >/dev/null && "
		      "command -v qemu-io >/dev/null")) {
		printf("skipped: qemu-img or qemu-io is not installed\n");
		return false;
	}
	return mkdtemp(name) && !chdir(name);
}

/* False, with a reason, when zstd clusters cannot be read by this build. */
static inline bool tools_have_zstd(void)
{
	if (block_codec_library(BLOCK_ZSTD))
		return true;
	printf("skipped: zstd clusters: built without zstd\n");
	return false;
}

/* Remove the directory and the files in it. */
static inline void tools_end(void)
{
	char *here = getcwd(NULL, 0);
	DIR *directory = opendir(".");
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			unlink(entry->d_name);
	if (directory)
		closedir(directory);
	if (here && !chdir("/"))
		rmdir(here);
	free(here);
}

/* The whole of a file, or NULL; free it. */
static inline unsigned char *tools_load(const char *name, size_t *len)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	unsigned char *bytes = NULL;
	struct stat stat;
	size_t done = 0;
	ssize_t got = 1;

	if (fd < 0 || fstat(fd, &stat)) {
		*len = 0;
		return NULL;
	}
	*len = (size_t)stat.st_size;
	bytes = malloc(*len + 1);
	while (bytes && done < *len && got > 0) {
		got = read(fd, bytes + done, *len - done);
		done += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	CHECK_EQ(done, *len);
	return bytes;
}

static inline struct source *tools_source(const char *name)
{
	struct err err = { 0 };
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct source *source = fd < 0 ? NULL : files_source(fd, &err);

	CHECK(source);
	return source;
}

/* Guest content with everything a driver can meet: data that does and does
 * not compress, holes, zero clusters over data, odd places. */
static inline int tools_fill(const char *image)
{
	return tools_run("qemu-io -f qcow2 -c 'write -P 1 0 70000' "
			 "-c 'write -P 2 1000000 3000' "
			 "-c 'write -s /bin/sh 1500160 65536' "
			 "-c 'write -P 3 2500000 100000' "
			 "-c 'write -P 9 5M 512k' -c 'write -z 2M 1M' "
			 "-c 'write -z 5300k 7k' -c 'discard 5400k 40k' "
			 "-c 'write -P 8 9990144 10240' %s >/dev/null",
			 image);
}

#define TOOLS_SIZE 10000384

/* References by name in the current directory, all of them qcow2 or raw. */
static inline struct source *tools_open_source(struct references *references,
					       const char *name,
					       struct err *err)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	(void)references;
	if (fd < 0) {
		err_sys(err, ERR_NO_INPUT, "%s", name);
		return NULL;
	}
	return files_source(fd, err);
}

static inline struct disk *tools_open_disk(struct references *references,
					   const char *name, const char *format,
					   struct source **source,
					   struct err *err)
{
	struct open_options options = { .references = references };
	struct disk *disk;

	if (!format || strcmp(format, "qcow2")) {
		err_set(err, ERR_UNSUPPORTED, "format %s", format);
		return NULL;
	}
	*source = tools_open_source(references, name, err);
	disk = *source ? qcow2_open(*source, &options, err) : NULL;
	if (!disk)
		*source = source_close(*source);
	return disk;
}

#endif
