/* SPDX-License-Identifier: MIT */
/*
 * The qcow2 writer: every combination of options, written from a patterned
 * guest, checked by the image tool of reference where it is installed, and
 * read back by our own reader.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "fakes.h"
#include "make_image.h"
#include "formats/codecs/codec.h"

extern const struct driver driver_qcow2;

static char folder[64];
static bool have_tool;

static char *path_of(const char *name)
{
	return mem_printf("%s/%s", folder, name);
}

__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	return system(command);
}

static void write_file(const char *name, const unsigned char *bytes, size_t len)
{
	char *path AUTO_FREE = path_of(name);
	FILE *file = fopen(path, "wb");

	CHECK(file);
	if (!file)
		return;
	if (len)
		CHECK_EQ(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

/* The guest as a sparse raw file. */
static void write_raw(const struct guest *guest, const char *name)
{
	char *path AUTO_FREE = path_of(name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned char *buf AUTO_FREE = mem_zalloc(UNIT_LEN);

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)round_up(guest->size, 512)));
	for (uint64_t at = 0; at < guest->size;) {
		size_t len = min_u64(UNIT_LEN, guest->size - at);

		if (guest_is_dead(guest, at, GIB)) {
			at += GIB;
			continue;
		}
		if (guest_is_dead(guest, at, len)) {
			at += len;
			continue;
		}
		guest_fill(guest, at, buf, len);
		CHECK_EQ(pwrite(fd, buf, len, (off_t)at), len);
		at += len;
	}
	close(fd);
}

struct image {
	struct sink *sink, *data;
	const unsigned char *bytes;
	size_t len;
};

static void image_close(struct image *image)
{
	sink_close(image->sink);
	sink_close(image->data);
}

static bool image_make(struct image *image, const struct making *making,
		       const char *text, const char *compress, bool size_known)
{
	struct create_options options;
	struct err err = { 0 };
	bool done = false;

	make_options(&options, text);
	snprintf(options.compress, sizeof options.compress, "%s", compress);
	options.size_known = size_known;
	options.size = round_up(making->guest->size, 512);
	image->sink = files_memory_sink();
	image->data = files_memory_sink();
	options.data_sink = image->data;
	CHECK_EQ(driver_check_options(&driver_qcow2, &options, &err), 0);

	struct writer *writer =
		driver_qcow2.create(image->sink, &options, &err);

	CHECK(writer);
	if (writer) {
		done = !make_image(making, writer, &err);
		CHECK(done);
	}
	if (!done)
		fprintf(stderr, "%s %s: %s\n", text, compress, err.message);
	writer_close(writer);
	image->bytes = files_memory_bytes(image->sink, &image->len);
	return done;
}

static void check_tool(const struct image *image, const char *what)
{
	size_t len;
	const unsigned char *bytes = files_memory_bytes(image->data, &len);

	write_file("image.qcow2", image->bytes, image->len);
	write_file("image.data", bytes, len);
	if (!have_tool)
		return;

	int check =
		run("cd %s && qemu-img check -q image.qcow2 >log 2>&1", folder);
	int compare = run("cd %s && qemu-img compare -q -f qcow2 -F raw "
			  "image.qcow2 guest.raw >>log 2>&1",
			  folder);

	CHECK_EQ(check, 0);
	CHECK_EQ(compare, 0);
	if (check || compare) {
		fprintf(stderr, "with %s:\n", what);
		run("head -5 %s/log >&2", folder);
	}
}

/* Our own reader sees the guest; external data is not for it here. */
static void check_reader(const struct image *image, const struct guest *guest)
{
	struct err err = { 0 };
	struct open_options options = { 0 };
	struct source *source AUTO_SOURCE =
		files_memory_source(image->bytes, image->len);
	unsigned char *want AUTO_FREE = mem_zalloc(UNIT_LEN);
	unsigned char *got AUTO_FREE = mem_zalloc(UNIT_LEN);
	struct disk *disk = driver_qcow2.open(source, &options, &err);

	if (!disk)
		fprintf(stderr, "%s\n", err.message);
	CHECK(disk);
	if (!disk)
		return;
	CHECK_EQ(disk->size, round_up(guest->size, 512));
	for (uint64_t at = 0; at < guest->size; at += UNIT_LEN) {
		size_t len = min_u64(UNIT_LEN, guest->size - at);

		if (guest_is_dead(guest, at, len))
			continue;
		guest_fill(guest, at, want, len);
		CHECK_EQ(disk_read(disk, got, len, at, &err), 0);
		CHECK(!memcmp(got, want, len));
	}
	disk_close(disk);
}

