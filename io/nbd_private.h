/* SPDX-License-Identifier: MIT */
/* The inside of an NBD export, seen by its own files alone; the only file that
 * includes libnbd. */
#ifndef IO_NBD_PRIVATE_H
#define IO_NBD_PRIVATE_H

#include <libnbd.h>
#include <pthread.h>

#include "base/library.h"
#include "base/limits.h"
#include "io/nbd.h"

/* One request, unless the server takes less: small ones overlap better. */
#define REQUEST_LEN ((size_t)(512 * KIB))
#define REQUESTS_MOST (UNIT_LEN_MAX / REQUEST_LEN)

/* Requests to write zeros that are on their way at most. */
#define ZEROS_MOST 64

/* Zeroes carry no bytes. */
#define ZERO_LEN ((uint64_t)(1 * GIB))

#define CONNECTIONS_MOST 64

/* What one question about extents covers, and how many of the answer are
 * kept: at 64 KiB clusters all of them. */
#define STATUS_MAX ((uint64_t)1 * GIB)
#define STATUS_ENTRIES 16384

/* The answer to the last question about extents: lengths and flags in turns,
 * from `offset` on, as they came. */
struct status {
	uint64_t offset;
	size_t count; /* of pairs */
	uint32_t pair[STATUS_ENTRIES * 2];
};

#define FUNCTIONS(F)                                                      \
	F(nbd_create)                                                     \
	F(nbd_close)                                                      \
	F(nbd_get_error)                                                  \
	F(nbd_get_errno)                                                  \
	F(nbd_add_meta_context)                                           \
	F(nbd_set_export_name)                                            \
	F(nbd_set_opt_mode)                                               \
	F(nbd_set_tls)                                                    \
	F(nbd_set_tls_certificates)                                       \
	F(nbd_set_tls_verify_peer)                                        \
	F(nbd_set_tls_username)                                           \
	F(nbd_set_tls_psk_file)                                           \
	F(nbd_connect_socket)                                             \
	F(nbd_connect_tcp)                                                \
	F(nbd_connect_unix)                                               \
	F(nbd_opt_go)                                                     \
	F(nbd_opt_list)                                                   \
	F(nbd_get_size)                                                   \
	F(nbd_get_block_size)                                             \
	F(nbd_is_read_only)                                               \
	F(nbd_can_multi_conn)                                             \
	F(nbd_can_zero)                                                   \
	F(nbd_can_flush)                                                  \
	F(nbd_can_meta_context)                                           \
	F(nbd_aio_get_direction)                                          \
	F(nbd_aio_get_fd)                                                 \
	F(nbd_aio_is_dead)                                                \
	F(nbd_aio_is_closed)                                              \
	F(nbd_aio_in_flight)                                              \
	F(nbd_aio_is_ready)                                               \
	F(nbd_aio_notify_read)                                            \
	F(nbd_aio_notify_write)                                           \
	F(nbd_aio_pread)                                                  \
	F(nbd_aio_pwrite)                                                 \
	F(nbd_aio_zero)                                                   \
	F(nbd_aio_flush)                                                  \
	F(nbd_aio_block_status)                                           \
	F(nbd_shutdown)

struct libnbd {
	FUNCTIONS(LIBRARY_MEMBER)
};

struct connection {
	struct nbd *nbd;
	struct nbd_handle *handle; /* locks itself */
	int wake; /* eventfd: there is something to send, or an end to come */
	pthread_t mover;
	bool moving;
};

/* Requests that belong together: one caller's. */
struct batch {
	struct nbd *nbd;
	unsigned open; /* not answered yet */
	int error;     /* the first errno, or 0 */
	pthread_cond_t answered;
	struct status *answer; /* block status: where it goes */
};

struct nbd {
	struct libnbd lib;
	struct nbd_terms terms;
	struct connection connection[CONNECTIONS_MOST];
	unsigned count;
	uint64_t size;
	uint32_t block;
	size_t request; /* bytes of one at most */
	bool read_only, has_status, can_zero, can_flush;
	pthread_mutex_t changing; /* parts of blocks */
	/* Zeros on their way, which nobody waits for but who reads or writes
	 * the same range, and the flush. The ranges since all were answered. */
	struct batch later;
	struct {
		uint64_t offset, length;
	} zeros[ZEROS_MOST];
	unsigned zero_count;
	pthread_mutex_t lock; /* of all below, and of the batches */
	unsigned next; /* whose turn it is */
	bool stop;
	struct status status;
};

/* nbd_connect.c: there is something to send. */
void nbd_wake(const struct connection *connection);
bool nbd_is_gone(const struct nbd *nbd, struct nbd_handle *handle);

#endif
