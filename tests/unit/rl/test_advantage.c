/* Advantages: published rows, degenerate groups, and what must not change them. */
#include "close.h"

#include <string.h>
#include "base/rng.h"
#include "rl/advantage.h"
#include "rl/kl.h"

#define MOST 128
#define PRINTED 1e-11

static const int32_t one_group[MOST];
static const int64_t lengths_3_2_4_1[] = {0, 3, 5, 9, 10};

static ls_reward_batch batch_of(const double *reward, const int32_t *group, int64_t n,
                                int64_t n_groups)
{
    return (ls_reward_batch){.n_seqs = n, .n_groups = n_groups, .reward = reward, .group = group};
}

static leash_status compute(double *a, const char *name, double std_epsilon,
                            const ls_reward_batch *batch)
{
    ls_group_stats groups[MOST];
    ls_advantage_options options = {.std_epsilon = std_epsilon, .quantile = 0.4};
    LS_TRY(ls_group_stats_compute(groups, batch));
    return ls_advantage_compute(a, ls_advantage_find(name), &options, batch, groups);
}

/* Needs nothing but rewards and groups. */
static bool is_plain(const ls_advantage *estimator)
{
    return !estimator->needs_value && !estimator->needs_greedy;
}

static void assert_row(const char *name, double std_epsilon, const double *reward, int64_t n,
                       const double *expected)
{
    double a[MOST];
    ls_reward_batch batch = batch_of(reward, one_group, n, 1);
    assert_int_equal(compute(a, name, std_epsilon, &batch), LEASH_OK);
    for (int64_t i = 0; i < n; i++)
        assert_close(a[i], expected[i], PRINTED);
}

static void estimators_have_their_published_rows(void **state)
{
    (void)state;
    static const double reward[] = {1, 0, 0, 0};
    static const double trl[] = {1.49970005999, -0.499900019996, -0.499900019996, -0.499900019996};
    static const double small[] = {1.49999700001, -0.499999000002, -0.499999000002,
                                   -0.499999000002};
    static const double centred[] = {0.75, -0.25, -0.25, -0.25};
    static const double others[] = {1, -0.333333333333, -0.333333333333, -0.333333333333};
    assert_row("grpo", 1e-4, reward, 4, trl);
    assert_row("grpo", 1e-6, reward, 4, small);
    assert_row("group-mean", 1e-4, reward, 4, centred);
    assert_row("rloo", 1e-4, reward, 4, others);
    assert_row("batch-std", 1e-4, reward, 4, trl);
    assert_row("batch-mean", 1e-4, reward, 4, centred);
    assert_row("none", 1e-4, reward, 4, reward);
}

