/* SPDX-License-Identifier: MIT */
/* Malformed VMDK streams in one pass: markers, directories and footers that
 * cannot be; and the headers of seSparse, field by field. */
#include "vmdk_image.h"

/* The first marker of this type: it announces something and holds no grain. */
static size_t marker_of(const struct image *image, uint32_t type)
{
	for (size_t at = IMAGE_FIRST * VMDK_SECTOR; at < image->len;
	     at += VMDK_SECTOR) {
		const unsigned char *bytes = image->bytes + at;

		if (!bytes_le32(bytes + VMDK_MARKER_SIZE) &&
		    bytes_le32(bytes + VMDK_MARKER_TYPE) == type &&
		    bytes_le64(bytes) == (type != VMDK_MARKER_END) &&
		    !bytes_le32(bytes + VMDK_MARKER_TYPE + 4))
			return at;
	}
	CHECK_STR("a marker", "");
	return 0;
}

static void refused(struct image *image, size_t len, enum err_kind kind,
		    const char *words)
{
	unsigned char *out = malloc(IMAGE_GUEST);
	struct err err = { .message = "" };

	CHECK(image_walk(image, len, out, 100000, 1 << 22, 0, &err) < 0);
	CHECK_EQ(err.kind, kind);
	if (!strstr(err.message, words))
		CHECK_STR(err.message, words);
	image_free(image);
	free(out);
}

/* The marker of that kind, with another value in a field of `len` bytes. */
static void refused_marker(unsigned kind, size_t field, unsigned len,
			   uint64_t value, const char *message)
{
	struct image image;
	unsigned char *at;

	image_make(&image, IMAGE_STREAM);
	at = image.bytes + marker_of(&image, kind) + field;
	if (len == 4)
		bytes_put_le32(at, (uint32_t)value);
	else
		bytes_put_le64(at, value);
	refused(&image, image.len, ERR_DAMAGED, message);
}

static void test_markers(void)
{
	struct image image;
	size_t at;

	refused_marker(VMDK_MARKER_TABLE, VMDK_MARKER_TYPE, 4, 4,
		       "is of unknown type 4 (0 to 3)");
	refused_marker(VMDK_MARKER_TABLE, 0, 8, 0,
		       "announces 0 sectors, but 1 are needed");
	refused_marker(VMDK_MARKER_TABLE, 0, 8, UINT64_MAX,
		       "announces 18446744073709551615 sectors");
	refused_marker(VMDK_MARKER_END, 0, 8, 1,
		       "announces 1 sectors, but 0 are needed");
	/* Ended in good order, but before the footer. */
	image_make(&image, IMAGE_STREAM);
	at = marker_of(&image, VMDK_MARKER_FOOTER);
	memset(image.bytes + at, 0, image.len - at);
	refused(&image, image.len, ERR_DAMAGED,
		"without a footer: it is cut short");
	/* In the middle of a sector; what is there is no zero. */
	image_make(&image, IMAGE_STREAM);
	at = marker_of(&image, VMDK_MARKER_TABLE);
	refused(&image, at + 13, ERR_DAMAGED, "lies past the end of the file");
}

/* A stream with its tables in front needs nothing behind its grains; blanks of
 * less than a sector may end it. */
static void test_front(void)
{
	unsigned char *out = malloc(IMAGE_GUEST);
	struct err err = { .message = "" };
	struct image image;

	image_make(&image, IMAGE_STREAM_FRONT);
	for (size_t less = 0; less <= VMDK_SECTOR; less += 128) {
		if (image_walk(&image, image.len - less, out, 100000, 1 << 22,
			       0, &err))
			CHECK_STR(err.message, "no error");
		CHECK(!memcmp(out, image.guest, IMAGE_GUEST));
	}
	bytes_put_le64(image.bytes + VMDK_GD, 1);
	refused(&image, image.len, ERR_DAMAGED,
		"grain directory at 512 overlaps the descriptor");
	/* In front of the descriptor, which is moved behind it. */
	image_make(&image, IMAGE_STREAM_FRONT);
	memmove(image.bytes + 11 * VMDK_SECTOR, image.bytes + VMDK_SECTOR,
		IMAGE_DESCRIPTOR_LEN * VMDK_SECTOR);
	memset(image.bytes + VMDK_SECTOR, 0, VMDK_SECTOR);
	bytes_put_le64(image.bytes + VMDK_DESCRIPTOR, 11);
	bytes_put_le64(image.bytes + VMDK_GD, 1);
	refused(&image, image.len, ERR_UNSUPPORTED,
		"the grain directory at 512 stands before the descriptor");
	free(out);
}

