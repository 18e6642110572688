/* Totals of a dataset, as lines for people and as one JSON object. */
#include "data/dataset.h"

#include <inttypes.h>
#include <string.h>

typedef struct quantiles {
    int32_t least, median, p90, p99, most;
} quantiles;

/* The q-quantile by nearest rank: the least length that at least q of the sequences do not
 * exceed. */
static int32_t quantile(const ls_dataset *d, int64_t percent)
{
    int64_t rank = (d->n_sequences * percent + 99) / 100, n = 0;
    int32_t length = 0;
    for (; length < d->max_tokens; length++) {
        n += d->n_of_length[length];
        if (n >= rank && n > 0)
            break;
    }
    return length;
}

static quantiles length_quantiles(const ls_dataset *d)
{
    return (quantiles){quantile(d, 0), quantile(d, 50), quantile(d, 90), quantile(d, 99),
                       d->max_tokens};
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
