/* SPDX-License-Identifier: MIT */
/* Owns `imgconv formats`: the registries and the tools, shown. Does not know
 * any format. */
#include <stdio.h>

#include "cmd/answer.h"
#include "cmd/commands.h"
#include "cmd/machine.h"
#include "formats/archives/reader.h"
#include "formats/codecs/codec.h"
#include "formats/foreign.h"
#include "formats/probe.h"
#include "planner/words.h"

#define PATH_LEN 4096

static const char *const tools[] = { "qemu-img", "qemu-io", "qemu-nbd", NULL };

static const char *built(const char *library)
{
	return library ? library : "not built in";
}

/* ---- text ---- */

/* What qemu-img does with a format, where it is installed. */
static const char *by_tool(const char *name)
{
	const struct foreign *foreign = foreign_by_name(name);

	return foreign && foreign->writes ? "; qemu-img writes it" : "";
}

static void print_driver(const struct driver *driver)
{
	printf("  %-10s %-10s %s%s\n", driver->name,
	       driver->create ? "read,write" : "read", driver->title,
	       by_tool(driver->name));
	for (const char *const *name = driver->compressions; name && *name;
	     name++)
		printf("      --compress=%s\n", *name);
	for (const struct driver_option *row = driver->options;
	     row && row->name; row++)
		printf("      -o %s=%s%s%s  %s\n", row->name, row->values,
		       row->initial ? ", default " : "",
		       row->initial ? row->initial : "", row->help);
}

/* Read, and so not only recognised. */
static bool is_read(const char *name)
{
	return driver_by_name(name) || words_hold(ARCHIVE_TAGS, name);
}

static void print_archives(void)
{
	enum probe_class class;
	const char *name, *title;

	printf("archives around images:\n");
	for (unsigned i = 0; (name = probe_known(i, &class, &title)); i++)
		if (words_hold(ARCHIVE_TAGS, name))
			printf("  %-10s %-10s %s%s\n", name, "read", title,
			       archive_reader_built() ? ""
						      : "; not built in");
}

static void print_known(void)
{
	enum probe_class class;
	const char *name, *title;

	printf("recognised by name:\n");
	for (unsigned i = 0; (name = probe_known(i, &class, &title)); i++)
		if (!is_read(name))
			printf("  %-12s %-8s %s\n", name,
			       class == PROBE_ARCHIVE ? "archive" : "image",
			       title);
}

static void print_text(void)
{
	printf("images:\n");
	for (const struct driver *const *row = driver_table; *row; row++)
		print_driver(*row);
	printf("compressed files:\n");
	for (unsigned id = 0; id < CODEC_COUNT; id++) {
		const struct codec *codec = codec_get(id);

		printf("  %-10s %-10s %s\n", codec->name, codec->suffix,
		       codec_built(codec) ? codec->library : "not built in");
	}
	printf("compression inside images:\n");
	for (unsigned id = 0; id < BLOCK_COUNT; id++)
		printf("  %-10s %s\n",
		       block_codec_name((enum block_codec_id)id),
		       built(block_codec_library((enum block_codec_id)id)));
	print_archives();
	print_known();
	printf("tools:\n");
	for (const char *const *tool = tools; *tool; tool++) {
		char file[PATH_LEN];

		printf("  %-10s %s\n", *tool,
		       machine_tool(*tool, file, sizeof file) ? file
							      : "not found");
	}
	printf("json: %s\n", built(json_library()));
}

/* ---- JSON ---- */

static struct json *option_json(const struct driver_option *row)
{
	struct json *json = json_object_open();

	json_put_text(json, "name", row->name);
	json_put_text(json, "values", row->values);
	if (row->initial)
		json_put_text(json, "default", row->initial);
	json_put_text(json, "help", row->help);
	return json;
}

static struct json *driver_json(const struct driver *driver)
{
	struct json *json = json_object_open(), *options = json_list_open();
	struct json *compressions = json_list_open();

	for (const struct driver_option *row = driver->options;
	     row && row->name; row++)
		json_add(options, option_json(row));
	for (const char *const *name = driver->compressions; name && *name;
	     name++)
		json_add_text(compressions, *name);
	json_put_text(json, "name", driver->name);
	json_put_text(json, "title", driver->title);
	json_put_bool(json, "read", driver->open || driver->walk);
	json_put_bool(json, "write", driver->create);
	json_put_bool(json, "qemu-writes", *by_tool(driver->name));
	json_put(json, "compressions", compressions);
	json_put(json, "options", options);
	return json;
}

static struct json *drivers_json(void)
{
	struct json *list = json_list_open();

	for (const struct driver *const *row = driver_table; *row; row++)
		json_add(list, driver_json(*row));
	return list;
}

static struct json *library_json(const char *name, const char *library)
{
	struct json *json = json_object_open();

	json_put_text(json, "name", name);
	json_put_bool(json, "built-in", library);
	if (library)
		json_put_text(json, "library", library);
	return json;
}

static struct json *codecs_json(void)
{
	struct json *list = json_list_open();

	for (unsigned id = 0; id < CODEC_COUNT; id++) {
		const struct codec *codec = codec_get(id);
		struct json *json = library_json(
			codec->name,
			codec_built(codec) ? codec->library : NULL);

		json_put_text(json, "suffix", codec->suffix);
		json_put_bool(json, "write", codec->encode_block);
		json_add(list, json);
	}
	return list;
}

static struct json *blocks_json(void)
{
	struct json *list = json_list_open();

	for (unsigned id = 0; id < BLOCK_COUNT; id++)
		json_add(list, library_json(
				   block_codec_name((enum block_codec_id)id),
				   block_codec_library((enum block_codec_id)id)));
	return list;
}

static struct json *archives_json(void)
{
	struct json *list = json_list_open();
	enum probe_class class;
	const char *name, *title;

	for (unsigned i = 0; (name = probe_known(i, &class, &title)); i++) {
		if (!words_hold(ARCHIVE_TAGS, name))
			continue;
		struct json *json = json_object_open();

		json_put_text(json, "name", name);
		json_put_text(json, "title", title);
		json_put_bool(json, "read", archive_reader_built());
		json_add(list, json);
	}
	return list;
}

static struct json *known_json(void)
{
	struct json *list = json_list_open();
	enum probe_class class;
	const char *name, *title;

	for (unsigned i = 0; (name = probe_known(i, &class, &title)); i++) {
		if (is_read(name))
			continue;
		struct json *json = json_object_open();

		json_put_text(json, "name", name);
		json_put_text(json, "title", title);
		json_put_bool(json, "archive", class == PROBE_ARCHIVE);

		json_add(list, json);
	}
	return list;
}

static void print_json(void)
{
	struct json *json = json_object_open(), *found = json_object_open();

	json_put(json, "images", drivers_json());
	json_put(json, "codecs", codecs_json());
	json_put(json, "inner-codecs", blocks_json());
	json_put(json, "archives", archives_json());
	json_put(json, "recognised", known_json());
	for (const char *const *tool = tools; *tool; tool++) {
		char file[PATH_LEN];

		if (machine_tool(*tool, file, sizeof file))
			json_put_text(found, *tool, file);
	}
	json_put(json, "tools", found);
	json_print_pretty(stdout, json);
}

int command_formats(const struct settings *settings)
{
	struct ui *ui = ui_open(settings);
	struct err err = { 0 };

	if (settings->json)
		print_json();
	else
		print_text();
	return answer_end(ui, &err, 0);
}
