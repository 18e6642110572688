/* What all advantage estimators share: statistics of groups, the rules for unscorable rewards and
 * degenerate groups. */
#include "rl/advantage.h"

#include <math.h>
#include <string.h>

const ls_advantage *const ls_advantages[] = {
#define LS_ADVANTAGE_ROW(symbol, name) &symbol,
#include "rl/advantage.def"
#undef LS_ADVANTAGE_ROW
};
const int64_t ls_n_advantages = (int64_t)LS_COUNT(ls_advantages);

/* A spread below this times max(1, |mean|) is rounding, not signal. */
#define DEGENERATE_SPREAD 1e-6

const ls_advantage *ls_advantage_find(const char *name)
{
    for (int64_t i = 0; i < ls_n_advantages; i++) {
        if (strcmp(ls_advantages[i]->name, name) == 0)
            return ls_advantages[i];
    }
    return NULL;
}

/* Statistics are built in two passes over the sequences: `mean` and `std` hold sums until they are
 * closed. */
static ls_group_stats stats_open(void)
{
    return (ls_group_stats){.min = INFINITY, .max = -INFINITY};
}

static void stats_add(ls_group_stats *s, const ls_reward_batch *batch, int64_t i)
{
    double reward = batch->reward[i];
    s->n_seqs++;
    if (isnan(reward))
        return;
    s->n_scored++;
    s->n_correct += batch->is_correct ? batch->is_correct[i] != 0 : reward > 0;
    s->mean += reward;
    s->min = fmin(s->min, reward);
    s->max = fmax(s->max, reward);
}

static void stats_close_mean(ls_group_stats *s)
{
    if (s->n_scored == 0)
        s->mean = s->min = s->max = NAN;
    else
        s->mean /= (double)s->n_scored;
}

static void stats_add_square(ls_group_stats *s, double reward)
{
    if (!isnan(reward))
        s->std += (reward - s->mean) * (reward - s->mean);
}

static void stats_close_std(ls_group_stats *s)
{
    s->std = s->n_scored > 1 ? sqrt(s->std / (double)(s->n_scored - 1)) : 0.0;
    s->is_degenerate =
        s->n_scored == 0 || s->max - s->min < DEGENERATE_SPREAD * fmax(1.0, fabs(s->mean));
}

leash_status ls_group_stats_compute(ls_group_stats *groups, const ls_reward_batch *batch)
{
    for (int64_t g = 0; g < batch->n_groups; g++)
        groups[g] = stats_open();
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        if (batch->group[i] < 0 || batch->group[i] >= batch->n_groups)
            return ls_fail(LEASH_DATA, "sequence %lld is in group %d, expected 0 to %lld",
                           (long long)i, batch->group[i], (long long)batch->n_groups - 1);
        if (isinf(batch->reward[i]))
            return ls_fail(LEASH_DATA,
                           "the reward of sequence %lld is infinite; expected a finite number, or "
                           "NaN for a completion that cannot be judged",
                           (long long)i);
        stats_add(&groups[batch->group[i]], batch, i);
    }
    for (int64_t g = 0; g < batch->n_groups; g++) {
        if (groups[g].n_seqs == 0)
            return ls_fail(LEASH_DATA, "group %lld of %lld has no sequence", (long long)g,
                           (long long)batch->n_groups);
        stats_close_mean(&groups[g]);
    }
    for (int64_t i = 0; i < batch->n_seqs; i++)
        stats_add_square(&groups[batch->group[i]], batch->reward[i]);
    for (int64_t g = 0; g < batch->n_groups; g++)
        stats_close_std(&groups[g]);
    return LEASH_OK;
}

ls_group_stats ls_batch_stats(const ls_reward_batch *batch)
{
    ls_group_stats s = stats_open();
    for (int64_t i = 0; i < batch->n_seqs; i++)
        stats_add(&s, batch, i);
    stats_close_mean(&s);
    for (int64_t i = 0; i < batch->n_seqs; i++)
        stats_add_square(&s, batch->reward[i]);
    stats_close_std(&s);
    return s;
}

ls_group_report ls_group_report_make(const ls_group_stats *groups, const ls_reward_batch *batch)
{
    ls_group_report report = {.n_groups = batch->n_groups};
    int64_t n_scored_groups = 0;
    for (int64_t g = 0; g < batch->n_groups; g++) {
        const ls_group_stats *s = &groups[g];
        report.n_degenerate += s->is_degenerate;
        report.n_unscored += s->n_seqs - s->n_scored;
        if (s->n_scored == 0)
            continue;
        n_scored_groups++;
        report.n_all_correct += s->n_correct == s->n_scored;
        report.n_all_wrong += s->n_correct == 0;
        report.reward_mean += s->mean;
        report.reward_std += s->std;
    }
    double n = n_scored_groups ? (double)n_scored_groups : NAN;
    report.reward_mean /= n;
    report.reward_std /= n;
    report.frac_reward_zero_std =
        batch->n_groups ? (double)report.n_degenerate / (double)batch->n_groups : NAN;
    return report;
}

leash_status ls_advantage_compute(double *advantage, const ls_advantage *estimator,
                                  const ls_advantage_options *options, const ls_reward_batch *batch,
                                  const ls_group_stats *groups)
{
    for (int64_t g = 0; estimator->has_group_baseline && g < batch->n_groups; g++) {
        if (groups[g].n_seqs < 2)
            return ls_fail(LEASH_USAGE,
                           "group %lld has one completion, but advantage_estimator %s compares "
                           "completions of one prompt; set num_generations to 2 or more, or "
                           "advantage_estimator to batch-mean or none",
                           (long long)g, estimator->name);
    }
    estimator->run(advantage, options, batch, groups);
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        bool is_degenerate = estimator->has_group_baseline && groups[batch->group[i]].is_degenerate;
        if (is_degenerate || isnan(batch->reward[i]))
            advantage[i] = 0.0;
    }
    return LEASH_OK;
}

int64_t ls_reward_batch_length(const ls_reward_batch *batch, int64_t i)
{
    return batch->seq_start ? batch->seq_start[i + 1] - batch->seq_start[i] : 1;
}

void ls_advantage_tokens(float *token_advantage, const double *advantage,
                         const ls_advantage *estimator, const ls_advantage_options *options,
                         const ls_reward_batch *batch)
{
    LS_ASSERT(batch->seq_start != NULL);
    if (!estimator->run_tokens) {
        ls_advantage_broadcast(token_advantage, advantage, batch->seq_start, batch->n_seqs);
        return;
    }
    estimator->run_tokens(token_advantage, options, batch);
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        int64_t first = batch->seq_start[i] - batch->seq_start[0];
        if (isnan(batch->reward[i]))
            memset(token_advantage + first, 0,
                   (size_t)ls_reward_batch_length(batch, i) * sizeof(float));
    }
}

void ls_advantage_broadcast(float *token_advantage, const double *advantage,
                            const int64_t *seq_start, int64_t n_seqs)
{
    for (int64_t i = 0; i < n_seqs; i++) {
        for (int64_t t = seq_start[i]; t < seq_start[i + 1]; t++)
            token_advantage[t - seq_start[0]] = (float)advantage[i];
    }
}
