/* SPDX-License-Identifier: MIT */
/*
 * The journal of a run that may be interrupted: what of the output is done,
 * so that a later run need not do it again. It says nothing of what a record
 * means; who makes them reads them.
 *
 *   header   "imgcjrnl", version, identity of the run, CRC
 *   record   length, CRC, progress; payload; zeros up to the next 8 bytes
 *   ...
 *
 * All numbers are little-endian. A record's CRC goes on from the one before,
 * so each is valid in its place alone, and the first that is not is where the
 * journal ends: what a power cut or a kill tore off is cut off.
 *
 * A record is written when the bytes it stands for are on the medium: each
 * checkpoint is an fdatasync of the output, then the records.
 */
#ifndef IO_JOURNAL_H
#define IO_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/digest.h"

struct journal;

/* Of one payload; whoever writes longer ones splits what it does. */
#define JOURNAL_PAYLOAD_MAX ((size_t)131072)

/* Has `fd` the header of a journal of this run, and something behind it? 1, 0,
 * or -1: it cannot be read. */
int journal_is(int fd, const unsigned char identity[DIGEST_LEN],
	       struct err *err);
/* An empty one, of an empty `output`: whatever both held is gone, and at no
 * time, also after a power cut, does a journal speak of what is not there. */
int journal_begin(int fd, int output, const unsigned char identity[DIGEST_LEN],
		  struct err *err);

/* The records of `fd` (taken, positioned anywhere), which has a header. What is
 * torn off at the end is cut off. */
struct journal *journal_open(int take_fd, struct err *err);
/* Accepts NULL, returns NULL. Records of no checkpoint are lost. */
struct journal *journal_close(struct journal *journal);

/* Bytes of progress of all records that were there. */
uint64_t journal_progress(const struct journal *journal);

/* The next record that was there: 1, and the payload is borrowed until the next
 * call; 0: there is none (any more); -1. From one thread at a time. */
int journal_next(struct journal *journal, const unsigned char **payload,
		 size_t *len, struct err *err);

/* The file whose bytes records stand for; borrowed, as long as records are
 * added. Two at most. */
void journal_guard(struct journal *journal, int fd);

/* `progress` bytes of the output are written, though perhaps not on the medium
 * yet. From any thread, when all that was there has been read. */
int journal_add(struct journal *journal, const void *payload, size_t len,
		uint64_t progress, struct err *err);
/* Makes a checkpoint of all that was added if it is time, and no other thread
 * makes one. ERR_IO. */
int journal_turn(struct journal *journal, struct err *err);
/* The same, whether or not it is time, and waits for the others. */
int journal_sync(struct journal *journal, struct err *err);
/* From here on nothing can be gone on with: the journal is empty, also after a
 * power cut, and has no header. */
int journal_void(struct journal *journal, struct err *err);

#endif
