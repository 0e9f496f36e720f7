/* SPDX-License-Identifier: MIT */
/* What the units of the codecs share: byte strings, and whole files through
 * the stream face. */
#ifndef TESTS_CODEC_TOOLS_H
#define TESTS_CODEC_TOOLS_H

#include "base/limits.h"
#include "base/mem.h"
#include "formats/codecs/wrap.h"
#include "io/files.h"
#include "tests/unit/check.h"
#include "tests/unit/fakes.h"
#include "tests/unit/sequence.h"

struct text {
	unsigned char *at;
	size_t len;
};

static inline struct text text_new(size_t len)
{
	return (struct text){ mem_zalloc(len), len };
}

static inline void text_free(struct text *text)
{
	free(text->at);
	*text = (struct text){ NULL, 0 };
}

static inline struct text text_copy(const void *at, size_t len)
{
	struct text text = text_new(len);

	if (len)
		memcpy(text.at, at, len);
	return text;
}

/* b behind a, in a new one. */
static inline struct text text_join(struct text a, struct text b)
{
	struct text text = text_new(a.len + b.len);

	if (a.len)
		memcpy(text.at, a.at, a.len);
	if (b.len)
		memcpy(text.at + a.len, b.at, b.len);
	return text;
}

static inline bool text_same(struct text a, struct text b)
{
	return a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len));
}

/* Words in a random order: neither trivial nor incompressible. */
static inline struct text text_words(size_t len)
{
	static const char *const words[] = { "block ", "frame ", "member ",
					     "a\n",    "index ", "12345",
					     "\0\0\0", "stream " };
	struct text text = text_new(len);
	uint64_t seed = 88172645463325252u;
	size_t at = 0;

	while (at < len) {
		seed = sequence64(seed);
		const char *word = words[seed & 7];
		for (size_t i = 0; at < len && word[i]; i++)
			text.at[at++] = (unsigned char)word[i];
		if (at < len && !(seed & 0xf00))
			text.at[at++] = (unsigned char)(seed >> 32);
	}
	return text;
}

static inline struct text text_noise(size_t len)
{
	struct text text = text_new(len);
	uint64_t seed = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < len; i++) {
		seed = sequence64(seed);
		text.at[i] = (unsigned char)(seed >> 24);
	}
	return text;
}

/* The whole file that our encoder makes. */
static inline struct text codec_encode(enum codec_id id, struct text in,
				       int level, unsigned threads)
{
	struct err err = { .message = "" };
	struct sink *memory = files_memory_sink();
	struct sink *sink = wrap_encode(id, memory, level, threads, &err);
	struct text out = { NULL, 0 };
	size_t len;

	bool done = sink && !sink_write(sink, in.at, in.len, 0, &err) &&
		    !sink_finish(sink, in.len, &err);
	if (!done)
		CHECK_STR(err.message, "no error");
	CHECK(done);
	if (done) {
		const unsigned char *bytes = files_memory_bytes(memory, &len);

		out = text_copy(bytes, len);
	}
	sink_close(sink);
	return out;
}

/* All that decodes of `inner`, with the checks at the end; true if good. */
static inline bool codec_read(enum codec_id id, struct source *inner,
			      unsigned threads, struct text *out,
			      struct err *err)
{
	struct source *source = wrap_decode(id, inner, threads, 64 * MIB, err);
	size_t room = 65536, got = 1;
	bool good = source;

	*out = text_new(room);
	out->len = 0;
	while (good && got) {
		if (room - out->len < 4096) {
			room *= 2;
			out->at = mem_resize(out->at, room, 1);
		}
		good = !source_read(source, out->at + out->len, room - out->len,
				    out->len, &got, err);
		out->len += got;
	}
	good = good && !source_finish(source, err);
	source_close(source);
	return good;
}

static inline bool codec_decode(enum codec_id id, struct text in,
				unsigned threads, struct text *out,
				struct err *err)
{
	struct source *inner = files_memory_source(in.at, in.len);
	bool good = codec_read(id, inner, threads, out, err);

	source_close(inner);
	return good;
}

/* `in` decodes to `wanted`. */
static inline void codec_expect(enum codec_id id, struct text in,
				struct text wanted)
{
	for (unsigned threads = 1; threads <= 2; threads++) {
		struct err err = { .message = "" };
		struct text out;

		if (!codec_decode(id, in, threads, &out, &err))
			CHECK_STR(err.message, "no error");
		CHECK(text_same(out, wanted));
		text_free(&out);
	}
}

/* `in` does not decode: this kind of error, and this in its message. */
static inline void codec_refuse(enum codec_id id, struct text in,
				enum err_kind kind, const char *part)
{
	for (unsigned threads = 1; threads <= 2; threads++) {
		struct err err = { .message = "" };
		struct text out;

		CHECK(!codec_decode(id, in, threads, &out, &err));
		CHECK_EQ(err.kind, kind);
		if (!strstr(err.message, part))
			CHECK_STR(err.message, part);
		text_free(&out);
	}
}

#endif
