/* SPDX-License-Identifier: MIT */
/*
 * The VMDK writer: every subformat, written from a patterned guest to memory
 * and read back by our own reader; the same bytes in whatever order and to
 * whatever sink; failures at every operation. What is on disk is in
 * test_vmdk_write_disk.c; other programs judge in tests/bats/vmdk_write.bats.
 */
#include "vmdk_made.h"

/* ---- every subformat, every order ---- */

static void test_orders(void)
{
	static const struct making orders[] = {
		{ .shuffle = true },
		{ .zeros_as_units = true },
		{ .head_last = true, .shuffle = true },
	};

	for (unsigned f = 0; f < SUBFORMATS; f++)
		for (unsigned g = 0; g < GUESTS; g++) {
			struct making making = { .guest = &guests[g] };
			struct create_options options;
			struct image first, other;

			image_init(&first);
			set_options(&options, subformats[f], guests[g].size);
			CHECK_EQ(image_make(&first, &making, &options),
				 ERR_NONE);
			check_reader(&first, &guests[g]);
			for (unsigned o = 0; o < 3; o++) {
				/* Sparse places follow the order of units. */
				if (o == 2 && f != 3 && f != 4)
					continue;
				making = orders[o];
				making.guest = &guests[g];
				image_init(&other);
				set_options(&options, subformats[f],
					    guests[g].size);
				CHECK_EQ(image_make(&other, &making, &options),
					 ERR_NONE);
				check_same(&first, &other);
				image_clear(&other);
			}
			image_clear(&first);
		}
}

/* A first unit that comes last: other places, the same disk. */
static void test_head_last(void)
{
	for (unsigned f = 0; f < SUBFORMATS; f++) {
		struct making making = { .guest = &guests[0],
					 .head_last = true };
		struct create_options options;
		struct image image;

		image_init(&image);
		set_options(&options, subformats[f], guests[0].size);
		CHECK_EQ(image_make(&image, &making, &options), ERR_NONE);
		check_reader(&image, &guests[0]);
		image_clear(&image);
	}
}

/* Sizes that are not whole grains, where the format can have them; none has
 * a disk of 0 bytes. */
static void test_odd_sizes(void)
{
	static const uint64_t sizes[] = { 512, MIB - 512, 33 * MIB + 1536 };

	for (unsigned f = 0; f < SUBFORMATS; f++)
		for (unsigned s = 0; s < 3; s++) {
			struct guest guest = { .size = sizes[s],
					       .seed = 9,
					       .group = 512 };
			struct making making = { .guest = &guest };
			struct create_options options;
			struct image image;

			set_options(&options, subformats[f], sizes[s]);
			CHECK_EQ(driver_round_size(&driver_vmdk, &options,
						   sizes[s]),
				 f == 1 ? round_up(sizes[s], 65536) : sizes[s]);
			CHECK_EQ(driver_round_size(&driver_vmdk, &options, 0),
				 f == 1 ? 65536 : 512);
			image_init(&image);
			CHECK_EQ(image_make(&image, &making, &options),
				 ERR_NONE);
			check_reader(&image, &guest);
			image_clear(&image);
		}
}

/* Told only at the end: the same bytes. */
static void test_size_unknown(void)
{
	for (unsigned f = 0; f < SUBFORMATS; f++)
		for (unsigned g = 0; g < GUESTS; g++) {
			struct making making = { .guest = &guests[g] };
			struct create_options options;
			struct image known, unknown;

			image_init(&known);
			image_init(&unknown);
			set_options(&options, subformats[f], guests[g].size);
			CHECK_EQ(image_make(&known, &making, &options),
				 ERR_NONE);
			set_options(&options, subformats[f], guests[g].size);
			options.size_known = false;
			CHECK_EQ(image_make(&unknown, &making, &options),
				 ERR_NONE);
			check_same(&known, &unknown);
			image_clear(&known);
			image_clear(&unknown);
		}
}

/* ---- streams ---- */

