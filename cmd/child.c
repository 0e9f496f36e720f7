/* SPDX-License-Identifier: MIT */
/* Owns what a child leaves behind. Does not start any. */
#include "cmd/child.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "cmd/signals.h"

/* By number where the kernel cannot do it at once. */
static void close_from(unsigned first)
{
	long most = sysconf(_SC_OPEN_MAX);

	if (!syscall(SYS_close_range, first, ~0U, 0))
		return;
	for (long fd = first; fd < (most > 0 ? most : 65536); fd++)
		close((int)fd);
}

int child_become(int socket)
{
	int kept = fcntl(socket, F_DUPFD, 3);

	signals_worker();
	dup2(kept, 3);
	close_from(4);
	close(0);
	close(1);
	/* Numbers 0 and 1 shall not come to mean an image. */
	if (open("/dev/null", O_RDONLY) != 0 ||
	    open("/dev/null", O_WRONLY) != 1)
		_exit(err_status(ERR_BUG));
	return 3;
}
