/* SPDX-License-Identifier: MIT */
/*
 * Files that images name: the worker asks, the conductor opens or refuses.
 * Formats that are not stated are probed; depth is bounded, which ends loops.
 */
#ifndef TRANSFORMS_WORKER_REFERENCES_H
#define TRANSFORMS_WORKER_REFERENCES_H

#include "base/log.h"
#include "formats/images/driver.h"
#include "transforms/protocol.h"

/* One file that may name others: the two inputs, then each that was opened. */
struct worker_referrer {
	struct references base;
	struct worker_references *all;
	uint32_t number;
};

struct worker_references {
	int channel; /* borrowed */
	struct log *log;
	enum page_cache cache; /* how the files are read */
	unsigned count;
	struct worker_referrer referrer[LIMIT_REFERENCES];
};

void worker_references_init(struct worker_references *all, int channel,
			    struct log *log);
/* What the input `which` (0 or 1) names. */
struct references *worker_references_of(struct worker_references *all,
					unsigned which);
void worker_references_clear(struct worker_references *all);

#endif
