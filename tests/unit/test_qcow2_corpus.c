/* SPDX-License-Identifier: MIT */
/* Real qcow2 images: the SHA-256 of their guest content, as listed in
 * corpus.tsv, through the disk face and through the walk. The folder is
 * IMGCONV_CORPUS, or "shared/corpus" beside the source tree. */
#include "base/checked.h"
#include "base/limits.h"
#include "formats/codecs/codec.h"
#include "io/digest.h"
#include "io/spool.h"
#include "qcow2_tools.h"

#define COLUMNS 6
enum { FORMAT, FILE_NAME, COMPANIONS, NEGATIVE, SHA256, SIZE };

static void check_sum(struct digest *digest, const char *name,
		      const char *expected)
{
	unsigned char sum[DIGEST_LEN];
	char text[DIGEST_TEXT_LEN];

	digest_get(digest, sum);
	digest_text(sum, text);
	if (strcmp(text, expected))
		fprintf(stderr, "%s:\n", name);
	CHECK_STR(text, expected);
}

static void check_disk(const char *name, char *const *column)
{
	struct source *source = tools_source(name);
	struct open_options options = { 0 };
	struct err err = { 0 };
	struct disk *disk = qcow2_open(source, &options, &err);
	struct digest *digest = digest_open();
	unsigned char *buf = malloc(MIB);
	uint64_t at, len;

	CHECK_STR(err.message, "");
	CHECK(disk);
	for (at = 0; disk && at < disk->size; at += len) {
		len = min_u64(MIB, disk->size - at);
		CHECK(!disk_read(disk, buf, (size_t)len, at, &err));
		digest_add(digest, buf, (size_t)len);
	}
	CHECK_EQ(at, strtoull(column[SIZE], NULL, 10));
	check_sum(digest, name, column[SHA256]);
	free(buf);
	digest_close(digest);
	disk_close(disk);
	source_close(source);
}

static int fd_pull(void *opaque, void *buf, size_t len, size_t *got,
		   struct err *err)
{
	ssize_t now = read(*(int *)opaque, buf, len);

	if (now < 0)
		return err_sys(err, ERR_IO, "test");
	*got = (size_t)now;
	return 0;
}

static const struct stream_ops fd_ops = { .pull = fd_pull };

/* Pieces land in a sparse file, which is then summed up. */
static void put(int out, const struct walk_piece *piece,
		const unsigned char *buf, unsigned char *plain)
{
	enum block_codec_id id =
		piece->encoding == ENCODING_ZSTD ? BLOCK_ZSTD : BLOCK_DEFLATE;
	struct block_decoder *decoder;
	struct err err = { 0 };

	if (piece->kind != EXTENT_DATA)
		return;
	if (piece->encoding != ENCODING_PLAIN) {
		decoder = block_decoder_open(id, &err);
		CHECK(!block_decode(decoder, buf, piece->stored, plain,
				    (size_t)piece->length, &err));
		block_decoder_close(decoder);
		buf = plain;
	}
	CHECK(pwrite(out, buf, (size_t)piece->length, (off_t)piece->offset) ==
	      (ssize_t)piece->length);
}

static void sum_up(int fd, uint64_t size, const char *name,
		   const char *expected)
{
	struct digest *digest = digest_open();
	unsigned char *buf = malloc(MIB);
	size_t len;

	CHECK(!ftruncate(fd, (off_t)size));
	for (uint64_t at = 0; at < size; at += len) {
		len = (size_t)min_u64(MIB, size - at);
		CHECK(pread(fd, buf, len, (off_t)at) == (ssize_t)len);
		digest_add(digest, buf, len);
	}
	check_sum(digest, name, expected);
	digest_close(digest);
	free(buf);
}

static void check_walk(const char *name, char *const *column)
{
	int in = open(name, O_RDONLY | O_CLOEXEC);
	struct open_options options = { 0 };
	unsigned char *buf = malloc(8 * MIB), *plain = buf + 6 * MIB;
	struct err err = { 0 };
	int out = spool_open_fd("/tmp", &err);
	int spool = spool_open_fd("/tmp", &err), status = -1;
	struct source *stream = files_stream(&fd_ops, &in);
	struct walk *walk = qcow2_walk(stream, &options, spool, &err);
	struct walk_piece piece;

	while (walk &&
	       (status = walk_next(walk, buf, 6 * MIB, &piece, &err)) > 0)
		put(out, &piece, buf, plain);
	CHECK(!status);
	CHECK_STR(err.message, "");
	if (walk)
		sum_up(out, walk->size, name, column[SHA256]);
	walk_close(walk);
	source_close(stream);
	free(buf);
	close(in);
	close(out);
	close(spool);
}

/* Split at tabs; false for a row with fewer columns. */
static bool split(char *line, char *column[COLUMNS])
{
	for (unsigned i = 0; i < COLUMNS; i++) {
		column[i] = line;
		line = strchr(line, '\t');
		if (!line)
			return i == COLUMNS - 1;
		*line++ = 0;
	}
	return true;
}

static bool is_plain_qcow2(const char *name)
{
	size_t len = strlen(name);

	return len > 6 && !strcmp(name + len - 6, ".qcow2");
}

int main(void)
{
	const char *given = getenv("IMGCONV_CORPUS");
	char folder[1024], path[4096], line[4096], *column[COLUMNS];
	unsigned images = 0;
	FILE *list;

	if (given)
		snprintf(folder, sizeof folder, "%s", given);
	else
		snprintf(folder, sizeof folder, "%.*s../shared/corpus",
			 (int)(strstr(__FILE__, "tests/") - __FILE__),
			 __FILE__);
	snprintf(path, sizeof path, "%s/corpus.tsv", folder);
	list = fopen(path, "r");
	if (!list) {
		printf("skipped: there is no %s\n", path);
		return 77;
	}
	while (fgets(line, sizeof line, list)) {
		line[strcspn(line, "\n")] = 0;
		if (!split(line, column) || strcmp(column[FORMAT], "qcow2") ||
		    !is_plain_qcow2(column[FILE_NAME]) || *column[NEGATIVE])
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, column[FILE_NAME]);
		check_disk(path, column);
		check_walk(path, column);
		images++;
	}
	fclose(list);
	CHECK(images);
	return check_result();
}
