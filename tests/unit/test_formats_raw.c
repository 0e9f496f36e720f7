/* SPDX-License-Identifier: MIT */
/* raw: both reading faces, and the writer to every kind of sink. */

#include "check.h"
#include "fakes.h"
#include "make_image.h"

extern const struct driver driver_raw;

static void test_open(void)
{
	struct guest guest = { .size = 70001, .group = 4096 };
	unsigned char want[70001], got[70001];
	struct fake_chunks chunks = { .bytes = want, .len = 1, .most = 1 };
	struct open_options options = { .snapshot = "one" };
	struct err err = { 0 };
	struct extent extent;

	guest_fill(&guest, 0, want, sizeof want);

	struct source *source AUTO_SOURCE =
		files_memory_source(want, sizeof want);
	struct source *stream AUTO_SOURCE = fake_chunks_open(&chunks);
	struct disk *disk AUTO_DISK = driver_raw.open(source, NULL, &err);

	CHECK_EQ(disk->size, sizeof want);
	CHECK_EQ(disk_read(disk, got, sizeof got, 0, &err), 0);
	CHECK(!memcmp(got, want, sizeof got));
	CHECK_EQ(disk_extent(disk, 4097, 50, &extent, &err), 0);
	CHECK(extent.source == source && extent.place == 4097);
	CHECK_EQ(extent.length, 50);
	CHECK_EQ(disk_finish(disk, &err), 0);
	CHECK(!driver_raw.open(source, &options, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	CHECK(!driver_raw.open(stream, NULL, &err));
	CHECK_EQ(err.kind, ERR_BUG);
	CHECK(!driver_raw.walk(stream, &options, -1, &err));
}

/* A stream in pulls of one byte, of all sizes about a sector. */
static void test_walk(void)
{
	static const size_t sizes[] = { 0, 1, 511, 512, 513, 70001 };
	unsigned char *buf AUTO_FREE = mem_zalloc(UNIT_LEN_MAX);
	struct guest guest = { .size = 70001, .group = 4096 };
	unsigned char want[70001];

	guest_fill(&guest, 0, want, sizeof want);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct fake_chunks chunks = { .bytes = want,
					      .len = sizes[i],
					      .most = 1 };
		struct err err = { 0 };
		struct walk_piece piece;
		uint64_t at = 0;
		int more;

		struct source *stream AUTO_SOURCE = fake_chunks_open(&chunks);
		struct walk *walk AUTO_WALK =
			driver_raw.walk(stream, NULL, -1, &err);

		CHECK(walk->ordered);
		while ((more = walk_next(walk, buf, UNIT_LEN_MAX, &piece,
					 &err)) > 0) {
			CHECK_EQ(piece.offset, at);
			CHECK(!memcmp(buf, want + at, piece.stored));
			at += piece.length;
		}
		CHECK_EQ(more, 0);
		CHECK_EQ(at, sizes[i]);
		CHECK_EQ(walk->size, sizes[i]);
		CHECK_EQ(chunks.finishes, 1);
	}
	struct fake_chunks broken = {
		.bytes = want, .len = 70001, .most = 1000, .fail_at = 9
	};
	struct source *stream AUTO_SOURCE = fake_chunks_open(&broken);
	struct walk_piece piece;
	struct err err = { 0 };
	struct walk *walk AUTO_WALK = driver_raw.walk(stream, NULL, -1, &err);

	CHECK_EQ(walk_next(walk, buf, UNIT_LEN_MAX, &piece, &err), -1);
	CHECK_EQ(err.kind, ERR_IO);
}

static void check_write(const struct making *making, const char *text,
			bool append, bool size_known)
{
	const struct guest *guest = making->guest;
	unsigned char *want AUTO_FREE = mem_zalloc(guest->size);
	struct create_options options;
	struct err err = { 0 };
	struct sink *memory = files_memory_sink();
	struct fake_sink *sink = fake_sink_open(memory);
	size_t len;

	sink->sink.seekable = !append;
	make_options(&options, text);
	options.size_known = size_known;
	options.size = guest->size;
	CHECK_EQ(driver_check_options(&driver_raw, &options, &err), 0);

	struct writer *writer = driver_raw.create(&sink->sink, &options, &err);

	CHECK(writer);
	CHECK_EQ(writer->any_order, !append);
	CHECK_EQ(make_image(making, writer, &err), 0);
	writer_close(writer);
	guest_fill(guest, 0, want, guest->size);

	const unsigned char *bytes = files_memory_bytes(memory, &len);

	CHECK_EQ(len, round_up(guest->size, 512));
	CHECK(!guest->size || !memcmp(bytes, want, guest->size));
	/* Zeros of a new file are not written unless that was asked for. */
	if (!append && strstr(text, "full"))
		CHECK(sink->bytes >= guest->size / 2);
	if (!append && !*text)
		CHECK(!guest->size || sink->bytes < guest->size);
	sink_close(&sink->sink);
}

static void test_write(void)
{
	static const uint64_t sizes[] = { 0, 512, 1000, 4096, 3 * MIB + 1000 };

	for (size_t i = 0; i < 5; i++) {
		struct guest guest = { .size = sizes[i],
				       .group = 4096,
				       .seed = 3 };
		struct making making = { .guest = &guest };

		check_write(&making, "", true, false);
		check_write(&making, "preallocation=full", true, true);
		making.shuffle = making.zeros_as_units = true;
		making.head_last = true;
		check_write(&making, "preallocation=falloc", false, true);
		check_write(&making, "preallocation=falloc", false, false);
		check_write(&making, "preallocation=full", false, true);
		if (sizes[i] > MIB)
			check_write(&making, "", false, true);
	}
}

/* What the sink is asked to do for zeros. */
static void check_zeros(const char *text, bool fresh, enum sink_zero how)
{
	struct create_options options;
	struct err err = { 0 };
	struct fake_sink *sink = fake_sink_open(files_memory_sink());
	uint64_t total = 0;

	sink->sink.fresh = fresh;
	make_options(&options, text);
	options.size_known = true;
	options.size = MIB;

	struct writer *writer = driver_raw.create(&sink->sink, &options, &err);

	CHECK_EQ(writer_finish(writer, MIB, &err), 0);
	writer_close(writer);
	for (unsigned i = 0; i < sink->count; i++) {
		if (sink->ops[i].kind == FAKE_FINISH)
			continue;
		total += sink->ops[i].length;
		if (sink->ops[i].kind == FAKE_ZERO)
			CHECK_EQ(sink->ops[i].how, how);
	}
	CHECK_EQ(total, fresh && how == SINK_ZERO_SPARSE ? 0 : MIB);
	sink_close(&sink->sink);
}

static void test_zeros(void)
{
	check_zeros("", true, SINK_ZERO_SPARSE);
	check_zeros("", false, SINK_ZERO_SPARSE); /* a device: old content */
	check_zeros("preallocation=falloc", true, SINK_ZERO_ALLOCATE);
	check_zeros("preallocation=full", true, SINK_ZERO_WRITE);
}

static void test_failing(void)
{
	struct guest guest = { .size = 2 * MIB, .group = 64 * KIB };
	struct making making = { .guest = &guest };
	struct create_options options;
	unsigned operations = 1;

	make_options(&options, "");
	for (unsigned nth = 0; nth <= operations; nth++) {
		struct err err = { 0 };
		struct fake_sink *sink = fake_sink_open(files_memory_sink());

		sink->sink.fresh = false;
		sink->fail_at = nth;

		struct writer *writer =
			driver_raw.create(&sink->sink, &options, &err);

		CHECK_EQ(make_image(&making, writer, &err), nth ? -1 : 0);
		writer_close(writer);
		if (!nth)
			operations = sink->count;
		else
			CHECK_EQ(err.kind, ERR_IO);
		sink_close(&sink->sink);
	}
	CHECK(operations > 3);
}

static void test_registry(void)
{
	struct create_options options;
	struct err err = { 0 };

	CHECK(driver_table[0] == &driver_raw);
	CHECK(driver_by_name("RAW") == &driver_raw);
	CHECK(!driver_by_name("ra"));
	CHECK(driver_by_suffix("a.b/disk.IMG") == &driver_raw);
	CHECK(!driver_by_suffix("disk"));
	CHECK_STR(driver_by_name("qcow3")->name, "qcow2");
	CHECK_STR(driver_by_suffix("x.qcow2")->name, "qcow2");
	make_options(&options, "preallocation=metadata");
	CHECK_EQ(driver_check_options(&driver_raw, &options, &err), -1);
	CHECK(strstr(err.message, "off|falloc|full"));
	make_options(&options, "preallocation=full,preallocation=off");
	CHECK_EQ(driver_check_options(&driver_raw, &options, &err), 0);
	CHECK_STR(create_option(&options, driver_raw.options, "preallocation"),
		  "off");
	strcpy(options.compress, "zlib");
	CHECK_EQ(driver_check_options(&driver_raw, &options, &err), -1);
	CHECK(strstr(err.message, "compress the file as a whole"));
}

int main(void)
{
	test_open();
	test_walk();
	test_write();
	test_zeros();
	test_failing();
	test_registry();
	return check_result();
}
