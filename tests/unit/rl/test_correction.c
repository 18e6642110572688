/* Corrections of the policy term against published numbers, and what they leave alone. */
#include "close.h"

#include <string.h>
#include "common_vector.h"
#include "rl/correction.h"

#define PRINTED 1e-6 /* factors pass through floats */

static const ls_rng_name name = {.seed = 5, .step = 1};

static ls_correction_report apply(float *advantage, float *anchor,
                                  const ls_correction_options *options, const leash_streams *view,
                                  const float *entropy)
{
    ls_correction_report report = LS_CORRECTION_REPORT_INIT;
    ls_correction_apply(advantage, anchor, &report, options, view, entropy, &name);
    return report;
}

static void assert_factors(ls_sampler_correction mode, double least, double most,
                           const double expected[4])
{
    static const int64_t start[] = {0, 4};
    static const float old_logp[] = {-0.5f, -1, -2, -0.1f}, mu[] = {-0.6f, -1.4f, -1, -3};
    float advantage[4] = {1, 1, 1, 1};
    ls_correction_options options = LS_CORRECTION_OPTIONS_INIT;
    options.sampler = mode;
    options.sampler_min = least;
    options.sampler_max = most;
    leash_streams view = {
        .n_tokens = 4, .n_seqs = 1, .seq_start = start, .old_logp = old_logp, .sampler_logp = mu};
    ls_correction_report report = apply(advantage, NULL, &options, &view, NULL);
    for (int t = 0; t < 4; t++)
        assert_close((double)advantage[t], expected[t], PRINTED);
    bool of_tokens = mode == LS_SAMPLER_TOKEN_TRUNCATE || mode == LS_SAMPLER_TOKEN_MASK;
    assert_int_equal(report.n_ratios, of_tokens ? 4 : 1);
    assert_close(report.ratio_max, of_tokens ? 18.1741453694 : 11.0231763806, PRINTED);
}

static void tv_importance_correction_has_its_published_factors(void **state)
{
    (void)state;
    static const double truncated[] = {1.10517091808, 1.49182469764, 0.367879441171, 2};
    static const double masked[] = {1.10517091808, 1.49182469764, 0, 0};
    static const double product[] = {11.0231763806, 11.0231763806, 11.0231763806, 11.0231763806};
    static const double three[] = {3, 3, 3, 3}, none[] = {0, 0, 0, 0};
    assert_factors(LS_SAMPLER_TOKEN_TRUNCATE, 0, 2, truncated);
    assert_factors(LS_SAMPLER_TOKEN_MASK, 0.5, 5, masked);
    assert_factors(LS_SAMPLER_SEQUENCE_TRUNCATE, 0, 12, product);
    assert_factors(LS_SAMPLER_SEQUENCE_TRUNCATE, 0, 3, three);
    assert_factors(LS_SAMPLER_SEQUENCE_MASK, 0, 12, product);
    assert_factors(LS_SAMPLER_SEQUENCE_MASK, 0, 3, none);
}

static void tv_entropy_mask_keeps_the_top_quantile_of_active_tokens(void **state)
{
    (void)state;
    static const int64_t start[] = {0, 4, 8, 10, 12};
    static const uint8_t flags[] = {0, 0, 0, LS_SEQ_MASKED};
    /* The published ten, and two of a masked sequence that must not count. */
    static const float entropy[] = {.1f, 2, .5f, 1.2f, .05f, .9f, 1.9f, .3f, .02f, .7f, 9, 9};
    float advantage[12];
    ls_correction_options options = LS_CORRECTION_OPTIONS_INIT;
    leash_streams view = {.n_tokens = 12, .n_seqs = 4, .seq_start = start, .flags = flags};
    for (int t = 0; t < 12; t++)
        advantage[t] = 1;
    options.top_entropy_quantile = 0.2;
    ls_correction_report report = apply(advantage, NULL, &options, &view, entropy);
    for (int t = 0; t < 10; t++)
        assert_true(advantage[t] == (t == 1 || t == 6));
    assert_int_equal(report.n_tokens, 10);
    assert_int_equal(report.n_masked, 8);
}

static void the_entropy_threshold_lies_between_its_neighbours(void **state)
{
    (void)state;
    /* 9 (1 - q) of the way through 0 1 2 .. 9: with q = 0.75 the threshold is 2.25. */
    static const int64_t start[] = {0, 10};
    static const float entropy[] = {9, 0, 8, 1, 7, 2, 6, 3, 5, 4};
    static const struct {
        double q;
        int n_kept;
    } rows[] = {{1, 10}, {0.999, 9}, {0.75, 7}, {0.667, 7}, {0.5, 5}, {0.01, 1}};
    leash_streams view = {.n_tokens = 10, .n_seqs = 1, .seq_start = start};
    for (size_t r = 0; r < LS_COUNT(rows); r++) {
        float advantage[10];
        int n_kept = 0;
        ls_correction_options options = LS_CORRECTION_OPTIONS_INIT;
        options.top_entropy_quantile = rows[r].q;
        for (int t = 0; t < 10; t++)
            advantage[t] = 1;
        apply(advantage, NULL, &options, &view, entropy);
        for (int t = 0; t < 10; t++)
            n_kept += advantage[t] != 0;
        assert_int_equal(n_kept, rows[r].n_kept);
    }
}

