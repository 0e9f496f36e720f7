/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of container signatures and the judgement between them; does
 * not read, decode or open. What the fields of each format mean is in
 * probe_images.c, probe_backups.c and probe_archives.c, the table of guest
 * content in guest.c, and each codec claims its own bytes.
 *
 *   view    gather the head (128 KiB) and, where it can be had, the tail
 *   bid     every row of the table, and every codec, looks at the view
 *   judge   the highest bid wins; another one, or raw content that a machine
 *           would boot from, in bytes that are the winner's own, is a
 *           conflict - but for the harmless pairs
 *   raw     without a container: guest content, zeros, or unknown
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/limits.h"
#include "formats/codecs/codec.h"
#include "formats/guest.h"
#include "formats/probe_rows.h"

/* Footers and trailers; also what is held back of a stream. */
#define TAIL_LEN 512

/* A claim of so few bits is withdrawn where a machine would boot: two or
 * three bytes of boot code may be anything. */
#define BITS_FEW 24

#define M(text) text, sizeof(text) - 1

/* More telling names first, where two would claim the same bytes. A row with
 * a magic is asked only when the magic is there. */
static const struct probe_row rows[] = {
	{ "qcow2", "QEMU disk (qcow2)", PROBE_IMAGE, 0, M("QFI\xfb"),
	  probe_qcow2 },
	{ "qcow", "QEMU disk (qcow, version 1)", PROBE_IMAGE, 0, M("QFI\xfb"),
	  probe_qcow },
	{ "vmdk", "VMware disk", PROBE_IMAGE, 0, M("KDMV"), probe_vmdk },
	{ "vmdk", "VMware disk (COWD)", PROBE_IMAGE, 0, M("COWD"),
	  probe_vmdk_cowd },
	{ "vmdk", "VMware disk (seSparse)", PROBE_IMAGE, 0,
	  M("\xbe\xba\xfe\xca\0\0\0\0"), probe_vmdk_sesparse },
	{ "vmdk", "VMware disk (descriptor)", PROBE_IMAGE, 0, NULL, 0,
	  probe_vmdk_text },
	{ "vhd", "VHD", PROBE_IMAGE, 0, NULL, 0, probe_vhd },
	{ "vhdx", "VHDX", PROBE_IMAGE, 0, M("vhdxfile"), probe_vhdx },
	{ "vdi", "VirtualBox disk", PROBE_IMAGE, 64, M("\x7f\x10\xda\xbe"),
	  probe_vdi },
	{ "qed", "QEMU enhanced disk", PROBE_IMAGE, 0, M("QED\0"), probe_qed },
	{ "parallels", "Parallels disk", PROBE_IMAGE, 0, M("WithoutFreeSpace"),
	  probe_parallels },
	{ "parallels", "Parallels disk (extended)", PROBE_IMAGE, 0,
	  M("WithouFreSpacExt"), probe_parallels },
	{ "parallels", "Parallels descriptor", PROBE_IMAGE, 0, M("<?xml"),
	  probe_parallels_xml },
	{ "bochs", "Bochs disk", PROBE_IMAGE, 0, M("Bochs Virtual HD Image"),
	  probe_bochs },
	{ "cloop", "compressed loop image", PROBE_IMAGE, 0,
	  M("#!/bin/sh\n#V2.0 Format\n"), probe_cloop },
	{ "dmg", "Apple disk image", PROBE_IMAGE, 0, NULL, 0, probe_dmg },
	{ "simg", "Android sparse image", PROBE_IMAGE, 0, M("\x3a\xff\x26\xed"),
	  probe_simg },
	{ "sparseimage", "Apple sparse image", PROBE_IMAGE, 0, M("sprs"),
	  probe_sparseimage },
	{ "asif", "Apple sparse image (ASIF)", PROBE_IMAGE, 0, M("shdw"),
	  probe_asif },
	{ "ewf", "Expert Witness image (E01)", PROBE_IMAGE, 0,
	  M("EVF\x09\x0d\x0a\xff\0"), probe_ewf },
	{ "ewf", "Expert Witness logical image (L01)", PROBE_IMAGE, 0,
	  M("LVF\x09\x0d\x0a\xff\0"), probe_ewf },
	{ "ewf", "Expert Witness image (Ex01)", PROBE_IMAGE, 0,
	  M("EVF2\x0d\x0a\x81\0"), probe_ewf },
	{ "ewf", "Expert Witness logical image (Lx01)", PROBE_IMAGE, 0,
	  M("LEF2\x0d\x0a\x81\0"), probe_ewf },
	{ "partclone", "partclone image", PROBE_IMAGE, 0, M("partclone-image"),
	  probe_partclone },
	{ "ntfsclone", "ntfsclone image", PROBE_IMAGE, 0,
	  M("\0ntfsclone-image"), NULL },
	{ "vma", "Proxmox backup (VMA)", PROBE_IMAGE, 0, M("VMA\0"),
	  probe_vma },
	{ "xva", "XenServer export (XVA)", PROBE_IMAGE, 0, NULL, 0, probe_xva },
	{ "casync", "casync index", PROBE_IMAGE, 8,
	  M("\xf9\x9f\x12\x7b\x9c\x4d\x82\x96"), probe_casync },
	{ "fidx", "Proxmox fixed index", PROBE_IMAGE, 0,
	  M("\x2f\x7f\x41\xed\x91\xfd\x0f\xcd"), NULL },
	{ "chd", "MAME hard disk (CHD)", PROBE_IMAGE, 0, M("MComprHD"), NULL },
	{ "ova", "virtual appliance (OVA)", PROBE_ARCHIVE, 0, NULL, 0,
	  probe_ova },
	{ "tar", "tar archive", PROBE_ARCHIVE, 0, NULL, 0, probe_tar },
	{ "ovf", "virtual appliance's description (OVF)", PROBE_ARCHIVE, 0,
	  M("<"), probe_ovf },
	{ "zip", "zip archive", PROBE_ARCHIVE, 0, NULL, 0, probe_zip },
	{ "zip-part", "one of several files of a zip archive", PROBE_ARCHIVE, 0,
	  NULL, 0, probe_zip_part },
	{ "7z", "7z archive", PROBE_ARCHIVE, 0, M("7z\xbc\xaf\x27\x1c"),
	  probe_7z },
	{ "rar", "RAR archive", PROBE_ARCHIVE, 0, M("Rar!\x1a\x07"),
	  probe_rar },
	{ "cpio", "cpio archive", PROBE_ARCHIVE, 0, M("07070"), probe_cpio },
	{ "cpio", "cpio archive (binary)", PROBE_ARCHIVE, 0, NULL, 0,
	  probe_cpio_old },
	{ "wim", "Windows image (WIM)", PROBE_ARCHIVE, 0, M("MSWIM\0\0\0"),
	  NULL },
	{ "cab", "cabinet archive", PROBE_ARCHIVE, 0, M("MSCF\0\0\0\0"), NULL },
	{ "xar", "xar archive", PROBE_ARCHIVE, 0, M("xar!\0\x1c"), NULL },
	/* Compressions without a codec of ours; see probe.h. */
	{ "lzip", "lzip", PROBE_CODEC, 0, M("LZIP"), probe_lzip },
	{ "lzma", "LZMA alone", PROBE_CODEC, 0, M("\x5d\0\0"), probe_lzma },
	{ "lzop", "lzop", PROBE_CODEC, 0, M("\x89LZO\0\x0d\x0a\x1a\x0a"),
	  NULL },
	{ "lrzip", "lrzip", PROBE_CODEC, 0, M("LRZI"), NULL },
	{ "compress", "compress (.Z)", PROBE_CODEC, 0, M("\x1f\x9d"),
	  probe_compress },
	{ "lz4-legacy", "lz4, legacy frame", PROBE_CODEC, 0,
	  M("\x02\x21\x4c\x18"), NULL },
	{ "zstd-old", "Zstandard, unfinished format", PROBE_CODEC, 1,
	  M("\xb5\x2f\xfd"), probe_zstd_old },
	{ "snappy", "snappy frames", PROBE_CODEC, 0, M("\xff\6\0\0sNaPpY"),
	  NULL },
	/* Parts of codecs' own magics, for headers too damaged for them. */
	{ "gz", "gzip", PROBE_CODEC, 0, M("\x1f\x8b"), probe_damaged_codec },
	{ "xz", "xz", PROBE_CODEC, 0,
	  M("\xfd"
	    "7zXZ"),
	  probe_damaged_codec },
	{ "bz2", "bzip2", PROBE_CODEC, 0, M("BZh"), probe_damaged_codec },
	{ "zst", "Zstandard", PROBE_CODEC, 0, M("\x28\xb5\x2f\xfd"),
	  probe_damaged_codec },
	{ "lz4", "lz4", PROBE_CODEC, 0, M("\x04\x22\x4d\x18"),
	  probe_damaged_codec },
};
#define ROWS (sizeof rows / sizeof *rows)

