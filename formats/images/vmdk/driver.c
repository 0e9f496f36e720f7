/* SPDX-License-Identifier: MIT */
/* Owns VMDK's row of the registry. The faces are in files of their own. */
#include "formats/images/vmdk/vmdk.h"

extern const struct driver driver_vmdk;

static const char *const vmdk_suffixes[] = { ".vmdk", NULL };

const struct driver driver_vmdk = {
	.name = "vmdk",
	.title = "VMware disk",
	.suffixes = vmdk_suffixes,
	/* Reading. */
	.open = vmdk_open,
	.peek = vmdk_peek,
	.walk = vmdk_walk,
	.walk_order = vmdk_walk_order,
	.walk_usual = WALK_NONE,
	.check = vmdk_check,
	/* Writing. */
};
