/* Which completions take part: degenerate groups, truncated completions, and the price of
 * length. */
#include "rl/filter.h"

#include "rl/waist.h"

int64_t ls_filter_groups(uint8_t *flags, ls_filter policy, const ls_reward_batch *batch,
                         const ls_group_stats *groups)
{
    if (policy == LS_FILTER_KEEP)
        return batch->n_groups;
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        if (groups[batch->group[i]].is_degenerate)
            flags[i] |= LS_SEQ_DROPPED;
    }
    int64_t n_kept = 0;
    for (int64_t g = 0; g < batch->n_groups; g++)
        n_kept += !groups[g].is_degenerate;
    return n_kept;
}

int64_t ls_refill_next(const ls_refill *refill)
{
    int64_t missing = refill->n_wanted - refill->n_kept;
    if (missing <= 0 || refill->n_rounds >= refill->max_rounds)
        return 0;
    if (refill->n_kept == 0)
        return refill->n_wanted;
    int64_t n = (missing * refill->n_sampled + refill->n_kept - 1) / refill->n_kept;
    return n < refill->n_wanted ? n : refill->n_wanted;
}

double ls_overlong_penalty(int64_t n, int64_t max_length, int64_t cache)
{
    if (n > max_length)
        return -1.0;
    int64_t free_length = max_length - cache;
    return n <= free_length ? 0.0 : (double)(free_length - n) / (double)cache;
}

void ls_filter_truncated(uint8_t *flags, int64_t n_seqs)
{
    for (int64_t i = 0; i < n_seqs; i++) {
        if (flags[i] & LS_SEQ_TRUNCATED)
            flags[i] |= LS_SEQ_MASKED;
    }
}
