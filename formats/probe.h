/* SPDX-License-Identifier: MIT */
/*
 * The probe: what are these bytes? A pure function; it never opens, reads or
 * decodes. It answers with what it found or with the range it needs to see.
 * One table of signatures, in probe.c, is all there is to know.
 */
#ifndef FORMATS_PROBE_H
#define FORMATS_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum probe_class {
	PROBE_CODEC,   /* one of formats/codecs: name is the codec's tag */
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
 * bytes give the same report however they arrive. Asks at most PROBE_WINDOWS
 * times. */
enum probe_answer probe_layer(const struct probe_input *input,
			      struct probe_report *report, uint64_t *offset,
			      size_t *len);

/* The last bytes of a stream, seen only at its end: the name of the container
 * they prove (a fixed VHD's footer, a DMG's trailer), or NULL. */
const char *probe_trailer(const unsigned char *tail, size_t len);

/* Every image or archive name the probe can give, for `formats` and -f:
 * iterate from 0 until NULL. */
const char *probe_known(unsigned index, enum probe_class *class,
			const char **title);

#endif
