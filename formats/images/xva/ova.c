/* SPDX-License-Identifier: MIT */
/*
 * Owns what is wanted of ova.xml: pairs of <name> and <value> in the order
 * they stand in, which is enough to tell the VDIs and two of their fields. It
 * is no XML parser: what is not such a pair is passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "formats/images/xva/xva.h"

struct text {
	const char *at, *end;
};

/* Behind the next `what`, or false. */
static bool skip_past(struct text *text, const char *what)
{
	const char *found = memmem(text->at, (size_t)(text->end - text->at),
				   what, strlen(what));

	if (found)
		text->at = found + strlen(what);
	return found;
}

static void skip_blanks(struct text *text)
{
	while (text->at < text->end && strchr(" \t\r\n", *text->at) &&
	       *text->at)
		text->at++;
}

static bool take(struct text *text, const char *what)
{
	size_t len = strlen(what);

	if ((size_t)(text->end - text->at) < len ||
	    memcmp(text->at, what, len))
		return false;
	text->at += len;
	return true;
}

/* Up to the next tag, cut to fit, the five entities resolved. */
static void take_text(struct text *text, char *out, size_t room)
{
	static const char *const entities[] = { "&amp;&", "&lt;<", "&gt;>",
						"&quot;\"", "&apos;'" };
	size_t used = 0;

	while (text->at < text->end && *text->at != '<') {
		char c = *text->at;
		size_t step = 1;

		for (unsigned i = 0; c == '&' && i < 5; i++) {
			size_t len = strlen(entities[i]) - 1;

			if ((size_t)(text->end - text->at) >= len &&
			    !memcmp(text->at, entities[i], len)) {
				c = entities[i][len];
				step = len;
				break;
			}
		}
		if (used + 1 < room)
			out[used++] = c;
		text->at += step;
	}
	out[used] = '\0';
}

/* A value that is no text (a struct, an array) is empty. Ends: forward. */
static bool next_pair(struct text *text, char *name, char *value)
{
	*value = '\0';
	if (!skip_past(text, "<name>"))
		return false;
	take_text(text, name, XVA_TEXT_LEN);
	if (!take(text, "</name>"))
		return true;
	skip_blanks(text);
	if (!take(text, "<value>"))
		return true;
	if (take(text, "<string>") || take(text, "<i4>") ||
	    take(text, "<int>")) {
		take_text(text, value, XVA_TEXT_LEN);
		return true;
	}
	take_text(text, value, XVA_TEXT_LEN);
	if (strspn(value, " \t\r\n") == strlen(value))
		*value = '\0';
	return true;
}

static int add_vdi(struct xva_ova *ova, const char *ref, struct err *err)
{
	if (!*ref || strchr(ref, '/') || strlen(ref) >= XVA_TEXT_LEN - 1)
		return err_set(err, ERR_DAMAGED,
			       "ova.xml has a disk named \"%s\"", ref);
	for (unsigned i = 0; i < ova->count; i++)
		if (!strcmp(ova->vdi[i].ref, ref))
			return err_set(err, ERR_DAMAGED,
				       "ova.xml describes %s twice", ref);
	if (ova->count == XVA_DISKS)
		return err_set(err, ERR_LIMIT,
			       "ova.xml describes more than %u disks",
			       XVA_DISKS);
	strcpy(ova->vdi[ova->count++].ref, ref);
	return 0;
}

static int set_size(struct xva_vdi *vdi, const char *value, struct err *err)
{
	size_t digits = strspn(value, "0123456789");

	if (!digits || value[digits] || digits > 19)
		return err_set(err, ERR_DAMAGED,
			       "ova.xml gives %s the size \"%s\"", vdi->ref,
			       value);
	vdi->size = strtoull(value, NULL, 10);
	vdi->has_size = true;
	if (vdi->size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "%s has %s bytes, above the limit %llu",
			       vdi->ref, value,
			       (unsigned long long)LIMIT_DISK_SIZE);
	return 0;
}

int xva_ova_parse(const char *xml, size_t len, struct xva_ova *out,
		  struct err *err)
{
	struct text text = { xml, xml + len };
	char name[XVA_TEXT_LEN], value[XVA_TEXT_LEN];
	struct xva_vdi *vdi = NULL;
	bool is_vdi = false;

	/* Ends: each pair moves on. The first of a name counts. */
	while (next_pair(&text, name, value)) {
		if (!strcmp(name, "class")) {
			is_vdi = !strcmp(value, "VDI");
			vdi = NULL;
		} else if (is_vdi && !vdi && !strcmp(name, "id")) {
			if (add_vdi(out, value, err))
				return -1;
			vdi = &out->vdi[out->count - 1];
		} else if (vdi && !*vdi->label &&
			   !strcmp(name, "name_label")) {
			strcpy(vdi->label, value);
		} else if (vdi && !vdi->has_size &&
			   !strcmp(name, "virtual_size")) {
			if (set_size(vdi, value, err))
				return -1;
		}
	}
	return 0;
}
