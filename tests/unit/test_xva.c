/* SPDX-License-Identifier: MIT */
/* XVA: archives written header by header; what a disk is read as, from a file
 * and from a stream, and what is refused by both. */
#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"

#include "formats/xxh64.h"
#include "io/digest.h"
#include "tests/unit/two_faces.h"

extern const struct driver driver_xva;

#define ROOM ((size_t)256 * 1024)
#define SECTOR 512u

static unsigned char *tar;
static size_t len;

enum how {
	PLAIN,
	BINARY_SIZE, /* not octal digits, but a number of 11 bytes */
	BLANK_SIZE,  /* blanks before the digits */
	BAD_SIZE,
	PREFIX, /* the name's folder stands in a field of its own */
	OLD_GNU /* that field holds something else */
};

static void put_size(unsigned char *head, enum how how, size_t size)
{
	char text[24];

	snprintf(text, sizeof text, how == BLANK_SIZE ? "%11zo" : "%011zo",
		 size);
	memcpy(head + 124, text, 11);
	if (how == BAD_SIZE)
		head[126] = 'x';
	if (how != BINARY_SIZE)
		return;
	memset(head + 124, 0, 12);
	head[124] = 0x80;
	bytes_put_be64(head + 128, size);
}

static void put_as(enum how how, char type, const char *name, const void *bytes,
		   size_t size)
{
	unsigned char *head = tar + len;
	const char *slash = strchr(name, '/');
	unsigned sum = 0;
	char text[8];

	memcpy(head + 257,
	       how == OLD_GNU ? "ustar  "
			      : "ustar\0"
				"00",
	       8);
	if (how == PREFIX) {
		memcpy(head + 345, name, (size_t)(slash - name));
		name = slash + 1;
	} else if (how == OLD_GNU) {
		memcpy(head + 345, "14501234567", 11); /* a time */
	}
	memcpy(head, name, strlen(name));
	put_size(head, how, size);
	head[156] = (unsigned char)type;
	memset(head + 148, ' ', 8);
	for (unsigned i = 0; i < 512; i++)
		sum += head[i];
	snprintf(text, sizeof text, "%06o", sum);
	memcpy(head + 148, text, 7);
	len += 512;
	/* Without bytes it only says that there are some. */
	if (size && bytes) {
		memcpy(tar + len, bytes, size);
		len += (size + 511) / 512 * 512;
	}
	CHECK(len < ROOM);
}

static void put(const char *name, const void *bytes, size_t size)
{
	put_as(PLAIN, '0', name, bytes, size);
}

#define VDI(ref, label, size)                                                  \
	"<name>class</name><value>VDI</value><name>id</name>\n<value>" ref     \
	"</value><name>snapshot</name><value><struct><name>name_label"         \
	"</name><value>" label "</value><name>virtual_size</name>"             \
	"<value>" size "</value>"

static void start_as(const char *xml)
{
	memset(tar, 0, ROOM);
	len = 0;
	put("ova.xml", xml, strlen(xml));
}

/* One disk of four sectors. */
static void start(void)
{
	start_as(VDI("Ref:1", "disk", "2048"));
}

static unsigned char block[4 * SECTOR];

/* The number, as in names, and so many sectors of a letter. */
static void put_block(unsigned number, char letter, unsigned sectors)
{
	char name[32];

	memset(block, letter, sizeof block);
	snprintf(name, sizeof name, "Ref:1/%08u", number);
	put(name, block, (size_t)sectors * SECTOR);
}

static void end(void)
{
	len += 1024;
}

static unsigned char out[8 * SECTOR];

static struct faces faces_of(const char *member)
{
	return (struct faces){ .driver = &driver_xva,
			       .bytes = tar,
			       .len = len,
			       .member = member,
			       .out = out,
			       .room = sizeof out };
}

/* `wanted` is a letter a sector, '.' for zeros. */
static void reads_of(const char *member, const char *wanted)
{
	struct faces faces = faces_of(member);

	for (int face = 0; face < 3; face++) {
		struct err err = { .message = "" };
		unsigned wrong = 0;

		memset(out, '#', sizeof out);
		if (face ? faces_walk(&faces, face == 1 ? 100000 : 77, SECTOR,
				      &err)
			 : faces_disk(&faces, &err))
			CHECK_STR(err.message, "no error");
		CHECK_EQ(faces.size, strlen(wanted) * SECTOR);
		for (size_t i = 0; i < strlen(wanted) * SECTOR; i++) {
			char c = wanted[i / SECTOR];

			wrong += out[i] != (c == '.' ? 0 : c);
		}
		CHECK_EQ(wrong, 0);
	}
}

static void reads(const char *wanted)
{
	end();
	reads_of(NULL, wanted);
}

