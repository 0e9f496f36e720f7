/* SPDX-License-Identifier: MIT */
/* Owns the making of an appliance around its disks. The bytes are
 * formats/archives/ova.c's. */
#include "cmd/appliance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct appliance_making {
	struct ova ova;
};

/* OUTPUT's name without folder and suffix. */
static char *stem_of(const char *output)
{
	const char *slash = strrchr(output, '/');
	const char *base = slash ? slash + 1 : output;
	const char *dot = strrchr(base, '.');

	return mem_printf("%.*s",
			  dot && dot > base ? (int)(dot - base)
					    : (int)strlen(base), base);
}

struct appliance_making *appliance_making_open(const struct target *target,
					       const char *output, int64_t date,
					       unsigned count, struct err *err)
{
	struct appliance_making *making = mem_zalloc(sizeof *making);
	AUTO_FREE char *stem = stem_of(output);
	const char *adapter =
		create_option(&target->create, target->driver->options,
			      "adapter_type");

	if (ova_init(&making->ova, &target->appliance, stem, err) < 0)
		return appliance_making_close(making);
	making->ova.count = count;
	making->ova.mtime = date;
	if (adapter && strcmp(adapter, "legacyESX"))
		snprintf(making->ova.adapter, sizeof making->ova.adapter,
			 "%.15s", adapter);
	return making;
}

void appliance_making_place(const struct appliance_making *making, unsigned i,
			    struct member_place *out)
{
	out->offset = ova_disk_offset(&making->ova, i);
	out->digest = making->ova.manifest;
	ova_disk_name(&making->ova, i, out->name, sizeof out->name);
}

void appliance_making_made(struct appliance_making *making, unsigned i,
			   const struct protocol_done *done, uint64_t size)
{
	struct ova_disk *disk = &making->ova.disk[i];

	disk->made = done->made;
	disk->capacity = done->has_size ? done->padded : size;
}

static int put(int fd, const void *bytes, size_t len, uint64_t offset,
	       struct err *err)
{
	const unsigned char *at = bytes;

	while (len) {
		ssize_t done = pwrite(fd, at, len, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return err_sys(err, ERR_IO, "write");
		at += done;
		len -= (size_t)done;
		offset += (uint64_t)done;
	}
	return 0;
}

int appliance_making_seal(const struct appliance_making *making, int fd,
			  struct err *err)
{
	const struct ova *ova = &making->ova;
	AUTO_FREE unsigned char *front = NULL;
	size_t len;

	/* The first disk's header is the front's end. */
	for (unsigned i = 1; i < ova->count; i++) {
		unsigned char header[TAR_BLOCK];

		ova_disk_header(ova, i, header);
		if (put(fd, header, sizeof header,
			ova_disk_offset(ova, i) - TAR_BLOCK, err) < 0)
			return -1;
	}
	front = ova_front(ova, &len);
	return put(fd, front, len, 0, err);
}

int appliance_place(const struct target *target, const char *output,
		    struct member_place *place,
		    const struct member_place **out, struct err *err)
{
	struct appliance_making *making;

	*out = NULL;
	if (strcmp(target->archive, "ova"))
		return 0;
	making = appliance_making_open(target, output, 0, 1, err);
	if (!making)
		return -1;
	appliance_making_place(making, 0, place);
	*out = place;
	appliance_making_close(making);
	return 0;
}

struct appliance_making *
appliance_making_close(struct appliance_making *making)
{
	free(making);
	return NULL;
}
