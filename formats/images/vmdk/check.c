/* SPDX-License-Identifier: MIT */
#include "formats/images/vmdk/vmdk.h"
int vmdk_check(struct source *source, const struct open_options *options,
	       struct check_report *report, struct err *err)
{
	(void)source; (void)options; (void)report;
	return err_set(err, ERR_BUG, "x");
}
