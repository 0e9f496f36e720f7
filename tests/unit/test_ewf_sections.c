/* SPDX-License-Identifier: MIT */
/* EWF's sections: those that are rare, those that do not belong there, and
 * numbers in them that cannot be. */
#include "ewf_image.h"
#include "formats/images/ewf/layout.h"

#define SIZE (9 * CHUNK)

/* What opening and reading say of it. */
static void expect(struct recipe recipe, enum err_kind kind, const char *words)
{
	struct file file[2] = { { NULL, 0 } };
	struct err err = { .kind = ERR_NONE, .message = "" };

	recipe.size = SIZE;
	recipe.per_table = 4;
	recipe.segments = 1;
	make(&recipe, file);
	CHECK_EQ(read_all(file, &recipe, &err), kind);
	if (!strstr(err.message, words))
		CHECK_STR(err.message, words);
	clear(file);
}

static void test_kinds(void)
{
	unsigned char volume[EWF_VOLUME_LEN] = { 1 };
	struct recipe recipe = { .extra_data = volume };

	recipe.extra = "incomplete";
	expect(recipe, ERR_UNSUPPORTED, "the image was not finished");
	recipe.extra = "ltree";
	expect(recipe, ERR_UNSUPPORTED, "single files, not a disk");
	/* Of later versions, and notes. */
	recipe.extra = "xnew";
	expect(recipe, ERR_NONE, "");
	/* Once more what there may be once. */
	recipe.extra = "disk";
	recipe.extra_len = sizeof volume;
	bytes_put_le32(volume + sizeof volume - 4,
		       adler(volume, sizeof volume - 4));
	expect(recipe, ERR_DAMAGED, "a second section \"disk\"");
	/* Too short for what it is. */
	recipe.extra = "hash";
	recipe.extra_len = EWF_HASH_LEN - 1;
	expect(recipe, ERR_DAMAGED, "section \"hash\" at 1141 has 35 bytes");
	/* One that belongs to another set, too short to tell: passed over. */
	recipe.extra = "data";
	expect(recipe, ERR_NONE, "");
}

static void test_numbers(void)
{
	expect((struct recipe){ .sectors = UINT64_MAX }, ERR_LIMIT,
	       "more than the largest disk");
	expect((struct recipe){ .sectors = (LIMIT_DISK_SIZE / SECTOR) + 1 },
	       ERR_LIMIT, "more than the largest disk");
	expect((struct recipe){ .entries = 1000 }, ERR_DAMAGED,
	       "1000 entries, which is more than the section holds");
	expect((struct recipe){ .entries = UINT32_MAX }, ERR_DAMAGED,
	       "more than the section holds");
	expect((struct recipe){ .past_base = ROOM }, ERR_DAMAGED,
	       "past the end of the file");
	/* Two images could be in one file. */
	expect((struct recipe){ .hidden = 100 }, ERR_DAMAGED,
	       "bytes, but the next one is");
	/* Without the volume, what tables are there is not known. */
	expect((struct recipe){ .no_volume = true }, ERR_DAMAGED,
	       "a table before the volume section");
}

/* Nothing but an end. */
static void test_empty(void)
{
	struct recipe recipe = { .size = 0, .segments = 1, .no_volume = true };
	struct file file[2] = { { NULL, 0 } };
	struct err err;

	make(&recipe, file);
	CHECK_EQ(read_all(file, &recipe, &err), ERR_DAMAGED);
	CHECK(strstr(err.message, "there is no volume section"));
	clear(file);
}

struct notes {
	struct log base;
	char text[200];
};

static void note(struct log *log, enum log_level level, const char *line)
{
	CHECK_EQ(level, LOG_NOTE);
	snprintf(((struct notes *)log)->text, 200, "%s", line);
}

/* Runs that could not be read when the image was made are told. */
static void test_errors(void)
{
	unsigned char errors[EWF_ERRORS_LEN] = { 0 };
	struct recipe recipe = { .size = SIZE,
				 .per_table = 4,
				 .segments = 1,
				 .extra = "error2",
				 .extra_data = errors,
				 .extra_len = sizeof errors };
	struct notes notes = { .base.emit = note };
	struct open_options options = { .name = "disk.E01",
					.log = &notes.base };
	struct facts *facts = mem_zalloc(sizeof *facts);
	struct file file[2] = { { NULL, 0 } };
	struct err err = { .message = "" };
	bool told = false;

	bytes_put_le32(errors + EWF_ERRORS_COUNT, 3);
	expect(recipe, ERR_DAMAGED, "\"error2\" at 1141 does not have its");
	bytes_put_le32(errors + EWF_ERRORS_SUM, adler(errors, EWF_ERRORS_SUM));
	make(&recipe, file);
	struct source *source = files_memory_source(file[0].bytes, file[0].len);
	struct disk *disk = driver_ewf.open(source, &options, &err);
	CHECK_STR(err.message, "");
	CHECK(strstr(notes.text, "3 ranges of sectors"));
	if (disk)
		disk_info(disk, facts);
	for (unsigned i = 0; i < facts->count; i++)
		told |= !strcmp(facts->fact[i].name, "unreadable-ranges") &&
			facts->fact[i].number == 3;
	CHECK(told);
	disk_close(disk);
	free(facts);
	/* There are no snapshots to choose from. */
	options.snapshot = "one";
	CHECK(!driver_ewf.open(source, &options, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	source_close(source);
	clear(file);
}

/* With room for one table, or for none, all is read all the same; and what is
 * not there any more is read again. */
static void test_memory(void)
{
	static const uint64_t memory[] = { 1, 16, 24, 48 };

	for (unsigned i = 0; i < sizeof memory / sizeof *memory; i++) {
		struct recipe recipe = { .size = SIZE,
					 .per_table = 4,
					 .segments = 1,
					 .memory = memory[i] };
		struct open_options options = { .name = "disk.E01",
						.memory = memory[i] };
		struct file file[2] = { { NULL, 0 } };
		struct err err = { .message = "" };

		make(&recipe, file);
		CHECK_EQ(read_all(file, &recipe, &err), ERR_NONE);
		struct source *source =
			files_memory_source(file[0].bytes, file[0].len);
		struct disk *disk = driver_ewf.open(source, &options, &err);
		for (uint64_t n = 0; n < 40; n++) {
			uint64_t at = n * 5 % 9 * CHUNK + n * 100;
			unsigned char byte;

			CHECK(!disk_read(disk, &byte, 1, at, &err));
			CHECK_EQ(byte, guest_at(at));
		}
		disk_close(disk);
		source_close(source);
		clear(file);
	}
}

int main(void)
{
	test_kinds();
	test_numbers();
	test_empty();
	test_errors();
	test_memory();
	return check_result();
}
