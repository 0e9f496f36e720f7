/* SPDX-License-Identifier: MIT */
/* The vocabulary: every exclusive group the transitions speak of, in the
 * words of imgconv-plan(7). */
#ifndef TRANSFORMS_TAGS_H
#define TRANSFORMS_TAGS_H

#include "planner/state.h"

enum {
	/* The image. */
	TAG_COMPRESSION, /* stack of codec tags: "xz.gz" */
	TAG_ARCHIVE,	 /* "", or the archive's name */
	TAG_FORMAT,	 /* driver's or probe's name */
	TAG_SIZE,	 /* virtual, bytes, or "unknown", or "+N" */
	TAG_TEMPLATE,	 /* "yes": the user's input, not ours to change */
	TAG_INNER,	 /* compression of clusters: "", "zlib", "zstd" */
	TAG_LAYOUT,	 /* "original", or "fresh": written by us anew */
	TAG_SNAPSHOTS,	 /* "", "kept" in the file; a chosen one: "chosen" */
	TAG_BACKING,	 /* "", "yes": needs another file to be read */
	TAG_ENCRYPTION,	 /* "", "yes" */
	TAG_GPT,	 /* "none", "at-end", "stale", "unknown" */
	/* Where it is and how it can be read. */
	TAG_PLACE,   /* "input", "flow", "temp", "output" */
	TAG_ACCESS,  /* "random", "blocks", "stream" */
	TAG_LEVEL,   /* "file": a file's bytes; "guest": being viewed */
	TAG_CHECKED, /* "yes": bounds and references are known to be good */
	TAG_DIGEST,  /* "yes": every guest byte passed the pump in order */
	/* Circumstances, never changed by a transition. */
	TAG_SINK,     /* "file", "device", "stream" */
	TAG_NATIVE,   /* "disk", "walk", "disk+walk", "": the input's driver */
	TAG_CLONE,    /* "yes": input and output share a reflink file system */
	TAG_CONSUME,  /* "yes": the input may be moved */
	TAG_RANDOM,   /* "yes": the outermost codec has an index */
	TAG_REPLACE,  /* "yes": the output is the input, changed in place */
	TAG_QEMU_IMG, /* "yes": installed */
	TAG_QEMU_READS,	 /* "yes": qemu reads the input's format, and the
			    worker found no reference in it */
	TAG_QEMU_WRITES, /* "yes": the goal's format is written by qemu only */
	TAG_COUNT
};

extern const struct vocabulary tags_vocabulary;

#endif
