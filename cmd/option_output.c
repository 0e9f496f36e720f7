/* SPDX-License-Identifier: MIT */
/* Owns what the options about the output's shape do to the settings. Whether
 * the format knows them is said where it is known. */
#include "cmd/option_output.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "cmd/consumers.h"
#include "cmd/options.h"

/* One "key=value" up to the next single comma; returns what follows it. A
 * doubled comma stands for one. */
static const char *next_pair(const char *text, char *out, size_t room)
{
	size_t len = 0;

	/* Ends at the text's end at the latest. */
	for (; *text; text++) {
		if (*text == ',' && *++text != ',')
			break;
		if (len + 1 < room)
			out[len++] = *text;
	}
	out[len] = '\0';
	return text;
}

static int add_pair(struct create_options *create, const char *pair,
		    struct err *err)
{
	const char *equals = strchr(pair, '=');
	unsigned at = create->option_count;
	size_t name_len = equals ? (size_t)(equals - pair) : 0;

	if (!name_len)
		return err_set(err, ERR_USAGE,
			       "\"%s\" is not KEY=VALUE (imgconv formats lists "
			       "the keys)",
			       pair);
	if (at == CREATE_OPTIONS_MAX)
		return err_set(err, ERR_USAGE, "more than %u keys",
			       CREATE_OPTIONS_MAX);
	if (name_len >= sizeof create->option[at].name ||
	    strlen(equals + 1) >= sizeof create->option[at].value)
		return err_set(err, ERR_USAGE, "\"%.40s...\" is too long",
			       pair);
	snprintf(create->option[at].name, sizeof create->option[at].name,
		 "%.*s", (int)name_len, pair);
	snprintf(create->option[at].value, sizeof create->option[at].value,
		 "%s", equals + 1);
	create->option_count++;
	return 0;
}

int option_option(struct settings *settings, const char *text,
			struct err *err)
{
	char pair[1024];

	do {
		text = next_pair(text, pair, sizeof pair);
		if (add_pair(&settings->create, pair, err))
			return -1;
	} while (*text);
	return 0;
}

int option_backing(struct settings *settings, const char *text,
			 struct err *err)
{
	if (!*text)
		return err_set(err, ERR_USAGE, "the name is empty");
	settings->backing = text;
	return 0;
}

static void set_compress(struct create_options *create, const char *type)
{
	snprintf(create->compress, sizeof create->compress, "%s", type);
}

int option_compress_default(struct settings *settings, const char *text,
				  struct err *err)
{
	(void)text, (void)err;
	if (!*settings->create.compress)
		set_compress(&settings->create, "default");
	return 0;
}

int option_compress(struct settings *settings, const char *text,
			  struct err *err)
{
	static const struct {
		const char *type;
		unsigned most; /* level */
	} types[] = { { "zlib", 12 }, { "zstd", 19 } };
	size_t len = strcspn(text, ":");
	unsigned level = 0;

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (len != strlen(types[i].type) ||
		    memcmp(text, types[i].type, len))
			continue;
		if (text[len] &&
		    option_number(text + len + 1, 1, types[i].most, &level, err))
			return err_in(err, "level of %s", types[i].type);
		set_compress(&settings->create, types[i].type);
		settings->create.compress_level = (int)level;
		return 0;
	}
	return err_set(err, ERR_USAGE,
		       "unknown compression \"%.*s\" (zlib or zstd, then "
		       ":LEVEL if wanted)",
		       (int)len, text);
}

int option_member_name(struct settings *settings, const char *text,
			     struct err *err)
{
	/* Whoever unpacks it gets this name. */
	if (!*text || *text == '/' || !strcmp(text, ".") || strstr(text, ".."))
		return err_set(err, ERR_USAGE,
			       "\"%s\" is no name for a file in an archive",
			       text);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return err_set(err, ERR_USAGE,
				       "a name in an archive has no control "
				       "characters");
	settings->member_name = text;
	return 0;
}

int option_tar_format(struct settings *settings, const char *text,
			    struct err *err)
{
	if (!strcmp(text, "ustar"))
		settings->tar_dialect = TAR_USTAR;
	else if (!strcmp(text, "gnu") || !strcmp(text, "oldgnu"))
		settings->tar_dialect = TAR_GNU;
	else
		return err_set(err, ERR_USAGE,
			       "\"%s\" is not ustar or gnu", text);
	settings->has_tar_dialect = true;
	return 0;
}

int option_sector_size(struct settings *settings, const char *text,
			     struct err *err)
{
	if (!strcmp(text, "512"))
		settings->sector_size = 512;
	else if (!strcmp(text, "4096"))
		settings->sector_size = 4096;
	else
		return err_set(err, ERR_USAGE, "\"%s\" is not 512 or 4096",
			       text);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 digits, hyphens anywhere between them, braces around if there are. */
int option_uuid(struct settings *settings, const char *text,
		      struct err *err)
{
	struct create_options *create = &settings->create;
	unsigned digits = 0;

	memset(create->uuid, 0, sizeof create->uuid);
	for (const char *c = text; *c; c++) {
		int value = hex_digit(*c);

		if (value < 0 && strchr("-{}", *c))
			continue;
		if (value < 0 || digits == 32)
			digits = 33;
		if (digits == 33)
			break;
		create->uuid[digits / 2] |=
			(unsigned char)(digits % 2 ? value : value << 4);
		digits++;
	}
	if (digits != 32)
		return err_set(err, ERR_USAGE,
			       "\"%s\" is not a UUID (32 hexadecimal digits)",
			       text);
	create->has_uuid = true;
	return 0;
}

int option_for(struct settings *settings, const char *text, struct err *err)
{
	settings->consumer = consumer_by_name(text);
	if (!settings->consumer)
		return err_set(err, ERR_USAGE,
			       "\"%s\" is no target; imgconv targets lists "
			       "them", text);
	return 0;
}

int option_depfile(struct settings *settings, const char *text,
		   struct err *err)
{
	if (!*text)
		return err_set(err, ERR_USAGE, "names no file");
	settings->depfile = text;
	return 0;
}

int option_all_disks(struct settings *settings, const char *text,
		     struct err *err)
{
	if (!*text)
		return err_set(err, ERR_USAGE, "names no folder");
	settings->all_disks = text;
	return 0;
}
