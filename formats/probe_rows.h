/* SPDX-License-Identifier: MIT */
/*
 * The inside of the probe: what a signature's match function sees and says.
 * The table itself is in probe.c.
 */
#ifndef FORMATS_PROBE_ROWS_H
#define FORMATS_PROBE_ROWS_H

#include "formats/probe.h"

/* The layer as far as it is known. */
struct probe_view {
	const unsigned char *head; /* at most LIMIT_PROBE_LEN */
	size_t head_len;
	bool size_known;
	uint64_t size;
	const unsigned char *tail; /* the last bytes, or NULL */
	size_t tail_len;
};

#define PROBE_ALL_OURS UINT64_MAX

struct probe_hit {
	/* How much was verified, in bits: the higher bid wins. */
	unsigned bits;
	/* Too little for a claim against another container: damaged fields,
	 * or a footer that may be someone's data. Still never raw. */
	bool weak;
	/* From here on the container may hold arbitrary bytes of its content,
	 * uncompressed and aligned: raw signatures there prove nothing. Before
	 * it everything is the container's own. */
	uint64_t data_from;
	const char *title; /* of the variant; NULL: the row's */
	char note[80];
};

/* False: not this one after all. `hit` comes with the magic's bits. */
typedef bool probe_match_fn(const struct probe_view *view,
			    struct probe_hit *hit);

struct probe_row {
	const char *name, *title;
	enum probe_class class;
	uint32_t at;
	const char *magic; /* NULL: the function looks for itself */
	unsigned magic_len;
	probe_match_fn *match; /* NULL: the magic is all there is */
};

/* probe_images.c */
probe_match_fn probe_qcow, probe_qcow2, probe_vmdk, probe_vmdk_cowd,
	probe_vmdk_sesparse, probe_vmdk_text, probe_vhd, probe_vhdx, probe_vdi,
	probe_qed, probe_parallels, probe_parallels_xml, probe_bochs,
	probe_cloop, probe_dmg, probe_simg;
/* probe_backups.c */
probe_match_fn probe_sparseimage, probe_asif, probe_ewf, probe_partclone,
	probe_vma, probe_casync;
/* probe_archives.c */
probe_match_fn probe_tar, probe_ova, probe_xva, probe_zip,
	probe_zip_part, probe_7z, probe_rar,
	probe_cpio, probe_cpio_old, probe_ovf;
probe_match_fn probe_lzip, probe_lzma, probe_compress, probe_zstd_old,
	probe_damaged_codec;

/* Add a verified (or, weak, a wrong) field to the finding. */
void probe_note(struct probe_hit *hit, unsigned bits, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A field that a sound file cannot have: named, and the claim is weak. */
void probe_doubt(struct probe_hit *hit, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The one checksum of VHD footers: 512 bytes (511 of old versions). */
bool probe_vhd_sum(const unsigned char *footer, size_t len);

#endif