/* One piece of a walk into the guest it makes up. */
static void put_piece(unsigned char *out, const unsigned char *buf,
		      const struct walk_piece *piece)
{
	struct block_decoder *decoder;
	struct err err = { 0 };

	if (!piece->stored)
		return;
	if (piece->encoding == ENCODING_PLAIN) {
		memcpy(out + piece->offset, buf, piece->stored);
		return;
	}
	decoder = block_decoder_open(
		piece->encoding == ENCODING_ZSTD ? BLOCK_ZSTD : BLOCK_DEFLATE,
		&err);
	CHECK(decoder);
	CHECK_EQ(block_decode(decoder, buf, piece->stored, out + piece->offset,
			      piece->length, &err),
		 0);
	block_decoder_close(decoder);
}

/* What was written can be read in one pass, and hardly anything has to be
 * kept. */
static void check_walk(const struct image *image, const struct guest *guest,
		       const char *text)
{
	struct fake_chunks chunks = { .bytes = image->bytes,
				      .len = image->len,
				      .most = 70000 };
	size_t room = guest->size + 2 * UNIT_LEN_MAX;
	unsigned char *buf AUTO_FREE = mem_zalloc(UNIT_LEN_MAX);
	unsigned char *want AUTO_FREE = mem_zalloc(room);
	unsigned char *got AUTO_FREE = mem_zalloc(room);
	struct open_options options = { 0 };
	struct walk_piece piece;
	struct err err = { 0 };
	int spool AUTO_FD = memfd_create("spool", MFD_CLOEXEC);
	struct source *stream AUTO_SOURCE = fake_chunks_open(&chunks);
	struct walk *walk AUTO_WALK =
		driver_qcow2.walk(stream, &options, spool, &err);
	int more = -1;

	CHECK(walk);
	while (walk &&
	       (more = walk_next(walk, buf, UNIT_LEN_MAX, &piece, &err)) > 0) {
		CHECK(piece.offset + piece.length <= room);
		put_piece(got, buf, &piece);
	}
	CHECK_EQ(more, 0);
	if (more)
		fprintf(stderr, "with %s: %s\n", text, err.message);
	/* All but a last cluster that the disk's end cuts, and clusters of
	 * which only parts are mapped. */
	else if (!strstr(text, "extended_l2"))
		CHECK(walk->spooled <= walk->granule &&
		      (!walk->spooled || walk->size % walk->granule));
	guest_fill(guest, 0, want, guest->size);
	CHECK(!memcmp(got, want, room));
}

static const char *const forms[] = {
	"",
	"cluster_size=512",
	"cluster_size=1K,refcount_bits=64",
	"cluster_size=4K",
	"cluster_size=2M",
	"compat=0.10",
	"compat=0.10,cluster_size=512",
	"refcount_bits=1",
	"refcount_bits=2,cluster_size=512",
	"refcount_bits=4,cluster_size=1K",
	"refcount_bits=8",
	"refcount_bits=32,cluster_size=2K",
	"refcount_bits=64,cluster_size=512",
	"extended_l2=on",
	"extended_l2=on,cluster_size=16K",
	"extended_l2=on,cluster_size=2M,refcount_bits=1",
	"lazy_refcounts=on",
};

static const char *const plain_forms[] = {
	"preallocation=metadata",
	"preallocation=falloc",
	"preallocation=full",
	"preallocation=metadata,extended_l2=on,cluster_size=32K",
	"preallocation=full,compat=0.10,cluster_size=512",
	"data_file=image.data",
	"data_file=image.data,data_file_raw=on",
	"data_file=image.data,extended_l2=on,cluster_size=128K",
	"data_file=image.data,cluster_size=512,refcount_bits=64",
};

static void check_form(const struct guest *guest, const char *text,
		       const char *compress)
{
	struct making making = { .guest = guest };
	struct image one, two;

	if (!image_make(&one, &making, text, compress, true)) {
		image_close(&one);
		return;
	}
	CHECK_EQ(one.len % 512, 0);
	check_tool(&one, text);
	if (!strstr(text, "data_file")) {
		check_reader(&one, guest);
		check_walk(&one, guest, text);
	}
	/* Neither the order of stores nor how zeros are told matters. */
	making.shuffle = making.zeros_as_units = true;
	if (image_make(&two, &making, text, compress, true))
		CHECK(one.len == two.len &&
		      !memcmp(one.bytes, two.bytes, one.len));
	image_close(&one);
	image_close(&two);
	/* The other layouts: L1 at the end; the first unit last. */
	if (image_make(&one, &making, text, compress, false))
		check_tool(&one, text);
	image_close(&one);
	making.head_last = true;
	if (image_make(&one, &making, text, compress, true))
		check_tool(&one, text);
	image_close(&one);
}

