/* SPDX-License-Identifier: MIT */
/* Owns what is to be checked of a worker's words before anything is done with
 * them. Does not know what is done with them. */
#include "transforms/protocol.h"

#include "base/printable.h"

/* What the body of a message must be long; 0: any multiple of an extent. */
static size_t expected_len(uint32_t type)
{
	switch (type) {
	case PROTOCOL_NEED:
	case PROTOCOL_LOOK:
		return sizeof(struct protocol_need);
	case PROTOCOL_REFER:
		return sizeof(struct protocol_refer);
	case PROTOCOL_NOTE:
		return sizeof(struct protocol_note);
	case PROTOCOL_PROGRESS:
		return sizeof(struct protocol_progress);
	case PROTOCOL_STEP:
	case PROTOCOL_FINDING:
	case PROTOCOL_PART:
		return sizeof(struct protocol_name);
	case PROTOCOL_FACTS:
		return sizeof(struct facts);
	case PROTOCOL_IMAGE:
		return sizeof(struct image);
	case PROTOCOL_DONE:
		return sizeof(struct protocol_done);
	case PROTOCOL_VERDICT:
		return sizeof(struct judgement);
	case PROTOCOL_CONNECT:
		return sizeof(uint32_t);
	case PROTOCOL_POSTURE:
		return sizeof(struct sandbox_posture);
	default:
		return 0;
	}
}

/* Shown as it is: ended, and nothing that a terminal obeys. */
static void clean(char *text, size_t room)
{
	text[room - 1] = '\0';
	printable(text);
}

static void check_image(struct image *image)
{
	if (image->layers > LIMIT_COMPRESSIONS)
		image->layers = LIMIT_COMPRESSIONS;
	for (unsigned i = 0; i < LIMIT_COMPRESSIONS; i++) {
		clean(image->layer[i].tag, sizeof image->layer[i].tag);
		clean(image->layer[i].member, sizeof image->layer[i].member);
		if (image->layer[i].inside > LAYER_WINDOW)
			image->layer[i].inside = LAYER_STREAM;
	}
	clean(image->report.name, sizeof image->report.name);
	clean(image->report.title, sizeof image->report.title);
	clean(image->report.evidence, sizeof image->report.evidence);
	clean(image->report.conflict, sizeof image->report.conflict);
	clean(image->format, sizeof image->format);
	clean(image->inner, sizeof image->inner);
	clean(image->gpt, sizeof image->gpt);
	clean(image->used_by, sizeof image->used_by);
}

bool image_at_random(const struct image *image)
{
	for (unsigned i = 0; i < image->layers; i++)
		if (image->layer[i].inside == LAYER_STREAM)
			return false;
	return true;
}

/* Their texts are cleaned where they are shown: as JSON all bytes can be. */
static void check_facts(struct facts *facts)
{
	if (facts->count > FACTS_MAX)
		facts->count = FACTS_MAX;
	for (unsigned i = 0; i < facts->count; i++) {
		struct fact *fact = &facts->fact[i];
		clean(fact->name, sizeof fact->name);
		fact->text[sizeof fact->text - 1] = '\0';
	}
}

static void check_verdict(struct judgement *verdict)
{
	check_image(&verdict->image);
	check_facts(&verdict->facts);
	check_facts(&verdict->glance);
	if (verdict->count > REASON_COUNT)
		verdict->count = REASON_COUNT;
	for (unsigned i = 0; i < REASON_COUNT; i++) {
		struct verdict_reason *reason = &verdict->reason[i];
		if (reason->code >= REASON_COUNT)
			reason->code = REASON_DAMAGED;
		clean(reason->text, sizeof reason->text);
	}
}

static void check_done(struct protocol_done *done)
{
	/* As a number: it may be none of the kinds. Only the conductor is
	 * interrupted. */
	if ((unsigned)done->err.kind >= ERR_INTERRUPTED)
		done->err.kind = ERR_BUG;
	done->err.signal = 0;
	clean(done->err.message, sizeof done->err.message);
}

static void check_extents(struct protocol_extent *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		list[i].file[sizeof list[i].file - 1] = '\0';
}

int protocol_check(uint32_t type, void *body, size_t len, struct err *err)
{
	size_t expected = expected_len(type);

	if (expected && len != expected)
		return err_set(err, ERR_BUG, "the worker sent %zu bytes of %u",
			       len, type);
	switch (type) {
	case PROTOCOL_REFER:
		((struct protocol_refer *)body)->name[LIMIT_NAME_LEN - 1] =
			'\0';
		return 0;
	case PROTOCOL_NOTE:
		clean(((struct protocol_note *)body)->text,
		      sizeof(struct protocol_note) -
			      offsetof(struct protocol_note, text));
		return 0;
	case PROTOCOL_PART:
		((struct protocol_name *)body)->text[LIMIT_NAME_LEN - 1] =
			'\0';
		return 0;
	case PROTOCOL_STEP:
	case PROTOCOL_FINDING:
		clean(body, sizeof(struct protocol_name));
		return 0;
	case PROTOCOL_FACTS:
		check_facts(body);
		return 0;
	case PROTOCOL_IMAGE:
		check_image(body);
		return 0;
	case PROTOCOL_DONE:
		check_done(body);
		return 0;
	case PROTOCOL_VERDICT:
		check_verdict(body);
		return 0;
	case PROTOCOL_EXTENTS:
		check_extents(body, len / sizeof(struct protocol_extent));
		return 0;
	case PROTOCOL_NEED:
	case PROTOCOL_LOOK:
	case PROTOCOL_CONNECT:
	case PROTOCOL_PROGRESS:
	case PROTOCOL_POSTURE:
		return 0;
	default:
		return err_set(err, ERR_BUG, "the worker said %u", type);
	}
}
