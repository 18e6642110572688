/* PPO with a critic: one published iteration, the estimator's limits, the value loss. */
#include "close.h"

#include <string.h>
#include "base/rng.h"
#include "rl/gae.h"
#include "rl/kl.h"
#include "rl/objective.h"
#include "rl/shaping.h"
#include "view_batch.h"

/* Log-probabilities and values are floats. */
#define FLOAT_INPUT 3e-7

static const float old_logp[4] = {-1.0f, -0.7f, -1.6f, -0.4f};
static const float ref_logp[4] = {-1.1f, -0.9f, -1.3f, -0.6f};
static const float old_value[4] = {0.2f, 0.35f, 0.3f, 0.6f};
static const int64_t start[] = {0, 4};
static const int32_t group[1];

static void gae_has_its_published_rows(void **state)
{
    (void)state;
    static const double k1[4] = {0.1, 0.2, -0.3, 0.2};
    static const struct {
        double gamma, lambda, advantage[4];
    } rows[] = {
        {1, 0.95, {0.70666375, 0.591225, 0.6855, 0.39}},
        {1, 1, {0.79, 0.645, 0.705, 0.39}},
        {1, 0, {0.145, -0.06, 0.315, 0.39}},
        {0.99, 0.95, {0.680016378249, 0.5725851975, 0.675795, 0.39}},
    };
    static const double ret[4] = {0.90666375, 0.941225, 0.9855, 0.99};
    double cost[4], advantage[4], got[4];
    for (int t = 0; t < 4; t++)
        cost[t] = 0.05 * k1[t];
    for (size_t r = 0; r < LS_COUNT(rows); r++) {
        ls_gae_input in = {.n = 4,
                           .score = 1,
                           .token_cost = cost,
                           .value = old_value,
                           .gamma = rows[r].gamma,
                           .lambda = rows[r].lambda};
        ls_gae(advantage, got, &in);
        for (int t = 0; t < 4; t++) {
            assert_close(advantage[t], rows[r].advantage[t], FLOAT_INPUT);
            if (r == 0)
                assert_close(got[t], ret[t], FLOAT_INPUT);
        }
    }
}

typedef struct iteration {
    double reward, cost[4];
    float advantage[4], ret[4];
} iteration;

/* From a score to whitened advantages, through the KL in the reward. */
static void iterate(iteration *i, const uint8_t *mask)
{
    leash_streams streams = {
        .n_tokens = 4, .n_seqs = 1, .seq_start = start, .old_logp = old_logp, .ref_logp = ref_logp};
    double first;
    i->reward = 1;
    (void)ls_kl_shape_rewards(&i->reward, i->cost, &streams, mask, 0.05);
    ls_reward_batch batch = {.n_seqs = 1,
                             .n_groups = 1,
                             .reward = &i->reward,
                             .group = group,
                             .seq_start = start,
                             .token_cost = i->cost,
                             .value = old_value,
                             .mask = mask};
    ls_group_stats groups[1];
    ls_advantage_options options = LS_ADVANTAGE_OPTIONS_INIT;
    assert_int_equal(ls_group_stats_compute(groups, &batch), LEASH_OK);
    assert_int_equal(ls_advantage_compute(&first, &ls_advantage_gae, &options, &batch, groups),
                     LEASH_OK);
    ls_advantage_tokens(i->advantage, &first, &ls_advantage_gae, &options, &batch);
    ls_gae_returns(i->ret, &options, &batch);
    if (!mask)
        assert_close(first, 0.70666375, FLOAT_INPUT);
}

static void an_iteration_has_its_published_advantages_and_returns(void **state)
{
    (void)state;
    static const double whitened[4] = {0.783905844064, -0.0146809534877, 0.637498408634,
                                       -1.40672329921};
    iteration i;
    iterate(&i, NULL);
    for (int t = 0; t < 4; t++)
        assert_close((double)i.advantage[t], whitened[t], 2e-6); /* differences of near floats */
    assert_close((double)i.ret[0], 0.90666375, FLOAT_INPUT);
    assert_close((double)i.ret[3], 0.99, FLOAT_INPUT);
}

