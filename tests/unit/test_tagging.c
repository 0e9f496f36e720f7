/* SPDX-License-Identifier: MIT */
/*
 * What is in these bytes? Files built in memory, through every kind of source
 * there is: the answer depends on the bytes, not on how they come.
 */
#include <unistd.h>

#include "codec_tools.h"
#include "pump_toys.h"
#include "formats/codecs/wrap.h"
#include "transforms/pump.h"
#include "transforms/run.h"
#include "transforms/tagging.h"

static struct text guest(size_t len)
{
	struct text text = { toy_guest(len), len };

	/* Not a single signature by accident. */
	return text;
}

/* A qcow2 of these bytes, as the pump makes it. */
static struct text qcow2_of(struct text in, const char *compress)
{
	AUTO_SOURCE struct source *source = files_memory_source(in.at, in.len);
	AUTO_SINK struct sink *sink = files_memory_sink();
	struct create_options *create = mem_zalloc(sizeof *create);
	struct toy_disk disk;
	struct err err = { .message = "" };
	const unsigned char *bytes;
	size_t len;

	create->size_known = true;
	create->size = in.len;
	create->sector_size = 512;
	snprintf(create->compress, sizeof create->compress, "%s", compress);
	toy_disk_init(&disk, in.at, source);
	struct pump pump = { .disk = &disk.disk, .threads = 2 };
	pump.writer = driver_by_name("qcow2")->create(sink, create, &err);
	free(create);
	CHECK(pump.writer && !pump_run(&pump, &err));
	CHECK_STR(err.message, "");
	writer_close(pump.writer);
	bytes = files_memory_bytes(sink, &len);
	return text_copy(bytes, len);
}

static uint64_t load64(const unsigned char *at)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | at[i];
	return value;
}

/* Exchange clusters in the file, and their entries in the first L2 table: the
 * guest sees the same. */
static void fragment(struct text *qcow2, size_t clusters)
{
	const uint64_t place = 0x00fffffffffffe00;
	uint64_t l1 = load64(qcow2->at + 40);
	unsigned char *l2 = qcow2->at + (load64(qcow2->at + l1) & place);

	for (size_t i = 0; i < clusters; i++) {
		size_t j = i * 37 % clusters;
		uint64_t a = load64(l2 + 8 * i) & place;
		uint64_t b = load64(l2 + 8 * j) & place;
		unsigned char entry[8];

		if (!a || !b || a == b)
			continue;
		AUTO_FREE unsigned char *bytes = mem_buffer(TOY_CLUSTER);
		memcpy(bytes, qcow2->at + a, TOY_CLUSTER);
		memcpy(qcow2->at + a, qcow2->at + b, TOY_CLUSTER);
		memcpy(qcow2->at + b, bytes, TOY_CLUSTER);
		memcpy(entry, l2 + 8 * i, 8);
		memcpy(l2 + 8 * i, l2 + 8 * j, 8);
		memcpy(l2 + 8 * j, entry, 8);
	}
}

enum way { AS_FILE, AS_STREAM, AS_BYTES, WAYS };

static int probe(struct text in, enum way way, const char *from,
		 struct image *image, struct err *err)
{
	struct protocol_input about = { .seekable = way == AS_FILE,
					.memory = 64 * MIB };
	struct fake_chunks chunks = { .bytes = in.at, .len = in.len,
				      .most = way == AS_BYTES ? 1 : 65536 };
	AUTO_SOURCE struct source *source =
		way == AS_FILE ? files_memory_source(in.at, in.len)
			       : fake_chunks_open(&chunks);
	unsigned char first[16];
	size_t got;

	if (way == AS_FILE)
		about.size = about.allocated = in.len;
	if (from)
		snprintf(about.from, sizeof about.from, "%s", from);
	memset(image, 0xaa, sizeof *image);
	err->message[0] = '\0';
	if (tagging_probe(source, &about, NULL, NULL, image, err))
		return -1;
	/* It is to be read again from its start. */
	CHECK(!source_read(source, first, sizeof first, 0, &got, err));
	CHECK(got == min_u64(sizeof first, in.len) &&
	      !memcmp(first, in.at, got));
	return 0;
}

