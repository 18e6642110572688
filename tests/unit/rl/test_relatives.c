/* The relatives of the clipped surrogate against their published losses and gradients, and what
 * they have in common on the policy that sampled. */
#include "close.h"

#include <string.h>
#include "common_vector.h"

static void assert_gradients(const float *dlogp, const double expected[10], int kink)
{
    for (int t = 0; t < 10; t++) {
        if (t != kink)
            assert_close((double)dlogp[t], expected[t], FLOAT_INPUT);
    }
}

static void tv_gspo_has_its_published_loss_and_gradients(void **state)
{
    (void)state;
    static const double narrow[10] = {0,       0,       0,       0,       0,
                                      0.03125, 0.03125, 0.03125, 0.03125, 0.506899996};
    static const double wide[10] = {-0.150151843, -0.150151843, -0.150151843, 0.0537942485,
                                    0.0537942485, 0.03125,      0.03125,      0.03125,
                                    0.03125,      0.506899996};
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.importance_sampling_level = LS_RATIO_SEQUENCE;
    options.epsilon = 3e-4;
    options.epsilon_high = 4e-4;
    common_result r = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    assert_close(r.metrics.loss, 0.381712495856, FLOAT_INPUT);
    assert_gradients(r.dlogp, narrow, -1);
    assert_close(r.metrics.clip_low_mean, 0.2, 1e-12);
    assert_close(r.metrics.clip_high_mean, 0.3, 1e-12);
    options.epsilon = 0.2;
    options.epsilon_high = 0.28;
    r = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    assert_close(r.metrics.loss, 0.289032963058, FLOAT_INPUT);
    assert_gradients(r.dlogp, wide, -1);
    assert_close(r.metrics.ratio_min, 0.860707976425, FLOAT_INPUT);
    r = common_run("ppo-clip", "seq-sum", &options, common_advantage);
    assert_close(r.metrics.loss, -0.129289599591, FLOAT_INPUT); /* LUSPO */
}

static void tv_gspo_token_equals_gspo_where_the_advantage_is_constant(void **state)
{
    (void)state;
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    options.importance_sampling_level = LS_RATIO_SEQUENCE;
    common_result gspo = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    options.importance_sampling_level = LS_RATIO_SEQUENCE_TOKEN;
    common_result token = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    assert_true(gspo.metrics.loss == token.metrics.loss);
    for (int t = 0; t < 10; t++) /* n weights of 1/n, rounded to floats once more */
        assert_close((double)token.dlogp[t], (double)gspo.dlogp[t], 1e-7);
    static const float varied[10] = {1, 0, 0, -0.5f, -0.5f, -0.5f, -0.5f, -0.5f, -0.5f, -0.5f};
    token = common_run("ppo-clip", "seq-mean", &options, varied);
    assert_true(token.dlogp[0] < 0 && token.dlogp[1] == 0 && token.dlogp[2] == 0);
    options.importance_sampling_level = LS_RATIO_SEQUENCE;
    gspo = common_run("ppo-clip", "seq-mean", &options, varied);
    assert_true(gspo.dlogp[0] < 0 && gspo.dlogp[0] == gspo.dlogp[1]);
}

static void tv_rloo_ratio_is_the_product_over_the_completion(void **state)
{
    (void)state;
    static const double rho[4] = {1.73325301787, 0.740818220682, 1, 4.05519996684};
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.importance_sampling_level = LS_RATIO_SEQUENCE_PRODUCT;
    options.epsilon = 100; /* nothing clips: dl/dlogp_t = -rho A / B for every token of i */
    common_result r = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    double loss = 0;
    for (int i = 0; i < 4; i++) {
        double term = -rho[i] * (double)common_advantage[common_start[i]] / 4;
        loss += term;
        for (int64_t t = common_start[i]; t < common_start[i + 1]; t++)
            assert_close((double)r.dlogp[t], term, FLOAT_INPUT);
    }
    assert_close(r.metrics.loss, loss, FLOAT_INPUT);
    options.epsilon = 0.2; /* o1 and o2 clip: -1.2 * 1.5, 0.8 * 0.5 */
    r = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    assert_close(r.metrics.loss, (-1.8 + 0.4 + 0.5 + 0.5 * rho[3]) / 4, FLOAT_INPUT);
    assert_true(r.dlogp[0] == 0 && r.dlogp[3] == 0 && r.dlogp[5] > 0 && r.dlogp[9] > 0);
}

