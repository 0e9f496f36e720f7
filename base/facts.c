/* SPDX-License-Identifier: MIT */
/* Owns the list of a format's facts. Does not print it. */
#include "base/facts.h"

#include <stdarg.h>
#include <stdio.h>

static struct fact *facts_add(struct facts *facts, const char *name,
			      enum fact_type type)
{
	if (facts->count >= FACTS_MAX)
		return NULL;
	struct fact *fact = &facts->fact[facts->count++];
	snprintf(fact->name, sizeof fact->name, "%s", name);
	fact->type = type;
	fact->number = 0;
	fact->text[0] = '\0';
	return fact;
}

void facts_number(struct facts *facts, const char *name, uint64_t value)
{
	struct fact *fact = facts_add(facts, name, FACT_NUMBER);

	if (fact)
		fact->number = value;
}

void facts_bool(struct facts *facts, const char *name, bool value)
{
	struct fact *fact = facts_add(facts, name, FACT_BOOL);

	if (fact)
		fact->number = value;
}

void facts_text(struct facts *facts, const char *name, const char *format,
		...)
{
	struct fact *fact = facts_add(facts, name, FACT_TEXT);
	va_list args;

	if (!fact)
		return;
	va_start(args, format);
	vsnprintf(fact->text, sizeof fact->text, format, args);
	va_end(args);
}
