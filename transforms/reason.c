/* SPDX-License-Identifier: MIT */
/* Owns the codes of reasons. What gives a reason is judge.c's. */
#include "transforms/reason.h"

const char *reason_code(enum reason reason)
{
	static const char *const codes[REASON_COUNT] = {
#define REASON(name, code, meaning) [REASON_##name] = (code),
#include "transforms/reason.def"
#undef REASON
	};

	return codes[reason];
}
