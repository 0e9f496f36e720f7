/* SPDX-License-Identifier: MIT */
/*
 * Owns the start and the end of the worker.
 *
 * A worker that is closed in can load no library, and those for archives take
 * a third of the time in which a small image is looked at. So it begins
 * without them; where it turns out that they are needed, which is before
 * anything was done, it is started again with them.
 */
#include "cmd/worker_process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/library.h"
#include "cmd/child.h"
#include "cmd/signals.h"
#include "io/channel.h"
#include "transforms/worker.h"

/* What its input, its output and the plan may bring to a worker. */
static enum sandbox_need need_of(const struct settings *settings)
{
	/* A key means qemu-nbd, which serves. */
	enum sandbox_need need =
		settings->secret ? SANDBOX_SOCKETS : SANDBOX_FILES;

	for (unsigned i = 0; i < settings->argument_count; i++) {
		const char *path = settings->argument[i];

		switch (remote_kind(path)) {
		case REMOTE_NONE:
			break;
		case REMOTE_NBD:
			if (!strncasecmp(path, "nbds", 4))
				return SANDBOX_NETWORK;
			need = SANDBOX_SOCKETS;
			break;
		default:
			need = SANDBOX_SOCKETS;
		}
	}
	return need;
}

static int start(struct conductor *conductor, unsigned libraries,
		 struct err *err)
{
	const struct worker_terms terms = {
		.libraries = libraries,
		.sandbox = { .mode = conductor->settings->sandbox,
			     .need = need_of(conductor->settings) },
	};
	int pair[2];

	if (channel_pair(pair, err) < 0)
		return -1;
	fflush(NULL); /* or the worker's exit would say it again */
	conductor->worker = fork();
	if (conductor->worker < 0) {
		err_sys(err, ERR_TEMPORARY, "start a worker");
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	if (!conductor->worker)
		exit(worker_main(child_become(pair[1]), &terms));
	signals_watch_worker(conductor->worker);
	close(pair[1]);
	conductor->channel = pair[0];
	conductor->libraries = libraries;
	return 0;
}

int worker_process_start(struct conductor *conductor, bool all_libraries,
			 struct err *err)
{
	unsigned libraries = 0;

	if (need_of(conductor->settings) != SANDBOX_FILES)
		libraries |= LIBRARY_NBD;
	if (all_libraries)
		libraries |= LIBRARY_ARCHIVE | LIBRARY_XML;
	return start(conductor, libraries, err);
}

bool worker_process_again(struct conductor *conductor, struct err *err)
{
	if (err->kind != ERR_LIBRARY ||
	    conductor->settings->sandbox == SANDBOX_OFF ||
	    (conductor->libraries & LIBRARY_ARCHIVE))
		return false;
	worker_process_end(conductor);
	return !start(conductor,
		      conductor->libraries | LIBRARY_ARCHIVE | LIBRARY_XML,
		      err);
}

void worker_process_end(struct conductor *conductor)
{
	if (conductor->channel >= 0)
		close(conductor->channel);
	conductor->channel = -1;
	if (conductor->worker <= 0)
		return;
	/* It ends by itself when its socket closes, unless it is in the
	 * middle of something that has lost its purpose. */
	if (conductor->busy)
		kill(conductor->worker, SIGKILL);
	waitpid(conductor->worker, NULL, 0);
	signals_unwatch_worker(conductor->worker);
	conductor->worker = 0;
	conductor->busy = false;
}
