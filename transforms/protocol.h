/* SPDX-License-Identifier: MIT */
/*
 * What conductor and worker say to each other, as bodies of io/channel.h
 * messages. All plain data of fixed size: both ends are one program, forked.
 * The conductor believes nothing in it that it has not checked: texts are cut
 * at their field's end (protocol_check), numbers are only shown or used to
 * plan.
 *
 *   conductor                              worker
 *   INPUT (one a file) ----------------->
 *   PROBE -----------------------------> reads through NEED / BYTES
 *                        <-------------- REFER, NOTE, IMAGE | DONE
 *   RUN, with descriptors -------------> builds, pumps
 *                        <-------------- REFER, PART, NOTE, PROGRESS, STEP ...
 *                        <-------------- DONE
 *
 * INFO, MAP, CHECK and COMPARE are asked for in the place of RUN, JUDGE in
 * the place of PROBE.
 */
#ifndef TRANSFORMS_PROTOCOL_H
#define TRANSFORMS_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/facts.h"
#include "base/limits.h"
#include "formats/archives/member_sink.h"
#include "formats/images/driver.h"
#include "formats/probe.h"
#include "io/digest_source.h"
#include "io/nbd.h"
#include "io/page_cache.h"
#include "io/remote_source.h"
#include "io/sandbox.h"
#include "io/stages.h"
#include "planner/plan.h"
#include "planner/state.h"
#include "transforms/reason.h"

enum protocol_type {
	/* Conductor to worker. */
	PROTOCOL_INPUT = 1, /* struct protocol_input; of a remote one with the
			       socket that serves it */
	PROTOCOL_PROBE,	    /* the first INPUT; answer IMAGE or DONE */
	PROTOCOL_BYTES,	    /* answer to NEED: fewer than asked at the end */
	PROTOCOL_FD,	    /* uint32_t enum protocol_fd, with a descriptor */
	PROTOCOL_FILE,	    /* answer to REFER: with a descriptor */
	PROTOCOL_NO_FILE,   /* answer to REFER, NEED or LOOK: struct err */
	PROTOCOL_FOUND,	    /* answer to LOOK: struct protocol_found */
	PROTOCOL_RUN,	    /* struct job */
	PROTOCOL_INFO,	    /* answers FACTS, then DONE */
	PROTOCOL_MAP,	    /* answers EXTENTS ..., then DONE */
	PROTOCOL_CHECK,	    /* struct expectations; answers FINDING ..., then
			       DONE */
	PROTOCOL_COMPARE,   /* with a second INPUT; then DONE */
	PROTOCOL_JUDGE,	    /* answer VERDICT or, where there is none, DONE */
	/* Worker to conductor. */
	PROTOCOL_NEED,	   /* struct protocol_need: bytes of the input */
	PROTOCOL_LOOK,	   /* struct protocol_need: is it a hole of the file? */
	PROTOCOL_POSTURE,  /* struct sandbox_posture: once, before all else */
	PROTOCOL_IMAGE,	   /* struct image */
	PROTOCOL_REFER,	   /* struct protocol_refer: a file the image names */
	PROTOCOL_PART,	   /* struct protocol_name: one more output file;
			      answers FILE or NO_FILE */
	PROTOCOL_CONNECT,  /* uint32_t: one more connection to the server of
			      input 0 or 1, or to the output's, 2; answers
			      FILE or NO_FILE */
	PROTOCOL_NOTE,	   /* struct protocol_note */
	PROTOCOL_PROGRESS, /* struct protocol_progress */
	PROTOCOL_STEP,	   /* struct protocol_name: a step is being done */
	PROTOCOL_FACTS,	   /* struct facts */
	PROTOCOL_EXTENTS,  /* struct protocol_extent [] */
	PROTOCOL_FINDING,  /* struct protocol_name: one finding of a check */
	PROTOCOL_VERDICT,  /* struct judgement */
	PROTOCOL_DONE	   /* struct protocol_done */
};

/* Where an input's bytes come from. */
enum protocol_place {
	PROTOCOL_PLACE_LOCAL, /* a descriptor: NEED, then PROTOCOL_FD_INPUT */
	PROTOCOL_PLACE_REMOTE, /* the network process, on a socket */
	PROTOCOL_PLACE_NBD     /* an NBD server, on a socket */
};

/* What the input is: by fstat of a descriptor; of a remote one, sizes are set
 * by the worker, from what its server says. */