static void masked_tokens_are_stepped_over(void **state)
{
    (void)state;
    static const uint8_t mask[4] = {1, 0, 1, 1};
    static const float without[3] = {0.2f, 0.3f, 0.6f};
    iteration i;
    double cost[3], advantage[3], ret[3];
    iterate(&i, mask);
    cost[0] = i.cost[0], cost[1] = i.cost[2], cost[2] = i.cost[3];
    ls_gae_input in = {
        .n = 3, .score = 1, .token_cost = cost, .value = without, .gamma = 1, .lambda = 0.95};
    ls_gae(advantage, ret, &in);
    assert_true(i.advantage[1] == 0 && i.ret[1] == 0);
    assert_close((double)i.ret[0], ret[0], FLOAT_INPUT);
    assert_close((double)i.ret[2], ret[1], FLOAT_INPUT);
    assert_close((double)i.ret[3], ret[2], FLOAT_INPUT);
}

static void the_update_has_its_published_loss_gradients_and_value_loss(void **state)
{
    (void)state;
    static const float logp[4] = {-0.7f, -0.75f, -1.9f, -0.3f},
                       value[4] = {0.5f, 0.3f, 0.7f, 0.65f};
    static const float quarter[4] = {0.25f, 0.25f, 0.25f, 0.25f};
    static const double gradients[4] = {0, 0.00349123871479, -0.118067609189, 0.388667419998};
    iteration i;
    float dlogp[4], dvalue[4];
    iterate(&i, NULL);
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.vf_coef = 0.5;
    assert_int_equal(ls_objective_check(&ls_objective_ppo_clip, &o), LEASH_OK);
    assert_true(ls_objective_needs(&ls_objective_ppo_clip, &o) & LS_NEED_RETURN);
    leash_streams streams = {.n_tokens = 4,
                             .n_seqs = 1,
                             .seq_start = start,
                             .old_logp = old_logp,
                             .advantage = i.advantage,
                             .weight = quarter,
                             .old_value = old_value,
                             .ret = i.ret};
    leash_scores scores = {.logp = logp, .value = value};
    leash_seeds seeds = {.dlogp = dlogp, .dvalue = dvalue};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_ppo_clip, &o, &streams, &scores, &seeds, &sums);
    ls_objective_metrics m = ls_objective_finish(&sums, &o);
    assert_close(m.policy_loss, 0.0389192963389, 2e-6);
    assert_close(m.clip_region_mean, 0.25, 0);
    for (int t = 0; t < 4; t++)
        assert_close((double)dlogp[t], gradients[t], 2e-6);
    assert_close(m.value_loss, 0.127398488274, FLOAT_INPUT);
    assert_close(m.value_clip, 0.5, 0);
    assert_close(m.loss, m.policy_loss + 0.5 * m.value_loss, 1e-15);
    assert_close((double)dvalue[0], 0.25 * 0.5 * (0.5 - 0.90666375) * 0, 0);
    assert_close((double)dvalue[3], 0.25 * 0.5 * (0.65 - 0.99), FLOAT_INPUT);

    /* The critic alone: the same loss at weight 1. */
    ls_objective_options alone = LS_OBJECTIVE_OPTIONS_INIT;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_critic, &alone, &streams, &scores, &seeds, &sums);
    assert_close(ls_objective_finish(&sums, &alone).loss, 0.127398488274, FLOAT_INPUT);
    /* The published share of variance is that of the values at sampling time. */
    scores.value = old_value;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_critic, &alone, &streams, &scores, &seeds, &sums);
    assert_close(ls_objective_finish(&sums, &alone).explained_variance, -12.3989657522,
                 1e-4); /* a small variance of returns near each other */
}

