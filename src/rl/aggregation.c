/* The weight stream: mask, flags and lengths of a whole optimiser step become one weight per
 * token. */
#include "rl/aggregation.h"

#include <string.h>

static double n_tokens_total(const ls_aggregation_totals *totals, int64_t fixed_length)
{
    (void)fixed_length;
    return (double)totals->n_tokens;
}

static double n_seqs_total(const ls_aggregation_totals *totals, int64_t fixed_length)
{
    (void)fixed_length;
    return (double)totals->n_seqs;
}

static double n_seqs_times_length(const ls_aggregation_totals *totals, int64_t fixed_length)
{
    return (double)totals->n_seqs * (double)fixed_length;
}

const ls_aggregation ls_aggregations[] = {
#define LS_AGGREGATION_ROW(name, divides_by_length, normaliser, help, source) \
    {name, help, source, divides_by_length, normaliser},
#include "rl/aggregation.def"
#undef LS_AGGREGATION_ROW
};
const int64_t ls_n_aggregations = (int64_t)LS_COUNT(ls_aggregations);

const ls_aggregation *ls_aggregation_find(const char *name)
{
    for (int64_t i = 0; i < ls_n_aggregations; i++) {
        if (strcmp(ls_aggregations[i].name, name) == 0)
            return &ls_aggregations[i];
    }
    return NULL;
}

static uint8_t seq_flags(const ls_aggregation_input *input, int64_t i)
{
    return input->flags ? input->flags[i] : 0;
}

/* Unmasked tokens of sequence i. */
static int64_t seq_length(const ls_aggregation_input *input, int64_t i)
{
    if (seq_flags(input, i) & (LS_SEQ_MASKED | LS_SEQ_DROPPED))
        return 0;
    int64_t first = input->seq_start[i] - input->seq_start[0];
    int64_t end = input->seq_start[i + 1] - input->seq_start[0];
    if (!input->mask)
        return end - first;
    int64_t n = 0;
    for (int64_t t = first; t < end; t++)
        n += input->mask[t] != 0;
    return n;
}

leash_status ls_aggregation_weights(float *weight, ls_aggregation_totals *totals,
                                    const ls_aggregation *aggregation,
                                    const ls_aggregation_input *input)
{
    *totals = (ls_aggregation_totals){0};
    for (int64_t i = 0; i < input->n_seqs; i++) {
        int64_t n = seq_length(input, i);
        bool is_counted = !(seq_flags(input, i) & LS_SEQ_DROPPED);
        totals->n_seqs += is_counted;
        totals->n_tokens += n;
        totals->n_empty += is_counted && n == 0;
    }
    double normaliser = aggregation->normaliser(totals, input->fixed_length);
    if (totals->n_tokens > 0 && normaliser <= 0)
        return ls_fail(LEASH_USAGE,
                       "aggregation %s divides by a length of %lld tokens; set "
                       "max_completion_length to 1 or more",
                       aggregation->name, (long long)input->fixed_length);
    totals->normaliser = normaliser;
    for (int64_t i = 0; i < input->n_seqs; i++) {
        int64_t n = seq_length(input, i);
        int64_t first = input->seq_start[i] - input->seq_start[0];
        int64_t end = input->seq_start[i + 1] - input->seq_start[0];
        double divisor = aggregation->divides_by_length ? normaliser * (double)n : normaliser;
        for (int64_t t = first; t < end; t++) {
            bool is_trained = n > 0 && (!input->mask || input->mask[t]);
            weight[t] = is_trained ? (float)(1.0 / divisor) : 0.0f;
        }
    }
    return LEASH_OK;
}
