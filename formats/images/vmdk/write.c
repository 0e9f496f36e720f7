/* SPDX-License-Identifier: MIT */
/* Owns driver->create of VMDK: which writer suits the options. */
#include "formats/images/vmdk/write.h"

struct writer *vmdk_create(struct sink *sink,
			   const struct create_options *options,
			   struct err *err)
{
	struct vmdk_config config;

	if (vmdk_config_parse(options, &config, err))
		return NULL;
	if (vmdk_is_flat(&config))
		return vmdk_flat_create(sink, options, err);
	if (config.subformat == VMDK_STREAM_OPTIMIZED)
		return vmdk_stream_create(sink, options, err);
	return vmdk_sparse_create(sink, options, err);
}
