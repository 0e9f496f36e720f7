/* SPDX-License-Identifier: MIT */
/* The options that say what OUTPUT is to be: what their rows call (options.h). */
#ifndef CMD_OPTION_OUTPUT_H
#define CMD_OPTION_OUTPUT_H

#include "cmd/settings.h"

int option_option(struct settings *settings, const char *text,
		   struct err *err);
int option_backing(struct settings *settings, const char *text,
		   struct err *err);
int option_compress_default(struct settings *settings, const char *text,
		   struct err *err);
int option_compress(struct settings *settings, const char *text,
		   struct err *err);
int option_member_name(struct settings *settings, const char *text,
		   struct err *err);
int option_tar_format(struct settings *settings, const char *text,
		   struct err *err);
int option_sector_size(struct settings *settings, const char *text,
		   struct err *err);
int option_uuid(struct settings *settings, const char *text,
		   struct err *err);
int option_for(struct settings *settings, const char *text, struct err *err);
int option_depfile(struct settings *settings, const char *text,
		   struct err *err);
int option_all_disks(struct settings *settings, const char *text,
		     struct err *err);

#endif
