/* SPDX-License-Identifier: MIT */
/* Reading VMDK at random and in one pass: every byte, by reads and pulls of
 * many sizes, by extents and their places, from several threads, cut short
 * and with every byte of the tables changed. */
#include <pthread.h>

#include "io/zero.h"
#include "vmdk_image.h"

static unsigned char out[IMAGE_GUEST];

static void test_reads(struct image *image)
{
	static const size_t steps[] = { 512, 3000, 4096, 70001, IMAGE_GUEST };
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		memset(out, 0xaa, sizeof out);
		CHECK(!image_read(image, image->len, out, steps[i], &err));
		CHECK_STR(err.message, "");
		CHECK(!memcmp(out, image->guest, sizeof out));
	}
}

/* What an extent says is stored is the guest's. */
static void check_place(const struct image *image,
			const struct extent *extent)
{
	unsigned char coded[3 * IMAGE_GRAIN], *plain;
	struct block_decoder *decoder;
	struct err err = { 0 };
	size_t len = (size_t)extent->length;

	plain = malloc(len);
	if (extent->encoding == ENCODING_PLAIN) {
		CHECK_EQ(extent->stored, extent->length);
		CHECK(!source_read_all(extent->source, plain, len,
				       extent->place, "grain", &err));
	} else {
		CHECK_EQ(extent->encoding, ENCODING_ZLIB);
		decoder = block_decoder_open(BLOCK_ZLIB, &err);
		CHECK(!source_read_all(extent->source, coded,
				       (size_t)extent->stored, extent->place,
				       "grain", &err));
		CHECK(!block_decode(decoder, coded, (size_t)extent->stored,
				    plain, len, &err));
		block_decoder_close(decoder);
	}
	CHECK(!memcmp(plain, image->guest + extent->offset, len));
	free(plain);
}

/* Nothing says that tables lie in the order of the directory. */
static void test_tables_backwards(void)
{
	struct err err = { 0 };
	struct image image;

	image_make(&image, IMAGE_SPARSE);
	for (unsigned i = 0; i < IMAGE_TABLES; i++) {
		unsigned place = IMAGE_GT + IMAGE_TABLES - 1 - i;

		bytes_put_le32(image.bytes + IMAGE_GD * VMDK_SECTOR + 4 * i,
			       place);
		image_table(&image, i, image.bytes + place * VMDK_SECTOR);
	}
	CHECK(!image_read(&image, image.len, out, 70001, &err));
	CHECK_STR(err.message, "");
	CHECK(!memcmp(out, image.guest, sizeof out));
	image_free(&image);
}

static void test_extents(struct image *image)
{
	struct source *source = files_memory_source(image->bytes, image->len);
	static const struct open_options options;
	struct extent extent, last = { .kind = EXTENT_DATA };
	struct err err = { 0 };
	struct disk *disk = vmdk_open(source, &options, &err);
	unsigned places = 0;

	CHECK(disk);
	for (uint64_t at = 0; disk && at < disk->size; at += extent.length) {
		if (disk_extent(disk, at, disk->size - at, &extent, &err)) {
			CHECK_STR(err.message, "");
			break;
		}
		/* Holes are joined, over the bounds of tables, too. */
		CHECK(extent.kind == EXTENT_DATA || extent.kind != last.kind);
		if (extent.kind != EXTENT_DATA)
			CHECK(zero_is(image->guest + at,
				      (size_t)extent.length));
		if (extent.kind == EXTENT_DATA && extent.source) {
			check_place(image, &extent);
			places++;
		}
		last = extent;
	}
	CHECK_EQ(places > 50, image->kind != IMAGE_PACKED);
	disk_close(disk);
	source_close(source);
}

struct reader {
	pthread_t thread;
	struct disk *disk;
	const struct image *image;
	size_t step;
	bool same;
};

static void *read_all(void *opaque)
{
	struct reader *reader = opaque;
	unsigned char *buf = malloc(reader->step);
	struct err err;
	size_t len;

	reader->same = true;
	for (size_t at = 0; at < IMAGE_GUEST; at += len) {
		len = (size_t)min_u64(reader->step, IMAGE_GUEST - at);
		reader->same &=
			!disk_read(reader->disk, buf, len, at, &err) &&
			!memcmp(buf, reader->image->guest + at, len);
	}
	free(buf);
	return NULL;
}

static void test_threads(struct image *image)
{
	struct source *source = files_memory_source(image->bytes, image->len);
	static const struct open_options options;
	struct err err = { 0 };
	struct disk *disk = vmdk_open(source, &options, &err);
	struct reader readers[4];

	CHECK(disk);
	for (unsigned i = 0; i < 4; i++) {
		readers[i] = (struct reader){ .disk = disk,
					      .image = image,
					      .step = 5000 + 1000 * i };
		CHECK(!pthread_create(&readers[i].thread, NULL, read_all,
				      &readers[i]));
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(readers[i].thread, NULL);
		CHECK(readers[i].same);
	}
	disk_close(disk);
	source_close(source);
}

static void test_walk(struct image *image)
{
	static const size_t most[] = { 1, 511, 4097, 1 << 20 };
	static const size_t room[] = { 512, 5000, 65536, 1 << 20 };
	struct err err = { 0 };

	for (size_t i = 0; i < 4; i++) {
		CHECK(!image_walk(image, image->len, out, most[i], room[i], 0,
				  &err));
		CHECK_STR(err.message, "");
		CHECK(!memcmp(out, image->guest, sizeof out));
	}
	/* What the input fails with comes through. */
	for (unsigned i = 1; i < 50; i += 3) {
		CHECK(image_walk(image, image->len, out, 5000, 4096, i, &err));
		CHECK(strstr(err.message, "injected"));
	}
}