/*
 * Two findings that are one file. That a dynamic VHD has its cookie at 0 and
 * at the end is inside the vhd row; that an isohybrid is ISO and MBR concerns
 * raw content only; that fixed VHD and DMG hold a disk in the open is said by
 * their data_from.
 */
static const struct {
	const char *name, *under, *reason;
} harmless[] = {
	{ "ova", "tar", "an appliance is a tar" },
	{ "xva", "tar", "an export is a tar" },
	{ "dmg", "bz2", "UDBZ: the first chunk is a bzip2 stream" },
	{ "dmg", "xz", "ULMO: the first chunk is an xz stream" },
	{ "dmg", "lzma", "the first chunk is an LZMA stream" },
};

struct finding {
	const char *name, *title;
	enum probe_class class;
	struct probe_hit hit;
};

__attribute__((format(printf, 2, 0))) static void
note_add(struct probe_hit *hit, const char *format, va_list args)
{
	size_t used = strlen(hit->note);

	if (used && used + 2 < sizeof hit->note) {
		memcpy(hit->note + used, ", ", 3);
		used += 2;
	}
	vsnprintf(hit->note + used, sizeof hit->note - used, format, args);
	/* Some notes quote the file. */
	for (char *p = hit->note + used; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

void probe_note(struct probe_hit *hit, unsigned bits, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_add(hit, format, args);
	va_end(args);
	hit->bits += bits;
}

void probe_doubt(struct probe_hit *hit, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_add(hit, format, args);
	va_end(args);
	hit->weak = true;
}

/* The magic in words: "QFI\xfb" at 0. */
static void magic_note(const struct probe_row *row, struct probe_hit *hit)
{
	char text[4 * 32 + 1];
	size_t used = 0;

	for (unsigned i = 0; i < row->magic_len && used < sizeof text - 5;
	     i++) {
		unsigned char c = (unsigned char)row->magic[i];

		if (c >= ' ' && c <= '~')
			text[used++] = (char)c;
		else
			used += (size_t)sprintf(text + used, "\\x%02x", c);
	}
	text[used] = 0;
	probe_note(hit, 8 * row->magic_len, "\"%.48s\" at %u", text, row->at);
}

static bool row_match(const struct probe_row *row,
		      const struct probe_view *view, struct probe_hit *hit)
{
	memset(hit, 0, sizeof *hit);
	hit->data_from = PROBE_ALL_OURS;
	if (row->magic) {
		if (!checked_inside(row->at, row->magic_len, view->head_len) ||
		    memcmp(view->head + row->at, row->magic, row->magic_len))
			return false;
		magic_note(row, hit);
	}
	return !row->match || row->match(view, hit);
}

static bool is_harmless(const char *name, const char *under)
{
	for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
		if (!strcmp(harmless[i].name, name) &&
		    !strcmp(harmless[i].under, under))
			return true;
	return false;
}

/* One more finding against the best so far. */
static void judge(struct finding *best, const struct finding *next,
		  struct probe_report *report)
{
	bool wins;

	if (!best->name) {
		*best = *next;
		return;
	}
	if (is_harmless(best->name, next->name))
		return;
	wins = next->hit.bits > best->hit.bits;
	if (is_harmless(next->name, best->name))
		wins = true;
	else if (next->hit.weak != best->hit.weak)
		wins = best->hit.weak;
	/* Two compressions claim the same first bytes, and variants of one
	 * format the same file: that is no contradiction. */
	else if (!next->hit.weak && strcmp(best->name, next->name) &&
		 (best->class != PROBE_CODEC || next->class != PROBE_CODEC))
		snprintf(report->conflict, sizeof report->conflict,
			 "it is %s, but also %s (%.50s); say which with -f",
			 best->name, next->name, next->hit.note);
	if (wins)
		*best = *next;
}

static void find_container(const struct probe_view *view, struct finding *best,
			   struct probe_report *report)
{
	for (int id = 0; id < CODEC_COUNT; id++) {
		const struct codec *codec = codec_get((enum codec_id)id);
		struct finding next = { .name = codec->tag,
					.title = codec->name,
					.class = PROBE_CODEC };

		if (!codec->probe(view->head, view->head_len))
			continue;
		next.hit.bits = 40;
		next.hit.data_from = PROBE_ALL_OURS;
		snprintf(next.hit.note, sizeof next.hit.note, "%s header at 0",
			 codec->name);
		judge(best, &next, report);
	}
	for (size_t i = 0; i < ROWS; i++) {
		struct finding next = { .name = rows[i].name,
					.title = rows[i].title,
					.class = rows[i].class };

		if (!row_match(&rows[i], view, &next.hit))
			continue;
		if (next.hit.title)
			next.title = next.hit.title;
		judge(best, &next, report);
	}
}

/* Raw content that boots, in bytes that are the container's own. */
static bool find_boot(const struct probe_view *view, const struct finding *best,
		      struct guest *guest)
{
	unsigned row = 0;

	while (guest_find(view->head, view->head_len, &row, guest))
		if (guest->boot && guest->at < best->hit.data_from)
			return true;
	return false;
}

static void report_set(struct probe_report *report, enum probe_class class,
		       const char *name, const char *title,
		       const char *evidence)
{
	report->class = class;
	snprintf(report->name, sizeof report->name, "%s", name);
	snprintf(report->title, sizeof report->title, "%s", title);
	snprintf(report->evidence, sizeof report->evidence, "%s", evidence);
}

static void report_raw(const struct probe_view *view,
		       struct probe_report *report)
{
	struct guest guest;
	unsigned row = 0;
	size_t i = 0;
	char text[64];

	if (guest_find(view->head, view->head_len, &row, &guest)) {
		report_set(report, PROBE_GUEST, guest.name, guest.title,
			   guest.evidence);
		return;
	}
	while (i < view->head_len && !view->head[i])
		i++;
	if (!view->head_len) {
		report_set(report, PROBE_BLANK, "blank", "blank disk", "empty");
	} else if (i == view->head_len) {
		snprintf(text, sizeof text, "the first %zu bytes are zero",
			 view->head_len);
		report_set(report, PROBE_BLANK, "blank", "blank disk", text);
	} else {
		report_set(report, PROBE_BLANK, "unknown", "unknown content",
			   "no signature is known");
	}
}

static void report_make(const struct probe_view *view,
			struct probe_report *report)
{
	struct finding best = { .name = NULL };
	struct guest guest;

	memset(report, 0, sizeof *report);
	find_container(view, &best, report);
	if (best.name && find_boot(view, &best, &guest)) {
		if (best.hit.weak && best.hit.bits <= BITS_FEW)
			best.name = NULL;
		else if (!report->conflict[0])
			snprintf(report->conflict, sizeof report->conflict,
				 "it is %s, but as a raw disk it is %s "
				 "(%.50s); say which with -f",
				 best.name, guest.name, guest.evidence);
	}
	if (best.name)
		report_set(report, best.class, best.name, best.title,
			   best.hit.note);
	else
		report_raw(view, report);
}

/* The longest window at 0, cut to what the probe looks at, so that more than
 * was asked changes nothing. How many there are tells a question that was
 * answered with less from one that was not asked. */
static unsigned view_head(const struct probe_input *input,
			  struct probe_view *view)
{
	unsigned answers = 0;

	for (unsigned i = 0; i < input->count && i < PROBE_WINDOWS; i++) {
		const struct probe_window *w = &input->window[i];

		if (w->offset)
			continue;
		answers++;
		if (!view->head || w->len > view->head_len) {
			view->head = w->bytes;
			view->head_len = w->len;
		}
	}
	/* The end of a short stream is known by its window's end. */
	if (answers && !view->size_known && view->head_len < LIMIT_PROBE_LEN) {
		view->size_known = true;
		view->size = view->head_len;
	}
	if (view->head_len > LIMIT_PROBE_LEN)
		view->head_len = LIMIT_PROBE_LEN;
	return answers;
}

/* The last bytes, from any window that has them all. */
static bool view_tail(const struct probe_input *input, struct probe_view *view,
		      uint64_t offset, size_t len)
{
	for (unsigned i = 0; i < input->count && i < PROBE_WINDOWS; i++) {
		const struct probe_window *w = &input->window[i];

		if (w->offset > offset ||
		    !checked_inside(offset - w->offset, len, w->len))
			continue;
		view->tail = w->bytes + (offset - w->offset);
		view->tail_len = len;
		return true;
	}
	return false;
}

enum probe_answer probe_layer(const struct probe_input *input,
			      struct probe_report *report, uint64_t *offset,
			      size_t *len)
{
	static const unsigned char nothing[1];
	struct probe_view view = { .size_known = input->size_known,
				   .size = input->size };
	unsigned answers = view_head(input, &view);
	size_t want = LIMIT_PROBE_LEN;

	if (view.size_known)
		want = (size_t)min_u64(want, view.size);
	/* Asked again once, if a caller began with a guess of its own; a file
	 * that is shorter than its size stays so. */
	if (view.head_len < want && answers < 2 &&
	    input->count < PROBE_WINDOWS) {
		*offset = 0;
		*len = want;
		return PROBE_NEED;
	}
	if (!view.head)
		view.head = nothing;
	if (view.size_known && view.size) {
		size_t tail = (size_t)min_u64(TAIL_LEN, view.size);
		uint64_t at = view.size - tail;
		bool asked = false;

		for (unsigned i = 0; i < input->count && i < PROBE_WINDOWS; i++)
			asked |= input->window[i].offset == at && at;
		if (!view_tail(input, &view, at, tail) && !asked &&
		    input->tail_reachable && input->count < PROBE_WINDOWS) {
			*offset = at;
			*len = tail;
			return PROBE_NEED;
		}
	}
	report_make(&view, report);
	return PROBE_DONE;
}

const char *probe_trailer(const unsigned char *tail, size_t len)
{
	static const unsigned char nothing[1];
	struct probe_view view = { .head = nothing,
				   .tail = tail,
				   .tail_len = len };
	struct probe_hit hit = { .bits = 0 };

	if (probe_vhd(&view, &hit))
		return "vhd";
	memset(&hit, 0, sizeof hit);
	return probe_dmg(&view, &hit) ? "dmg" : NULL;
}

const char *probe_known(unsigned index, enum probe_class *class,
			const char **title)
{
	for (size_t i = 0; i < ROWS; i++) {
		bool again = i && !strcmp(rows[i].name, rows[i - 1].name);

		if (rows[i].class == PROBE_CODEC || again)
			continue;
		if (index) {
			index--;
			continue;
		}
		*class = rows[i].class;
		*title = rows[i].title;
		return rows[i].name;
	}
	return NULL;
}
