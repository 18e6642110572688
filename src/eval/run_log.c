/* Reading metrics.jsonl, completions.jsonl and config.yaml back. */
#include "eval/run_log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

static leash_status read_lines(json_t **out, const char *dir, const char *name, bool is_needed)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    leash_status status = LEASH_OK;
    *out = json_array();
    ls_path_join(path, dir, name);
    if (!is_needed && !ls_file_exists(path))
        return LEASH_OK;
    LS_TRY_OUT(ls_file_read(&text, path));
    int64_t line = 1;
    for (char *at = text.data, *end; (end = strchr(at, '\n')) != NULL; at = end + 1, line++) {
        json_error_t error;
        json_t *row = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, &error);
        if (!row) {
            status = ls_fail(LEASH_FORMAT, "%s:%lld:%d: malformed JSON: %s", path, (long long)line,
                             error.column, error.text);
            goto out;
        }
        json_array_append_new(*out, row);
    }
out:
    ls_str_release(&text);
    return status;
}

leash_status ls_run_log_open(ls_run_log *log, const char *dir)
{
    char path[LS_PATH_MAX];
    *log = (ls_run_log){.dir = dir};
    ls_str_init(&log->config);
    leash_status status = read_lines(&log->steps, dir, "metrics.jsonl", true);
    if (status == LEASH_OK)
        status = read_lines(&log->completions, dir, "completions.jsonl", false);
    if (status == LEASH_OK && ls_file_exists(ls_path_join(path, dir, "config.yaml")))
        status = ls_file_read(&log->config, path);
    if (status != LEASH_OK)
        ls_run_log_close(log);
    return status;
}

void ls_run_log_close(ls_run_log *log)
{
    json_decref(log->steps);
    json_decref(log->completions);
    log->steps = log->completions = NULL;
    ls_str_release(&log->config);
}

double ls_run_log_value(const ls_run_log *log, size_t step, const char *metric)
{
    const json_t *value = json_object_get(json_array_get(log->steps, step), metric);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

double ls_run_log_last(const ls_run_log *log, const char *metric)
{
    for (size_t i = json_array_size(log->steps); i-- > 0;) {
        double value = ls_run_log_value(log, i, metric);
        if (!isnan(value))
            return value;
    }
    return NAN;
}

double ls_run_log_sum(const ls_run_log *log, const char *metric)
{
    double sum = NAN;
    for (size_t i = 0; i < json_array_size(log->steps); i++) {
        double value = ls_run_log_value(log, i, metric);
        if (!isnan(value))
            sum = isnan(sum) ? value : sum + value;
    }
    return sum;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double ls_run_log_median(const ls_run_log *log, const char *metric)
{
    size_t n = 0, n_steps = json_array_size(log->steps);
    double *values = ls_malloc((n_steps + 1) * sizeof *values), median = NAN;
    for (size_t i = 0; i < n_steps; i++) {
        double value = ls_run_log_value(log, i, metric);
        if (!isnan(value))
            values[n++] = value;
    }
    qsort(values, n, sizeof *values, compare_doubles);
    if (n > 0)
        median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
    ls_free(values);
    return median;
}
