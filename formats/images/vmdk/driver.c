/* SPDX-License-Identifier: MIT */
/* Owns VMDK's row of the registry. The faces are in files of their own. */
#include "formats/images/vmdk/write.h"

extern const struct driver driver_vmdk;

static const char *const vmdk_suffixes[] = { ".vmdk", NULL };
static const char *const vmdk_parts[] = { "*-flat.vmdk",
					  "*-f[0-9][0-9][0-9].vmdk", NULL };
static const char *const vmdk_compressions[] = { "zlib", NULL };

const struct driver driver_vmdk = {
	.name = "vmdk",
	.title = "VMware disk",
	.suffixes = vmdk_suffixes,
	.part_names = vmdk_parts,
	/* Reading. */
	.open = vmdk_open,
	.peek = vmdk_peek,
	.glance = vmdk_glance,
	.walk = vmdk_walk,
	.walk_order = vmdk_walk_order,
	.walk_usual = WALK_NONE,
	.check = vmdk_check,
	/* Writing. */
	.sector_sizes = SECTORS_512,
	.has_uuid = true,
	.round_size = vmdk_round_size,
	.create = vmdk_create,
	.options = vmdk_options,
	.check_options = vmdk_check_options,
	.append = vmdk_append,
	.in_parts = vmdk_in_parts,
	.compressions = vmdk_compressions,
	.measure = vmdk_measure,
};
