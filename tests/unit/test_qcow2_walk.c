/* SPDX-License-Identifier: MIT */
/* The walk face of qcow2: one pass yields what the disk face reads, each
 * guest byte at most once, whatever the order in the file, the size of reads
 * and the memory; what is missing or used twice is damage. */
#include "base/checked.h"
#include "base/limits.h"
#include "formats/codecs/codec.h"
#include "io/spool.h"
#include "qcow2_image.h"
#include "qcow2_tools.h"

/* A pipe: bytes in memory, `step` at a time. */
struct pipe {
	const unsigned char *bytes;
	size_t len, at, step;
};

static int pipe_pull(void *opaque, void *buf, size_t len, size_t *got,
		     struct err *err)
{
	struct pipe *pipe = opaque;

	(void)err;
	*got = (size_t)min_u64(min_u64(len, pipe->step), pipe->len - pipe->at);
	memcpy(buf, pipe->bytes + pipe->at, *got);
	pipe->at += *got;
	return 0;
}

static const struct stream_ops pipe_ops = { .pull = pipe_pull };

struct result {
	unsigned char *guest;
	unsigned char *seen; /* a byte a guest byte */
	uint64_t size, spooled;
	bool twice; /* a byte came a second time */
};

static int put_piece(struct result *result, const struct walk_piece *piece,
		     const unsigned char *buf, struct err *err)
{
	unsigned char *to = result->guest + piece->offset;
	struct block_decoder *decoder;
	int status = 0;

	for (uint64_t i = 0; i < piece->length; i++)
		result->twice |= result->seen[piece->offset + i]++;
	if (piece->kind != EXTENT_DATA)
		return 0;
	if (piece->encoding == ENCODING_PLAIN) {
		memcpy(to, buf, (size_t)piece->length);
		return 0;
	}
	decoder = block_decoder_open(
		piece->encoding == ENCODING_ZSTD ? BLOCK_ZSTD : BLOCK_DEFLATE,
		err);
	status = block_decode(decoder, buf, piece->stored, to,
			      (size_t)piece->length, err);
	block_decoder_close(decoder);
	return status;
}

static int put_all(struct walk *walk, struct result *result, struct err *err)
{
	size_t room = 4 * MIB;
	unsigned char *buf = malloc(room);
	struct walk_piece piece;
	int status;

	result->size = walk->size;
	result->guest = calloc((size_t)walk->size + 1, 1);
	result->seen = calloc((size_t)walk->size + 1, 1);
	while ((status = walk_next(walk, buf, room, &piece, err)) > 0)
		if (put_piece(result, &piece, buf, err)) {
			status = -1;
			break;
		}
	result->spooled = walk->spooled;
	free(buf);
	return status;
}

static int run_walk(const unsigned char *bytes, size_t len, size_t step,
		    uint64_t memory, struct result *result, struct err *err)
{
	struct pipe pipe = { bytes, len, 0, step };
	struct source *stream = files_stream(&pipe_ops, &pipe);
	struct open_options options = { .memory = memory };
	int spool = spool_open_fd("/tmp", err), status = -1;
	struct walk *walk;

	*result = (struct result){ 0 };
	*err = (struct err){ 0 };
	files_stream_forget(stream);
	walk = qcow2_walk(stream, &options, spool, err);
	if (walk)
		status = put_all(walk, result, err);
	walk_close(walk);
	source_close(stream);
	close(spool);
	return status;
}

static void result_free(struct result *result)
{
	free(result->guest);
	free(result->seen);
}

/* `spooled`: how much of the guest may go through the spool. */
static void check_walk(const unsigned char *bytes, size_t len,
		       const unsigned char *expected, uint64_t size,
		       uint64_t spooled)
{
	static const struct {
		size_t step;
		uint64_t memory;
	} ways[] = { { MIB, 0 }, { 1000, 0 }, { MIB, 1 }, { MIB, 600 } };

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct result result;
		struct err err;

		CHECK(!run_walk(bytes, len, ways[i].step, ways[i].memory,
				&result, &err));
		CHECK_STR(err.message, "");
		CHECK_EQ(result.size, size);
		CHECK(!result.twice);
		CHECK(result.guest && result.size == size &&
		      !memcmp(result.guest, expected, (size_t)size));
		if (!ways[i].memory && result.spooled > spooled)
			CHECK_EQ(result.spooled, spooled);
		result_free(&result);
	}
}

static void check_refused(const unsigned char *bytes, size_t len,
			  enum err_kind kind, const char *message)
{
	struct result result;
	struct err err;

	CHECK(run_walk(bytes, len, 4096, 0, &result, &err) < 0);
	CHECK_EQ(err.kind, kind);
	if (!strstr(err.message, message))
		CHECK_STR(err.message, message);
	result_free(&result);
}

/* Tables first: nothing is spooled. */
static void test_ordered(void)
{
	struct image image = image_make(3);

	check_walk(image.bytes, image.len, image.bytes + IMAGE_DATA, IMAGE_SIZE,
		   0);
	image_free(&image);
}

/* The guest's clusters lie in the file in another order. */
static void test_shuffled(void)
{
	struct image image = image_make(3);
	unsigned char expected[IMAGE_SIZE];

	for (size_t i = 0; i < IMAGE_CLUSTERS; i++) {
		size_t place = IMAGE_DATA + i * 5 % 8 * IMAGE_CLUSTER;

		image_l2(&image, i, QCOW2_COPIED | place);
		memcpy(expected + i * IMAGE_CLUSTER, image.bytes + place,
		       IMAGE_CLUSTER);
	}
	check_walk(image.bytes, image.len, expected, IMAGE_SIZE, 0);
	image_free(&image);
}

