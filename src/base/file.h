/* Files that are whole or absent.
 *
 * Writers build a temporary sibling, fsync it, rename it and fsync the directory; a crash at any
 * moment leaves the old file or the new one.  Errors name the path and the system's reason;
 * LEASH_IO unless said. */
#ifndef LS_BASE_FILE_H
#define LS_BASE_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include "base/err.h"
#include "base/str.h"

/* "cannot <verb> <path>: <reason of the errno> (<remedy>)", LEASH_IO: for every module that meets
 * an errno at a path. */
leash_status ls_fail_path(const char *verb, const char *path, int error);

/* Appends the whole file to `out`.  A missing file is LEASH_IO with "no such file". */
leash_status ls_file_read(ls_str *out, const char *path) LEASH_MUST_USE;
leash_status ls_file_write_atomic(const char *path, const void *data, size_t n) LEASH_MUST_USE;
/* Writes and fsyncs a new file (no temporary name): for files inside a directory that is itself
 * renamed at the end. */
leash_status ls_file_write_synced(const char *path, const void *data, size_t n) LEASH_MUST_USE;
/* The same for a file made of pieces. */
typedef struct ls_piece {
    const void *data;
    size_t n;
} ls_piece;
leash_status ls_file_write_pieces_synced(const char *path, const ls_piece *pieces,
                                         int64_t n) LEASH_MUST_USE;
/* A large file written bit by bit, whole or absent like that of ls_file_write_atomic.  Errors of
 * _put are kept and told by _commit, which renames, or removes what there is; _abort removes it.
 *
 *     LS_TRY(ls_file_writer_open(&w, path));
 *     ls_file_writer_put(&w, data, n);
 *     return ls_file_writer_commit(&w); */
typedef struct ls_file_writer {
    int fd, error;
    ls_str path, temporary;
    uint64_t n_bytes; /* put so far */
} ls_file_writer;
leash_status ls_file_writer_open(ls_file_writer *w, const char *path) LEASH_MUST_USE;
void ls_file_writer_put(ls_file_writer *w, const void *data, size_t n);
leash_status ls_file_writer_commit(ls_file_writer *w) LEASH_MUST_USE;
void ls_file_writer_abort(ls_file_writer *w);
bool ls_file_exists(const char *path);
bool ls_dir_exists(const char *path);
int64_t ls_file_size(const char *path);                      /* -1 when missing */
leash_status ls_dir_make(const char *path) LEASH_MUST_USE;   /* with parents; existing is fine */
leash_status ls_dir_remove(const char *path) LEASH_MUST_USE; /* with contents; missing is fine */
leash_status ls_dir_sync(const char *path) LEASH_MUST_USE;
/* ls_dir_sync of the directory that holds path */
leash_status ls_parent_sync(const char *path) LEASH_MUST_USE;
/* rename + fsync of the parent directory. */
leash_status ls_path_rename(const char *from, const char *to) LEASH_MUST_USE;
/* Sorted names (without . and ..) of a directory; free with ls_names_free. */
leash_status ls_dir_list(char ***names, int64_t *n, const char *path) LEASH_MUST_USE;
void ls_names_free(char **names, int64_t n);
/* "a/b" into a buffer owned by the caller; asserts that it fits 4096. */
#define LS_PATH_MAX 4096
char *ls_path_join(char out[LS_PATH_MAX], const char *a, const char *b);

/* Read-only map of a file; an empty file gives data NULL and size 0. */
typedef struct ls_map {
    const unsigned char *data;
    size_t size;
} ls_map;
leash_status ls_map_open(ls_map *map, const char *path) LEASH_MUST_USE;
void ls_map_close(ls_map *map);

/* Exclusive lock on `path` (created), holding host, process id and start time as text.  Errors:
 * LEASH_BUSY with the holder's text.  The lock ends with the process however it ends. */
typedef struct ls_lock {
    int fd;
} ls_lock;
leash_status ls_lock_take(ls_lock *lock, const char *path) LEASH_MUST_USE;
void ls_lock_drop(ls_lock *lock);

#endif
