/* SPDX-License-Identifier: MIT */
/* Owns how identifiers are made. Does not know where a format keeps them. */
#include "formats/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/mem.h"
#include "io/digest.h"

struct identity {
	const char *format;
	struct create_options options; /* a copy: they are gone after create */
	unsigned char *head; /* IDENTITY_LEN */
};

struct identity *identity_open(struct writer *writer,
			       const struct create_options *options)
{
	struct identity *identity = mem_zalloc(sizeof *identity);

	identity->format = writer->format;
	identity->options = *options;
	identity->head = mem_zalloc(IDENTITY_LEN);
	writer->units_until = IDENTITY_LEN;
	return identity;
}

void identity_unit(struct identity *identity, const struct unit *unit,
		   uint32_t granule)
{
	for (size_t i = 0; i < unit->granule_count; i++) {
		uint64_t at = unit->offset + i * (uint64_t)granule;
		size_t len;

		if (at >= IDENTITY_LEN)
			break;
		if (unit->granules[i].kind != EXTENT_DATA)
			continue;
		len = (size_t)min_u64(granule, unit->len - i * (size_t)granule);
		len = (size_t)min_u64(len, IDENTITY_LEN - at);
		memcpy(identity->head + at, unit->data + i * (size_t)granule,
		       len);
	}
}

bool identity_ready(uint64_t position, uint64_t size)
{
	return position >= min_u64(IDENTITY_LEN, size);
}

static void add_text(struct digest *digest, const char *text)
{
	digest_add(digest, text, strlen(text) + 1);
}

static void make(struct identity *identity, uint64_t size, const char *purpose,
		 unsigned char out[DIGEST_LEN])
{
	const struct create_options *options = &identity->options;
	struct digest *digest = digest_open();
	char text[96];

	add_text(digest, identity->format);
	add_text(digest, purpose);
	snprintf(text, sizeof text, "%" PRIu64 " %u %s %d", size,
		 options->sector_size, options->compress,
		 options->compress_level);
	add_text(digest, text);
	for (unsigned i = 0; i < options->option_count; i++) {
		add_text(digest, options->option[i].name);
		add_text(digest, options->option[i].value);
	}
	digest_add(digest, options->seed, sizeof options->seed);
	digest_add(digest, identity->head, IDENTITY_LEN);
	digest_get(digest, out);
	digest_close(digest);
}

void identity_uuid(struct identity *identity, uint64_t size,
		   const char *purpose, unsigned char out[IDENTITY_UUID_LEN])
{
	unsigned char digest[DIGEST_LEN];

	if (identity->options.has_uuid && !strcmp(purpose, "image")) {
		memcpy(out, identity->options.uuid, IDENTITY_UUID_LEN);
		return;
	}
	make(identity, size, purpose, digest);
	memcpy(out, digest, IDENTITY_UUID_LEN);
	/* RFC 4122, 4.1.1 and 4.1.3: variant and version 4. */
	out[6] = (unsigned char)((out[6] & 0x0f) | 0x40);
	out[8] = (unsigned char)((out[8] & 0x3f) | 0x80);
}

uint32_t identity_number(struct identity *identity, uint64_t size,
			 const char *purpose)
{
	unsigned char digest[DIGEST_LEN];
	uint32_t number;

	make(identity, size, purpose, digest);
	number = bytes_le32(digest);
	return number == 0 || number == UINT32_MAX ? 1 : number;
}

int64_t identity_time(const struct identity *identity)
{
	return identity->options.now;
}

void identity_text(const unsigned char uuid[IDENTITY_UUID_LEN],
		   char out[IDENTITY_TEXT_LEN])
{
	size_t used = 0;

	for (unsigned i = 0; i < IDENTITY_UUID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[used++] = '-';
		snprintf(out + used, IDENTITY_TEXT_LEN - used, "%02x", uuid[i]);
		used += 2;
	}
}

static void swap(unsigned char *bytes, unsigned a, unsigned b)
{
	unsigned char kept = bytes[a];

	bytes[a] = bytes[b];
	bytes[b] = kept;
}

void identity_swap(unsigned char uuid[IDENTITY_UUID_LEN])
{
	swap(uuid, 0, 3);
	swap(uuid, 1, 2);
	swap(uuid, 4, 5);
	swap(uuid, 6, 7);
}

struct identity *identity_close(struct identity *identity)
{
	if (identity) {
		free(identity->head);
		free(identity);
	}
	return NULL;
}