static void the_clip_has_its_published_grid(void **state)
{
    (void)state;
    static const float ratio[6] = {1.3f, 1.3f, 0.7f, 0.7f, 1.1f, 1.1f};
    static const float advantage[6] = {1, -1, 1, -1, 1, -1};
    static const double losses[6] = {-1.2, 1.3, -0.7, 0.8, -1.1, 1.1};
    static const double slopes[6] = {0, 1, -1, 0, -1, 1}; /* by the ratio */
    static const int64_t one_token[] = {0, 1};
    static const float one = 1, none = 0;
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    for (int i = 0; i < 6; i++) {
        float dlogp, logp = (float)log((double)ratio[i]);
        leash_streams streams = {.n_tokens = 1,
                                 .n_seqs = 1,
                                 .seq_start = one_token,
                                 .old_logp = &none,
                                 .advantage = &advantage[i],
                                 .weight = &one};
        leash_scores scores = {.logp = &logp};
        leash_seeds seeds = {.dlogp = &dlogp};
        ls_objective_sums sums;
        ls_objective_sums_init(&sums);
        ls_objective_run(&ls_objective_ppo_clip, &o, &streams, &scores, &seeds, &sums);
        assert_close(sums.policy_loss, losses[i], FLOAT_INPUT);
        assert_close((double)dlogp, slopes[i] * (double)ratio[i], FLOAT_INPUT);
    }
}

static double at(uint32_t i)
{
    ls_rng_name name = {.seed = 23, .purpose = LS_RNG_TEST, .position = i};
    return (double)ls_rng_below(&name, 2001) / 1000 - 1;
}

static void gae_with_lambda_one_equals_monte_carlo_return_less_value(void **state)
{
    (void)state;
    for (uint32_t trial = 0; trial < 50; trial++) {
        double cost[9], advantage[9], ret[9], rest = 0;
        float value[9];
        int64_t n = 1 + trial % 9;
        for (uint32_t t = 0; t < 9; t++) {
            cost[t] = at(100 * trial + t);
            value[t] = (float)at(100 * trial + 50 + t);
        }
        ls_gae_input in = {.n = n,
                           .score = at(trial),
                           .token_cost = cost,
                           .value = value,
                           .gamma = 1,
                           .lambda = 1};
        ls_gae(advantage, ret, &in);
        for (int64_t t = n - 1; t >= 0; t--) {
            rest += (t == n - 1 ? in.score : 0) - cost[t];
            assert_close(ret[t], rest, 1e-12);
            assert_close(advantage[t], rest - (double)value[t], 1e-12);
        }
    }
}

static void without_values_gae_is_the_return_of_each_token(void **state)
{
    (void)state;
    static const float zero[4];
    double reward[1] = {0.7}, cost[4] = {0.1, -0.2, 0.05, 0.3};
    float gae[4], returns[4];
    ls_advantage_options options = {.std_epsilon = 1e-4, .gamma = 1, .lam = 1};
    ls_reward_batch batch = {.n_seqs = 1,
                             .n_groups = 1,
                             .reward = reward,
                             .group = group,
                             .seq_start = start,
                             .token_cost = cost,
                             .value = zero};
    double unused = 0;
    ls_advantage_tokens(gae, &unused, &ls_advantage_gae, &options, &batch);
    ls_advantage_tokens(returns, &unused, &ls_advantage_reinforce_pp, &options, &batch);
    for (int t = 0; t < 4; t++)
        assert_close((double)gae[t], (double)returns[t], 1e-6); /* floats; other orders of sums */
}

