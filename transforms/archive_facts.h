/* SPDX-License-Identifier: MIT */
/* What `info` tells of an archive: its members, what an appliance says of
 * itself. */
#ifndef TRANSFORMS_ARCHIVE_FACTS_H
#define TRANSFORMS_ARCHIVE_FACTS_H

#include "base/facts.h"
#include "io/source.h"

/* Members told one by one; of more only the number. */
#define ARCHIVE_FACTS_MEMBERS 40

/* Adds to `facts`. `source` is borrowed, and seekable. */
int archive_facts(const char *tag, struct source *source, struct facts *facts,
		  struct err *err);

#endif
