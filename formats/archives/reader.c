/* SPDX-License-Identifier: MIT */
/*
 * Owns the reading of archives: the only file that reads with libarchive. One
 * format is enabled, the one that the probe found; no filters, since codecs
 * are ours, and nothing that would touch a disk. Which member is the disk is
 * choose.c's.
 *
 * Ends: a header takes bytes of the source, and LIMIT_MEMBERS are too many.
 */
#include "formats/archives/reader.h"

#ifdef HAVE_ARCHIVE

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/library.h"
#include "base/mem.h"
#include "base/printable.h"
#include "io/files.h"

/* What is read of the source at a time. */
#define READ_LEN ((size_t)65536)

#define FUNCTIONS(F)                                                       \
	F(archive_read_new)                                                \
	F(archive_read_free)                                               \
	F(archive_read_support_format_tar)                                 \
	F(archive_read_support_format_zip)                                 \
	F(archive_read_support_format_7zip)                                \
	F(archive_read_support_format_cpio)                                \
	F(archive_read_set_read_callback)                                  \
	F(archive_read_set_skip_callback)                                  \
	F(archive_read_set_seek_callback)                                  \
	F(archive_read_set_callback_data)                                  \
	F(archive_read_open1)                                              \
	F(archive_read_next_header)                                        \
	F(archive_read_data_block)                                         \
	F(archive_read_header_position)                                    \
	F(archive_filter_bytes)                                            \
	F(archive_error_string)                                            \
	F(archive_set_error)                                               \
	F(archive_format_name)                                             \
	F(archive_entry_pathname_utf8)                                     \
	F(archive_entry_pathname)                                          \
	F(archive_entry_filetype)                                          \
	F(archive_entry_hardlink)                                          \
	F(archive_entry_size)                                              \
	F(archive_entry_size_is_set)                                       \
	F(archive_entry_sparse_reset)                                      \
	F(archive_entry_is_data_encrypted)

struct libarchive {
	FUNCTIONS(LIBRARY_MEMBER)
};

static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };

struct archive_reader {
	struct libarchive lib;
	struct archive *archive;
	const char *tag;
	struct source *source; /* borrowed */
	uint64_t position;     /* of the source, as libarchive sees it */
	unsigned char *buf;    /* READ_LEN */
	bool broken; /* the source failed, with `failure` */
	struct err failure;
	/* The member at hand. */
	uint32_t count; /* members seen */
	struct archive_member member;
	uint64_t given; /* bytes of it */
	/* A block of data that was not given out yet, and what is to be
	 * zeros before it. */
	const unsigned char *block;
	size_t block_len;
	uint64_t block_at;
	bool ended; /* no more blocks of this member */
};

bool archive_reader_built(void)
{
	return true;
}

static la_ssize_t on_read(struct archive *archive, void *opaque,
			  const void **out)
{
	struct archive_reader *reader = opaque;
	size_t got;

	if (source_read(reader->source, reader->buf, READ_LEN,
			reader->position, &got, &reader->failure) < 0) {
		reader->broken = true;
		reader->lib.archive_set_error(archive, -1, "%s",
					      reader->failure.message);
		return -1;
	}
	reader->position += got;
	*out = reader->buf;
	return (la_ssize_t)got;
}

/* Not past the end: a cut member would not be noticed. */
static la_int64_t on_skip(struct archive *archive, void *opaque,
			  la_int64_t request)
{
	struct archive_reader *reader = opaque;
	uint64_t left = reader->source->size - reader->position;
	uint64_t skip = request < 0 ? 0 : min_u64((uint64_t)request, left);

	(void)archive;
	reader->position += skip;
	return (la_int64_t)skip;
}

static la_int64_t on_seek(struct archive *archive, void *opaque,
			  la_int64_t offset, int whence)
{
	struct archive_reader *reader = opaque;
	uint64_t from = whence == SEEK_SET   ? 0
			: whence == SEEK_CUR ? reader->position
					     : reader->source->size;
	int64_t to;

	(void)archive;
	if (__builtin_add_overflow((int64_t)from, offset, &to) || to < 0 ||
	    (uint64_t)to > reader->source->size)
		return ARCHIVE_FATAL;
	reader->position = (uint64_t)to;
	return to;
}

