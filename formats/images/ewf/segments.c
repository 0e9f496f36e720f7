/* SPDX-License-Identifier: MIT */
/* Owns the files of an image and their names. Does not look into them. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"
#include "formats/images/ewf/ewf.h"

static int segments_read(struct source *source, void *buf, size_t len,
			 uint64_t offset, size_t *got, struct err *err)
{
	struct ewf_segments *segments = (struct ewf_segments *)source;
	unsigned low = 0, high = segments->count;

	*got = 0;
	if (offset >= source->size)
		return 0;
	/* Ends: the interval halves. */
	while (high - low > 1) {
		unsigned middle = low + (high - low) / 2;
		if (segments->start[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	len = min_u64(len, segments->start[low + 1] - offset);
	return source_read(segments->file[low], buf, len,
			   offset - segments->start[low], got, err);
}

static void segments_close(struct source *source)
{
	(void)source; /* a part of the image */
}

static const struct source_ops segments_ops = { .read = segments_read,
						.close = segments_close };

void ewf_segments_add(struct ewf_segments *segments,
		      struct source *take_source)
{
	unsigned count = segments->count++;

	segments->file = mem_resize(segments->file, count + 1,
				    sizeof *segments->file);
	segments->start = mem_resize(segments->start, count + 2,
				     sizeof *segments->start);
	segments->file[count] = take_source;
	segments->start[count] = segments->source.size;
	segments->source.size += take_source->size;
	segments->start[count + 1] = segments->source.size;
}

void ewf_segments_init(struct ewf_segments *segments, struct source *first)
{
	source_init(&segments->source, &segments_ops);
	segments->source.seekable = true;
	segments->source.size_known = true;
	segments->source.granule = first->granule;
	ewf_segments_add(segments, first);
}

void ewf_segments_clear(struct ewf_segments *segments)
{
	while (segments->count > 1)
		source_close(segments->file[--segments->count]);
	free(segments->file);
	free(segments->start);
}

char *ewf_segment_name(const char *first, unsigned number, struct err *err)
{
	size_t len = first ? strlen(first) : 0;
	unsigned letters, lead;
	char *name, base;

	if (len < 4 || first[len - 4] != '.' || strcmp(first + len - 2, "01") ||
	    !isalpha((unsigned char)first[len - 3])) {
		err_set(err, ERR_UNSUPPORTED,
			"the image goes on in other files, which are named "
			"after the first one where it is NAME.E01; give it "
			"this name");
		return NULL;
	}
	name = mem_strdup(first);
	if (number < 100) {
		name[len - 2] = (char)('0' + number / 10);
		name[len - 1] = (char)('0' + number % 10);
		return name;
	}
	letters = number - 100;
	base = islower((unsigned char)first[len - 3]) ? 'a' : 'A';
	lead = (unsigned)(first[len - 3] - base) + letters / (26 * 26);
	if (lead > 25) {
		free(name);
		err_set(err, ERR_LIMIT, "segment %u has no name any more",
			number);
		return NULL;
	}
	name[len - 3] = (char)(base + (int)lead);
	name[len - 2] = (char)(base + (int)(letters / 26 % 26));
	name[len - 1] = (char)(base + (int)(letters % 26));
	return name;
}
