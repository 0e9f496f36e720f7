/* SPDX-License-Identifier: MIT */
/* Owns the records of encoded blocks, and the check of what they speak of. Does
 * not encode. */
#include "formats/codecs/wrap_journal.h"

#include "base/bytes.h"
#include "formats/codecs/codec.h"

#define NOTE_LEN 12

int wrap_journal_add(struct journal *journal, size_t len,
		     const unsigned char *code, size_t code_len,
		     struct err *err)
{
	unsigned char note[NOTE_LEN];

	bytes_put_le32(note, (uint32_t)len);
	bytes_put_le32(note + 4, (uint32_t)code_len);
	bytes_put_le32(note + 8, codec_crc32(0, code, code_len));
	return journal_add(journal, note, sizeof note, len, err)
		       ? -1
		       : journal_turn(journal, err);
}

static int misfit(uint64_t at, struct err *err)
{
	return err_set(err, ERR_DAMAGED,
		       "what an earlier run wrote at %llu is not what it noted "
		       "of it, and was removed; run it again",
		       (unsigned long long)at);
}

int wrap_journal_next(struct journal *journal, struct sink *sink, uint64_t at,
		      size_t len, unsigned char *code, size_t room,
		      size_t *code_len, struct err *err)
{
	const unsigned char *note;
	size_t note_len;
	int got = journal_next(journal, &note, &note_len, err);

	if (got <= 0)
		return got;
	if (note_len != NOTE_LEN || bytes_le32(note) != len ||
	    bytes_le32(note + 4) > room)
		return misfit(at, err);
	*code_len = bytes_le32(note + 4);
	if (sink_read(sink, code, *code_len, at, err))
		return -1;
	return codec_crc32(0, code, *code_len) == bytes_le32(note + 8)
		       ? 1
		       : misfit(at, err);
}
