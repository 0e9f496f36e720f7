/* SPDX-License-Identifier: MIT */
/* The journal: what was added is there again, and what a kill or a power cut
 * left of it is a first part of that, whatever else the file holds. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "io/journal.h"

#define HEADER 64
#define THREADS 4
#define ADDED 500

static const unsigned char own[DIGEST_LEN] = "this run";
static const unsigned char other[DIGEST_LEN] = "another run";

static int new_file(void)
{
	int fd = memfd_create("journal", MFD_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

static int begin(int fd, const unsigned char identity[DIGEST_LEN])
{
	int output = new_file(), result;
	struct err err;
	struct stat st;

	CHECK(!ftruncate(output, 100));
	result = journal_begin(fd, output, identity, &err);
	CHECK(!fstat(output, &st) && !st.st_size);
	close(output);
	return result;
}

static bool is(int fd, const unsigned char identity[DIGEST_LEN])
{
	struct err err;

	return journal_is(fd, identity, &err) > 0;
}

/* Record `i`: a length of its own, the first byte says which. */
static size_t record_of(unsigned i, unsigned char out[64])
{
	size_t len = 1 + i * 7 % 40;

	memset(out, (int)i, len);
	return len;
}

static void fill(int fd, unsigned count)
{
	struct err err;
	struct journal *journal;
	unsigned char bytes[64];

	CHECK(!begin(fd, own));
	journal = journal_open(dup(fd), &err);
	CHECK(journal);
	for (unsigned i = 0; i < count; i++)
		CHECK(!journal_add(journal, bytes, record_of(i, bytes), i,
				   &err));
	CHECK(!journal_sync(journal, &err));
	journal_close(journal);
}

/* How many records there are; each is the one it should be. */
static unsigned count(int fd, uint64_t *progress)
{
	const unsigned char *payload;
	unsigned char wanted[64];
	struct journal *journal;
	unsigned found = 0;
	struct err err;
	size_t len;
	int got;

	journal = journal_open(dup(fd), &err);
	CHECK(journal);
	if (!journal)
		return 0;
	while ((got = journal_next(journal, &payload, &len, &err)) > 0) {
		CHECK_EQ(len, record_of(found, wanted));
		CHECK(!memcmp(payload, wanted, len));
		found++;
	}
	CHECK_EQ(got, 0);
	*progress = journal_progress(journal);
	journal_close(journal);
	return found;
}

static void test_round_trip(void)
{
	int fd = new_file();
	uint64_t progress;
	struct stat st;

	fill(fd, 100);
	CHECK(is(fd, own));
	CHECK(!is(fd, other));
	CHECK_EQ(count(fd, &progress), 100);
	CHECK_EQ(progress, 99 * 100 / 2);
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_size % 8, 0);
	close(fd);
}

static void test_nothing_in_it(void)
{
	int fd = new_file();
	uint64_t progress;
	struct err err;

	CHECK(!is(fd, own));
	CHECK(!journal_open(dup(fd), &err));
	CHECK(!begin(fd, own));
	/* Of no use: there is nothing to go on behind. */
	CHECK(!is(fd, own));
	CHECK_EQ(count(fd, &progress), 0);
	CHECK_EQ(progress, 0);
	close(fd);
}

static void test_one_begun_anew(void)
{
	int fd = new_file();
	uint64_t progress;

	fill(fd, 20);
	CHECK(!begin(fd, other));
	CHECK_EQ(count(fd, &progress), 0);
	close(fd);
}

/* Cut at every byte: whole records stay, and what is added then follows. */
static void test_torn(void)
{
	uint64_t progress;
	struct stat st;
	unsigned most = 0;
	int whole = new_file();

	fill(whole, 30);
	CHECK(!fstat(whole, &st));
	for (off_t cut = st.st_size; cut >= HEADER; cut--) {
		struct journal *journal;
		unsigned char bytes[64];
		unsigned found;
		struct err err;
		int fd = new_file();

		fill(fd, 30);
		CHECK(!ftruncate(fd, cut));
		found = count(fd, &progress);
		CHECK(found <= 30 && found + 1 >= most);
		CHECK(cut == st.st_size || found < 30);
		most = found;
		journal = journal_open(dup(fd), &err);
		CHECK(journal_progress(journal) == progress);
		while (journal_next(journal, &(const unsigned char *){ NULL },
				    &(size_t){ 0 }, &err) > 0)
			;
		CHECK(!journal_add(journal, bytes, record_of(found, bytes), 1,
				   &err));
		CHECK(!journal_sync(journal, &err));
		journal_close(journal);
		CHECK_EQ(count(fd, &progress), found + 1);
		close(fd);
	}
	CHECK_EQ(most, 0);
	close(whole);
}

static void flip(int fd, off_t at)
{
	unsigned char byte;

	CHECK(pread(fd, &byte, 1, at) == 1);
	byte ^= 0x10;
	CHECK(pwrite(fd, &byte, 1, at) == 1);
}

/* Any byte changed: the records before it stay, none after it. */
static void test_damaged(void)
{
	uint64_t progress;
	struct stat st;
	unsigned last = 0;
	int fd = new_file();

	fill(fd, 12);
	CHECK(!fstat(fd, &st));
	for (off_t at = HEADER; at < st.st_size; at++) {
		unsigned found;

		fill(fd, 12);
		flip(fd, at);
		found = count(fd, &progress);
		/* Only what pads a record may be anything. */
		CHECK(found == 12 || (found >= last && found <= last + 1));
		if (found < 12)
			last = found;
	}
	CHECK_EQ(last, 11);
	close(fd);
}

