/* SPDX-License-Identifier: MIT */
/* Owns the list of transitions. Each is described in its own file. */
#include "transforms/catalogue.h"

#include <stddef.h>

extern const struct transition transition_nbdkit_ssh;
extern const struct transition transition_sftp;
extern const struct transition transition_rename;
extern const struct transition transition_copy;
extern const struct transition transition_decompress;
extern const struct transition transition_decompress_blocks;
extern const struct transition transition_extract;
extern const struct transition transition_window;
extern const struct transition transition_resize;
extern const struct transition transition_resize_stream;
extern const struct transition transition_gpt_fix;
extern const struct transition transition_survey;
extern const struct transition transition_convert;
extern const struct transition transition_convert_stream;
extern const struct transition transition_convert_scattered;
extern const struct transition transition_convert_aside;
extern const struct transition transition_convert_stream_aside;
extern const struct transition transition_compress;
extern const struct transition transition_pack;
extern const struct transition transition_pack_raw;
extern const struct transition transition_pack_file;
extern const struct transition transition_spool;
extern const struct transition transition_spool_wrapped;
extern const struct transition transition_test;
extern const struct transition transition_checksum;
extern const struct transition transition_check;
extern const struct transition transition_check_output;
extern const struct transition transition_resize_file;
extern const struct transition transition_qemu_write;
extern const struct transition transition_qemu_nbd;
extern const struct transition transition_qemu_resize;
extern const struct transition transition_gpt_fix_file;
extern const struct transition transition_gpt_fix_qemu;

const struct transition *const catalogue[] = {
	&transition_nbdkit_ssh,
	&transition_sftp,
	&transition_rename,
	&transition_copy,
	&transition_decompress,
	&transition_decompress_blocks,
	&transition_window,
	&transition_extract,
	&transition_resize,
	&transition_resize_stream,
	&transition_gpt_fix,
	&transition_survey,
	&transition_convert,
	&transition_convert_stream,
	&transition_convert_scattered,
	&transition_convert_aside,
	&transition_convert_stream_aside,
	&transition_compress,
	&transition_pack,
	&transition_pack_raw,
	&transition_pack_file,
	&transition_spool,
	&transition_spool_wrapped,
	&transition_test,
	&transition_checksum,
	&transition_check,
	&transition_check_output,
	&transition_resize_file,
	&transition_qemu_write,
	&transition_qemu_nbd,
	&transition_qemu_resize,
	&transition_gpt_fix_file,
	&transition_gpt_fix_qemu,
	NULL,
};

unsigned catalogue_index(const struct transition *transition)
{
	unsigned i = 0;

	while (catalogue[i] && catalogue[i] != transition)
		i++;
	return i;
}

const struct transition *catalogue_row(unsigned index)
{
	return index < sizeof catalogue / sizeof *catalogue - 1
		       ? catalogue[index]
		       : NULL;
}
