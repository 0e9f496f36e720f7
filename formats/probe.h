/* SPDX-License-Identifier: MIT */
/*
 * The probe: what are these bytes? A pure function; it never opens, reads or
 * decodes. It answers with what it found or with the range it needs to see.
 * One table of signatures, in probe.c, is all there is to know of containers,
 * one in guest.c of what a raw disk may begin with.
 */
#ifndef FORMATS_PROBE_H
#define FORMATS_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum probe_class {
	/* One of formats/codecs: name is the codec's tag. Compressions that we
	 * have no codec for ("lzip", "lzma", "compress", ...) are of this
	 * class too: codec_by_name does not know their name, and the caller
	 * refuses them by it. */
	PROBE_CODEC,
	PROBE_ARCHIVE, /* tar, zip, 7z, rar, ... */
	PROBE_IMAGE,   /* a disk image container */
	PROBE_GUEST,   /* guest content: the image is raw */
	PROBE_BLANK    /* nothing known, or all zero: raw */
};

#define PROBE_WINDOWS 8

struct probe_window {
	uint64_t offset;
	size_t len;
	const unsigned char *bytes;
};

struct probe_input {
	bool size_known; /* of this layer */
	uint64_t size;
	/* False for a stream: only [0, LIMIT_PROBE_LEN) can be asked for. */
	bool tail_reachable;
	struct probe_window window[PROBE_WINDOWS];
	unsigned count;
};

struct probe_report {
	enum probe_class class;
	char name[24];	    /* "qcow2", "vmdk", "gz", "ext4", "blank" */
	char title[64];	    /* for people */
	char evidence[128]; /* "QFI\xfb at 0, version 3" in words */
	/* A second signature of container class, or a container together with
	 * bootable raw content, that is not one of the harmless pairs: an
	 * error unless -f decides. Empty: none. */
	char conflict[128];
};

enum probe_answer { PROBE_DONE, PROBE_NEED };

/* PROBE_NEED: *offset and *len say which bytes to add as a window (cut at the
 * end of the layer; a shorter window means the layer ends there). The same
 * bytes give the same report however they arrive: a window may hold more than
 * was asked for, but of a layer of unknown size never less. Asks for the head
 * ([0, LIMIT_PROBE_LEN)) and the last 512 bytes, at most PROBE_WINDOWS
 * times. */
enum probe_answer probe_layer(const struct probe_input *input,
			      struct probe_report *report, uint64_t *offset,
			      size_t *len);

/* The last 512 bytes of a stream, seen only at its end: the name of the
 * container that a layer taken for raw, or for compressed, really is (a fixed
 * VHD's footer, a DMG's trailer), or NULL. Fields are not held against the
 * size, which may not be known: a damaged footer is never raw data. */
const char *probe_trailer(const unsigned char *tail, size_t len);

/* Every image or archive name the probe can give, for `formats` and -f:
 * iterate from 0 until NULL. */
const char *probe_known(unsigned index, enum probe_class *class,
			const char **title);

#endif
