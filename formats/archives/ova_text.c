/* SPDX-License-Identifier: MIT */
/*
 * Owns the text of an appliance's description: OVF 1.0 (DSP0243 1.1) and 2.0
 * (DSP0243 2.1). Children of an Item stand in alphabetical order, as the CIM
 * schemas want them.
 */
#include "formats/archives/ova.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct text {
	char *bytes;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void
add(struct text *text, const char *format, ...)
{
	va_list args;
	int more;

	va_start(args, format);
	more = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text->bytes = mem_resize(text->bytes, text->len + (size_t)more + 1, 1);
	va_start(args, format);
	vsnprintf(text->bytes + text->len, (size_t)more + 1, format, args);
	va_end(args);
	text->len += (size_t)more;
}

/* What has a meaning in XML; malloc'ed. */
static char *escaped(const char *plain)
{
	struct text out = { NULL, 0 };

	add(&out, "%s", "");
	for (; *plain; plain++)
		switch (*plain) {
		case '&':
			add(&out, "&amp;");
			break;
		case '<':
			add(&out, "&lt;");
			break;
		case '>':
			add(&out, "&gt;");
			break;
		case '"':
			add(&out, "&quot;");
			break;
		default:
			add(&out, "%c", *plain);
		}
	return out.bytes;
}

/* Numbers of CIM_OperatingSystem.OSType, and VMware's words. */
static const struct {
	const char *word;
	unsigned number;
	const char *vmware, *title;
} systems[] = {
	{ "other", 102, "otherGuest64", "Other 64-Bit" },
	{ "linux", 101, "otherLinux64Guest", "Linux 64-Bit" },
	{ "debian", 96, "debian10_64Guest", "Debian 64-Bit" },
	{ "ubuntu", 94, "ubuntu64Guest", "Ubuntu 64-Bit" },
	{ "rhel", 80, "rhel7_64Guest", "Red Hat Enterprise Linux 64-Bit" },
	{ "centos", 107, "centos64Guest", "CentOS 64-bit" },
	{ "sles", 85, "sles12_64Guest", "SUSE Linux Enterprise 64-Bit" },
};

static void add_system(const struct ova *ova, struct text *text)
{
	size_t i = 0;

	while (i < sizeof systems / sizeof *systems &&
	       strcmp(systems[i].word, ova->os))
		i++;
	if (i < sizeof systems / sizeof *systems)
		add(text, "    <OperatingSystemSection ovf:id=\"%u\" "
			  "vmw:osType=\"%s\">\n"
			  "      <Info>The guest operating system</Info>\n"
			  "      <Description>%s</Description>\n",
		    systems[i].number, systems[i].vmware, systems[i].title);
	else
		add(text, "    <OperatingSystemSection ovf:id=\"%s\">\n"
			  "      <Info>The guest operating system</Info>\n",
		    ova->os);
	add(text, "    </OperatingSystemSection>\n");
}

static void add_files(const struct ova *ova, bool most, struct text *text)
{
	char name[128];

	add(text, "  <References>\n");
	for (unsigned i = 0; i < ova->count; i++)
		add(text, "    <File ovf:id=\"file%u\" ovf:href=\"%s\" "
			  "ovf:size=\"%" PRIu64 "\"/>\n", i + 1,
		    ova_disk_name(ova, i, name, sizeof name),
		    most ? UINT64_MAX : ova->disk[i].made.length);
	add(text, "  </References>\n"
		  "  <DiskSection>\n"
		  "    <Info>Virtual disks</Info>\n");
	for (unsigned i = 0; i < ova->count; i++)
		add(text, "    <Disk ovf:diskId=\"vmdisk%u\" "
			  "ovf:fileRef=\"file%u\" ovf:capacity=\"%" PRIu64
			  "\" ovf:capacityAllocationUnits=\"byte\" "
			  "ovf:format=\"http://www.vmware.com/interfaces/"
			  "specifications/vmdk.html#streamOptimized\"/>\n",
		    i + 1, i + 1, most ? UINT64_MAX : ova->disk[i].capacity);
	add(text, "  </DiskSection>\n");
}

