/* SPDX-License-Identifier: MIT */
/* Malformed VMDK headers, tables and descriptors: each is refused by the right
 * kind of error, with a message that names what was found. */
#include "vmdk_image.h"

struct patch {
	enum image_kind kind;
	unsigned width; /* of the field, bits */
	size_t at;
	uint64_t value;
	enum err_kind error;
	const char *message; /* a part of it */
};

#define GT(index) (IMAGE_GT * VMDK_SECTOR + 4 * (index))
#define GD(index) (IMAGE_GD * VMDK_SECTOR + 4 * (index))

static const struct patch patches[] = {
	{ IMAGE_SPARSE, 32, VMDK_VERSION, 0, ERR_UNSUPPORTED,
	  "version 0 is unknown (1 to 3)" },
	{ IMAGE_SPARSE, 32, VMDK_VERSION, 4, ERR_UNSUPPORTED, "version 4" },
	{ IMAGE_SPARSE, 32, VMDK_FLAGS, 0x103, ERR_UNSUPPORTED,
	  "unknown flags 0x00000103" },
	{ IMAGE_SPARSE, 32, VMDK_FLAGS, 0x20003, ERR_UNSUPPORTED,
	  "markers before grains that are not compressed" },
	{ IMAGE_SPARSE, 32, VMDK_FLAGS, 0x10003, ERR_DAMAGED,
	  "contradict each other" },
	{ IMAGE_SPARSE, 16, VMDK_COMPRESSION, 1, ERR_DAMAGED,
	  "contradict each other" },
	{ IMAGE_SPARSE, 16, VMDK_COMPRESSION, 2, ERR_UNSUPPORTED,
	  "compression method 2 is unknown" },
	{ IMAGE_SPARSE, 32, VMDK_NEWLINES, 0x0a0d0a20, ERR_DAMAGED,
	  "20 0a 0d 0a (0a 20 0d 0a): the file was changed by a transfer" },
	{ IMAGE_SPARSE, 64, VMDK_GRAIN, 9, ERR_DAMAGED,
	  "a grain of 9 sectors is not a power of two from 8 to 32768" },
	{ IMAGE_SPARSE, 64, VMDK_GRAIN, 4, ERR_DAMAGED, "a grain of 4" },
	{ IMAGE_SPARSE, 64, VMDK_GRAIN, 0, ERR_DAMAGED, "a grain of 0" },
	{ IMAGE_SPARSE, 64, VMDK_GRAIN, 65536, ERR_DAMAGED, "a grain of 655" },
	{ IMAGE_SPARSE, 64, VMDK_GRAIN, 1ull << 63, ERR_DAMAGED, "a grain" },
	{ IMAGE_SPARSE, 32, VMDK_TABLE_ENTRIES, 0, ERR_DAMAGED,
	  "0 entries in a grain table are not a power of two from 128" },
	{ IMAGE_SPARSE, 32, VMDK_TABLE_ENTRIES, 500, ERR_DAMAGED, "500 ent" },
	{ IMAGE_SPARSE, 32, VMDK_TABLE_ENTRIES, 1u << 31, ERR_DAMAGED,
	  "2147483648 entries" },
	{ IMAGE_SPARSE, 64, VMDK_CAPACITY, UINT64_MAX, ERR_LIMIT,
	  "a capacity of 18446744073709551615 sectors" },
	{ IMAGE_SPARSE, 64, VMDK_CAPACITY, 1ull << 51, ERR_DAMAGED,
	  "grain directory at 4608" },
	{ IMAGE_SPARSE, 64, VMDK_CAPACITY, 2000, ERR_DAMAGED,
	  "the descriptor says 1070592 bytes, but the extent has 1024000" },
	{ IMAGE_SPARSE, 64, VMDK_CAPACITY, 4000, ERR_DAMAGED,
	  "the descriptor says 1070592 bytes, but the extent has 2048000" },
	{ IMAGE_SPARSE, 64, VMDK_DESCRIPTOR, 0, ERR_UNSUPPORTED,
	  "this is one extent (sparse) of a split disk: give its descriptor, "
	  "d.vmdk" },
	{ IMAGE_SPARSE, 64, VMDK_DESCRIPTOR, 1 << 20, ERR_DAMAGED,
	  "descriptor at 536870912 lies past the end" },
	{ IMAGE_SPARSE, 64, VMDK_DESCRIPTOR, UINT64_MAX, ERR_LIMIT,
	  "a descriptor's place" },
	{ IMAGE_SPARSE, 64, VMDK_DESCRIPTOR_LEN, 0, ERR_DAMAGED,
	  "a descriptor of 0 sectors" },
	{ IMAGE_SPARSE, 64, VMDK_DESCRIPTOR_LEN, UINT64_MAX, ERR_DAMAGED,
	  "a descriptor of 18446744073709551615 sectors" },
	{ IMAGE_SPARSE, 8, VMDK_SECTOR, 0, ERR_DAMAGED,
	  "has a zero byte at 0 and goes on" },
	{ IMAGE_SPARSE, 64, VMDK_GD, 0, ERR_DAMAGED,
	  "grain directory at 0 lies in the header" },
	{ IMAGE_SPARSE, 64, VMDK_GD, 2, ERR_DAMAGED,
	  "grain directory at 1024 overlaps the descriptor" },
	{ IMAGE_SPARSE, 64, VMDK_GD, 1 << 20, ERR_DAMAGED,
	  "grain directory at 536870912 (12 bytes) lies past the end" },
	{ IMAGE_SPARSE, 64, VMDK_GD, UINT64_MAX - 1, ERR_LIMIT,
	  "a directory's place" },
	{ IMAGE_SPARSE, 64, VMDK_GD, UINT64_MAX, ERR_DAMAGED,
	  "there is no footer at the end of the file" },
	{ IMAGE_SPARSE, 64, VMDK_OVERHEAD, UINT64_MAX, ERR_LIMIT, "overhead" },
	/* The directory. */
	{ IMAGE_SPARSE, 32, GD(0), UINT32_MAX, ERR_DAMAGED,
	  "grain table 0 at 2199023255040 lies past the end" },
	{ IMAGE_SPARSE, 32, GD(1), 2, ERR_DAMAGED,
	  "grain table 1 at 1024 overlaps the descriptor" },
	{ IMAGE_SPARSE, 32, GD(2), IMAGE_GD, ERR_DAMAGED,
	  "grain table 2 at 4608 overlaps the grain directory" },
	{ IMAGE_SPARSE, 32, GD(2), IMAGE_GT, ERR_DAMAGED,
	  "grain table at 5120 is used twice" },
	{ IMAGE_PACKED, 32, GD(2), 1, ERR_DAMAGED, "overlaps the descriptor" },
	/* Tables. */
	{ IMAGE_SPARSE, 32, GT(1), UINT32_MAX, ERR_DAMAGED,
	  "guest offset 4096: grain at 2199023255040 lies past the end" },
	{ IMAGE_SPARSE, 32, GT(1), 2, ERR_DAMAGED,
	  "guest offset 4096: grain at 1024 overlaps the descriptor" },
	{ IMAGE_SPARSE, 32, GT(2), IMAGE_GD, ERR_DAMAGED,
	  "grain at 4608 overlaps the grain directory" },
	{ IMAGE_PACKED, 32, GT(1), 1, ERR_DAMAGED, "overlaps the descriptor" },
	{ IMAGE_PACKED, 32, GT(1), UINT32_MAX, ERR_DAMAGED, "past the end" },
	{ IMAGE_PACKED, 32, GT(1), IMAGE_GT, ERR_DAMAGED,
	  "compressed grain at 5120" },
	/* Markers. */
	{ IMAGE_STREAM, 64, IMAGE_FIRST * VMDK_SECTOR, 0, ERR_DAMAGED,
	  "the grain's marker says sector 0 (8)" },
	{ IMAGE_STREAM, 32, IMAGE_FIRST * VMDK_SECTOR + 8, 0, ERR_DAMAGED,
	  "a compressed grain of 0 bytes is out of range (1 to 8192)" },
	{ IMAGE_STREAM, 32, IMAGE_FIRST * VMDK_SECTOR + 8, 8193, ERR_DAMAGED,
	  "a compressed grain of 8193 bytes" },
	{ IMAGE_STREAM, 32, IMAGE_FIRST * VMDK_SECTOR + 20, 0, ERR_DAMAGED,
	  "compressed grain at 8204" },
};

