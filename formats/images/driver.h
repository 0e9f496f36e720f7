/* SPDX-License-Identifier: MIT */
/*
 * driver: one image format. A driver is one file or folder in this place and
 * one row in registry.c; no driver includes another. Faces it lacks are NULL,
 * and mean just that.
 */
#ifndef FORMATS_IMAGES_DRIVER_H
#define FORMATS_IMAGES_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "formats/disk.h"
#include "formats/survey.h"
#include "formats/walk.h"
#include "formats/writer.h"

/* Files that an image names. `open` asks the conductor, who decides by
 * policy; NULL and ERR_REFUSED when it is not allowed. `format` is what the
 * image says the file is (may be NULL: probe it). Drivers hand the name over
 * as it stands in the image. */
struct references {
	/* A disk opened on the named file, to any depth; *source is the file
	 * under it. Both are the caller's to close, disk first. */
	struct disk *(*open_disk)(struct references *references,
				  const char *name, const char *format,
				  struct source **source, struct err *err);
	/* The named file's bytes, for external data. */
	struct source *(*open_source)(struct references *references,
				      const char *name, struct err *err);
};

struct open_options {
	struct references *references; /* NULL: any reference is refused */
	const char *snapshot;	       /* name or id; NULL: the active state */
	struct log *log;
	/* The file's name without its folder, compressions and all: for
	 * formats whose parts are named after it (E01, E02). NULL: none. */
	const char *name;
	/* Which disk of several, by name or by number from 0; NULL: the only
	 * one. Drivers of formats that hold one disk need not look. */
	const char *member;
	uint64_t memory; /* for caches, bytes; 0: a small default */
	/* Open although the backing file or data file cannot be reached: for
	 * info and check; such a disk must not be read. */
	bool metadata_only;
};

/* For formats that have none: ERR_UNSUPPORTED where a snapshot is asked for.
 * `options` may be NULL. */
int driver_no_snapshots(const struct open_options *options, struct err *err);

/* One key of -o; the same row is parser, help and default. */
struct driver_option {
	const char *name;
	const char *values; /* "512..2M", "on|off", "0.10|1.1", "NAME" */
	const char *initial; /* the default, as text; NULL: none */
	const char *help;
};

#define CREATE_OPTIONS_MAX 16

/* An image of several files: the driver asks for the others by their names,
 * which begin as the image's own does and have no folder. The sinks are new
 * files in the image's folder, seekable, and not the driver's to close; it
 * finishes them. They appear together with the image, or not at all. */
struct parts {
	struct sink *(*open)(struct parts *parts, const char *name,
			     struct err *err);
};

struct create_options {
	/* key=value as given with -o, checked against the driver's rows. */
	struct {
		char name[32];
		char value[512];
	} option[CREATE_OPTIONS_MAX];
	unsigned option_count;
	/* -c and --compress: "" for none, else "zlib" or "zstd". */
	char compress[8];
	int compress_level; /* 0: default */
	bool size_known;
	uint64_t size;
	uint64_t size_unit; /* sizes are multiples of it, besides; 0: any */
	uint32_t sector_size; /* logical, of the guest's disk */
	/* Identifiers: --uuid, else made by identity.h. `seed` and `now`
	 * (seconds since 1970) are zero unless they are to be unique. */
	bool has_uuid;
	unsigned char uuid[16], seed[16];
	int64_t now;
	/* The image's name without its folder; "" when it goes to a pipe. */
	char name[256];
	struct parts *parts; /* borrowed; NULL: one file is all there is */
	/* Or NULL. Borrowed: it outlives the writer. */
	const struct survey *survey;
	/* For a format with a separate data file (qcow2 data_file): the sink
	 * of it, borrowed; NULL when there is none. */
	struct sink *data_sink;
	struct log *log;
};

/* `value` of option `name`, or the row's default, or NULL. */
const char *create_option(const struct create_options *options,
			  const struct driver_option *rows, const char *name);
/* The same as a size or a switch; ERR_USAGE names key, value and allowed. */
int create_option_size(const struct create_options *options,
		       const struct driver_option *rows, const char *name,
		       uint64_t *out, struct err *err);
int create_option_bool(const struct create_options *options,
		       const struct driver_option *rows, const char *name,
		       bool *out, struct err *err);

