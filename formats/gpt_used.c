/* SPDX-License-Identifier: MIT */
/* Owns the question how far a disk's content reaches; does not know a single
 * signature itself: guest.c's table does. */
#include "formats/gpt.h"
#include "formats/guest.h"

/* The farthest of all findings: a wrong one too many refuses a shrink, one
 * too few destroys data. */
uint64_t gpt_used_end(const unsigned char *head, size_t head_len,
		      const char **what)
{
	struct guest guest;
	unsigned row = 0;
	uint64_t end = 0;

	*what = NULL;
	while (guest_find(head, head_len, &row, &guest)) {
		if (guest.end <= end)
			continue;
		end = guest.end;
		*what = guest.title;
	}
	return end;
}
