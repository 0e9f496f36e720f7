/* SPDX-License-Identifier: MIT */
/*
 * What an appliance (OVA) holds beside its disks: the description, which says
 * what the disks are, and the manifest, which has digests of all of them. Fed
 * with members as they pass by.
 */
#ifndef FORMATS_ARCHIVES_APPLIANCE_H
#define FORMATS_ARCHIVES_APPLIANCE_H

#include "formats/archives/manifest.h"
#include "formats/archives/ovf.h"
#include "formats/archives/reader.h"

struct appliance;

struct appliance *appliance_open(void);
/* Accepts NULL, returns NULL. */
struct appliance *appliance_close(struct appliance *appliance);

/* One more member, which `reader` stands at: reads it if it is the first
 * description or manifest. */
int appliance_see(struct appliance *appliance, struct archive_reader *reader,
		  const struct archive_member *member, struct err *err);

/* NULL: none was seen yet. */
const struct ovf *appliance_ovf(const struct appliance *appliance);
const struct manifest *appliance_manifest(const struct appliance *appliance);

/* With both seen: is the description what the manifest says? ERR_DAMAGED. */
int appliance_check(const struct appliance *appliance, struct err *err);

/* The digests that a manifest may ask for, of bytes as they pass. */
struct appliance_digests;
struct appliance_digests *appliance_digests_open(void);
void appliance_digests_add(struct appliance_digests *digests,
			   const void *bytes, size_t len);
/* Are they what `line` says? Ends them. ERR_DAMAGED names both. */
int appliance_digests_check(struct appliance_digests *digests,
			    const struct manifest_line *line, struct err *err);
struct appliance_digests *
appliance_digests_close(struct appliance_digests *digests);

#endif
