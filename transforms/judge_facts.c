/* SPDX-License-Identifier: MIT */
/* Owns what facts are reasons, and how they are said. Reads no image. */
#include "transforms/judge_facts.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

void judge_add(struct judgement *verdict, enum reason reason,
	       const char *format, ...)
{
	struct verdict_reason *next = &verdict->reason[verdict->count];
	va_list args;

	for (unsigned i = 0; i < verdict->count; i++)
		if (verdict->reason[i].code == (uint32_t)reason)
			return;
	next->code = reason;
	va_start(args, format);
	vsnprintf(next->text, sizeof next->text, format, args);
	va_end(args);
	printable(next->text);
	verdict->count++; /* at most REASON_COUNT: each comes once */
}

static bool among(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (!strcmp(*list, word))
			return true;
	return false;
}

/* A file beside the image has a plain name. */
static bool leads_outside(const char *name)
{
	return strpbrk(name, "/\\") || !strcmp(name, "..") ||
	       (isalpha((unsigned char)name[0]) && name[1] == ':');
}

static void judge_backing(struct judgement *verdict, const char *name)
{
	static const char *const parents[] = { "vhd", "vhdx", "vdi", "vmdk",
					       NULL };

	if (among(parents, verdict->image.format))
		judge_add(verdict, REASON_PARENT,
			  "what it does not store is in its parent \"%s\"",
			  name);
	else if (*name)
		judge_add(verdict, REASON_BACKING_FILE,
			  "what it does not store is in its backing file "
			  "\"%s\"", name);
	else
		judge_add(verdict, REASON_BACKING_FILE,
			  "it has a backing file, whose name is empty");
}

static void judge_data(struct judgement *verdict, const char *name)
{
	if (!strcmp(verdict->image.format, "qcow2")) {
		judge_add(verdict, REASON_DATA_FILE,
			  "its data lies in another file, \"%s\"", name);
		return;
	}
	judge_add(verdict, REASON_SEVERAL_FILES,
		  "it is made of several files, \"%s\" is one", name);
	if (leads_outside(name))
		judge_add(verdict, REASON_EXTENT_OUTSIDE,
			  "it names \"%s\", which is not in its folder", name);
}

/* Facts that are a reason by themselves: where they are texts, by the text
 * that is put into the words; where they are not, if they are not zero. */
static const struct {
	const char *name;
	enum reason reason;
	const char *words;
} plain[] = {
	{ "encryption", REASON_ENCRYPTED, "it is encrypted" },
	{ "corrupt", REASON_CORRUPT_BIT, "it is marked as corrupt" },
	{ "dirty", REASON_DIRTY, "it was not closed properly (dirty bit)" },
	{ "unclean", REASON_DIRTY, "it was not closed properly" },
	{ "need-check", REASON_DIRTY,
	  "it was not closed properly (need-check bit)" },
	{ "in-use", REASON_IN_USE, "it is marked as in use" },
	{ "saved-state", REASON_SAVED_STATE,
	  "it is part of a machine's saved state" },
	{ "gap", REASON_TRAILING_DATA,
	  "between the disk's end and the footer there are other bytes" },
};

static void judge_plain(struct judgement *verdict, const struct fact *fact)
{
	bool set = fact->type == FACT_TEXT || fact->number;

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (set && !strcmp(plain[i].name, fact->name))
			judge_add(verdict, plain[i].reason, "%s",
				  plain[i].words);
}

static void judge_fact(struct judgement *verdict, const struct fact *fact)
{
	const char *name = fact->name, *text = fact->text;

	if (!strcmp(name, "backing-file"))
		judge_backing(verdict, text);
	else if (!strcmp(name, "data-file"))
		judge_data(verdict, text);
	else if (!strcmp(name, "own-extent"))
		judge_add(verdict, REASON_EXTENT_OUTSIDE,
			  "it names \"%s\" as the file it lies in", text);
	else if (!strcmp(name, "part"))
		judge_add(verdict, REASON_SEVERAL_FILES,
			  "it is one extent (%s) of a disk in several files",
			  text);
	else if (!strcmp(name, "unknown-feature"))
		judge_add(verdict, REASON_UNKNOWN_FEATURE,
			  "it needs a feature that is not known: %s", text);
	else if (!strcmp(name, "contradiction"))
		judge_add(verdict, REASON_CONTRADICTION, "%s", text);
	else if (!strcmp(name, "log") && !strcmp(text, "dirty"))
		judge_add(verdict, REASON_DIRTY,
			  "its log was not replayed: it was not closed "
			  "properly");
	else
		judge_plain(verdict, fact);
}

void judge_facts(struct judgement *verdict)
{
	for (unsigned i = 0; i < verdict->facts.count; i++)
		judge_fact(verdict, &verdict->facts.fact[i]);
	for (unsigned i = 0; i < verdict->glance.count; i++)
		judge_fact(verdict, &verdict->glance.fact[i]);
}