/* What a check found. `emit` is called once a finding. */
struct check_report {
	void (*emit)(struct check_report *report, const char *line);
	uint64_t corruptions, leaks;
	/* Bytes of tables that may be gone through, 0 for any number, and how
	 * many were: where tables are shared, they are no matter of the file's
	 * length. */
	uint64_t tables_most, tables;
};
/* `bytes` more of them: ERR_LIMIT where they are too many. */
int check_spend(struct check_report *report, uint64_t bytes, struct err *err);
void check_corruption(struct check_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void check_leak(struct check_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* In which order one pass over a stream yields the guest: walk.h. */
enum walk_order { WALK_NONE, WALK_ORDERED, WALK_SCATTERED };

/* What a writer must know before the first byte of an append-only sink. */
enum append_need {
	APPEND_FREELY,
	APPEND_SURVEY, /* which granules hold data */
	APPEND_NEVER   /* it goes back and forth: a file, then a copy of it */
};

/* Logical sector sizes that a format can say its disk has; 0: it says nothing
 * of them, whoever uses the image decides. */
#define SECTORS_512 512u
#define SECTORS_4096 4096u

struct driver {
	const char *name;
	const char *title;
	const char *const *aliases;  /* NULL-terminated, or NULL */
	const char *const *suffixes; /* ".qcow2"; NULL-terminated, or NULL */
	bool raw_suffix; /* raw disks have its suffixes too: a plain .hds */
	/* Names of files that hold raw bytes of an image and nothing else:
	 * "*-flat.vmdk"; NULL-terminated, or NULL. */
	const char *const *part_names;
	unsigned sector_sizes;	     /* SECTORS_*, or'ed */
	bool members;		     /* may hold several disks; see open_options */
	bool has_uuid;		     /* --uuid makes sense */
	/* The next size, from `size` on, that an image with these options can
	 * have, at most LIMIT_DISK_SIZE above it. NULL: any. */
	uint64_t (*round_size)(const struct create_options *options,
			       uint64_t size);

	/* Reading. The source is borrowed and seekable. */
	struct disk *(*open)(struct source *source,
			     const struct open_options *options,
			     struct err *err);
	/* Optional: what the first `len` bytes of a stream tell of it: the
	 * facts that `info` shows as far as they stand in the header, and the
	 * virtual size. For planning only. 1: more bytes are needed. */
	int (*peek)(const unsigned char *head, size_t len, uint64_t *size,
		    struct facts *facts, struct err *err);
	/* Optional: what its header asks for, whatever else is wrong with it:
	 * for verdicts on images that `open` refuses, or that say more than it
	 * looks at. `source` is seekable; it may be the file's first bytes
	 * alone. Facts are named as `info` names them, and besides:
	 *   feature          one that is in use, by its usual name
	 *   unknown-feature  one that must be understood and is not known
	 *   part             it is one of several files: which kind
	 *   own-extent       a name it has for itself that leads elsewhere
	 *   contradiction    what it says twice, or in two ways */
	void (*glance)(struct source *source, struct facts *facts);
	/* Reading in one pass. `spool_fd` is an empty unnamed file for what
	 * cannot be placed yet, or -1 for an ordered walk, which needs none.
	 * Borrowed both. */
	struct walk *(*walk)(struct source *stream,
			     const struct open_options *options, int spool_fd,
			     struct err *err);
	/* How, told by the file's first bytes (at least 512, or all of it):
	 * WALK_NONE where this variant must be read at random. NULL: as
	 * walk_usual says. */
	enum walk_order (*walk_order)(const unsigned char *head, size_t len);
	enum walk_order walk_usual;

	/* Writing. */
	struct writer *(*create)(struct sink *sink,
				 const struct create_options *options,
				 struct err *err);
	const struct driver_option *options; /* ends with a NULL name */
	/* Check the options without creating anything; ERR_USAGE. */
	int (*check_options)(const struct create_options *options,
			     struct err *err);
	/* What it takes to write to an append-only sink. NULL: freely. */
	enum append_need (*append)(const struct create_options *options);
	/* With APPEND_SURVEY: the granule of a survey for these options. */
	uint32_t (*survey_granule)(const struct create_options *options);
	/* Will it ask for parts? NULL: never. */
	bool (*in_parts)(const struct create_options *options);
	const char *const *compressions; /* "zlib", "zstd"; NULL: none */
	/* Bytes an uncompressed image of `size` with `data` allocated takes,
	 * an upper bound; for driver_check_room. */
	uint64_t (*measure)(const struct create_options *options,
			    uint64_t size, uint64_t data);

	/* Consistency; changes nothing. NULL: the format has none. */
	int (*check)(struct source *source,
		     const struct open_options *options,
		     struct check_report *report, struct err *err);
};

/* The registry: NULL-terminated. raw is the first. */
extern const struct driver *const driver_table[];
/* By name or alias, any case; NULL if there is none. */
const struct driver *driver_by_name(const char *name);
/* By file name suffix; NULL if there is none. */
const struct driver *driver_by_suffix(const char *file);
/* driver->walk_order, or what is usual; WALK_NONE without a walk. */
enum walk_order driver_walk_order(const struct driver *driver,
				  const unsigned char *head, size_t len);
/* driver->append, or APPEND_FREELY. */
enum append_need driver_append(const struct driver *driver,
			       const struct create_options *options);
/* The next size that options->size_unit and driver->round_size both allow;
 * NULL for the driver is any. */
uint64_t driver_round_size(const struct driver *driver,
			   const struct create_options *options,
			   uint64_t size);
/* `size` to the next multiple of `unit`: what most round_size are. */
uint64_t driver_round_up(uint64_t size, uint64_t unit);
/* What can be known not to fit the sink before the first byte: ERR_CREATE. */
int driver_check_room(const struct driver *driver,
		      const struct create_options *options,
		      const struct writer *writer, struct err *err);
/* Each option known to the driver, then driver->check_options; ERR_USAGE. */
int driver_check_options(const struct driver *driver,
			 const struct create_options *options,
			 struct err *err);

#endif
