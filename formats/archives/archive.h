/* SPDX-License-Identifier: MIT */
/*
 * Archives around images: which there are, and what a member of one is. An
 * archive is a wrap like a compression, but of several files, one of which is
 * meant. Names of members are data: they are shown and compared, never used
 * as names of files.
 */
#ifndef FORMATS_ARCHIVES_ARCHIVE_H
#define FORMATS_ARCHIVES_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The tags of all that are read, as alternatives. An ova is a tar with a
 * description of its disks. */
#define ARCHIVE_TAGS "tar|ova|zip|7z|cpio"

/* Those that are written. */
#define ARCHIVE_WRITTEN "tar|zip|ova"

#define ARCHIVE_NAME_LEN 1024

/* Members looked at before an archive is given up. */
#define LIMIT_MEMBERS 100000

struct archive_member {
	uint32_t number;	     /* from 0, of all members */
	char name[ARCHIVE_NAME_LEN]; /* UTF-8 where the archive says so; cut */
	bool regular;		     /* a file with bytes of its own */
	bool encrypted;
	bool size_known;
	uint64_t size;
	/* The bytes stand as they are, in one piece, at this offset. */
	bool window;
	uint64_t offset;
};

/* A name without "./" in front, as all of them are told and compared. */
static inline const char *archive_plain_name(const char *name)
{
	/* Ends: the name gets shorter. */
	while (name[0] == '.' && name[1] == '/')
		name += 2 + strspn(name + 2, "/");
	return name;
}

#endif
