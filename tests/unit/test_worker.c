/* SPDX-License-Identifier: MIT */
/*
 * What a worker says, as a taken-over one might say it: lengths, texts without
 * an end, numbers outside their enums. And the worker itself, spoken to over
 * its socket: what it may not be asked, and that it never does more than
 * answer.
 */
#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"
#include "check.h"
#include "io/channel.h"
#include "transforms/protocol.h"
#include "transforms/worker.h"

static const struct {
	uint32_t type;
	size_t len;
} messages[] = {
	{ PROTOCOL_NEED, sizeof(struct protocol_need) },
	{ PROTOCOL_IMAGE, sizeof(struct image) },
	{ PROTOCOL_REFER, sizeof(struct protocol_refer) },
	{ PROTOCOL_NOTE, sizeof(struct protocol_note) },
	{ PROTOCOL_PROGRESS, sizeof(struct protocol_progress) },
	{ PROTOCOL_STEP, sizeof(struct protocol_name) },
	{ PROTOCOL_FACTS, sizeof(struct facts) },
	{ PROTOCOL_FINDING, sizeof(struct protocol_name) },
	{ PROTOCOL_VERDICT, sizeof(struct judgement) },
	{ PROTOCOL_DONE, sizeof(struct protocol_done) },
	{ PROTOCOL_POSTURE, sizeof(struct sandbox_posture) },
};

static void test_lengths(void)
{
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		AUTO_FREE unsigned char *body =
			mem_zalloc(messages[i].len + 1);
		struct err err;

		CHECK(!protocol_check(messages[i].type, body, messages[i].len,
				      &err));
		CHECK(protocol_check(messages[i].type, body,
				     messages[i].len - 1, &err) < 0);
		CHECK_EQ(err.kind, ERR_BUG);
		CHECK(protocol_check(messages[i].type, body,
				     messages[i].len + 1, &err) < 0);
		CHECK(protocol_check(messages[i].type, NULL, 0, &err) < 0);
	}
}

static void test_types(void)
{
	struct err err;

	/* The conductor's own words, and nobody's. */
	for (uint32_t type = 0; type < PROTOCOL_NEED; type++)
		CHECK(protocol_check(type, NULL, 0, &err) < 0);
	CHECK(protocol_check(PROTOCOL_DONE + 1, NULL, 0, &err) < 0);
	CHECK(protocol_check(~0U, NULL, 0, &err) < 0);
	CHECK(!protocol_check(PROTOCOL_EXTENTS, NULL, 0, &err));
}

static bool printable(const char *text, size_t room)
{
	size_t i;

	for (i = 0; i < room && text[i]; i++)
		if ((unsigned char)text[i] < 0x20)
			return false;
	return i < room;
}

/* Every byte the worst: no end anywhere, or a terminal's escape. */
static void test_texts(void)
{
	static const int bytes[] = { 0xff, 'x', 0x1b };

	for (size_t b = 0; b < 3; b++) {
		for (size_t i = 0; i < sizeof messages / sizeof *messages;
		     i++) {
			AUTO_FREE unsigned char *body =
				mem_buffer(messages[i].len);
			struct err err;

			memset(body, bytes[b], messages[i].len);
			CHECK(!protocol_check(messages[i].type, body,
					      messages[i].len, &err));
			struct image *image = (void *)body;
			struct facts *facts = (void *)body;
			struct judgement *verdict = (void *)body;
			struct protocol_done *done = (void *)body;
			struct protocol_note *note = (void *)body;
			struct protocol_name *name = (void *)body;
			struct protocol_refer *refer = (void *)body;
			switch (messages[i].type) {
			case PROTOCOL_IMAGE:
				CHECK(image->layers <= LIMIT_COMPRESSIONS);
				CHECK(printable(image->format,
						sizeof image->format));
				CHECK(printable(image->used_by,
						sizeof image->used_by));
				CHECK(printable(image->report.conflict,
						sizeof image->report.conflict));
				for (unsigned k = 0; k < LIMIT_COMPRESSIONS;
				     k++)
					CHECK(printable(image->layer[k].tag,
							8));
				break;
			case PROTOCOL_VERDICT:
				CHECK(verdict->image.layers <=
				      LIMIT_COMPRESSIONS);
				CHECK(verdict->facts.count <= FACTS_MAX);
				CHECK(verdict->glance.count <= FACTS_MAX);
				CHECK(verdict->count <= REASON_COUNT);
				for (unsigned k = 0; k < REASON_COUNT; k++)
					CHECK(verdict->reason[k].code <
						      REASON_COUNT &&
					      printable(verdict->reason[k].text,
							1024));
				break;
			case PROTOCOL_FACTS:
				CHECK(facts->count <= FACTS_MAX);
				for (unsigned k = 0; k < facts->count; k++)
					CHECK(memchr(facts->fact[k].text, 0,
						     256) &&
					      printable(facts->fact[k].name,
							40));
				break;
			case PROTOCOL_DONE:
				CHECK((unsigned)done->err.kind <
				      ERR_INTERRUPTED);
				CHECK(!done->err.signal);
				CHECK(printable(done->err.message,
						ERR_MESSAGE_LEN));
				break;
			case PROTOCOL_NOTE:
				CHECK(printable(note->text, 1024));
				break;
			case PROTOCOL_STEP:
			case PROTOCOL_FINDING:
				CHECK(printable(name->text, LIMIT_NAME_LEN));
				break;
			case PROTOCOL_REFER:
				CHECK(memchr(refer->name, 0, LIMIT_NAME_LEN));
				break;
			default:
				break;
			}
		}
	}
}

