/* SPDX-License-Identifier: MIT */
/* Sources and sinks over descriptors and memory: regular files, block
 * devices, pipes, byte arrays. Which one a descriptor becomes is decided by
 * what it is (fstat), once, here. */
#ifndef IO_FILES_H
#define IO_FILES_H

#include "io/page_cache.h"
#include "io/sink.h"
#include "io/source.h"

/* A source over `fd` (taken: closed with the source, also on failure). A
 * regular file or block device is seekable, with its real size and with
 * holes by SEEK_DATA/SEEK_HOLE; anything else is a stream. A directory or a
 * terminal is refused (ERR_NO_INPUT). source_finish fails with ERR_TEMPORARY
 * when a regular file's size or mtime changed since it was opened. */
struct source *files_source(int take_fd, struct err *err);

/* The same; what is read leaves that much in the page cache. Other than by
 * PAGE_CACHE_AUTO a stream is read as ever. `take_direct`: of direct_open, for
 * the same file; -1: with PAGE_CACHE_DIRECT as with PAGE_CACHE_NONE. */
struct source *files_input(int take_fd, int take_direct,
			   enum page_cache cache, struct err *err);

/*
 * A stream out of any function that produces bytes in order: this is where
 * replay (rewind) and the tail of 512 bytes are implemented, for pipes and
 * for decoders. `pull` gives at least one byte or *got == 0 at the end.
 * `finish` (optional) and `close` (optional) are called once.
 */
struct stream_ops {
	int (*pull)(void *opaque, void *buf, size_t len, size_t *got,
		    struct err *err);
	int (*finish)(void *opaque, struct err *err);
	void (*close)(void *opaque);
};
struct source *files_stream(const struct stream_ops *ops, void *opaque);

/* Stop keeping bytes for source_rewind: call when probing is over. */
void files_stream_forget(struct source *source);

/* A seekable source over bytes of the caller's, which outlive it. */
struct source *files_memory_source(const void *bytes, size_t len);

/* A part of a seekable source, [offset, offset + length), as a source of its
 * own; the inner one is borrowed. */
struct source *files_window(struct source *inner, uint64_t offset,
			    uint64_t length);

/* A sink over `fd` (taken). A regular file opened for reading and writing or
 * a block device is seekable; anything else is append-only. An empty regular
 * file is fresh. */
struct sink *files_sink(int take_fd, struct err *err);

/* How an image is written. */
struct image_sink_options {
	bool sync; /* on a device the order holds over a power cut */
	enum page_cache cache;
	int direct; /* as files_input; taken by the sink */
};

/* The same for an image that is made anew: on a device its head comes last
 * (head_sink.h). */
struct sink *files_image_sink(int take_fd,
			      const struct image_sink_options *options,
			      struct err *err);

/* The same, append-only whatever `fd` is: standard output, which may be a
 * file that others write to as well. Writing starts where `fd` stands. */
struct sink *files_stream_sink(int take_fd);

/* Network file systems report late write errors when a descriptor closes:
 * closes a copy of `fd`. Such an error is told once, so before that of a last
 * close is lost. ERR_IO. */
int files_flush(int fd, struct err *err);

/* A seekable sink in memory, for tests and small images; its bytes. */
struct sink *files_memory_sink(void);
const unsigned char *files_memory_bytes(struct sink *sink, size_t *len);

#endif
