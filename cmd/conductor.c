/* SPDX-License-Identifier: MIT */
/* Owns the worker process, the files it is asked about and what is asked. How
 * it is talked with is conversation.c's. */
#include "cmd/conductor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/commands.h"
#include "cmd/conversation.h"
#include "cmd/named.h"
#include "cmd/planning.h"
#include "cmd/worker_process.h"
#include "io/direct.h"
#include "io/spool.h"

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A remote input that is a file of ours now. */
static int take_fetched(struct conductor_file *file, struct err *err)
{
	file->fd = fcntl(file->remote.file, F_DUPFD_CLOEXEC, 3);
	file->seekable = true;
	if (file->fd < 0 || fstat(file->fd, &file->about) < 0)
		return err_sys(err, ERR_TEMPORARY, "%s", file->name);
	return 0;
}

static int open_file(struct conductor_file *file, const char *path,
		     const struct settings *settings, struct err *err)
{
	if (remote_kind(path) != REMOTE_NONE) {
		AUTO_FREE char *shown = remote_shown(path);

		file->name = remote_base(path);
		if (remote_open(path, settings, &file->remote, err) < 0)
			return err_in(err, "%s", shown);
		return file->remote.file ? take_fetched(file, err) : 0;
	}
	if (strcmp(path, "-"))
		file->name = mem_strdup(name_of(path));
	if (!strcmp(path, "-")) {
		if (isatty(0))
			return err_set(err, ERR_USAGE,
				       "standard input is a terminal; give a "
				       "file");
		file->fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
	} else {
		file->fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (file->fd < 0 || fstat(file->fd, &file->about) < 0)
		return err_sys(err, err_kind_of_errno(errno, ERR_NO_INPUT),
			       "%s", path);
	if (S_ISDIR(file->about.st_mode))
		return err_set(err, ERR_NO_INPUT, "%s: is a directory", path);
	file->seekable =
		S_ISREG(file->about.st_mode) || S_ISBLK(file->about.st_mode);
	/* A file on standard input that was read from already goes on where
	 * it stands: that is a stream. */
	if (!strcmp(path, "-") && lseek(file->fd, 0, SEEK_CUR) > 0)
		file->seekable = false;
	return 0;
}

static uint64_t file_size(const struct conductor_file *file)
{
	off_t end;

	if (S_ISREG(file->about.st_mode))
		return (uint64_t)file->about.st_size;
	end = lseek(file->fd, 0, SEEK_END);
	return end < 0 ? 0 : (uint64_t)end;
}

static void close_file(struct conductor_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	remote_close(&file->remote);
	free(file->name);
	file->name = NULL;
}

static int tell_input(struct conductor *conductor, unsigned which,
		      struct err *err)
{
	const struct settings *settings = conductor->settings;
	struct conductor_file *file = &conductor->file[which];
	bool judged = settings->command &&
		      settings->command->run == command_inspect;
	struct protocol_input about = {
		.place = file->remote.place,
		.seekable = file->seekable,
		.size = file->seekable ? file_size(file) : 0,
		.allocated = (uint64_t)file->about.st_blocks * 512,
		.references = settings->allow_references,
		.shallow = judged || (settings->command &&
				      settings->command->run == command_check &&
				      !settings->consumer),
		.headers_only = settings->shallow,
		.memory = planning_memory(settings),
		.max_size = settings->max_size,
		.cache = settings->cache,
	};

	about.nbd = file->remote.nbd;
	if (S_ISBLK(file->about.st_mode))
		about.allocated = about.size;
	/* A verdict is about the bytes, whatever was expected of them. */
	if (settings->from && !which && !judged)
		snprintf(about.from, sizeof about.from, "%s", settings->from);
	if (file->name)
		snprintf(about.name, sizeof about.name, "%s", file->name);
	if (settings->member && !which)
		snprintf(about.member, sizeof about.member, "%s",
			 settings->member);
	if (settings->snapshot && !which)
		snprintf(about.snapshot, sizeof about.snapshot, "%s",
			 settings->snapshot);
	/* From here on the socket is the worker's alone: when it is gone, the
	 * one who serves it ends. */
	AUTO_FD int socket = STEAL_FD(file->remote.socket);
	return conversation_tell_fd(conductor, PROTOCOL_INPUT, &about,
				    sizeof about, socket, err);
}

static struct conductor *open_worker(const struct settings *settings,
				     struct ui *ui, const char *path,
				     bool all_libraries, struct err *err)
{
	struct conductor *conductor = mem_zalloc(sizeof *conductor);

	conductor->settings = settings;
	conductor->ui = ui;
	conductor->channel = -1;
	conductor->file[0].fd = conductor->file[1].fd = -1;
	conductor->file[0].remote.socket = conductor->file[1].remote.socket =
		-1;
	policy_init(&conductor->policy, settings);
	policy_input(&conductor->policy, 0, path);
	if (worker_process_start(conductor, all_libraries, err) < 0)
		return conductor_close(conductor);
	return conductor;
}

struct conductor *conductor_open_bare(const struct settings *settings,
				      struct ui *ui, const char *path,
				      struct err *err)
{
	return open_worker(settings, ui, path, true, err);
}

struct conductor *conductor_open(const char *path,
				 const struct settings *settings, struct ui *ui,
				 struct err *err)
{
	struct conductor_file file = { .fd = -1, .remote.socket = -1 };
	struct conductor *conductor;

	if (open_file(&file, path, settings, err) < 0) {
		close_file(&file);
		return NULL;
	}
	conductor = open_worker(settings, ui, path, !file.seekable, err);
	if (!conductor) {
		close_file(&file);
		return NULL;
	}
	conductor->file[0] = file;
	if (tell_input(conductor, 0, err) < 0)
		return conductor_close(conductor);
	return conductor;
}

int conductor_second(struct conductor *conductor, const char *path,
		     struct err *err)
{
	if (open_file(&conductor->file[1], path, conductor->settings, err) < 0)
		return -1;
	policy_input(&conductor->policy, 1, path);
	return tell_input(conductor, 1, err);
}

const struct stat *conductor_input(const struct conductor *conductor)
{
	return &conductor->file[0].about;
}

int conductor_input_fd(const struct conductor *conductor)
{
	return conductor->file[0].fd;
}

const struct remote *conductor_remote(const struct conductor *conductor)
{
	return &conductor->file[0].remote;
}

const struct sandbox_posture *
conductor_posture(const struct conductor *conductor)
{
	return &conductor->posture;
}

const char *conductor_name(const struct conductor *conductor)
{
	const char *name = conductor->file[0].name;

	return name ? name : "";
}

void conductor_files(const struct conductor *conductor,
		     void (*take)(void *opaque, const char *path),
		     void *opaque)
{
	const struct policy *policy = &conductor->policy;

	for (unsigned i = 0; i < policy->count; i++)
		if (policy->path[i])
			take(opaque, policy->path[i]);
}

/* It failed: did a remote input? */
static int explain(struct conductor *conductor, struct err *err)
{
	for (unsigned i = 0; i < 2; i++)
		remote_explain(&conductor->file[i].remote, err);
	return -1;
}

/* Another worker, which knows what the first one had been told. */
static bool begin_again(struct conductor *conductor, struct err *err)
{
	if (!worker_process_again(conductor, err))
		return false;
	err->kind = ERR_NONE;
	/* It will say the same so far. */
	conductor->skip_notes = conductor->notes;
	conductor->notes = 0;
	policy_forget(&conductor->policy);
	for (unsigned i = 0; i < 2; i++)
		if (conductor->file[i].fd >= 0 &&
		    tell_input(conductor, i, err) < 0)
			return false;
	return true;
}

static int probe(struct conductor *conductor, struct image *out,
		 struct err *err)
{
	if (conversation_tell(conductor, PROTOCOL_PROBE, NULL, 0, err) < 0)
		return -1;
	return conversation_hear(conductor, PROTOCOL_IMAGE, out, NULL, err);
}

int conductor_probe(struct conductor *conductor, struct image *out,
		    struct err *err)
{
	int result = probe(conductor, out, err);

	if (result < 0 && begin_again(conductor, err))
		result = probe(conductor, out, err);
	if (result < 0)
		return explain(conductor, err);
	conductor->image = *out;
	conductor->probed = true;
	if (conductor->settings->from || !conductor->file[0].name)
		return 0;
	return named_check(conductor->file[0].name, out, err);
}

static int pass_fd(struct conductor *conductor, uint32_t name, int fd,
		   struct err *err)
{
	return conversation_tell_fd(conductor, PROTOCOL_FD, &name, sizeof name,
				    fd, err);
}

/* The file at `fd` once more, around the page cache, where that is wished: a
 * worker cannot open it for itself. */
static int pass_direct(struct conductor *conductor, uint32_t name, int fd,
		       struct err *err)
{
	bool input = name == PROTOCOL_FD_INPUT_DIRECT;
	AUTO_FD int direct = -1;
	struct stat about;

	if (conductor->settings->cache != PAGE_CACHE_DIRECT || fd < 0 ||
	    fstat(fd, &about) < 0 ||
	    (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode)))
		return 0;
	direct = direct_open(fd, input ? O_RDONLY : O_RDWR,
			     input ? ERR_NO_INPUT : ERR_CREATE, err);
	return direct < 0 ? -1 : pass_fd(conductor, name, direct, err);
}

