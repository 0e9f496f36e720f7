/* SPDX-License-Identifier: MIT */
/* simg: the writer to every kind of sink, both reading faces on what it
 * wrote, and images whose numbers cannot be. */
#include "base/bytes.h"
#include "check.h"
#include "fakes.h"
#include "make_image.h"

extern const struct driver driver_simg;

static int make(struct sink *sink, struct create_options *options,
		const struct making *making, struct err *err)
{
	struct writer *writer = driver_simg.create(sink, options, err);
	int result = writer ? make_image(making, writer, err) : -1;

	writer_close(writer);
	return result;
}

static void set_options(struct create_options *options, const char *text,
			const struct guest *guest)
{
	make_options(options, text);
	options->size_known = true;
	options->size = guest->size;
}

/* In pieces of an odd size, from a stream of small pulls. */
static void check_walk(const unsigned char *bytes, size_t len,
		       const unsigned char *want, uint64_t size)
{
	unsigned char *buf AUTO_FREE = mem_zalloc(3000);
	struct fake_chunks chunks = { .bytes = bytes, .len = len, .most = 77 };
	struct source *stream AUTO_SOURCE = fake_chunks_open(&chunks);
	struct err err = { 0 };
	struct walk *walk AUTO_WALK = driver_simg.walk(stream, NULL, -1, &err);
	struct walk_piece piece;
	uint64_t at = 0;
	int more;

	while ((more = walk_next(walk, buf, 3000, &piece, &err)) > 0) {
		if (piece.kind == EXTENT_DATA)
			CHECK(!memcmp(buf, want + at, piece.stored));
		else
			CHECK(zero_is(want + at, piece.length));
		at += piece.length;
	}
	CHECK_EQ(more, 0);
	CHECK_EQ(at, size);
	CHECK_EQ(chunks.finishes, 1);
}

static void check_disk(const unsigned char *bytes, size_t len,
		       const unsigned char *want, uint64_t size)
{
	unsigned char *got AUTO_FREE = mem_zalloc(size + 1);
	struct source *source AUTO_SOURCE = files_memory_source(bytes, len);
	struct err err = { 0 };
	struct disk *disk AUTO_DISK = driver_simg.open(source, NULL, &err);
	struct check_report report = { 0 };

	CHECK(disk);
	CHECK_EQ(disk->size, size);
	CHECK_EQ(disk_read(disk, got, size, 0, &err), 0);
	CHECK(!memcmp(got, want, size));
	for (uint64_t at = 0; at < size;) {
		struct extent extent;

		CHECK_EQ(disk_extent(disk, at, size, &extent, &err), 0);
		if (extent.kind != EXTENT_DATA)
			CHECK(zero_is(want + at, extent.length));
		else
			CHECK(!memcmp(bytes + extent.place, want + at,
				      extent.length));
		at += extent.length;
	}
	CHECK_EQ(driver_simg.check(source, NULL, &report, &err), 0);
	CHECK_EQ(report.corruptions, 0);
}

/* Seekable, shuffled, appending: the same bytes. */
static void check_write(const struct guest *guest, const char *text)
{
	struct making making = { .guest = guest, .shuffle = true,
				 .zeros_as_units = true };
	unsigned char *want AUTO_FREE = mem_zalloc(guest->size + 1);
	struct sink *a_sink AUTO_SINK = files_memory_sink();
	struct sink *b_sink AUTO_SINK = files_memory_sink();
	struct create_options options;
	struct survey survey;
	struct err err = { 0 };
	const unsigned char *a, *b;
	size_t a_len, b_len;

	b_sink->seekable = false;
	set_options(&options, text, guest);
	CHECK_EQ(driver_check_options(&driver_simg, &options, &err), 0);
	options.size_known = false;
	CHECK_EQ(make(a_sink, &options, &making, &err), 0);
	options.size_known = true;
	making.shuffle = making.zeros_as_units = false;
	CHECK_EQ(make_survey(guest, driver_simg.survey_granule(&options),
			     &survey, &err),
		 0);
	options.survey = &survey;
	CHECK_EQ(make(b_sink, &options, &making, &err), 0);
	survey_clear(&survey);
	a = files_memory_bytes(a_sink, &a_len);
	b = files_memory_bytes(b_sink, &b_len);
	CHECK(a_len == b_len && !memcmp(a, b, a_len));
	CHECK(a_len <= driver_simg.measure(&options, guest->size,
					   guest->size));
	guest_fill(guest, 0, want, guest->size);
	check_disk(a, a_len, want, guest->size);
	check_walk(a, a_len, want, guest->size);
}

static void test_write(void)
{
	static const char *const options[] = {
		"", "crc=on", "zero=dont-care,crc=on",
		"block_size=64K,crc=on", "block_size=1K"
	};
	static const uint64_t sizes[] = { 0, 64 * KIB, 5 * MIB + 64 * KIB };

	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < 3; k++)
			for (unsigned seed = 0; seed < 3; seed++) {
				struct guest guest = { .size = sizes[k],
						       .group = 4096,
						       .seed = seed };

				check_write(&guest, options[i]);
			}
}

