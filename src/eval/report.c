/* The report's page: what happened, drawn from the run directories. */
#include "eval/report.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "eval/chart.h"
#include "eval/run_log.h"

#define MAX_RUNS 32
#define MAX_SERIES 3
/* Completions shown of the beginning and of the end of a run. */
#define SHOWN 6

static const char page_head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>leash report</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n"
    ":root{--bg:#fff;--fg:#1c2126;--dim:#66707a;--grid:#e3e7ea;--band:#f4f6f8;--a:#2368c4;"
    "--b:#c4572b;--c:#3c8a4c;--good:#e4f3e6;--bad:#fbe9e6}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e4e8eb;--dim:#98a2ab;"
    "--grid:#2a3036;--band:#1b1f24;--a:#6ea8f5;--b:#f08c5f;--c:#74c884;--good:#1d3423;"
    "--bad:#3b231e}}\n"
    "body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;"
    "max-width:1120px;margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .6rem}"
    "small,.dim{color:var(--dim)}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:1.2rem}"
    "figure{margin:0}svg{width:100%;height:auto}\n"
    ".grid{stroke:var(--grid)}.band{fill:var(--band)}.tick,.part{fill:var(--dim);font-size:10px}"
    ".part{font-size:11px}\n"
    ".line{fill:none;stroke-width:1.6;stroke-linejoin:round}.s0{stroke:var(--a)}"
    ".s1{stroke:var(--b)}.s2{stroke:var(--c)}\n"
    ".dot{fill:var(--bg);stroke-width:1.6}.legend{float:right;color:var(--dim);font-size:12px}"
    ".key{display:inline-block;width:10px;height:3px;margin:0 4px 3px 8px;vertical-align:middle}"
    ".k0{background:var(--a)}.k1{background:var(--b)}.k2{background:var(--c)}\n"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:right;padding:.3rem .7rem;border-bottom:1px solid var(--grid);"
    "font-variant-numeric:tabular-nums}th:first-child,td:first-child{text-align:left}"
    "th{font-weight:600;color:var(--dim)}\n"
    "td{white-space:nowrap}.text th,.text td{text-align:left}.text "
    "td{vertical-align:top;font-family:ui-monospace,monospace;"
    "font-size:13px;white-space:pre-wrap;word-break:break-word}\n"
    ".text td.n{text-align:right}.ok{background:var(--good)}.no{background:var(--bad)}"
    "pre{background:var(--band);padding:1rem;overflow:auto;font-size:12.5px}\n"
    "details summary{cursor:pointer;margin:.5rem 0}\n"
    "</style></head><body>\n";

/* One chart of the report: up to three metrics, in the order of the page. */
typedef struct chart_row {
    const char *title, *unit, *note, *metric[MAX_SERIES], *name[MAX_SERIES];
    bool from_zero, is_share;
} chart_row;

static const chart_row chart_rows[] = {
    {.title = "Reward",
     .unit = "mean of a step",
     .metric = {"reward"},
     .name = {"reward"},
     .from_zero = true},
    {.title = "Held-out accuracy",
     .note = "a gap between strict and lenient is format",
     .metric = {"eval/accuracy", "eval/accuracy_lenient"},
     .name = {"strict", "lenient"},
     .from_zero = true,
     .is_share = true},
    {.title = "KL to the reference",
     .unit = "nats a completion, k1",
     .note = "the leash: how far the policy has gone",
     .metric = {"kl/seq_k1"},
     .name = {"k1"},
     .from_zero = true},
    {.title = "Entropy",
     .unit = "nats a token",
     .note = "collapse towards 0 ends exploration",
     .metric = {"entropy"},
     .name = {"entropy"},
     .from_zero = true},
    {.title = "Completion length",
     .unit = "tokens",
     .note = "watch it with the reward",
     .metric = {"completions/mean_length", "completions/max_length"},
     .name = {"mean", "max"},
     .from_zero = true},
    {.title = "Useful tokens",
     .unit = "trained tokens with an advantage",
     .metric = {"tokens/useful", "tokens/active"},
     .name = {"useful", "trained"},
     .from_zero = true},
    {.title = "Groups without a signal",
     .note = "all right or all wrong",
     .metric = {"frac_reward_zero_std", "groups/all_correct", "groups/all_wrong"},
     .name = {"no signal", "all right", "all wrong"},
     .from_zero = true,
     .is_share = true},
    {.title = "Loss", .unit = "nats a token", .metric = {"loss"}, .name = {"loss"}},
    {.title = "Gradient norm",
     .unit = "before clipping",
     .metric = {"grad_norm"},
     .name = {"norm"},
     .from_zero = true},
    {.title = "Speed",
     .unit = "tokens/s",
     .metric = {"tokens_per_second/rollout", "tokens_per_second/train"},
     .name = {"rollout", "training"},
     .from_zero = true},
};

