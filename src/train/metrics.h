/* The numbers of a step.  A metric exists when metrics.def has its row (name, unit, meaning,
 * formula); docs/METRICS.md is made from the rows.  A row's name may hold one '*' for a reward's
 * name ("rewards / * / mean" without the blanks).
 *
 * A step's values are written as one JSON line into metrics.jsonl, in the order of the rows:
 * {"step": 12, "loss": ...}; a value that is not finite is written as null.  Timing metrics (rows
 * marked so) are what two equal runs may differ in. */
#ifndef LS_TRAIN_METRICS_H
#define LS_TRAIN_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

#define LS_METRICS_MAX 160
typedef struct ls_metric_row {
    const char *name, *unit, *meaning, *formula;
    bool is_timing;
} ls_metric_row;
const ls_metric_row *ls_metric_rows(size_t *n);

typedef struct ls_metrics {
    int64_t step, n;
    struct {
        char name[64];
        int row; /* index into ls_metric_rows, orders the output */
        double value;
    } values[LS_METRICS_MAX];
} ls_metrics;

/* Whether a metric of this name has a row. */
bool ls_metrics_exists(const char *name);
void ls_metrics_clear(ls_metrics *m, int64_t step);
/* Sets or replaces; a name without a row is a bug (asserts). */
void ls_metrics_set(ls_metrics *m, const char *name, double value);
void ls_metrics_setf(ls_metrics *m, double value, const char *name_format, ...)
    __attribute__((format(printf, 3, 4)));
/* NAN when it is not set. */
double ls_metrics_get(const ls_metrics *m, const char *name);
/* One JSON object without newline. */
void ls_metrics_json(const ls_metrics *m, ls_str *out);
void ls_metrics_markdown(ls_str *out);

#endif