static void put(unsigned char *at, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width / 8; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

static void test_patches(void)
{
	unsigned char *out = malloc(IMAGE_GUEST);

	for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
		const struct patch *patch = &patches[i];
		struct err err = { 0 };
		struct image image;

		image_make(&image, patch->kind);
		put(image.bytes + patch->at, patch->width, patch->value);
		CHECK(image_read(&image, image.len, out, 1 << 20, &err));
		CHECK_EQ(err.kind, patch->error);
		if (!strstr(err.message, patch->message))
			CHECK_STR(err.message, patch->message);
		image_free(&image);
	}
	free(out);
}

#define HEAD "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
#define TYPE "createType=\"custom\"\n"
#define LINE "RW 1 ZERO\n"

struct text {
	const char *text;
	enum err_kind error; /* ERR_NONE: it is good */
	const char *message;
};

static const struct text texts[] = {
	{ HEAD TYPE LINE, ERR_NONE, "" },
	/* Case, blanks, Windows' lines, comments, unknown keys. */
	{ "\xEF\xBB\xBF\n  # disk DESCRIPTORFILE\r\n version = \"2\" \r\n"
	  "\tcid=FFFFFFFE\r\n#x\r\n\r\nCREATETYPE=vmfs\r\nzz=1\r\n"
	  "rw 1 vmfs \"a b-flat.vmdk\"\r\n",
	  ERR_NONE, "" },
	{ HEAD TYPE "RW 7 FLAT \"a\" 9 \nRDONLY  7\tFLAT \"a\" 16", ERR_NONE,
	  "" },
	{ "", ERR_DAMAGED, "the descriptor is empty" },
	{ "version=1\n", ERR_DAMAGED, "does not begin with" },
	{ HEAD LINE, ERR_DAMAGED, "has no createType" },
	{ "# Disk DescriptorFile\n" TYPE LINE, ERR_DAMAGED, "has no version" },
	{ HEAD TYPE, ERR_DAMAGED, "has no extents" },
	{ HEAD TYPE TYPE LINE, ERR_DAMAGED, "has a second createType" },
	{ HEAD "cid=2\n" TYPE LINE, ERR_DAMAGED, "has a second CID" },
	{ HEAD "ddb.uuid=2\nddb.uuid=3\n", ERR_DAMAGED, "second ddb.uuid" },
	{ HEAD TYPE LINE "hello\n", ERR_DAMAGED,
	  "line \"hello\" is neither a key nor an extent" },
	{ "# Disk DescriptorFile\nversion=4\n", ERR_UNSUPPORTED,
	  "descriptor version 4 is unknown (1 to 3)" },
	{ "# Disk DescriptorFile\nCID=\n", ERR_DAMAGED, "CID= is not" },
	{ "# Disk DescriptorFile\nCID=0x1\n", ERR_DAMAGED, "CID=0x1 is not" },
	{ "# Disk DescriptorFile\nCID=123456789\n", ERR_DAMAGED, "=12345678" },
	{ HEAD "createType=new\n", ERR_UNSUPPORTED, "\"new\" is unknown" },
	{ HEAD "createType=\"fullDevice\"\n", ERR_UNSUPPORTED,
	  "createType fullDevice maps a raw device" },
	{ HEAD "createType=vmfsRDMP\n", ERR_UNSUPPORTED, "a raw device" },
	{ HEAD "parentFileNameHint=\"\"\n", ERR_DAMAGED, "has 0 characters" },
	{ HEAD TYPE "RW 0 ZERO", ERR_DAMAGED, "\"0\" is not a number of" },
	{ HEAD TYPE "RW -1 ZERO", ERR_DAMAGED, "\"-1\" is not a number of" },
	{ HEAD TYPE "RW ", ERR_DAMAGED, "is neither" },
	{ HEAD TYPE "RW 1", ERR_UNSUPPORTED, "extent 1 is of unknown type" },
	{ HEAD TYPE "RW 99999999999999999999 ZERO", ERR_DAMAGED, "a number" },
	{ HEAD TYPE "RW 36028797018963968 ZERO", ERR_DAMAGED, "a number" },
	{ HEAD TYPE "RW 2251799813685249 ZERO", ERR_LIMIT,
	  "more than the 1152921504606846976 a disk may have" },
	{ HEAD TYPE "RW 2251799813685248 ZERO\nRW 1 ZERO", ERR_LIMIT,
	  "together" },
	{ HEAD TYPE "RW 1 FLUFF \"a\"", ERR_UNSUPPORTED, "type \"FLUFF\"" },
	{ HEAD TYPE "RW 1 FLAT a", ERR_DAMAGED, "names no file in quotes" },
	{ HEAD TYPE "RW 1 FLAT \"a", ERR_DAMAGED, "names no file in quotes" },
	{ HEAD TYPE "RW 1 FLAT \"\"", ERR_DAMAGED, "names no file in quotes" },
	{ HEAD TYPE "RW 1 FLAT \"a\" x", ERR_DAMAGED, "\"x\" is not expected" },
	{ HEAD TYPE "RW 1 FLAT \"a\" 1 2", ERR_DAMAGED, "is not expected" },
	{ HEAD TYPE "RW 1 SPARSE \"a\" 1", ERR_DAMAGED, "is not expected" },
	{ HEAD TYPE "RW 1 FLAT \"/dev/sda\" 0", ERR_UNSUPPORTED,
	  "extent 1 maps a raw device (/dev/sda)" },
	{ HEAD TYPE "RW 1 FLAT \"\\\\.\\PhysicalDrive0\" 0", ERR_UNSUPPORTED,
	  "maps a raw device" },
	{ HEAD TYPE "RW 1 VMFSRDM \"a\"", ERR_UNSUPPORTED, "a raw device" },
	{ HEAD TYPE "RW 1 VMFSRAW \"a\"", ERR_UNSUPPORTED, "a raw device" },
	{ HEAD TYPE "NOACCESS 1 FLAT \"a\"", ERR_UNSUPPORTED, "NOACCESS" },
	{ HEAD TYPE "RW 8 FLAT \"a\" 9\nRW 8 FLAT \"a\" 16", ERR_DAMAGED,
	  "extents 1 and 2 overlap in a" },
	{ HEAD TYPE "RW 8 SPARSE \"a\"\nRW 8 ZERO\nRW 8 SPARSE \"a\"",
	  ERR_DAMAGED, "extents 1 and 3 overlap in a" },
};

