/* SPDX-License-Identifier: MIT */
/* Owns the table of consumers, and what their rows mean. Converts nothing. */
#include "cmd/consumers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/units.h"
#include "cmd/wraps.h"
#include "formats/images/driver.h"

const struct consumer consumers[] = {
	{ .name = "aws",
	  .title = "Amazon EC2, VM Import/Export",
	  .to = "vmdk",
	  .options = "subformat=streamOptimized",
	  .unit = 64 * KIB,
	  .most = 16 * TIB,
	  .accepts = { { "vmdk", "streamOptimized", NULL },
		       { "vmdk", "streamOptimized", "ova" },
		       { "vhd", NULL, NULL },
		       { "vhdx", NULL, NULL },
		       { "raw", NULL, NULL } },
	  .why = "of what is imported the smallest to upload; a volume has at "
		 "most 16 TiB",
	  .source = "VM Import/Export User Guide, System requirements" },
	{ .name = "azure",
	  .title = "Microsoft Azure",
	  .to = "vhd",
	  .options = "subformat=fixed",
	  .unit = MIB,
	  .most = 2040 * GIB,
	  .partitioned = true,
	  .accepts = { { "vhd", "fixed", NULL } },
	  .why = "only fixed VHD, of whole MiB, footer apart; sizes by cylinders "
		 "are not whole MiB",
	  .source = "Azure, Prepare Linux for imaging: General Linux "
		    "installation notes" },
	{ .name = "gce",
	  .title = "Google Compute Engine",
	  .to = "raw.tar.gz",
	  .member = "disk.raw",
	  .gnu_tar = true,
	  .unit = GIB,
	  .most = 10 * TIB,
	  .partitioned = true,
	  .accepts = { { "raw", NULL, "gz.tar" } },
	  .why = "one file disk.raw in an old-GNU tar, gzip around it; disks are "
		 "of whole GiB",
	  .source = "Compute Engine, Import boot disks manually; Image "
		    "management best practices" },
	{ .name = "esxi",
	  .title = "VMware ESXi, by vmkfstools -i",
	  .to = "vmdk",
	  .options = "subformat=streamOptimized,adapter_type=lsilogic",
	  .unit = 64 * KIB,
	  .most = 62 * TIB,
	  .accepts = { { "vmdk", NULL, NULL } },
	  .why = "streamed to the host and unpacked there by vmkfstools; its "
		 "adapter is one that ESXi has",
	  .source = "vSphere Storage, Using vmkfstools; Virtual Disk Format 5.0" },
	{ .name = "vsphere",
	  .title = "VMware vSphere, Deploy OVF template",
	  .to = "ova",
	  .unit = 64 * KIB,
	  .most = 62 * TIB,
	  .accepts = { { "vmdk", "streamOptimized", "ova" } },
	  .why = "a template is a description with streamOptimized disks",
	  .source = "vSphere Virtual Machine Administration, OVF and OVA "
		    "templates; DSP0243" },
	{ .name = "hyperv",
	  .title = "Microsoft Hyper-V",
	  .to = "vhdx",
	  .unit = MIB,
	  .most = 64 * TIB,
	  .accepts = { { "vhdx", NULL, NULL }, { "vhd", NULL, NULL } },
	  .why = "VHDX has a log and no 2 TiB limit; sizes are whole MiB",
	  .source = "MS-VHDX" },
	{ .name = "virtualbox",
	  .title = "Oracle VirtualBox",
	  .to = "vdi",
	  .unit = 512,
	  .accepts = { { "vdi", NULL, NULL },
		       { "vmdk", NULL, NULL },
		       { "vhd", NULL, NULL },
		       { "vmdk", NULL, "ova" },
		       { "parallels", NULL, NULL },
		       { "qcow2", NULL, NULL },
		       { "qed", NULL, NULL } },
	  .why = "its own format, with snapshots of its own",
	  .source = "VirtualBox User Manual, Disk Image Files" },
	{ .name = "openstack",
	  .title = "OpenStack Glance",
	  .to = "qcow2",
	  .unit = 512,
	  .accepts = { { "qcow2", NULL, NULL },
		       { "raw", NULL, NULL },
		       { "vmdk", NULL, NULL },
		       { "vhd", NULL, NULL },
		       { "vhdx", NULL, NULL },
		       { "vdi", NULL, NULL } },
	  .why = "thin, and what KVM hosts run; without backing file, which "
		 "Glance refuses",
	  .source = "Glance User Guide, Disk and container formats" },
	{ .name = "proxmox",
	  .title = "Proxmox VE, qm importdisk",
	  .to = "qcow2",
	  .unit = 512,
	  .accepts = { { "qcow2", NULL, NULL },
		       { "raw", NULL, NULL },
		       { "vmdk", NULL, NULL } },
	  .why = "snapshots on storage of any kind",
	  .source = "Proxmox VE Administration Guide, qm import" },
	{ .name = "xcp-ng",
	  .title = "XCP-ng and XenServer",
	  .to = "vhd",
	  .options = "subformat=dynamic",
	  .unit = 512,
	  .most = 2040 * GIB,
	  .accepts = { { "vhd", NULL, NULL }, { "raw", NULL, NULL } },
	  .why = "what its storage is made of; VHD ends at 2040 GiB",
	  .source = "XCP-ng documentation, Storage; Migrate to XCP-ng" },
	{ .name = "libvirt",
	  .title = "libvirt with QEMU and KVM",
	  .to = "qcow2",
	  .unit = 512,
	  .accepts = { { "qcow2", NULL, NULL }, { "raw", NULL, NULL } },
	  .why = "thin, with snapshots",
	  .source = "libvirt, Storage pools: volume format types" },
	{ .name = "kubevirt",
	  .title = "KubeVirt, Containerized Data Importer",
	  .to = "qcow2",
	  .unit = 512,
	  .accepts = { { "qcow2", NULL, NULL },
		       { "raw", NULL, NULL },
		       { "raw", NULL, "gz" },
		       { "raw", NULL, "xz" },
		       { "qcow2", NULL, "gz" },
		       { "qcow2", NULL, "xz" },
		       { "vmdk", NULL, NULL } },
	  .why = "imported without being unpacked to a file first",
	  .source = "CDI, Supported operations" },
	{ .name = "digitalocean",
	  .title = "DigitalOcean, custom images",
	  .to = "qcow2.gz",
	  .unit = 512,
	  .most = 100 * (uint64_t)1000 * 1000 * 1000,
	  .accepts = { { "raw", NULL, NULL },
		       { "raw", NULL, "gz" },
		       { "raw", NULL, "bz2" },
		       { "qcow2", NULL, NULL },
		       { "qcow2", NULL, "gz" },
		       { "vhdx", NULL, NULL },
		       { "vdi", NULL, NULL } },
	  .why = "compressed to be uploaded; at most 100 GB when it is unpacked",
	  .source = "DigitalOcean, Custom Images: image requirements, limits" },
	{ .name = "oracle",
	  .title = "Oracle Cloud Infrastructure",
	  .to = "qcow2",
	  .unit = 512,
	  .most = 400 * GIB,
	  .accepts = { { "qcow2", NULL, NULL },
		       { "vmdk", "monolithicSparse", NULL },
		       { "vmdk", "streamOptimized", NULL } },
	  .why = "QCOW2 or VMDK in one growing file; at most 400 GB",
	  .source = "Oracle Cloud Infrastructure, Importing custom images: "
		    "source image requirements" },
	{ .name = NULL },
};

