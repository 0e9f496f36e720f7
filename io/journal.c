/* SPDX-License-Identifier: MIT */
/* Owns the journal's bytes, their checks, and when they are written. Does not
 * know what a record says, nor the file's name. */
#include "io/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/digest_crc.h"

#define VERSION 1
#define MAGIC "imgcjrnl"
/* 0 magic, 8 version, 12 zero, 16 identity, 48 zero, 60 CRC of the rest */
#define HEADER_LEN 64
#define HEADER_VERSION 8
#define HEADER_IDENTITY 16
#define HEADER_CRC 60
/* 0 length of the payload, 4 CRC of the other 12 bytes and the payload, 8
 * progress */
#define RECORD_LEN 16
#define ALIGNMENT 8

/* A checkpoint is due after so much progress, or so long after the last one. */
#define DUE_BYTES ((uint64_t)(64 * MIB))
#define DUE_NS ((int64_t)1000000000)

/* Read at once: more than the longest record. */
#define WINDOW_LEN ((size_t)(256 * KIB))

struct bytes {
	unsigned char *at;
	size_t len, room;
};

struct journal {
	int fd;
	int guarded[2];
	unsigned guards;
	/* Reading: the next record is at `position`, the last ends at `end`. */
	uint64_t position, end, progress;
	uint32_t read_crc;
	unsigned char *window; /* WINDOW_LEN: of the file, from window_at on */
	uint64_t window_at;
	size_t window_len;
	/* Adding. */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t idle;
	struct bytes added, writing;
	uint32_t crc; /* of the last record added */
	uint64_t since; /* progress added after the last checkpoint */
	int64_t time;	/* of that */
	bool busy;	/* a thread is making one */
	bool failed;	/* one failed; what it would have said nobody knows */
	struct digest_crc sum;
};

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static uint32_t crc_of(struct digest_crc *sum, uint32_t crc, const void *bytes,
		       size_t len)
{
	sum->crc = crc;
	digest_crc_add(sum, bytes, len);
	return sum->crc;
}

