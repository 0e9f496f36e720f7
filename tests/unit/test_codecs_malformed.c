/* SPDX-License-Identifier: MIT */
/* Units for what only a hand-made file shows: each format's own headers,
 * paddings, skippable frames and limits. */
#include <unistd.h>

#include "base/bytes.h"
#include "formats/codecs/block.h"
#include "tests/unit/codec_tools.h"

static bool built(enum codec_id id)
{
	return codec_get(id)->encode_block;
}

static struct text literal(const char *at, size_t len)
{
	return text_copy(at, len);
}

/* `joined` takes both. */
static struct text take_join(struct text a, struct text b)
{
	struct text joined = text_join(a, b);

	text_free(&a);
	text_free(&b);
	return joined;
}

/* ---- gzip ---- */

#define GZIP_HEADER_LEN 10
#define GZIP_TRAILER_LEN 8

/* A member with these flags and these optional fields; `check` is added to
 * the header's checksum, if it has one. */
static struct text gzip_member(struct text in, unsigned flags,
			       struct text fields, unsigned check)
{
	struct text plain = codec_encode(CODEC_GZIP, in, 1, 1);
	struct text head = take_join(text_copy(plain.at, GZIP_HEADER_LEN),
				     text_copy(fields.at, fields.len));
	struct text body = text_copy(plain.at + GZIP_HEADER_LEN,
				     plain.len - GZIP_HEADER_LEN);

	head.at[3] = (unsigned char)flags;
	if (flags & 2) {
		struct text sum = text_new(2);

		bytes_put_le16(sum.at,
			       (uint16_t)(block_zlib.crc(0, head.at, head.len) +
					  check));
		head = take_join(head, sum);
	}
	text_free(&plain);
	return take_join(head, body);
}

