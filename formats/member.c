/* SPDX-License-Identifier: MIT */
/* Owns the choice of one disk of several. Does not know any format. */
#include "formats/member.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As many names as fit a message. */
static void names(const struct member_list *list, char *out, size_t len)
{
	size_t used = 0;

	*out = '\0';
	for (unsigned i = 0; i < list->count && used + 80 < len; i++) {
		int more = snprintf(out + used, len - used, "%s%u %.64s",
				    i ? ", " : "", i,
				    list->name(list->opaque, i));

		used += more > 0 ? (size_t)more : 0;
	}
}

int member_choose(const struct member_list *list, const char *member,
		  struct err *err)
{
	char all[700], *end;
	unsigned long number;

	if (!list->count)
		return err_set(err, ERR_UNSUPPORTED, "holds no disk");
	if (!member && list->count == 1)
		return 0;
	names(list, all, sizeof all);
	if (!member)
		return err_set(err, ERR_USAGE,
			       "holds %u disks; choose one with --member: %s",
			       list->count, all);
	for (unsigned i = 0; i < list->count; i++)
		if (!strcmp(list->name(list->opaque, i), member))
			return (int)i;
	errno = 0;
	number = strtoul(member, &end, 10);
	if (*member >= '0' && *member <= '9' && !*end && !errno &&
	    number < list->count)
		return (int)number;
	return err_set(err, ERR_USAGE, "has no disk %s; it has %s", member,
		       all);
}