/* What libarchive said, or what the source did. */
static int failed(const struct archive_reader *reader, struct err *err)
{
	/* The words are all it has for these. */
	static const char *const cannot[] = { "nsupported", "not supported",
					      "nknown codec", NULL };
	const char *words = reader->lib.archive_error_string(reader->archive);
	char text[200];

	if (reader->broken) {
		*err = reader->failure;
		return -1;
	}
	/* It may quote the archive. */
	snprintf(text, sizeof text, "%s", words ? words : "is cut or damaged");
	printable(text);
	for (const char *const *word = cannot; *word; word++)
		if (strstr(text, *word))
			return err_set(err, ERR_UNSUPPORTED,
				       "%s; extract the image first", text);
	return err_set(err, ERR_DAMAGED, "%s", text);
}

static void enable(struct archive_reader *reader)
{
	const struct libarchive *lib = &reader->lib;
	struct archive *archive = reader->archive;

	if (!strcmp(reader->tag, "zip"))
		lib->archive_read_support_format_zip(archive);
	else if (!strcmp(reader->tag, "7z"))
		lib->archive_read_support_format_7zip(archive);
	else if (!strcmp(reader->tag, "cpio"))
		lib->archive_read_support_format_cpio(archive);
	else
		lib->archive_read_support_format_tar(archive);
	lib->archive_read_set_callback_data(archive, reader);
	lib->archive_read_set_read_callback(archive, on_read);
	if (!reader->source->seekable)
		return;
	lib->archive_read_set_skip_callback(archive, on_skip);
	lib->archive_read_set_seek_callback(archive, on_seek);
}

struct archive_reader *archive_open(const char *tag, struct source *source,
				    struct err *err)
{
	struct archive_reader *reader = mem_zalloc(sizeof *reader);

	if (library_load(ARCHIVE_SONAME, names, &reader->lib, err) < 0) {
		free(reader);
		return NULL;
	}
	reader->tag = tag;
	reader->source = source;
	reader->buf = mem_buffer(READ_LEN);
	reader->archive = reader->lib.archive_read_new();
	if (!reader->archive) {
		err_set(err, ERR_TEMPORARY, "out of memory");
		return archive_close(reader);
	}
	enable(reader);
	if (reader->lib.archive_read_open1(reader->archive) != ARCHIVE_OK) {
		failed(reader, err);
		return archive_close(reader);
	}
	return reader;
}

/* "ZIP 2.0 (uncompressed)" is how a stored member's method shows. */
static bool stored_plain(struct archive_reader *reader,
			 struct archive_entry *entry)
{
	const struct libarchive *lib = &reader->lib;
	const char *format = lib->archive_format_name(reader->archive);

	if (!strcmp(reader->tag, "tar") || !strcmp(reader->tag, "ova"))
		return !lib->archive_entry_sparse_reset(entry);
	if (!strcmp(reader->tag, "zip"))
		return format && strstr(format, "(uncompressed)");
	return !strcmp(reader->tag, "cpio");
}

static void describe(struct archive_reader *reader,
		     struct archive_entry *entry)
{
	const struct libarchive *lib = &reader->lib;
	struct archive_member *member = &reader->member;
	const char *name = lib->archive_entry_pathname_utf8(entry);
	la_int64_t size = lib->archive_entry_size(entry);
	la_int64_t at = lib->archive_filter_bytes(reader->archive, 0);

