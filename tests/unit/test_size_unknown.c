/* SPDX-License-Identifier: MIT */
/* Whether the size was known beforehand is not seen in the bytes: disks that
 * are so large that tables outgrow the room in front of the blocks, with less
 * data and with more than has to make room for them. */
#include "driver_tests.h"

extern const struct driver driver_qcow2, driver_vhd, driver_vhdx, driver_vdi,
	driver_parallels, driver_vmdk, driver_qed;

static const struct row {
	const struct driver *driver;
	const char *options;
	uint64_t size;
} rows[] = {
	/* An L1 of more than 64 KiB goes behind the clusters. */
	{ &driver_qcow2, "", 4 * TIB },
	{ &driver_qcow2, "", 4 * TIB + 512 },
	{ &driver_qcow2, "cluster_size=4K", 16 * GIB + GIB },
	{ &driver_qcow2, "cluster_size=512", 255 * MIB },
	{ &driver_qcow2, "cluster_size=512", 300 * MIB },
	{ &driver_qcow2, "cluster_size=512,refcount_bits=1", 300 * MIB },
	{ &driver_qcow2, "cluster_size=512,refcount_bits=64", 300 * MIB },
	{ &driver_qcow2, "cluster_size=16K", 300 * GIB },
	/* A table of more than 64 KiB: one block makes room, two do. */
	{ &driver_vhd, "", 32 * GIB },
	{ &driver_vhd, "", 40 * GIB },
	{ &driver_vhd, "", 2000 * GIB },
	{ &driver_vhd, "block_size=512K,alignment=512", 700 * GIB },
	/* A BAT of more than 1 MiB goes behind the blocks. */
	{ &driver_vhdx, "block_size=1M", 120 * GIB },
	{ &driver_vhdx, "block_size=1M", 200 * GIB },
	{ &driver_vhdx, "", 63 * TIB },
	/* Data begin behind the first MiB. */
	{ &driver_vdi, "", 200 * GIB },
	{ &driver_vdi, "", 300 * GIB },
	{ &driver_vdi, "", 5 * TIB },
	{ &driver_vdi, "block_size=4K", 9 * GIB },
	{ &driver_vdi, "block_size=4M", 3 * TIB },
	{ &driver_parallels, "", 5 * TIB },
	{ &driver_parallels, "cluster_size=64K", 700 * GIB },
	{ &driver_vmdk, "", 400 * MIB },
	{ &driver_vmdk, "", 900 * MIB },
	{ &driver_vmdk, "", 300 * GIB },
	{ &driver_qed, "", 4 * TIB },
};

#define MOST_GRANULES 8000000

/* To a sink that takes no order but its own. A survey of all of 4 TiB would
 * take too long here. */
static bool can_append(const struct row *row)
{
	struct create_options options = { 0 };

	make_options(&options, row->options);
	options.size_known = true;
	options.size = row->size;
	return row->driver->append(&options) != APPEND_NEVER &&
	       row->size / row->driver->survey_granule(&options) <
		       MOST_GRANULES;
}

/* What is there, and nothing the check does not like. */
static void check_live(const struct made *made, const struct making_of *of)
{
	struct source *source AUTO_SOURCE =
		files_memory_source(made->bytes, made->len);
	unsigned char *want AUTO_FREE = mem_zalloc(6 * MIB);
	unsigned char *got AUTO_FREE = mem_zalloc(6 * MIB);
	struct check_report report = { .emit = print_finding };
	struct open_options options = { 0 };
	struct err err = { 0 };
	struct disk *disk AUTO_DISK =
		of->driver->open(source, &options, &err);

	CHECK(disk);
	for (unsigned i = 0; disk && i < GUEST_LIVE; i++) {
		uint64_t at = of->guest->live[i].offset;
		size_t len = (size_t)of->guest->live[i].length;

		if (!len)
			break;
		guest_fill(of->guest, at, want, len);
		CHECK_EQ(disk_read(disk, got, len, at, &err), 0);
		CHECK(!memcmp(want, got, len));
	}
	CHECK_EQ(of->driver->check(source, &options, &report, &err), 0);
	CHECK_EQ(report.corruptions + report.leaks, 0);
}

static void check_row(const struct row *row, const struct guest *guest)
{
	struct making_of of = { .driver = row->driver,
				.guest = guest,
				.options = row->options };
	struct made known, other;

	make(&known, &of);
	CHECK(known.done);
	check_live(&known, &of);
	of.size_unknown = true;
	make(&other, &of);
	CHECK(same_image(&known, &other));
	made_close(&other);
	of.size_unknown = false;
	of.append = true;
	if (can_append(row)) {
		make(&other, &of);
		CHECK(same_image(&known, &other));
		made_close(&other);
	}
	made_close(&known);
	/* Not for long images: memory knows no holes. */
	if (known.len > 64 * MIB)
		return;
	of.append = false;
	of.size_unknown = of.dirty = true;
	make(&other, &of);
	CHECK(other.done);
	check_live(&other, &of);
	made_close(&other);
}

int main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t size = rows[i].size;
		struct guest little = { .size = size,
					.group = 64 * KIB,
					.live = { { round_down(size / 2, MIB),
						    128 * KIB } } };
		struct guest more = { .size = size,
				      .group = 64 * KIB,
				      .live = { { 0, 6 * MIB },
						{ round_down(size / 3, MIB),
						  6 * MIB },
						{ round_down(size - MIB, MIB),
						  MIB } } };

		check_row(&rows[i], &little);
		check_row(&rows[i], &more);
	}
	return check_result();
}
