/* What an evaluation prints: a table for people and one JSON object. */
#include "eval/evaluate.h"

#include <math.h>

static void append_share(ls_str *out, double share)
{
    if (isnan(share)) /* no problem had so many samples that could be judged */
        ls_str_append(out, "         -");
    else
        ls_str_appendf(out, "   %5.1f %%", 100 * share);
}

static void print_series(const ls_eval_result *r, ls_str *out)
{
    ls_str_append(out, "\n       k    pass@k   lenient     maj@k\n");
    for (int64_t i = 0; i < r->n_k; i++) {
        ls_str_appendf(out, "%8lld", (long long)r->k[i]);
        append_share(out, r->pass_at_k[i]);
        append_share(out, r->pass_at_k_lenient[i]);
        append_share(out, r->maj_at_k[i]);
        ls_str_append_char(out, '\n');
    }
    ls_str_append_char(out, '\n');
}

void ls_eval_print(const ls_eval_result *r, ls_str *out)
{
    ls_str_appendf(out, "problems    %lld, %lld completion%s each, %lld judged",
                   (long long)r->n_problems, (long long)r->n_samples, r->n_samples == 1 ? "" : "s",
                   (long long)r->n_judged);
    if (r->n_cannot_judge)
        ls_str_appendf(out, ", %lld cannot be judged", (long long)r->n_cannot_judge);
    ls_str_appendf(out, "\naccuracy    %5.1f %%  [%.1f, %.1f]  strict\n", 100 * r->strict.value,
                   100 * r->strict.low, 100 * r->strict.high);
    ls_str_appendf(out, "            %5.1f %%  [%.1f, %.1f]  lenient\n", 100 * r->lenient.value,
                   100 * r->lenient.low, 100 * r->lenient.high);
    if (r->n_k > 1)
        print_series(r, out);
    ls_str_appendf(out, "length      %.1f tokens, %.1f %% cut short, %.1f %% without an answer\n",
                   r->mean_length, 100 * r->clipped_ratio, 100 * r->no_answer);
    ls_str_appendf(out, "speed       %.0f tokens/s\n",
                   r->seconds > 0 ? (double)r->n_tokens / r->seconds : 0);
}

/* A JSON number, null when there is none. */
static const char *json_number(char buffer[32], double value)
{
    return isfinite(value) ? ls_format_double(buffer, value) : "null";
}

static void append_series(ls_str *out, const char *name, const int64_t *k, const double *value,
                          int64_t n)
{
    char number[32];
    ls_str_appendf(out, ", \"%s\": {", name);
    for (int64_t i = 0; i < n; i++)
        ls_str_appendf(out, "%s\"%lld\": %s", i ? ", " : "", (long long)k[i],
                       json_number(number, value[i]));
    ls_str_append_char(out, '}');
}

void ls_eval_json(const ls_eval_result *r, ls_str *out)
{
    char a[32], b[32], c[32];
    ls_str_appendf(
        out, "{\"problems\": %lld, \"samples\": %lld, \"judged\": %lld, \"cannot_judge\": %lld",
        (long long)r->n_problems, (long long)r->n_samples, (long long)r->n_judged,
        (long long)r->n_cannot_judge);
    ls_str_appendf(out, ", \"accuracy\": %s, \"accuracy_low\": %s, \"accuracy_high\": %s",
                   ls_format_double(a, r->strict.value), ls_format_double(b, r->strict.low),
                   ls_format_double(c, r->strict.high));
    ls_str_appendf(
        out,
        ", \"accuracy_lenient\": %s, \"accuracy_lenient_low\": %s, \"accuracy_lenient_high\": %s",
        ls_format_double(a, r->lenient.value), ls_format_double(b, r->lenient.low),
        ls_format_double(c, r->lenient.high));
    append_series(out, "pass@k", r->k, r->pass_at_k, r->n_k);
    append_series(out, "pass@k_lenient", r->k, r->pass_at_k_lenient, r->n_k);
    append_series(out, "maj@k", r->k, r->maj_at_k, r->n_k);
    ls_str_appendf(out, ", \"mean_length\": %s, \"clipped_ratio\": %s, \"no_answer\": %s",
                   ls_format_double(a, r->mean_length), ls_format_double(b, r->clipped_ratio),
                   ls_format_double(c, r->no_answer));
    ls_str_appendf(out, ", \"entropy\": %s, \"tokens\": %lld, \"seconds\": %s}",
                   ls_format_double(a, r->entropy), (long long)r->n_tokens,
                   ls_format_double(b, r->seconds));
}
