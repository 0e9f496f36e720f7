/* SPDX-License-Identifier: MIT */
/* The probe's fixtures: each function puts the fields that a signature rests
 * on into `layer` (zeroed by the caller) and returns the layer's size. */
#ifndef TESTS_PROBE_FIXTURES_H
#define TESTS_PROBE_FIXTURES_H

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "formats/crc32.h"

#define ROOM ((size_t)(256 * KIB))
static unsigned char layer[ROOM];

static void put(size_t at, const char *bytes, size_t len)
{
	memcpy(layer + at, bytes, len);
}
#define PUT(at, text) put(at, text, sizeof(text) - 1)

/* ---- images ---- */

static size_t make_qcow2(void)
{
	PUT(0, "QFI\xfb");
	bytes_put_be32(layer + 4, 3);
	bytes_put_be32(layer + 20, 16); /* cluster_bits */
	return ROOM;
}

static size_t make_qcow(void)
{
	PUT(0, "QFI\xfb");
	bytes_put_be32(layer + 4, 1);
	return ROOM;
}

static size_t make_vmdk(void)
{
	PUT(0, "KDMV");
	bytes_put_le32(layer + 4, 1);
	bytes_put_le64(layer + 64, 128); /* overHead */
	PUT(73, "\n \r\n");
	return ROOM;
}

static size_t make_cowd(void)
{
	PUT(0, "COWD");
	bytes_put_le32(layer + 4, 1);
	return ROOM;
}

static size_t make_sesparse(void)
{
	bytes_put_le64(layer, 0xcafebabe);
	bytes_put_le64(layer + 8, 0x0000000200000001);
	return ROOM;
}

static size_t make_vmdk_text(void)
{
	PUT(0, "# Disk DescriptorFile\nversion=1\nCID=fffffffe\n");
	return 45;
}

static void put_vhd(size_t at, uint32_t type, uint64_t disk_size, size_t len)
{
	uint32_t sum = 0;

	memset(layer + at, 0, len);
	PUT(at, "conectix");
	bytes_put_be32(layer + at + 8, 2);
	bytes_put_be32(layer + at + 12, 0x10000);
	bytes_put_be64(layer + at + 48, disk_size);
	bytes_put_be32(layer + at + 60, type);
	for (size_t i = 0; i < len; i++)
		sum += layer[at + i];
	bytes_put_be32(layer + at + 64, ~sum);
}

static size_t make_vhd_dynamic(void)
{
	put_vhd(0, 3, 1 << 30, 512);
	put_vhd(ROOM - 512, 3, 1 << 30, 512);
	return ROOM;
}

static size_t make_vhd_fixed(void)
{
	put_vhd(ROOM - 512, 2, ROOM - 512, 512);
	return ROOM;
}

static size_t make_vhd_511(void)
{
	put_vhd(ROOM - 511, 2, ROOM - 511, 511);
	return ROOM;
}

static size_t make_vhdx(void)
{
	PUT(0, "vhdxfile");
	PUT(65536, "head");
	return ROOM;
}

static size_t make_vdi(void)
{
	PUT(0, "<<< Oracle VM VirtualBox Disk Image >>>\n");
	bytes_put_le32(layer + 64, 0xbeda107f);
	bytes_put_le32(layer + 68, 0x00010001);
	bytes_put_le32(layer + 344, 65536);
	return ROOM;
}

static size_t make_qed(void)
{
	PUT(0, "QED");
	bytes_put_le32(layer + 4, 65536);
	bytes_put_le32(layer + 12, 1);
	return ROOM;
}

static size_t make_parallels(void)
{
	PUT(0, "WithouFreSpacExt");
	bytes_put_le32(layer + 16, 2);
	return ROOM;
}

static size_t make_parallels_old(void)
{
	PUT(0, "WithoutFreeSpace");
	bytes_put_le32(layer + 16, 2);
	return ROOM;
}

static size_t make_parallels_xml(void)
{
	PUT(0, "<?xml version='1.0'?>\n<Parallels_disk_image>");
	return 1000;
}

static size_t make_bochs(void)
{
	PUT(0, "Bochs Virtual HD Image");
	PUT(32, "Redolog");
	PUT(48, "Growing");
	bytes_put_le32(layer + 68, 512);
	return ROOM;
}

static size_t make_cloop(void)
{
	PUT(0, "#!/bin/sh\n#V2.0 Format\n");
	bytes_put_be32(layer + 128, 65536);
	return ROOM;
}

static size_t make_dmg(void)
{
	size_t at = ROOM - 512;

	PUT(at, "koly");
	bytes_put_be32(layer + at + 4, 4);
	bytes_put_be32(layer + at + 8, 512);
	bytes_put_be64(layer + at + 216, 4096);
	bytes_put_be64(layer + at + 224, 1000);
	return ROOM;
}

static size_t make_simg(void)
{
	bytes_put_le32(layer, 0xed26ff3a);
	bytes_put_le16(layer + 4, 1);
	bytes_put_le16(layer + 8, 28);
	bytes_put_le16(layer + 10, 12);
	return ROOM;
}

