/* SPDX-License-Identifier: MIT */
/*
 * Owns finding the parent of a differencing disk: the names that the image
 * has for it ("Identification of the Parent Hard Disk Image" of the
 * specification), made relative paths, and whether what is found there is the
 * one that was meant. Does not decide which files may be opened.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "formats/identity.h"
#include "formats/images/vhd/vhd.h"

/* A path is at most 32767 characters to Windows; ours are shorter. */
#define NAME_BYTES_MAX (4 * LIMIT_NAME_LEN)

/* Platform codes, as four letters. */
#define CODE(a, b, c, d)                                                       \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 |      \
	 (uint32_t)(d))
#define W2RU CODE('W', '2', 'r', 'u') /* UTF-16, relative */
#define W2KU CODE('W', '2', 'k', 'u') /* UTF-16, absolute */
#define WI2R CODE('W', 'i', '2', 'r') /* deprecated: bytes, relative */
#define WI2K CODE('W', 'i', '2', 'k') /* deprecated: bytes, absolute */
#define MACX CODE('M', 'a', 'c', 'X') /* a file URL, UTF-8 */

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* UTF-16 up to its end or a NUL; what is no character becomes U+FFFD. */
static char *from_utf16(const unsigned char *bytes, size_t len, bool big)
{
	/* Two bytes give three at most, four give four. */
	char *text = mem_zalloc(len / 2 * 3 + 1);
	size_t used = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		uint32_t low = 0, c;

		c = big ? bytes_be16(bytes + i) : bytes_le16(bytes + i);
		if (!c)
			break;
		if (c >= 0xd800 && c < 0xdc00 && i + 3 < len)
			low = big ? bytes_be16(bytes + i + 2)
				  : bytes_le16(bytes + i + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			i += 2;
		} else if (c >= 0xd800 && c < 0xe000) {
			c = 0xfffd;
		}
		used += put_utf8(text + used, c);
	}
	return text;
}

static char *from_bytes(const unsigned char *bytes, size_t len)
{
	char *text = mem_zalloc(len + 1);

	memcpy(text, bytes, len);
	return text;
}

static int hex_digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
					  : -1;
}

/* "file://localhost/a%20b" is "/a b". In place. */
static void from_url(char *text)
{
	static const char scheme[] = "file://", host[] = "localhost/";
	const char *at = text;

	if (!strncmp(at, scheme, sizeof scheme - 1))
		at += sizeof scheme - 1;
	if (!strncmp(at, host, sizeof host - 1))
		at += sizeof host - 2;
	while (*at) {
		int high = *at == '%' ? hex_digit(at[1]) : -1;
		int low = high >= 0 ? hex_digit(at[2]) : -1;

		if (low > 0 || (low == 0 && high > 0)) {
			*text++ = (char)(high * 16 + low);
			at += 3;
		} else {
			*text++ = *at++;
		}
	}
	*text = 0;
}

/* As a path of ours, relative to the image's folder; a path from somebody
 * else's root leaves only its last part. NULL: nothing is left. */
static char *to_path(char *text)
{
	const char *at = text, *last;

	for (char *c = text; *c; c++)
		if (*c == '\\')
			*c = '/';
	if (*at == '/' || (isalpha((unsigned char)*at) && at[1] == ':')) {
		last = strrchr(at, '/');
		at = last ? last + 1 : at + 2;
	}
	while (at[0] == '.' && at[1] == '/')
		at += 2;
	return *at && strlen(at) < LIMIT_NAME_LEN ? mem_strdup(at) : NULL;
}

/* Takes `text`. */
static void add_name(struct vhd_names *names, char *text)
{
	char *path = to_path(text);

	free(text);
	if (!path)
		return;
	for (unsigned i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], path)) {
			free(path);
			return;
		}
	names->name[names->count++] = path;
}

static int read_locator(struct source *source, const unsigned char *entry,
			struct vhd_names *names, struct err *err)
{
	uint32_t code = bytes_be32(entry + VHD_LOCATOR_CODE);
	uint32_t len = bytes_be32(entry + VHD_LOCATOR_DATA_LEN);
	unsigned char bytes[NAME_BYTES_MAX];
	char *text;

