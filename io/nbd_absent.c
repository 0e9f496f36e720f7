/* SPDX-License-Identifier: MIT */
/* Owns the answer of a build without libnbd: no. */
#include "io/nbd.h"

#ifndef HAVE_NBD

#include <unistd.h>

bool nbd_built(void)
{
	return false;
}

struct nbd *nbd_open(int take_fd, const struct nbd_terms *terms,
		     const struct nbd_more *more, struct err *err)
{
	(void)terms;
	(void)more;
	if (take_fd >= 0)
		close(take_fd);
	err_set(err, ERR_UNSUPPORTED, "built without libnbd");
	return NULL;
}

struct nbd *nbd_close_all(struct nbd *nbd)
{
	(void)nbd;
	return NULL;
}

/* Nobody has one to ask. */
uint64_t nbd_size(const struct nbd *nbd)
{
	(void)nbd;
	return 0;
}

bool nbd_read_only(const struct nbd *nbd)
{
	(void)nbd;
	return true;
}

uint32_t nbd_block(const struct nbd *nbd)
{
	(void)nbd;
	return 1;
}

static int nobody(struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "built without libnbd");
}

int nbd_read_at(struct nbd *nbd, void *buf, size_t len, uint64_t offset,
		struct err *err)
{
	(void)nbd, (void)buf, (void)len, (void)offset;
	return nobody(err);
}

int nbd_write_at(struct nbd *nbd, const void *buf, size_t len, uint64_t offset,
		 struct err *err)
{
	(void)nbd, (void)buf, (void)len, (void)offset;
	return nobody(err);
}

int nbd_zero_at(struct nbd *nbd, uint64_t offset, uint64_t length,
		bool allocate, struct err *err)
{
	(void)nbd, (void)offset, (void)length, (void)allocate;
	return nobody(err);
}

int nbd_flush_all(struct nbd *nbd, struct err *err)
{
	(void)nbd;
	return nobody(err);
}

int nbd_extent_at(struct nbd *nbd, uint64_t offset, struct extent *out,
		  struct err *err)
{
	(void)nbd, (void)offset, (void)out;
	return nobody(err);
}

#endif