typedef struct report {
    ls_run_log runs[MAX_RUNS];
    ls_chart_part parts[MAX_RUNS];
    int64_t n;
    size_t n_points;
    ls_chart_point *points[MAX_SERIES];
    ls_str out;
} report;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void append_number(ls_str *out, double value, const char *format)
{
    if (isnan(value)) {
        ls_str_append(out, "<td class=\"dim\">&ndash;</td>");
        return;
    }
    char text[64];
    snprintf(text, sizeof text, format, value); /* NOLINT: formats are the literals below */
    ls_str_appendf(out, "<td>%s</td>", text);
}

static void append_summary(report *r)
{
    ls_str *o = &r->out;
    ls_str_append(o, "<h2>Summary</h2><table><tr><th>run</th><th>steps</th><th>held-out "
                     "accuracy</th><th>95 %</th><th>lenient</th><th>KL</th>"
                     "<th>mean length</th><th>reward</th><th>rollout tok/s</th><th>train "
                     "tok/s</th><th>rollout &ne; training</th></tr>\n");
    for (int64_t i = 0; i < r->n; i++) {
        const ls_run_log *log = &r->runs[i];
        double low = ls_run_log_last(log, "eval/accuracy_low"),
               high = ls_run_log_last(log, "eval/accuracy_high");
        ls_str_append(o, "<tr><td>");
        ls_str_append_html(o, base_name(log->dir), strlen(base_name(log->dir)));
        ls_str_append(o, "</td>");
        append_number(o, ls_run_log_last(log, "step"), "%.0f");
        append_number(o, 100 * ls_run_log_last(log, "eval/accuracy"), "%.1f %%");
        if (isnan(low))
            append_number(o, NAN, "");
        else
            ls_str_appendf(o, "<td>%.1f &ndash; %.1f</td>", 100 * low, 100 * high);
        append_number(o, 100 * ls_run_log_last(log, "eval/accuracy_lenient"), "%.1f %%");
        append_number(o, ls_run_log_last(log, "kl/seq_k1"), "%.3f");
        append_number(o, ls_run_log_last(log, "eval/mean_length"), "%.1f");
        append_number(o, ls_run_log_last(log, "reward"), "%.3f");
        append_number(o, ls_run_log_median(log, "tokens_per_second/rollout"), "%.0f");
        append_number(o, ls_run_log_median(log, "tokens_per_second/train"), "%.0f");
        double compared = ls_run_log_sum(log, "rollout/compared");
        if (isnan(compared) || compared == 0)
            append_number(o, NAN, "");
        else
            ls_str_appendf(o, "<td>%.0f of %.0f</td>", ls_run_log_sum(log, "rollout/mismatched"),
                           compared);
        ls_str_append(o, "</tr>\n");
    }
    ls_str_append(o, "</table>\n");
}

static size_t collect(report *r, const char *metric, ls_chart_point *points)
{
    size_t n = 0;
    for (int64_t i = 0; i < r->n; i++) {
        double last = ls_run_log_last(&r->runs[i], "step"),
               width = r->parts[i].to - r->parts[i].from;
        for (size_t s = 0; s < json_array_size(r->runs[i].steps); s++) {
            double step = ls_run_log_value(&r->runs[i], s, "step"),
                   y = ls_run_log_value(&r->runs[i], s, metric);
            if (!isnan(y))
                points[n++] = (ls_chart_point){
                    .x = r->parts[i].from + width * (last > 0 ? step / last : 0), .y = y};
        }
    }
    return n;
}

static void append_charts(report *r)
{
    ls_str_append(&r->out, "<h2>Curves</h2><div class=\"charts\">\n");
    for (size_t c = 0; c < LS_COUNT(chart_rows); c++) {
        const chart_row *row = &chart_rows[c];
        ls_chart_series series[MAX_SERIES];
        size_t n = 0;
        for (; n < MAX_SERIES && row->metric[n]; n++) {
            size_t n_points = collect(r, row->metric[n], r->points[n]);
            series[n] = (ls_chart_series){.name = row->name[n],
                                          .points = r->points[n],
                                          .n = n_points,
                                          .has_dots = n_points <= 40};
        }
        ls_chart chart = {.title = row->title,
                          .unit = row->unit,
                          .note = row->note,
                          .series = series,
                          .n_series = n,
                          .parts = r->parts,
                          .n_parts = (size_t)r->n,
                          .from_zero = row->from_zero,
                          .is_share = row->is_share};
        (void)ls_chart_svg(&r->out, &chart);
    }
    ls_str_append(&r->out, "</div>\n");
}

static void append_text_cell(ls_str *out, const json_t *value)
{
    ls_str visible = LS_STR_INIT;
    const char *text = json_string_value(value);
    ls_str_append(out, "<td>");
    if (text) {
        /* newlines stay, other controls become visible */
        for (const char *line = text, *end;; line = end + 1) {
            end = strchr(line, '\n');
            ls_str_clear(&visible);
            ls_str_append_visible(&visible, line, end ? (size_t)(end - line) : strlen(line));
            ls_str_append_html(out, visible.data, visible.len);
            if (!end)
                break;
            ls_str_append_char(out, '\n');
        }
    }
    ls_str_append(out, "</td>");
    ls_str_release(&visible);
}