static void refused_of(const char *member, enum err_kind kind,
		       const char *words)
{
	struct faces faces = faces_of(member);

	faces_refuse(&faces, kind, words);
}

static void refused(const char *words)
{
	end();
	refused_of(NULL, ERR_DAMAGED, words);
}

/* ---- the archive ---- */

static void test_headers(void)
{
	static const enum how good[] = { BINARY_SIZE, BLANK_SIZE, PREFIX };
	static const char longer[] = "Ref:1/00000000";

	for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
		start();
		memset(block, 'a', sizeof block);
		put_as(good[i], '0', "Ref:1/00000000", block, 2048);
		reads("aaaa");
	}
	start();
	memset(block, 'a', sizeof block);
	put_as(OLD_GNU, '0', "Ref:1/00000000", block, 2048);
	reads("aaaa");
	start();
	put_as(BAD_SIZE, '0', "Ref:1/00000000", block, 2048);
	refused("the tar header at 1024 has no size");
	/* GNU's long names; a folder and a link say sizes that mean nothing. */
	start();
	put_as(PLAIN, 'L', "././@LongLink", longer, sizeof longer);
	put_as(PLAIN, '0', "cut", block, 2048);
	reads("aaaa");
	start();
	put_block(0, 'a', 4);
	put_as(PLAIN, '5', "Ref:1", NULL, 7000);
	put_as(PLAIN, '2', "link", NULL, 100);
	reads("aaaa");
	start();
	put_as(PLAIN, 'S', "Ref:1/00000000", block, 2048);
	end();
	refused_of(NULL, ERR_UNSUPPORTED, "a sparse member");
	start();
	put_as(PLAIN, 'x', "pax", "7 path=", 7);
	refused("the extended tar header at");
	start();
	put_as(PLAIN, '5', "Ref:1/00000000", NULL, 0);
	refused("is no file");
}

static void test_description(void)
{
	char many[257 * 300] = "";
	size_t at = 0;

	memset(tar, 0, ROOM);
	len = 0;
	put("ova.yaml", "VDI", 3);
	refused("the first member is not ova.xml");
	start_as(VDI("Ref:1", "disk", "2048") VDI("Ref:1", "more", "512"));
	refused("describes Ref:1 twice");
	start_as(VDI("", "disk", "2048"));
	refused("a disk named \"\"");
	start_as(VDI("a/b", "disk", "2048"));
	refused("a disk named \"a/b\"");
	start_as(VDI("Ref:1", "disk", "many"));
	refused("the size \"many\"");
	start_as(VDI("Ref:1", "disk", "9999999999999999999"));
	end();
	refused_of(NULL, ERR_LIMIT, "above the limit");
	for (unsigned i = 0; i < 257; i++)
		at += (size_t)snprintf(many + at, sizeof many - at,
				       VDI("Ref:%u", "x", "512"), i);
	start_as(many);
	end();
	refused_of(NULL, ERR_LIMIT, "more than 256 disks");
	/* Types may be said. */
	start_as("<name>class</name><value><string>VDI</string></value>"
		 "<name>id</name><value><string>Ref:1</string></value>"
		 "<name>virtual_size</name> <value><i4>1024</i4></value>");
	put_block(0, 'a', 2);
	reads("aa");
	start_as("<name>class</name><value>VM</value><name>id</name>"
		 "<value>Ref:1</value>");
	end();
	refused_of(NULL, ERR_UNSUPPORTED, "no disk");
}

/* By what people called it, unless two are called so. */
static void test_labels(void)
{
	start_as(VDI("Ref:1", "system", "512") VDI("Ref:2", "data", "512"));
	put_block(0, 'a', 1);
	memset(block, 'b', sizeof block);
	put("Ref:2/00000000", block, 512);
	end();
	reads_of("system", "a");
	reads_of("data", "b");
	reads_of("Ref:2", "b");
	reads_of("1", "b");
	start_as(VDI("Ref:1", "system", "512") VDI("Ref:2", "system", "512"));
	put_block(0, 'a', 1);
	end();
	refused_of("system", ERR_USAGE, "has no disk system; it has 0 Ref:1");
}

/* ---- blocks ---- */

