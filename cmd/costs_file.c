/* SPDX-License-Identifier: MIT */
/* Owns the way of a coefficient table from a file, and to standard output.
 * What may be in it is transforms/coefficients.c's. */
#include "cmd/costs_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define VARIABLE "IMGCONV_COSTS"

static int read_text(FILE *file, const char *path, struct coefficients *out,
		     struct err *err)
{
	/* One more shows that there is more. */
	const size_t room = COEFFICIENTS_TEXT_MOST + 1;
	AUTO_FREE char *text = mem_zalloc(room);
	size_t len = fread(text, 1, room, file);

	if (ferror(file))
		return err_set(err, ERR_USAGE, VARIABLE ": %s: %s", path,
			       strerror(errno));
	if (coefficients_parse(text, len, out, err) < 0)
		return err_in(err, VARIABLE ": %s", path);
	return 0;
}

int costs_file_load(struct coefficients *out, struct err *err)
{
	const char *path = getenv(VARIABLE);
	int result;
	FILE *file;

	*out = costs_default;
	if (!path || !*path)
		return 0;
	file = fopen(path, "re");
	if (!file)
		return err_set(err, ERR_USAGE, VARIABLE ": %s: %s", path,
			       strerror(errno));
	result = read_text(file, path, out, err);
	fclose(file);
	return result;
}

void costs_file_print(const struct coefficients *coefficients)
{
	char number[COEFFICIENT_NUMBER_LEN];
	struct coefficient row;

	printf("imgconv-costs 1\n");
	/* Ends: one less each time. */
	for (size_t i = 0; coefficients_row(coefficients, i, &row); i++)
		printf("%s %s # %s: %s\n", row.name,
		       coefficients_number(row.value, number), row.unit,
		       row.what);
}
