/* SPDX-License-Identifier: MIT */
/* Owns the table of drivers, look-ups in it, and what all drivers share about
 * options and check reports. Does not know any format. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/limits.h"
#include "base/units.h"
#include "formats/images/driver.h"

extern const struct driver driver_raw, driver_qcow2, driver_vmdk, driver_vhd,
	driver_vhdx, driver_vdi, driver_qed, driver_parallels, driver_simg,
	driver_qcow, driver_bochs, driver_cloop, driver_dmg, driver_xva,
	driver_vma, driver_partclone, driver_ewf;

const struct driver *const driver_table[] = {
	&driver_raw,
	&driver_qcow2,
	&driver_vmdk,
	&driver_vhd,
	&driver_vhdx,
	&driver_vdi,
	&driver_qed,
	&driver_parallels,
	&driver_simg,
	&driver_qcow,
	&driver_bochs,
	&driver_cloop,
	&driver_dmg,
	&driver_xva,
	&driver_vma,
	&driver_partclone,
	&driver_ewf,
	NULL,
};

static bool in_list(const char *const *list, const char *name)
{
	for (; list && *list; list++)
		if (!strcasecmp(*list, name))
			return true;
	return false;
}

const struct driver *driver_by_name(const char *name)
{
	for (const struct driver *const *row = driver_table; *row; row++)
		if (!strcasecmp((*row)->name, name) ||
		    in_list((*row)->aliases, name))
			return *row;
	return NULL;
}

static bool ends_with(const char *file, const char *suffix)
{
	size_t file_len = strlen(file), len = strlen(suffix);

	return file_len >= len && !strcasecmp(file + file_len - len, suffix);
}

const struct driver *driver_by_suffix(const char *file)
{
	for (const struct driver *const *row = driver_table; *row; row++)
		for (const char *const *s = (*row)->suffixes; s && *s; s++)
			if (ends_with(file, *s))
				return *row;
	return NULL;
}

static const struct driver_option *find_row(const struct driver_option *rows,
					    const char *name)
{
	for (; rows && rows->name; rows++)
		if (!strcmp(rows->name, name))
			return rows;
	return NULL;
}

const char *create_option(const struct create_options *options,
			  const struct driver_option *rows, const char *name)
{
	const struct driver_option *row = find_row(rows, name);
	const char *value = row ? row->initial : NULL;

	/* A key given twice: the last one counts. */
	for (unsigned i = 0; i < options->option_count; i++)
		if (!strcmp(options->option[i].name, name))
			value = options->option[i].value;
	return value;
}

static int refuse_value(const struct driver_option *row, const char *value,
			struct err *err)
{
	return err_set(err, ERR_USAGE, "option %s=%s is not one of %s",
		       row->name, value, row->values);
}

/* Is `value` one of the words of "a|b|c"? */
static bool among(const char *words, const char *value)
{
	size_t len = strlen(value);

	for (;;) {
		size_t word = strcspn(words, "|");

		if (word == len && !memcmp(words, value, len))
			return true;
		if (!words[word])
			return false;
		words += word + 1;
	}
}

/* A size in the row's "LOW..HIGH", if it has one. */
static int parse_size(const struct driver_option *row, const char *value,
		      uint64_t *out, struct err *err)
{
	const char *dots = strstr(row->values, "..");
	char low_text[32];
	uint64_t low, high;

	if (units_parse_size(value, out))
		return refuse_value(row, value, err);
	if (!dots)
		return 0;
	snprintf(low_text, sizeof low_text, "%.*s", (int)(dots - row->values),
		 row->values);
	if (units_parse_size(low_text, &low) ||
	    units_parse_size(dots + 2, &high))
		return err_set(err, ERR_BUG, "option %s has no range",
			       row->name);
	if (*out < low || *out > high)
		return err_set(err, ERR_USAGE,
			       "option %s=%s is out of range (%s)", row->name,
			       value, row->values);
	return 0;
}

int create_option_size(const struct create_options *options,
		       const struct driver_option *rows, const char *name,
		       uint64_t *out, struct err *err)
{
	const struct driver_option *row = find_row(rows, name);
	const char *value = create_option(options, rows, name);

	if (!row || !value)
		return err_set(err, ERR_BUG, "option %s has no value", name);
	return parse_size(row, value, out, err);
}

int create_option_bool(const struct create_options *options,
		       const struct driver_option *rows, const char *name,
		       bool *out, struct err *err)
{
	const struct driver_option *row = find_row(rows, name);
	const char *value = create_option(options, rows, name);

	if (!row || !value)
		return err_set(err, ERR_BUG, "option %s has no value", name);
	*out = !strcmp(value, "on");
	if (!*out && strcmp(value, "off"))
		return refuse_value(row, value, err);
	return 0;
}

/* The row's `values` is also what its value is checked against: words with
 * '|' between them, a range with "..", or a word in capitals for anything. */
static int check_value(const struct driver_option *row, const char *value,
		       struct err *err)
{
	uint64_t size;