const struct consumer *consumer_by_name(const char *name)
{
	for (const struct consumer *row = consumers; row->name; row++)
		if (!strcasecmp(row->name, name))
			return row;
	return NULL;
}

/* ---- what is made ---- */

static bool is_given(const struct create_options *create, const char *name,
		     size_t len)
{
	for (unsigned i = 0; i < create->option_count; i++)
		if (strlen(create->option[i].name) == len &&
		    !strncmp(create->option[i].name, name, len))
			return true;
	return false;
}

/* "key=value,key=value", but for the keys that were given. */
static int add_options(const char *text, struct create_options *create,
		       struct err *err)
{
	/* Ends: each turn goes behind the next comma. */
	while (text && *text) {
		size_t len = strcspn(text, ","), key = strcspn(text, "=");
		unsigned at = create->option_count;

		if (!is_given(create, text, key)) {
			if (at == CREATE_OPTIONS_MAX)
				return err_set(err, ERR_USAGE,
					       "too many options");
			snprintf(create->option[at].name,
				 sizeof create->option[at].name, "%.*s",
				 (int)key, text);
			snprintf(create->option[at].value,
				 sizeof create->option[at].value, "%.*s",
				 (int)(len - key - 1), text + key + 1);
			create->option_count++;
		}
		text += len + (text[len] == ',');
	}
	return 0;
}

/* The format that a name or -O tells of, without what is around it. */
static const struct driver *driver_in(const char *text, bool is_name)
{
	AUTO_FREE char *copy = mem_strdup(text);

	wraps_spell_out(&copy);
	while (wraps_take(copy))
		;
	return is_name ? driver_by_suffix(copy) : driver_by_name(copy);
}

/* disk.vdi for a consumer of VHD is a slip. */
static int refuse_name(const struct consumer *consumer, const char *output,
		       struct err *err)
{
	const struct driver *named = driver_in(output, true);
	const struct driver *made = driver_in(consumer->to, false);