/* L2 in the middle, then L1 last: what came before goes through the spool. */
static void test_tables_late(void)
{
	struct image image = image_make(3);
	unsigned char expected[IMAGE_SIZE], table[IMAGE_CLUSTER];
	size_t late = IMAGE_DATA + 3 * IMAGE_CLUSTER;

	memcpy(table, image.bytes + IMAGE_L2, IMAGE_CLUSTER);
	memcpy(expected, image.bytes + IMAGE_DATA, IMAGE_SIZE);
	/* Guest cluster 3 and the L2 table change places. */
	bytes_put_be64(table + 3 * 8, QCOW2_COPIED | IMAGE_L2);
	memcpy(image.bytes + IMAGE_L2, image.bytes + late, IMAGE_CLUSTER);
	memcpy(image.bytes + late, table, IMAGE_CLUSTER);
	image_put64(&image, IMAGE_L1, QCOW2_COPIED | late);
	check_walk(image.bytes, image.len, expected, IMAGE_SIZE,
		   4 * IMAGE_CLUSTER);
	image_resize(&image, IMAGE_LEN + 8);
	image_put64(&image, IMAGE_LEN, QCOW2_COPIED | late);
	image_put64(&image, QCOW2_L1_OFFSET, IMAGE_LEN);
	check_walk(image.bytes, image.len, expected, IMAGE_SIZE, IMAGE_SIZE);
	image_free(&image);
}

/* Two guest clusters in one file cluster: read at random this is merely odd,
 * in one pass the bytes are gone, which must not go unseen. */
static void test_twice(void)
{
	struct image image = image_make(3);

	image_l2(&image, 5, QCOW2_COPIED | IMAGE_DATA);
	check_refused(image.bytes, image.len, ERR_DAMAGED, "is used twice");
	image_free(&image);
}

static void test_cut(void)
{
	struct image image = image_make(3);

	for (size_t len = 0; len < IMAGE_LEN; len += 8)
		check_refused(image.bytes, len, ERR_DAMAGED, "");
	image_free(&image);
}

/* Spoil each byte of header and tables: what the walk makes of it, if it
 * finds nothing wrong, is what the disk face reads. */
static void check_spoilt(const struct image *image)
{
	struct open_options options = { 0 };
	struct err err, other = { 0 };
	struct source *source;
	struct result result;
	unsigned char *guest;
	uint64_t size = 0;

	/* Only sizes that a test can hold. */
	if (bytes_be64(image->bytes + QCOW2_SIZE) >= MIB)
		return;
	if (!run_walk(image->bytes, image->len, MIB, 0, &result, &err)) {
		source = files_memory_source(image->bytes, image->len);
		guest = image_read(source, &options, &size, &other);
		CHECK_STR(other.message, "");
		CHECK(guest && size == result.size &&
		      !memcmp(guest, result.guest, (size_t)size));
		free(guest);
		source_close(source);
	}
	result_free(&result);
}

static void test_spoilt(void)
{
	static const unsigned char masks[] = { 0x01, 0x02, 0x80, 0x41 };
	struct image image = image_make(3);

	for (size_t at = 0; at < IMAGE_DATA; at++)
		for (size_t i = 0; i < sizeof masks; i++) {
			image.bytes[at] ^= masks[i];
			check_spoilt(&image);
			image.bytes[at] ^= masks[i];
		}
	image_free(&image);
}

static void test_unsupported(void)
{
	struct image image = image_make(3);

	image_put64(&image, QCOW2_BACKING_OFFSET, 256);
	image_put32(&image, QCOW2_BACKING_LEN, 1);
	image.bytes[256] = 'b';
	check_refused(image.bytes, image.len, ERR_UNSUPPORTED,
		      "with a backing file cannot be read in one pass");
	image_free(&image);
}

static void check_tool_image(const char *name, uint64_t spooled)
{
	unsigned char *bytes, *expected;
	size_t len, size;

	CHECK(!tools_run("qemu-img convert -O raw %s raw", name));
	expected = tools_load("raw", &size);
	bytes = tools_load(name, &len);
	check_walk(bytes, len, expected, size, spooled);
	free(bytes);
	free(expected);
}

static void test_tools(void)
{
	static const char *const options[] = {
		"cluster_size=512", "cluster_size=4k", "cluster_size=64k",
		"cluster_size=2M",  "extended_l2=on",
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		CHECK(!tools_run("qemu-img create -q -f qcow2 -o %s a %d",
				 options[i], TOOLS_SIZE));
		CHECK(!tools_fill("a"));
		check_tool_image("a", TOOLS_SIZE);
		CHECK(!tools_run("qemu-img convert -O qcow2 -o %s a b",
				 options[i]));
		check_tool_image("b", TOOLS_SIZE);
		CHECK(!tools_run("qemu-img convert -c -O qcow2 -o %s a b",
				 options[i]));
		check_tool_image("b", TOOLS_SIZE);
		if (!tools_have_zstd())
			continue;
		CHECK(!tools_run("qemu-img convert -c -O qcow2 -o %s,"
				 "compression_type=zstd a b",
				 options[i]));
		check_tool_image("b", TOOLS_SIZE);
	}
	/* What qemu-img writes at one go has its tables in front. */
	CHECK(!tools_run("qemu-img convert -O qcow2 a b"));
	check_tool_image("b", 0);
	CHECK(!tools_run("qemu-img snapshot -c one b && "
			 "qemu-io -f qcow2 -c 'write -P 5 300k 2M' b "
			 ">/dev/null"));
	check_tool_image("b", TOOLS_SIZE);
}

int main(void)
{
	test_ordered();
	test_shuffled();
	test_tables_late();
	test_twice();
	test_cut();
	test_spoilt();
	test_unsupported();
	if (tools_begin()) {
		test_tools();
		tools_end();
	}
	return check_result();
}