	if (strstr(row->values, ".."))
		return parse_size(row, value, &size, err);
	if (strchr(row->values, '|') && !among(row->values, value))
		return refuse_value(row, value, err);
	if (!*value)
		return err_set(err, ERR_USAGE, "option %s needs a value (%s)",
			       row->name, row->values);
	return 0;
}

static int refuse_option(const struct driver *driver, const char *name,
			 struct err *err)
{
	char known[512] = "";

	for (const struct driver_option *row = driver->options;
	     row && row->name; row++) {
		size_t used = strlen(known);

		snprintf(known + used, sizeof known - used, "%s%s",
			 used ? ", " : "", row->name);
	}
	return err_set(err, ERR_USAGE, "%s has no option %s (it has %s)",
		       driver->name, name, *known ? known : "none");
}

static int check_capacity(const struct sink *sink, uint64_t needed,
			  struct err *err)
{
	if (needed <= sink->capacity)
		return 0;
	return err_set(err, ERR_CREATE,
		       "needs %llu bytes, but the output has room for %llu",
		       (unsigned long long)needed,
		       (unsigned long long)sink->capacity);
}

enum walk_order driver_walk_order(const struct driver *driver,
				  const unsigned char *head, size_t len)
{
	if (!driver->walk)
		return WALK_NONE;
	return driver->walk_order ? driver->walk_order(head, len)
				  : driver->walk_usual;
}

enum append_need driver_append(const struct driver *driver,
			       const struct create_options *options)
{
	return driver->append ? driver->append(options) : APPEND_FREELY;
}

uint64_t driver_round_size(const struct driver *driver,
			   const struct create_options *options, uint64_t size)
{
	uint64_t unit = options->size_unit, next = size;

	/* Ends: each turn makes it larger, and not for ever. */
	for (unsigned turn = 0; turn < 1000; turn++) {
		if (unit)
			next = driver_round_up(next, unit);
		if (driver && driver->round_size)
			next = driver->round_size(options, next);
		if (next == size || next > LIMIT_DISK_SIZE)
			break;
		size = next;
	}
	return next;
}

uint64_t driver_round_up(uint64_t size, uint64_t unit)
{
	return div_up(size, unit) * unit;
}

int driver_check_room(const struct driver *driver,
		      const struct create_options *options,
		      const struct writer *writer, struct err *err)
{
	uint64_t needed = 0;

	if (!options->size_known)
		return 0;
	if (options->data_sink &&
	    check_capacity(options->data_sink, options->size, err))
		return -1;
	/* What is stored where the guest has it needs all of it; of others
	 * the tables are known. */
	if (writer->any_order)
		needed = options->size;
	else if (driver->measure)
		needed = driver->measure(options, options->size, 0);
	return check_capacity(writer->sink, needed, err);
}

int driver_check_options(const struct driver *driver,
			 const struct create_options *options, struct err *err)
{
	if (!driver->create)
		return err_set(err, ERR_UNSUPPORTED, "%s cannot be written",
			       driver->name);
	for (unsigned i = 0; i < options->option_count; i++) {
		const char *name = options->option[i].name;
		const struct driver_option *row =
			find_row(driver->options, name);

		if (!row)
			return refuse_option(driver, name, err);
		if (check_value(row, options->option[i].value, err))
			return -1;
	}
	if (options->has_uuid && !driver->has_uuid)
		return err_set(err, ERR_USAGE, "%s has no UUID", driver->name);
	if (*options->compress &&
	    !in_list(driver->compressions, options->compress))
		return err_set(
			err, ERR_USAGE, "%s has no compression %s inside%s",
			driver->name, options->compress,
			driver->compressions
				? ""
				: "; compress the file as a whole (.xz, .zst)");
	return driver->check_options ? driver->check_options(options, err) : 0;
}

__attribute__((format(printf, 2, 0))) static void
report_line(struct check_report *report, const char *format, va_list args)
{
	char line[512];

	vsnprintf(line, sizeof line, format, args);
	if (report->emit)
		report->emit(report, line);
}

int driver_no_snapshots(const struct open_options *options, struct err *err)
{
	if (!options || !options->snapshot)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "has no snapshots, so no %s",
		       options->snapshot);
}

int check_spend(struct check_report *report, uint64_t bytes, struct err *err)
{
	report->tables += bytes; /* each a table that was allocated: no wrap */
	if (!report->tables_most || report->tables <= report->tables_most)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "to go through its tables, some of which are shared, "
		       "means to read more than %llu bytes",
		       (unsigned long long)report->tables_most);
}

void check_corruption(struct check_report *report, const char *format, ...)
{
	va_list args;

	report->corruptions++;
	va_start(args, format);
	report_line(report, format, args);
	va_end(args);
}

void check_leak(struct check_report *report, const char *format, ...)
{
	va_list args;

	report->leaks++;
	va_start(args, format);
	report_line(report, format, args);
	va_end(args);
}
