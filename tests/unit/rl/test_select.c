/* Selection, moving references, beta-DPO and CHES. */
#include "close.h"

#include <string.h>
#include "rl/pair_data.h"
#include "rl/reference.h"
#include "rl/select.h"

static const double reward[7] = {0.2, 0.9, 0.9, NAN, 0.5, 0.5, 0.5};
static const int32_t group[7] = {0, 0, 0, 0, 1, 1, 2};
static const ls_reward_batch batch = {.n_seqs = 7, .n_groups = 3, .reward = reward, .group = group};

static void the_best_are_kept_in_order(void **state)
{
    (void)state;
    uint8_t keep[7];
    ls_selection s = ls_select_best(keep, NULL, &batch, 1, -INFINITY);
    static const uint8_t top[7] = {0, 1, 0, 0, 1, 0, 1};
    assert_memory_equal(keep, top, 7);
    assert_true(s.n_kept == 3 && s.n_groups_empty == 0);
    s = ls_select_best(keep, NULL, &batch, 0, 0.6);
    static const uint8_t good[7] = {0, 1, 1, 0, 0, 0, 0};
    assert_memory_equal(keep, good, 7);
    assert_true(s.n_kept == 2 && s.n_groups_empty == 2);
    double weight[7];
    ls_select_weights(weight, keep, &batch);
    assert_true(weight[0] == 0 && weight[1] == 0.5 && weight[2] == 0.5 && weight[6] == 0);
    static const uint8_t duplicate[7] = {0, 1, 0, 0, 0, 0, 0};
    (void)ls_select_best(keep, duplicate, &batch, 1, -INFINITY);
    assert_true(!keep[1] && keep[2] && !keep[3]);
}

static void pairs_are_best_and_worst_and_ties_give_none(void **state)
{
    (void)state;
    ls_select_pair pair[3];
    assert_int_equal(ls_select_pairs(pair, &batch, 0), 1);
    assert_true(pair[0].chosen == 1 && pair[0].rejected == 0);
    assert_close(pair[0].margin, 0.7, 1e-15);
    assert_int_equal(ls_select_pairs(pair, &batch, 0.7), 0);
}

/* Imitating all that passes has the optimum pi(y) [R = 1] / sum: descends the likelihood of kept
 * completions in proportion to how often the policy writes them. */
static void imitating_what_passes_is_the_conditioned_policy(void **state)
{
    (void)state;
    static const double p[4] = {0.4, 0.3, 0.2, 0.1}, pass[4] = {1, 0, 1, 0};
    double q[4], z[4] = {0}, total = 0.6;
    for (int step = 0; step < 3000; step++) {
        double sum = 0;
        for (int v = 0; v < 4; v++)
            sum += exp(z[v]);
        for (int v = 0; v < 4; v++) {
            q[v] = exp(z[v]) / sum;
        }
        for (int v = 0; v < 4; v++)
            z[v] += p[v] * pass[v] / total - q[v];
    }
    assert_close(q[0], 2.0 / 3, 1e-3);
    assert_close(q[2], 1.0 / 3, 1e-3);
}

static void references_move_when_they_are_due(void **state)
{
    (void)state;
    ls_reference_options o = LS_REFERENCE_OPTIONS_INIT;
    assert_false(ls_reference_is_due(&o, 512));
    o.kind = LS_REFERENCE_MIX;
    assert_true(ls_reference_is_due(&o, 512) && ls_reference_is_due(&o, 1024));
    assert_false(ls_reference_is_due(&o, 0) || ls_reference_is_due(&o, 513));
    float ref[2] = {1, -1}, policy[2] = {2, 3};
    ls_reference_move(ref, policy, 2, &o);
    assert_close((double)ref[0], 1.6, 1e-7);
    assert_close((double)ref[1], 1.4, 1e-7);
    o.kind = LS_REFERENCE_COPY;
    ls_reference_move(ref, policy, 2, &o);
    assert_memory_equal(ref, policy, sizeof ref);
}

