/* SPDX-License-Identifier: MIT */
/*
 * Owns the connections of an export: shaking hands, what the server says of
 * it, and a thread for each that moves its bytes. What is asked is nbd.c's.
 */
#include "io/nbd.h"

#ifdef HAVE_NBD

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/mem.h"
#include "io/nbd_private.h"

static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };

bool nbd_built(void)
{
	return true;
}

void nbd_wake(const struct connection *connection)
{
	uint64_t one = 1;

	/* Full means that it will wake anyway. */
	if (write(connection->wake, &one, sizeof one) < 0)
		return;
}

static bool must_stop(struct nbd *nbd)
{
	pthread_mutex_lock(&nbd->lock);
	bool stop = nbd->stop;
	pthread_mutex_unlock(&nbd->lock);
	return stop;
}

bool nbd_is_gone(const struct nbd *nbd, struct nbd_handle *handle)
{
	return nbd->lib.nbd_aio_is_dead(handle) > 0 ||
	       nbd->lib.nbd_aio_is_closed(handle) > 0;
}

/* Ends when told to, or with the connection; requests in flight are then
 * answered with an error by the library. */
static void *move(void *opaque)
{
	struct connection *connection = opaque;
	struct nbd *nbd = connection->nbd;
	const struct libnbd *lib = &nbd->lib;
	struct nbd_handle *handle = connection->handle;
	uint64_t count;

	while (!must_stop(nbd)) {
		unsigned direction = lib->nbd_aio_get_direction(handle);
		struct pollfd fds[2] = {
			{ .fd = lib->nbd_aio_get_fd(handle) },
			{ .fd = connection->wake, .events = POLLIN },
		};
		if (fds[0].fd < 0 || nbd_is_gone(nbd, handle))
			break;
		if (direction & LIBNBD_AIO_DIRECTION_READ)
			fds[0].events |= POLLIN;
		if (direction & LIBNBD_AIO_DIRECTION_WRITE)
			fds[0].events |= POLLOUT;
		int wait = -1;

		/* Nobody waits for a server that is asked nothing. */
		if (nbd->terms.timeout && lib->nbd_aio_in_flight(handle) > 0)
			wait = (int)nbd->terms.timeout * 1000;
		int ready = poll(fds, 2, wait);
		if (ready < 0 && errno != EINTR)
			break;
		/* It is gone then: its requests are answered with errors. */
		if (!ready) {
			shutdown(fds[0].fd, SHUT_RDWR);
			lib->nbd_aio_notify_read(handle);
			continue;
		}
		if ((fds[1].revents & POLLIN) &&
		    read(connection->wake, &count, sizeof count) < 0)
			continue;
		/* What fails shows as a dead connection at the next turn. */
		if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
			lib->nbd_aio_notify_read(handle);
		else if (fds[0].revents & POLLOUT)
			lib->nbd_aio_notify_write(handle);
	}
	return NULL;
}

/* ---- shaking hands ---- */

struct exports {
	const char *wanted;
	bool there; /* the one that is wanted */
	char text[400];
};

static int on_export(void *opaque, const char *name, const char *description)
{
	struct exports *exports = opaque;
	size_t used = strlen(exports->text);

	(void)description;
	if (!strcmp(name, exports->wanted))
		exports->there = true;
	snprintf(exports->text + used, sizeof exports->text - used, "%s\"%.64s\"",
		 used ? ", " : "", name);
	return 0;
}

/* Not this export: which are there? */
static int refuse_export(const struct nbd *nbd, struct nbd_handle *handle,
			 struct err *err)
{
	char words[200];
	struct exports exports = { .wanted = nbd->terms.export };
	nbd_list_callback list = { .callback = on_export,
				   .user_data = &exports };

