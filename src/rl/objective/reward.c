/* Losses of reward models: s is the value at the last trained token of a sequence.
 *
 *     reward            -(q log s(D) + (1 - q) log s(-D)) + c (s_c + s_r)^2,  D = s_c - s_r -
 *     margin
 *                       q = label of the chosen one, 1 where there is none (Bradley-Terry);
 *                       c = center_rewards_coefficient               arXiv:2312.09244 eq. 2; TRL
 *     reward-ranked     mean over all pairs of a group that is ordered best first  arXiv:2203.02155
 *     reward-listwise   -sum_k (s_k - log sum_{j >= k} e^{s_j})      Plackett-Luce, the same order
 *     reward-steps      -(y log s(v) + (1 - y) log s(-v)) at each trained token, where a step ends;
 *                       y = step_label                               arXiv:2305.20050, 2312.08935
 * s(.) is the logistic function.  A pair or group weighs what its sequences weigh: with the
 * aggregation seq-sum and groups of one size the loss is the mean over them.  reward-steps is a
 * mean over tokens, with token-mean.  Two classes whose logits are a and b are the value a - b.
 * Unit of margin: that of the scores. */
#include <math.h>
#include "rl/logistic.h"
#include "rl/objective.h"

static void count_score(ls_score_sums *s, double x)
{
    s->n++;
    s->sum += x;
    s->min = fmin(s->min, x);
    s->max = fmax(s->max, x);
}

static void count_pair(ls_score_sums *s, double better, double worse)
{
    s->n_pairs++;
    s->margin += better - worse;
    s->n_right += better > worse ? 1 : better == worse ? 0.5 : 0;
}

static void run_pairs(ls_objective_sums *sums, const ls_objective_options *options,
                      const leash_streams *streams, const leash_scores *scores,
                      const leash_seeds *seeds)
{
    LS_ASSERT_EQ(streams->n_seqs % 2, 0);
    for (int64_t i = 0; i < streams->n_seqs; i += 2) {
        ls_objective_span chosen = ls_objective_span_of(streams, i);
        ls_objective_span rejected = ls_objective_span_of(streams, i + 1);
        if (chosen.last < 0 || rejected.last < 0) {
            sums->preference.n_empty += chosen.last != rejected.last;
            continue;
        }
        double better = (double)scores->value[chosen.last];
        double worse = (double)scores->value[rejected.last];
        double weight = chosen.weight + rejected.weight, slope;
        double margin = streams->margin ? (double)streams->margin[i] : 0;
        double label = streams->label ? (double)streams->label[i] : 1;
        double centre = options->center_rewards_coefficient, sum = better + worse;
        double value = ls_pair_cross_entropy(&slope, better - worse - margin, label);
        sums->policy_loss += weight * (value + centre * sum * sum);
        seeds->dvalue[chosen.last] = (float)(weight * (slope + 2 * centre * sum));
        seeds->dvalue[rejected.last] = (float)(weight * (-slope + 2 * centre * sum));
        count_score(&sums->score, better);
        count_score(&sums->score, worse);
        count_pair(&sums->score, better, worse);
    }
}

typedef double list_fn(double *slope, const leash_streams *streams, const leash_scores *scores,
                       int64_t first, int64_t end, int64_t i);

static double score_at(const leash_streams *streams, const leash_scores *scores, int64_t i)
{
    return (double)scores->value[ls_objective_span_of(streams, i).last];
}

static bool is_in(const leash_streams *streams, int64_t i)
{
    return ls_objective_span_of(streams, i).last >= 0;
}

/* What member i of the list [first, end) adds to the list's loss; *slope: derivative of the whole
 * loss by its score. */
static double pairs_of(double *slope, const leash_streams *streams, const leash_scores *scores,
                       int64_t first, int64_t end, int64_t i)
{
    double value = 0, n = 0, mine = score_at(streams, scores, i);
    *slope = 0;
    for (int64_t j = first; j < end; j++)
        n += is_in(streams, j);
    double n_pairs = n * (n - 1) / 2;
    for (int64_t j = first; j < end; j++) {
        double by_margin;
        if (j == i || !is_in(streams, j))
            continue;
        double other = score_at(streams, scores, j), sign = i < j ? 1 : -1;
        double loss = ls_pair_cross_entropy(&by_margin, sign * (mine - other), 1);
        *slope += sign * by_margin / n_pairs;
        value += i < j ? loss / n_pairs : 0;
    }
    return value;
}

/* log sum_{j >= k} e^{s_j} */
static double log_rest(const leash_streams *streams, const leash_scores *scores, int64_t k,
                       int64_t end)
{
    double max = -INFINITY, sum = 0;
    for (int64_t j = k; j < end; j++)
        max = is_in(streams, j) ? fmax(max, score_at(streams, scores, j)) : max;
    for (int64_t j = k; j < end; j++)
        sum += is_in(streams, j) ? exp(score_at(streams, scores, j) - max) : 0;
    return sum > 0 ? max + log(sum) : -INFINITY;
}