static size_t make_sparseimage(void)
{
	PUT(0, "sprs\0\0\0\3");
	return ROOM;
}

static size_t make_asif(void)
{
	PUT(0, "shdw\0\0\0\1\0\0\2\0");
	return ROOM;
}

static size_t make_e01(void)
{
	PUT(0, "EVF\x09\x0d\x0a\xff\0\1\1\0\0\0");
	return ROOM;
}

static size_t make_ex01(void)
{
	PUT(0, "EVF2\x0d\x0a\x81\0\2");
	return ROOM;
}

static size_t make_partclone(void)
{
	PUT(0, "partclone-image");
	PUT(16, "0.3.12");
	PUT(30, "0002");
	return ROOM;
}

static size_t make_vma(void)
{
	PUT(0, "VMA\0\0\0\0\1");
	return ROOM;
}

static size_t make_casync(void)
{
	bytes_put_le64(layer, 48);
	bytes_put_le64(layer + 8, 0x96824d9c7b129ff9);
	return 100;
}

/* ---- archives ---- */

static size_t put_tar(const char *name, const char *magic, size_t magic_len)
{
	unsigned sum = 0;

	memset(layer, 0, 512);
	strcpy((char *)layer, name);
	PUT(100, "0000644");
	PUT(124, "00000001000");
	layer[156] = '0';
	put(257, magic, magic_len);
	memset(layer + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += layer[i];
	sprintf((char *)layer + 148, "%06o", sum);
	return 10240;
}

static size_t make_tar(void)
{
	return put_tar("disk.raw",
		       "ustar\0"
		       "00",
		       8);
}

static size_t make_tar_gnu(void)
{
	return put_tar("disk.raw", "ustar  ", 8);
}

static size_t make_tar_v7(void)
{
	return put_tar("disk.raw", "", 0);
}

static size_t make_ova(void)
{
	return put_tar("appliance.ovf",
		       "ustar\0"
		       "00",
		       8);
}

static size_t make_xva(void)
{
	return put_tar("ova.xml", "ustar  ", 8);
}

static size_t make_zip(void)
{
	PUT(0, "PK\3\4\x14\0\0\0\x08\0");
	bytes_put_le16(layer + 26, 8);
	return ROOM;
}

static size_t make_7z(void)
{
	PUT(0, "7z\xbc\xaf\x27\x1c\0\4");
	bytes_put_le64(layer + 12, 1000);
	bytes_put_le32(layer + 8, crc32_bytes(0, layer + 12, 20));
	return ROOM;
}

static size_t make_rar4(void)
{
	PUT(0, "Rar!\x1a\x07\0\xcf");
	return ROOM;
}

static size_t make_rar5(void)
{
	PUT(0, "Rar!\x1a\x07\1\0");
	return ROOM;
}

static size_t make_cpio(void)
{
	memset(layer, '0', 110);
	PUT(0, "070701");
	return ROOM;
}

/* ---- compressions ---- */

static size_t make_gz(void)
{
	PUT(0, "\x1f\x8b\x08\0\0\0\0\0\0\3\x03\0");
	return ROOM;
}

static size_t make_lzip(void)
{
	PUT(0, "LZIP\1\x17");
	return ROOM;
}

static size_t make_lzma(void)
{
	PUT(0, "\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x35");
	return ROOM;
}

static size_t make_compress(void)
{
	PUT(0, "\x1f\x9d\x90\x61");
	return ROOM;
}

static size_t make_lzop(void)
{
	PUT(0, "\x89LZO\0\x0d\x0a\x1a\x0a");
	return ROOM;
}

/* ---- raw ---- */

static void put_mbr(uint32_t start, uint32_t len)
{
	unsigned char *e = layer + 446;

	e[0] = 0x80;
	e[4] = 0x83;
	bytes_put_le32(e + 8, start);
	bytes_put_le32(e + 12, len);
	bytes_put_le16(layer + 510, 0xAA55);
}

static size_t make_mbr(void)
{
	put_mbr(2048, 4096);
	return ROOM;
}

static size_t make_bootsector(void)
{
	bytes_put_le16(layer + 510, 0xAA55);
	return 512;
}

static size_t make_iso(void)
{
	PUT(32768, "\1CD001\1");
	bytes_put_le32(layer + 32768 + 80, 100);
	bytes_put_le16(layer + 32768 + 128, 2048);
	return ROOM;
}

static size_t make_luks(void)
{
	PUT(0, "LUKS\xba\xbe\0\2");
	return ROOM;
}

static size_t make_swap(void)
{
	PUT(4086, "SWAPSPACE2");
	return ROOM;
}

static size_t make_btrfs(void)
{
	PUT(65600, "_BHRfS_M");
	return ROOM;
}

static size_t make_squashfs(void)
{
	PUT(0, "hsqs");
	bytes_put_le32(layer + 12, 131072);
	bytes_put_le16(layer + 28, 4);
	return ROOM;
}

#endif