static void test_gzip_fields(void)
{
	static const char extra[] = "\x03\x00"
				    "abc";
	static const char no_extra[] = "\x00\x00";
	static const char names[] = "name\0a comment";
	struct text in = text_words(500);
	struct text x = literal(extra, 5), none = literal(no_extra, 2);
	struct text n = literal(names, sizeof names);
	struct text all = text_join(x, n);
	struct {
		unsigned flags, check;
		struct text fields;
		const char *refused;
	} cases[] = {
		{ 0x04, 0, x, NULL },
		{ 0x04, 0, none, NULL },
		{ 0x18, 0, n, NULL },
		{ 0x1c, 0, all, NULL },
		{ 0x1e, 0, all, NULL },
		{ 0x02, 0, { NULL, 0 }, NULL },
		{ 0x01, 0, { NULL, 0 }, NULL },
		{ 0x1e, 1, all, "header's checksum" },
		{ 0x02, 256, { NULL, 0 }, "header's checksum" },
		{ 0x20, 0, { NULL, 0 }, "reserved" },
		{ 0x80, 0, { NULL, 0 }, "reserved" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct text file = gzip_member(in, cases[i].flags,
					       cases[i].fields, cases[i].check);

		if (cases[i].refused)
			codec_refuse(CODEC_GZIP, file, ERR_DAMAGED,
				     cases[i].refused);
		else
			codec_expect(CODEC_GZIP, file, in);
		for (size_t len = 0; !cases[i].refused && len < file.len; len++)
			codec_refuse(CODEC_GZIP, (struct text){ file.at, len },
				     ERR_DAMAGED, "middle of a stream");
		text_free(&file);
	}
	text_free(&in);
	text_free(&x);
	text_free(&none);
	text_free(&n);
	text_free(&all);
}

static void test_gzip_trailer(void)
{
	struct text in = text_words(70000);
	struct text file = codec_encode(CODEC_GZIP, in, 1, 1);

	for (size_t i = 1; i <= GZIP_TRAILER_LEN; i++) {
		file.at[file.len - i] ^= 1;
		codec_refuse(CODEC_GZIP, file, ERR_DAMAGED,
			     i <= 4 ? "length is wrong" : "checksum is wrong");
		file.at[file.len - i] ^= 1;
	}
	file.at[2] = 7;
	codec_refuse(CODEC_GZIP, file, ERR_DAMAGED, "compression method 7");
	text_free(&file);
	text_free(&in);
}

/* ---- xz ---- */

static void put_crc(unsigned char *at, const unsigned char *bytes, size_t len)
{
	bytes_put_le32(at, block_zlib.crc(0, bytes, len));
}

static void test_xz_padding(void)
{
	struct text in = text_words(1000), twice = text_join(in, in);
	struct text file = codec_encode(CODEC_XZ, in, 1, 1);

	for (size_t len = 0; len <= 12; len++) {
		struct text zeros = text_new(len);
		struct text padded = text_join(file, zeros);
		struct text two = text_join(padded, file);

		if (len % 4) {
			codec_refuse(CODEC_XZ, padded, ERR_DAMAGED, "xz: ");
			codec_refuse(CODEC_XZ, two, ERR_DAMAGED, "xz: ");
		} else {
			codec_expect(CODEC_XZ, padded, in);
			codec_expect(CODEC_XZ, two, twice);
		}
		text_free(&zeros);
		text_free(&padded);
		text_free(&two);
	}
	text_free(&file);
	text_free(&in);
	text_free(&twice);
}

/* A check of a kind nobody knows cannot be verified. */
static void test_xz_check(void)
{
	struct text in = text_words(1000);
	struct text file = codec_encode(CODEC_XZ, in, 1, 1);

	file.at[7] = 0x0f;
	put_crc(file.at + 8, file.at + 6, 2);
	codec_refuse(CODEC_XZ, file, ERR_UNSUPPORTED, "integrity check");
	text_free(&file);
	text_free(&in);
}

/* A block that asks for a dictionary of 4 GiB. */
static void test_xz_memory(void)
{
	struct text in = text_words(1000);
	struct text file = codec_encode(CODEC_XZ, in, 1, 1);
	unsigned char *header = file.at + 12;
	size_t len = (header[0] + 1u) * 4, at = 2;

	while (at + 2 < len && (header[at] != 0x21 || header[at + 1] != 1))
		at++;
	CHECK(at + 2 < len);
	header[at + 2] = 40;
	put_crc(header + len - 4, header, len - 4);
	codec_refuse(CODEC_XZ, file, ERR_LIMIT, "bytes of memory, allowed");
	text_free(&file);
	text_free(&in);
}

/* ---- zstd and lz4 ---- */

static void test_skippable(enum codec_id id)
{
	static const char skip[] = "\x5f\x2a\x4d\x18\x05\x00\x00\x00"
				   "hello";
	static const char cut[] = "\x50\x2a\x4d\x18\x06\x00\x00\x00"
				  "hello";
	struct text in = text_words(1000), twice = text_join(in, in);
	struct text frame = codec_encode(id, in, 1, 1);
	struct text nothing = literal(skip, 13), half = literal(cut, 13);
	struct text skipped = text_join(nothing, frame);
	struct text two = text_join(skipped, skipped);
	struct text all = text_join(two, nothing);
	struct text bad = text_join(frame, half);

	codec_expect(id, skipped, in);
	codec_expect(id, all, twice);
	CHECK_EQ(codec_by_bytes(all.at, all.len), id);
	codec_refuse(id, bad, ERR_DAMAGED, "middle of a stream");
	text_free(&in);
	text_free(&twice);
	text_free(&frame);
	text_free(&nothing);
	text_free(&half);
	text_free(&skipped);
	text_free(&two);
	text_free(&all);
	text_free(&bad);
}

static void test_zstd_window(void)
{
	/* Window descriptor 20 << 3: 2^30; and one of a raw byte behind. */
	static const char windowed[] = "\x28\xb5\x2f\xfd\x00\xa0\x09\x00\x00x";
	/* The same by a content size of 2^31 in a single segment. */
	static const char single[] = "\x28\xb5\x2f\xfd\xa0\0\0\0\x80\x09\0\0x";
	struct text a = literal(windowed, sizeof windowed - 1);
	struct text b = literal(single, sizeof single - 1);

	codec_refuse(CODEC_ZSTD, a, ERR_LIMIT,
		     "needs a window of 1073741824 bytes, allowed are "
		     "134217728");
	codec_refuse(CODEC_ZSTD, b, ERR_LIMIT,
		     "needs a window of 2147483648 bytes, allowed are "
		     "134217728");
	a.at[5] = 0;
	struct text x = literal("x", 1);
	codec_expect(CODEC_ZSTD, a, x);
	text_free(&a);
	text_free(&b);
	text_free(&x);
}

static void test_lz4_legacy(void)
{
	static const char legacy[] = "\x02\x21\x4c\x18\x02\x00\x00\x00\x10x";
	struct text file = literal(legacy, sizeof legacy - 1);

	CHECK_EQ(codec_by_bytes(file.at, file.len), CODEC_LZ4);
	codec_refuse(CODEC_LZ4, file, ERR_UNSUPPORTED, "legacy");
	text_free(&file);
}

/* ---- files of other makers ---- */

static bool have(const char *tool)
{
	AUTO_FREE char *command =
		mem_printf("command -v %s >/dev/null 2>&1", tool);

	return !system(command);
}

static struct text output_of(const char *command)
{
	struct text out = text_new(1 << 22);
	FILE *pipe = popen(command, "r");

	out.len = pipe ? fread(out.at, 1, out.len, pipe) : 0;
	CHECK(pipe && !pclose(pipe));
	return out;
}

static void test_tool(enum codec_id id, const char *tool, const char *options)
{
	static const char numbers[] = "seq 1 200000";
	AUTO_FREE char *command =
		mem_printf("%s | %s %s", numbers, tool, options);

	if (!have("seq") || !have(tool)) {
		printf("skipped: no %s here\n", tool);
		return;
	}
	struct text in = output_of(numbers), file = output_of(command);
	CHECK_EQ(codec_by_bytes(file.at, file.len), id);
	codec_expect(id, file, in);
	text_free(&in);
	text_free(&file);
}

static void test_tools(void)
{
	test_tool(CODEC_GZIP, "gzip", "-9c");
	test_tool(CODEC_XZ, "xz", "-1 -c --block-size=100000");
	test_tool(CODEC_XZ, "xz", "-1 -c --check=sha256 --x86 --lzma2");
	if (built(CODEC_BZIP2))
		test_tool(CODEC_BZIP2, "bzip2", "-1c");
	if (built(CODEC_ZSTD))
		test_tool(CODEC_ZSTD, "zstd", "-q -c --long=25 -19");
	if (built(CODEC_LZ4))
		test_tool(CODEC_LZ4, "lz4", "-q -c -B4 -BD");
}

int main(void)
{
	test_gzip_fields();
	test_gzip_trailer();
	test_xz_padding();
	test_xz_check();
	test_xz_memory();
	if (built(CODEC_ZSTD)) {
		test_skippable(CODEC_ZSTD);
		test_zstd_window();
	}
	if (built(CODEC_LZ4)) {
		test_skippable(CODEC_LZ4);
		test_lz4_legacy();
	}
	test_tools();
	return check_result();
}
