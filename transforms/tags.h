/* SPDX-License-Identifier: MIT */
/* The vocabulary: every exclusive group the transitions speak of, in the
 * words of imgconv-plan(7). */
#ifndef TRANSFORMS_TAGS_H
#define TRANSFORMS_TAGS_H

#include "planner/state.h"

enum {
	/* The image, as people see it. */
	TAG_WRAPS,	 /* stack of what is around the image, codecs' and
			    archives' tags, outermost first: "gz.tar" */
	TAG_TEMPLATE,	 /* "yes": the user's input, not ours to change */
	TAG_FORMAT,	 /* the driver's or the probe's name */
	TAG_SIZE,	 /* virtual, bytes; "unknown"; as a goal also "+N" */
	TAG_INNER,	 /* compression of clusters: "", "zlib", "zstd" */
	TAG_LAYOUT,	 /* "original", or "fresh": written anew by us */
	TAG_SNAPSHOTS,	 /* "", "kept" (in the file), "chosen" (one of them) */
	TAG_BACKING,	 /* "yes": needs another file to be read */
	TAG_ENCRYPTION,	 /* "yes" */
	TAG_GPT,	 /* "", "at-end", "stale", "moved" (by us),
			    "unknown" (the guest is not seen yet) */
	TAG_DIGEST,	 /* "yes": every guest byte passed the pump in order */
	/* Where it is and how it can be read. */
	TAG_PLACE,   /* "ssh" (the input, not reached yet), "input", "flow", "temp", "output" (being written, not
			yet committed), "moved" (the input itself) */
	TAG_ACCESS,  /* "random", "blocks" (a whole block at a time), "stream" */
	TAG_LEVEL,   /* "file": bytes of a file; "guest": an edited view */
	TAG_CHECKED, /* "yes": tables, length and references are known good */
	TAG_WHOLE,   /* "yes": all compressions around were read through, or
			were put there by us */
	TAG_CHECKSUM, /* stack: an element for each layer that still is to be
			 taken off for the digests that are expected; at
			 least one until the input itself is read */
	TAG_LENGTH,  /* "known": the virtual size can be found before reading */
	TAG_SURVEY,  /* "needed": the writer must know what holds data; "done";
			"never": it cannot go to what only appends */
	/* Circumstances; `native` changes with the format. */
	TAG_PACK, /* what an archive around the output needs: "freely", or
		     "sized": it goes where nothing can be changed later, so
		     that the file's length must be known before; "done" */
	TAG_NATIVE, /* what our driver for the format can do: "disk" (random),
		       "ordered" (also in one pass, in order), "scattered"
		       (also in one pass, in the order of the file), "" */
	TAG_INSIDE, /* stack beside the wraps: how what is inside each can be
		       read: "stream", "blocks", "window" (in place) */
	TAG_SINK,   /* "file", "device", "stream", "nowhere" (only measured) */
	TAG_CLONE,  /* "yes": input and output share a reflink file system */
	TAG_SAME_FS, /* "yes": a rename can move the input to the output */
	TAG_CONSUME, /* "yes": the input may be moved */
	TAG_QEMU_IMG, /* "yes": installed */
	TAG_QEMU_IO,  /* "yes": installed */
	TAG_QEMU_NBD, /* "yes": installed, and there is a secret */
	TAG_SSH, /* what can read an input over SSH: "nbdkit", "sftp", "both" */
	TAG_WRITER, /* who writes the goal's format: "native", "qemu" */
	TAG_COUNT
};

extern const struct vocabulary tags_vocabulary;

#endif
