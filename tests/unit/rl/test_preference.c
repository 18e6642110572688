/* The walk over pairs: weights, token factors, sorted losses, metrics; what DPO converges to, and
 * when the chosen completion loses likelihood. */
#include "close.h"

#include <string.h>
#include "rl/aggregation.h"
#include "rl/objective.h"

/* Inputs are floats: 1e-7 relative in sums of 30. */
#define FLOAT_INPUT 4e-6

/* Two pairs with log-probabilities -12 -14, -30 -28 over 8 10, 20 16 tokens. */
static const int64_t start[] = {0, 8, 18, 38, 54};
static const double sums_policy[] = {-12, -14, -30, -28};
static const double sums_ref[] = {-12.5, -13.2, -29.5, -28.4};

typedef struct result {
    float weight[54], logp[54], ref_logp[54], dlogp[54], sum_sq[54];
    ls_objective_metrics m;
} result;

static void fill(result *r)
{
    ls_aggregation_totals totals;
    ls_aggregation_input input = {.n_seqs = 4, .seq_start = start};
    assert_int_equal(
        ls_aggregation_weights(r->weight, &totals, ls_aggregation_find("seq-sum"), &input),
        LEASH_OK);
    for (int i = 0; i < 4; i++) {
        for (int64_t t = start[i], n = start[i + 1] - start[i]; t < start[i + 1]; t++) {
            r->logp[t] = (float)(sums_policy[i] / (double)n);
            r->ref_logp[t] = (float)(sums_ref[i] / (double)n);
            r->sum_sq[t] = -1;
        }
    }
}

static void run(result *r, const ls_objective_options *o, const uint8_t *flags)
{
    leash_streams streams = {.n_tokens = 54,
                             .n_seqs = 4,
                             .seq_start = start,
                             .flags = flags,
                             .ref_logp = r->ref_logp,
                             .weight = r->weight};
    leash_scores scores = {.logp = r->logp, .log_sum_sq = r->sum_sq};
    leash_seeds seeds = {.dlogp = r->dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_preference, o, &streams, &scores, &seeds, &sums);
    r->m = ls_objective_finish(&sums, o);
}

static ls_objective_options options_of(const char *loss_type, const char *loss_weights)
{
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = 0.1;
    assert_int_equal(ls_pair_options_parse(&o.pair, loss_type, loss_weights), LEASH_OK);
    return o;
}

static void dpo_is_the_mean_over_pairs_and_reports_it(void **state)
{
    (void)state;
    result r;
    ls_objective_options o = options_of("sigmoid", "");
    fill(&r);
    run(&r, &o, NULL);
    assert_close(r.m.loss, 0.684708766854, FLOAT_INPUT);
    for (int64_t t = 0; t < 8; t++)
        assert_close((double)r.dlogp[t], -0.0467545694 / 2, 1e-7);
    for (int64_t t = 38; t < 54; t++)
        assert_close((double)r.dlogp[t], 0.0522484825 / 2, 1e-7);
    assert_close(r.m.chosen_logp, -21, FLOAT_INPUT);
    assert_close(r.m.rejected_logp, -21, FLOAT_INPUT);
    assert_close(r.m.chosen_reward, 0, FLOAT_INPUT);
    assert_close(r.m.rejected_reward, -0.02, FLOAT_INPUT);
    assert_close(r.m.reward_margin, 0.02, FLOAT_INPUT);
    assert_close(r.m.reward_accuracy, 0.5, 0);
    assert_close(r.m.chosen_change, 0, FLOAT_INPUT);
    assert_close(r.m.rejected_change, -0.2, FLOAT_INPUT);
    assert_close(r.m.displaced, 0.5, 0);
    assert_close(r.m.token_change, (0.5 / 8 - 0.5 / 20) / 2, FLOAT_INPUT);
    assert_close(r.m.nll_loss, 1.5, FLOAT_INPUT);
    assert_true(isnan(r.m.kl) && isnan(r.m.score_mean) && isnan(r.m.value_loss));
}

static void mixtures_are_weighted_sums(void **state)
{
    (void)state;
    result r;
    ls_objective_options o = options_of("sigmoid,bco_pair,sft", "0.8,0.2,1");
    fill(&r);
    run(&r, &o, NULL);
    double bco = (1.32240661533 + 1.43180681524) / 2;
    assert_close(r.m.loss, 0.8 * 0.684708766854 + 0.2 * bco + 1.5, FLOAT_INPUT);
}

static void aot_has_its_published_losses(void **state)
{
    (void)state;
    result r;
    ls_objective_options o = options_of("aot", "");
    fill(&r);
    run(&r, &o, NULL);
    assert_close(r.m.loss, (0.739159339026 + 0.630258194682) / 2, FLOAT_INPUT);
    /* Margins -2 < 2 of the policy, 0.7 > -1.1 of the reference: pair 2 meets the reference's
     * -1.1. */
    assert_true(r.dlogp[0] < 0 && r.dlogp[18] < 0 && r.dlogp[8] > 0);
    assert_close((double)r.dlogp[18], -0.0522484825 / 2, 1e-7);
    o = options_of("aot_unpaired", "");
    run(&r, &o, NULL);
    assert_close(r.m.loss, (0.678259676341 + 0.688159680508) / 2, FLOAT_INPUT);
}

