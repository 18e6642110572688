/* Selection within groups.  Groups are small: ranks are counted, not sorted. */
#include "rl/select.h"

#include <math.h>

static bool is_candidate(const uint8_t *is_duplicate, const ls_reward_batch *batch, double least,
                         int64_t i)
{
    return batch->reward[i] >= least && !(is_duplicate && is_duplicate[i]);
}

/* How many candidates of i's group come before it. */
static int64_t rank_of(const uint8_t *is_duplicate, const ls_reward_batch *batch, double least,
                       int64_t i)
{
    int64_t rank = 0;
    for (int64_t j = 0; j < batch->n_seqs; j++) {
        bool is_before =
            batch->reward[j] > batch->reward[i] || (batch->reward[j] == batch->reward[i] && j < i);
        rank += batch->group[j] == batch->group[i] && is_before &&
                is_candidate(is_duplicate, batch, least, j);
    }
    return rank;
}

static int64_t kept_in(const uint8_t *keep, const ls_reward_batch *batch, int32_t group)
{
    int64_t n = 0;
    for (int64_t i = 0; i < batch->n_seqs; i++)
        n += batch->group[i] == group && keep[i];
    return n;
}

ls_selection ls_select_best(uint8_t *keep, const uint8_t *is_duplicate,
                            const ls_reward_batch *batch, int64_t most, double least)
{
    ls_selection s = {0};
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        keep[i] = is_candidate(is_duplicate, batch, least, i) &&
                  (most == 0 || rank_of(is_duplicate, batch, least, i) < most);
        s.n_kept += keep[i];
    }
    for (int64_t g = 0; g < batch->n_groups; g++)
        s.n_groups_empty += kept_in(keep, batch, (int32_t)g) == 0;
    return s;
}

void ls_select_weights(double *weight, const uint8_t *keep, const ls_reward_batch *batch)
{
    for (int64_t i = 0; i < batch->n_seqs; i++)
        weight[i] = keep[i] ? 1 / (double)kept_in(keep, batch, batch->group[i]) : 0;
}

int64_t ls_select_pairs(ls_select_pair *pair, const ls_reward_batch *batch, double least)
{
    int64_t n = 0;
    for (int64_t g = 0; g < batch->n_groups; g++) {
        ls_select_pair p = {-1, -1, 0};
        for (int64_t i = 0; i < batch->n_seqs; i++) {
            if (batch->group[i] != g || isnan(batch->reward[i]))
                continue;
            if (p.chosen < 0 || batch->reward[i] > batch->reward[p.chosen])
                p.chosen = i;
            if (p.rejected < 0 || batch->reward[i] < batch->reward[p.rejected])
                p.rejected = i;
        }
        if (p.chosen < 0)
            continue;
        p.margin = batch->reward[p.chosen] - batch->reward[p.rejected];
        if (p.margin > least && p.margin > 0)
            pair[n++] = p;
    }
    return n;
}