/* Other files are needed. */
static void test_others(void)
{
	struct image image;
	char *text;

	image_make(&image, IMAGE_STREAM);
	text = (char *)image.bytes + VMDK_SECTOR;
	memcpy(strstr(text, "parentCID=ffffffff"), "parentCID=0000000a", 18);
	strcat(text, "parentFileNameHint=\"p.vmdk\"\n");
	refused(&image, image.len, ERR_UNSUPPORTED,
		"an image with other files (p.vmdk) cannot be read");
	image_make(&image, IMAGE_STREAM);
	text = (char *)image.bytes + VMDK_SECTOR;
	strcat(text, "RW 8 SPARSE \"y.vmdk\"\n");
	refused(&image, image.len, ERR_UNSUPPORTED,
		"an image with other files (extents) cannot be read");
	image_make(&image, IMAGE_SPARSE);
	refused(&image, image.len, ERR_UNSUPPORTED,
		"only stream-optimized images can be read in one pass");
	image_make(&image, IMAGE_STREAM);
	bytes_put_le32(image.bytes, 0);
	refused(&image, image.len, ERR_UNSUPPORTED,
		"not a stream-optimized image");
}

/* The footer is a header again. */
static void test_footer(void)
{
	static const struct {
		size_t at;
		uint64_t value;
		const char *words;
	} row[] = {
		{ VMDK_GD, VMDK_GD_AT_END, "footer" },
		{ VMDK_CAPACITY, IMAGE_GUEST / VMDK_SECTOR + 1, "footer" },
		{ VMDK_GRAIN, 16, "footer" },
		{ 0, 0, "footer" },
	};

	for (unsigned i = 0; i < sizeof row / sizeof *row; i++)
		for (int walk = 0; walk < 2; walk++) {
			unsigned char *out = malloc(IMAGE_GUEST);
			struct err err = { .message = "" };
			struct image image;

			image_make(&image, IMAGE_STREAM);
			bytes_put_le64(image.bytes + image.len -
					       2 * VMDK_SECTOR + row[i].at,
				       row[i].value);
			CHECK(walk ? image_walk(&image, image.len, out, 100000,
						1 << 22, 0, &err)
				   : image_read(&image, image.len, out, 1 << 20,
						&err));
			CHECK_EQ(err.kind, ERR_DAMAGED);
			if (!strstr(err.message, row[i].words))
				CHECK_STR(err.message, row[i].words);
			image_free(&image);
			free(out);
		}
}

static void sesparse_make(unsigned char *bytes)
{
	memset(bytes, 0, SESPARSE_HEADER_LEN);
	bytes_put_le64(bytes, SESPARSE_MAGIC);
	bytes_put_le64(bytes + SESPARSE_VERSION, SESPARSE_VERSION_2_1);
	bytes_put_le64(bytes + SESPARSE_CAPACITY, 40000);
	bytes_put_le64(bytes + SESPARSE_GRAIN, SESPARSE_GRAIN_SECTORS);
	bytes_put_le64(bytes + SESPARSE_TABLE, SESPARSE_TABLE_SECTORS);
	bytes_put_le64(bytes + SESPARSE_VOLATILE, 1);
	bytes_put_le64(bytes + SESPARSE_GD, 8);
	bytes_put_le64(bytes + SESPARSE_GD_LEN, 1);
	bytes_put_le64(bytes + SESPARSE_TABLES, 16);
	bytes_put_le64(bytes + SESPARSE_TABLES_LEN, 128);
	bytes_put_le64(bytes + SESPARSE_GRAINS, 144);
	bytes_put_le64(bytes + SESPARSE_GRAINS_LEN, 8000);
}