static void tv_adv_of_the_relatives_has_its_published_rows(void **state)
{
    (void)state;
    static const double reward[] = {1, 0, 0, 0}, ten[] = {0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
    static const double success[] = {3, -1, -1, -1}, best[] = {1, 0, 0, 0};
    static const double by_length[] = {0.7, -0.3, -0.3, -0.3};
    static const double whitened[] = {1.44913764357, -0.6210589901, -0.6210589901, -0.6210589901};
    double a[10];
    assert_row("maxrl", 1e-4, reward, 4, success);
    assert_row("pass-at-k", 1e-4, reward, 4, best);
    ls_reward_batch batch = batch_of(reward, one_group, 4, 1);
    batch.seq_start = lengths_3_2_4_1;
    assert_int_equal(compute(a, "opo", 1e-4, &batch), LEASH_OK);
    for (int i = 0; i < 4; i++)
        assert_close(a[i], by_length[i], PRINTED);
    assert_int_equal(compute(a, "reinforce-pp-baseline", 1e-4, &batch), LEASH_OK);
    for (int i = 0; i < 4; i++)
        assert_close(a[i], whitened[i], PRINTED);
    /* Pass rate 0.2 <= 1 - 0.4: the baseline is 0, failures have no advantage. */
    batch = batch_of(ten, one_group, 10, 1);
    assert_int_equal(compute(a, "quantile", 0, &batch), LEASH_OK);
    assert_true(a[0] == 0 && a[9] == 0);
    assert_close(a[2], 1 / sqrt(1.6 / 9), 1e-12);
}

static void tv_reinforce_pp_charges_the_kl_where_it_arises(void **state)
{
    (void)state;
    static const double whitened[] = {
        1.44705512337,   1.44912678425,   1.45119844513,   -0.620462432999, -0.618390772121,
        -0.624605754755, -0.622534093877, -0.624605754755, -0.624605754755, -0.612175789486};
    static const float old_logp[] = {-1.0f, -0.5f, -2.0f, -0.8f, -1.2f,
                                     -0.3f, -0.9f, -1.5f, -0.2f, -2.5f};
    static const float ref_logp[] = {-1.1f, -0.6f, -1.9f, -0.9f, -1.0f,
                                     -0.4f, -0.8f, -1.5f, -0.3f, -2.0f};
    double reward[] = {1, 0, 0, 0}, cost[10], a[4];
    float tokens[10];
    leash_streams streams = {.n_tokens = 10,
                             .n_seqs = 4,
                             .seq_start = lengths_3_2_4_1,
                             .old_logp = old_logp,
                             .ref_logp = ref_logp};
    ls_kl_shape_rewards(reward, cost, &streams, NULL, 0.01);
    assert_close(reward[0], 0.999, 1e-8);
    ls_reward_batch batch = batch_of(reward, one_group, 4, 1);
    batch.seq_start = lengths_3_2_4_1;
    batch.token_cost = cost;
    assert_int_equal(compute(a, "reinforce-pp", 1e-4, &batch), LEASH_OK);
    ls_advantage_options options = LS_ADVANTAGE_OPTIONS_INIT;
    ls_advantage_tokens(tokens, a, &ls_advantage_reinforce_pp, &options, &batch);
    for (int t = 0; t < 10; t++)
        assert_close((double)tokens[t], whitened[t], 1e-6); /* log-probabilities are floats */
    for (int i = 0; i < 4; i++)
        assert_true((float)a[i] == tokens[lengths_3_2_4_1[i]]);
    reward[1] = NAN;
    ls_advantage_tokens(tokens, a, &ls_advantage_reinforce_pp, &options, &batch);
    assert_true(tokens[3] == 0 && tokens[4] == 0 && tokens[2] > 0);
}

static void whitened_tokens_have_mean_0_and_variance_1(void **state)
{
    (void)state;
    static const double reward[] = {1, 0, 0, 0.25};
    static const char *const names[] = {"reinforce-pp", "reinforce-pp-baseline"};
    ls_reward_batch batch = batch_of(reward, one_group, 4, 1);
    batch.seq_start = lengths_3_2_4_1;
    for (size_t e = 0; e < LS_COUNT(names); e++) {
        double a[4], sum = 0, squares = 0;
        assert_int_equal(compute(a, names[e], 0, &batch), LEASH_OK);
        for (int64_t i = 0; i < 4; i++) {
            double n = (double)ls_reward_batch_length(&batch, i);
            sum += n * a[i];
            squares += n * a[i] * a[i];
        }
        assert_close(sum, 0, 1e-13);
        assert_close(squares, 9, 1e-13);
    }
}

static void
a_quantile_baseline_teaches_hard_groups_by_successes_and_easy_ones_by_failures(void **state)
{
    (void)state;
    for (int n_correct = 1; n_correct < 10; n_correct++) {
        double reward[10] = {0}, a[10];
        for (int i = 0; i < n_correct; i++)
            reward[i] = 1;
        ls_reward_batch batch = batch_of(reward, one_group, 10, 1);
        assert_int_equal(compute(a, "quantile", 1e-4, &batch), LEASH_OK);
        bool is_hard = n_correct <= 6; /* p <= 1 - 0.4 */
        assert_true(is_hard ? a[0] > 0 && a[9] == 0 : a[0] == 0 && a[9] < 0);
    }
}

static void two_equal_winners_teach_nothing_under_pass_at_k(void **state)
{
    (void)state;
    static const double reward[] = {1, 0, 1, 0.5, 3, 1.5, NAN, 0};
    static const int32_t group[] = {0, 0, 0, 0, 1, 1, 1, 1};
    static const double expected[] = {0, 0, 0, 0, 1.5, 0, 0, 0};
    double a[8];
    ls_reward_batch batch = batch_of(reward, group, 8, 2);
    assert_int_equal(compute(a, "pass-at-k", 1e-4, &batch), LEASH_OK);
    for (int i = 0; i < 8; i++)
        assert_true(a[i] == expected[i]);
}

static void maxrl_weighs_a_success_by_its_rarity(void **state)
{
    (void)state;
    static const double reward[] = {1, 0, 0, 0, 1, 1, 1, 0, -1, 0, 0, 0};
    static const int32_t group[] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2};
    double a[12];
    ls_reward_batch batch = batch_of(reward, group, 12, 3);
    assert_int_equal(compute(a, "maxrl", 1e-4, &batch), LEASH_OK);
    assert_close(a[0], 3, 0);
    assert_close(a[4], 1.0 / 3, 1e-15);
    assert_true(a[8] == 0 && a[9] == 0);
}