/* What a stream cannot tell, and may not: sizes, order, what needs the end. */
static void forget_sizes(struct image *image)
{
	for (unsigned i = 0; i < image->layers; i++) {
		image->layer[i].size_known = false;
		image->layer[i].inside = LAYER_STREAM;
		image->layer[i].size = 0;
	}
	image->file_size_known = image->stored_known = false;
	image->file_size = image->stored_size = image->allocated = 0;
	image->size_known = false;
	image->size = image->used_end = 0;
	image->redecode = 1;
	image->inner[0] = '\0';
	memset(image->gpt, 0, sizeof image->gpt);
}

static bool same_image(const struct image *a, const struct image *b)
{
	bool layers = a->layers == b->layers;

	for (unsigned i = 0; layers && i < a->layers; i++)
		layers = !strcmp(a->layer[i].tag, b->layer[i].tag);
	return layers && a->report.class == b->report.class &&
	       !strcmp(a->report.name, b->report.name) &&
	       !strcmp(a->report.evidence, b->report.evidence) &&
	       !strcmp(a->format, b->format) && a->native == b->native &&
	       a->ordered == b->ordered && a->scattered == b->scattered &&
	       a->size_known == b->size_known && a->size == b->size &&
	       a->stored_known == b->stored_known &&
	       a->stored_size == b->stored_size &&
	       a->sector_size == b->sector_size &&
	       a->snapshots == b->snapshots && a->backing == b->backing &&
	       a->data_file == b->data_file && a->encrypted == b->encrypted &&
	       !strcmp(a->gpt, b->gpt) && a->used_end == b->used_end;
}

/* `in` is `layers` around `format`, however it comes. */
static void expect(struct text in, const char *layers, const char *format)
{
	struct image image[WAYS];
	char found[64] = "";

	for (enum way way = 0; way < WAYS; way++) {
		struct err err;

		CHECK(!probe(in, way, NULL, &image[way], &err));
		CHECK_STR(err.message, "");
	}
	for (unsigned i = image[0].layers; i; i--) {
		strcat(found, image[0].layer[i - 1].tag);
		strcat(found, i > 1 ? "." : "");
	}
	CHECK_STR(found, layers);
	CHECK_STR(image[0].format, format);
	/* How many bytes a read gives is nobody's business. */
	CHECK(same_image(&image[AS_STREAM], &image[AS_BYTES]));
	for (enum way way = 0; way < WAYS; way++)
		forget_sizes(&image[way]);
	CHECK(same_image(&image[AS_FILE], &image[AS_STREAM]));
}

static void refuse(struct text in, enum err_kind kind, const char *part)
{
	for (enum way way = 0; way < WAYS; way++) {
		struct image image;
		struct err err;

		CHECK(probe(in, way, NULL, &image, &err) < 0);
		CHECK_EQ(err.kind, kind);
		if (!strstr(err.message, part))
			CHECK_STR(err.message, part);
	}
}

/* xz and gzip in turns. */
static struct text nest(struct text in, unsigned layers)
{
	struct text at = text_copy(in.at, in.len);

	for (unsigned i = 0; i < layers; i++) {
		struct text next = codec_encode(i % 2 ? CODEC_XZ : CODEC_GZIP,
						at, 0, 1);
		text_free(&at);
		at = next;
	}
	return at;
}

static void test_layers(void)
{
	struct text raw = guest(586 * 512), packed = qcow2_of(raw, "zlib");
	struct text some;

	expect(raw, "", "raw");
	expect(packed, "", "qcow2");
	for (unsigned layers = 1; layers <= 3; layers++) {
		static const char *const names[] = { "", "gz", "gz.xz",
						     "gz.xz.gz" };

		some = nest(raw, layers);
		expect(some, names[layers], "raw");
		text_free(&some);
		some = nest(packed, layers);
		expect(some, names[layers], "qcow2");
		text_free(&some);
	}
	some = nest(raw, 8);
	expect(some, "gz.xz.gz.xz.gz.xz.gz.xz", "raw");
	text_free(&some);
	some = nest(raw, 9);
	refuse(some, ERR_LIMIT, "more than 8 compressions");
	text_free(&some);
	text_free(&raw);
	text_free(&packed);
}

