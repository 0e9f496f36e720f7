/* SPDX-License-Identifier: MIT */
/* Owns the layout of an appliance that is written, and its options. The text
 * of the description is ova_text.c's. */
#include "formats/archives/ova.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

const struct driver_option ova_options[] = {
	{ "name", "TEXT", NULL, "of the machine; default: OUTPUT's name" },
	{ "cpus", "1..768", "1", "processors" },
	{ "memory", "SIZE", "1G", "whole MiB" },
	{ "os", "other|linux|debian|ubuntu|rhel|centos|sles|N", "other",
	  "the guest, all of 64 bits, or its CIM number" },
	{ "firmware", "bios|efi", "bios", "what starts it" },
	{ "nic", "e1000|vmxnet3|none", "e1000", "network adapter" },
	{ "manifest", "sha256|sha1|sha512|none", "sha256",
	  "kind of the digests" },
	{ "ovf", "1.0|2.0", "1.0", "version of the description" },
	{ NULL, NULL, NULL, NULL }
};

/* Does a list "a|b|c" have the word? */
static bool is_one_of(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at; at = strchr(at, '|')) {
		at += *at == '|';
		if (!strncmp(at, word, len) && (at[len] == '|' || !at[len]))
			return true;
	}
	return false;
}

static int refuse(const char *key, const char *value, struct err *err)
{
	const struct driver_option *row = ova_options;

	while (strcmp(row->name, key))
		row++;
	return err_set(err, ERR_USAGE, "%s=%s: allowed are %s", key, value,
		       row->values);
}

static const char *option(const struct create_options *options,
			  const char *key)
{
	return create_option(options, ova_options, key);
}

static int take_number(const struct create_options *options, const char *key,
		       uint64_t most, uint64_t *out, struct err *err)
{
	const char *text = option(options, key);
	char *end;

	*out = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || !*out || *out > most)
		return refuse(key, text, err);
	return 0;
}

static int take_memory(struct ova *ova, const struct create_options *options,
		       struct err *err)
{
	uint64_t bytes;

	if (create_option_size(options, ova_options, "memory", &bytes, err) <
	    0)
		return -1;
	if (!bytes || bytes % MIB)
		return refuse("memory", option(options, "memory"), err);
	ova->memory_mib = bytes / MIB;
	return 0;
}

/* A word of the row, into `out`. */
static int take_word(const struct create_options *options, const char *key,
		     char *out, size_t room, struct err *err)
{
	const struct driver_option *row = ova_options;
	const char *text = option(options, key);

	while (strcmp(row->name, key))
		row++;
	if (!*text || strchr(text, '|') || strlen(text) >= room ||
	    !is_one_of(row->values, text))
		return refuse(key, text, err);
	strcpy(out, text);
	return 0;
}

static int take_os(struct ova *ova, const struct create_options *options,
		   struct err *err)
{
	const char *text = option(options, "os");
	uint64_t number;

	if (isdigit((unsigned char)*text)) {
		if (take_number(options, "os", 65535, &number, err) < 0)
			return -1;
		snprintf(ova->os, sizeof ova->os, "%u", (unsigned)number);
		return 0;
	}
	if (!strcmp(text, "N"))
		return refuse("os", text, err);
	return take_word(options, "os", ova->os, sizeof ova->os, err);
}

static int take_name(struct ova *ova, const struct create_options *options,
		     const char *stem, struct err *err)
{
	const char *name = option(options, "name");
	char *out = ova->stem;

	/* Inside, only what every system takes as a file's name. */
	for (; *stem && out < ova->stem + sizeof ova->stem - 1; stem++)
		*out++ = isalnum((unsigned char)*stem) || strchr("._-", *stem)
				 ? *stem
				 : '_';
	if (*ova->stem == '.' || !*ova->stem)
		ova->stem[0] = '_';
	if (!name || !*name)
		name = ova->stem;
	if (strlen(name) >= sizeof ova->name)
		return err_set(err, ERR_USAGE, "name: longer than %zu bytes",
			       sizeof ova->name - 1);
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return err_set(err, ERR_USAGE,
				       "name: has a control character");
	strcpy(ova->name, name);
	return 0;
}

