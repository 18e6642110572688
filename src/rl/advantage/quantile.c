/* A quantile of the group as the baseline:
 *
 *     A_i = (R_i - Q) / (std + std_epsilon),   Q = least reward x of the group, #(R <= x) >= q n
 *
 * q is advantage_quantile.  With rewards of 0 and 1 and a pass rate p, Q is 0 while p <= 1 - q and
 * 1 above: a hard prompt teaches by its successes alone, an easy one by its failures alone, and
 * most completions have advantage 0.   Source: arXiv:2509.22611. */
#include "rl/advantage.h"

#include <math.h>

static double count_up_to(const ls_reward_batch *batch, int32_t group, double x)
{
    double n = 0;
    for (int64_t j = 0; j < batch->n_seqs; j++)
        n += batch->group[j] == group && batch->reward[j] <= x;
    return n;
}

static double group_quantile(const ls_reward_batch *batch, int32_t group, double n_wanted)
{
    double q = INFINITY;
    for (int64_t j = 0; j < batch->n_seqs; j++) {
        if (batch->group[j] == group && batch->reward[j] < q &&
            count_up_to(batch, group, batch->reward[j]) >= n_wanted)
            q = batch->reward[j];
    }
    return q;
}

/* Groups may lie in any order: the first sequence of a group speaks for all. */
static bool is_first_of_group(const ls_reward_batch *batch, int64_t i)
{
    for (int64_t j = 0; j < i; j++) {
        if (batch->group[j] == batch->group[i])
            return false;
    }
    return true;
}

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        if (!is_first_of_group(batch, i))
            continue;
        int32_t group = batch->group[i];
        const ls_group_stats *g = &groups[group];
        double q = group_quantile(batch, group, options->quantile * (double)g->n_scored);
        for (int64_t j = i; j < batch->n_seqs; j++) {
            if (batch->group[j] == group)
                advantage[j] = (batch->reward[j] - q) / (g->std + options->std_epsilon);
        }
    }
}

const ls_advantage ls_advantage_quantile = {
    .name = "quantile",
    .help = "reward minus a quantile of its group, over the group's standard deviation (QAE)",
    .source = "arXiv:2509.22611",
    .has_group_baseline = true,
    .run = run,
};
