/* SPDX-License-Identifier: MIT */
/* Owns what happens on a signal, and when memory is out. Everything a handler
 * touches is here. */
#include "cmd/signals.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/jobserver.h"

/* Each input has a worker and, where it is remote, who serves it; an appliance
 * has 30 inputs at most (formats/archives/ova.h). */
#define WATCHED 64

static volatile pid_t owner; /* who installed the handlers */
static volatile bool child;  /* this process is one: it has no output */
static volatile pid_t watched[WATCHED];
static struct output *volatile watched_output;
static struct parts_list *volatile watched_parts;

static const int fatal[] = { SIGINT,  SIGTERM, SIGHUP,
			     SIGQUIT, SIGXCPU, SIGXFSZ };
/* What the kernel sends to the process that has passed a limit: the worker
 * does nearly all of the work. */
static const int limits[] = { SIGXCPU, SIGXFSZ };
static bool limit_ignored[2];

static void say(const char *text)
{
	/* Nothing can be done where stderr does not take it. */
	if (write(2, text, strlen(text)) < 0)
		return;
}

static void leave_nothing(void)
{
	for (unsigned i = 0; i < WATCHED; i++)
		if (watched[i] > 0)
			kill(watched[i], SIGKILL);
	jobserver_give_back();
	if (watched_output)
		output_abandon(watched_output);
	parts_abandon(watched_parts);
}

/* In any thread of any of the processes: there is no way back from here. What
 * a child ends with says enough. */
void mem_exhausted(void)
{
	if (!child && (!owner || getpid() == owner)) {
		leave_nothing();
		say("imgconv: out of memory\n");
	}
	_exit(err_status(ERR_TEMPORARY));
}

static void on_signal(int number)
{
	/* A child that has not yet said what it wants: the output is not its
	 * to remove, and one line is enough. */
	if (getpid() != owner)
		_exit(128 + number);
	leave_nothing();
	say("imgconv: interrupted\n");
	signal(number, SIG_DFL);
	raise(number);
}

void signals_setup(void)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_NODEFER };
	struct sigaction old;

	owner = getpid();
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
		sigaction(fatal[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(fatal[i], &action, NULL);
		for (size_t k = 0; k < 2; k++)
			if (fatal[i] == limits[k])
				limit_ignored[k] = old.sa_handler == SIG_IGN;
	}
	signal(SIGPIPE, SIG_IGN);
}

void signals_worker(void)
{
	child = true;
	/* A terminal's ^C reaches the whole group; the conductor acts. */
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		signal(fatal[i], SIG_IGN);
	/* Ended by a limit, the conductor ends as it would have itself. */
	for (size_t k = 0; k < 2; k++)
		if (!limit_ignored[k])
			signal(limits[k], SIG_DFL);
	signal(SIGPIPE, SIG_IGN); /* TLS writes where nobody reads */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void signals_watch_worker(pid_t worker)
{
	for (unsigned i = 0; i < WATCHED; i++)
		if (!watched[i]) {
			watched[i] = worker;
			return;
		}
}

void signals_unwatch_worker(pid_t worker)
{
	for (unsigned i = 0; i < WATCHED; i++)
		if (watched[i] == worker)
			watched[i] = 0;
}

void signals_watch_output(struct output *output, struct parts_list *parts)
{
	watched_output = output;
	watched_parts = parts;
}