static void append_completion(ls_str *out, const json_t *row)
{
    const json_t *reward = json_object_get(row, "reward");
    double value = json_is_number(reward) ? json_number_value(reward) : NAN;
    ls_str_appendf(out, "<tr class=\"%s\"><td class=\"n\">%lld</td>",
                   isnan(value) ? ""
                   : value > 0  ? "ok"
                                : "no",
                   (long long)json_integer_value(json_object_get(row, "step")));
    append_text_cell(out, json_object_get(row, "prompt"));
    append_text_cell(out, json_object_get(row, "completion"));
    append_text_cell(out, json_object_get(row, "answer"));
    if (isnan(value))
        ls_str_append(out, "<td class=\"n\">cannot judge</td>");
    else
        ls_str_appendf(out, "<td class=\"n\">%.3g</td>", value);
    ls_str_appendf(out, "<td class=\"n\">%+.3f</td></tr>\n",
                   json_number_value(json_object_get(row, "advantage")));
}

static void append_completions(report *r)
{
    static const char table[] = "<table "
                                "class=\"text\"><tr><th>step</th><th>prompt</th><th>completion</"
                                "th><th>answer</th><th>reward</th>"
                                "<th>advantage</th></tr>\n";
    for (int64_t i = 0; i < r->n; i++) {
        const json_t *rows = r->runs[i].completions;
        size_t n = json_array_size(rows), shown = n / 2 < SHOWN ? n / 2 : SHOWN;
        if (n == 0)
            continue;
        ls_str_append(&r->out, "<h2>Sampled completions of ");
        ls_str_append_html(&r->out, base_name(r->runs[i].dir), strlen(base_name(r->runs[i].dir)));
        ls_str_append(&r->out, ": first and last</h2>");
        ls_str_append(&r->out, table);
        for (size_t k = 0; k < shown; k++)
            append_completion(&r->out, json_array_get(rows, k));
        ls_str_append(&r->out, "</table><br>");
        ls_str_append(&r->out, table);
        for (size_t k = n - (shown ? shown : n); k < n; k++)
            append_completion(&r->out, json_array_get(rows, k));
        ls_str_append(&r->out, "</table>\n");
    }
}

static void append_configs(report *r)
{
    ls_str_append(&r->out, "<h2>Configuration</h2>\n");
    for (int64_t i = 0; i < r->n; i++) {
        ls_str_append(&r->out, "<details><summary>");
        ls_str_append_html(&r->out, r->runs[i].dir, strlen(r->runs[i].dir));
        ls_str_append(&r->out, "</summary><pre>");
        ls_str_append_html(&r->out, r->runs[i].config.data, r->runs[i].config.len);
        ls_str_append(&r->out, "</pre></details>\n");
    }
}

static void lay_out_parts(report *r)
{
    for (int64_t i = 0; i < r->n; i++)
        r->parts[i] = (ls_chart_part){
            .name = base_name(r->runs[i].dir), .from = (double)i, .to = (double)(i + 1)};
}

static leash_status open_runs(report *r, const char *const *dirs, int64_t n)
{
    if (n < 1 || n > MAX_RUNS)
        return ls_fail(LEASH_USAGE, "a report is about 1 to %d runs, %lld were given", MAX_RUNS,
                       (long long)n);
    for (int64_t i = 0; i < n; i++, r->n++) {
        LS_TRY(ls_run_log_open(&r->runs[i], dirs[i]));
        r->n_points += json_array_size(r->runs[i].steps);
    }
    return LEASH_OK;
}

leash_status ls_report_write(const char *path, const char *const *run_dirs, int64_t n_runs)
{
    report *r = ls_calloc(1, sizeof *r);
    char when[32];
    ls_str_init(&r->out);
    leash_status status = open_runs(r, run_dirs, n_runs);
    if (status == LEASH_OK) {
        for (int s = 0; s < MAX_SERIES; s++)
            r->points[s] = ls_malloc((r->n_points + 1) * sizeof **r->points);
        lay_out_parts(r);
        ls_str_append(&r->out, page_head);
        ls_str_appendf(&r->out, "<h1>leash report</h1><small>%s</small>\n", ls_clock_utc(when));
        append_summary(r);
        append_charts(r);
        append_completions(r);
        append_configs(r);
        ls_str_append(&r->out, "</body></html>\n");
        status = ls_file_write_atomic(path, r->out.data, r->out.len);
    }
    for (int s = 0; s < MAX_SERIES; s++)
        ls_free(r->points[s]);
    for (int64_t i = 0; i < r->n; i++)
        ls_run_log_close(&r->runs[i]);
    ls_str_release(&r->out);
    ls_free(r);
    return status;
}