static double plackett_luce(double *slope, const leash_streams *streams, const leash_scores *scores,
                            int64_t first, int64_t end, int64_t i)
{
    double mine = score_at(streams, scores, i);
    *slope = -1;
    for (int64_t k = first; k <= i; k++) {
        if (is_in(streams, k))
            *slope += exp(mine - log_rest(streams, scores, k, end));
    }
    return log_rest(streams, scores, i, end) - mine;
}

static void run_lists(ls_objective_sums *sums, const leash_streams *streams,
                      const leash_scores *scores, const leash_seeds *seeds, list_fn *list)
{
    for (int64_t first = 0, end; first < streams->n_seqs; first = end) {
        double weight = 0;
        int64_t n = 0;
        for (end = first; end < streams->n_seqs && streams->group[end] == streams->group[first];
             end++) {
            weight += ls_objective_span_of(streams, end).weight;
            n += is_in(streams, end);
        }
        for (int64_t i = first; i < end && n > 1; i++) {
            double slope;
            if (!is_in(streams, i))
                continue;
            sums->policy_loss += weight * list(&slope, streams, scores, first, end, i);
            seeds->dvalue[ls_objective_span_of(streams, i).last] = (float)(weight * slope);
            count_score(&sums->score, score_at(streams, scores, i));
            for (int64_t j = i + 1; j < end; j++) {
                if (is_in(streams, j))
                    count_pair(&sums->score, score_at(streams, scores, i),
                               score_at(streams, scores, j));
            }
        }
    }
}

static void run_ranked(ls_objective_sums *sums, const ls_objective_options *options,
                       const leash_streams *streams, const leash_scores *scores,
                       const leash_seeds *seeds)
{
    (void)options;
    run_lists(sums, streams, scores, seeds, pairs_of);
}

static void run_listwise(ls_objective_sums *sums, const ls_objective_options *options,
                         const leash_streams *streams, const leash_scores *scores,
                         const leash_seeds *seeds)
{
    (void)options;
    run_lists(sums, streams, scores, seeds, plackett_luce);
}

static void run_steps(ls_objective_sums *sums, const ls_objective_options *options,
                      const leash_streams *streams, const leash_scores *scores,
                      const leash_seeds *seeds)
{
    (void)options;
    for (int64_t t = 0; t < streams->n_tokens; t++) {
        double weight = (double)streams->weight[t], slope;
        if (weight == 0)
            continue;
        double value = (double)scores->value[t], label = (double)streams->step_label[t];
        sums->policy_loss += weight * ls_pair_cross_entropy(&slope, value, label);
        seeds->dvalue[t] = (float)(weight * slope);
        count_score(&sums->score, value);
        sums->score.n_steps++;
        sums->score.n_steps_right += (value > 0) == (label > 0.5);
    }
}

static leash_status check(const ls_objective_options *options)
{
    if (!(options->center_rewards_coefficient >= 0))
        return ls_fail(LEASH_USAGE, "center_rewards_coefficient is %g, expected 0 (off) or more",
                       options->center_rewards_coefficient);
    return LEASH_OK;
}

const ls_objective ls_objective_reward = {
    .name = "reward",
    .help = "Bradley-Terry loss of the scores of pairs, with margins, soft labels and centring",
    .source = "arXiv:2203.02155",
    .needs = LS_NEED_VALUE,
    .unit = LS_UNIT_PAIR,
    .is_unit_mean = true,
    .run_view = run_pairs,
    .check = check,
};

const ls_objective ls_objective_reward_ranked = {
    .name = "reward-ranked",
    .help = "Bradley-Terry loss of all pairs of ranked completions of a prompt",
    .source = "arXiv:2203.02155",
    .needs = LS_NEED_VALUE,
    .unit = LS_UNIT_GROUP,
    .is_unit_mean = true,
    .run_view = run_ranked,
};

const ls_objective ls_objective_reward_listwise = {
    .name = "reward-listwise",
    .help = "Plackett-Luce loss of ranked completions of a prompt",
    .source = "Plackett 1975",
    .needs = LS_NEED_VALUE,
    .unit = LS_UNIT_GROUP,
    .is_unit_mean = true,
    .run_view = run_listwise,
};

const ls_objective ls_objective_reward_steps = {
    .name = "reward-steps",
    .help = "binary cross-entropy of the scores at step ends (process reward model)",
    .source = "arXiv:2305.20050",
    .needs = LS_NEED_VALUE | LS_NEED_STEP_LABEL,
    .run_view = run_steps,
};