static void test_extents(void)
{
	struct protocol_extent list[3];
	struct err err;

	memset(list, 0xff, sizeof list);
	/* A piece of one at the end is not looked at. */
	CHECK(!protocol_check(PROTOCOL_EXTENTS, list, sizeof list - 1, &err));
	CHECK(!list[0].file[63] && !list[1].file[63]);
	CHECK_EQ((unsigned char)list[2].file[63], 0xff);
}

/* ---- the worker, over its socket ---- */

static void *be_worker(void *channel)
{
	/* A thread cannot be closed in by itself. */
	const struct worker_terms terms = { .sandbox.mode = SANDBOX_OFF };

	worker_main(*(int *)channel, &terms);
	return NULL;
}

/* Answer NEED out of `bytes` until something else comes. */
static void converse(int channel, const char *bytes, size_t len,
		     struct channel_message *message)
{
	struct err err;

	for (;;) {
		struct protocol_need need;
		size_t have;

		CHECK_EQ(channel_receive(channel, message, &err), 1);
		if (message->type == PROTOCOL_NOTE) {
			channel_message_clear(message);
			continue;
		}
		if (message->type != PROTOCOL_NEED)
			return;
		memcpy(&need, message->body, sizeof need);
		have = need.offset < len ? len - need.offset : 0;
		if (have > need.len)
			have = need.len;
		CHECK(!channel_send(channel, PROTOCOL_BYTES,
				    bytes + (have ? need.offset : 0), have, -1,
				    &err));
		channel_message_clear(message);
	}
}

static void test_worker(void)
{
	static char guest[70000];
	struct protocol_input about = { .seekable = true,
					.size = sizeof guest };
	struct channel_message message;
	struct err err;
	pthread_t thread;
	int pair[2];

	memset(guest, 'g', sizeof guest);
	CHECK(!channel_pair(pair, &err));
	CHECK(!pthread_create(&thread, NULL, be_worker, &pair[1]));
	converse(pair[0], guest, sizeof guest, &message);
	CHECK_EQ(message.type, PROTOCOL_POSTURE);
	channel_message_clear(&message);
	/* Out of turn: an error, not a crash. */
	CHECK(!channel_send(pair[0], PROTOCOL_PROBE, NULL, 0, -1, &err));
	converse(pair[0], guest, sizeof guest, &message);
	CHECK_EQ(message.type, PROTOCOL_DONE);
	CHECK_EQ(((struct protocol_done *)message.body)->err.kind, ERR_BUG);
	channel_message_clear(&message);
	CHECK(!channel_send(pair[0], PROTOCOL_INPUT, &about, sizeof about, -1,
			    &err));
	CHECK(!channel_send(pair[0], PROTOCOL_PROBE, NULL, 0, -1, &err));
	converse(pair[0], guest, sizeof guest, &message);
	CHECK_EQ(message.type, PROTOCOL_IMAGE);
	CHECK(!protocol_check(message.type, message.body, message.len, &err));
	CHECK_STR(((struct image *)message.body)->format, "raw");
	CHECK_EQ(((struct image *)message.body)->size, sizeof guest);
	channel_message_clear(&message);
	/* Nothing was handed over that it could look into. */
	CHECK(!channel_send(pair[0], PROTOCOL_MAP, NULL, 0, -1, &err));
	converse(pair[0], guest, sizeof guest, &message);
	CHECK_EQ(message.type, PROTOCOL_DONE);
	CHECK(((struct protocol_done *)message.body)->err.kind != ERR_NONE);
	channel_message_clear(&message);
	/* It ends when nobody speaks to it any more. */
	close(pair[0]);
	pthread_join(thread, NULL);
}

int main(void)
{
	alarm(60);
	test_lengths();
	test_types();
	test_texts();
	test_extents();
	test_worker();
	return check_result();
}
