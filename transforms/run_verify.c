/* SPDX-License-Identifier: MIT */
/* Owns the second look at an output: opens it as anybody would, from the
 * file, and digests the guest's bytes. */
#include "transforms/run_verify.h"

#include <fcntl.h>
#include <string.h>

#include "base/mem.h"
#include "formats/codecs/wrap.h"
#include "formats/survey.h"
#include "io/files.h"
#include "transforms/pump.h"

int run_dup(int fd, struct err *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy >= 0 ? copy
			 : err_sys(err, ERR_IO, "duplicate a descriptor");
}

/* The written guest, at random or, inside compressions, in one pass. */
static int read_back(const struct run *run, const struct build *build,
		     struct source *source, unsigned char *digest,
		     struct err *err)
{
	struct open_options options = { .references = run->references,
					.log = run->log };
	AUTO_DISK struct disk *disk = NULL;
	AUTO_WALK struct walk *walk = NULL;
	AUTO_WRITER struct writer *nowhere = survey_writer(NULL);

	if (source->seekable)
		disk = build->target->open(source, &options, err);
	else
		walk = build->target->walk(source, &options, -1, err);
	if (!disk && !walk)
		return -1;
	struct pump pump = { .disk = disk,
			     .walk = walk,
			     .writer = nowhere,
			     .threads = run->job->threads,
			     .digest = digest_open(),
			     .progress = run->events->progress,
			     .opaque = run->events->opaque };
	int result = pump_run(&pump, err);
	digest_get(pump.digest, digest);
	digest_close(pump.digest);
	return result;
}

static int unwrap_and_read(const struct run *run, const struct build *build,
			   uint64_t size, unsigned char *digest, struct err *err)
{
	struct source *layer[LIMIT_COMPRESSIONS + 1];
	unsigned depth = 0;
	int fd = run_dup(run->output_fd, err), result = 0;

	if (fd < 0)
		return -1;
	layer[depth] = files_source(fd, err);
	if (!layer[depth])
		return -1;
	/* The outermost is the last that was put around. */
	for (unsigned i = build->wraps; i-- > 0 && !result;) {
		layer[depth + 1] = wrap_decode((enum codec_id)build->wrap[i],
					       layer[depth],
					       run->job->threads,
					       run->job->memory / 2, err);
		if (layer[depth + 1])
			depth++;
		else
			result = -1;
	}
	if (!result && !build->wraps && !strcmp(build->target->name, "raw")) {
		/* A device goes on behind the image. */
		layer[depth + 1] = files_window(layer[depth], 0, size);
		depth++;
	}
	if (!result)
		result = read_back(run, build, layer[depth], digest, err);
	for (unsigned i = depth + 1; i-- > 0;)
		source_close(layer[i]);
	return result;
}

int run_verify(const struct run *run, const struct build *build,
	       const struct protocol_done *done, struct err *err)
{
	unsigned char digest[DIGEST_LEN];

	run->events->step(run->events->opaque, "verify");
	if (build->wraps && !build->target->walk)
		return err_set(err, ERR_BUG, "%s cannot be verified inside a "
			       "compression", build->target->name);
	if (unwrap_and_read(run, build, done->size, digest, err) < 0)
		return err_in(err, "verify");
	if (memcmp(digest, done->digest, sizeof digest))
		return err_set(err, ERR_IO,
			       "verify: the output reads back differently from "
			       "what was written");
	return 0;
}