	snprintf(words, sizeof words, "%s", nbd->lib.nbd_get_error());
	if (nbd->lib.nbd_get_errno() == ENOTSUP && !nbd->terms.tls)
		return err_set(err, ERR_REFUSED,
			       "nbd: %s: perhaps the server wants TLS, as "
			       "nbds:// has it", words);
	if (nbd_is_gone(nbd, handle))
		return err_set(err, ERR_TEMPORARY, "nbd: %s", words);
	if (nbd->lib.nbd_opt_list(handle, list) < 0 || !*exports.text)
		return err_set(err, ERR_NO_INPUT, "nbd: export \"%s\": %s",
			       nbd->terms.export, words);
	/* It has it, and cannot open what is behind it. */
	if (exports.there)
		return err_set(err, ERR_IO, "nbd: export \"%s\": %s",
			       nbd->terms.export, words);
	return err_set(err, ERR_NO_INPUT,
		       "nbd: there is no export \"%s\"; there are: %s",
		       nbd->terms.export, exports.text);
}

static int set_tls(const struct nbd *nbd, struct nbd_handle *handle)
{
	const struct libnbd *lib = &nbd->lib;
	const struct nbd_terms *terms = &nbd->terms;

	if (!terms->tls)
		return 0;
	if (lib->nbd_set_tls(handle, LIBNBD_TLS_REQUIRE) < 0 ||
	    lib->nbd_set_tls_verify_peer(handle, terms->verify_peer) < 0)
		return -1;
	if (*terms->certificates &&
	    lib->nbd_set_tls_certificates(handle, terms->certificates) < 0)
		return -1;
	if (*terms->psk_file &&
	    lib->nbd_set_tls_psk_file(handle, terms->psk_file) < 0)
		return -1;
	return *terms->user ? lib->nbd_set_tls_username(handle, terms->user)
			    : 0;
}

static int connect_handle(const struct nbd *nbd, struct nbd_handle *handle,
			  int take_fd)
{
	const struct nbd_terms *terms = &nbd->terms;

	if (!terms->tls)
		return nbd->lib.nbd_connect_socket(handle, take_fd);
	if (take_fd >= 0)
		close(take_fd);
	return *terms->socket
		       ? nbd->lib.nbd_connect_unix(handle, terms->socket)
		       : nbd->lib.nbd_connect_tcp(handle, terms->host,
						  terms->port);
}

static int shake_hands(struct nbd *nbd, struct nbd_handle *handle, int take_fd,
		       struct err *err)
{
	const struct libnbd *lib = &nbd->lib;

	if (lib->nbd_add_meta_context(handle, LIBNBD_CONTEXT_BASE_ALLOCATION) <
		    0 ||
	    lib->nbd_set_export_name(handle, nbd->terms.export) < 0 ||
	    lib->nbd_set_opt_mode(handle, true) < 0 ||
	    set_tls(nbd, handle) < 0) {
		if (take_fd >= 0)
			close(take_fd);
		return err_set(err, ERR_IO, "nbd: %s", lib->nbd_get_error());
	}
	/* From here on the descriptor is the handle's. Whose certificate is
	 * wrong will not have another one at the next try. */
	if (connect_handle(nbd, handle, take_fd) < 0) {
		const char *words = lib->nbd_get_error();

		return err_set(err, nbd->terms.tls && strstr(words, "certificate")
					    ? ERR_REFUSED
					    : ERR_TEMPORARY,
			       "nbd: %s", words);
	}
	/* Old servers have one export and no options. */
	if (lib->nbd_aio_is_ready(handle) > 0)
		return 0;
	return lib->nbd_opt_go(handle) < 0 ? refuse_export(nbd, handle, err)
					   : 0;
}

