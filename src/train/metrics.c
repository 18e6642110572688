/* The table of metrics, the values of one step, and their JSON and Markdown. */
#include "train/metrics.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/err.h"
#include "rl/objective.h"

static const ls_metric_row rows[] = {
#define LS_METRIC(name, unit, meaning, formula, is_timing) \
    {name, unit, meaning, formula, is_timing},
#define LS_METRIC_OF_OBJECTIVE(field, name, unit, meaning, formula) \
    LS_METRIC(name, unit, meaning, formula, false)
#include "train/metrics.def"
#undef LS_METRIC_OF_OBJECTIVE
#undef LS_METRIC
};

const ls_metric_row *ls_metric_rows(size_t *n)
{
    *n = LS_COUNT(rows);
    return rows;
}

/* Whether a name is the pattern with at least one character in the place of its '*'. */
static bool is_named(const char *pattern, const char *name)
{
    const char *star = strchr(pattern, '*');
    if (!star)
        return strcmp(pattern, name) == 0;
    return strlen(name) >= strlen(pattern) &&
           strncmp(pattern, name, (size_t)(star - pattern)) == 0 && ls_ends_with(name, star + 1);
}

/* -1: none. */
static int find_row(const char *name)
{
    for (size_t i = 0; i < LS_COUNT(rows); i++)
        if (is_named(rows[i].name, name))
            return (int)i;
    return -1;
}

bool ls_metrics_exists(const char *name)
{
    return find_row(name) >= 0;
}

/* -1: not set. */
static int64_t find_value(const ls_metrics *m, const char *name)
{
    for (int64_t i = 0; i < m->n; i++)
        if (strcmp(m->values[i].name, name) == 0)
            return i;
    return -1;
}

void ls_metrics_clear(ls_metrics *m, int64_t step)
{
    m->step = step;
    m->n = 0;
}

/* Values stand in the order of their rows; those of one row in the order in which they came. */
void ls_metrics_set(ls_metrics *m, const char *name, double value)
{
    int64_t at = find_value(m, name);
    if (at < 0) {
        int row = find_row(name);
        LS_ASSERT(row >= 0 && m->n < LS_METRICS_MAX && strlen(name) < sizeof m->values[0].name);
        for (at = m->n; at > 0 && m->values[at - 1].row > row; at--)
            m->values[at] = m->values[at - 1];
        snprintf(m->values[at].name, sizeof m->values[at].name, "%s", name);
        m->values[at].row = row;
        m->n++;
    }
    m->values[at].value = value;
}

void ls_metrics_setf(ls_metrics *m, double value, const char *name_format, ...)
{
    char name[sizeof m->values[0].name];
    va_list args;
    va_start(args, name_format);
    int length = vsnprintf(name, sizeof name, name_format, args);
    va_end(args);
    LS_ASSERT(length > 0 && (size_t)length < sizeof name);
    ls_metrics_set(m, name, value);
}

double ls_metrics_get(const ls_metrics *m, const char *name)
{
    int64_t at = find_value(m, name);
    return at < 0 ? NAN : m->values[at].value;
}

void ls_metrics_json(const ls_metrics *m, ls_str *out)
{
    char number[32];
    ls_str_appendf(out, "{\"step\": %lld", (long long)m->step);
    for (int64_t i = 0; i < m->n; i++) {
        double value = m->values[i].value;
        ls_str_append(out, ", ");
        ls_str_append_json(out, m->values[i].name, strlen(m->values[i].name));
        ls_str_appendf(out, ": %s", isfinite(value) ? ls_format_double(number, value) : "null");
    }
    ls_str_append(out, "}");
}

/* A cell of a Markdown table, in which a bar would begin the next one. */
static void append_cell(ls_str *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '|')
            ls_str_append_char(out, '\\');
        ls_str_append_char(out, *p);
    }
    ls_str_append(out, " |");
}

void ls_metrics_markdown(ls_str *out)
{
    ls_str_append(
        out,
        "# Metrics\n\n"
        "Every step appends one JSON object to `metrics.jsonl` in the run directory, with the\n"
        "values below that the step has, in this order, after `step`. A value that is not a\n"
        "finite number is `null`. Names are TRL's where TRL has the metric. `*` stands for the\n"
        "name of a reward or for a number.\n\n"
        "In the formulas t runs over trained tokens, i over sequences, g over groups; A is the\n"
        "advantage, R the reward, H the entropy, w the weight of a token, rho the importance\n"
        "ratio, and [x] is 1 where x holds. Where a step makes several updates, the metrics of\n"
        "the objective are means over them, except minima, maxima and counts of tokens.\n\n"
        "Two runs of one recipe agree in every bit of these values, except those marked *time*.\n\n"
        "| name | unit | meaning | formula | |\n"
        "|---|---|---|---|---|\n");
    for (size_t i = 0; i < LS_COUNT(rows); i++) {
        ls_str_appendf(out, "| `%s` | ", rows[i].name);
        append_cell(out, rows[i].unit);
        ls_str_append(out, " ");
        append_cell(out, rows[i].meaning);
        ls_str_append(out, " ");
        append_cell(out, rows[i].formula);
        ls_str_append(out, rows[i].is_timing ? " *time* |\n" : " |\n");
    }
}