static void wpo_weighs_pairs_by_their_alignment(void **state)
{
    (void)state;
    /* log-probability less log sum p^2 of three tokens. */
    static const double logits[] = {1, 0, -1};
    static const double published[] = {0.264674335944, -0.735325664056, -1.73532566406};
    double sum = 0, twice = 0;
    for (int v = 0; v < 3; v++) {
        sum += exp(logits[v]);
        twice += exp(2 * logits[v]);
    }
    for (int v = 0; v < 3; v++)
        assert_close(logits[v] - log(sum) - (log(twice) - 2 * log(sum)), published[v], 1e-11);
    result plain, weighted;
    ls_objective_options o = options_of("sigmoid", "");
    fill(&plain);
    fill(&weighted);
    run(&plain, &o, NULL);
    o.pair.use_weighting = true;
    run(&weighted, &o, NULL);
    /* Means per token -1.5, -1.4 and -1.5, -1.75, all less -1. */
    double first = exp(-0.5 - 0.4), second = exp(-0.5 - 0.75);
    assert_close(weighted.m.loss, (first * 0.630258194682 + second * 0.739159339026) / 2,
                 FLOAT_INPUT);
    assert_close((double)weighted.dlogp[0], first * (double)plain.dlogp[0], 1e-8);
    assert_close((double)weighted.dlogp[53], second * (double)plain.dlogp[53], 1e-8);
}

static void ld_dpo_weighs_tokens_past_the_shorter_length(void **state)
{
    (void)state;
    result r;
    ls_objective_options o = options_of("sigmoid", "");
    o.pair.ld_alpha = 0.25;
    fill(&r);
    run(&r, &o, NULL);
    /* The rejected one of the first pair has two tokens past 8, the chosen one of the second four
     * past 16. */
    double d1 = 0.5 + 0.8 * 8.5 / 10, d2 = -0.5 * 17 / 20 - 0.4;
    double loss = (log1p(exp(-0.1 * d1)) + log1p(exp(-0.1 * d2))) / 2;
    assert_close(r.m.loss, loss, FLOAT_INPUT);
    assert_close((double)r.dlogp[16], 0.25 * (double)r.dlogp[15], 1e-9);
    assert_close((double)r.dlogp[37], 0.25 * (double)r.dlogp[33], 1e-9);
    assert_true(r.dlogp[37] == r.dlogp[34]);
}

static void xpo_pushes_completions_of_the_reference_down(void **state)
{
    (void)state;
    result with, without;
    static const uint8_t flags[4] = {0, LS_SEQ_FROM_REFERENCE, LS_SEQ_FROM_REFERENCE, 0};
    ls_objective_options o = options_of("sigmoid", "");
    fill(&with);
    fill(&without);
    run(&without, &o, flags);
    o.pair.xpo_alpha = 0.01;
    run(&with, &o, flags);
    assert_close(with.m.loss - without.m.loss, 0.01 * (-14 - 30) / 2, FLOAT_INPUT);
    assert_close((double)(with.dlogp[8] - without.dlogp[8]), 0.005, 1e-8);
    assert_true(with.dlogp[0] == without.dlogp[0]);
}

static void a_pair_with_an_empty_side_is_left_out_and_counted(void **state)
{
    (void)state;
    result r;
    ls_objective_options o = options_of("sigmoid", "");
    fill(&r);
    for (int64_t t = 8; t < 18; t++)
        r.weight[t] = 0;
    run(&r, &o, NULL);
    assert_close(r.m.n_pairs_empty, 1, 0);
    assert_close(r.m.loss, 0.739159339026 / 2, FLOAT_INPUT);
    for (int64_t t = 0; t < 18; t++)
        assert_true(r.dlogp[t] == 0);
}

/* A table of completions of one token: logits are the parameters, sequences are pairs (i, j). */
#define MOST 8

typedef struct table {
    int n;
    double logit[MOST], reference[MOST];
} table;

static double log_sum(const table *p)
{
    double sum = 0;
    for (int v = 0; v < p->n; v++)
        sum += exp(p->logit[v]);
    return log(sum);
}

