/* SPDX-License-Identifier: MIT */
/*
 * The error value. A function that can fail takes a `struct err *` as its
 * last parameter and returns -1 or NULL; the caller decides. Nothing below
 * cmd/ prints or exits. The value is plain data of fixed size: it lives on
 * the caller's stack, crosses the socket between worker and conductor as it
 * is, and is never freed.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_MESSAGE_LEN 1024

enum err_kind {
	ERR_NONE,
#define ERR(name, status, meaning) ERR_##name,
#include "base/err.def"
#undef ERR
	ERR_INTERRUPTED, /* a signal; the process dies by that signal */
	ERR_KINDS
};

struct err {
	enum err_kind kind;
	int signal; /* ERR_INTERRUPTED: which */
	char message[ERR_MESSAGE_LEN]; /* one line, no full stop, never NULL */
};

/*
 * Fill `err`; both return -1, so that `return err_set(...)` reads well. A
 * message says what was found, what is allowed and what to do: "cluster_bits
 * 63 is out of range (9..21)". `err_sys` adds ": " and strerror(errno).
 * Control bytes in the formatted text are replaced, so names from inside an
 * image may be passed with %s.
 */
int err_set(struct err *err, enum err_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));
int err_sys(struct err *err, enum err_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));

/* Put "context: " in front of the message; returns -1. */
int err_in(struct err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3), cold));

#ifdef __clang_analyzer__ /* sees one file at a time, and so not the -1 */
#define err_set(...) (err_set(__VA_ARGS__), -1)
#define err_sys(...) (err_sys(__VA_ARGS__), -1)
#define err_in(...) (err_in(__VA_ARGS__), -1)
#endif

/* The kind that suits an errno: EACCES and EPERM are ERR_REFUSED, the rest
 * `otherwise`. */
enum err_kind err_kind_of_errno(int number, enum err_kind otherwise);

/* The exit status of a kind, from err.def; 0 for ERR_NONE. */
int err_status(enum err_kind kind);

#endif