static void test_small_and_empty(void)
{
	for (size_t len = 0; len < 3; len++) {
		struct text raw = guest(len), some = nest(raw, 1);

		expect(raw, "", "raw");
		expect(some, "gz", "raw");
		text_free(&raw);
		text_free(&some);
	}
}

static void test_from_decides(void)
{
	struct text raw = guest(391 * 512), packed = qcow2_of(raw, "");
	struct image image;
	struct err err;

	CHECK(!probe(packed, AS_FILE, "raw", &image, &err));
	CHECK_STR(image.format, "raw");
	CHECK_EQ(image.size, packed.len);
	CHECK(!probe(packed, AS_BYTES, "raw", &image, &err));
	CHECK_STR(image.format, "raw");
	CHECK(probe(raw, AS_FILE, "qcow2", &image, &err) < 0);
	CHECK_EQ(err.kind, ERR_DAMAGED);
	text_free(&raw);
	text_free(&packed);
}

/* A boot sector's mark in front, a container's behind it: who is to say? */
static void test_conflict(void)
{
	struct text raw = guest(391 * 512), packed = qcow2_of(raw, ""), gz;
	struct image image;
	struct err err;

	packed.at[510] = 0x55;
	packed.at[511] = 0xaa;
	memset(packed.at + 446, 0, 64);
	memcpy(packed.at + 446, "\x80\0\2\0\x83\0\4\0\1\0\0\0\x50\0\0\0", 16);
	refuse(packed, ERR_DAMAGED, "-f");
	gz = nest(packed, 1);
	refuse(gz, ERR_DAMAGED, "inside gz");
	CHECK(!probe(packed, AS_FILE, "qcow2", &image, &err));
	CHECK_STR(image.format, "qcow2");
	text_free(&raw);
	text_free(&packed);
	text_free(&gz);
}

/* Cut anywhere in its first bytes, a compressed file is an error, not raw. */
static void test_cut_heads(void)
{
	struct text raw = guest(500000), some = nest(raw, 2);

	for (size_t len = 13; len < 2000; len += 331) {
		struct text cut = { some.at, len };

		for (enum way way = 0; way < WAYS; way++) {
			struct image image;
			struct err err;

			CHECK(probe(cut, way, NULL, &image, &err) < 0);
			CHECK_EQ(err.kind, ERR_DAMAGED);
		}
	}
	text_free(&raw);
	text_free(&some);
}

/* How often the blocks of an xz of `clusters` in disorder are decoded; the
 * same in order is at *ordered. */
static double redecode(unsigned clusters, double *ordered)
{
	/* What it says does not matter: one letter is packed fast. */
	struct text raw = text_new((size_t)clusters * TOY_CLUSTER);
	struct text packed, xz;
	struct image image;
	struct err err;

	memset(raw.at, 'x', raw.len);
	packed = qcow2_of(raw, "");

	xz = codec_encode(CODEC_XZ, packed, 1, 1);
	CHECK(!probe(xz, AS_FILE, NULL, &image, &err));
	CHECK_EQ(image.layers, 1);
	CHECK(image.layer[0].inside == LAYER_BLOCKS && image.layer[0].size_known);
	CHECK_EQ(image.layer[0].size, packed.len);
	CHECK(image.size_known);
	CHECK_EQ(image.size, raw.len);
	*ordered = image.redecode;
	text_free(&xz);
	fragment(&packed, clusters);
	xz = codec_encode(CODEC_XZ, packed, 1, 1);
	CHECK(!probe(xz, AS_FILE, NULL, &image, &err));
	text_free(&xz);
	text_free(&packed);
	text_free(&raw);
	return image.redecode;
}

