/* SPDX-License-Identifier: MIT */
/* What the commands that answer on standard output have in common. */
#ifndef CMD_ANSWER_H
#define CMD_ANSWER_H

#include "base/facts.h"
#include "cmd/conductor.h"
#include "cmd/json.h"

/* "N (6G)" where the short form says something new, else "N". Returns buf. */
char *answer_size(uint64_t size, char *buf, size_t len);

/* Bytes from a file's inside on one line of a terminal: control bytes become
 * '?'. To standard output. */
void answer_text(const char *text);

/* "+xz +size=6G" as a list of words. */
struct json *answer_words(const char *text);

/* A probe's answer as the tags people see, of an input not to be changed: as
 * in a plan's start. */
void answer_tags(const struct image *image, char *buf, size_t len);

/* What is around what, outermost first: one a line, or as a list. */
void answer_layers(const struct image *image);
struct json *answer_layers_json(const struct image *image);

/* The image's own facts, one a line, or as an object in which items are
 * lists. */
void answer_facts(const struct facts *facts);
struct json *answer_facts_json(const struct facts *facts);

/* The end of such a command. Answers that could not be written are an error
 * as well; else `status`. Closes `ui`. */
int answer_end(struct ui *take_ui, struct err *err, int status);

#endif
