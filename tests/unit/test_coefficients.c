/* SPDX-License-Identifier: MIT */
/* The text form of the cost coefficients: what is taken, what is refused and
 * how that is said, and that what is printed is read back as it was. */
#include "check.h"

#include <math.h>

#include "transforms/coefficients.h"

#define HEAD "imgconv-costs 1\n"

static int parse(const char *text, struct coefficients *out, struct err *err)
{
	*err = (struct err){ .kind = ERR_NONE };
	return coefficients_parse(text, strlen(text), out, err);
}

static void takes(void)
{
	struct coefficients got;
	struct err err;

	CHECK(!parse(HEAD, &got, &err));
	CHECK(!memcmp(&got, &costs_default, sizeof got));
	CHECK(!parse(HEAD "\n# a comment\n  \tdecode_xz\t 1e2 # slow\n"
			  "write 0.125#fast\r\ntrip_us +7", &got, &err));
	CHECK(fabs(got.decode[CODEC_XZ] - 100) < 1e-12);
	CHECK(fabs(got.write - 0.125) < 1e-12);
	CHECK(fabs(got.trip_us - 7) < 1e-12);
	got.decode[CODEC_XZ] = costs_default.decode[CODEC_XZ];
	got.write = costs_default.write;
	got.trip_us = costs_default.trip_us;
	CHECK(!memcmp(&got, &costs_default, sizeof got));
}

/* Everything else is refused, and the message has the words of `why`. */
static void refuses(const char *text, const char *why)
{
	struct coefficients got;
	struct err err;

	CHECK(parse(text, &got, &err) < 0);
	CHECK_EQ(err.kind, ERR_USAGE);
	if (!strstr(err.message, why)) {
		check_failures++;
		fprintf(stderr, "\"%s\": \"%s\" lacks \"%s\"\n", text,
			err.message, why);
	}
}

static void bad(void)
{
	refuses("", "line 1");
	refuses("imgconv-costs 2\n", "imgconv-costs 1");
	refuses("imgconv-costs 1 \n", "line 1");
	refuses("imgconv-costs 10\n", "line 1");
	refuses("# first\n" HEAD, "line 1");
	refuses(HEAD "\nspeed 1\n", "line 3: there is no coefficient "
				    "\"speed\"");
	refuses(HEAD "decode 1\n", "\"decode\"");
	refuses(HEAD "write\n", "line 2: write needs");
	refuses(HEAD "write # 1\n", "line 2: write needs");
	refuses(HEAD "write 1 2\n", "one number");
	refuses(HEAD "write 1\nread 1\nwrite 1\n", "line 4: write is there "
						   "twice");
	refuses(HEAD "write 0\n", "positive");
	refuses(HEAD "write -1\n", "positive");
	refuses(HEAD "write 1e999\n", "finite");
	refuses(HEAD "write inf\n", "finite");
	refuses(HEAD "write nan\n", "finite");
	refuses(HEAD "write 0x1p3\n", "finite");
	refuses(HEAD "write 1,5\n", "finite");
	refuses(HEAD "write 1e\n", "finite");
	refuses(HEAD "write .\n", "finite");
	/* What cannot be shown is not. */
	refuses(HEAD "wr\001te 1\n", "\"wr?te\"");
}

static void zeros_and_length(void)
{
	char *text = calloc(1, COEFFICIENTS_TEXT_MOST + 1);
	struct coefficients got;
	struct err err = { .kind = ERR_NONE };
	size_t head = strlen(HEAD);

	memset(text, '\n', COEFFICIENTS_TEXT_MOST + 1);
	memcpy(text, HEAD, head);
	CHECK(!coefficients_parse(text, COEFFICIENTS_TEXT_MOST, &got, &err));
	CHECK(coefficients_parse(text, COEFFICIENTS_TEXT_MOST + 1, &got,
				 &err) < 0);
	CHECK_EQ(err.kind, ERR_USAGE);
	/* NUL ends no line. */
	memcpy(text + head, "write\0001\n", 8);
	CHECK(coefficients_parse(text, head + 8, &got, &err) < 0);
	free(text);
}

/* Printed as the program does, with numbers that are hard to write. */
static void back(void)
{
	char text[4096] = HEAD, number[COEFFICIENT_NUMBER_LEN];
	struct coefficients odd = costs_default, got;
	struct coefficient row;
	struct err err = { .kind = ERR_NONE };
	size_t count = 0;

	odd.decode[CODEC_GZIP] = 0.1 + 0.2;
	odd.encode[CODEC_LZ4] = 1.0 / 3;
	odd.write = 1e-300;
	odd.trip_us = 123456789.125;
	for (; coefficients_row(&odd, count, &row); count++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof text - used, "%s %s\n", row.name,
			 coefficients_number(row.value, number));
	}
	CHECK_EQ(count * sizeof(double), sizeof odd);
	CHECK(!parse(text, &got, &err));
	CHECK(!memcmp(&got, &odd, sizeof got));
	CHECK_STR(coefficients_number(0.15, number), "0.15");
	CHECK_STR(coefficients_number(30000, number), "30000");
}

int main(void)
{
	takes();
	bad();
	zeros_and_length();
	back();
	return check_result();
}