static void tv_covariances_choose_the_tokens_of_clip_cov_and_kl_cov(void **state)
{
    (void)state;
    /* Covariances 0.7125, -0.2625, -0.3375, 0.7875. */
    static const int64_t start[] = {0, 4};
    static const float old_logp[] = {-.2f, -1.5f, -.7f, -2.2f}, given[] = {1, 1, -.5f, -.5f};
    leash_streams view = {.n_tokens = 4, .n_seqs = 1, .seq_start = start, .old_logp = old_logp};
    ls_correction_options options = LS_CORRECTION_OPTIONS_INIT;
    float advantage[4], anchor[4];
    memcpy(advantage, given, sizeof given);
    options.kl_cov_ratio = 0.25;
    options.kl_cov_coef = 0.5;
    assert_int_equal(apply(advantage, anchor, &options, &view, NULL).n_held, 1);
    assert_true(anchor[3] == 0.5f && anchor[0] == 0 && anchor[1] == 0 && anchor[2] == 0);
    assert_memory_equal(advantage, given, sizeof given);
    options.kl_cov_ratio = 0.5;
    apply(advantage, anchor, &options, &view, NULL);
    assert_true(anchor[3] == 0.5f && anchor[0] == 0.5f && anchor[1] == 0 && anchor[2] == 0);

    options = (ls_correction_options)LS_CORRECTION_OPTIONS_INIT;
    options.clip_cov_ratio = 2e-4; /* at least one */
    options.clip_cov_min = 0.75;
    assert_int_equal(apply(advantage, NULL, &options, &view, NULL).n_masked, 1);
    assert_true(advantage[3] == 0 && advantage[0] == 1 && advantage[1] == 1);
    memcpy(advantage, given, sizeof given);
    options.clip_cov_min = 0.7;
    assert_int_equal(apply(advantage, NULL, &options, &view, NULL).n_masked, 1);
    assert_true((advantage[0] == 0) != (advantage[3] == 0));
    memcpy(advantage, given, sizeof given);
    options.clip_cov_min = 1;
    assert_int_equal(apply(advantage, NULL, &options, &view, NULL).n_masked, 0);
    assert_memory_equal(advantage, given, sizeof given);
}

static void clip_cov_draws_by_name_and_not_always_the_same(void **state)
{
    (void)state;
    enum { N = 100 };
    static const int64_t start[] = {0, N};
    float old_logp[N], first[N], again[N], other[N];
    for (int t = 0; t < N; t++) {
        old_logp[t] = t < N / 2 ? -0.5f : -4.5f; /* covariance 2 for all */
        first[t] = again[t] = other[t] = t < N / 2 ? 1.0f : -1.0f;
    }
    leash_streams view = {.n_tokens = N, .n_seqs = 1, .seq_start = start, .old_logp = old_logp};
    ls_correction_options options = LS_CORRECTION_OPTIONS_INIT;
    options.clip_cov_ratio = 0.2;
    assert_int_equal(apply(first, NULL, &options, &view, NULL).n_masked, 20);
    assert_int_equal(apply(again, NULL, &options, &view, NULL).n_masked, 20);
    assert_memory_equal(first, again, sizeof first);
    ls_rng_name next = name;
    next.step++;
    ls_correction_report report = LS_CORRECTION_REPORT_INIT;
    ls_correction_apply(other, NULL, &report, &options, &view, NULL, &next);
    assert_int_equal(report.n_masked, 20);
    assert_true(memcmp(first, other, sizeof first) != 0);
}

static void corrections_that_are_off_change_no_bit(void **state)
{
    (void)state;
    float advantage[10];
    ls_correction_options options = LS_CORRECTION_OPTIONS_INIT;
    leash_streams view = {
        .n_tokens = 10, .n_seqs = 4, .seq_start = common_start, .old_logp = common_old};
    memcpy(advantage, common_advantage, sizeof advantage);
    assert_false(ls_correction_is_on(&options));
    apply(advantage, NULL, &options, &view, NULL);
    assert_memory_equal(advantage, common_advantage, sizeof advantage);
    options.sampler = LS_SAMPLER_SEQUENCE_MASK; /* a sampler without a gap */
    view.sampler_logp = common_old;
    assert_true(ls_correction_is_on(&options));
    ls_correction_report report = apply(advantage, NULL, &options, &view, NULL);
    assert_memory_equal(advantage, common_advantage, sizeof advantage);
    assert_true(report.ratio_min == 1 && report.ratio_max == 1);
}

