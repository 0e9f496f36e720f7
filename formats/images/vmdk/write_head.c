/* SPDX-License-Identifier: MIT */
/* Owns the header of a sparse extent, and the arithmetic of where directories
 * and tables lie. Writes nothing. */
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/limits.h"
#include "formats/images/vmdk/write.h"

void vmdk_layout_init(struct vmdk_layout *layout, uint64_t size, uint64_t at)
{
	uint64_t each;

	layout->capacity = size / VMDK_SECTOR;
	layout->tables = div_up(size, TABLE_SPAN);
	layout->gd_sectors = max_u64(
		1, div_up(layout->tables * VMDK_ENTRY_LEN, VMDK_SECTOR));
	each = layout->gd_sectors + layout->tables * TABLE_SECTORS;
	layout->rgd = at;
	layout->gd = at + each;
	layout->end = layout->gd + each;
	layout->overhead = round_up(layout->end, GRAIN_SECTORS);
}

/* Version 2 where grains may be marked as zero, 3 where they are compressed
 * ("Virtual Disk Format 5.0"; ESXi calls an older version too old then). */
static uint32_t version(const struct vmdk_config *config)
{
	if (config->subformat == VMDK_STREAM_OPTIMIZED)
		return 3;
	return config->zero_grains ? 2 : 1;
}

static uint32_t flags(const struct vmdk_config *config)
{
	if (config->subformat == VMDK_STREAM_OPTIMIZED)
		return VMDK_FLAG_NEWLINES | VMDK_FLAG_COMPRESSED |
		       VMDK_FLAG_MARKERS;
	return VMDK_FLAG_NEWLINES | VMDK_FLAG_REDUNDANT |
	       (config->zero_grains ? VMDK_FLAG_ZERO_GRAINS : 0);
}

void vmdk_head_put(const struct vmdk_config *config,
		   const struct vmdk_layout *layout, unsigned char *out)
{
	bool stream = config->subformat == VMDK_STREAM_OPTIMIZED;
	bool inside = !vmdk_is_split(config);

	bytes_put_le32(out, VMDK_MAGIC);
	bytes_put_le32(out + VMDK_VERSION, version(config));
	bytes_put_le32(out + VMDK_FLAGS, flags(config));
	bytes_put_le64(out + VMDK_CAPACITY, layout->capacity);
	bytes_put_le64(out + VMDK_GRAIN, GRAIN_SECTORS);
	bytes_put_le64(out + VMDK_DESCRIPTOR, inside ? TEXT_SECTOR : 0);
	bytes_put_le64(out + VMDK_DESCRIPTOR_LEN, inside ? TEXT_SECTORS : 0);
	bytes_put_le32(out + VMDK_TABLE_ENTRIES, VMDK_TABLE_ENTRIES_USUAL);
	bytes_put_le64(out + VMDK_RGD, layout->rgd);
	bytes_put_le64(out + VMDK_GD, layout->gd);
	bytes_put_le64(out + VMDK_OVERHEAD, layout->overhead);
	memcpy(out + VMDK_NEWLINES, VMDK_NEWLINES_TEXT, VMDK_NEWLINES_LEN);
	bytes_put_le16(out + VMDK_COMPRESSION, stream ? VMDK_COMPRESSION_DEFLATE
						      : VMDK_COMPRESSION_NONE);
}

int vmdk_check_directory(uint64_t size, struct err *err)
{
	uint64_t most = LIMIT_TABLE_LEN / VMDK_ENTRY_LEN * TABLE_SPAN;

	if (size > most)
		return err_set(err, ERR_UNSUPPORTED,
			       "%llu bytes are more than a grain directory "
			       "can map (%llu); use subformat=monolithicFlat",
			       (unsigned long long)size,
			       (unsigned long long)most);
	return 0;
}
