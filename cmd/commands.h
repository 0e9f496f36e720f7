/* SPDX-License-Identifier: MIT */
/* The sub-commands, one file each. Each returns the exit status and has said
 * on stderr what went wrong. */
#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

#include "cmd/settings.h"

int command_convert(const struct settings *settings);
int command_plan(const struct settings *settings);
int command_info(const struct settings *settings);
int command_inspect(const struct settings *settings);
int command_map(const struct settings *settings);
int command_compare(const struct settings *settings);
int command_check(const struct settings *settings);
int command_measure(const struct settings *settings);
int command_create(const struct settings *settings);
int command_resize(const struct settings *settings);
int command_targets(const struct settings *settings);
int command_sandbox_test(const struct settings *settings);
int command_formats(const struct settings *settings);

#endif