/* Wherever it ends, that is an error, from a file and from a pipe. */
static void test_cuts(struct image *image, bool walks)
{
	/* Of the last grain what lies behind the disk's end need not be there,
	 * nor what fills up its sector; nor all of an end-of-stream marker,
	 * which is zeros. */
	static const size_t spare[] = {
		[IMAGE_SPARSE] = IMAGE_GRAIN - IMAGE_GUEST % IMAGE_GRAIN,
		[IMAGE_STREAM] = VMDK_SECTOR,
		[IMAGE_STREAM_FRONT] = 2 * VMDK_SECTOR,
		[IMAGE_PACKED] = VMDK_SECTOR,
	};
	size_t keep = image->len - spare[image->kind];
	struct err err;
	for (size_t len = 1; len < keep; len += 509) {
		CHECK(image_read(image, len, out, 65536, &err));
		CHECK(err.kind == ERR_DAMAGED || err.kind == ERR_UNSUPPORTED);
		if (!walks)
			continue;
		CHECK(image_walk(image, len, out, 65536, 65536, 0, &err));
		CHECK(err.kind == ERR_DAMAGED);
	}
}

/* Any byte of header, descriptor and tables may be anything: it is refused, or
 * it changes nothing, or it is seen in the guest's bytes (a table entry that
 * is another grain's), but not in a stream. */
static void test_bytes(struct image *image, bool walks)
{
	static const unsigned char masks[] = { 0x01, 0xff };
	const size_t front = IMAGE_FIRST * VMDK_SECTOR;
	struct err err;

	/* Each byte of the header; of what follows, some. */
	for (size_t at = 0; at < (walks ? image->len : front);
	     at += at < 100 ? 1 : at < front ? 13 : 507) {
		unsigned char *byte = &image->bytes[at];

		for (unsigned i = 0; i < 2; i++) {
			*byte ^= masks[i];
			image_read(image, image->len, out, 1 << 20, &err);
			if (walks && !image_walk(image, image->len, out,
						 1 << 20, 1 << 20, 0, &err))
				CHECK(!memcmp(out, image->guest, sizeof out));
			*byte ^= masks[i];
		}
	}
}

static void test_order(void)
{
	static const enum walk_order wanted[] = {
		[IMAGE_SPARSE] = WALK_NONE,
		[IMAGE_STREAM] = WALK_ORDERED,
		[IMAGE_STREAM_FRONT] = WALK_ORDERED,
		[IMAGE_PACKED] = WALK_NONE,
	};
	struct facts *facts = mem_zalloc(sizeof *facts);
	struct err err = { 0 };
	struct image image;
	uint64_t size = 0;

	for (unsigned kind = 0; kind < 4; kind++) {
		image_make(&image, (enum image_kind)kind);
		CHECK_EQ(vmdk_walk_order(image.bytes, image.len), wanted[kind]);
		CHECK_EQ(vmdk_walk_order(image.bytes, 512), wanted[kind]);
		CHECK_EQ(vmdk_walk_order(image.bytes, 511), WALK_NONE);
		CHECK_EQ(vmdk_peek(image.bytes, 511, &size, facts, &err), 1);
		CHECK_EQ(vmdk_peek(image.bytes, 512, &size, facts, &err), 1);
		CHECK_EQ(vmdk_peek(image.bytes, 5 * 512, &size, facts, &err), 0);
		CHECK_EQ(size, IMAGE_GUEST);
		CHECK_STR(facts->fact[0].name, "subformat");
		facts->count = 0;
		/* With a parent it takes another file. */
		memcpy(strstr((char *)image.bytes + 512, "ffffffff"),
		       "00000001\nparentFileNameHint=\"p\"\n#", 34);
		CHECK_EQ(vmdk_walk_order(image.bytes, image.len), WALK_NONE);
		image_free(&image);
	}
	free(facts);
}

/* The capacity may be rounded up to whole grains: the disk is as large as the
 * descriptor says. */
static void test_rounded(void)
{
	const uint64_t rounded = round_up(IMAGE_GUEST, IMAGE_GRAIN);
	struct err err = { 0 };
	struct image image;

	for (unsigned kind = 0; kind < 4; kind++) {
		image_make(&image, (enum image_kind)kind);
		bytes_put_le64(image.bytes + VMDK_CAPACITY,
			       rounded / VMDK_SECTOR);
		if (kind == IMAGE_STREAM)
			bytes_put_le64(image.bytes + image.len -
					       VMDK_FOOTER_BACK + VMDK_CAPACITY,
				       rounded / VMDK_SECTOR);
		test_reads(&image);
		test_extents(&image);
		if (kind == IMAGE_STREAM || kind == IMAGE_STREAM_FRONT) {
			CHECK(!image_walk(&image, image.len, out, 4096, 65536,
					  0, &err));
			CHECK_STR(err.message, "");
			CHECK(!memcmp(out, image.guest, sizeof out));
		}
		image_free(&image);
	}
}

int main(void)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		struct image image;
		bool walks = kind == IMAGE_STREAM || kind == IMAGE_STREAM_FRONT;

		image_make(&image, (enum image_kind)kind);
		test_reads(&image);
		test_extents(&image);
		test_threads(&image);
		if (walks)
			test_walk(&image);
		test_cuts(&image, walks);
		test_bytes(&image, walks);
		image_free(&image);
	}
	test_tables_backwards();
	test_order();
	test_rounded();
	return check_result();
}
