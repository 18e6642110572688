/* Sampled completions without advantages: the best ones are imitated (RAFT, STaR, rejection
 * sampling), or the best and the worst of a prompt become a pair (online DPO).
 *
 * What is not imitated is dropped and does not count in the aggregation.  Pairs are copied into
 * run->regrouped, chosen and rejected side by side, and that is what the step's updates run over.
 * */
#include "train/run.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "rl/select.h"

bool ls_run_regroups(const ls_run *run)
{
    const ls_objective *objective = run->plan.objective;
    bool makes_pairs = ls_run_has_rollouts(run->o) && objective->unit == LS_UNIT_PAIR;
    return makes_pairs || objective == &ls_objective_kto || objective == &ls_objective_bco;
}

static bool is_equal(const ls_sequences *s, int64_t i, int64_t j)
{
    int64_t n = s->start[i + 1] - s->start[i];
    return n == s->start[j + 1] - s->start[j] &&
           memcmp(s->ids + s->start[i], s->ids + s->start[j], (size_t)n * sizeof *s->ids) == 0;
}

/* Marks completions that stand in their group before; groups are neighbours. */
static void find_duplicates(uint8_t *is_duplicate, const ls_sequences *s)
{
    for (int64_t i = 0; i < s->n_seqs; i++) {
        is_duplicate[i] = 0;
        for (int64_t j = i - 1; j >= 0 && s->group[j] == s->group[i] && !is_duplicate[i]; j--)
            is_duplicate[i] = is_equal(s, i, j);
    }
}

/* Rewards as selection sees them: what is masked is never selected.  In the last part of the
 * scratch; the first two are free. */
static ls_reward_batch batch_of(const ls_run *run)
{
    const ls_sequences *s = &run->sequences;
    double *reward = run->scratch + 2 * s->max_seqs;
    for (int64_t i = 0; i < s->n_seqs; i++) {
        bool is_masked = run->o->rl.mask_truncated_completions && (s->flags[i] & LS_SEQ_TRUNCATED);
        reward[i] = is_masked ? NAN : s->reward[i];
    }
    return (ls_reward_batch){.n_seqs = s->n_seqs,
                             .n_groups = s->n_groups,
                             .reward = reward,
                             .group = s->group,
                             .seq_start = s->target_start};
}

static int64_t select_best(ls_run *run, int64_t *n_empty)
{
    ls_sequences *s = &run->sequences;
    const ls_rl_options *o = &run->o->rl;
    ls_reward_batch batch = batch_of(run);
    uint8_t *keep = (uint8_t *)run->scratch, *is_duplicate = keep + s->n_seqs;
    find_duplicates(is_duplicate, s);
    double least = o->select_min_reward > LS_SELECT_ANY_REWARD ? o->select_min_reward : -INFINITY;
    ls_selection selection = ls_select_best(keep, is_duplicate, &batch, o->select_best, least);
    for (int64_t i = 0; i < s->n_seqs; i++)
        s->flags[i] |= keep[i] ? 0 : LS_SEQ_DROPPED;
    *n_empty = selection.n_groups_empty;
    return selection.n_kept;
}

static void copy_sequence(ls_sequences *out, const ls_sequences *s, int64_t i)
{
    const int32_t *ids = s->ids + s->start[i];
    int64_t n = s->start[i + 1] - s->start[i], n_prompt = s->n_prompt[i],
            k = ls_sequences_add_completion(out, ids, n_prompt, ids + n_prompt, n - n_prompt),
            to = out->target_start[k], from = s->target_start[i];
    size_t bytes = (size_t)(s->target_start[i + 1] - from) * sizeof(float);
    memcpy(out->old_logp + to, s->old_logp + from, bytes);
    memcpy(out->old_entropy + to, s->old_entropy + from, bytes);
    out->example[k] = s->example[i];
    out->line[k] = s->line[i];
    out->sample[k] = s->sample[i];
    out->group[k] = s->group[i];
    out->flags[k] = s->flags[i];
    out->reward[k] = s->reward[i];
}

static int64_t select_pairs(ls_run *run, ls_metrics *metrics)
{
    const ls_sequences *s = &run->sequences;
    ls_sequences *out = &run->regrouped;
    ls_reward_batch batch = batch_of(run);
    ls_select_pair *pairs = (ls_select_pair *)run->scratch; /* a group has two at the least */
    static_assert(sizeof *pairs <= 4 * sizeof *run->scratch, "pairs fit the scratch");
    int64_t n = ls_select_pairs(pairs, &batch, run->o->rl.select_min_margin);
    double margin = 0;
    ls_sequences_clear(out);
    for (int64_t i = 0; i < n; i++) {
        copy_sequence(out, s, pairs[i].chosen);
        copy_sequence(out, s, pairs[i].rejected);
        margin += pairs[i].margin;
    }
    out->n_groups = s->n_groups;
    run->trained = out;
    ls_metrics_set(metrics, "objective/scores_margin", n ? margin / (double)n : NAN);
    return n;
}

leash_status ls_run_select(ls_run *run, ls_metrics *metrics)
{
    const ls_sequences *s = &run->sequences;
    int64_t n_empty, n_kept;
    if (run->plan.objective->unit == LS_UNIT_PAIR) {
        int64_t n = select_pairs(run, metrics);
        n_kept = 2 * n;
        n_empty = s->n_groups - n;
    } else {
        n_kept = select_best(run, &n_empty);
    }
    ls_metrics_set(metrics, "selection/kept", (double)n_kept / (double)s->n_seqs);
    ls_metrics_set(metrics, "selection/groups_empty", (double)n_empty / (double)s->n_groups);
    return run->reference ? ls_run_score_reference(run, run->trained, metrics) : LEASH_OK;
}