static void tv_cispo_has_its_published_loss_and_gradients_under_both_bounds(void **state)
{
    (void)state;
    static const double relative[10] = {-0.192, -0.142684414, -0.192, 0.0335160023, 0.0552585459,
                                        0.05,   0.05,         0.05,   0.05,         0.064};
    static const double absolute[10] = {-0.202478821, -0.142684414, -0.202478821, 0.0335160023,
                                        0.0552585459, 0.05,         0.05,         0.05,
                                        0.05,         0.202759998};
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon = 1; /* no lower bound */
    options.epsilon_high = 0.28;
    common_result r = common_run("cispo", "token-mean", &options, common_advantage);
    assert_close(r.metrics.loss, 0.222872824265, FLOAT_INPUT);
    assert_gradients(r.dlogp, relative, -1);
    assert_close(r.metrics.clip_high_mean, 0.2, 1e-12);
    options.epsilon = 0.2;
    r = common_run("cispo", "token-mean", &options, common_advantage);
    assert_close(r.metrics.loss, 0.215092027027, FLOAT_INPUT);
    options.epsilon = 1;
    options.epsilon_high = -1;
    options.cispo_max_ratio = 5;
    r = common_run("cispo", "token-mean", &options, common_advantage);
    assert_close(r.metrics.loss, 0.0953859968159, FLOAT_INPUT);
    assert_gradients(r.dlogp, absolute, -1);
    assert_close(r.metrics.clip_high_mean, 0, 0);
}

static void tv_sapo_has_its_published_loss_and_gradients(void **state)
{
    (void)state;
    static const double gradients[10] = {-0.163672625, -0.118833001, -0.163672625, 0.0406645854,
                                         0.0688630285, 0.03125,      0.03125,      0.03125,
                                         0.03125,      0.0757442553};
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    common_result r = common_run("sapo", "seq-mean", &options, common_advantage);
    assert_close(r.metrics.loss, 0.0895493366754, FLOAT_INPUT);
    assert_gradients(r.dlogp, gradients, -1);
}

static void tv_gmpo_has_its_published_loss_and_gradients(void **state)
{
    (void)state;
    static const double gradients[10] = {-0.150151843, -0.150151843, -0.150151843, 0.026897131,
                                         0.0537942485, 0.03125,      0.03125,      0.03125,
                                         0.03125,      0.506899996};
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon = 0.4;
    common_result r = common_run("gmpo", "seq-mean", &options, common_advantage);
    assert_close(r.metrics.loss, 0.289032963058, FLOAT_INPUT);
    /* Token 3 has d = -epsilon: a kink, where the published number is the mean of both sides. */
    assert_gradients(r.dlogp, gradients, 3);
    assert_true(r.dlogp[3] == 0 || fabs((double)r.dlogp[3] - 0.0537942485) < FLOAT_INPUT);
}

static void tv_vespo_has_its_published_kernel_and_loss(void **state)
{
    (void)state;
    static const double phi[4] = {0.33295129745, 0.682743225286, 1, 0.148021176101};
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    common_result r = common_run("vespo", "token-mean", &options, common_advantage);
    assert_close(r.metrics.loss, -0.0843256864719, FLOAT_INPUT);
    for (int i = 0; i < 4; i++) {
        for (int64_t t = common_start[i]; t < common_start[i + 1]; t++)
            assert_close((double)r.dlogp[t], -0.1 * phi[i] * (double)common_advantage[t],
                         FLOAT_INPUT);
    }
}