static void test_order(void)
{
	/* The size of the first is that of those which are left out. */
	start_as(VDI("Ref:1", "disk", "3072"));
	put_block(0, 'a', 2);
	put_block(2, 'c', 2);
	reads("aa..cc");
	/* The last one may be shorter, or reach past the end. */
	start_as(VDI("Ref:1", "disk", "1536"));
	put_block(0, 'a', 2);
	put_block(1, 'b', 1);
	reads("aab");
	start_as(VDI("Ref:1", "disk", "1536"));
	put_block(0, 'a', 2);
	put_block(1, 'b', 2);
	reads("aab");
	/* An empty one counts, and is no place for data. */
	start_as(VDI("Ref:1", "disk", "2048"));
	put_block(0, 'a', 2);
	put_block(1, 'x', 0);
	put_block(2, 'b', 2);
	reads("aabb");

	start();
	put_block(1, 'a', 2);
	refused("block 1 of 1024 bytes is not the first one");
	start();
	put_block(0, 'a', 0);
	refused("is no size for all");
	start();
	put("Ref:1/00000000", block, 100);
	refused("is no size for all");
	start();
	put_block(0, 'a', 2);
	put_block(0, 'a', 2);
	refused("comes after a later one");
	start();
	put_block(0, 'a', 2);
	put_block(1, 'a', 1);
	put_block(2, 'a', 1);
	refused("comes after a shorter one");
	start();
	put_block(0, 'a', 1);
	put_block(1, 'a', 2);
	refused("is larger than the first");
	start();
	put_block(0, 'a', 4);
	put_block(1, 'a', 4);
	refused("lies past the disk's end");
	start();
	put_block(0, 'a', 2);
	put("Ref:1/999999999999999999", block, 1024);
	refused("lies past the limit of sizes");
	start();
	put_block(0, 'a', 2);
	refused("it is cut short or was exported without data");
	start();
	put_block(0, 'a', 4);
	put("Ref:2/00000000", block, 512);
	refused("belongs to no disk of ova.xml");
	/* Names that are none of blocks say nothing. */
	start();
	put("Ref:1/0000", block, 512);
	put("Ref:1/00000000.asc", block, 512);
	put_block(0, 'a', 4);
	reads("aaaa");
}

static void put_sha1(const char *name, size_t size)
{
	unsigned char bytes[DIGEST_SHA1_LEN];
	char text[2 * DIGEST_SHA1_LEN + 1];
	struct digest *digest = digest_open_sha1();

	digest_add(digest, block, size);
	digest_get(digest, bytes);
	digest_close(digest);
	for (unsigned i = 0; i < sizeof bytes; i++)
		snprintf(text + 2 * i, 3, "%02X", bytes[i]);
	text[2 * DIGEST_SHA1_LEN] = '\n';
	put(name, text, sizeof text);
}

static void put_xxh64(const char *name, size_t size)
{
	struct xxh64 state;
	char text[17];

	xxh64_start(&state);
	xxh64_add(&state, block, size);
	snprintf(text, sizeof text, "%016llx",
		 (unsigned long long)xxh64_get(&state));
	put(name, text, 16);
}

/* Only a pass over all of it verifies: reading at random is not that. */
static void stream_refused(const char *words)
{
	struct faces faces = faces_of(NULL);

	end();
	faces_refuse_one(&faces, true, ERR_DAMAGED, words);
}

static void test_sums(void)
{
	for (int kind = 0; kind < 2; kind++) {
		const char *suffix = kind ? "xxhash" : "checksum";
		char name[2][40];

		for (int i = 0; i < 2; i++)
			snprintf(name[i], sizeof *name, "Ref:1/%08d.%s", i,
				 suffix);
		/* What lies past the end is summed up, too. */
		start_as(VDI("Ref:1", "disk", "1536"));
		put_block(0, 'a', 2);
		(kind ? put_xxh64 : put_sha1)(name[0], 1024);
		put_block(1, 'b', 2);
		(kind ? put_xxh64 : put_sha1)(name[1], 1024);
		reads("aab");
		len -= 1024;		  /* the end comes again */
		tar[len - 1024 - 1] ^= 1; /* in front of the sum: padding */
		stream_refused("the block at 1024 has checksum");
	}
	start();
	put_block(0, 'a', 2);
	put_sha1("Ref:1/00000000.checksum", 1024);
	put_block(1, 'b', 2);
	put_xxh64("Ref:1/00000001.xxhash", 1024);
	stream_refused("checksums of two kinds");
	start();
	put_sha1("Ref:1/00000000.checksum", 1024);
	put_block(0, 'a', 4);
	refused("does not follow its block");
	start();
	put_block(0, 'a', 4);
	put_sha1("Ref:1/00000001.checksum", 1024);
	refused("does not follow its block");
	start();
	put_block(0, 'a', 4);
	put("Ref:1/00000000.checksum", block, 512);
	refused("has 512 bytes (at most");
}

static void test_snapshot(void)
{
	struct source *source AUTO_SOURCE = files_memory_source(tar, len);
	struct open_options options = { .snapshot = "one" };
	struct err err;

	CHECK(!driver_xva.open(source, &options, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	CHECK(strstr(err.message, "has no snapshots, so no one"));
}

int main(void)
{
	tar = mem_zalloc(ROOM);
	test_headers();
	test_description();
	test_labels();
	test_order();
	test_sums();
	test_snapshot();
	free(tar);
	return check_result();
}