/* Random access into blocks: worth it when the file is in order, or is kept
 * decoded as a whole. */
static void test_redecode(void)
{
	double ordered;
	double few = redecode(320, &ordered);

	CHECK(ordered >= 1 && ordered < 1.5);
	CHECK(few < 1.5);
	double many = redecode((unsigned)(WRAP_RANDOM_CACHE * 5 / 4 /
					  TOY_CLUSTER), &ordered);
	CHECK(ordered >= 1 && ordered < 1.5);
	CHECK(many > 2 * ordered);
}

static void test_inner(void)
{
	struct text raw = guest(586 * 512), packed;
	struct image image;
	struct err err;

	packed = qcow2_of(raw, "");
	CHECK(!probe(packed, AS_FILE, NULL, &image, &err));
	CHECK_STR(image.inner, "");
	text_free(&packed);
	packed = qcow2_of(raw, "zlib");
	CHECK(!probe(packed, AS_FILE, NULL, &image, &err));
	CHECK_STR(image.inner, "zlib");
	text_free(&packed);
	if (block_codec_library(BLOCK_ZSTD)) {
		packed = qcow2_of(raw, "zstd");
		CHECK(!probe(packed, AS_FILE, NULL, &image, &err));
		CHECK_STR(image.inner, "zstd");
		text_free(&packed);
	}
	text_free(&raw);
}

/* ---- what shows only at a stream's end ---- */

static void no_step(void *opaque, const char *text)
{
	(void)opaque, (void)text;
}

static void no_progress(void *opaque, uint64_t done, uint64_t total)
{
	(void)opaque, (void)done, (void)total;
}

static int run_bytes(struct text in, bool seekable, bool stated,
		     struct err *err)
{
	static const struct run_events events = { no_step, no_progress, NULL };
	struct fake_chunks chunks = { .bytes = in.at, .len = in.len,
				      .most = 4000 };
	AUTO_SOURCE struct source *source =
		seekable ? files_memory_source(in.at, in.len)
			 : fake_chunks_open(&chunks);
	struct job *job = mem_zalloc(sizeof *job);
	struct protocol_done *done = mem_zalloc(sizeof *done);
	char name[] = "/tmp/imgconv-unit-XXXXXX";
	int fd = mkstemp(name), result;

	unlink(name);
	snprintf(job->format, sizeof job->format, "raw");
	job->stated = stated;
	job->threads = 2;
	job->memory = 64 * MIB;
	struct run run = { .job = job, .input = source, .output_fd = fd,
			   .direct_fd = -1,
			   .data_fd = -1, .spool_fd = -1, .events = &events };
	err->message[0] = '\0';
	result = run_job(&run, done, err);
	CHECK(result < 0 || done->size == in.len);
	close(fd);
	free(job);
	free(done);
	return result;
}

/* A fixed VHD is raw bytes but for its last sector. */
static void test_trailer(void)
{
	static const unsigned char cookie[] = "conectix";
	struct text raw = guest(4 * 65536 + 512);
	struct err err;

	CHECK(!run_bytes(raw, false, false, &err));
	memset(raw.at + raw.len - 512, 0, 512);
	memcpy(raw.at + raw.len - 512, cookie, 8);
	for (int seekable = 0; seekable < 2; seekable++) {
		CHECK(run_bytes(raw, seekable, false, &err) < 0);
		CHECK_EQ(err.kind, ERR_UNSUPPORTED);
		CHECK(strstr(err.message, "vhd"));
		/* With -f raw these are bytes like others. */
		CHECK(!run_bytes(raw, seekable, true, &err));
		CHECK_STR(err.message, "");
	}
	text_free(&raw);
}

int main(void)
{
	alarm(300);
	test_layers();
	test_small_and_empty();
	test_from_decides();
	test_conflict();
	test_cut_heads();
	test_redecode();
	test_inner();
	test_trailer();
	return check_result();
}
