/* SPDX-License-Identifier: MIT */
/* Owns the table of formats left to QEMU's tools. Parses no more of them than
 * whether they stand alone. */
#include "formats/foreign.h"

#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/checked.h"

/* VirtualBox "VDI core" header: type at 0x4c (1 dynamic, 2 static, 4
 * differencing), data offset at 0x158, block size at 0x178, blocks allocated
 * at 0x184, all little-endian. */
static bool vdi_alone(const unsigned char *head, size_t len,
		      const unsigned char *tail, uint64_t size)
{
	uint64_t data, end;

	(void)tail;
	if (len < 512)
		return false;
	uint32_t type = bytes_le32(head + 0x4c);
	if (type != 1 && type != 2)
		return false;
	return checked_mul(bytes_le32(head + 0x178), bytes_le32(head + 0x184),
			   &data) &&
	       checked_add(data, bytes_le32(head + 0x158), &end) &&
	       end <= size;
}

/* The ones' complement of the sum of all bytes but the four that hold it. */
static bool vhd_sum_is_right(const unsigned char *footer)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 512; i++)
		if (i < 64 || i >= 68)
			sum += footer[i];
	return bytes_be32(footer + 64) == ~sum;
}

/* VHD footer (Microsoft, Virtual Hard Disk Image Format Specification 1.0):
 * cookie "conectix", disk type at 60: 2 fixed, 3 dynamic, 4 differencing,
 * checksum at 64. It stands at the very end, so a cut file has none. */
static bool vhd_alone(const unsigned char *head, size_t len,
		      const unsigned char *tail, uint64_t size)
{
	(void)head;
	if (len < 512 || size < 512 || memcmp(tail, "conectix", 8) ||
	    !vhd_sum_is_right(tail))
		return false;
	uint32_t type = bytes_be32(tail + 60);
	return type == 2 || type == 3;
}

/* VMDK (VMware, Virtual Disk Format 5.0): a hosted sparse extent carries its
 * descriptor; without a parent its parentCID is ffffffff. */
static bool vmdk_alone(const unsigned char *head, size_t len,
		       const unsigned char *tail, uint64_t size)
{
	static const char parent[] = "parentCID=ffffffff";
	uint64_t offset, length;

	(void)tail;
	if (len < 512 || memcmp(head, "KDMV", 4))
		return false;
	if (!checked_mul(bytes_le64(head + 28), 512, &offset) ||
	    !checked_mul(bytes_le64(head + 36), 512, &length) || !offset ||
	    !checked_inside(offset, length, min_u64(len, size)))
		return false;
	return memmem(head + offset, (size_t)length, parent,
		      sizeof parent - 1) != NULL;
}

/* QED (QEMU docs/interop/qed_spec): features at 16, bit 0: backing file. */
static bool qed_alone(const unsigned char *head, size_t len,
		      const unsigned char *tail, uint64_t size)
{
	(void)tail;
	(void)size;
	return len >= 64 && !(bytes_le64(head + 16) & 1);
}

/* qcow version 1: offset of the backing file's name at 8. */
static bool qcow_alone(const unsigned char *head, size_t len,
		       const unsigned char *tail, uint64_t size)
{
	(void)tail;
	(void)size;
	return len >= 48 && !bytes_be64(head + 8);
}

/* Formats that cannot name another file. */
static bool always_alone(const unsigned char *head, size_t len,
			 const unsigned char *tail, uint64_t size)
{
	(void)head;
	(void)len;
	(void)tail;
	(void)size;
	return true;
}

bool foreign_encrypted(const char *format)
{
	return !strcasecmp(format, "luks");
}

static const struct foreign table[] = {
	{ "vmdk", "vmdk", ".vmdk", NULL, true, true, vmdk_alone },
	{ "vhd", "vpc", ".vhd", "force_size=on", true, true, vhd_alone },
	{ "vhdx", "vhdx", ".vhdx", NULL, true, true, always_alone },
	{ "vdi", "vdi", ".vdi", NULL, true, true, vdi_alone },
	{ "qed", "qed", ".qed", NULL, true, true, qed_alone },
	{ "qcow", "qcow", ".qcow", NULL, true, true, qcow_alone },
	{ "parallels", "parallels", ".hds", NULL, true, true, always_alone },
	{ "bochs", "bochs", NULL, NULL, true, false, always_alone },
	{ "cloop", "cloop", NULL, NULL, true, false, always_alone },
	{ "dmg", "dmg", ".dmg", NULL, true, false, always_alone },
	{ "luks", "luks", NULL, NULL, false, false, always_alone },
};

#define ROWS (sizeof table / sizeof *table)

const struct foreign *foreign_by_name(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!strcasecmp(table[i].name, name) ||
		    !strcasecmp(table[i].qemu, name))
			return &table[i];
	return NULL;
}

const struct foreign *foreign_by_suffix(const char *file)
{
	const char *dot = strrchr(file, '.');

	for (size_t i = 0; dot && i < ROWS; i++)
		if (table[i].suffix && !strcasecmp(table[i].suffix, dot))
			return &table[i];
	return NULL;
}