static void a_mask_leaves_normaliser_and_kl_alone(void **state)
{
    (void)state;
    static const float entropy[] = {2, 0, 2, 0, 2, 0, 2, 0, 2, 0};
    float advantage[10];
    ls_correction_options mask = LS_CORRECTION_OPTIONS_INIT;
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams view = {.n_tokens = 10, .n_seqs = 4, .seq_start = common_start};
    options.beta = 0.04;
    memcpy(advantage, common_advantage, sizeof advantage);
    mask.top_entropy_quantile = 0.5;
    apply(advantage, NULL, &mask, &view, entropy);
    common_result all = common_run("ppo-clip", "token-mean", &options, common_advantage);
    common_result some = common_run("ppo-clip", "token-mean", &options, advantage);
    assert_memory_equal(some.weight, all.weight, sizeof all.weight);
    assert_true(some.sums.kl_loss == all.sums.kl_loss);
    for (int t = 0; t < 10; t++) {
        if (entropy[t] > 0)
            assert_true(some.dlogp[t] == all.dlogp[t]);
    }
    assert_close(some.metrics.n_useful, 5, 0);
}

static void the_anchor_pulls_towards_the_policy_that_sampled(void **state)
{
    (void)state;
    static const int64_t start[] = {0, 3};
    static const float old_logp[] = {-1, -1, -1}, logp[] = {-0.5f, -1.25f, -1};
    static const float advantage[3], weight[] = {0.5f, 0.5f, 0.5f}, anchor[] = {2, 2, 2};
    float dlogp[3];
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_tokens = 3,
                             .n_seqs = 1,
                             .seq_start = start,
                             .old_logp = old_logp,
                             .advantage = advantage,
                             .weight = weight,
                             .anchor = anchor};
    leash_scores scores = {.logp = logp};
    leash_seeds seeds = {.dlogp = dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_ppo_clip, &options, &streams, &scores, &seeds, &sums);
    assert_close(sums.policy_loss, 0.75, 0);
    assert_true(dlogp[0] == 1 && dlogp[1] == -1 && dlogp[2] == 0);
}

static void off_policy_masking_measures_from_the_sampler(void **state)
{
    (void)state;
    static const int64_t start[] = {0, 1};
    static const float logp = -1, old_logp = -1, sampler_logp = -0.5f, advantage = -1, weight = 1;
    float dlogp;
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.off_policy_mask_threshold = 0.4;
    leash_streams streams = {.n_tokens = 1,
                             .n_seqs = 1,
                             .seq_start = start,
                             .old_logp = &old_logp,
                             .advantage = &advantage,
                             .weight = &weight};
    leash_scores scores = {.logp = &logp};
    leash_seeds seeds = {.dlogp = &dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_ppo_clip, &options, &streams, &scores, &seeds, &sums);
    assert_true(dlogp == 1 && sums.n_off_policy == 0);
    streams.sampler_logp = &sampler_logp;
    ls_objective_run(&ls_objective_ppo_clip, &options, &streams, &scores, &seeds, &sums);
    assert_true(dlogp == 0 && sums.n_off_policy == 1);
}

static void contradicting_corrections_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        ls_correction_options options;
        const char *named;
    } cases[] = {
        {{.top_entropy_quantile = 0}, "top_entropy_quantile"},
        {{.top_entropy_quantile = 1.5}, "top_entropy_quantile"},
        {{.top_entropy_quantile = 1,
          .sampler = LS_SAMPLER_TOKEN_MASK,
          .sampler_min = 2,
          .sampler_max = 1},
         "sampler_correction_min"},
        {{.top_entropy_quantile = 1, .clip_cov_ratio = 0.1, .kl_cov_ratio = 0.1}, "kl_cov_ratio"},
        {{.top_entropy_quantile = 1, .clip_cov_ratio = 0.1, .clip_cov_min = 5, .clip_cov_max = 1},
         "clip_cov_min"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        assert_int_equal(ls_correction_check(&cases[i].options), LEASH_USAGE);
        assert_non_null(strstr(leash_error(), cases[i].named));
    }
    ls_correction_options standard = LS_CORRECTION_OPTIONS_INIT;
    assert_int_equal(ls_correction_check(&standard), LEASH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tv_importance_correction_has_its_published_factors),
        cmocka_unit_test(tv_entropy_mask_keeps_the_top_quantile_of_active_tokens),
        cmocka_unit_test(the_entropy_threshold_lies_between_its_neighbours),
        cmocka_unit_test(tv_covariances_choose_the_tokens_of_clip_cov_and_kl_cov),
        cmocka_unit_test(clip_cov_draws_by_name_and_not_always_the_same),
        cmocka_unit_test(corrections_that_are_off_change_no_bit),
        cmocka_unit_test(a_mask_leaves_normaliser_and_kl_alone),
        cmocka_unit_test(the_anchor_pulls_towards_the_policy_that_sampled),
        cmocka_unit_test(off_policy_masking_measures_from_the_sampler),
        cmocka_unit_test(contradicting_corrections_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
