/* SPDX-License-Identifier: MIT */
/*
 * Owns the writing of plain sparse extents, one or many: each grain gets the
 * next place in its extent's file; tables are kept in memory (2 KiB for each
 * 32 MiB of the disk that hold data) and written at the end, header last.
 *
 * The bytes do not depend on whether the size was known beforehand: grains are
 * stored from FIRST_SECTOR on, and in the end, when it is known how long all
 * tables are, the grains that stand in their way go behind the last one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vmdk/write.h"

/* Where the first grain is stored: the tables of 400 MiB fit in front. */
#define FIRST_SECTOR GRAIN_SECTORS
/* Tables joined to one write. */
#define TABLES_RUN 512

/* Behind the header, or behind the descriptor; as VMware's own. */
static uint64_t directory_sector(const struct vmdk_writer *w)
{
	return vmdk_is_split(&w->config) ? 1 : TEXT_SECTOR + TEXT_SECTORS;
}

/* `count` grains in one run; the first one's sector. */
static int take(struct vmdk_file *file, uint64_t count, uint64_t *sector,
		struct err *err)
{
	if (!file->next)
		file->next = FIRST_SECTOR;
	*sector = file->next;
	file->next += count * GRAIN_SECTORS;
	if (file->next > UINT32_MAX)
		return err_set(err, ERR_UNSUPPORTED,
			       "a sparse file of VMDK ends at 2 TiB; use "
			       "subformat=twoGbMaxExtentSparse or "
			       "monolithicFlat");
	return 0;
}

/* Guest byte `at` of the extent is at `sector`. */
static void put(struct vmdk_file *file, uint64_t at, uint64_t sector)
{
	size_t index = (size_t)(at / TABLE_SPAN);
	size_t entry = (size_t)(at % TABLE_SPAN / GRAIN_LEN);

	if (index >= file->table_count) {
		size_t count = index + 1 + index / 2;

		file->table =
			mem_resize(file->table, count, sizeof *file->table);
		memset(file->table + file->table_count, 0,
		       (count - file->table_count) * sizeof *file->table);
		file->table_count = count;
	}
	if (!file->table[index])
		file->table[index] = mem_zalloc(TABLE_LEN);
	bytes_put_le32(file->table[index] + entry * VMDK_ENTRY_LEN,
		       (uint32_t)sector);
}

static int sparse_place(struct writer *writer, struct unit *unit,
			struct err *err)
{
	struct vmdk_writer *w = (struct vmdk_writer *)writer;

	identity_unit(w->identity, unit, writer->granule);
	for (size_t i = 0; i < unit->granule_count; i++) {
		uint64_t at = unit->offset + i * GRAIN_LEN, start, sector;
		struct vmdk_file *file;

		if (unit->granules[i].kind != EXTENT_DATA)
			continue;
		if (vmdk_check_directory(at + GRAIN_LEN, err))
			return -1;
		file = vmdk_file_at(w, at, &start, err);
		if (!file || take(file, 1, &sector, err))
			return -1;
		put(file, at - start, sector);
		unit_store(unit, file->sink, sector * VMDK_SECTOR,
			   unit->data + i * GRAIN_LEN, GRAIN_LEN);
	}
	return 0;
}

static int sparse_zero(struct writer *writer, uint64_t offset, uint64_t length,
		       enum extent_kind kind, struct err *err)
{
	(void)writer, (void)offset, (void)length, (void)kind, (void)err;
	return 0; /* an entry of 0 */
}

static int sparse_reserve(struct writer *writer, uint64_t offset,
			  uint64_t length, uint64_t *place, struct err *err)
{
	struct vmdk_writer *w = (struct vmdk_writer *)writer;
	uint64_t count = div_up(length, GRAIN_LEN), start, sector;
	struct vmdk_file *file;

	if (vmdk_check_directory(offset + length, err))
		return -1;
	file = vmdk_file_at(w, offset, &start, err);
	if (!file || take(file, count, &sector, err))
		return -1;
	for (uint64_t i = 0; i < count; i++)
		put(file, offset - start + i * GRAIN_LEN,
		    sector + i * GRAIN_SECTORS);
	*place = sector * VMDK_SECTOR;
	/* Beyond the disk's end in its last grain. */
	return sink_zero(writer->sink, *place + length,
			 count * GRAIN_LEN - length, SINK_ZERO_SPARSE, err);
}

/* ---- the end ---- */

static int store_directory(const struct vmdk_file *file,
			   const struct vmdk_layout *layout, uint64_t sector,
			   struct err *err)
{
	size_t len = (size_t)layout->gd_sectors * VMDK_SECTOR;
	unsigned char *bytes AUTO_FREE = mem_zalloc(len);
	uint64_t first = sector + layout->gd_sectors;

	for (uint64_t i = 0; i < layout->tables; i++)
		bytes_put_le32(bytes + i * VMDK_ENTRY_LEN,
			       (uint32_t)(first + i * TABLE_SECTORS));
	return sink_write(file->sink, bytes, len, sector * VMDK_SECTOR, err);
}

/* Those that have entries, from `sector` on, in runs. */
static int store_tables(const struct vmdk_file *file, uint64_t sector,
			struct err *err)
{
	unsigned char *bytes AUTO_FREE = mem_zalloc(TABLES_RUN * TABLE_LEN);
	size_t run = 0;

