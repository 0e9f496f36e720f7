/* SPDX-License-Identifier: MIT */
/* Owns the three layers and their order. Which calls are allowed is
 * sandbox_calls.c's. */
#include "io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/sandbox_calls.h"

/* Kernels are newer than headers: what these call it, by number. The layout of
 * the attribute grows at its end; the kernel takes any length it knows. */
struct ruleset {
	uint64_t files, net, scoped;
};

/* LANDLOCK_ACCESS_FS_*: by the version that brought the last of them. */
static uint64_t file_rights(long version)
{
	unsigned bits = version >= 5 ? 16 : version >= 3 ? 15
			: version == 2		     ? 14
						     : 13;

	return ((uint64_t)1 << bits) - 1;
}

#define READ_RIGHTS \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* Binding and connecting with TCP; abstract sockets and signals. */
#define NET_RIGHTS 3
#define SCOPES 3

/* Everything below `/` may be read. */
static void allow_reading(int ruleset)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = READ_RIGHTS,
		.parent_fd = open("/", O_PATH | O_CLOEXEC),
	};

	if (rule.parent_fd < 0)
		return;
	syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		&rule, 0);
	close(rule.parent_fd);
}

static uint32_t enter_landlock(const struct sandbox *sandbox)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);
	bool network = sandbox->need == SANDBOX_NETWORK;
	size_t len = version >= 6   ? sizeof(struct ruleset)
		     : version >= 4 ? offsetof(struct ruleset, scoped)
				    : offsetof(struct ruleset, net);
	struct ruleset attr = { 0 };
	int ruleset;
	bool done;

	if (version < 1)
		return 0;
	attr.files = file_rights(version);
	if (version >= 4 && !network)
		attr.net = NET_RIGHTS;
	if (version >= 6)
		attr.scoped = network ? 2 : SCOPES;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, len, 0);
	if (ruleset < 0)
		return 0;
	if (network)
		allow_reading(ruleset);
	done = !syscall(SYS_landlock_restrict_self, ruleset, 0);
	close(ruleset);
	return done ? (uint32_t)version : 0;
}

static int lacks(const char *what, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "--sandbox=require: %s; --sandbox=auto does with what "
		       "there is", what);
}

int sandbox_enter(const struct sandbox *sandbox, struct sandbox_posture *out,
		  struct err *err)
{
	*out = (struct sandbox_posture){ .seccomp = false };
	if (sandbox->mode == SANDBOX_OFF)
		return 0;
	out->no_new_privileges = !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* A core would hold what was read; and nobody attaches. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	out->landlock = enter_landlock(sandbox);
	if (sandbox->need != SANDBOX_NETWORK)
		out->seccomp = sandbox_limit_calls(
			sandbox->need == SANDBOX_SOCKETS);
	if (sandbox->mode != SANDBOX_REQUIRE)
		return 0;
	if (sandbox->need == SANDBOX_NETWORK)
		return lacks("a server with TLS is connected to by the worker "
			     "itself", err);
	if (!out->landlock)
		return lacks("this kernel has no Landlock", err);
	if (!out->seccomp)
		return lacks("this kernel has no seccomp filters", err);
	return 0;
}

const char *sandbox_text(const struct sandbox_posture *posture, char *buf,
			 size_t len)
{
	char landlock[32] = "";

	if (posture->landlock)
		snprintf(landlock, sizeof landlock, " landlock-%u",
			 posture->landlock);
	snprintf(buf, len, "%s%s%s",
		 posture->no_new_privileges ? "no-new-privileges" : "none",
		 landlock, posture->seccomp ? " seccomp" : "");
	return buf;
}