/* A remote one has its socket already. */
static int pass_input(struct conductor *conductor, unsigned which,
		      struct err *err)
{
	int fd = conductor->file[which].fd;

	if (fd < 0)
		return 0;
	if (!which &&
	    pass_direct(conductor, PROTOCOL_FD_INPUT_DIRECT, fd, err) < 0)
		return -1;
	return pass_fd(conductor,
		       which ? PROTOCOL_FD_SECOND : PROTOCOL_FD_INPUT, fd,
		       err);
}

/* Layers without an index, and pipes, are unpacked to be looked into. */
static int pass_spool(struct conductor *conductor, uint32_t name,
		      struct err *err)
{
	const char *dir = conductor->settings->tmpdir;
	AUTO_FD int fd = spool_open_fd(dir ? dir : "/var/tmp", err);

	return fd < 0 ? -1 : pass_fd(conductor, name, fd, err);
}

void conductor_expect(struct conductor *conductor,
		      const struct expectations *expect)
{
	conductor->expect = *expect;
}

static int inspect(struct conductor *conductor, enum protocol_type what,
		   const struct conductor_answers *answers,
		   struct protocol_done *done, struct err *err)
{
	const struct image *image = &conductor->image;
	const struct expectations *expect =
		what == PROTOCOL_CHECK && conductor->expect.count
			? &conductor->expect : NULL;
	bool unpack = !conductor->probed || !conductor->file[0].seekable ||
		      !image_at_random(image);

