/* SPDX-License-Identifier: MIT */
/* Owns the rules by which a member is taken for the disk. Does not read. */
#include "formats/archives/choose.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "formats/images/driver.h"
#include "formats/member.h"

/* What lies beside a disk and is none; as shell patterns, in any case. */
static const char *const companions[] = {
	"*.ovf",  "*.mf",    "*.cert",	 "*.txt",    "*.md",	"*.xml",
	"*.json", "*.nvram", "*.log",	 "*.pem",    "*.asc",	"*.sig",
	"*.gpg",  "*.md5",   "*.sha1",	 "*.sha256", "*.sha512", "*.sum",
	"*sums",  "*.html",  "*.pdf",	 "*.vmx",    "*.vmxf",	"*.vmsd",
	"*.vbox", "*.plist", "*.yaml",	 "*.yml",    "*.sh",	"*.bat",
	"*.torrent", "readme*", "license*", "copying*", "changelog*",
	"._*",	  ".ds_store", "thumbs.db",
};

static const char *base_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* Is the suffix one of ARCHIVE_TAGS? */
static bool words_in(const char *suffix)
{
	const char *tags = ARCHIVE_TAGS;
	size_t len = strlen(suffix);

	/* Ends: each turn goes behind the next '|'. */
	for (; tags; tags = strchr(tags, '|') ? strchr(tags, '|') + 1 : NULL)
		if (!strncasecmp(tags, suffix, len) &&
		    (tags[len] == '|' || !tags[len]) && len)
			return true;
	return false;
}

static bool is_companion(const char *base)
{
	for (size_t i = 0; i < sizeof companions / sizeof *companions; i++)
		if (!fnmatch(companions[i], base, FNM_CASEFOLD))
			return true;
	return false;
}

/* Raw bytes of another file's image: "disk-flat.vmdk". */
static bool is_part(const char *base)
{
	for (const struct driver *const *row = driver_table; *row; row++)
		for (const char *const *part = (*row)->part_names;
		     part && *part; part++)
			if (!fnmatch(*part, base, FNM_CASEFOLD))
				return true;
	return false;
}

/* An archive in an archive: the disk may be in there. */
static bool is_archive(const char *base)
{
	const char *suffix = strrchr(base, '.');

	return suffix && suffix > base && words_in(suffix + 1);
}

/* Suffixes of compressions come off. */
static bool is_image(const char *base)
{
	AUTO_FREE char *name = mem_strdup(base);

	/* Ends: the name gets shorter. */
	while (codec_by_suffix(name) >= 0)
		*strrchr(name, '.') = '\0';
	return driver_by_suffix(name) || is_archive(name);
}

enum choose_rank choose_rank(const struct archive_member *member)
{
	const char *base = base_of(member->name);

	if (!member->regular || (member->size_known && !member->size) ||
	    !strncmp(member->name, "__MACOSX/", 9) || is_companion(base))
		return CHOOSE_NEVER;
	return is_image(base) && !is_part(base) ? CHOOSE_IMAGE : CHOOSE_MAYBE;
}

/* The place in the description's list; -1: not in it. */
static int named_at(const struct choose *choose,
		    const struct archive_member *member)
{
	for (unsigned i = 0; i < choose->named_count; i++)
		if (!strcmp(choose->named[i], member->name))
			return (int)i;
	return -1;
}

static int append(struct choose *choose, const struct archive_member *member,
		  struct err *err)
{
	if (choose->count == CHOOSE_MOST)
		return err_set(err, ERR_LIMIT,
			       "more than %d files that may be the disk",
			       CHOOSE_MOST);
	choose->found = mem_resize(choose->found, choose->count + 1,
				   sizeof *choose->found);
	choose->found[choose->count++] = *member;
	return 0;
}

int choose_add(struct choose *choose, const struct archive_member *member,
	       struct err *err)
{
	enum choose_rank rank = choose_rank(member);

	if (choose->named_count)
		return member->regular && named_at(choose, member) >= 0
			       ? append(choose, member, err)
			       : 0;
	if (rank == CHOOSE_NEVER || (rank == CHOOSE_MAYBE && choose->images))
		return 0;
	/* One that is called as an image is puts the others out. */
	if (rank == CHOOSE_IMAGE && !choose->images) {
		choose->images = true;
		choose->count = 0;
	}
	/* Too many to choose among; one called as an image may follow. */
	if (!choose->images && choose->count == CHOOSE_MOST) {
		choose->more++;
		return 0;
	}
	return append(choose, member, err);
}

/* Disks in the order of the description. Stable, and short. */
static void sort_named(struct choose *choose)
{
	for (unsigned i = 1; i < choose->count; i++)
		for (unsigned k = i;
		     k && named_at(choose, &choose->found[k]) <
				  named_at(choose, &choose->found[k - 1]);
		     k--) {
			struct archive_member one = choose->found[k];
			choose->found[k] = choose->found[k - 1];
			choose->found[k - 1] = one;
		}
}

static const char *name_of(const void *opaque, unsigned i)
{
	return ((const struct choose *)opaque)->found[i].name;
}

/* Any of them may be anything. */
static const struct archive_member *refuse_guess(const struct choose *choose,
						 struct err *err)
{
	err_set(err, ERR_UNSUPPORTED,
		"none of its %" PRIu64 " files is called as a disk image is "
		"(%.64s ...); --member takes one of them",
		choose->count + choose->more, choose->found[0].name);
	return NULL;
}

const struct archive_member *choose_one(struct choose *choose,
					const char *member, bool *used,
					struct err *err)
{
	const struct member_list list = { .opaque = choose,
					  .count = choose->count,
					  .name = name_of };
	int chosen;

	*used = false;
	sort_named(choose);
	/* What the only one holds may have several again. */
	if (choose->count == 1 &&
	    (!*member || strcmp(choose->found[0].name, member)))
		return choose->found;
	if (choose->count > 1 && !*member && !choose->named_count &&
	    !choose->images)
		return refuse_guess(choose, err);
	chosen = member_choose(&list, *member ? member : NULL, err);
	*used = *member;
	return chosen < 0 ? NULL : &choose->found[chosen];
}

void choose_clear(struct choose *choose)
{
	free(choose->found);
	choose->found = NULL;
	choose->count = 0;
}

static bool is_candidate(const struct choose *choose,
			 const struct archive_member *member)
{
	if (choose->named_count)
		return member->regular && named_at(choose, member) >= 0;
	return choose_rank(member) == CHOOSE_IMAGE ||
	       (choose_rank(member) == CHOOSE_MAYBE && !choose->images);
}

bool choose_stops(const struct choose *choose,
		  const struct archive_member *member, const char *wanted)
{
	char *end;
	unsigned long number = strtoul(wanted, &end, 10);

	if (!*wanted)
		return is_candidate(choose, member);
	if (!strcmp(member->name, wanted))
		return member->regular;
	if (*end || *wanted < '0' || *wanted > '9' ||
	    !is_candidate(choose, member))
		return false;
	if (choose->named_count)
		return (unsigned long)named_at(choose, member) == number;
	return choose->images && choose->count == number + 1;
}

static const char *named_name(const void *opaque, unsigned i)
{
	return ((const struct choose *)opaque)->named[i];
}

int choose_refuse_named(const struct choose *choose, struct err *err)
{
	const struct member_list list = { .opaque = choose,
					  .count = choose->named_count,
					  .name = named_name };

	member_choose(&list, NULL, err);
	return -1;
}