	if (len > sizeof bytes)
		return err_set(err, ERR_LIMIT,
			       "a parent locator of %u bytes is longer than "
			       "allowed (%zu)",
			       len, sizeof bytes);
	if (source_read_all(source, bytes, len,
			    bytes_be64(entry + VHD_LOCATOR_OFFSET),
			    "parent locator", err))
		return -1;
	if (code == W2RU || code == W2KU) {
		text = from_utf16(bytes, len, false);
	} else {
		text = from_bytes(bytes, len);
		if (code == MACX)
			from_url(text);
	}
	add_name(names, text);
	return 0;
}

static int read_locators(struct source *source, const unsigned char *header,
			 uint32_t code, struct vhd_names *names,
			 struct err *err)
{
	for (size_t i = 0; i < VHD_LOCATOR_COUNT; i++) {
		const unsigned char *entry =
			header + VHD_LOCATORS + i * VHD_LOCATOR_LEN;

		if (bytes_be32(entry + VHD_LOCATOR_CODE) == code &&
		    read_locator(source, entry, names, err))
			return -1;
	}
	return 0;
}

int vhd_names_read(struct source *source, const unsigned char *header,
		   struct vhd_names *out, struct err *err)
{
	/* Relative ones first; others are not known, or an alias that only a
	 * Macintosh can follow. */
	static const uint32_t codes[] = { W2RU, WI2R, MACX, W2KU, WI2K };

	memset(out, 0, sizeof *out);
	for (size_t i = 0; source && i < sizeof codes / sizeof *codes; i++)
		if (read_locators(source, header, codes[i], out, err)) {
			vhd_names_clear(out);
			return -1;
		}
	add_name(out, from_utf16(header + VHD_PARENT_NAME, VHD_PARENT_NAME_LEN,
				 true));
	return 0;
}

void vhd_names_clear(struct vhd_names *names)
{
	for (unsigned i = 0; i < names->count; i++)
		free(names->name[i]);
	names->count = 0;
}

/*
 * Is it the parent that was meant? The identifier says so. The time that the
 * child keeps is when the parent's file had last been changed, which no copy
 * of a file preserves; but a parent that says it was made after that is not
 * the one, or was made anew.
 */
static int check_parent(const struct vhd_header *header, struct source *source,
			struct err *err)
{
	char want[IDENTITY_TEXT_LEN], found[IDENTITY_TEXT_LEN];
	struct vhd_footer parent;

	if (vhd_footer_read(source, &parent, err))
		return -1;
	identity_text(header->parent_uuid, want);
	identity_text(parent.uuid, found);
	if (strcmp(want, found))
		return err_set(err, ERR_DAMAGED,
			       "its identifier is %s, but the image was made "
			       "on %s: this is not its parent",
			       found, want);
	if (header->parent_time && parent.time > header->parent_time)
		return err_set(err, ERR_DAMAGED,
			       "it was made anew (%u, seconds since 2000) "
			       "after the image had been made on it (%u): "
			       "their contents do not belong together",
			       parent.time, header->parent_time);
	return 0;
}

struct disk *vhd_parent_open(const struct vhd_header *header,
			     const struct vhd_names *names,
			     const struct open_options *options,
			     struct source **source, struct err *err)
{
	struct references *references = options->references;
	AUTO_DISK struct disk *disk = NULL;
	struct err again;
	unsigned i = 0;

	if (!names->count) {
		err_set(err, ERR_DAMAGED,
			"the image is on a parent but does not name it");
		return NULL;
	}
	if (!references) {
		err_set(err, ERR_REFUSED,
			"parent %s is not followed without "
			"--allow-references",
			names->name[0]);
		return NULL;
	}
	/* What is wrong with the first name is what is told. */
	disk = references->open_disk(references, names->name[0], "vhd", source,
				     err);
	while (!disk && ++i < names->count)
		disk = references->open_disk(references, names->name[i], "vhd",
					     source, &again);
	if (!disk) {
		err_in(err, "parent %s", names->name[0]);
		return NULL;
	}
	if (check_parent(header, *source, err)) {
		err_in(err, "parent %s", names->name[i]);
		disk_close(STEAL(disk));
		*source = source_close(*source);
		return NULL;
	}
	return STEAL(disk);
}