struct protocol_input {
	uint32_t place; /* enum protocol_place */
	bool seekable;
	uint64_t size;	  /* if seekable */
	uint64_t allocated; /* bytes that take room on the disk, if seekable */
	char from[24];	  /* -f: this format, whatever the bytes say; or "" */
	char snapshot[256]; /* or "" */
	char name[256];	    /* of the file, without its folder; or "" */
	struct nbd_terms nbd; /* of a place that is an NBD server */
	struct remote_version version; /* set by the worker */
	char member[256];   /* which disk of several; or "" */
	bool references;  /* --allow-references: it makes sense to ask */
	bool shallow;	  /* check: name it only; its tables may be damaged */
	bool headers_only; /* JUDGE: no tables, nothing unpacked */
	uint64_t memory;
	uint64_t max_size; /* bytes inside compressions, at most */
	uint32_t cache; /* enum page_cache */
};

struct protocol_need {
	uint32_t input; /* 0 or 1, in the order of INPUT */
	uint64_t offset;
	uint64_t len;
};

/* From the offset asked for on. */
struct protocol_found {
	bool hole;
	uint64_t length; /* > 0 */
};

enum protocol_fd {
	PROTOCOL_FD_INPUT,
	PROTOCOL_FD_SECOND, /* compare's other image */
	PROTOCOL_FD_OUTPUT,
	PROTOCOL_FD_DATA, /* a qcow2's external data file, being written */
	PROTOCOL_FD_SPOOL,
	PROTOCOL_FD_SERVED, /* a socket on which a program serves the input */
	/* INPUT and OUTPUT once more, with O_DIRECT (--cache=direct). */
	PROTOCOL_FD_INPUT_DIRECT,
	PROTOCOL_FD_OUTPUT_DIRECT,
	PROTOCOL_FD_TRACE,  /* where a run writes its spans (io/trace.h) */
	PROTOCOL_FD_JOURNAL, /* of OUTPUT, with --resume (io/journal.h) */
	PROTOCOL_FDS
};

struct protocol_name {
	char text[LIMIT_NAME_LEN];
};

/* `from`: the file that names it: 0 the input, 1 compare's other one, further
 * numbers in the order of FILE answers. Names are relative to its folder. */
struct protocol_refer {
	uint32_t from;
	char name[LIMIT_NAME_LEN];
};
#define PROTOCOL_FIRST_REFERENCE 2

struct protocol_note {
	uint32_t level; /* enum log_level */
	char text[1024];
};

struct protocol_progress {
	uint64_t done, total; /* guest bytes; total 0: unknown */
};

struct protocol_extent {
	uint64_t offset, length;
	uint32_t kind, encoding;
	bool placed;
	char file[64];		/* "" for the image itself */
	uint64_t place, stored; /* if placed */
};

/* What the probe found: the tags' raw material. */
enum layer_inside {
	LAYER_STREAM, /* what is inside comes in order, through a decoder */
	LAYER_BLOCKS, /* ... at random, a block at a time */
	LAYER_WINDOW  /* ... at random, where it lies */
};

/* A compression, or an archive of which one member is meant. */
struct image_layer {
	char tag[8]; /* codec's or archive's */
	bool size_known; /* of the bytes inside */
	uint64_t size;
	uint32_t inside; /* enum layer_inside */
	/* Of an archive. */
	char member[256]; /* its name, for people; cut */
	uint32_t number;  /* of the member, from 0 */
	uint64_t offset;  /* LAYER_WINDOW: where it begins */
	uint32_t alone;   /* enum choose_rank: a later member of this rank or
			     more makes the choice ambiguous; 0: none does */
	bool named; /* LAYER_STREAM: it was chosen by its name, which no later
		       member may have */
	bool digested; /* a manifest says what the bytes inside must have: */
	uint32_t digest_kind; /* enum digest_kind */
	unsigned char digest[DIGEST_LEN_MOST];
};

struct image {
	uint32_t layers;
	struct image_layer layer[LIMIT_COMPRESSIONS];
	struct probe_report report; /* of what is inside all layers */
	struct remote_version version; /* of a remote one */
	uint64_t file_size;	    /* of the input; 0 for a pipe */
	bool file_size_known;
	uint64_t stored_size; /* bytes inside all layers */
	bool stored_known;
	char format[24];      /* driver's name, or the probe's */
	bool native;	      /* a driver of ours reads it */
	bool ordered, scattered; /* ... also in one pass */
	bool size_known;
	uint64_t size;	      /* virtual */
	uint64_t allocated;   /* bytes that hold data, as far as is known */
	uint32_t sector_size;
	char inner[8];	      /* cluster compression in use */
	uint32_t snapshots;
	bool backing, data_file, encrypted;
	char gpt[12];	       /* "none", "at-end", "stale", "unknown" */
	double redecode;       /* how often each block of a compressed layer
				  would be decoded by random access; 1 best */
	uint64_t block;	       /* the longest of these blocks; 0: none */
	uint64_t used_end;     /* where partitions or file system end; 0 */
	char used_by[32];
};