static void dppo_masks_by_the_change_of_probability_in_the_direction_of_the_advantage(void **state)
{
    (void)state;
    static const int64_t start[] = {0, 4};
    /* p_old 0.5, p 0.75: moved up by 0.25;  then down by 0.25; each with both signs of A. */
    const float logp[4] = {(float)log(0.75), (float)log(0.75), (float)log(0.25), (float)log(0.25)};
    const float half = (float)log(0.5), old_logp[4] = {half, half, half, half};
    static const float advantage[4] = {1, -1, 1, -1}, weight[4] = {1, 1, 1, 1};
    float dlogp[4];
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_tokens = 4,
                             .n_seqs = 1,
                             .seq_start = start,
                             .old_logp = old_logp,
                             .advantage = advantage,
                             .weight = weight};
    leash_scores scores = {.logp = logp};
    leash_seeds seeds = {.dlogp = dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_dppo, &options, &streams, &scores, &seeds, &sums);
    assert_true(dlogp[0] == 0 && dlogp[3] == 0);
    assert_close((double)dlogp[1], 1.5, FLOAT_INPUT);
    assert_close((double)dlogp[2], -0.5, FLOAT_INPUT);
    assert_int_equal(sums.n_clip_high, 1);
    assert_int_equal(sums.n_clip_low, 1);
    options.dppo_epsilon = 0.3;
    ls_objective_run(&ls_objective_dppo, &options, &streams, &scores, &seeds, &sums);
    assert_close((double)dlogp[0], -1.5, FLOAT_INPUT);
}

static void tv_off_policy_masking_drops_only_negative_sequences_that_moved_away(void **state)
{
    (void)state;
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    options.beta = 0.04;
    common_result before = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    options.off_policy_mask_threshold = 0.1; /* mean(old - new): -0.1833, 0.15, 0, -1.4 */
    common_result r = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    assert_close(r.metrics.off_policy, 0.25, 0);
    assert_memory_equal(r.weight, before.weight, sizeof r.weight);
    assert_close(r.sums.kl_loss, before.sums.kl_loss, 0);
    assert_close(r.metrics.ratio_mean, before.metrics.ratio_mean, 0);
    assert_close(r.metrics.policy_loss, before.metrics.policy_loss - (0.4 + 0.552585459038) / 8,
                 FLOAT_INPUT);
    for (int t = 0; t < 10; t++) {
        if (t != 3 && t != 4)
            assert_true(r.dlogp[t] == before.dlogp[t]);
    }
    options.off_policy_mask_threshold = 0.16;
    r = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    assert_close(r.metrics.off_policy, 0, 0);
    assert_memory_equal(r.dlogp, before.dlogp, sizeof r.dlogp);
}