/* All of it, or fewer at the end of the file; -1 with errno. */
static ssize_t read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	unsigned char *next = buf;
	size_t done = 0;

	/* Ends: each pread reads something or is the last. */
	while (done < len) {
		ssize_t n = pread(fd, next + done, len - done,
				  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int write_at(int fd, const unsigned char *bytes, size_t len,
		    uint64_t offset, struct err *err)
{
	/* Ends: each pwrite writes something or fails. */
	while (len) {
		ssize_t n = pwrite(fd, bytes, len, (off_t)offset);

		if (!n)
			errno = EIO;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, ERR_IO,
				       "cannot write the journal");
		bytes += n;
		len -= (size_t)n;
		offset += (size_t)n;
	}
	return 0;
}

static int cut(int fd, uint64_t len, const char *what, struct err *err)
{
	int result;

	do
		result = ftruncate(fd, (off_t)len);
	while (result && errno == EINTR);
	return result ? err_sys(err, ERR_IO, "cannot cut %s", what) : 0;
}

/* For good. */
static int empty(int fd, struct err *err)
{
	if (cut(fd, 0, "the journal", err))
		return -1;
	return fdatasync(fd) ? err_sys(err, ERR_IO,
				       "the journal did not reach the disk")
			     : 0;
}

/* A record's, with a payload of `len` bytes. */
static size_t whole_len(size_t len)
{
	return RECORD_LEN + (size_t)round_up(len, ALIGNMENT);
}

/* ---- the header ---- */

static uint32_t header_crc(const unsigned char header[HEADER_LEN])
{
	struct digest_crc sum;

	digest_crc_init(&sum);
	return crc_of(&sum, 0, header, HEADER_CRC);
}

static void make_header(const unsigned char identity[DIGEST_LEN],
			unsigned char header[HEADER_LEN])
{
	memset(header, 0, HEADER_LEN);
	memcpy(header, MAGIC, sizeof MAGIC - 1);
	bytes_put_le32(header + HEADER_VERSION, VERSION);
	memcpy(header + HEADER_IDENTITY, identity, DIGEST_LEN);
	bytes_put_le32(header + HEADER_CRC, header_crc(header));
}

static int cannot_read(struct err *err)
{
	return err_sys(err, ERR_IO, "cannot read the journal");
}

int journal_is(int fd, const unsigned char identity[DIGEST_LEN],
	       struct err *err)
{
	unsigned char is[HEADER_LEN + 1], wanted[HEADER_LEN];
	ssize_t got = read_at(fd, is, sizeof is, 0);

	make_header(identity, wanted);
	if (got < 0)
		return cannot_read(err);
	return got == sizeof is && !memcmp(is, wanted, sizeof wanted);
}

int journal_begin(int fd, int output, const unsigned char identity[DIGEST_LEN],
		  struct err *err)
{
	unsigned char header[HEADER_LEN];

	make_header(identity, header);
	return empty(fd, err) || cut(output, 0, "the output", err)
		       ? -1
		       : write_at(fd, header, sizeof header, 0, err);
}

/* ---- reading ---- */

/* `len` bytes at `position`; NULL where the file ends before that, or with
 * *failed. */
static const unsigned char *look(struct journal *journal, size_t len,
				 bool *failed)
{
	uint64_t skip = journal->position - journal->window_at;
	ssize_t got;

	*failed = false;
	if (journal->position >= journal->window_at &&
	    checked_inside(skip, len, journal->window_len))
		return journal->window + skip;
	got = read_at(journal->fd, journal->window, WINDOW_LEN,
		      journal->position);
	*failed = got < 0;
	journal->window_at = journal->position;
	journal->window_len = got < 0 ? 0 : (size_t)got;
	return len <= journal->window_len ? journal->window : NULL;
}

/* The record at `position`, whole and valid: its payload. NULL where the journal
 * ends, or with *failed. */
static const unsigned char *read_record(struct journal *journal, size_t *len,
					uint64_t *progress, bool *failed)
{
	const unsigned char *record = look(journal, RECORD_LEN, failed);
	uint32_t crc;

	*len = record ? bytes_le32(record) : 0;
	if (!*len || *len > JOURNAL_PAYLOAD_MAX)
		return NULL;
	record = look(journal, whole_len(*len), failed);
	if (!record)
		return NULL;
	crc = crc_of(&journal->sum, journal->read_crc, record, 4);
	crc = crc_of(&journal->sum, crc, record + 8, RECORD_LEN - 8 + *len);
	if (crc != bytes_le32(record + 4))
		return NULL;
	journal->read_crc = crc;
	journal->position += whole_len(*len);
	*progress = bytes_le64(record + 8);
	return record + RECORD_LEN;
}

static void rewind_to_first(struct journal *journal, uint32_t header)
{
	journal->position = HEADER_LEN;
	journal->read_crc = header;
}

/* Find the end, and cut off what is behind it. */
static int scan(struct journal *journal, uint32_t header, struct err *err)
{
	uint64_t progress;
	bool failed;
	size_t len;

	rewind_to_first(journal, header);
	/* Ends: each record is a part of the file. */
	while (read_record(journal, &len, &progress, &failed))
		if (!checked_add(journal->progress, progress,
				 &journal->progress))
			journal->progress = UINT64_MAX;
	if (failed)
		return cannot_read(err);
	journal->end = journal->position;
	journal->crc = journal->read_crc;
	if (cut(journal->fd, journal->end, "the journal", err))
		return -1;
	rewind_to_first(journal, header);
	return 0;
}

struct journal *journal_open(int take_fd, struct err *err)
{
	struct journal *journal = mem_zalloc(sizeof *journal);
	unsigned char header[HEADER_LEN];
	ssize_t got;

	journal->fd = take_fd;
	journal->window = mem_buffer(WINDOW_LEN);
	digest_crc_init(&journal->sum);
	pthread_mutex_init(&journal->lock, NULL);
	pthread_cond_init(&journal->idle, NULL);
	journal->time = now();
	got = read_at(take_fd, header, sizeof header, 0);
	if (got < 0) {
		cannot_read(err);
		return journal_close(journal);
	}
	if (got != sizeof header ||
	    bytes_le32(header + HEADER_CRC) != header_crc(header)) {
		err_set(err, ERR_BUG, "a journal without a header");
		return journal_close(journal);
	}
	if (scan(journal, header_crc(header), err) < 0)
		return journal_close(journal);
	return journal;
}

struct journal *journal_close(struct journal *journal)
{
	if (!journal)
		return NULL;
	pthread_cond_destroy(&journal->idle);
	pthread_mutex_destroy(&journal->lock);
	free(journal->added.at);
	free(journal->writing.at);
	free(journal->window);
	close(journal->fd);
	free(journal);
	return NULL;
}

uint64_t journal_progress(const struct journal *journal)
{
	return journal->progress;
}

int journal_next(struct journal *journal, const unsigned char **payload,
		 size_t *len, struct err *err)
{
	uint64_t progress;
	bool failed;

	if (journal->position >= journal->end)
		return 0;
	*payload = read_record(journal, len, &progress, &failed);
	return *payload ? 1
			: err_set(err, ERR_IO,
				  "the journal changed while it was read");
}

/* ---- adding ---- */

void journal_guard(struct journal *journal, int fd)
{
	if (fd >= 0 && journal->guards < 2)
		journal->guarded[journal->guards++] = fd;
}

/* With the lock held. */
static void append(struct journal *journal, const void *payload, size_t len,
		   uint64_t progress)
{
	struct bytes *added = &journal->added;
	size_t whole = whole_len(len);
	unsigned char *record;
	uint32_t crc;

	if (added->len + whole > added->room) {
		added->room = (size_t)max_u64(added->len + whole,
					      2 * added->room);
		added->at = mem_resize(added->at, added->room, 1);
	}
	record = added->at + added->len;
	memset(record, 0, whole);
	bytes_put_le32(record, (uint32_t)len);
	bytes_put_le64(record + 8, progress);
	memcpy(record + RECORD_LEN, payload, len);
	crc = crc_of(&journal->sum, journal->crc, record, 4);
	crc = crc_of(&journal->sum, crc, record + 8, RECORD_LEN - 8 + len);
	bytes_put_le32(record + 4, crc);
	journal->crc = crc;
	added->len += whole;
	journal->since += progress;
}

/* With the lock held, which is given up meanwhile. */
static int checkpoint(struct journal *journal, struct err *err)
{
	struct bytes *writing = &journal->writing, empty = *writing;
	int result = 0;

	/* After a failed sync the next one may say that all is well. */
	if (journal->failed)
		return err_set(err, ERR_IO, "the journal was given up");
	*writing = journal->added;
	journal->added = empty;
	journal->added.len = 0;
	journal->since = 0;
	journal->busy = true;
	pthread_mutex_unlock(&journal->lock);
	for (unsigned i = 0; i < journal->guards && !result; i++)
		if (fdatasync(journal->guarded[i]))
			result = err_sys(err, ERR_IO,
					 "the output did not reach the disk");
	if (!result)
		result = write_at(journal->fd, writing->at, writing->len,
				  journal->end, err);
	pthread_mutex_lock(&journal->lock);
	journal->end += writing->len;
	journal->time = now();
	journal->busy = false;
	journal->failed = result < 0;
	pthread_cond_broadcast(&journal->idle);
	return result;
}

int journal_add(struct journal *journal, const void *payload, size_t len,
		uint64_t progress, struct err *err)
{
	if (!len || len > JOURNAL_PAYLOAD_MAX)
		return err_set(err, ERR_BUG, "a record of %zu bytes", len);
	pthread_mutex_lock(&journal->lock);
	append(journal, payload, len, progress);
	pthread_mutex_unlock(&journal->lock);
	return 0;
}

int journal_turn(struct journal *journal, struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&journal->lock);
	if (!journal->busy && journal->added.len &&
	    (journal->since >= DUE_BYTES || now() - journal->time >= DUE_NS))
		result = checkpoint(journal, err);
	pthread_mutex_unlock(&journal->lock);
	return result;
}

int journal_sync(struct journal *journal, struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&journal->lock);
	/* Ends: one that was begun is done some time. */
	while (journal->busy)
		pthread_cond_wait(&journal->idle, &journal->lock);
	if (journal->added.len)
		result = checkpoint(journal, err);
	pthread_mutex_unlock(&journal->lock);
	return result;
}

int journal_void(struct journal *journal, struct err *err)
{
	return empty(journal->fd, err);
}