static void an_unscorable_completion_has_no_advantage_and_no_part_in_whitening(void **state)
{
    (void)state;
    static const int64_t two[] = {0, 4, 8};
    static const int32_t groups[2] = {0, 0};
    static const float values[8] = {9, 9, 9, 9, 0.2f, 0.35f, 0.3f, 0.6f};
    double reward[2] = {NAN, 1}, alone[1] = {1}, unused[2];
    float both[8], one[4], ret[8];
    ls_advantage_options options = LS_ADVANTAGE_OPTIONS_INIT;
    ls_reward_batch batch = {.n_seqs = 2,
                             .n_groups = 1,
                             .reward = reward,
                             .group = groups,
                             .seq_start = two,
                             .value = values};
    ls_advantage_gae.run(unused, &options, &batch, NULL);
    ls_advantage_tokens(both, unused, &ls_advantage_gae, &options, &batch);
    ls_gae_returns(ret, &options, &batch);
    batch = (ls_reward_batch){.n_seqs = 1,
                              .n_groups = 1,
                              .reward = alone,
                              .group = groups,
                              .seq_start = start,
                              .value = values + 4};
    ls_advantage_tokens(one, unused, &ls_advantage_gae, &options, &batch);
    for (int t = 0; t < 4; t++) {
        assert_true(both[t] == 0 && ret[t] == 0);
        assert_true(both[4 + t] == one[t]);
    }
}

static void a_cut_completion_may_go_on_with_a_value(void **state)
{
    (void)state;
    double advantage[2], ret[2];
    static const float value[2] = {0.5f, 0.25f};
    ls_gae_input in = {.n = 2, .value = value, .value_after = 0.75, .gamma = 1, .lambda = 1};
    ls_gae(advantage, ret, &in);
    assert_close(ret[0], 0.75, 1e-15);
    assert_close(ret[1], 0.75, 1e-15);
}

static void equal_advantages_are_whitened_to_0(void **state)
{
    (void)state;
    static const float zero[4];
    double reward[1] = {1}, unused = 0;
    float a[4];
    ls_advantage_options options = {.std_epsilon = 1e-4, .gamma = 1, .lam = 1};
    ls_reward_batch batch = {.n_seqs = 1,
                             .n_groups = 1,
                             .reward = reward,
                             .group = group,
                             .seq_start = start,
                             .value = zero};
    ls_advantage_tokens(a, &unused, &ls_advantage_gae, &options, &batch);
    for (int t = 0; t < 4; t++)
        assert_true(a[t] == 0);
}

static void a_value_loss_beside_the_policy_term_is_differentiated(void **state)
{
    (void)state;
    view_batch b;
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.vf_coef = 0.3;
    view_fill(&b, 1);
    (void)view_run(&b, &ls_objective_ppo_clip, &o);
    view_batch given = b;
    int n_checked = 0;
    for (int t = 0; t < VIEW_TOKENS; t++) {
        double loss[2];
        double out = (double)given.value[t] - (double)given.old_value[t];
        if (given.weight[t] == 0) {
            assert_true(given.dvalue[t] == 0);
            continue;
        }
        if (fabs(fabs(out) - 0.2) < 0.002)
            continue;
        for (int side = 0; side < 2; side++) {
            b = given;
            b.value[t] += side ? -VIEW_STEP : VIEW_STEP;
            ls_objective_sums sums = view_run(&b, &ls_objective_ppo_clip, &o);
            loss[side] = ls_objective_finish(&sums, &o).loss;
        }
        /* Where the clipped error takes over within the step there is a kink. */
        double slope = (loss[0] - loss[1]) / (2 * (double)VIEW_STEP);
        n_checked += fabs(slope - (double)given.dvalue[t]) < 1e-8;
    }
    assert_true(n_checked > 30);
}

static void vf_coef_without_a_policy_term_is_refused(void **state)
{
    (void)state;
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.vf_coef = 0.1;
    assert_int_equal(ls_objective_check(&ls_objective_sft, &o), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "vf_coef"));
    o.vf_coef = 0;
    o.cliprange_value = -1;
    assert_int_equal(ls_objective_check(&ls_objective_critic, &o), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "cliprange_value"));
}