static void multi_reward_sums_have_their_published_rows(void **state)
{
    (void)state;
    static const double r1[] = {1, 0, 1, 0}, r2[] = {.2, .2, .9, .4}, sum[] = {1.2, .2, 1.9, .4};
    static const double z1[] = {0.865875429761, -0.865875429761, 0.865875429761, -0.865875429761};
    static const double z2[] = {-0.680778873103, -0.680778873103, 1.43719984322, -0.0756420970115};
    static const double z[] = {0.352297035096, -0.928783092525, 1.24905312443, -0.672567067001};
    assert_row("grpo", 1e-4, r1, 4, z1);
    assert_row("grpo", 1e-4, r2, 4, z2);
    assert_row("grpo", 1e-4, sum, 4, z);
}

static void a_small_real_spread_has_full_size_under_grpo(void **state)
{
    (void)state;
    static const double reward[] = {.9, .9, .9, .9001};
    static const double expected[] = {-0.490196078432, -0.490196078432, -0.490196078432,
                                      1.47058823529};
    double a[4];
    ls_reward_batch batch = batch_of(reward, one_group, 4, 1);
    assert_int_equal(compute(a, "grpo", 1e-6, &batch), LEASH_OK);
    for (int i = 0; i < 4; i++)
        assert_close(a[i], expected[i], 1e-9); /* 1e-4 is the difference of numbers near 1 */
}

static void equal_rewards_give_exactly_0_under_any_group_baseline(void **state)
{
    (void)state;
    static const double values[] = {0.9, 0.1, 0.5, 1.0, 1.0 / 3, 12345.678};
    for (int64_t e = 0; e < ls_n_advantages; e++) {
        if (!is_plain(ls_advantages[e]))
            continue;
        for (size_t v = 0; v < LS_COUNT(values); v++) {
            for (int64_t n = 2; n <= 16; n++) {
                double reward[16], a[16];
                for (int64_t i = 0; i < n; i++)
                    reward[i] = values[v];
                ls_reward_batch batch = batch_of(reward, one_group, n, 1);
                assert_int_equal(compute(a, ls_advantages[e]->name, 0, &batch), LEASH_OK);
                bool is_reward = strcmp(ls_advantages[e]->name, "none") == 0;
                for (int64_t i = 0; i < n; i++)
                    assert_true(a[i] == (is_reward ? values[v] : 0));
            }
        }
    }
}

static void rounding_noise_is_degenerate_and_a_spread_of_1e_minus_5_is_not(void **state)
{
    (void)state;
    static const double noise[] = {0.9, 0.9 + 1e-9}, signal[] = {0.9, 0.9 + 1e-5};
    double a[2];
    ls_reward_batch batch = batch_of(noise, one_group, 2, 1);
    assert_int_equal(compute(a, "grpo", 0, &batch), LEASH_OK);
    assert_true(a[0] == 0 && a[1] == 0);
    batch.reward = signal;
    assert_int_equal(compute(a, "grpo", 0, &batch), LEASH_OK);
    assert_close(a[1], sqrt(0.5), 1e-9);
}

static double uniform(uint32_t trial, uint32_t i)
{
    ls_rng_name name = {.seed = 11, .purpose = LS_RNG_TEST, .step = trial, .position = i};
    return ls_rng_uniform(&name);
}

static void z_scores_have_squares_that_sum_to_n_minus_1(void **state)
{
    (void)state;
    for (uint32_t trial = 0; trial < 100; trial++) {
        int64_t n = 2 + trial % 31;
        double reward[64], a[64], squares = 0, largest = 0;
        for (int64_t i = 0; i < n; i++)
            reward[i] = uniform(trial, (uint32_t)i);
        ls_reward_batch batch = batch_of(reward, one_group, n, 1);
        assert_int_equal(compute(a, "grpo", 0, &batch), LEASH_OK);
        for (int64_t i = 0; i < n; i++) {
            squares += a[i] * a[i];
            largest = fmax(largest, fabs(a[i]));
        }
        assert_close(squares, (double)(n - 1), 1e-12);
        assert_true(largest <= (double)(n - 1) / sqrt((double)n) + 1e-12);
    }
}

