/* SPDX-License-Identifier: MIT */
/* An appliance (OVA) being made: where each disk goes in the output, and what
 * is written in front of them when all are there. Moves no disk's bytes. */
#ifndef CMD_APPLIANCE_H
#define CMD_APPLIANCE_H

#include "cmd/execute.h"
#include "cmd/planning.h"

struct appliance_making;

/* For `count` disks; `output` is the path it will have, `date` seconds since
 * 1970. ERR_USAGE for too many disks or options that make no sense. */
struct appliance_making *appliance_making_open(const struct target *target,
					       const char *output, int64_t date,
					       unsigned count,
					       struct err *err);

/* Where disk `i` goes: those before it are made. */
void appliance_making_place(const struct appliance_making *making, unsigned i,
			    struct member_place *out);

/* Disk `i` was made by a run; `size`: of its guest, where the run read none. */
void appliance_making_made(struct appliance_making *making, unsigned i,
			   const struct protocol_done *done, uint64_t size);

/* All are made: write what is around them. ERR_IO. */
int appliance_making_seal(const struct appliance_making *making, int fd,
			  struct err *err);

/* To be measured: the only disk's place into *place, and *out points to it;
 * NULL for a target that is no appliance. */
int appliance_place(const struct target *target, const char *output,
		    struct member_place *place,
		    const struct member_place **out, struct err *err);

/* Accepts NULL, returns NULL. */
struct appliance_making *
appliance_making_close(struct appliance_making *making);

#endif
