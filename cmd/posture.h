/* SPDX-License-Identifier: MIT */
/* How a worker is closed in, as a part of JSON answers. */
#ifndef CMD_POSTURE_H
#define CMD_POSTURE_H

#include "cmd/json.h"
#include "io/sandbox.h"

struct json *posture_json(const struct sandbox_posture *posture);

#endif
