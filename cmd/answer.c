/* SPDX-License-Identifier: MIT */
/* Owns how answers on standard output look and end. Does not know any one
 * command. */
#include "cmd/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/printable.h"
#include "base/units.h"
#include "transforms/tagging.h"
#include "transforms/tags.h"

char *answer_size(uint64_t size, char *buf, size_t len)
{
	char exact[32], plain[32];

	units_exact(size, exact, sizeof exact);
	snprintf(plain, sizeof plain, "%" PRIu64, size);
	if (strcmp(exact, plain))
		snprintf(buf, len, "%s (%s)", plain, exact);
	else
		snprintf(buf, len, "%s", plain);
	return buf;
}

void answer_text(const char *text)
{
	char *shown = mem_strdup(text);

	printable(shown);
	fputs(shown, stdout);
	free(shown);
}

struct json *answer_words(const char *text)
{
	struct json *list = json_list_open();
	char word[2 * TAG_LEN];

	/* Each turn takes a word or ends. */
	for (;;) {
		text += strspn(text, " ");
		size_t len = strcspn(text, " ");

		if (!len)
			return list;
		snprintf(word, sizeof word, "%.*s", (int)len, text);
		json_add_text(list, word);
		text += len;
	}
}

void answer_tags(const struct image *image, char *buf, size_t len)
{
	struct state state = { 0 };

	tagging_state(image, &state);
	state_set(&state, TAG_TEMPLATE, "yes");
	state_text(&state, &tags_vocabulary, false, buf, len);
}

void answer_facts(const struct facts *facts)
{
	char size[64];

	for (unsigned i = 0; i < facts->count; i++) {
		const struct fact *fact = &facts->fact[i];

		printf("%s: ", fact->name);
		if (fact->type == FACT_NUMBER)
			fputs(answer_size(fact->number, size, sizeof size),
			      stdout);
		else if (fact->type == FACT_BOOL)
			fputs(fact->number ? "yes" : "no", stdout);
		else
			answer_text(fact->text);
		putchar('\n');
	}
}

static bool said_before(const struct facts *facts, unsigned index)
{
	for (unsigned i = 0; i < index; i++)
		if (!strcmp(facts->fact[i].name, facts->fact[index].name))
			return true;
	return false;
}

/* All values of a name. */
static struct json *list_facts(const struct facts *facts, unsigned index)
{
	const char *name = facts->fact[index].name;
	struct json *list = json_list_open();

	for (unsigned i = index; i < facts->count; i++) {
		const struct fact *fact = &facts->fact[i];

		if (strcmp(fact->name, name))
			continue;
		if (fact->type == FACT_TEXT)
			json_add_text(list, fact->text);
		else
			json_add_number(list, fact->number);
	}
	return list;
}

struct json *answer_facts_json(const struct facts *facts)
{
	struct json *json = json_object_open();

	for (unsigned i = 0; i < facts->count; i++) {
		const struct fact *fact = &facts->fact[i];

		if (said_before(facts, i))
			continue;
		if (fact->item)
			json_put(json, fact->name, list_facts(facts, i));
		else if (fact->type == FACT_NUMBER)
			json_put_number(json, fact->name, fact->number);
		else if (fact->type == FACT_BOOL)
			json_put_bool(json, fact->name, fact->number);
		else
			json_put_text(json, fact->name, fact->text);
	}
	return json;
}

int answer_end(struct ui *take_ui, struct err *err, int status)
{
	int failed;

	if (err->kind == ERR_NONE && (fflush(stdout) || ferror(stdout))) {
		/* Where SIGPIPE is ignored, end as it would have ended us. */
		if (errno == EPIPE) {
			err_set(err, ERR_INTERRUPTED, "standard output");
			err->signal = SIGPIPE;
		} else {
			err_sys(err, ERR_IO, "standard output");
		}
	}
	failed = ui_end(take_ui, err);
	ui_close(take_ui);
	return failed ? failed : status;
}
