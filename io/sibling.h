/* SPDX-License-Identifier: MIT */
/*
 * The names an unfinished output may have: `.NAME.imgconv-XXXXXX` beside
 * NAME. Whoever makes one holds a lock (flock) on its inode as long as it
 * lives, so that a later run can tell a stray from somebody's work. What
 * --resume keeps is named `.NAME.imgconv-partial` and `.NAME.imgconv-journal`,
 * so that the next run finds it.
 */
#ifndef IO_SIBLING_H
#define IO_SIBLING_H

#include <stdbool.h>
#include <sys/stat.h>

/* With the end of the string, what a file system takes as a name. */
#define SIBLING_NAME_LEN 256

/* How often a new name is tried before we believe that it is no accident. */
#define SIBLING_TRIES 100

/* A new name for `name`, with random letters. */
void sibling_name(const char *name, char out[SIBLING_NAME_LEN]);

enum sibling_kept { SIBLING_PARTIAL, SIBLING_JOURNAL };
void sibling_kept_name(const char *name, enum sibling_kept what,
		       char out[SIBLING_NAME_LEN]);

/* Remove what killed runs left for `name` in the folder `dir_fd`: regular
 * files of ours whose lock nobody holds; `with_kept`: also what --resume kept.
 * What cannot be removed stays. */
void sibling_remove_strays(int dir_fd, const char *name, bool with_kept);

/* Is `name` the inode `dev`, `ino`? Safe in a signal handler. */
bool sibling_is(int dir_fd, const char *name, dev_t dev, ino_t ino);

/* Remove `name` if it still is the inode `dev`, `ino`. Safe in a signal
 * handler. */
void sibling_remove(int dir_fd, const char *name, dev_t dev, ino_t ino);

#endif
