/* What a pipeline came to: a row a stage, from the metrics that the runs left. */
#include "cli/pipeline_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "eval/run_log.h"

typedef struct summary {
    const char *name;
    double accuracy, low, high, lenient, kl, length, rollout, train; /* NAN: not measured */
    double compared, mismatched;
} summary;

static bool read_stage(summary *s, const ls_pipeline_run *r, const ls_stage *stage)
{
    char dir[LS_PATH_MAX];
    ls_run_log log;
    if (ls_run_log_open(&log, ls_stage_dir(dir, r, stage)) != LEASH_OK)
        return false;
    double rollout = ls_run_log_median(&log, "tokens_per_second/rollout");
    *s = (summary){
        .name = stage->name,
        .accuracy = ls_run_log_last(&log, "eval/accuracy"),
        .low = ls_run_log_last(&log, "eval/accuracy_low"),
        .high = ls_run_log_last(&log, "eval/accuracy_high"),
        .lenient = ls_run_log_last(&log, "eval/accuracy_lenient"),
        .kl = ls_run_log_last(&log, "kl/seq_k1"),
        .length = ls_run_log_last(&log, "eval/mean_length"),
        .rollout = isnan(rollout) ? ls_run_log_last(&log, "tokens_per_second/eval") : rollout,
        .train = ls_run_log_median(&log, "tokens_per_second/train"),
        .compared = ls_run_log_sum(&log, "rollout/compared"),
        .mismatched = ls_run_log_sum(&log, "rollout/mismatched"),
    };
    ls_run_log_close(&log);
    return true;
}

static void print_cell(double value, const char *format, int width)
{
    char text[48] = "-";
    if (!isnan(value))
        snprintf(text, sizeof text, format, value);
    ls_print("%*s", width, text);
}

static int name_width(const ls_pipeline_run *r)
{
    int width = 8;
    for (int64_t i = 0; i < r->pipeline.n_stages; i++)
        width = (int)strlen(r->pipeline.stages[i].name) > width
                    ? (int)strlen(r->pipeline.stages[i].name)
                    : width;
    return width;
}

static void print_row(const summary *s, int width)
{
    char interval[40] = "-";
    if (!isnan(s->low))
        snprintf(interval, sizeof interval, "[%.1f, %.1f]", 100 * s->low, 100 * s->high);
    ls_print("%-*s", width, s->name);
    print_cell(100 * s->accuracy, "%.1f %%", 10);
    ls_print("  %-13s", interval);
    print_cell(100 * s->lenient, "%.1f %%", 9);
    print_cell(s->kl, "%.3f", 8);
    print_cell(s->length, "%.1f", 8);
    print_cell(s->rollout, "%.0f", 10);
    print_cell(s->train, "%.0f", 10);
    ls_print("\n");
}

void ls_pipeline_print_table(const ls_pipeline_run *r, const char *report)
{
    int width = name_width(r);
    double compared = 0, mismatched = 0;
    ls_print("%-*s%10s  %-13s%9s%8s%8s%10s%10s\n", width, "stage", "accuracy", "95 %", "lenient",
             "KL", "length", "rollout", "training");
    ls_print("%-*s%10s  %-13s%9s%8s%8s%10s%10s\n", width, "", "held-out", "", "", "nats", "tokens",
             "tokens/s", "tokens/s");
    for (int64_t i = 0; i < r->pipeline.n_stages; i++) {
        summary s;
        if (!read_stage(&s, r, &r->pipeline.stages[i]))
            continue;
        print_row(&s, width);
        compared += isnan(s.compared) ? 0 : s.compared;
        mismatched += isnan(s.mismatched) ? 0 : s.mismatched;
    }
    if (compared > 0)
        ls_print("\nrollout = training: %.0f of %.0f log-probabilities differ\n", mismatched,
                 compared);
    ls_print("report: %s\n", report);
}

static void append_number(ls_str *out, const char *name, double value)
{
    char number[32];
    ls_str_appendf(out, ", \"%s\": %s", name,
                   isfinite(value) ? ls_format_double(number, value) : "null");
}

static void append_text(ls_str *out, const char *name, const char *text)
{
    ls_str_appendf(out, "\"%s\": ", name);
    ls_str_append_json(out, text, strlen(text));
}

void ls_pipeline_print_json(const ls_pipeline_run *r, const char *report, double seconds)
{
    ls_str out = LS_STR_INIT;
    char dir[LS_PATH_MAX];
    bool is_first = true;
    ls_str_append_char(&out, '{');
    append_text(&out, "name", r->pipeline.name);
    ls_str_append(&out, ", \"stages\": [");
    for (int64_t i = 0; i < r->pipeline.n_stages; i++) {
        summary s;
        if (!read_stage(&s, r, &r->pipeline.stages[i]))
            continue;
        ls_str_append(&out, is_first ? "\n  {" : ",\n  {");
        is_first = false;
        append_text(&out, "name", s.name);
        ls_str_append(&out, ", ");
        append_text(&out, "dir", ls_stage_dir(dir, r, &r->pipeline.stages[i]));
        append_number(&out, "accuracy", s.accuracy);
        append_number(&out, "accuracy_low", s.low);
        append_number(&out, "accuracy_high", s.high);
        append_number(&out, "accuracy_lenient", s.lenient);
        append_number(&out, "kl", s.kl);
        append_number(&out, "mean_length", s.length);
        append_number(&out, "rollout_tokens_per_second", s.rollout);
        append_number(&out, "train_tokens_per_second", s.train);
        append_number(&out, "compared", s.compared);
        append_number(&out, "mismatched", s.mismatched);
        ls_str_append_char(&out, '}');
    }
    ls_str_append(&out, "\n], ");
    append_text(&out, "report", report);
    append_number(&out, "seconds", seconds);
    ls_print("%s}\n", out.data);
    ls_str_release(&out);
}