	if (!name)
		name = lib->archive_entry_pathname(entry);
	memset(member, 0, sizeof *member);
	member->number = reader->count++;
	snprintf(member->name, sizeof member->name, "%s",
		 name ? archive_plain_name(name) : "");
	member->regular = lib->archive_entry_filetype(entry) == AE_IFREG &&
			  !lib->archive_entry_hardlink(entry);
	member->encrypted = lib->archive_entry_is_data_encrypted(entry) > 0;
	member->size_known =
		lib->archive_entry_size_is_set(entry) && size >= 0;
	member->size = member->size_known ? (uint64_t)size : 0;
	member->window = reader->source->seekable && member->regular &&
			 member->size_known && !member->encrypted && at >= 0 &&
			 stored_plain(reader, entry) &&
			 checked_inside((uint64_t)at, member->size,
					reader->source->size);
	member->offset = member->window ? (uint64_t)at : 0;
}

/* A tar that ends behind a member may have had more of them, as a truncated one
 * has: to libarchive that is an end like that by blocks of zeros, which it
 * consumes where they are. */
static int ended(struct archive_reader *reader, struct err *err)
{
	const struct libarchive *lib = &reader->lib;
	la_int64_t at = lib->archive_read_header_position(reader->archive);

	if ((strcmp(reader->tag, "tar") && strcmp(reader->tag, "ova")) ||
	    at < 0 || lib->archive_filter_bytes(reader->archive, 0) > at)
		return 0;
	return err_set(err, ERR_DAMAGED,
		       "the archive is cut short at %lld: its end mark (1024 "
		       "bytes of zeros) is missing", (long long)at);
}

int archive_next(struct archive_reader *reader, struct archive_member *out,
		 struct err *err)
{
	struct archive_entry *entry;
	int status;

	if (reader->count == LIMIT_MEMBERS)
		return err_set(err, ERR_LIMIT,
			       "more than %d members", LIMIT_MEMBERS);
	status = reader->lib.archive_read_next_header(reader->archive, &entry);
	if (status == ARCHIVE_EOF)
		return ended(reader, err);
	/* A warning here is about names and owners. */
	if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
		return failed(reader, err);
	describe(reader, entry);
	reader->given = 0;
	reader->block_len = 0;
	reader->ended = false;
	*out = reader->member;
	return 1;
}

/* The next block of data, or the member's end. */
static int next_block(struct archive_reader *reader, struct err *err)
{
	const void *block = NULL;
	la_int64_t offset = 0;
	size_t len = 0;
	int status = reader->lib.archive_read_data_block(
		reader->archive, &block, &len, &offset);

	if (status == ARCHIVE_EOF) {
		reader->ended = true;
		return 0;
	}
	/* A wrong checksum is a warning to libarchive. */
	if (status != ARCHIVE_OK)
		return failed(reader, err);
	if (offset < 0 || (uint64_t)offset < reader->given)
		return err_set(err, ERR_DAMAGED,
			       "data of a member goes backwards");
	if (reader->member.size_known &&
	    !checked_inside((uint64_t)offset, len, reader->member.size))
		return err_set(err, ERR_DAMAGED,
			       "data of a member lies past its end");
	reader->block = block;
	reader->block_len = len;
	reader->block_at = (uint64_t)offset;
	return 0;
}

/* Zeros up to where the block begins, or the member ends. */
static size_t give_hole(struct archive_reader *reader, unsigned char *buf,
			size_t len)
{
	uint64_t until = reader->ended ? reader->member.size
				       : reader->block_at;
	size_t hole = (size_t)min_u64(len, until - reader->given);

	memset(buf, 0, hole);
	reader->given += hole;
	return hole;
}

int archive_read(struct archive_reader *reader, void *buf, size_t len,
		 size_t *got, struct err *err)
{
	const struct archive_member *member = &reader->member;

	*got = 0;
	if (member->encrypted)
		return err_set(err, ERR_UNSUPPORTED,
			       "the member is encrypted");
	/* Ends: a block without bytes is followed by another one or the end,
	 * and the archive is finite. */
	while (!reader->block_len && !reader->ended)
		if (next_block(reader, err) < 0)
			return -1;
	if (reader->ended) {
		if (!member->size_known || reader->given >= member->size)
			return 0;
		*got = give_hole(reader, buf, len);
		return 0;
	}
	if (reader->block_at > reader->given) {
		*got = give_hole(reader, buf, len);
		return 0;
	}
	len = (size_t)min_u64(len, reader->block_len);
	memcpy(buf, reader->block, len);
	reader->block += len;
	reader->block_len -= len;
	reader->block_at += len;
	reader->given += len;
	*got = len;
	return 0;
}