/* Can the bytes inside all layers be read at random without unpacking? */
bool image_at_random(const struct image *image);

/* The bytes at a depth - 0 the input as it is, 1 inside the outermost layer,
 * and so on - must have this digest. */
struct expectation {
	uint32_t depth;
	struct digest_expected expected;
};

struct expectations {
	uint32_t count;
	struct expectation list[DIGEST_EXPECTED_MOST];
};

/* A run of pipeline steps: from one descriptor to another. */
#define JOB_STEPS PLAN_STEPS
struct job {
	uint32_t count;
	uint32_t step[JOB_STEPS]; /* indices into the catalogue */
	struct state start;
	struct goal goal;
	/* What the descriptor holds: the user's input as probed, or a file
	 * that an earlier step made. */
	bool made;
	/* The layers of the input, as the probe found them: `start` may have
	 * lost some of the outer ones. */
	uint32_t layers;
	struct image_layer layer[LIMIT_COMPRESSIONS];
	struct expectations expect; /* of what this run reads */
	char format[TAG_LEN]; /* of the bytes inside all compressions */
	bool stated;	     /* by -f: a trailer at the end is just data */
	bool output_fresh;   /* reads as zero where nothing was written */
	bool output_append;  /* a pipe */
	bool output_export;  /* an NBD server, on the output's descriptor */
	struct nbd_terms nbd;
	bool sync;	     /* on a device the order holds over a power cut */
	uint32_t cache;	     /* enum page_cache, of all files */
	bool clone;	     /* share extents where possible */
	bool allow_cut;	     /* --shrink */
	bool no_pad;	     /* --no-pad */
	bool references;     /* --allow-references, also in what was made */
	bool digest;	     /* of the guest, by the run that reads it */
	/* No run at all: read the input, a file as `start` says, and compare
	 * the digest of its guest's first bytes. */
	bool verify;
	uint64_t expected_size;
	unsigned char expected[DIGEST_LEN];
	uint32_t threads;
	uint64_t memory;
	uint64_t max_size; /* bytes that may come in; 0: any number */
	int32_t wrap_level;
	/* The image's name in an archive around it, whose format may have
	 * dialects, and the time it shows. */
	char member_name[128];
	uint32_t tar_dialect; /* enum tar_dialect */
	/* In an appliance: where its bytes go, the digest that is wanted. */
	uint64_t member_offset;
	uint32_t member_digest; /* enum digest_kind */
	int64_t member_time;
	struct create_options create; /* pointers in it are not valid */
	uint32_t sector_size;	      /* of the output; 0: as the input's */
	bool measure; /* nothing is written, only its length counted */
	char snapshot[256]; /* with the tag snapshots=chosen */
	char name[256], member[256]; /* as in protocol_input */
};

struct protocol_done {
	struct err err;	 /* kind ERR_NONE: well done */
	bool has_digest, has_size;
	unsigned char digest[DIGEST_LEN];
	uint64_t size;	 /* guest bytes that were read, not padded */
	uint64_t padded; /* guest bytes of the output */
	struct member_made made; /* of the disk of an appliance */
	uint64_t spooled; /* bytes kept aside by a walk */
	uint32_t verified; /* expectations that were met */
	uint64_t measured; /* bytes the output's files would have */
	struct stage_row stage[STAGE_COUNT]; /* where a run's time went */
	uint64_t wall, processor; /* nanoseconds it took, of all threads */
	/* check */
	uint64_t corruptions, leaks;
	/* compare */
	bool differs;
	uint64_t difference; /* offset of the first one */
	uint64_t size_a, size_b;
};

/* What JUDGE finds; safe without any reason. */
struct verdict_reason {
	uint32_t code;	 /* enum reason */
	char text[1024]; /* what was found, one line */
};

struct judgement {
	struct image image; /* as far as it is known */
	struct facts facts; /* what its driver says of it, as for INFO */
	struct facts glance; /* what its header asks for: driver.h */
	uint32_t count;
	struct verdict_reason reason[REASON_COUNT]; /* each code once */
	uint64_t leaks; /* places in use that nothing refers to */
};

/* A message of the worker's: ERR_BUG unless it is one and as long as such a
 * message is; texts and counts in `body` are made safe to use. */
int protocol_check(uint32_t type, void *body, size_t len, struct err *err);

#endif
