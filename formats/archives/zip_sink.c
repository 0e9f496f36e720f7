/* SPDX-License-Identifier: MIT */
/* Owns the writing of a zip: the only file that writes with libarchive. */
#include "formats/archives/zip_sink.h"

#ifdef HAVE_ARCHIVE

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/library.h"
#include "base/mem.h"

#define FUNCTIONS(F)                                                       \
	F(archive_write_new)                                               \
	F(archive_write_free)                                              \
	F(archive_write_close)                                             \
	F(archive_write_set_format_zip)                                    \
	F(archive_write_set_format_option)                                 \
	F(archive_write_set_bytes_per_block)                               \
	F(archive_write_set_bytes_in_last_block)                           \
	F(archive_write_open)                                              \
	F(archive_write_header)                                            \
	F(archive_write_data)                                              \
	F(archive_error_string)                                            \
	F(archive_entry_new)                                               \
	F(archive_entry_free)                                              \
	F(archive_entry_set_pathname)                                      \
	F(archive_entry_set_filetype)                                      \
	F(archive_entry_set_perm)                                          \
	F(archive_entry_set_mtime)

struct libarchive {
	FUNCTIONS(LIBRARY_MEMBER)
};

static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };

struct zip {
	struct sink sink;
	struct sink *inner;
	struct libarchive lib;
	struct archive *archive;
	uint64_t written; /* to inner */
	/* inner failed, with `failure`. The library is not told, for it leaves
	 * memory behind then: the rest goes nowhere. */
	bool broken;
	struct err failure;
};

static la_ssize_t on_write(struct archive *archive, void *opaque,
			   const void *bytes, size_t len)
{
	struct zip *zip = opaque;

	(void)archive;
	if (!zip->broken &&
	    sink_write(zip->inner, bytes, len, zip->written, &zip->failure) < 0)
		zip->broken = true;
	zip->written += len;
	return (la_ssize_t)len;
}

static int failed(const struct zip *zip, struct err *err)
{
	const char *words = zip->lib.archive_error_string(zip->archive);

	if (zip->broken) {
		*err = zip->failure;
		return -1;
	}
	return err_set(err, ERR_IO, "zip: %s",
		       words ? words : "no reason given");
}

static int zip_write(struct sink *sink, const void *buf, size_t len,
		     uint64_t offset, struct err *err)
{
	struct zip *zip = (struct zip *)sink;
	const unsigned char *bytes = buf;

	(void)offset; /* the gateway's order is ours */
	while (len) {
		la_ssize_t done = zip->lib.archive_write_data(zip->archive,
							      bytes, len);
		if (zip->broken || done <= 0)
			return failed(zip, err);
		bytes += done;
		len -= (size_t)done;
	}
	return 0;
}

static int zip_finish(struct sink *sink, uint64_t size, struct err *err)
{
	struct zip *zip = (struct zip *)sink;

	(void)size;
	if (zip->lib.archive_write_close(zip->archive) != ARCHIVE_OK ||
	    zip->broken)
		return failed(zip, err);
	return sink_finish(zip->inner, zip->written, err);
}

static void zip_close(struct sink *sink)
{
	struct zip *zip = (struct zip *)sink;

	/* Freeing it writes what is missing. */
	zip->broken = true;
	if (zip->archive)
		zip->lib.archive_write_free(zip->archive);
	sink_close(zip->inner);
	free(zip);
}

static const struct sink_ops zip_ops = { .write = zip_write,
					 .finish = zip_finish,
					 .close = zip_close };

static int begin(struct zip *zip, const struct zip_member *member,
		 struct err *err)
{
	const struct libarchive *lib = &zip->lib;
	struct archive_entry *entry = lib->archive_entry_new();
	char level[2] = { (char)('0' + (member->level ? member->level : 1)) };
	int status = ARCHIVE_OK;

	if (!entry)
		mem_exhausted();
	lib->archive_write_set_format_zip(zip->archive);
	lib->archive_write_set_format_option(zip->archive, "zip",
					     "compression", "deflate");
	lib->archive_write_set_format_option(zip->archive, "zip",
					     "compression-level", level);
	lib->archive_write_set_bytes_per_block(zip->archive, 0);
	lib->archive_write_set_bytes_in_last_block(zip->archive, 1);
	if (lib->archive_write_open(zip->archive, zip, NULL, on_write, NULL) !=
	    ARCHIVE_OK)
		status = ARCHIVE_FATAL;
	lib->archive_entry_set_pathname(entry, member->name);
	lib->archive_entry_set_filetype(entry, AE_IFREG);
	lib->archive_entry_set_perm(entry, 0644);
	lib->archive_entry_set_mtime(entry, member->mtime, 0);
	if (status == ARCHIVE_OK)
		status = lib->archive_write_header(zip->archive, entry);
	lib->archive_entry_free(entry);
	return status == ARCHIVE_OK && !zip->broken ? 0 : failed(zip, err);
}

struct sink *zip_sink(struct sink *take_inner, const struct zip_member *member,
		      struct err *err)
{
	struct zip *zip = mem_zalloc(sizeof *zip);

	sink_init(&zip->sink, &zip_ops);
	zip->inner = take_inner;
	zip->sink.fd = -1;
	if (library_load(ARCHIVE_SONAME, names, &zip->lib, err) < 0)
		return sink_close(&zip->sink);
	zip->archive = zip->lib.archive_write_new();
	if (begin(zip, member, err) < 0)
		return sink_close(&zip->sink);
	return &zip->sink;
}

#else

struct sink *zip_sink(struct sink *take_inner, const struct zip_member *member,
		      struct err *err)
{
	(void)member;
	sink_close(take_inner);
	err_set(err, ERR_UNSUPPORTED, "zip: built without libarchive");
	return NULL;
}

#endif