static void add_machine(const struct ova *ova, struct text *text)
{
	add(text, "      <Item>\n"
		  "        <rasd:AllocationUnits>hertz * 10^6"
		  "</rasd:AllocationUnits>\n"
		  "        <rasd:Description>Number of virtual CPUs"
		  "</rasd:Description>\n"
		  "        <rasd:ElementName>%u virtual CPU(s)"
		  "</rasd:ElementName>\n"
		  "        <rasd:InstanceID>1</rasd:InstanceID>\n"
		  "        <rasd:ResourceType>3</rasd:ResourceType>\n"
		  "        <rasd:VirtualQuantity>%u</rasd:VirtualQuantity>\n"
		  "      </Item>\n", ova->cpus, ova->cpus);
	add(text, "      <Item>\n"
		  "        <rasd:AllocationUnits>byte * 2^20"
		  "</rasd:AllocationUnits>\n"
		  "        <rasd:Description>Memory size</rasd:Description>\n"
		  "        <rasd:ElementName>%" PRIu64 " MiB of memory"
		  "</rasd:ElementName>\n"
		  "        <rasd:InstanceID>2</rasd:InstanceID>\n"
		  "        <rasd:ResourceType>4</rasd:ResourceType>\n"
		  "        <rasd:VirtualQuantity>%" PRIu64
		  "</rasd:VirtualQuantity>\n"
		  "      </Item>\n", ova->memory_mib, ova->memory_mib);
}

/* Disks on one controller: how many fit. */
static unsigned room_of(const struct ova *ova)
{
	return strcmp(ova->adapter, "ide") ? 15 : 2;
}

static void add_controller(const struct ova *ova, unsigned number,
			   struct text *text)
{
	bool ide = !strcmp(ova->adapter, "ide");

	add(text, "      <Item>\n"
		  "        <rasd:Address>%u</rasd:Address>\n"
		  "        <rasd:Description>%s controller"
		  "</rasd:Description>\n"
		  "        <rasd:ElementName>%s controller %u"
		  "</rasd:ElementName>\n"
		  "        <rasd:InstanceID>%u</rasd:InstanceID>\n",
	    number, ide ? "IDE" : "SCSI", ide ? "IDE" : "SCSI", number,
	    100 + number);
	if (!ide)
		add(text, "        <rasd:ResourceSubType>%s"
			  "</rasd:ResourceSubType>\n", ova->adapter);
	add(text, "        <rasd:ResourceType>%u</rasd:ResourceType>\n"
		  "      </Item>\n", ide ? 5 : 6);
}

/* The unit's number on a SCSI bus: 7 is the controller's own. */
static unsigned unit_of(const struct ova *ova, unsigned i)
{
	unsigned unit = i % room_of(ova);

	return room_of(ova) == 15 && unit >= 7 ? unit + 1 : unit;
}

static void add_disk(const struct ova *ova, unsigned i, struct text *text)
{
	const char *item = ova->version2 ? "StorageItem" : "Item";
	const char *p = ova->version2 ? "sasd" : "rasd";

	add(text, "      <%s>\n"
		  "        <%s:AddressOnParent>%u</%s:AddressOnParent>\n"
		  "        <%s:ElementName>Hard disk %u</%s:ElementName>\n"
		  "        <%s:HostResource>ovf:/disk/vmdisk%u"
		  "</%s:HostResource>\n"
		  "        <%s:InstanceID>%u</%s:InstanceID>\n"
		  "        <%s:Parent>%u</%s:Parent>\n"
		  "        <%s:ResourceType>17</%s:ResourceType>\n"
		  "      </%s>\n",
	    item, p, unit_of(ova, i), p, p, i + 1, p, p, i + 1, p, p, 200 + i,
	    p, p, 100 + i / room_of(ova), p, p, p, item);
}

