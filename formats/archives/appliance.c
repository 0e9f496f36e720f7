/* SPDX-License-Identifier: MIT */
/* Owns what is seen of an appliance while its members pass. Does not choose
 * among the disks. */
#include "formats/archives/appliance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const enum digest_kind kinds[] = { DIGEST_SHA1, DIGEST_SHA256,
					  DIGEST_SHA512 };
#define KINDS (sizeof kinds / sizeof *kinds)

struct appliance_digests {
	struct digest *digest[KINDS];
};

struct appliance {
	bool has_ovf, has_manifest;
	char ovf_name[ARCHIVE_NAME_LEN];
	struct ovf ovf;
	struct appliance_digests *ovf_digests;
	struct manifest manifest;
};

struct appliance_digests *appliance_digests_open(void)
{
	struct appliance_digests *digests = mem_zalloc(sizeof *digests);

	for (size_t i = 0; i < KINDS; i++)
		digests->digest[i] = digest_open_kind(kinds[i]);
	return digests;
}

void appliance_digests_add(struct appliance_digests *digests,
			   const void *bytes, size_t len)
{
	for (size_t i = 0; i < KINDS; i++)
		if (digests->digest[i])
			digest_add(digests->digest[i], bytes, len);
}

int appliance_digests_check(struct appliance_digests *digests,
			    const struct manifest_line *line, struct err *err)
{
	unsigned char found[DIGEST_LEN_MOST];
	char is[DIGEST_TEXT_LEN_MOST], said[DIGEST_TEXT_LEN_MOST];
	size_t len = digest_len(line->kind), i = 0;

	while (i < KINDS && kinds[i] != line->kind)
		i++;
	if (i == KINDS || !digests->digest[i])
		return err_set(err, ERR_UNSUPPORTED,
			       "the manifest has a %s of %.128s, which the "
			       "crypto library refuses",
			       digest_name(line->kind), line->file);
	digest_get(digests->digest[i], found);
	if (!memcmp(found, line->digest, len))
		return 0;
	digest_hex(found, len, is);
	digest_hex(line->digest, len, said);
	return err_set(err, ERR_DAMAGED,
		       "%.128s: the %s is %s, the manifest says %s", line->file,
		       digest_name(line->kind), is, said);
}

struct appliance_digests *
appliance_digests_close(struct appliance_digests *digests)
{
	if (!digests)
		return NULL;
	for (size_t i = 0; i < KINDS; i++)
		digest_close(digests->digest[i]);
	free(digests);
	return NULL;
}

struct appliance *appliance_open(void)
{
	return mem_zalloc(sizeof(struct appliance));
}

struct appliance *appliance_close(struct appliance *appliance)
{
	if (!appliance)
		return NULL;
	appliance_digests_close(appliance->ovf_digests);
	manifest_clear(&appliance->manifest);
	free(appliance);
	return NULL;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && !strcasecmp(name + len - tail, suffix);
}

/* All of a small member; *out is malloc'ed. */
static int read_text(struct archive_reader *reader, size_t most, char **out,
		     size_t *out_len, struct err *err)
{
	AUTO_FREE char *text = mem_zalloc(most + 1);
	size_t len = 0, got;

	/* Ends: each turn adds, up to `most` and one more. */
	do {
		if (archive_read(reader, text + len, most + 1 - len, &got,
				 err) < 0)
			return -1;
		len += got;
	} while (got && len <= most);
	if (len > most)
		return err_set(err, ERR_LIMIT, "is longer than %zu bytes",
			       most);
	*out = STEAL(text);
	*out_len = len;
	return 0;
}

static int see_ovf(struct appliance *appliance, struct archive_reader *reader,
		   const struct archive_member *member, struct err *err)
{
	AUTO_FREE char *text = NULL;
	size_t len;

	if (read_text(reader, LIMIT_OVF, &text, &len, err) < 0 ||
	    ovf_read(text, len, &appliance->ovf, err) < 0)
		return err_in(err, "%.128s", member->name);
	appliance->ovf_digests = appliance_digests_open();
	appliance_digests_add(appliance->ovf_digests, text, len);
	memcpy(appliance->ovf_name, member->name, sizeof appliance->ovf_name);
	appliance->has_ovf = true;
	return 0;
}

int appliance_see(struct appliance *appliance, struct archive_reader *reader,
		  const struct archive_member *member, struct err *err)
{
	AUTO_FREE char *text = NULL;
	size_t len;

	if (!member->regular)
		return 0;
	if (!appliance->has_ovf && has_suffix(member->name, ".ovf"))
		return see_ovf(appliance, reader, member, err);
	if (appliance->has_manifest || !has_suffix(member->name, ".mf"))
		return 0;
	if (read_text(reader, LIMIT_MANIFEST, &text, &len, err) < 0 ||
	    manifest_read(text, len, &appliance->manifest, err) < 0)
		return err_in(err, "%.128s", member->name);
	appliance->has_manifest = true;
	return 0;
}

const struct ovf *appliance_ovf(const struct appliance *appliance)
{
	return appliance->has_ovf ? &appliance->ovf : NULL;
}

const struct manifest *appliance_manifest(const struct appliance *appliance)
{
	return appliance->has_manifest ? &appliance->manifest : NULL;
}

int appliance_check(const struct appliance *appliance, struct err *err)
{
	const struct manifest_line *line;

	if (!appliance->has_ovf || !appliance->has_manifest)
		return 0;
	line = manifest_find(&appliance->manifest, appliance->ovf_name);
	return line ? appliance_digests_check(appliance->ovf_digests, line, err)
		    : 0;
}