static void test_sesparse(void)
{
	static const struct {
		unsigned at;
		uint64_t value;
		enum err_kind kind;
		const char *words;
	} row[] = {
		{ SESPARSE_VERSION, 3, ERR_UNSUPPORTED, "version is 0x3" },
		{ SESPARSE_GRAIN, 16, ERR_UNSUPPORTED, "grain is 0x10" },
		{ SESPARSE_TABLE, 0, ERR_UNSUPPORTED, "grain table is 0x0" },
		{ SESPARSE_FLAGS, 1, ERR_UNSUPPORTED, "flags is 0x1" },
		{ SESPARSE_RESERVED + 24, 1, ERR_UNSUPPORTED, "reserved" },
		{ SESPARSE_PADDING + 8, 1, ERR_UNSUPPORTED, "the padding" },
		{ SESPARSE_CAPACITY, 0, ERR_DAMAGED, "the capacity is 0" },
		{ SESPARSE_CAPACITY, UINT64_MAX, ERR_DAMAGED, "capacity of" },
		/* A table maps 16 MiB; a sector of the directory has 64. */
		{ SESPARSE_CAPACITY, 64 * 32768 + 1, ERR_DAMAGED,
		  "has 64 entries, but the capacity takes 65" },
		{ SESPARSE_GD, UINT64_MAX, ERR_DAMAGED, "directory of" },
		{ SESPARSE_GD_LEN, 0, ERR_DAMAGED, "has 0 entries" },
		{ SESPARSE_TABLES, UINT64_MAX, ERR_DAMAGED, "tables of" },
		{ SESPARSE_GRAINS_LEN, UINT64_MAX, ERR_DAMAGED, "grains of" },
	};
	unsigned char bytes[SESPARSE_HEADER_LEN];
	struct vmdk_header header = { 0 };
	struct err err = { .message = "" };

	sesparse_make(bytes);
	CHECK(!vmdk_sesparse_parse(bytes, &header, &err));
	CHECK_EQ(header.size, 40000 * VMDK_SECTOR);
	CHECK_EQ(header.gd, 8 * VMDK_SECTOR);
	CHECK_EQ(header.gd_entries, 2);
	CHECK_EQ(vmdk_sesparse_volatile(bytes), 1);
	for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
		sesparse_make(bytes);
		bytes_put_le64(bytes + row[i].at, row[i].value);
		CHECK(vmdk_sesparse_parse(bytes, &header, &err));
		CHECK_EQ(err.kind, row[i].kind);
		if (!strstr(err.message, row[i].words))
			CHECK_STR(err.message, row[i].words);
	}
}

/* The other header says whether a journal is to be replayed. */
static void test_volatile(void)
{
	unsigned char file[2 * VMDK_SECTOR] = { 0 };
	struct source *source = files_memory_source(file, sizeof file);
	struct err err = { .message = "" };

	CHECK(vmdk_sesparse_check(source, 1, &err));
	CHECK(strstr(err.message, "the volatile header begins with 0x0"));
	bytes_put_le64(file + VMDK_SECTOR, SESPARSE_VOLATILE_MAGIC);
	CHECK(!vmdk_sesparse_check(source, 1, &err));
	bytes_put_le64(file + VMDK_SECTOR + SESPARSE_VOLATILE_REPLAY, 1);
	CHECK(vmdk_sesparse_check(source, 1, &err));
	CHECK(strstr(err.message, "journal"));
	CHECK(vmdk_sesparse_check(source, 0, &err));
	CHECK(strstr(err.message, "at sector 0 is out of range"));
	CHECK(vmdk_sesparse_check(source, UINT64_MAX, &err));
	CHECK(strstr(err.message, "is out of range"));
	CHECK(vmdk_sesparse_check(source, 2, &err));
	source_close(source);
}

int main(void)
{
	test_markers();
	test_front();
	test_others();
	test_footer();
	test_sesparse();
	test_volatile();
	return check_result();
}
