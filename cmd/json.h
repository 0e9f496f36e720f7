/* SPDX-License-Identifier: MIT */
/* JSON as far as answers need it. Texts may be any bytes: what is not UTF-8
 * comes out as U+FFFD. Values are taken by what they are put into. */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

struct json;

/* 0, or ERR_UNSUPPORTED naming `option` when it was not built in; then none
 * of the other functions may be called. */
int json_require(const char *option, struct err *err);
/* The library, or NULL when it was not built in. */
const char *json_library(void);

struct json *json_object_open(void);
struct json *json_list_open(void);

void json_put(struct json *object, const char *key, struct json *take);
void json_put_text(struct json *object, const char *key, const char *text);
void json_put_number(struct json *object, const char *key, uint64_t value);
void json_put_real(struct json *object, const char *key, double value);
void json_put_bool(struct json *object, const char *key, bool value);
void json_add(struct json *list, struct json *take);
void json_add_text(struct json *list, const char *text);
void json_add_number(struct json *list, uint64_t value);

/* Releases what was neither printed nor put elsewhere. Accepts NULL, returns
 * NULL. */
struct json *json_close(struct json *json);

/* On one line, without a newline; or, for people, on several, with one. The
 * value is released. */
void json_print(FILE *out, struct json *take);
void json_print_pretty(FILE *out, struct json *take);

#endif
