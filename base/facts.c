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
	fact->item = false;
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

void facts_item_number(struct facts *facts, const char *name, uint64_t value)
{
	struct fact *fact = facts_add(facts, name, FACT_NUMBER);

	if (!fact)
		return;
	fact->number = value;
	fact->item = true;
}

__attribute__((format(printf, 4, 0))) static void
add_text(struct facts *facts, const char *name, bool item, const char *format,
	 va_list args)
{
	struct fact *fact = facts_add(facts, name, FACT_TEXT);

	if (!fact)
		return;
	vsnprintf(fact->text, sizeof fact->text, format, args);
	fact->item = item;
}

void facts_text(struct facts *facts, const char *name, const char *format,
		...)
{
	va_list args;

	va_start(args, format);
	add_text(facts, name, false, format, args);
	va_end(args);
}

void facts_item(struct facts *facts, const char *name, const char *format,
		...)
{
	va_list args;

	va_start(args, format);
	add_text(facts, name, true, format, args);
	va_end(args);
}