static void bema_adds_the_way_gone_to_the_average(void **state)
{
    (void)state;
    ls_reference_options o = LS_REFERENCE_OPTIONS_INIT;
    float ref[1], ema[1] = {1}, start[1] = {1}, policy[1] = {3};
    ls_reference_bema(ref, ema, policy, start, 1, 6, &o);
    assert_close((double)ema[0], 1.5, 1e-7); /* rate 16^-0.5 */
    assert_close((double)ref[0], pow(16, -0.2) * 2 + 1.5, 1e-6);
}

static void a_plateau_is_told_once_and_counted_anew(void **state)
{
    (void)state;
    ls_plateau p = {0};
    static const double scores[] = {0.5, 0.6, 0.6, 0.55, 0.6, 0.58, 0.7};
    static const bool told[] = {false, false, false, true, false, true, false};
    for (size_t i = 0; i < LS_COUNT(scores); i++)
        assert_true(ls_plateau_add(&p, scores[i], 2, 0) == told[i]);
}

static void beta_dpo_has_its_published_weights_and_beta(void **state)
{
    (void)state;
    static const double gap[2] = {1.3, -0.9};
    ls_beta_dpo b = LS_BETA_DPO_INIT;
    b.mean = 0.5;
    b.std = 1.5;
    assert_close(ls_beta_dpo_weight(&b, 1.3), 0.867428473183, 1e-11);
    assert_close(ls_beta_dpo_weight(&b, -0.9), 0.646905175464, 1e-11);
    double beta = ls_beta_dpo_beta(&b, gap, NULL, 2);
    assert_close(beta, 0.082, 1e-12);
    assert_close(log1p(exp(-beta * 1.3)), 0.641266953514, 1e-11);
    assert_close(log1p(exp(beta * 0.9)), 0.730727831118, 1e-11);
    static const double bad[1] = {-1000};
    assert_close(ls_beta_dpo_beta(&b, bad, NULL, 1), 1e-3, 0);
}

static void beta_dpo_draws_its_share_and_prefers_the_middle(void **state)
{
    (void)state;
    double gap[10];
    int kept[10] = {0};
    ls_beta_dpo b = LS_BETA_DPO_INIT;
    for (int i = 0; i < 10; i++)
        gap[i] = i;
    gap[9] = 60;
    ls_beta_dpo_observe(&b, gap, 9);
    assert_close(b.mean, 4, 1e-12);
    for (uint32_t trial = 0; trial < 200; trial++) {
        uint8_t keep[10], again[10];
        ls_rng_name name = {.seed = 1, .purpose = LS_RNG_TEST, .step = trial};
        assert_int_equal(ls_beta_dpo_draw(keep, &b, gap, 10, &name), 8);
        (void)ls_beta_dpo_draw(again, &b, gap, 10, &name);
        assert_memory_equal(keep, again, sizeof keep);
        int n = 0;
        for (int i = 0; i < 10; i++) {
            n += keep[i];
            kept[i] += keep[i];
        }
        assert_int_equal(n, 8);
    }
    assert_true(kept[9] == 0 && kept[4] > kept[0]);
    ls_beta_dpo_observe(&b, gap + 9, 1);
    assert_close(b.mean, 0.9 * 4 + 0.1 * 60, 1e-12);
}

static void ches_has_its_published_values(void **state)
{
    (void)state;
    static const float chosen[2] = {1.5f, 0.5f}, rejected[2] = {1.4f, 1.1f};
    assert_close(ls_ches(chosen, rejected, 2, 1, 1), 0.15, 1e-6);
    assert_close(ls_ches(chosen, rejected, 2, 2, 3), -0.183333333333, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_are_kept_in_order),
        cmocka_unit_test(pairs_are_best_and_worst_and_ties_give_none),
        cmocka_unit_test(imitating_what_passes_is_the_conditioned_policy),
        cmocka_unit_test(references_move_when_they_are_due),
        cmocka_unit_test(bema_adds_the_way_gone_to_the_average),
        cmocka_unit_test(a_plateau_is_told_once_and_counted_anew),
        cmocka_unit_test(beta_dpo_has_its_published_weights_and_beta),
        cmocka_unit_test(beta_dpo_draws_its_share_and_prefers_the_middle),
        cmocka_unit_test(ches_has_its_published_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
