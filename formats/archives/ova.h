/* SPDX-License-Identifier: MIT */
/*
 * Writing an appliance: what stands around its disks. A tar of
 *
 *   NAME.ovf | NAME.mf | NAME-disk1.vmdk | NAME-disk2.vmdk ...
 *
 * in the order that DSP0243 (5.1) demands. The disks are written first, each
 * into its place; the description and the digests in front of them when all
 * are there, into room whose length depends on names alone.
 */
#ifndef FORMATS_ARCHIVES_OVA_H
#define FORMATS_ARCHIVES_OVA_H

#include "base/err.h"
#include "formats/archives/member_sink.h"
#include "formats/archives/tar_sink.h"
#include "formats/images/driver.h"

#define OVA_DISKS 30

/* What its disks are. */
#define OVA_DISK_SUFFIX ".vmdk"
#define OVA_DISK_OPTION "subformat"
#define OVA_DISK_VALUE "streamOptimized"

/* -o keys of an appliance; ends with a NULL name. */
extern const struct driver_option ova_options[];

struct ova_disk {
	uint64_t capacity; /* bytes, as the guest sees it */
	struct member_made made;
};

struct ova {
	char stem[64]; /* what the members' names begin with */
	char name[128];
	unsigned cpus;
	uint64_t memory_mib;
	char os[32]; /* of ova_options, or a number of CIM_OperatingSystem */
	bool efi;
	char nic[16];	  /* "e1000", "vmxnet3", "none" */
	char adapter[16]; /* of the disks: "lsilogic", "buslogic", "ide" */
	bool version2;	  /* OVF 2.0 */
	enum digest_kind manifest; /* DIGEST_KINDS: none */
	int64_t mtime;
	unsigned count;
	struct ova_disk disk[OVA_DISKS];
};

/* From the -o keys, of which only those of ova_options are looked at; `stem`
 * is OUTPUT's name without folder and suffix, cut where it is long. ERR_USAGE
 * names key, value and what is allowed. */
int ova_init(struct ova *ova, const struct create_options *options,
	     const char *stem, struct err *err);

/* The member of disk `i`, from 0. */
char *ova_disk_name(const struct ova *ova, unsigned i, char *buf, size_t len);

/* Where the bytes of disk `i` begin: those before it must have been made. */
uint64_t ova_disk_offset(const struct ova *ova, unsigned i);

/* What stands in front of the bytes of disk 0; malloc'ed. All are made. */
unsigned char *ova_front(const struct ova *ova, size_t *len);
/* The header of disk `i`, which ends where its bytes begin. */
void ova_disk_header(const struct ova *ova, unsigned i,
		     unsigned char out[TAR_BLOCK]);

/* The description; `most`: with the longest numbers, for its length. */
char *ova_description(const struct ova *ova, bool most);

#endif
