/* Totals of a dataset, as lines for people and as one JSON object. */
#include "data/dataset.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct quantiles {
    int32_t least, median, p90, p99, most;
} quantiles;

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The q-quantile by nearest rank: the least length that at least q of the rows do not exceed. */
static int32_t quantile(const int32_t *sorted, int64_t n, int64_t percent)
{
    int64_t rank = (n * percent + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

static quantiles length_quantiles(const ls_dataset *d)
{
    int64_t n = d->n_rows;
    int32_t *lengths = ls_malloc(ls_mul_size((size_t)n, sizeof *lengths));
    for (int64_t i = 0; i < n; i++)
        lengths[i] = d->rows[i].n_tokens;
    qsort(lengths, (size_t)n, sizeof *lengths, by_value);
    quantiles q = {lengths[0], quantile(lengths, n, 50), quantile(lengths, n, 90),
                   quantile(lengths, n, 99), lengths[n - 1]};
    ls_free(lengths);
    return q;
}

static void summary_json(const ls_dataset *d, const quantiles *q, double share, ls_str *out)
{
    char number[32];
    ls_str_append(out, "{\"name\": ");
    ls_str_append_json(out, d->name, strlen(d->name));
    ls_str_appendf(out,
                   ", \"rows\": %" PRId64 ", \"tokens\": %" PRId64 ", \"trained_tokens\": %" PRId64
                   ", \"trained_share\": %s",
                   d->n_rows, d->n_tokens, d->n_trained, ls_format_double(number, share));
    ls_str_appendf(
        out, ", \"length\": {\"min\": %d, \"p50\": %d, \"p90\": %d, \"p99\": %d, \"max\": %d}",
        (int)q->least, (int)q->median, (int)q->p90, (int)q->p99, (int)q->most);
    ls_str_appendf(out,
                   ", \"max_prompt\": %d, \"truncated\": %" PRId64 ", \"dropped\": %" PRId64
                   ", \"hash\": \"%016" PRIx64 "\"}",
                   (int)d->max_prompt, d->n_truncated, d->n_dropped, d->hash);
}

void ls_dataset_summary(const ls_dataset *dataset, bool json, ls_str *out)
{
    const ls_dataset *d = dataset;
    LS_ASSERT(d->n_rows > 0);
    quantiles q = length_quantiles(d);
    double share = d->n_tokens ? (double)d->n_trained / (double)d->n_tokens : 0;
    if (json) {
        summary_json(d, &q, share, out);
        return;
    }
    ls_str_appendf(out, "data       %s\n", d->name);
    ls_str_appendf(out, "rows       %" PRId64 " (%" PRId64 " truncated, %" PRId64 " dropped)\n",
                   d->n_rows, d->n_truncated, d->n_dropped);
    ls_str_appendf(out, "tokens     %" PRId64 ", %" PRId64 " trained (%.1f%%)\n", d->n_tokens,
                   d->n_trained, 100 * share);
    ls_str_appendf(out, "length     min %d, median %d, p90 %d, p99 %d, max %d\n", (int)q.least,
                   (int)q.median, (int)q.p90, (int)q.p99, (int)q.most);
    ls_str_appendf(out, "prompt     max %d\n", (int)d->max_prompt);
    ls_str_appendf(out, "hash       %016" PRIx64 "\n", d->hash);
}
