/* A line chart as SVG text: series over a common axis that may be divided into named parts (one a
 * run). */
#ifndef LS_EVAL_CHART_H
#define LS_EVAL_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

typedef struct ls_chart_point {
    double x, y; /* y NaN: a gap of the data, not of the line */
} ls_chart_point;

typedef struct ls_chart_series {
    const char *name;
    const ls_chart_point *points;
    size_t n;
    bool has_dots; /* sparse values are marked */
} ls_chart_series;

typedef struct ls_chart_part {
    const char *name;
    double from, to;
} ls_chart_part;

typedef struct ls_chart {
    const char *title, *unit, *note; /* note: one line below the title, may be NULL */
    const ls_chart_series *series;
    size_t n_series;
    const ls_chart_part *parts;
    size_t n_parts;
    bool from_zero, is_share; /* axis contains 0; values are shown in percent */
} ls_chart;

/* Appends <figure>...</figure>; nothing when no series has a finite value (returns false). */
bool ls_chart_svg(ls_str *out, const ls_chart *chart);

#endif