struct archive_reader *archive_close(struct archive_reader *reader)
{
	if (!reader)
		return NULL;
	if (reader->archive)
		reader->lib.archive_read_free(reader->archive);
	free(reader->buf);
	free(reader);
	return NULL;
}

/* ---- one member as a stream ---- */

struct extract {
	struct archive_extract what;
	struct archive_reader *reader;
};

static int extract_pull(void *opaque, void *buf, size_t len, size_t *got,
			struct err *err)
{
	struct extract *extract = opaque;

	if (archive_read(extract->reader, buf, len, got, err) < 0)
		return -1;
	if (extract->what.pass)
		extract->what.pass(extract->what.opaque, buf, *got);
	return 0;
}

/* Ends as archive_next does. */
static int extract_finish(void *opaque, struct err *err)
{
	struct extract *extract = opaque;
	struct archive_member member;
	int result;

	while ((result = archive_next(extract->reader, &member, err)) > 0)
		if (extract->what.after &&
		    extract->what.after(extract->what.opaque, extract->reader,
					&member, err) < 0)
			return -1;
	return result < 0 ? -1 : source_finish(extract->reader->source, err);
}

static void extract_close(void *opaque)
{
	struct extract *extract = opaque;

	archive_close(extract->reader);
	if (extract->what.close)
		extract->what.close(extract->what.opaque);
	free(extract);
}

static const struct stream_ops extract_ops = { .pull = extract_pull,
					       .finish = extract_finish,
					       .close = extract_close };

static int go_to(struct archive_reader *reader, uint32_t number,
		 struct archive_member *member, struct err *err)
{
	int result;

	do
		result = archive_next(reader, member, err);
	while (result > 0 && member->number < number);
	if (!result)
		return err_set(err, ERR_DAMAGED,
			       "ends before its member %u", number);
	return result < 0 ? -1 : 0;
}

struct source *archive_extract(const struct archive_extract *what,
			       struct source *source, struct err *err)
{
	struct extract *extract = mem_zalloc(sizeof *extract);
	struct archive_member member;
	struct source *stream;

	extract->what = *what;
	extract->reader = archive_open(what->tag, source, err);
	if (!extract->reader ||
	    go_to(extract->reader, what->number, &member, err) < 0) {
		extract_close(extract);
		return NULL;
	}
	stream = files_stream(&extract_ops, extract);
	stream->size_known = member.size_known;
	stream->size = member.size;
	return stream;
}

#else

bool archive_reader_built(void)
{
	return false;
}

struct archive_reader *archive_open(const char *tag, struct source *source,
				    struct err *err)
{
	(void)tag;
	(void)source;
	err_set(err, ERR_UNSUPPORTED,
		"built without libarchive; unpack it first");
	return NULL;
}

int archive_next(struct archive_reader *reader, struct archive_member *out,
		 struct err *err)
{
	(void)reader;
	(void)out;
	return err_set(err, ERR_BUG, "no archive is open");
}

int archive_read(struct archive_reader *reader, void *buf, size_t len,
		 size_t *got, struct err *err)
{
	(void)reader;
	(void)buf;
	(void)len;
	*got = 0;
	return err_set(err, ERR_BUG, "no archive is open");
}

struct archive_reader *archive_close(struct archive_reader *reader)
{
	(void)reader;
	return NULL;
}

struct source *archive_extract(const struct archive_extract *what,
			       struct source *source, struct err *err)
{
	archive_open(what->tag, source, err);
	if (what->close)
		what->close(what->opaque);
	return NULL;
}

#endif
