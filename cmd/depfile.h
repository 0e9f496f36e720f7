/* SPDX-License-Identifier: MIT */
/* Dependency files for make and ninja (-MF): what an output was made of. */
#ifndef CMD_DEPFILE_H
#define CMD_DEPFILE_H

#include "base/err.h"

struct depfile;

struct depfile *depfile_open(void);
/* A file that was read; twice is once. */
void depfile_add(struct depfile *depfile, const char *path);
/* Can all of them, and `target`, be written so that make and ninja read the
 * same names, and is `path` none of them? ERR_USAGE names one that cannot. */
int depfile_check(const struct depfile *depfile, const char *path,
		  const char *target, struct err *err);
/* `target: files`, and a rule without a recipe for each of them, so that one
 * that is gone later is no error; `path` appears complete or not at all.
 * They were checked, `target` is there by now. */
int depfile_write(const struct depfile *depfile, const char *path,
		  const char *target, struct err *err);
/* Accepts NULL, returns NULL. */
struct depfile *depfile_close(struct depfile *depfile);

#endif
