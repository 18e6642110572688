/* A run is a directory with one writer:
 *
 *     config.yaml          resolved configuration, each value with its origin
 *     metrics.jsonl        one line a step
 *     completions.jsonl    sampled completions with rewards and advantages
 *     checkpoints/step-N/  Hugging Face folder + leash_state/ + manifest.json
 *     final/               a whole copy of the last checkpoint: what the next stage loads
 *     lock
 *
 * Lines are appended whole (one write; what a failed write left is cut off) and cut back at a
 * resume to the length that the checkpoint recorded, so that the files have no gap and no
 * double. */
#ifndef LS_TRAIN_RUNDIR_H
#define LS_TRAIN_RUNDIR_H

#include "base/file.h"

/* Longest path of a run directory or a checkpoint: leaves room below LS_PATH_MAX for the names
 * inside. */
#define LS_RUN_PATH_MAX (LS_PATH_MAX - 512)

typedef struct ls_rundir {
    char path[LS_PATH_MAX];
    ls_lock lock;
    int metrics_fd, completions_fd;
    int64_t metrics_bytes, completions_bytes;
    ls_str line; /* reused by every append */
} ls_rundir;

/* Creates or opens and locks.  With resume false an existing run (a config.yaml or checkpoints
 * inside) is LEASH_USAGE: continue it with --resume, choose another --output_dir, or --overwrite
 * (which removes the old run's files, nothing else).  With resume, overwrite means nothing.
 * Errors: LEASH_BUSY with the holder; nothing is open then. */
leash_status ls_rundir_open(ls_rundir *dir, const char *path, bool resume,
                            bool overwrite) LEASH_MUST_USE;
/* One that was never opened (all zero) or failed to open is left alone. */
void ls_rundir_close(ls_rundir *dir);
leash_status ls_rundir_write_config(const ls_rundir *dir, const char *yaml,
                                    size_t n) LEASH_MUST_USE;
leash_status ls_rundir_append_metrics(ls_rundir *dir, const char *line,
                                      size_t n) LEASH_MUST_USE; /* newline is added */
leash_status ls_rundir_append_completions(ls_rundir *dir, const char *lines,
                                          size_t n) LEASH_MUST_USE; /* whole lines */
/* Cuts both files to the given lengths (0, 0 at the start of a run).  A file that is shorter, as
 * after somebody removed it, stays as it is, with a warning. */
leash_status ls_rundir_cut(ls_rundir *dir, int64_t metrics_bytes,
                           int64_t completions_bytes) LEASH_MUST_USE;
/* Brings the line files of a run directory to the disk; those that do not exist are left out. */
leash_status ls_rundir_sync_lines(const char *path) LEASH_MUST_USE;

#endif