static void one_success_has_the_published_bound(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        double most;
    } rows[] = {{2, 0.707106781187}, {4, 1.5}, {8, 2.47487373415}, {16, 3.75}, {64, 7.875}};
    for (size_t r = 0; r < LS_COUNT(rows); r++) {
        double reward[64] = {1}, a[64];
        ls_reward_batch batch = batch_of(reward, one_group, rows[r].n, 1);
        assert_int_equal(compute(a, "grpo", 0, &batch), LEASH_OK);
        assert_close(a[0], rows[r].most, PRINTED);
    }
}

/* 5 groups of different size, interleaved. */
static void fill_groups(double *reward, int32_t *group, uint32_t trial)
{
    for (uint32_t i = 0; i < 40; i++) {
        group[i] = i < 10 ? (int32_t)(i / 2) : (int32_t)(5 * uniform(trial, 100 + i));
        reward[i] = uniform(trial, i);
    }
}

static void a_constant_added_to_all_rewards_changes_nothing(void **state)
{
    (void)state;
    for (int64_t e = 0; e < ls_n_advantages; e++) {
        if (!is_plain(ls_advantages[e]))
            continue;
        const char *name = ls_advantages[e]->name;
        if (strcmp(name, "none") == 0 || strcmp(name, "maxrl") == 0)
            continue; /* they measure from 0 */
        double reward[40], a[40], b[40];
        int32_t group[40];
        fill_groups(reward, group, 1);
        ls_reward_batch batch = batch_of(reward, group, 40, 5);
        assert_int_equal(compute(a, ls_advantages[e]->name, 1e-4, &batch), LEASH_OK);
        for (int i = 0; i < 40; i++)
            reward[i] += 3.5;
        assert_int_equal(compute(b, ls_advantages[e]->name, 1e-4, &batch), LEASH_OK);
        for (int i = 0; i < 40; i++)
            assert_close(b[i], a[i], 1e-13);
    }
}

static void a_scaled_reward_scales_centred_advantages_and_leaves_z_scores(void **state)
{
    (void)state;
    for (int64_t e = 0; e < ls_n_advantages; e++) {
        if (!is_plain(ls_advantages[e]))
            continue;
        const char *name = ls_advantages[e]->name;
        static const char *const normalised[] = {
            "grpo", "batch-std", "maxrl", "reinforce-pp", "reinforce-pp-baseline", "quantile"};
        bool is_normalised = false;
        for (size_t k = 0; k < LS_COUNT(normalised); k++)
            is_normalised = is_normalised || strcmp(name, normalised[k]) == 0;
        double reward[40], a[40], b[40];
        int32_t group[40];
        fill_groups(reward, group, 2);
        ls_reward_batch batch = batch_of(reward, group, 40, 5);
        assert_int_equal(compute(a, name, 0, &batch), LEASH_OK);
        for (int i = 0; i < 40; i++)
            reward[i] *= 7;
        assert_int_equal(compute(b, name, 0, &batch), LEASH_OK);
        for (int i = 0; i < 40; i++)
            assert_close(b[i], is_normalised ? a[i] : 7 * a[i], 1e-13);
    }
}

static void the_order_of_sequences_does_not_matter(void **state)
{
    (void)state;
    for (int64_t e = 0; e < ls_n_advantages; e++) {
        if (!is_plain(ls_advantages[e]))
            continue;
        for (uint32_t trial = 0; trial < 20; trial++) {
            double reward[40], shuffled[40], a[40], b[40];
            int32_t group[40], shuffled_group[40];
            fill_groups(reward, group, trial);
            for (uint64_t i = 0; i < 40; i++) {
                uint64_t from = ls_rng_permute(9, LS_RNG_TEST, trial, i, 40);
                shuffled[i] = reward[from];
                shuffled_group[i] = group[from];
            }
            ls_reward_batch x = batch_of(reward, group, 40, 5);
            ls_reward_batch y = batch_of(shuffled, shuffled_group, 40, 5);
            assert_int_equal(compute(a, ls_advantages[e]->name, 1e-4, &x), LEASH_OK);
            assert_int_equal(compute(b, ls_advantages[e]->name, 1e-4, &y), LEASH_OK);
            for (uint64_t i = 0; i < 40; i++)
                assert_close(b[i], a[ls_rng_permute(9, LS_RNG_TEST, trial, i, 40)], 1e-13);
        }
    }
}