static void test_forms(void)
{
	struct guest guest = { .size = 3 * MIB + 5 * KIB + 512,
			       .group = 8 * KIB };
	static const char *const types[] = { "", "zlib", "zstd" };
	size_t built = block_codec_library(BLOCK_ZSTD) ? 3 : 2;

	write_raw(&guest, "guest.raw");
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		for (size_t type = 0; type < built; type++)
			if (type < 2 || !strstr(forms[i], "0.10"))
				check_form(&guest, forms[i], types[type]);
	for (size_t i = 0; i < sizeof plain_forms / sizeof *plain_forms; i++)
		check_form(&guest, plain_forms[i], "");
	check_form(&guest, "window=4k", "zlib");
	check_form(&guest, "window=4k,cluster_size=2M", "zlib");
}

static void test_sizes(void)
{
	static const uint64_t sizes[] = { 0,	   512,		 1024,
					  4096,	   65536 - 512,	 65536 + 512,
					  1000,	   MIB,		 32 * KIB,
					  MIB + 1, 3 * MIB - 512 };
	static const char *const some[] = { "", "cluster_size=512",
					    "extended_l2=on", "cluster_size=2M",
					    "preallocation=metadata" };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct guest guest = { .size = sizes[i],
				       .seed = (unsigned)i,
				       .group = 512 };

		write_raw(&guest, "guest.raw");
		for (size_t k = 0; k < 5; k++)
			check_form(&guest, some[k], "");
		check_form(&guest, "", "zlib");
	}
}

/* Many refcount blocks and L2 tables; a table that is not a whole cluster. */
static void test_large(void)
{
	struct guest guest = {
		.size = 2 * TIB + 64 * KIB,
		.group = 64 * KIB,
		.live = { { 0, 3 * MIB },
			  { TIB - MIB, 2 * MIB },
			  { 2 * TIB - MIB, MIB + 64 * KIB } },
	};
	struct making making = { .guest = &guest };
	static const char *const some[] = { "", "extended_l2=on",
					    "cluster_size=8K" };

	write_raw(&guest, "guest.raw");
	for (size_t i = 0; i < 3; i++) {
		struct image image;

		if (image_make(&image, &making, some[i], i ? "" : "zlib",
			       true)) {
			CHECK(image.len < 6 * MIB);
			check_tool(&image, some[i]);
			check_reader(&image, &guest);
		}
		image_close(&image);
	}
	/* An L1 that spans many refcount blocks; at either place. */
	static const char small[] = "cluster_size=512,refcount_bits=64";

	guest.size = 16 * GIB + 512;
	guest.live[1].offset = 8 * GIB;
	guest.live[2].offset = 16 * GIB - MIB;
	write_raw(&guest, "guest.raw");
	for (int known = 0; known < 2; known++) {
		struct image image;

		if (image_make(&image, &making, small, "zlib", known))
			check_tool(&image, small);
		image_close(&image);
	}
	char *path AUTO_FREE = path_of("guest.raw");

	unlink(path);
}

/* What is below an image never shows through where zeros were written, and
 * does where nothing was. */
static void test_backing(void)
{
	struct guest guest = { .size = 5 * MIB + 512, .group = 16 * KIB };
	struct guest full = { .size = 5 * MIB + 512,
			      .group = 4 * KIB,
			      .seed = 9 };
	static const char *const some[] = {
		"backing_file=below.raw,backing_fmt=raw",
		"backing_file=below.raw,backing_fmt=raw,compat=0.10",
		"backing_file=below.raw,backing_fmt=raw,extended_l2=on",
		"backing_file=below.raw,backing_fmt=raw,cluster_size=512",
	};

	write_raw(&full, "below.raw");
	for (size_t i = 0; i < 4; i++) {
		struct create_options options;
		struct image image;
		struct err err = { 0 };
		struct making making = { .guest = &guest };

		write_raw(&guest, "guest.raw");
		if (image_make(&image, &making, some[i], "", true))
			check_tool(&image, some[i]);
		image_close(&image);
		if (image_make(&image, &making, some[i], "zlib", true))
			check_tool(&image, some[i]);
		image_close(&image);
		/* An empty overlay. */
		make_options(&options, some[i]);
		options.size_known = true;
		options.size = guest.size;
		image = (struct image){ files_memory_sink(),
					files_memory_sink(), NULL, 0 };

		struct writer *writer =
			driver_qcow2.create(image.sink, &options, &err);

		CHECK(writer && !writer_finish(writer, guest.size, &err));
		writer_close(writer);
		image.bytes = files_memory_bytes(image.sink, &image.len);
		write_raw(&full, "guest.raw");
		check_tool(&image, some[i]);
		image_close(&image);
	}
}

int main(void)
{
	snprintf(folder, sizeof folder, "/tmp/test_qcow2_write.XXXXXX");
	if (!mkdtemp(folder))
		return 77;
	have_tool = !system("qemu-img --version >/dev/null 2>&1");
	if (!have_tool)
		printf("qemu-img is not installed: not compared with it\n");
	test_forms();
	test_sizes();
	test_large();
	test_backing();
	run("rm -rf %s", folder);
	return check_result();
}
