/* SPDX-License-Identifier: MIT */
/* Owns the BAT of a disk being made: only the pages are kept in which a block
 * has a place, so that an empty disk of any size costs nothing. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vhdx/write.h"

static uint64_t index_of(const struct vhdx_config *config, uint64_t block)
{
	return block + block / config->ratio;
}

uint64_t vhdx_pages_get(const struct vhdx_pages *pages,
			const struct vhdx_config *config, uint64_t block)
{
	uint64_t index = index_of(config, block);
	uint64_t page = index / VHDX_PAGE_ENTRIES;

	if (page >= pages->count || !pages->list[page])
		return 0;
	return pages->list[page][index % VHDX_PAGE_ENTRIES];
}

void vhdx_pages_put(struct vhdx_pages *pages, const struct vhdx_config *config,
		    uint64_t block, uint64_t place)
{
	uint64_t index = index_of(config, block);
	size_t page = (size_t)(index / VHDX_PAGE_ENTRIES);

	if (page >= pages->count) {
		size_t count = page + page / 2 + 1;

		pages->list =
			mem_resize(pages->list, count, sizeof *pages->list);
		memset(pages->list + pages->count, 0,
		       (count - pages->count) * sizeof *pages->list);
		pages->count = count;
	}
	if (!pages->list[page])
		pages->list[page] = mem_zalloc(VHDX_PAGE_LEN);
	pages->list[page][index % VHDX_PAGE_ENTRIES] = place;
}

/* The entry of index `index`, with the place that is known for it. */
static uint64_t entry_of(const struct vhdx_config *config, uint64_t data,
			 uint64_t index, uint64_t place)
{
	uint64_t group = config->ratio + 1;

	if (index % group == config->ratio)
		return VHDX_BITMAP_NOT_PRESENT;
	if (config->fixed)
		place = data + (index - index / group) * config->block_size;
	if (place)
		return place | VHDX_BLOCK_PRESENT;
	return config->state_zero ? VHDX_BLOCK_ZERO : VHDX_BLOCK_NOT_PRESENT;
}

bool vhdx_pages_fill(const struct vhdx_pages *pages,
		     const struct vhdx_config *config, uint64_t entries,
		     uint64_t data, uint64_t number, unsigned char *out)
{
	uint64_t first = number * VHDX_PAGE_ENTRIES;
	uint64_t count = min_u64(VHDX_PAGE_ENTRIES, entries - first);
	const uint64_t *page =
		number < pages->count ? pages->list[number] : NULL;

	if (!page && !config->fixed && !config->state_zero)
		return false;
	memset(out, 0, VHDX_PAGE_LEN);
	for (uint64_t i = 0; i < count; i++)
		bytes_put_le64(out + i * 8, entry_of(config, data, first + i,
						     page ? page[i] : 0));
	return true;
}

void vhdx_pages_clear(struct vhdx_pages *pages)
{
	for (size_t i = 0; i < pages->count; i++)
		free(pages->list[i]);
	free(pages->list);
	memset(pages, 0, sizeof *pages);
}