static int learn(struct nbd *nbd, struct err *err)
{
	const struct libnbd *lib = &nbd->lib;
	struct nbd_handle *handle = nbd->connection[0].handle;
	int64_t size = lib->nbd_get_size(handle);
	int64_t block = lib->nbd_get_block_size(handle, LIBNBD_SIZE_MINIMUM);
	int64_t most = lib->nbd_get_block_size(handle, LIBNBD_SIZE_MAXIMUM);

	if (size < 0 || (uint64_t)size > LIMIT_DISK_SIZE)
		return err_set(err, ERR_LIMIT,
			       "nbd: a size of %" PRIi64 " is out of range",
			       size);
	if (block > (int64_t)(64 * KIB))
		return err_set(err, ERR_UNSUPPORTED,
			       "nbd: blocks of %" PRIi64 " bytes are larger "
			       "than the protocol allows", block);
	nbd->size = (uint64_t)size;
	nbd->block = block > 0 ? (uint32_t)block : 1;
	nbd->request = REQUEST_LEN;
	if (most > 0)
		nbd->request = (size_t)max_u64(
			round_down(min_u64((uint64_t)most, REQUEST_LEN),
				   nbd->block),
			nbd->block);
	nbd->read_only = lib->nbd_is_read_only(handle) > 0;
	nbd->can_zero = lib->nbd_can_zero(handle) > 0;
	nbd->can_flush = lib->nbd_can_flush(handle) > 0;
	nbd->has_status =
		lib->nbd_can_meta_context(handle,
					  LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
	return 0;
}

/* One more connection: 0, or -1. */
static int add(struct nbd *nbd, int take_fd, struct err *err)
{
	struct connection *connection = &nbd->connection[nbd->count];

	connection->nbd = nbd;
	connection->handle = nbd->lib.nbd_create();
	connection->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	nbd->count++;
	if (!connection->handle || connection->wake < 0) {
		if (take_fd >= 0)
			close(take_fd);
		return err_set(err, ERR_TEMPORARY, "nbd: open a connection");
	}
	if (shake_hands(nbd, connection->handle, take_fd, err) < 0)
		return -1;
	if (nbd->count == 1 && learn(nbd, err) < 0)
		return -1;
	if (pthread_create(&connection->mover, NULL, move, connection))
		return err_set(err, ERR_TEMPORARY, "nbd: start a thread");
	connection->moving = true;
	return 0;
}

static void drop(struct connection *connection)
{
	const struct libnbd *lib = &connection->nbd->lib;

	if (connection->moving) {
		nbd_wake(connection);
		pthread_join(connection->mover, NULL);
	}
	if (connection->handle) {
		if (lib->nbd_aio_is_ready(connection->handle) > 0)
			lib->nbd_shutdown(connection->handle, 0);
		lib->nbd_close(connection->handle);
	}
	if (connection->wake >= 0)
		close(connection->wake);
}

/* More of them where the server says that what one writes another reads. One
 * that cannot be had is done without. */
static void add_more(struct nbd *nbd, const struct nbd_more *more)
{
	unsigned most = (unsigned)min_u64(nbd->terms.connections,
					  CONNECTIONS_MOST);
	struct err ignored;

	if (nbd->lib.nbd_can_multi_conn(nbd->connection[0].handle) <= 0)
		return;
	while (nbd->count < most) {
		int fd = -1;

		if (!nbd->terms.tls) {
			fd = more ? more->connect(more->opaque, &ignored) : -1;
			if (fd < 0)
				return;
		}
		if (add(nbd, fd, &ignored) < 0) {
			drop(&nbd->connection[--nbd->count]);
			return;
		}
	}
}

struct nbd *nbd_open(int take_fd, const struct nbd_terms *terms,
		     const struct nbd_more *more, struct err *err)
{
	struct nbd *nbd = mem_zalloc(sizeof *nbd);

	nbd->terms = *terms;
	pthread_mutex_init(&nbd->changing, NULL);
	nbd->later.nbd = nbd;
	pthread_cond_init(&nbd->later.answered, NULL);
	pthread_mutex_init(&nbd->lock, NULL);
	if (library_load(NBD_SONAME, names, &nbd->lib, err) < 0) {
		if (take_fd >= 0)
			close(take_fd);
		return nbd_close_all(nbd);
	}
	if (add(nbd, take_fd, err) < 0)
		return nbd_close_all(nbd);
	add_more(nbd, more);
	return nbd;
}

struct nbd *nbd_close_all(struct nbd *nbd)
{
	if (!nbd)
		return NULL;
	pthread_mutex_lock(&nbd->lock);
	nbd->stop = true;
	pthread_mutex_unlock(&nbd->lock);
	while (nbd->count)
		drop(&nbd->connection[--nbd->count]);
	pthread_mutex_destroy(&nbd->lock);
	pthread_cond_destroy(&nbd->later.answered);
	pthread_mutex_destroy(&nbd->changing);
	free(nbd);
	return NULL;
}

uint64_t nbd_size(const struct nbd *nbd)
{
	return nbd->size;
}

bool nbd_read_only(const struct nbd *nbd)
{
	return nbd->read_only;
}

uint32_t nbd_block(const struct nbd *nbd)
{
	return nbd->block;
}

#endif
