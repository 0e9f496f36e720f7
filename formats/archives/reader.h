/* SPDX-License-Identifier: MIT */
/*
 * Reading archives, one member after the other (libarchive). Compressions
 * around them are the codecs'. Works on streams; on a seekable source members
 * that are passed over are not read.
 */
#ifndef FORMATS_ARCHIVES_READER_H
#define FORMATS_ARCHIVES_READER_H

#include "base/err.h"
#include "formats/archives/archive.h"
#include "io/source.h"

/* Is it built in? */
bool archive_reader_built(void);

struct archive_reader;

/* `tag` is one of ARCHIVE_TAGS; `source` is borrowed. NULL: ERR_UNSUPPORTED
 * when it was not built in. */
struct archive_reader *archive_open(const char *tag, struct source *source,
				    struct err *err);

/* The next member. 1: there it is; 0: the archive ends here; -1: ERR_DAMAGED,
 * ERR_LIMIT after LIMIT_MEMBERS, or what the source failed with. */
int archive_next(struct archive_reader *reader, struct archive_member *out,
		 struct err *err);

/* Bytes of the member that archive_next told of, in order: at least one, or
 * *got == 0 at its end. Holes of a sparse member are zeros. A member that is
 * cut, fails its checksum, is encrypted or packed in an unknown way is an
 * error. */
int archive_read(struct archive_reader *reader, void *buf, size_t len,
		 size_t *got, struct err *err);

/* Accepts NULL, returns NULL. */
struct archive_reader *archive_close(struct archive_reader *reader);

/* Member number `number` as a stream of its own, its size known where the
 * archive says it. At its end the rest of the archive is gone through. */
struct archive_extract {
	const char *tag;
	uint32_t number;
	/* Each optional: bytes as they pass; each member behind, which may be
	 * read and objected to, with an error; the stream is closed. */
	void (*pass)(void *opaque, const void *bytes, size_t len);
	int (*after)(void *opaque, struct archive_reader *reader,
		     const struct archive_member *member, struct err *err);
	void (*close)(void *opaque);
	void *opaque; /* given to `close`, also when opening fails */
};
struct source *archive_extract(const struct archive_extract *what,
			       struct source *source, struct err *err);

#endif
