/* SPDX-License-Identifier: MIT */
/* Owns what --resume means to a conversion. Reads no image, and no record. */
#include "cmd/resume.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "formats/codecs/codec.h"
#include "io/digest.h"
#include "io/journal.h"
#include "transforms/how.h"
#include "transforms/tags.h"

/* ---- what cannot be gone on with ---- */

/* What is no file is not even waited for. */
int resume_refuse_names(const struct conversion *conversion, struct err *err)
{
	const char *input = conversion->input, *output = conversion->output;
	struct stat about;

	if (!conversion->settings->resume)
		return 0;
	if (!strcmp(input, "-") ||
	    (remote_kind(input) == REMOTE_NONE && !stat(input, &about) &&
	     !S_ISREG(about.st_mode)))
		return err_set(err, ERR_USAGE,
			       "--resume needs an INPUT that is a file: of "
			       "anything else nobody can tell whether it is "
			       "still the same");
	if (!strcmp(output, "-") || remote_kind(output) != REMOTE_NONE ||
	    (!stat(output, &about) && !S_ISREG(about.st_mode)))
		return err_set(err, ERR_USAGE,
			       "--resume needs an OUTPUT that is a file");
	return 0;
}

/* Something must be known of the input that changes with it. */
static int refuse_remote(const struct conversion *conversion, struct err *err)
{
	if (remote_kind(conversion->input) == REMOTE_NONE ||
	    conversion->image.version.known)
		return 0;
	return err_set(err, ERR_USAGE,
		       "--resume needs an INPUT that is a file, or on a web "
		       "server that says which version it is (by a strong "
		       "ETag)");
}

static int refuse_format(const struct target *target, struct err *err)
{
	const struct create_options *create = &target->create;
	const char *data = target->driver
				   ? create_option(create,
						   target->driver->options,
						   "data_file")
				   : NULL;

	if ((data && *data) || (target->driver && target->driver->in_parts &&
				target->driver->in_parts(create)))
		return err_set(err, ERR_USAGE,
			       "--resume is for one file, and with these "
			       "options the output is several");
	if (target->wrap_count &&
	    codec_by_name(target->wrap[target->wrap_count - 1]) < 0)
		return err_set(err, ERR_USAGE,
			       "--resume cannot go on with an archive (%s), "
			       "whose bytes it would not see again; compress "
			       "it as well, or leave out --resume",
			       target->wrap[target->wrap_count - 1]);
	return 0;
}

/* All that is written to the output is by one run, the last. */
static int refuse_plan(const struct plan *plan, struct err *err)
{
	for (unsigned i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->step[i];
		const char *place = step->after.tag[TAG_PLACE];
		enum how_where where = how_of(step)->where;
		bool here = (where == HOW_REST && !how_of(step)->only_reads) ||
			    (where == HOW_TOOL && strcmp(place, "temp") != 0);

		if (here)
			return err_set(err, ERR_UNSUPPORTED,
				       "--resume cannot go on with this plan: "
				       "%s changes the output after it is "
				       "written", step->transition->name);
	}
	return 0;
}

int resume_refuse(const struct conversion *conversion, struct err *err)
{
	if (!conversion->settings->resume)
		return 0;
	return refuse_remote(conversion, err) < 0 ||
			       refuse_format(&conversion->planning.target,
					     err) < 0 ||
			       refuse_plan(&conversion->plan, err) < 0
		       ? -1
		       : 0;
}

/* ---- which run it was ---- */

static void add_text(struct digest *digest, const char *text)
{
	digest_add(digest, text, strlen(text) + 1);
}

/* What changes when a file does, or is another one. */
static void add_file(struct digest *digest, const struct stat *about)
{
	char text[256];

	snprintf(text, sizeof text,
		 "%ju:%ju %jd bytes, %jd.%09ld, %jd.%09ld",
		 (uintmax_t)about->st_dev, (uintmax_t)about->st_ino,
		 (intmax_t)about->st_size, (intmax_t)about->st_mtim.tv_sec,
		 about->st_mtim.tv_nsec, (intmax_t)about->st_ctim.tv_sec,
		 about->st_ctim.tv_nsec);
	add_text(digest, text);
}

static void add_path(void *digest, const char *path)
{
	struct stat about;

	add_text(digest, path);
	if (!stat(path, &about))
		add_file(digest, &about);
}

/* The job without what changes no byte of the output. */
static void add_job(struct digest *digest, const struct job *job)
{
	struct job *same = mem_zalloc(sizeof *same);

	*same = *job;
	same->threads = 0;
	same->memory = 0;
	same->cache = 0;
	same->sync = false;
	same->create.survey = NULL;
	same->create.parts = NULL;
	same->create.data_sink = NULL;
	same->create.log = NULL;
	digest_add(digest, same, sizeof *same);
	free(same);
}

static void identify(const struct execution *execution, const struct job *job,
		     unsigned char out[DIGEST_LEN])
{
	const struct image *image = &execution->planning->price_list.image;
	struct digest *digest = digest_open();
	struct stat about;
	struct statx born;

	add_text(digest, IMGCONV_VERSION);
	/* Another build may do it another way. */
	if (!stat("/proc/self/exe", &about))
		add_file(digest, &about);
	add_job(digest, job);
	add_text(digest, execution->input_path);
	if (conductor_input_fd(execution->input) >= 0)
		add_file(digest, conductor_input(execution->input));
	digest_add(digest, image->version.digest,
		   sizeof image->version.digest);
	conductor_files(execution->input, add_path, digest);
	/* The file that the journal speaks of. Its times change, but one, and
	 * its number may have been another's. */
	if (!statx(output_fd(execution->output), "", AT_EMPTY_PATH,
		   STATX_INO | STATX_BTIME, &born)) {
		digest_add(digest, &born.stx_ino, sizeof born.stx_ino);
		digest_add(digest, &born.stx_btime, sizeof born.stx_btime);
	}
	digest_get(digest, out);
	digest_close(digest);
}

int resume_begin(const struct execution *execution, const struct job *job,
		 struct err *err)
{
	int fd = output_journal(execution->output);
	unsigned char identity[DIGEST_LEN];
	int is;

	if (fd < 0)
		return 0;
	identify(execution, job, identity);
	is = journal_is(fd, identity, err);
	if (is)
		return is < 0 ? -1 : 0;
	return journal_begin(fd, output_fd(execution->output), identity, err);
}

/* ---- the end ---- */

/* Another time there may be room, more time, or a server that answers. */
static bool may_pass(enum err_kind kind)
{
	return kind == ERR_IO || kind == ERR_TEMPORARY || kind == ERR_CREATE ||
	       kind == ERR_INTERRUPTED;
}

void resume_end(const struct conversion *list, unsigned count,
		struct err *err)
{
	bool keeps = false;

	for (unsigned i = 0; i < count; i++) {
		struct output *output = list[i].out;

		if (!output)
			continue;
		if (!may_pass(err->kind))
			output_discard(output);
		keeps = keeps || output_keeps(output);
	}
	if (keeps) {
		size_t used = strlen(err->message);

		snprintf(err->message + used, sizeof err->message - used,
			 "; the same command goes on from there");
	}
}