	if (pass_input(conductor, 0, err) < 0)
		return -1;
	if (what == PROTOCOL_COMPARE &&
	    (pass_input(conductor, 1, err) < 0 ||
	     pass_spool(conductor, PROTOCOL_FD_OUTPUT, err) < 0))
		return -1;
	if (unpack && what != PROTOCOL_INFO &&
	    pass_spool(conductor, PROTOCOL_FD_SPOOL, err) < 0)
		return -1;
	if (conversation_tell(conductor, what, expect,
			      expect ? sizeof *expect : 0, err) < 0)
		return -1;
	return conversation_hear(conductor, PROTOCOL_DONE, done, answers, err);
}

int conductor_inspect(struct conductor *conductor, enum protocol_type what,
		      const struct conductor_answers *answers,
		      struct protocol_done *done, struct err *err)
{
	int result = inspect(conductor, what, answers, done, err);

	if (result < 0 && begin_again(conductor, err))
		result = inspect(conductor, what, answers, done, err);
	return result < 0 ? explain(conductor, err) : 0;
}

static int judge(struct conductor *conductor, struct judgement *out,
		 struct err *err)
{
	struct err no_spool = { .kind = ERR_NONE };

	/* Most images need none, and then it may not be there. */
	if (!conductor->settings->shallow)
		pass_spool(conductor, PROTOCOL_FD_SPOOL, &no_spool);
	if (pass_input(conductor, 0, err) < 0 ||
	    conversation_tell(conductor, PROTOCOL_JUDGE, NULL, 0, err) < 0)
		return -1;
	if (!conversation_hear(conductor, PROTOCOL_VERDICT, out, NULL, err))
		return 0;
	if (no_spool.kind != ERR_NONE && err->kind == ERR_IO)
		*err = no_spool;
	return -1;
}

