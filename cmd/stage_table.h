/* SPDX-License-Identifier: MIT */
/* Where the time of a conversion went: the table that -v ends with, and the
 * event of --progress=json. */
#ifndef CMD_STAGE_TABLE_H
#define CMD_STAGE_TABLE_H

#include "cmd/ui.h"
#include "transforms/protocol.h"

/* `committing`: nanoseconds until the output was safe under its name. */
void stage_table_tell(struct ui *ui, const struct protocol_done *done,
		      uint64_t committing);

#endif