	if (!named || !made || named == made || named->raw_suffix)
		return 0;
	return err_set(err, ERR_USAGE,
		       "%s takes %s, and the name says %s: give another name, "
		       "or -O", consumer->name, consumer->to, named->name);
}

int consumer_apply(const struct consumer *consumer, const char *output,
		   struct settings *settings, struct err *err)
{
	settings->create.size_unit = consumer->unit;
	if (settings->to) {
		/* Another format has other options. */
		if (driver_in(settings->to, false) !=
		    driver_in(consumer->to, false))
			return 0;
	} else {
		if (output && strcmp(output, "-") &&
		    refuse_name(consumer, output, err) < 0)
			return -1;
		settings->to = consumer->to;
	}
	if (consumer->compress && !*settings->create.compress)
		snprintf(settings->create.compress,
			 sizeof settings->create.compress, "%s",
			 consumer->compress);
	if (!settings->member_name)
		settings->member_name = consumer->member;
	if (consumer->gnu_tar && !settings->has_tar_dialect)
		settings->tar_dialect = TAR_GNU;
	return add_options(consumer->options, &settings->create, err);
}

/* ---- what is accepted ---- */

static void wraps_of(const struct image *image, char *out, size_t room)
{
	size_t used = 0;

	*out = '\0';
	for (unsigned i = 0; i < image->layers && used < room; i++)
		used += (size_t)snprintf(out + used, room - used, "%s%s",
					 i ? "." : "", image->layer[i].tag);
}

static const char *variant_of(const struct facts *facts)
{
	for (unsigned i = 0; i < facts->count; i++)
		if (!strcmp(facts->fact[i].name, "subformat") ||
		    !strcmp(facts->fact[i].name, "type"))
			return facts->fact[i].text;
	return "";
}

/* Format, variant and wraps against the list. */
static bool fits(const struct consumer *consumer, const struct image *image,
		 const char *variant, const char *wraps)
{
	for (const struct consumer_form *form = consumer->accepts;
	     form < consumer->accepts + CONSUMER_FORMS && form->format; form++)
		if (!strcmp(form->format, image->format) &&
		    !strcmp(form->wraps ? form->wraps : "", wraps) &&
		    (!form->variant || !*variant ||
		     !strcmp(form->variant, variant)))
			return true;
	return false;
}

/* What it would take, in words. */
static void describe(const struct consumer *consumer, char *out, size_t room)
{
	size_t used = 0;

	*out = '\0';
	for (const struct consumer_form *form = consumer->accepts;
	     form < consumer->accepts + CONSUMER_FORMS && form->format &&
	     used < room;
	     form++)
		used += (size_t)snprintf(
			out + used, room - used, "%s%s%s%s%s%s",
			form == consumer->accepts ? "" : ", ", form->format,
			form->variant ? " " : "",
			form->variant ? form->variant : "",
			form->wraps ? " in " : "",
			form->wraps ? form->wraps : "");
}

unsigned consumer_judge(const struct consumer *consumer,
			const struct image *image, const struct facts *facts,
			void (*say)(void *opaque, const char *text),
			void *opaque)
{
	const char *variant = variant_of(facts);
	char text[512], accepted[300], wraps[80], size[64];
	unsigned reasons = 0;

#define SAY(...)                                            \
	do {                                                \
		snprintf(text, sizeof text, __VA_ARGS__);   \
		say(opaque, text);                          \
		reasons++;                                  \
	} while (0)
	wraps_of(image, wraps, sizeof wraps);
	describe(consumer, accepted, sizeof accepted);
	if (!fits(consumer, image, variant, wraps))
		SAY("it is %s%s%s%s%s; accepted are: %s", image->format,
		    *variant ? " " : "", variant, *wraps ? " in " : "", wraps,
		    accepted);
	if (image->size_known && consumer->unit &&
	    image->size % consumer->unit)
		SAY("the disk has %" PRIu64 " bytes, which is no multiple of %s",
		    image->size,
		    units_about(consumer->unit, size, sizeof size));
	if (image->size_known && consumer->most &&
	    image->size > consumer->most)
		SAY("the disk has %" PRIu64 " bytes; at most %" PRIu64
		    " are accepted", image->size, consumer->most);
	if (image->backing || image->data_file)
		SAY("it needs another file");
	if (image->encrypted)
		SAY("it is encrypted");
	if (consumer->partitioned && !strcmp(image->gpt, "stale"))
		SAY("the backup of the partition table is not at the disk's "
		    "end");
	for (unsigned i = 0; consumer->member && i < image->layers; i++)
		if (*image->layer[i].member &&
		    strcmp(image->layer[i].member, consumer->member))
			SAY("the image in the archive is called %.100s, not %s",
			    image->layer[i].member, consumer->member);
#undef SAY
	return reasons;
}
