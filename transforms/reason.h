/* SPDX-License-Identifier: MIT */
/* Why an image is called unsafe: the codes of reason.def as numbers. */
#ifndef TRANSFORMS_REASON_H
#define TRANSFORMS_REASON_H

enum reason {
#define REASON(name, code, meaning) REASON_##name,
#include "transforms/reason.def"
#undef REASON
	REASON_COUNT
};

/* "backing-file", for machines. */
const char *reason_code(enum reason reason);

#endif