static void test_texts(void)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const unsigned char *text =
			(const unsigned char *)texts[i].text;
		struct vmdk_descriptor descriptor;
		struct err err = { 0 };
		int status = vmdk_descriptor_parse(
			text, strlen(texts[i].text), &descriptor, &err);

		CHECK_EQ(status != 0, texts[i].error != ERR_NONE);
		CHECK_EQ(err.kind, texts[i].error);
		if (!strstr(err.message, texts[i].message))
			CHECK_STR(err.message, texts[i].message);
		vmdk_descriptor_clear(&descriptor);
	}
}

/* What was understood of a good one. */
static void test_fields(void)
{
	static const char text[] =
		HEAD "createType=\"vmfsSparse\"\nddb.adapterType = \"ide\"\n"
		     "ddb.virtualHWVersion = \"14\"\n"
		     "RW 5 VMFSSPARSE \"a-delta.vmdk\"\n"
		     "RW 7 FLAT \"b\" 9\nRW 3 SESPARSE \"c\"\n" LINE;
	struct vmdk_descriptor descriptor;
	struct err err = { 0 };
	const char *parent = "";

	CHECK(!vmdk_descriptor_parse((const unsigned char *)text, sizeof text,
				     &descriptor, &err));
	CHECK_STR(descriptor.create_type, "vmfsSparse");
	CHECK_STR(descriptor.adapter, "ide");
	CHECK_STR(descriptor.hardware, "14");
	CHECK_EQ(descriptor.cid, 1);
	CHECK_EQ(descriptor.count, 4);
	CHECK_EQ(descriptor.size, 16 * VMDK_SECTOR);
	CHECK_EQ(descriptor.lines[0].type, VMDK_LINE_COWD);
	CHECK_STR(descriptor.lines[0].name, "a-delta.vmdk");
	CHECK_EQ(descriptor.lines[1].offset, 9 * VMDK_SECTOR);
	CHECK_EQ(descriptor.lines[2].type, VMDK_LINE_SESPARSE);
	CHECK_EQ(descriptor.lines[3].type, VMDK_LINE_ZERO);
	CHECK(!vmdk_descriptor_parent(&descriptor, &parent, &err) && !parent);
	CHECK(vmdk_descriptor_refers(&descriptor));
	descriptor.parent_cid = 7;
	CHECK(vmdk_descriptor_parent(&descriptor, &parent, &err));
	descriptor.parent = mem_strdup("p.vmdk");
	CHECK(!vmdk_descriptor_parent(&descriptor, &parent, &err));
	CHECK_STR(parent, "p.vmdk");
	descriptor.parent_cid = VMDK_NO_PARENT;
	CHECK(vmdk_descriptor_parent(&descriptor, &parent, &err));
	vmdk_descriptor_clear(&descriptor);
}

/* Any text at all: no crash, no leak; a cut one is not a whole one. */
static void test_noise(void)
{
	char text[] = HEAD TYPE "RW 1 FLAT \"a\" 1\nRW 1 SPARSE \"b\"\n";
	struct vmdk_descriptor descriptor;
	size_t len = strlen(text);
	struct err err;

	for (size_t at = 0; at < len; at++) {
		char kept = text[at];

		for (int byte = 0; byte < 256; byte += 3) {
			text[at] = (char)byte;
			vmdk_descriptor_parse((unsigned char *)text, len,
					      &descriptor, &err);
			vmdk_descriptor_clear(&descriptor);
		}
		text[at] = kept;
		CHECK(vmdk_descriptor_parse((unsigned char *)text,
					    at * 3 / 4, &descriptor, &err));
		vmdk_descriptor_clear(&descriptor);
	}
}

int main(void)
{
	test_patches();
	test_texts();
	test_fields();
	test_noise();
	return check_result();
}