/* One step of gradient descent on pairs with labels; returns the loss. */
static double descend(table *p, const ls_objective_options *o, const int (*pair)[2],
                      const float *label, int n_pairs, double rate)
{
    int64_t at[2 * 64 + 1];
    float logp[128], ref[128], weight[128], labels[128], dlogp[128];
    double gradient[MOST] = {0}, norm = log_sum(p), total = 0;
    for (int i = 0; i < 2 * n_pairs; i++) {
        int v = pair[i / 2][i % 2];
        at[i] = i;
        logp[i] = (float)(p->logit[v] - norm);
        ref[i] = (float)p->reference[v];
        weight[i] = 1.0f / (2 * (float)n_pairs);
        labels[i] = label ? label[i / 2] : 1;
    }
    at[2 * n_pairs] = 2 * n_pairs;
    leash_streams streams = {.n_tokens = 2 * n_pairs,
                             .n_seqs = 2 * n_pairs,
                             .seq_start = at,
                             .ref_logp = ref,
                             .weight = weight,
                             .label = labels};
    leash_scores scores = {.logp = logp};
    leash_seeds seeds = {.dlogp = dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_preference, o, &streams, &scores, &seeds, &sums);
    for (int i = 0; i < 2 * n_pairs; i++) {
        gradient[pair[i / 2][i % 2]] += (double)dlogp[i];
        total += (double)dlogp[i];
    }
    for (int v = 0; v < p->n; v++)
        p->logit[v] -= rate * (gradient[v] - total * exp(p->logit[v] - norm));
    return ls_objective_finish(&sums, o).loss;
}

static void dpo_on_its_population_reaches_the_tilted_reference(void **state)
{
    (void)state;
    static const double reward[] = {5, 2, 1},
                        tilted[] = {0.964135605, 0.02880089117, 0.007063503832};
    static const int pair[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    float label[3];
    table p = {.n = 3, .reference = {log(0.5), log(0.3), log(0.2)}};
    ls_objective_options o = options_of("sigmoid", "");
    o.beta = 1;
    memcpy(p.logit, p.reference, sizeof p.logit);
    for (int i = 0; i < 3; i++)
        label[i] = (float)(1 / (1 + exp(reward[pair[i][1]] - reward[pair[i][0]])));
    for (int step = 0; step < 4000; step++)
        (void)descend(&p, &o, pair, label, 3, 8);
    for (int v = 0; v < 3; v++)
        assert_close(exp(p.logit[v] - log_sum(&p)), tilted[v], 1e-5); /* float labels */
}

static void ipo_stops_where_dpo_does_not(void **state)
{
    (void)state;
    static const int pair[1][2] = {{0, 1}};
    table dpo = {.n = 2}, ipo = {.n = 2};
    ls_objective_options o = options_of("sigmoid", ""), oi = options_of("ipo_sum", "");
    o.beta = oi.beta = 0.5;
    for (int step = 0; step < 3000; step++) {
        (void)descend(&dpo, &o, pair, NULL, 1, 1);
        (void)descend(&ipo, &oi, pair, NULL, 1, 0.1);
    }
    assert_close(ipo.logit[0] - ipo.logit[1], 1, 1e-5); /* 1 / (2 beta) */
    assert_true(dpo.logit[0] - dpo.logit[1] > 10);
}

/* Log-linear completions: logit_v = <feature_v, parameter>.  The hidden states of the chosen and
 * the rejected one are orthogonal, or so alike that what pushes the one down takes the other along:
 * <S_w, S_l> > |S_w|^2. */
static double chosen_change(const ls_objective_options *o, bool is_alike)
{
    double feature[4][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 0}}, w[3] = {0};
    static const int pair[1][2] = {{0, 1}};
    if (is_alike)
        feature[1][0] = 1.3, feature[1][1] = 0.1;
    table p = {.n = 4};
    for (int v = 0; v < 4; v++)
        p.reference[v] = log(0.25);
    for (int step = 0; step < 400; step++) {
        for (int v = 0; v < 4; v++) {
            p.logit[v] = 0;
            for (int k = 0; k < 3; k++)
                p.logit[v] += feature[v][k] * w[k];
        }
        table moved = p;
        (void)descend(&moved, o, pair, NULL, 1, 0.1);
        for (int v = 0; v < 4; v++) {
            for (int k = 0; k < 3; k++)
                w[k] += feature[v][k] * (moved.logit[v] - p.logit[v]);
        }
    }
    return p.logit[0] - log_sum(&p) - p.reference[0];
}

static void alike_completions_fall_together_under_dpo_and_not_under_dpop(void **state)
{
    (void)state;
    ls_objective_options dpo = options_of("sigmoid", ""), dpop = options_of("dpop", "");
    dpo.beta = dpop.beta = 1;
    dpop.pair.dpop_lambda = 20;
    assert_true(chosen_change(&dpo, false) > 0.5);
    assert_true(chosen_change(&dpo, true) < -0.5);
    assert_true(chosen_change(&dpop, true) > -0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dpo_is_the_mean_over_pairs_and_reports_it),
        cmocka_unit_test(mixtures_are_weighted_sums),
        cmocka_unit_test(aot_has_its_published_losses),
        cmocka_unit_test(wpo_weighs_pairs_by_their_alignment),
        cmocka_unit_test(ld_dpo_weighs_tokens_past_the_shorter_length),
        cmocka_unit_test(xpo_pushes_completions_of_the_reference_down),
        cmocka_unit_test(a_pair_with_an_empty_side_is_left_out_and_counted),
        cmocka_unit_test(dpo_on_its_population_reaches_the_tilted_reference),
        cmocka_unit_test(ipo_stops_where_dpo_does_not),
        cmocka_unit_test(alike_completions_fall_together_under_dpo_and_not_under_dpop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
