/* SPDX-License-Identifier: MIT */
/*
 * A format's own facts, for `info`: an ordered list of named values. Plain
 * data of fixed size, so a worker sends it to the conductor as it is. What an
 * image may have several of (snapshots) is given as items, which are a list
 * also where there is one: who reads JSON finds the same type each time.
 */
#ifndef BASE_FACTS_H
#define BASE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#define FACTS_MAX 96

enum fact_type { FACT_NUMBER, FACT_BOOL, FACT_TEXT };

struct fact {
	char name[40]; /* lower case, words joined by '-' */
	enum fact_type type;
	bool item;
	uint64_t number; /* FACT_NUMBER, or 0/1 for FACT_BOOL */
	char text[256];  /* FACT_TEXT, cut to fit */
};

struct facts {
	unsigned count;
	struct fact fact[FACTS_MAX]; /* beyond the last: silently dropped */
};

void facts_number(struct facts *facts, const char *name, uint64_t value);
void facts_bool(struct facts *facts, const char *name, bool value);
void facts_text(struct facts *facts, const char *name, const char *format,
		...) __attribute__((format(printf, 3, 4)));

/* One more of what there may be several of. */
void facts_item_number(struct facts *facts, const char *name, uint64_t value);
void facts_item(struct facts *facts, const char *name, const char *format,
		...) __attribute__((format(printf, 3, 4)));

#endif
