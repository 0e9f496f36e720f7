/* SPDX-License-Identifier: MIT */
/* Owns the descriptor's text. Does not decide what the extents are. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/vmdk/write.h"

struct text {
	char *bytes;
	size_t len, room;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text,
						      const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (text->len + (size_t)len >= text->room) {
		text->room = 2 * text->room + (size_t)len + KIB;
		text->bytes = mem_resize(text->bytes, text->room, 1);
	}
	va_start(args, format);
	vsnprintf(text->bytes + text->len, text->room - text->len, format,
		  args);
	va_end(args);
	text->len += (size_t)len;
}

static void add_extents(struct text *text, const struct vmdk_writer *w)
{
	const char *access =
		w->config.subformat == VMDK_STREAM_OPTIMIZED ? "RDONLY" : "RW";

	add(text, "\n# Extent description\n");
	for (unsigned i = 0; i < w->file_count; i++)
		add(text, "%s %" PRIu64 " %s \"%s\"%s\n", access,
		    w->files[i].size / VMDK_SECTOR,
		    vmdk_is_flat(&w->config) ? "FLAT" : "SPARSE",
		    w->files[i].name, vmdk_is_flat(&w->config) ? " 0" : "");
}

/*
 * ATA's 16383 cylinders, 16 heads and 63 sectors at most; of SCSI 255 heads
 * and 63 sectors, and at most 65535 cylinders, as open-vmdk and QEMU (which
 * knows no most) write it whatever the size.
 */
static void add_geometry(struct text *text, const struct vmdk_writer *w)
{
	bool ide = !strcmp(w->config.adapter, "ide");
	uint64_t heads = ide ? 16 : 255, sectors = 63;
	uint64_t cylinders = w->size / VMDK_SECTOR / (heads * sectors);

	cylinders = max_u64(1, min_u64(cylinders, ide ? 16383 : 65535));
	add(text, "ddb.geometry.cylinders = \"%" PRIu64 "\"\n", cylinders);
	add(text, "ddb.geometry.heads = \"%" PRIu64 "\"\n", heads);
	add(text, "ddb.geometry.sectors = \"%" PRIu64 "\"\n", sectors);
}

/*
 * longContentID: 128 bits, of which the last 32 are the CID (open-vmdk, and
 * what VMware's products write). ddb.uuid.image is VirtualBox's, which makes
 * one up at every opening where there is none; ddb.uuid is VMware's, which
 * makes one itself that begins with its own prefix: only what the user gave
 * is put there.
 */
static void add_identity(struct text *text, struct vmdk_writer *w, uint32_t cid)
{
	unsigned char bytes[IDENTITY_UUID_LEN];
	char name[IDENTITY_TEXT_LEN];

	identity_uuid(w->identity, w->size, "content", bytes);
	add(text, "ddb.longContentID = \"");
	for (unsigned i = 0; i < 12; i++)
		add(text, "%02x", bytes[i]);
	add(text, "%08" PRIx32 "\"\n", cid);
	identity_uuid(w->identity, w->size, "image", bytes);
	identity_text(bytes, name);
	add(text, "ddb.uuid.image = \"%s\"\n", name);
	if (!w->options.has_uuid)
		return;
	add(text, "ddb.uuid = \"");
	for (unsigned i = 0; i < IDENTITY_UUID_LEN; i++)
		add(text, "%s%02x", !i ? "" : i == 8 ? "-" : " ", bytes[i]);
	add(text, "\"\n");
}

static char *make(struct vmdk_writer *w)
{
	struct text text = { NULL, 0, 0 };
	uint32_t cid = w->config.has_cid
			       ? w->config.cid
			       : identity_number(w->identity, w->size, "cid");

	add(&text, "%s\nversion=1\nencoding=\"UTF-8\"\n", VMDK_SIGNATURE);
	add(&text, "CID=%08" PRIx32 "\nparentCID=%08x\n", cid, VMDK_NO_PARENT);
	add(&text, "createType=\"%s\"\n", w->config.type);
	add_extents(&text, w);
	add(&text, "\n# The Disk Data Base\n#DDB\n\n");
	add(&text, "ddb.adapterType = \"%s\"\n", w->config.adapter);
	add_geometry(&text, w);
	add_identity(&text, w, cid);
	add(&text, "ddb.toolsVersion = \"%s\"\n", w->config.tools);
	add(&text, "ddb.virtualHWVersion = \"%s\"\n", w->config.hardware);
	return text.bytes;
}

void vmdk_text_put(struct vmdk_writer *w, unsigned char *out)
{
	char *text AUTO_FREE = make(w);

	/* One extent with a name of 255 bytes: it fits ten times over. */
	memcpy(out, text, min_u64(strlen(text), TEXT_LEN));
}

int vmdk_text_store(struct vmdk_writer *w, struct err *err)
{
	char *text AUTO_FREE = make(w);

	if (sink_write(w->writer.sink, text, strlen(text), 0, err))
		return -1;
	return sink_finish(w->writer.sink, strlen(text), err);
}