static void remax_has_its_published_row(void **state)
{
    (void)state;
    static const double reward[4] = {1, 0, 0, 0}, greedy[1] = {0.5};
    static const double published[4] = {0.5, -0.5, -0.5, -0.5};
    static const int32_t groups[4] = {0};
    double a[4];
    ls_group_stats stats[1];
    ls_advantage_options options = LS_ADVANTAGE_OPTIONS_INIT;
    ls_reward_batch batch = {
        .n_seqs = 4, .n_groups = 1, .reward = reward, .group = groups, .greedy_reward = greedy};
    assert_int_equal(ls_group_stats_compute(stats, &batch), LEASH_OK);
    assert_int_equal(ls_advantage_compute(a, &ls_advantage_remax, &options, &batch, stats),
                     LEASH_OK);
    for (int i = 0; i < 4; i++)
        assert_close(a[i], published[i], 0);
}

static void truncated_completions_pay(void **state)
{
    (void)state;
    static const uint8_t flags[3] = {0, LS_SEQ_TRUNCATED, LS_SEQ_TRUNCATED | LS_SEQ_MASKED};
    double reward[3] = {1, 1, -2};
    ls_shape_missing_eos(reward, flags, 3, 0.5);
    assert_true(reward[0] == 1 && reward[1] == 0.5 && reward[2] == -2.5);
    ls_shape_truncated(reward, flags, 3, 0.5);
    assert_true(reward[0] == 1 && reward[1] == 0.25 && reward[2] == -1.25);
    ls_shape_truncated(reward, flags, 3, -1);
    assert_true(reward[0] == 1 && reward[1] == -1 && reward[2] == -1);
    assert_true(ls_shape_stops_early(0.03, 0.02) && !ls_shape_stops_early(0.01, 0.02));
    assert_true(!ls_shape_stops_early(5, 0) && ls_shape_stops_early(NAN, 0.02));
}

/* Token rewards -0.1, 0.2 + 1 and 0: mean 1.1/3, variance 0.5233..; a completion that nobody judged
 * has no part. */
static void whitened_rewards_keep_their_mean_and_lose_their_scale(void **state)
{
    (void)state;
    static const int64_t starts[] = {0, 2, 4, 5};
    double reward[] = {1.1, NAN, 0}, cost[] = {0.1, -0.2, 7, 7, 0};
    double mean = 1.1 / 3, deviation = sqrt(0.52333333333333333 + 1e-8);
    ls_shape_whiten(reward, cost, starts, 3);
    assert_true(fabs(-cost[0] - ((-0.1 - mean) / deviation + mean)) < 1e-12);
    assert_true(fabs(-cost[1] - ((1.2 - mean) / deviation + mean)) < 1e-12);
    assert_true(fabs(-cost[4] - ((0 - mean) / deviation + mean)) < 1e-12);
    assert_true(cost[2] == 7 && cost[3] == 7 && isnan(reward[1]));
    assert_true(fabs(reward[0] + cost[0] + cost[1]) < 1e-12);
    assert_true(fabs(reward[0] + reward[2] - 1.1) < 1e-12); /* the sum of all is what it was */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gae_has_its_published_rows),
        cmocka_unit_test(an_iteration_has_its_published_advantages_and_returns),
        cmocka_unit_test(masked_tokens_are_stepped_over),
        cmocka_unit_test(the_update_has_its_published_loss_gradients_and_value_loss),
        cmocka_unit_test(the_clip_has_its_published_grid),
        cmocka_unit_test(gae_with_lambda_one_equals_monte_carlo_return_less_value),
        cmocka_unit_test(without_values_gae_is_the_return_of_each_token),
        cmocka_unit_test(an_unscorable_completion_has_no_advantage_and_no_part_in_whitening),
        cmocka_unit_test(a_cut_completion_may_go_on_with_a_value),
        cmocka_unit_test(equal_advantages_are_whitened_to_0),
        cmocka_unit_test(a_value_loss_beside_the_policy_term_is_differentiated),
        cmocka_unit_test(vf_coef_without_a_policy_term_is_refused),
        cmocka_unit_test(remax_has_its_published_row),
        cmocka_unit_test(truncated_completions_pay),
        cmocka_unit_test(whitened_rewards_keep_their_mean_and_lose_their_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
