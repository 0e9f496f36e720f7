/* SPDX-License-Identifier: MIT */
/* Owns the unit's memory and its list of stores (declared in writer.h). Does
 * not decide where anything goes. */
#include "formats/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct store *add_store(struct unit *unit)
{
	if (unit->store_count == unit->store_room) {
		unit->store_room = unit->store_room ? unit->store_room * 2 : 8;
		unit->stores = mem_resize(unit->stores, unit->store_room,
					  sizeof *unit->stores);
	}
	return &unit->stores[unit->store_count++];
}

void unit_store(struct unit *unit, struct sink *sink, uint64_t offset,
		const void *bytes, size_t len)
{
	struct store *last =
		unit->store_count ? &unit->stores[unit->store_count - 1] : NULL;

	if (!len)
		return;
	if (last && last->sink == sink && !last->owned &&
	    last->offset + last->len == offset &&
	    last->bytes + last->len == bytes) {
		last->len += len;
		return;
	}
	*add_store(unit) = (struct store){ sink, offset, bytes, len, false };
}

void unit_store_take(struct unit *unit, struct sink *sink, uint64_t offset,
		     void *take_bytes, size_t len)
{
	*add_store(unit) =
		(struct store){ sink, offset, take_bytes, len, true };
}

void unit_init(struct unit *unit, const struct writer *writer)
{
	memset(unit, 0, sizeof *unit);
	unit->room = writer->unit_len;
	unit->data = mem_buffer(unit->room);
	unit->granules = mem_zalloc(unit->room / writer->granule *
				    sizeof *unit->granules);
	if (writer->coded_room)
		unit->coded = mem_buffer(writer->coded_room);
}

void unit_reset(struct unit *unit)
{
	for (size_t i = 0; i < unit->store_count; i++)
		if (unit->stores[i].owned)
			/* The list holds them const only for reading. */
			free((void *)(uintptr_t)unit->stores[i].bytes);
	unit->store_count = 0;
	unit->len = 0;
	unit->granule_count = 0;
}

void unit_free(struct unit *unit)
{
	unit_reset(unit);
	free(unit->data);
	free(unit->granules);
	free(unit->coded);
	free(unit->stores);
	memset(unit, 0, sizeof *unit);
}

int writer_store(struct unit *unit, struct err *err)
{
	for (size_t i = 0; i < unit->store_count; i++) {
		const struct store *store = &unit->stores[i];

		if (sink_write(store->sink, store->bytes, store->len,
			       store->offset, err))
			return -1;
	}
	return 0;
}
