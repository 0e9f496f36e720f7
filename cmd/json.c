/* SPDX-License-Identifier: MIT */
/* Owns the use of json-c, the only file that knows it. Does not know what is
 * said with it. */
#include "cmd/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#ifdef HAVE_JSON
#include <json-c/json.h>

int json_require(const char *option, struct err *err)
{
	(void)option, (void)err;
	return 0;
}

const char *json_library(void)
{
	return "json-c";
}

static struct json_object *inner(struct json *json)
{
	return (struct json_object *)json;
}

static struct json *outer(struct json_object *object)
{
	if (!object)
		mem_exhausted();
	return (struct json *)object;
}

struct json *json_object_open(void)
{
	return outer(json_object_new_object());
}

struct json *json_list_open(void)
{
	return outer(json_object_new_array());
}

static struct json *make_text(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	AUTO_FREE char *clean = mem_zalloc(3 * strlen(text) + 1);
	char *to = clean;

	/* Ends: each turn takes a byte or more of the text. */
	while (*text) {
		uint32_t value;
		size_t len = utf8_character(text, &value);

		memcpy(to, len ? text : replacement, len ? len : 3);
		to += len ? len : 3;
		text += len ? len : 1;
	}
	return outer(json_object_new_string_len(clean, (int)(to - clean)));
}

void json_put(struct json *object, const char *key, struct json *take)
{
	if (json_object_object_add(inner(object), key, inner(take)))
		mem_exhausted();
}

void json_put_text(struct json *object, const char *key, const char *text)
{
	json_put(object, key, make_text(text));
}

void json_put_number(struct json *object, const char *key, uint64_t value)
{
	json_put(object, key, outer(json_object_new_uint64(value)));
}

void json_put_real(struct json *object, const char *key, double value)
{
	json_put(object, key, outer(json_object_new_double(value)));
}

void json_put_bool(struct json *object, const char *key, bool value)
{
	json_put(object, key, outer(json_object_new_boolean(value)));
}

void json_add(struct json *list, struct json *take)
{
	if (json_object_array_add(inner(list), inner(take)))
		mem_exhausted();
}

void json_add_text(struct json *list, const char *text)
{
	json_add(list, make_text(text));
}

void json_add_number(struct json *list, uint64_t value)
{
	json_add(list, outer(json_object_new_uint64(value)));
}

struct json *json_close(struct json *json)
{
	if (json)
		json_object_put(inner(json));
	return NULL;
}

static void print(FILE *out, struct json *take, int flags)
{
	const char *text = json_object_to_json_string_ext(
		inner(take), flags | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		mem_exhausted();
	fputs(text, out);
	json_object_put(inner(take));
}

void json_print(FILE *out, struct json *take)
{
	print(out, take, JSON_C_TO_STRING_SPACED);
}

void json_print_pretty(FILE *out, struct json *take)
{
	print(out, take, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
	fputc('\n', out);
}

#else

int json_require(const char *option, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "%s: this imgconv was built without json-c", option);
}

const char *json_library(void)
{
	return NULL;
}

/* Nothing below is reached: json_require comes first. */
struct json *json_object_open(void)
{
	return NULL;
}

struct json *json_list_open(void)
{
	return NULL;
}

void json_put(struct json *object, const char *key, struct json *take)
{
	(void)object, (void)key, (void)take;
}

void json_put_text(struct json *object, const char *key, const char *text)
{
	(void)object, (void)key, (void)text;
}

void json_put_number(struct json *object, const char *key, uint64_t value)
{
	(void)object, (void)key, (void)value;
}

void json_put_real(struct json *object, const char *key, double value)
{
	(void)object, (void)key, (void)value;
}

void json_put_bool(struct json *object, const char *key, bool value)
{
	(void)object, (void)key, (void)value;
}

void json_add(struct json *list, struct json *take)
{
	(void)list, (void)take;
}

void json_add_text(struct json *list, const char *text)
{
	(void)list, (void)text;
}

void json_add_number(struct json *list, uint64_t value)
{
	(void)list, (void)value;
}

struct json *json_close(struct json *json)
{
	(void)json;
	return NULL;
}

void json_print(FILE *out, struct json *take)
{
	(void)out, (void)take;
}

void json_print_pretty(FILE *out, struct json *take)
{
	(void)out, (void)take;
}
#endif