	for (size_t i = 0; i < file->table_count; i++) {
		if (!file->table[i])
			continue;
		memcpy(bytes + run++ * TABLE_LEN, file->table[i], TABLE_LEN);
		if (run < TABLES_RUN && i + 1 < file->table_count &&
		    file->table[i + 1])
			continue;
		if (sink_write(file->sink, bytes, run * TABLE_LEN,
			       sector * VMDK_SECTOR + (i + 1 - run) * TABLE_LEN,
			       err))
			return -1;
		run = 0;
	}
	return 0;
}

static int store_head(struct vmdk_writer *w, const struct vmdk_file *file,
		      const struct vmdk_layout *layout, struct err *err)
{
	unsigned char *bytes AUTO_FREE = mem_zalloc(VMDK_HEADER_LEN + TEXT_LEN);
	size_t len = VMDK_HEADER_LEN;

	vmdk_head_put(&w->config, layout, bytes);
	if (!vmdk_is_split(&w->config)) {
		vmdk_text_put(w, bytes + VMDK_HEADER_LEN);
		len += TEXT_LEN;
	}
	return sink_write(file->sink, bytes, len, 0, err);
}

/* The entries of grains in front of sector `end` grow by `more`. */
static void renumber(struct vmdk_file *file, uint64_t end, uint64_t more)
{
	for (size_t i = 0; i < file->table_count; i++)
		for (size_t k = 0; file->table[i] && k < TABLE_LEN;
		     k += VMDK_ENTRY_LEN) {
			uint32_t sector = bytes_le32(file->table[i] + k);

			if (sector && sector < end)
				bytes_put_le32(file->table[i] + k,
					       sector + (uint32_t)more);
		}
}

/* No grain is left in front of `overhead`. */
static int make_room(struct vmdk_file *file, uint64_t overhead,
		     struct err *err)
{
	uint64_t end = max_u64(file->next, overhead);
	uint64_t count = min_u64(file->next, overhead) - FIRST_SECTOR, sector;

	file->next = end;
	if (take(file, count / GRAIN_SECTORS, &sector, err))
		return -1;
	renumber(file, overhead, end - FIRST_SECTOR);
	return sink_move(file->sink, FIRST_SECTOR * VMDK_SECTOR,
			 count * VMDK_SECTOR, end * VMDK_SECTOR, err);
}

static int store_file(struct vmdk_writer *w, struct vmdk_file *file,
		      struct err *err)
{
	struct vmdk_layout layout;
	uint64_t next;

	vmdk_layout_init(&layout, file->size, directory_sector(w));
	if (take(file, 0, &next, err) ||
	    make_room(file, layout.overhead, err))
		return -1;
	/* Where tables are left out old content must not show. */
	if (sink_zero(file->sink, 0, layout.overhead * VMDK_SECTOR,
		      SINK_ZERO_SPARSE, err) ||
	    store_directory(file, &layout, layout.rgd, err) ||
	    store_tables(file, layout.rgd + layout.gd_sectors, err) ||
	    store_directory(file, &layout, layout.gd, err) ||
	    store_tables(file, layout.gd + layout.gd_sectors, err) ||
	    store_head(w, file, &layout, err))
		return -1;
	return sink_finish(file->sink, file->next * VMDK_SECTOR, err);
}

static int sparse_finish(struct writer *writer, uint64_t size, struct err *err)
{
	struct vmdk_writer *w = (struct vmdk_writer *)writer;

	if (vmdk_writer_settle(w, size, err) ||
	    (!vmdk_is_split(&w->config) && vmdk_check_directory(size, err)))
		return -1;
	for (unsigned i = 0; i < w->file_count; i++)
		if (store_file(w, &w->files[i], err))
			return -1;
	return vmdk_is_split(&w->config) ? vmdk_text_store(w, err) : 0;
}

static void sparse_close(struct writer *writer)
{
	vmdk_writer_close((struct vmdk_writer *)writer);
	free(writer);
}

static const struct writer_ops single_ops = {
	.place = sparse_place,
	.zero = sparse_zero,
	.reserve = sparse_reserve,
	.finish = sparse_finish,
	.close = sparse_close,
};

/* A run may go from one file into the next: none is told. */
static const struct writer_ops split_ops = {
	.place = sparse_place,
	.zero = sparse_zero,
	.finish = sparse_finish,
	.close = sparse_close,
};

struct writer *vmdk_sparse_create(struct sink *sink,
				  const struct create_options *options,
				  struct err *err)
{
	struct vmdk_writer *w = mem_zalloc(sizeof *w);
	bool split = vmdk_in_parts(options);

	writer_init(&w->writer, split ? &split_ops : &single_ops, "vmdk", sink);
	w->writer.granule = GRAIN_LEN;
	w->writer.head_last = true;
	if (vmdk_writer_init(w, options, err)) {
		sparse_close(&w->writer);
		return NULL;
	}
	if (!split && !sink->seekable) {
		err_set(err, ERR_BUG, "%s cannot be written in one pass",
			w->config.type);
		sparse_close(&w->writer);
		return NULL;
	}
	return &w->writer;
}
