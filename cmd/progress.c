/* SPDX-License-Identifier: MIT */
/* Owns the arithmetic and the look of progress. Does not print, nor ask for
 * the time. */
#include "cmd/progress.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"

#define BAR_LEN 24

double progress_rate(const struct progress *progress)
{
	return progress->seconds > 0.05
		       ? (double)progress->done / progress->seconds
		       : 0;
}

double progress_share(const struct progress *progress)
{
	if (!progress->total)
		return -1;
	if (progress->done >= progress->total)
		return 1;
	return (double)progress->done / (double)progress->total;
}

double progress_left(const struct progress *progress)
{
	double rate = progress_rate(progress);

	if (!progress->total || rate <= 0)
		return -1;
	return progress->done >= progress->total
		       ? 0
		       : (double)(progress->total - progress->done) / rate;
}

/* "0:12", "1:02:03". */
static char *clock_text(double seconds, char *buf, size_t len)
{
	unsigned long all = seconds < 360000 ? (unsigned long)seconds : 359999;

	if (all < 3600)
		snprintf(buf, len, "%lu:%02lu", all / 60, all % 60);
	else
		snprintf(buf, len, "%lu:%02lu:%02lu", all / 3600, all / 60 % 60,
			 all % 60);
	return buf;
}

static char *rate_text(const struct progress *progress, char *buf, size_t len)
{
	double rate = progress_rate(progress);
	char about[32];

	*buf = '\0';
	if (rate > 0)
		snprintf(buf, len, "%s/s",
			 units_about((uint64_t)rate, about, sizeof about));
	return buf;
}

static void draw_bar(double share, char out[BAR_LEN + 3])
{
	unsigned filled = (unsigned)(share * BAR_LEN);

	memset(out, ' ', BAR_LEN + 2);
	out[0] = '[';
	out[BAR_LEN + 1] = ']';
	out[BAR_LEN + 2] = '\0';
	memset(out + 1, '=', filled);
	if (filled < BAR_LEN)
		out[1 + filled] = '>';
}

char *progress_bar(const struct progress *progress, unsigned width, char *buf,
		   size_t len)
{
	double share = progress_share(progress);
	double left = progress_left(progress);
	char bar[BAR_LEN + 3], about[32], rate[40], clock[32];
	size_t room = width && width < len ? (size_t)width + 1 : len;

	units_about(progress->done, about, sizeof about);
	rate_text(progress, rate, sizeof rate);
	if (share < 0) {
		snprintf(buf, room, "%9s  %13s  %s  %s", about, rate,
			 clock_text(progress->seconds, clock, sizeof clock),
			 progress->step);
		return buf;
	}
	draw_bar(share, bar);
	snprintf(buf, room, "%s %3u%%  %9s  %13s  ETA %s  %s", bar,
		 (unsigned)(share * 100), about, rate,
		 left < 0 ? "-:--" : clock_text(left, clock, sizeof clock),
		 progress->step);
	return buf;
}

char *progress_line(const struct progress *progress, char *buf, size_t len)
{
	double share = progress_share(progress);
	char about[32], rate[40], percent[16] = "";

	units_about(progress->done, about, sizeof about);
	rate_text(progress, rate, sizeof rate);
	if (share >= 0)
		snprintf(percent, sizeof percent, "%u %% ",
			 (unsigned)(share * 100));
	snprintf(buf, len, "%s(%s%s%s)", percent, about, *rate ? ", " : "",
		 rate);
	return buf;
}