static void run_on_policy(const char *objective, const ls_objective_options *options, float *dlogp)
{
    float weight[10];
    ls_aggregation_totals totals;
    ls_aggregation_input input = {.n_seqs = 4, .seq_start = common_start};
    assert_int_equal(
        ls_aggregation_weights(weight, &totals, ls_aggregation_find("seq-mean"), &input), LEASH_OK);
    leash_streams streams = {.n_tokens = 10,
                             .n_seqs = 4,
                             .seq_start = common_start,
                             .old_logp = common_new,
                             .advantage = common_advantage,
                             .weight = weight};
    leash_scores scores = {.logp = common_new};
    leash_seeds seeds = {.dlogp = dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(ls_objective_find(objective), options, &streams, &scores, &seeds, &sums);
}

static void on_policy_all_relatives_have_the_gradient_of_grpo(void **state)
{
    (void)state;
    static const char *const same[] = {"cispo", "vespo", "dppo", "sapo", "gmpo"};
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    float grpo[10], other[10];
    run_on_policy("ppo-clip", &options, grpo);
    for (size_t i = 0; i < LS_COUNT(same); i++) {
        run_on_policy(same[i], &options, other);
        for (int t = 0; t < 10; t++) /* gmpo sums weights before it divides by their number */
            assert_close((double)other[t], (double)grpo[t], 1e-7);
    }
    options.epsilon = 3e-4;
    options.importance_sampling_level = LS_RATIO_SEQUENCE;
    run_on_policy("ppo-clip", &options, other);
    for (int t = 0; t < 10; t++)
        assert_close((double)other[t], (double)grpo[t], 1e-7);
    options.importance_sampling_level = LS_RATIO_SEQUENCE_TOKEN;
    run_on_policy("ppo-clip", &options, other);
    assert_memory_equal(other, grpo, sizeof grpo);
}

static void doubled_advantages_double_every_policy_term_exactly(void **state)
{
    (void)state;
    float twice[10];
    for (int t = 0; t < 10; t++)
        twice[t] = 2 * common_advantage[t];
    for (int64_t o = 0; o < ls_n_objectives; o++) {
        if (!(ls_objectives[o]->needs & LS_NEED_ADVANTAGE) || !ls_objectives[o]->run)
            continue;
        for (int level = 0; level < LS_RATIO_COUNT; level++) {
            ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
            options.importance_sampling_level = (ls_ratio_level)level;
            const char *name = ls_objectives[o]->name;
            common_result a = common_run(name, "seq-mean", &options, common_advantage);
            common_result b = common_run(name, "seq-mean", &options, twice);
            assert_true(b.sums.policy_loss == 2 * a.sums.policy_loss);
            for (int t = 0; t < 10; t++)
                assert_true(b.dlogp[t] == 2 * a.dlogp[t]);
        }
    }
}

static void contradicting_options_of_the_relatives_are_refused_by_name(void **state)
{
    (void)state;
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.cispo_max_ratio = 5;
    assert_int_equal(ls_objective_check(&ls_objective_cispo, &options), LEASH_OK);
    options.epsilon_high = 0.28;
    assert_int_equal(ls_objective_check(&ls_objective_cispo, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "cispo_max_ratio"));
    options.epsilon_high = -1;
    options.cispo_max_ratio = 0.5;
    assert_int_equal(ls_objective_check(&ls_objective_cispo, &options), LEASH_USAGE);
    options = (ls_objective_options){.sapo_temperature_pos = 1};
    assert_int_equal(ls_objective_check(&ls_objective_sapo, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "sapo_temperature_neg"));
    assert_int_equal(ls_objective_check(&ls_objective_dppo, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "dppo_epsilon"));
    options = (ls_objective_options)LS_OBJECTIVE_OPTIONS_INIT;
    options.importance_sampling_level = LS_RATIO_SEQUENCE;
    assert_int_equal(ls_objective_check(&ls_objective_ppo_clip, &options), LEASH_OK);
    assert_int_equal(ls_objective_check(&ls_objective_sapo, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "importance_sampling_level"));
    options.importance_sampling_level = LS_RATIO_TOKEN;
    options.off_policy_mask_threshold = NAN;
    assert_int_equal(ls_objective_check(&ls_objective_ppo_clip, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "off_policy_mask_threshold"));
    options.off_policy_mask_threshold = 0.5;
    assert_true(ls_objective_needs(&ls_objective_reinforce, &options) & LS_NEED_OLD_LOGP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tv_gspo_has_its_published_loss_and_gradients),
        cmocka_unit_test(tv_gspo_token_equals_gspo_where_the_advantage_is_constant),
        cmocka_unit_test(tv_rloo_ratio_is_the_product_over_the_completion),
        cmocka_unit_test(tv_cispo_has_its_published_loss_and_gradients_under_both_bounds),
        cmocka_unit_test(tv_sapo_has_its_published_loss_and_gradients),
        cmocka_unit_test(tv_gmpo_has_its_published_loss_and_gradients),
        cmocka_unit_test(tv_vespo_has_its_published_kernel_and_loss),
        cmocka_unit_test(dppo_masks_by_the_change_of_probability_in_the_direction_of_the_advantage),
        cmocka_unit_test(tv_off_policy_masking_drops_only_negative_sequences_that_moved_away),
        cmocka_unit_test(on_policy_all_relatives_have_the_gradient_of_grpo),
        cmocka_unit_test(doubled_advantages_double_every_policy_term_exactly),
        cmocka_unit_test(contradicting_options_of_the_relatives_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