static void add_nic(const struct ova *ova, struct text *text)
{
	const char *item = ova->version2 ? "EthernetPortItem" : "Item";
	const char *p = ova->version2 ? "epasd" : "rasd";

	if (!strcmp(ova->nic, "none"))
		return;
	add(text, "      <%s>\n"
		  "        <%s:AddressOnParent>7</%s:AddressOnParent>\n"
		  "        <%s:AutomaticAllocation>true"
		  "</%s:AutomaticAllocation>\n"
		  "        <%s:Connection>VM Network</%s:Connection>\n"
		  "        <%s:ElementName>Network adapter 1"
		  "</%s:ElementName>\n"
		  "        <%s:InstanceID>300</%s:InstanceID>\n"
		  "        <%s:ResourceSubType>%s</%s:ResourceSubType>\n"
		  "        <%s:ResourceType>10</%s:ResourceType>\n"
		  "      </%s>\n",
	    item, p, p, p, p, p, p, p, p, p, p, p,
	    strcmp(ova->nic, "e1000") ? "VmxNet3" : "E1000", p, p, p, item);
}

static void add_hardware(const struct ova *ova, const char *name,
			 struct text *text)
{
	add(text, "    <VirtualHardwareSection>\n"
		  "      <Info>Virtual hardware</Info>\n"
		  "      <System>\n"
		  "        <vssd:ElementName>Virtual Hardware Family"
		  "</vssd:ElementName>\n"
		  "        <vssd:InstanceID>0</vssd:InstanceID>\n"
		  "        <vssd:VirtualSystemIdentifier>%s"
		  "</vssd:VirtualSystemIdentifier>\n"
		  "        <vssd:VirtualSystemType>vmx-10"
		  "</vssd:VirtualSystemType>\n"
		  "      </System>\n", name);
	add_machine(ova, text);
	for (unsigned i = 0; i * room_of(ova) < ova->count; i++)
		add_controller(ova, i, text);
	for (unsigned i = 0; i < ova->count; i++)
		add_disk(ova, i, text);
	add_nic(ova, text);
	if (ova->efi)
		add(text, "      <vmw:Config ovf:required=\"false\" "
			  "vmw:key=\"firmware\" vmw:value=\"efi\"/>\n");
	add(text, "    </VirtualHardwareSection>\n");
}

char *ova_description(const struct ova *ova, bool most)
{
	AUTO_FREE char *name = escaped(ova->name);
	const char *cim = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
			  "CIM_";
	unsigned version = ova->version2 ? 2 : 1;
	struct text text = { NULL, 0 };

	add(&text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		   "<Envelope%s xml:lang=\"en-US\"\n"
		   "  xmlns=\"http://schemas.dmtf.org/ovf/envelope/%u\"\n"
		   "  xmlns:ovf=\"http://schemas.dmtf.org/ovf/envelope/%u\"\n"
		   "  xmlns:rasd=\"%sResourceAllocationSettingData\"\n"
		   "  xmlns:vssd=\"%sVirtualSystemSettingData\"\n",
	    ova->version2 ? "" : " ovf:version=\"1.0\"", version, version, cim,
	    cim);
	if (ova->version2)
		add(&text, "  xmlns:epasd=\"%sEthernetPortAllocationSetting"
			   "Data.xsd\"\n"
			   "  xmlns:sasd=\"%sStorageAllocationSettingData"
			   ".xsd\"\n", cim, cim);
	add(&text, "  xmlns:vmw=\"http://www.vmware.com/schema/ovf\">\n");
	add_files(ova, most, &text);
	if (strcmp(ova->nic, "none"))
		add(&text, "  <NetworkSection>\n"
			   "    <Info>Logical networks</Info>\n"
			   "    <Network ovf:name=\"VM Network\">\n"
			   "      <Description>The network of the machine"
			   "</Description>\n"
			   "    </Network>\n"
			   "  </NetworkSection>\n");
	add(&text, "  <VirtualSystem ovf:id=\"%s\">\n"
		   "    <Info>A virtual machine</Info>\n"
		   "    <Name>%s</Name>\n", name, name);
	add_system(ova, &text);
	add_hardware(ova, name, &text);
	add(&text, "  </VirtualSystem>\n</Envelope>\n");
	return text.bytes;
}
