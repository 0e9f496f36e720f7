/* SPDX-License-Identifier: MIT */
/* Owns the reading of files of checksums and the layer each digest is of. */
#include "cmd/checksums.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/checksum.h"
#include "cmd/remote.h"
#include "io/remote_source.h"

/* ---- the text ---- */

static int check_len(size_t len, struct err *err)
{
	if (len > CHECKSUM_FILE_MOST)
		return err_set(err, ERR_LIMIT,
			       "is longer than %zu bytes: no file of checksums",
			       CHECKSUM_FILE_MOST);
	return 0;
}

/* Files and pipes alike. `text` has room for one byte too many, by which a
 * file that is too long is known. */
static int read_text(int fd, char *text, size_t *len, struct err *err)
{
	ssize_t n;

	/* Ends: each turn reads a byte or more of bounded room. */
	do {
		n = read(fd, text + *len, CHECKSUM_FILE_MOST + 1 - *len);
		if (n > 0)
			*len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_sys(err, ERR_IO, "cannot read");
	return check_len(*len, err);
}

static int read_file(const char *path, char *text, size_t *len,
		     struct err *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, err_kind_of_errno(errno, ERR_NO_INPUT),
			       "cannot open");
	return read_text(fd, text, len, err);
}

/* A text from elsewhere, which comes to an end or is none. */
static int fetch(const struct settings *settings, const char *url, char *text,
		 size_t *len, struct err *err)
{
	AUTO_SOURCE struct source *source = NULL;
	struct remote remote;
	int result;

	*len = 0;
	if (remote_kind(url) != REMOTE_HTTP)
		return err_set(err, ERR_UNSUPPORTED,
			       "checksums are fetched by http and https only");
	result = remote_open(url, settings, &remote, err);
	if (!result) {
		source = remote_source(STEAL_FD(remote.socket), NULL, err);
		result = source ? source_read(source, text,
					      CHECKSUM_FILE_MOST + 1, 0, len,
					      err)
				: -1;
	}
	if (!result)
		result = check_len(*len, err);
	remote_close(&remote);
	return result;
}

/* ---- names and layers ---- */

/* The file's own, and those of members of archives that were gone into. */
static unsigned names_of(const char *base, const struct image *image,
			 struct checksum_name names[CHECKSUM_NAMES])
{
	unsigned count = checksum_names(base, names);

	for (unsigned i = 0; i < image->layers && count < CHECKSUM_NAMES;
	     i++) {
		const char *member = image->layer[i].member;
		const char *slash = strrchr(member, '/');

		if (!*member)
			continue;
		snprintf(names[count].name, sizeof names[count].name, "%s",
			 slash ? slash + 1 : member);
		names[count++].depth = i + 1;
	}
	return count;
}

static void tell(struct ui *ui, const char *shown,
		 const struct checksum_found *found)
{
	char text[512];

	if (!found->clearsigned)
		return;
	snprintf(text, sizeof text,
		 "%s: the signature is not verified; gpg --verify does that",
		 shown);
	ui_note(ui, LOG_NOTE, text);
}

/* Proof against accidents, not against somebody who means it. */
static void tell_weak(struct ui *ui, enum digest_kind kind)
{
	char text[128];

	if (kind > DIGEST_SHA1)
		return;
	snprintf(text, sizeof text,
		 "%s finds damage, but no forgery: better give a SHA-256",
		 digest_name(kind));
	ui_note(ui, LOG_NOTE, text);
}

static int from_file(const struct settings *settings, struct ui *ui,
		     const char *path, const char *base,
		     const struct image *image, struct expectation *out,
		     struct err *err)
{
	AUTO_FREE char *text = mem_zalloc(CHECKSUM_FILE_MOST + 1);
	AUTO_FREE char *shown = remote_shown(path);
	struct checksum_name names[CHECKSUM_NAMES];
	struct checksum_found found;
	size_t len = 0;
	int result = remote_kind(path) == REMOTE_NONE
			     ? read_file(path, text, &len, err)
			     : fetch(settings, path, text, &len, err);

	if (result < 0 ||
	    checksum_find(text, len, path, names, names_of(base, image, names),
			  &found, err) < 0)
		return err_in(err, "%s", shown);
	out->depth = found.depth;
	out->expected.kind = found.kind;
	memcpy(out->expected.digest, found.digest,
	       sizeof out->expected.digest);
	snprintf(out->expected.from, sizeof out->expected.from, "%s", shown);
	tell(ui, shown, &found);
	return 0;
}

static int make(const struct settings *settings, struct ui *ui,
		const char *text, const char *base,
		const struct image *image, struct expectation *out,
		struct err *err)
{
	struct checksum_word word;

	if (checksum_read_word(text, &word, err) < 0)
		return -1;
	if (word.file) {
		if (from_file(settings, ui, word.file, base, image, out, err) <
		    0)
			return -1;
	} else {
		out->expected = word.expected;
		snprintf(out->expected.from, sizeof out->expected.from,
			 "--checksum");
	}
	if (word.inside)
		out->depth = image->layers;
	if (out->depth > image->layers)
		return err_set(err, ERR_USAGE,
			       "%s has the digest of what is inside %u "
			       "compressions, and there are %u",
			       out->expected.from, out->depth, image->layers);
	tell_weak(ui, (enum digest_kind)out->expected.kind);
	return 0;
}

/* What an appliance or a zip says of its disk. */
static void from_manifests(const struct image *image, struct expectations *out)
{
	for (unsigned i = 0; i < image->layers; i++) {
		const struct image_layer *layer = &image->layer[i];
		struct expectation *expect = &out->list[out->count];

		if (!layer->digested || layer->digest_kind >= DIGEST_KINDS ||
		    out->count == DIGEST_EXPECTED_MOST)
			continue;
		expect->depth = i + 1;
		expect->expected.kind = layer->digest_kind;
		memcpy(expect->expected.digest, layer->digest,
		       sizeof expect->expected.digest);
		snprintf(expect->expected.from, sizeof expect->expected.from,
			 layer->digest_kind == DIGEST_CRC32 ? "the archive"
							    : "the manifest");
		out->count++;
	}
}

int checksums_make(const struct settings *settings, struct ui *ui,
		   const char *base, const struct image *image,
		   struct expectations *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	for (unsigned i = 0; i < settings->checksum_count; i++) {
		if (make(settings, ui, settings->checksum[i], base, image,
			 &out->list[out->count], err) < 0)
			return err_in(err, "--checksum");
		out->count++;
	}
	from_manifests(image, out);
	return 0;
}