static void an_unscorable_reward_has_advantage_0_and_no_part_in_statistics(void **state)
{
    (void)state;
    static const double with[] = {1, NAN, 0, 0, 0}, without[] = {1, 0, 0, 0};
    for (int64_t e = 0; e < ls_n_advantages; e++) {
        if (!is_plain(ls_advantages[e]))
            continue;
        double a[5], b[4];
        ls_reward_batch x = batch_of(with, one_group, 5, 1), y = batch_of(without, one_group, 4, 1);
        assert_int_equal(compute(a, ls_advantages[e]->name, 1e-4, &x), LEASH_OK);
        assert_int_equal(compute(b, ls_advantages[e]->name, 1e-4, &y), LEASH_OK);
        assert_true(a[1] == 0);
        assert_true(a[0] == b[0] && a[2] == b[1] && a[3] == b[2] && a[4] == b[3]);
    }
}

static void groups_with_one_or_no_scored_completion_have_no_signal(void **state)
{
    (void)state;
    static const double reward[] = {NAN, 1, NAN, NAN, 1, 0};
    static const int32_t group[] = {0, 0, 1, 1, 2, 2};
    for (int64_t e = 0; e < ls_n_advantages; e++) {
        if (!is_plain(ls_advantages[e]))
            continue;
        double a[6];
        ls_reward_batch batch = batch_of(reward, group, 6, 3);
        assert_int_equal(compute(a, ls_advantages[e]->name, 1e-4, &batch), LEASH_OK);
        assert_true(a[0] == 0 && a[2] == 0 && a[3] == 0);
        if (ls_advantages[e]->has_group_baseline)
            assert_true(a[1] == 0);
        assert_true(a[4] > 0);
    }
}

static void a_group_of_one_is_refused_under_a_group_baseline(void **state)
{
    (void)state;
    static const double reward[] = {1, 0, 0};
    static const int32_t group[] = {0, 0, 1};
    for (int64_t e = 0; e < ls_n_advantages; e++) {
        if (!is_plain(ls_advantages[e]))
            continue;
        double a[3];
        ls_reward_batch batch = batch_of(reward, group, 3, 2);
        leash_status status = compute(a, ls_advantages[e]->name, 1e-4, &batch);
        if (!ls_advantages[e]->has_group_baseline) {
            assert_int_equal(status, LEASH_OK);
            continue;
        }
        assert_int_equal(status, LEASH_USAGE);
        assert_non_null(strstr(leash_error(), "num_generations"));
    }
}

static void impossible_batches_are_refused(void **state)
{
    (void)state;
    static const double infinite[] = {1, INFINITY}, reward[] = {1, 0};
    static const int32_t outside[] = {0, 2}, negative[] = {-1, 0}, gap[] = {0, 0};
    double a[2];
    ls_reward_batch batch = batch_of(infinite, one_group, 2, 1);
    assert_int_equal(compute(a, "grpo", 1e-4, &batch), LEASH_DATA);
    batch = batch_of(reward, outside, 2, 2);
    assert_int_equal(compute(a, "grpo", 1e-4, &batch), LEASH_DATA);
    batch = batch_of(reward, negative, 2, 2);
    assert_int_equal(compute(a, "grpo", 1e-4, &batch), LEASH_DATA);
    batch = batch_of(reward, gap, 2, 2);
    assert_int_equal(compute(a, "grpo", 1e-4, &batch), LEASH_DATA);
}

static void the_report_counts_groups_before_any_filter(void **state)
{
    (void)state;
    static const double reward[] = {1, 1, 0, 0, 1, 0, NAN, NAN, -1, 1};
    static const int32_t group[] = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4};
    ls_group_stats groups[5];
    ls_reward_batch batch = batch_of(reward, group, 10, 5);
    assert_int_equal(ls_group_stats_compute(groups, &batch), LEASH_OK);
    ls_group_report report = ls_group_report_make(groups, &batch);
    assert_int_equal(report.n_degenerate, 3);
    assert_int_equal(report.n_all_correct, 1);
    assert_int_equal(report.n_all_wrong, 1);
    assert_int_equal(report.n_unscored, 2);
    assert_close(report.frac_reward_zero_std, 0.6, 1e-15);
    assert_close(report.reward_mean, (1 + 0 + 0.5 + 0) / 4, 1e-15);
    assert_close(report.reward_std, (sqrt(0.5) + sqrt(2.0)) / 4, 1e-15);
}

