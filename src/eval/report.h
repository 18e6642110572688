/* One self-contained HTML file about run directories: summary, curves (SVG), completions early and
 * late, configuration.
 *
 * It reads config.yaml, metrics.jsonl and completions.jsonl alone, so it works on a run that is
 * going on or was stopped.  Several runs are shown as one course, each with its own part of the
 * axis. */
#ifndef LS_EVAL_REPORT_H
#define LS_EVAL_REPORT_H

#include "base/err.h"

/* Errors: LEASH_IO for a directory without metrics.jsonl. */
leash_status ls_report_write(const char *path, const char *const *run_dirs,
                             int64_t n_runs) LEASH_MUST_USE;

#endif
