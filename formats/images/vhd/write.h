/* SPDX-License-Identifier: MIT */
/* What the files of the VHD writers share: options, and the structures of a
 * new image. */
#ifndef FORMATS_IMAGES_VHD_WRITE_H
#define FORMATS_IMAGES_VHD_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/identity.h"
#include "formats/images/vhd/vhd.h"

/* What is left for the block table in front of the first block. */
#define VHD_TABLE_ROOM (64 * KIB)

struct vhd_config {
	enum vhd_type type; /* VHD_FIXED or VHD_DYNAMIC */
	bool chs;	    /* the size is one that a geometry has */
	uint32_t block_size, bitmap_len;
	uint64_t alignment;   /* of a block's data */
	enum sink_zero zeros; /* of a fixed disk */
};

extern const struct driver_option vhd_options[];

int vhd_config_parse(const struct create_options *options,
		     struct vhd_config *out, struct err *err);
/* driver.h has the contracts of these. */
int vhd_check_options(const struct create_options *options, struct err *err);
uint64_t vhd_round_size(const struct create_options *options, uint64_t size);
enum append_need vhd_append(const struct create_options *options);
uint32_t vhd_survey_granule(const struct create_options *options);
uint64_t vhd_measure(const struct create_options *options, uint64_t size,
		     uint64_t data);

/* Larger than the format allows: ERR_UNSUPPORTED. */
int vhd_check_size(uint64_t size, struct err *err);

/* A footer of VHD_FOOTER_LEN bytes. */
void vhd_put_footer(const struct vhd_config *config, struct identity *identity,
		    uint64_t size, unsigned char *out);
/* A dynamic disk header of VHD_HEADER_LEN bytes. */
void vhd_put_header(const struct vhd_config *config, uint64_t table_offset,
		    uint64_t entries, unsigned char *out);

struct writer *vhd_fixed_create(struct sink *sink,
				const struct vhd_config *config,
				const struct create_options *options,
				struct err *err);
struct writer *vhd_dynamic_create(struct sink *sink,
				  const struct vhd_config *config,
				  const struct create_options *options,
				  struct err *err);

#endif