/* What was surveyed must come. */
static void test_changed(void)
{
	struct guest told = { .size = MIB, .group = 4096, .seed = 1 };
	struct guest comes = { .size = MIB, .group = 4096, .seed = 2 };
	struct making making = { .guest = &comes };
	struct sink *sink AUTO_SINK = files_memory_sink();
	struct create_options options;
	struct survey survey;
	struct err err = { 0 };

	sink->seekable = false;
	set_options(&options, "", &comes);
	CHECK_EQ(make(sink, &options, &making, &err), -1);
	CHECK_EQ(err.kind, ERR_BUG); /* no survey at all */
	CHECK_EQ(make_survey(&told, 4096, &survey, &err), 0);
	options.survey = &survey;
	CHECK_EQ(make(sink, &options, &making, &err), -1);
	CHECK_EQ(err.kind, ERR_TEMPORARY);
	survey_clear(&survey);
}

/* Fails at each operation in turn, without a leak. */
static void test_failing_sink(void)
{
	struct guest guest = { .size = MIB, .group = 64 * KIB, .seed = 1 };
	struct making making = { .guest = &guest };

	for (unsigned nth = 1;; nth++) {
		struct fake_sink *sink = fake_sink_open(files_memory_sink());
		struct create_options options;
		struct err err = { 0 };
		int result;

		sink->fail_at = nth;
		set_options(&options, "crc=on", &guest);
		result = make(&sink->sink, &options, &making, &err);
		sink_close(&sink->sink);
		if (!result) {
			CHECK(nth > 4);
			return;
		}
		CHECK_EQ(err.kind, ERR_IO);
	}
}

static void test_limits(void)
{
	struct create_options options;
	struct err err = { 0 };

	make_options(&options, "block_size=1K");
	options.size_known = true;
	options.size = 8 * TIB;
	CHECK_EQ(driver_check_options(&driver_simg, &options, &err), -1);
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	options.size = 2 * TIB;
	CHECK_EQ(driver_check_options(&driver_simg, &options, &err), 0);
	CHECK_EQ(driver_simg.round_size(&options, 513), 1024);
}

static size_t put_chunk(unsigned char *out, unsigned type, uint32_t blocks,
			uint32_t total, const char *body, size_t len)
{
	bytes_put_le16(out, (uint16_t)type);
	bytes_put_le16(out + 2, 0);
	bytes_put_le32(out + 4, blocks);
	bytes_put_le32(out + 8, total);
	memcpy(out + 12, body, len);
	return 12 + len;
}

/* Longer headers than known, a block size of 12, a fill, a sum in between. */
static void test_odd_image(void)
{
	unsigned char image[300] = { 0 }, want[12 * 70] = { 0 };
	size_t len = 32;

	bytes_put_le32(image, 0xed26ff3a);
	bytes_put_le16(image + 4, 1);
	bytes_put_le16(image + 6, 7);
	bytes_put_le16(image + 8, 32);
	bytes_put_le16(image + 10, 12);
	bytes_put_le32(image + 12, 12);
	bytes_put_le32(image + 16, 70);
	bytes_put_le32(image + 20, 4);
	len += put_chunk(image + len, 0xcac2, 3, 16, "abcd", 4);
	len += put_chunk(image + len, 0xcac1, 1, 24, "twelve bytes", 12);
	len += put_chunk(image + len, 0xcac3, 65, 12, "", 0);
	len += put_chunk(image + len, 0xcac2, 1, 16, "\0\0\0\1", 4);
	for (unsigned i = 0; i < 9; i++)
		memcpy(want + 4 * i, "abcd", 4);
	memcpy(want + 36, "twelve bytes", 12);
	want[829 + 2] = want[833 + 2] = want[837 + 2] = 1;
	check_walk(image, len, want, sizeof want);

	unsigned char got[sizeof want];
	struct source *source AUTO_SOURCE = files_memory_source(image, len);
	struct err err = { 0 };
	struct disk *disk AUTO_DISK = driver_simg.open(source, NULL, &err);

	CHECK(disk);
	/* A fill does not begin anew at each read. */
	for (uint64_t at = 0; at < sizeof want; at += 7)
		CHECK_EQ(disk_read(disk, got + at,
				   min_u64(7, sizeof want - at), at, &err),
			 0);
	CHECK(!memcmp(got, want, sizeof want));
	/* Cut anywhere, it cannot be opened. */
	for (size_t cut = 0; cut < len; cut++) {
		struct source *part AUTO_SOURCE =
			files_memory_source(image, cut);

		CHECK(!driver_simg.open(part, NULL, &err));
		CHECK_EQ(err.kind, ERR_DAMAGED);
	}
}

int main(void)
{
	test_write();
	test_changed();
	test_failing_sink();
	test_limits();
	test_odd_image();
	return check_result();
}