int ova_init(struct ova *ova, const struct create_options *options,
	     const char *stem, struct err *err)
{
	static const struct {
		const char *word;
		enum digest_kind kind;
	} kinds[] = { { "sha256", DIGEST_SHA256 },
		      { "sha1", DIGEST_SHA1 },
		      { "sha512", DIGEST_SHA512 },
		      { "none", DIGEST_KINDS } };
	char firmware[8], version[8], manifest[8];
	uint64_t cpus;

	memset(ova, 0, sizeof *ova);
	if (take_name(ova, options, stem, err) < 0 ||
	    take_number(options, "cpus", 768, &cpus, err) < 0 ||
	    take_memory(ova, options, err) < 0 ||
	    take_os(ova, options, err) < 0 ||
	    take_word(options, "firmware", firmware, sizeof firmware, err) <
		    0 ||
	    take_word(options, "nic", ova->nic, sizeof ova->nic, err) < 0 ||
	    take_word(options, "ovf", version, sizeof version, err) < 0 ||
	    take_word(options, "manifest", manifest, sizeof manifest, err) < 0)
		return -1;
	ova->cpus = (unsigned)cpus;
	ova->efi = !strcmp(firmware, "efi");
	ova->version2 = !strcmp(version, "2.0");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].word, manifest))
			ova->manifest = kinds[i].kind;
	snprintf(ova->adapter, sizeof ova->adapter, "lsilogic");
	return 0;
}

char *ova_disk_name(const struct ova *ova, unsigned i, char *buf, size_t len)
{
	snprintf(buf, len, "%s-disk%u" OVA_DISK_SUFFIX, ova->stem,
		 i + 1);
	return buf;
}

/* ---- layout ---- */

/* "SHA256(NAME)= HEX\n" */
static void add_line(const struct ova *ova, const char *file,
		     const unsigned char *digest, char **text)
{
	static const char *const words[] = { [DIGEST_SHA1] = "SHA1",
					     [DIGEST_SHA256] = "SHA256",
					     [DIGEST_SHA512] = "SHA512" };
	char hex[DIGEST_TEXT_LEN_MOST];
	char *longer;

	digest_hex(digest, digest_len(ova->manifest), hex);
	longer = mem_printf("%s%s(%s)= %s\n", *text, words[ova->manifest], file,
			    hex);
	free(*text);
	*text = longer;
}

static char *make_manifest(const struct ova *ova, const char *description)
{
	struct digest *digest = digest_open_kind(ova->manifest);
	unsigned char found[DIGEST_LEN_MOST] = { 0 };
	char *text = mem_strdup("");
	char name[128];

	if (digest) {
		digest_add(digest, description, strlen(description));
		digest_get(digest, found);
	}
	digest_close(digest);
	snprintf(name, sizeof name, "%s.ovf", ova->stem);
	add_line(ova, name, found, &text);
	for (unsigned i = 0; i < ova->count; i++)
		add_line(ova, ova_disk_name(ova, i, name, sizeof name),
			 ova->disk[i].made.digest, &text);
	return text;
}

/* Header and bytes of a small member, padded, behind what is there. */
static void add_member(const struct ova *ova, const char *suffix,
		       const char *text, unsigned char **out, size_t *len)
{
	char name[128];
	const struct tar_member member = { .dialect = TAR_USTAR,
					   .name = name,
					   .mtime = ova->mtime,
					   .size = strlen(text) };
	size_t more = TAR_BLOCK + member.size + tar_padding(member.size);

	snprintf(name, sizeof name, "%s%s", ova->stem, suffix);
	*out = mem_resize(*out, *len + more, 1);
	memset(*out + *len, 0, more);
	tar_header(&member, *out + *len);
	memcpy(*out + *len + TAR_BLOCK, text, member.size);
	*len += more;
}

/* Blanks behind the end of the document, until it has its longest length. */
static char *make_description(const struct ova *ova)
{
	AUTO_FREE char *text = ova_description(ova, false);
	AUTO_FREE char *most = ova_description(ova, true);

	return mem_printf("%-*s", (int)strlen(most), text);
}

void ova_disk_header(const struct ova *ova, unsigned i,
		     unsigned char out[TAR_BLOCK])
{
	char name[128];
	const struct tar_member member = {
		.dialect = TAR_USTAR,
		.name = ova_disk_name(ova, i, name, sizeof name),
		.mtime = ova->mtime,
		.size = ova->disk[i].made.length,
	};

	tar_header(&member, out);
}

unsigned char *ova_front(const struct ova *ova, size_t *len)
{
	AUTO_FREE char *description = make_description(ova);
	unsigned char *front = NULL;

	*len = 0;
	add_member(ova, ".ovf", description, &front, len);
	if (ova->manifest < DIGEST_KINDS) {
		AUTO_FREE char *manifest = make_manifest(ova, description);
		add_member(ova, ".mf", manifest, &front, len);
	}
	front = mem_resize(front, *len + TAR_BLOCK, 1);
	ova_disk_header(ova, 0, front + *len);
	*len += TAR_BLOCK;
	return front;
}

uint64_t ova_disk_offset(const struct ova *ova, unsigned i)
{
	size_t len;
	uint64_t at;

	/* Its length does not depend on what is not known yet. */
	free(ova_front(ova, &len));
	at = len;
	for (unsigned k = 0; k < i; k++) {
		uint64_t length = ova->disk[k].made.length;
		at += length + tar_padding(length) + TAR_BLOCK;
	}
	return at;
}
