/* SPDX-License-Identifier: MIT */
/* What the encoding pipeline notes in a journal (io/journal.h): a record a
 * block, with the lengths of its bytes and of its code and the CRC of that. */
#ifndef FORMATS_CODECS_WRAP_JOURNAL_H
#define FORMATS_CODECS_WRAP_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/journal.h"
#include "io/sink.h"

/* `len` bytes became `code_len` bytes of `code`, and were written. May make a
 * checkpoint. */
int wrap_journal_add(struct journal *journal, size_t len,
		     const unsigned char *code, size_t code_len,
		     struct err *err);

/* The code that an earlier run wrote at `at` of `sink` for the next `len` bytes,
 * at most `room` of it: 1, and it is in `code`; 0: it did not come that far; -1,
 * ERR_DAMAGED: it is not what was noted. */
int wrap_journal_next(struct journal *journal, struct sink *sink, uint64_t at,
		      size_t len, unsigned char *code, size_t room,
		      size_t *code_len, struct err *err);

#endif
