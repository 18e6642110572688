/* What a run directory's files say, in memory: for reports and summaries. */
#ifndef LS_EVAL_RUN_LOG_H
#define LS_EVAL_RUN_LOG_H

#include <jansson.h>
#include "base/err.h"
#include "base/str.h"

typedef struct ls_run_log {
    const char *dir;     /* borrowed */
    json_t *steps;       /* array of the objects of metrics.jsonl     */
    json_t *completions; /* array of the objects of completions.jsonl */
    ls_str config;       /* config.yaml                               */
} ls_run_log;

/* A last line cut short (the run is being written) is left out.  Errors: LEASH_IO, LEASH_FORMAT
 * with file and line. */
leash_status ls_run_log_open(ls_run_log *log, const char *dir) LEASH_MUST_USE;
void ls_run_log_close(ls_run_log *log);
/* The last or summed finite value of a metric; NAN when there is none. */
double ls_run_log_last(const ls_run_log *log, const char *metric);
double ls_run_log_sum(const ls_run_log *log, const char *metric);
/* Median over the steps; NAN when there is none. */
double ls_run_log_median(const ls_run_log *log, const char *metric);
/* Value of one step, NAN when it is absent or null. */
double ls_run_log_value(const ls_run_log *log, size_t step, const char *metric);

#endif