static void correctness_can_come_from_the_verifier_instead_of_the_reward(void **state)
{
    (void)state;
    static const double reward[] = {0.1, 0.1, 0.2, 0.1}; /* format points only */
    static const uint8_t is_correct[] = {0, 0, 0, 0};
    ls_group_stats groups[1];
    ls_reward_batch batch = batch_of(reward, one_group, 4, 1);
    assert_int_equal(ls_group_stats_compute(groups, &batch), LEASH_OK);
    assert_int_equal(groups[0].n_correct, 4);
    batch.is_correct = is_correct;
    assert_int_equal(ls_group_stats_compute(groups, &batch), LEASH_OK);
    assert_int_equal(ls_group_report_make(groups, &batch).n_all_wrong, 1);
}

static void batch_std_uses_one_scale_for_all_groups(void **state)
{
    (void)state;
    static const double reward[] = {1, 0, 0.51, 0.5};
    static const int32_t group[] = {0, 0, 1, 1};
    double a[4], mean = 2.01 / 4, squares = 0;
    ls_reward_batch batch = batch_of(reward, group, 4, 2);
    assert_int_equal(compute(a, "batch-std", 1e-4, &batch), LEASH_OK);
    for (int i = 0; i < 4; i++)
        squares += (reward[i] - mean) * (reward[i] - mean);
    double scale = sqrt(squares / 3) + 1e-4;
    assert_close(a[0], 0.5 / scale, 1e-12);
    assert_close(a[2], 0.005 / scale, 1e-12);
}

static void broadcast_gives_each_token_its_sequences_advantage(void **state)
{
    (void)state;
    static const int64_t start[] = {5, 7, 7, 8};
    static const double a[] = {1.5, 9, -0.5};
    float t[3];
    ls_advantage_broadcast(t, a, start, 3);
    assert_true(t[0] == 1.5f && t[1] == 1.5f && t[2] == -0.5f);
}

static void the_list_and_the_descriptors_agree(void **state)
{
    (void)state;
    static const char *const names[] = {
#define LS_ADVANTAGE_ROW(symbol, name) name,
#include "rl/advantage.def"
#undef LS_ADVANTAGE_ROW
    };
    for (int64_t i = 0; i < ls_n_advantages; i++) {
        assert_string_equal(ls_advantages[i]->name, names[i]);
        assert_ptr_equal(ls_advantage_find(names[i]), ls_advantages[i]);
    }
    assert_null(ls_advantage_find("no such"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimators_have_their_published_rows),
        cmocka_unit_test(tv_adv_of_the_relatives_has_its_published_rows),
        cmocka_unit_test(tv_reinforce_pp_charges_the_kl_where_it_arises),
        cmocka_unit_test(whitened_tokens_have_mean_0_and_variance_1),
        cmocka_unit_test(
            a_quantile_baseline_teaches_hard_groups_by_successes_and_easy_ones_by_failures),
        cmocka_unit_test(two_equal_winners_teach_nothing_under_pass_at_k),
        cmocka_unit_test(maxrl_weighs_a_success_by_its_rarity),
        cmocka_unit_test(multi_reward_sums_have_their_published_rows),
        cmocka_unit_test(a_small_real_spread_has_full_size_under_grpo),
        cmocka_unit_test(equal_rewards_give_exactly_0_under_any_group_baseline),
        cmocka_unit_test(rounding_noise_is_degenerate_and_a_spread_of_1e_minus_5_is_not),
        cmocka_unit_test(z_scores_have_squares_that_sum_to_n_minus_1),
        cmocka_unit_test(one_success_has_the_published_bound),
        cmocka_unit_test(a_constant_added_to_all_rewards_changes_nothing),
        cmocka_unit_test(a_scaled_reward_scales_centred_advantages_and_leaves_z_scores),
        cmocka_unit_test(the_order_of_sequences_does_not_matter),
        cmocka_unit_test(an_unscorable_reward_has_advantage_0_and_no_part_in_statistics),
        cmocka_unit_test(groups_with_one_or_no_scored_completion_have_no_signal),
        cmocka_unit_test(a_group_of_one_is_refused_under_a_group_baseline),
        cmocka_unit_test(impossible_batches_are_refused),
        cmocka_unit_test(the_report_counts_groups_before_any_filter),
        cmocka_unit_test(correctness_can_come_from_the_verifier_instead_of_the_reward),
        cmocka_unit_test(batch_std_uses_one_scale_for_all_groups),
        cmocka_unit_test(broadcast_gives_each_token_its_sequences_advantage),
        cmocka_unit_test(the_list_and_the_descriptors_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
