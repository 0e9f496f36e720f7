/* SPDX-License-Identifier: MIT */
/*
 * limit - the least that a conversion has to do: moves the allocated bytes of
 * one file to the same places of another, looks at none of them, and does not
 * sync. What it takes is what no converter that moves these bytes can beat.
 *
 * usage: limit [--copy-file-range] IN OUT THREADS
 *
 * With --copy-file-range the kernel moves the bytes, without a buffer of ours.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1 << 20)
#define THREADS_MAX 64

struct piece {
	off_t offset;
	size_t len;
};

/* What the threads share; all but the cursor is set before they start. */
struct job {
	int in, out;
	bool by_kernel;
	struct piece *pieces;
	size_t count;
	atomic_size_t cursor;
};

/* Splits the allocated ranges of the input; ends, as each hole is beyond the
 * data before it. */
static void find_pieces(struct job *job, off_t size)
{
	size_t room = 0;
	off_t data, hole = 0;

	while (hole < size && (data = lseek(job->in, hole, SEEK_DATA)) >= 0) {
		hole = lseek(job->in, data, SEEK_HOLE);
		if (hole < 0)
			err(1, "SEEK_HOLE");
		while (data < hole) {
			off_t len = hole - data < PIECE ? hole - data : PIECE;

			if (job->count == room) {
				room = room ? room * 2 : 1024;
				job->pieces =
					reallocarray(job->pieces, room,
						     sizeof(*job->pieces));
				if (!job->pieces)
					err(1, "pieces");
			}
			job->pieces[job->count++] =
				(struct piece){ data, (size_t)len };
			data += len;
		}
	}
}

static void move_by_kernel(const struct job *job, struct piece piece)
{
	off_t from = piece.offset, to = piece.offset;

	while (piece.len > 0) {
		ssize_t n = copy_file_range(job->in, &from, job->out, &to,
					    piece.len, 0);

		if (n <= 0)
			err(1, "copy_file_range");
		piece.len -= (size_t)n;
	}
}

static void move_by_buffer(const struct job *job, struct piece piece,
			   char *buffer)
{
	while (piece.len > 0) {
		ssize_t n = pread(job->in, buffer, piece.len, piece.offset);

		if (n <= 0)
			err(1, "read");
		if (pwrite(job->out, buffer, (size_t)n, piece.offset) != n)
			err(1, "write");
		piece.offset += n;
		piece.len -= (size_t)n;
	}
}

static void *mover(void *argument)
{
	struct job *job = argument;
	char *buffer = aligned_alloc(4096, PIECE);
	size_t i;

	if (!buffer)
		err(1, "buffer");
	while ((i = atomic_fetch_add(&job->cursor, 1)) < job->count) {
		if (job->by_kernel)
			move_by_kernel(job, job->pieces[i]);
		else
			move_by_buffer(job, job->pieces[i], buffer);
	}
	free(buffer);
	return NULL;
}

int main(int argc, char **argv)
{
	struct job job = { 0 };
	pthread_t threads[THREADS_MAX];
	struct stat st;
	int count, i;

	if (argc > 1 && strcmp(argv[1], "--copy-file-range") == 0) {
		job.by_kernel = true;
		argc--;
		argv++;
	}
	if (argc != 4 || (count = atoi(argv[3])) < 1 || count > THREADS_MAX)
		errx(64, "usage: limit [--copy-file-range] IN OUT THREADS");
	job.in = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (job.in < 0 || fstat(job.in, &st) < 0)
		err(1, "%s", argv[1]);
	job.out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (job.out < 0 || ftruncate(job.out, st.st_size) < 0)
		err(1, "%s", argv[2]);
	find_pieces(&job, st.st_size);

	for (i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, mover, &job) != 0)
			errx(1, "no thread");
	}
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	free(job.pieces);
	if (close(job.out) < 0)
		err(1, "%s", argv[2]);
	return 0;
}