int conductor_judge(struct conductor *conductor, struct judgement *out,
		    struct err *err)
{
	int result = judge(conductor, out, err);

	if (result < 0 && begin_again(conductor, err))
		result = judge(conductor, out, err);
	return result < 0 ? explain(conductor, err) : 0;
}

/* A run that began with one content and ended with another made neither. The
 * worker looks too, but only from where it was given the file. */
static int check_unchanged(const struct conductor_file *file, struct err *err)
{
	const struct stat *then = &file->about;
	struct stat now;

	if (file->fd < 0 || !S_ISREG(then->st_mode))
		return 0;
	if (fstat(file->fd, &now) < 0)
		return err_sys(err, ERR_IO, "look at the input again");
	if (now.st_size == then->st_size &&
	    now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == then->st_mtim.tv_nsec)
		return 0;
	return err_set(err, ERR_TEMPORARY,
		       "the input was changed meanwhile; try again when "
		       "nothing writes to it");
}

void conductor_output(struct conductor *conductor,
		      const struct remote *remote)
{
	conductor->output = remote;
}

void conductor_parts(struct conductor *conductor, struct parts_list *parts)
{
	conductor->parts = parts;
}

static int run(struct conductor *conductor, const struct job *job,
	       const int fds[PROTOCOL_FDS], struct protocol_done *done,
	       struct err *err)
{
	for (unsigned i = 0; i < PROTOCOL_FDS; i++) {
		int fd = i == PROTOCOL_FD_INPUT && fds[i] < 0
				 ? conductor->file[0].fd
				 : fds[i];
		if (i == PROTOCOL_FD_INPUT &&
		    pass_direct(conductor, PROTOCOL_FD_INPUT_DIRECT, fd,
				err) < 0)
			return -1;
		if (i == PROTOCOL_FD_OUTPUT &&
		    pass_direct(conductor, PROTOCOL_FD_OUTPUT_DIRECT, fd,
				err) < 0)
			return -1;
		if (fd >= 0 && pass_fd(conductor, i, fd, err) < 0)
			return -1;
	}
	if (conversation_tell(conductor, PROTOCOL_RUN, job, sizeof *job, err) <
	    0)
		return -1;
	return conversation_hear(conductor, PROTOCOL_DONE, done, NULL, err);
}

int conductor_run(struct conductor *conductor, const struct job *job,
		  const int fds[PROTOCOL_FDS], struct protocol_done *done,
		  struct err *err)
{
	int result = run(conductor, job, fds, done, err);

	/* Libraries are missed before anything is written. */
	if (result < 0 && begin_again(conductor, err))
		result = run(conductor, job, fds, done, err);
	if (result < 0)
		return explain(conductor, err);
	if (remote_unchanged(&conductor->file[0].remote, conductor->settings,
			     conductor->image.file_size, err) < 0)
		return -1;
	return check_unchanged(&conductor->file[0], err);
}

struct conductor *conductor_close(struct conductor *conductor)
{
	if (!conductor)
		return NULL;
	worker_process_end(conductor);
	for (unsigned i = 0; i < 2; i++)
		close_file(&conductor->file[i]);
	policy_clear(&conductor->policy);
	free(conductor);
	return NULL;
}