/* A valid record is valid in its place alone. */
static void test_moved(void)
{
	unsigned char bytes[2 * (16 + 24)];
	struct err err;
	int fd = new_file();
	struct journal *journal;

	CHECK(!begin(fd, own));
	journal = journal_open(dup(fd), &err);
	for (unsigned i = 0; i < 2; i++) {
		memset(bytes, (int)i, 24);
		CHECK(!journal_add(journal, bytes, 24, 1, &err));
	}
	CHECK(!journal_sync(journal, &err));
	journal_close(journal);
	CHECK(pread(fd, bytes, sizeof bytes, HEADER) == sizeof bytes);
	CHECK(pwrite(fd, bytes + 40, 40, HEADER) == 40);
	journal = journal_open(dup(fd), &err);
	CHECK_EQ(journal_progress(journal), 0);
	journal_close(journal);
	/* And the first one twice. */
	CHECK(!begin(fd, own));
	CHECK(pwrite(fd, bytes, 40, HEADER) == 40);
	CHECK(pwrite(fd, bytes, 40, HEADER + 40) == 40);
	journal = journal_open(dup(fd), &err);
	CHECK_EQ(journal_progress(journal), 1);
	journal_close(journal);
	close(fd);
}

static void test_other_header(void)
{
	struct err err;
	int fd = new_file();

	for (off_t at = 0; at < HEADER; at++) {
		fill(fd, 3);
		flip(fd, at);
		CHECK(!is(fd, own));
		CHECK(!journal_open(dup(fd), &err));
	}
	close(fd);
}

static void test_void(void)
{
	int fd = new_file();
	struct err err;
	struct journal *journal;

	fill(fd, 5);
	journal = journal_open(dup(fd), &err);
	CHECK(!journal_void(journal, &err));
	journal_close(journal);
	CHECK(!is(fd, own));
	close(fd);
}

static void test_lengths(void)
{
	AUTO_FREE unsigned char *bytes = mem_zalloc(JOURNAL_PAYLOAD_MAX + 1);
	const unsigned char *payload;
	int fd = new_file();
	struct err err;
	size_t len;
	struct journal *journal;

	CHECK(!begin(fd, own));
	journal = journal_open(dup(fd), &err);
	CHECK(journal_add(journal, bytes, 0, 0, &err) < 0);
	CHECK(journal_add(journal, bytes, JOURNAL_PAYLOAD_MAX + 1, 0, &err) <
	      0);
	for (unsigned i = 0; i < 5; i++)
		CHECK(!journal_add(journal, bytes, JOURNAL_PAYLOAD_MAX, 0,
				   &err));
	CHECK(!journal_sync(journal, &err));
	journal_close(journal);
	journal = journal_open(dup(fd), &err);
	for (unsigned i = 0; i < 5; i++) {
		CHECK(journal_next(journal, &payload, &len, &err) == 1);
		CHECK_EQ(len, JOURNAL_PAYLOAD_MAX);
	}
	CHECK(journal_next(journal, &payload, &len, &err) == 0);
	journal_close(journal);
	close(fd);
}

/* Its argument, or NULL after a failure: checks are counted by one thread. */
static void *add_many(void *opaque)
{
	unsigned char bytes[40] = "from a thread";
	struct err err;

	for (unsigned i = 0; i < ADDED; i++)
		if (journal_add(opaque, bytes, sizeof bytes, 1 << 20, &err) ||
		    journal_turn(opaque, &err))
			return NULL;
	return opaque;
}

/* Checkpoints while others add: nothing is lost, nothing is torn. */
static void test_threads(void)
{
	pthread_t thread[THREADS];
	int fd = new_file(), guarded = new_file();
	struct journal *journal;
	struct stat st;
	struct err err;

	CHECK(!begin(fd, own));
	journal = journal_open(dup(fd), &err);
	journal_guard(journal, guarded);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&thread[i], NULL, add_many, journal));
	for (unsigned i = 0; i < THREADS; i++) {
		void *result;

		CHECK(!pthread_join(thread[i], &result) && result);
	}
	/* The first ones without waiting for the end. */
	CHECK(!fstat(fd, &st) && st.st_size > HEADER);
	CHECK(!journal_sync(journal, &err));
	journal_close(journal);
	journal = journal_open(dup(fd), &err);
	CHECK_EQ(journal_progress(journal), (uint64_t)THREADS * ADDED << 20);
	journal_close(journal);
	close(guarded);
	close(fd);
}

/* What the records stand for did not get there: nor do they. */
static void test_failed_sync(void)
{
	int fd = new_file(), pair[2];
	unsigned char byte = 1;
	uint64_t progress;
	struct err err;
	struct journal *journal;

	CHECK(!pipe(pair)); /* cannot be synced */
	CHECK(!begin(fd, own));
	journal = journal_open(dup(fd), &err);
	journal_guard(journal, pair[1]);
	CHECK(!journal_add(journal, &byte, 1, 1, &err));
	CHECK(journal_sync(journal, &err) < 0);
	CHECK_EQ(err.kind, ERR_IO);
	/* Nor is it tried again. */
	close(pair[1]);
	CHECK(dup2(fd, pair[1]) == pair[1]);
	CHECK(!journal_add(journal, &byte, 1, 1, &err));
	CHECK(journal_sync(journal, &err) < 0);
	journal_close(journal);
	CHECK_EQ(count(fd, &progress), 0);
	close(pair[0]);
	close(pair[1]);
	close(fd);
}

int main(void)
{
	test_round_trip();
	test_nothing_in_it();
	test_one_begun_anew();
	test_torn();
	test_damaged();
	test_moved();
	test_other_header();
	test_void();
	test_lengths();
	test_threads();
	test_failed_sync();
	return check_result();
}