static void test_append_only(void)
{
	for (unsigned g = 0; g < GUESTS; g++) {
		struct making making = { .guest = &guests[g] };
		struct create_options options;
		struct image file, stream;
		uint64_t at = 0;

		image_init(&file);
		image_init(&stream);
		stream.main->sink.seekable = false;
		set_options(&options, subformats[1], guests[g].size);
		CHECK_EQ(image_make(&file, &making, &options), ERR_NONE);
		/* Neither the name nor the kind of sink is in the bytes. */
		set_options(&options, subformats[1], guests[g].size);
		*options.name = '\0';
		CHECK_EQ(image_make(&stream, &making, &options), ERR_NONE);
		check_same(&file, &stream);
		for (unsigned i = 0; i < stream.main->count; i++) {
			const struct fake_op *op = &stream.main->ops[i];

			if (op->kind == FAKE_FINISH)
				continue;
			CHECK_EQ(op->offset, at);
			at += op->length;
		}
		image_clear(&file);
		image_clear(&stream);
	}
}

static void test_append_refused(void)
{
	struct create_options options;
	struct image image;
	struct err err = { 0 };

	image_init(&image);
	image.main->sink.seekable = false;
	set_options(&options, subformats[1], 0);
	options.size_known = false;
	CHECK(!driver_vmdk.create(&image.main->sink, &options, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	set_options(&options, subformats[0], MIB);
	CHECK_EQ(driver_append(&driver_vmdk, &options), APPEND_NEVER);
	set_options(&options, subformats[1], MIB);
	CHECK_EQ(driver_append(&driver_vmdk, &options), APPEND_FREELY);
	options.size_known = false;
	CHECK_EQ(driver_append(&driver_vmdk, &options), APPEND_NEVER);
	image_clear(&image);
}

/* ---- large, old, failing ---- */

static void test_large(void)
{
	struct guest guest = {
		.size = 2 * TIB + 65536,
		.group = 65536,
		.live = { { 0, MIB }, { TIB, 2 * MIB }, { 2 * TIB, 65536 } }
	};
	struct making making = { .guest = &guest };
	struct create_options options;
	struct err err = { 0 };
	struct image image;

	/* The hosted form's tables lie far apart: not in memory. */
	image_init(&image);
	set_options(&options, subformats[1], guest.size);
	CHECK_EQ(image_make(&image, &making, &options), ERR_NONE);
	check_reader(&image, &guest);
	image_clear(&image);
	image_init(&image);
	set_options(&options, "subformat=twoGbMaxExtentFlat", guest.size);
	options.parts = &image.parts;
	CHECK(!driver_vmdk.create(&image.main->sink, &options, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED); /* 1025 files */
	CHECK_EQ(image.count, 0);
	set_options(&options, "subformat=monolithicSparse", LIMIT_DISK_SIZE);
	CHECK(!driver_vmdk.create(&image.main->sink, &options, &err));
	CHECK_EQ(err.kind, ERR_UNSUPPORTED);
	image_clear(&image);
}

/* On a device old content must not show. */
static void test_old_content(void)
{
	static const unsigned which[] = { 0, 1, 3 };

	for (unsigned k = 0; k < 3; k++)
		for (unsigned g = 0; g < 4; g++) {
			struct making making = { .guest = &guests[g] };
			struct create_options options;
			struct image image;
			struct err err = { 0 };
			unsigned char *old AUTO_FREE = mem_zalloc(MIB);

			image_init(&image);
			memset(old, 0xee, MIB);
			for (unsigned i = 0; i < 8; i++)
				CHECK_EQ(sink_write(&image.main->sink, old, MIB,
						    i * MIB, &err),
					 0);
			image.main->sink.fresh = false;
			set_options(&options, subformats[which[k]],
				    guests[g].size);
			CHECK_EQ(image_make(&image, &making, &options),
				 ERR_NONE);
			check_reader(&image, &guests[g]);
			image_clear(&image);
		}
}

static void test_failures(void)
{
	for (unsigned f = 0; f < SUBFORMATS; f++)
		for (unsigned pipe = 0; pipe < (f == 1 ? 2 : 1); pipe++) {
			struct making making = { .guest = &guests[1] };
			struct create_options options;
			unsigned at = 1;

			for (;; at++) { /* ends: no more operations to fail */
				struct image image;
				enum err_kind kind;

				image_init(&image);
				image.main->sink.seekable = !pipe;
				image.main->fail_at = at;
				set_options(&options, subformats[f],
					    guests[1].size);
				kind = image_make(&image, &making, &options);
				image_clear(&image);
				if (kind == ERR_NONE)
					break;
				CHECK_EQ(kind, ERR_IO);
			}
			CHECK(at > 2);
		}
}

int main(void)
{
	test_orders();
	test_head_last();
	test_odd_sizes();
	test_size_unknown();
	test_append_only();
	test_append_refused();
	test_large();
	test_old_content();
	test_failures();
	return check_result();
}
