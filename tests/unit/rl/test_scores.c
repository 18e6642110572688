/* Ensembles, calibration, steps, normalisation and length bias of scores; labels from judges. */
#include "close.h"

#include <string.h>
#include "rl/judge.h"
#include "rl/normalise.h"
#include "rl/scores.h"

#define PRINTED 1e-11

static void ensembles_have_their_published_values(void **state)
{
    (void)state;
    static const double r[5] = {1.0, 1.4, 0.2, 0.9, 1.1};
    ls_ensemble_score s = ls_ensemble_combine(LS_ENSEMBLE_MEAN, r, 5, 0);
    assert_close(s.value, 0.92, PRINTED);
    assert_close(s.variance, 0.1576, PRINTED);
    assert_close(ls_ensemble_combine(LS_ENSEMBLE_MIN, r, 5, 0).value, 0.2, PRINTED);
    assert_close(ls_ensemble_combine(LS_ENSEMBLE_UNCERTAIN, r, 5, 0.5).value, 0.8412, PRINTED);
    assert_close(ls_ensemble_combine(LS_ENSEMBLE_UNCERTAIN, r, 5, 0.1).value, 0.90424, PRINTED);
    assert_close(ls_ensemble_combine(LS_ENSEMBLE_LOWER_BOUND, r, 5, 1).value, 0.523011335174,
                 PRINTED);
}

static void calibration_has_its_published_values(void **state)
{
    (void)state;
    static const double confidence[5] = {0.9, 0.8, 0.75, 0.6, 0.55}, correct[5] = {1, 1, 0, 1, 0};
    static const double bins[3] = {0.7, 0.85, 1};
    ls_calibration c = ls_calibration_measure(confidence, correct, 5, bins, 3);
    assert_close(c.error, 0.16, PRINTED);
    assert_close(c.brier, 0.215, PRINTED);
    static const double edges[4] = {0, 0.1, 1, 0.55}, sure[4] = {0, 0, 1, 1};
    c = ls_calibration_measure(edges, sure, 4, NULL, 10);
    assert_close(c.error, (0.1 + 0.45) / 4, PRINTED);
}

static void steps_have_their_published_scores(void **state)
{
    (void)state;
    static const double p[3] = {0.9, 0.8, 0.95};
    assert_close(ls_steps_combine(LS_STEPS_MIN, p, 3), 0.8, PRINTED);
    assert_close(ls_steps_combine(LS_STEPS_PRODUCT, p, 3), 0.684, PRINTED);
    assert_close(ls_steps_combine(LS_STEPS_LAST, p, 3), 0.95, PRINTED);
    assert_close(ls_steps_combine(LS_STEPS_MEAN, p, 3), 0.883333333333, PRINTED);
    assert_close(ls_steps_combine(LS_STEPS_SUM_LOG, p, 3), -0.37979736136, PRINTED);
    assert_true(isnan(ls_steps_combine(LS_STEPS_MIN, p, 0)));
    assert_true(ls_step_label(3, 8, 0) == 1 && ls_step_label(3, 8, 1) == 0.375);
    assert_true(ls_step_label(0, 8, 0) == 0 && isnan(ls_step_label(0, 0, 1)));
}

static void process_supervision_has_its_published_structure(void **state)
{
    (void)state;
    /* The published rows divide by the deviation with n; here it is n - 1, as elsewhere. */
    static const double first[6] = {-0.116247638744, -0.116247638744, -0.116247638744,
                                    -1.27872402618,  -1.27872402618,  -1.27872402618};
    static const int64_t end[3] = {2, 5, 9}, start[3] = {0, 6, 10};
    static const double reward[3] = {0.9, 0.2, 0.6};
    static const int32_t group[2] = {0, 0};
    double to_population = 0.351188458428 / 0.286744175568;
    float a[10];
    assert_int_equal(ls_step_advantages(a, end, reward, 3, start, group, 2, 0), LEASH_OK);
    for (int t = 0; t < 6; t++)
        assert_close((double)a[t] * to_population, first[t], 1e-6);
    for (int t = 6; t < 10; t++)
        assert_close((double)a[t] * to_population, 0.116247638744, 1e-6);
}

static void process_supervision_keeps_groups_apart_and_refuses_strays(void **state)
{
    (void)state;
    static const int64_t end[4] = {1, 3, 5, 7}, start[5] = {0, 2, 4, 6, 8};
    static const double reward[4] = {0, 1, 5, 5};
    static const int32_t group[4] = {0, 0, 1, 1};
    float a[8];
    assert_int_equal(ls_step_advantages(a, end, reward, 4, start, group, 4, 1e-4), LEASH_OK);
    assert_true(a[0] < 0 && a[0] == a[1] && a[2] > 0 && a[3] == -a[0]);
    for (int t = 4; t < 8; t++)
        assert_true(a[t] == 0); /* equal step rewards */
    static const int64_t stray[1] = {8};
    assert_int_equal(ls_step_advantages(a, stray, reward, 1, start, group, 4, 0), LEASH_DATA);
}

static void running_moments_have_their_published_values_however_they_are_merged(void **state)
{
    (void)state;
    static const double x[4] = {1, 3, 2, 6};
    static const double published[4] = {-1.06904496194, 0, -0.534522480968, 1.6035674429};
    for (int cut = 0; cut <= 4; cut++) {
        ls_running a = LS_RUNNING_INIT, b = LS_RUNNING_INIT;
        for (int i = 0; i < 4; i++)
            ls_running_add(i < cut ? &a : &b, x[i]);
        ls_running_merge(&a, &b);
        assert_close(a.mean, 3, PRINTED);
        assert_close(ls_running_variance(&a), 3.5, PRINTED);
        assert_close(a.squares / 3, 4.66666666667, PRINTED);
        for (int i = 0; i < 4; i++)
            assert_close(ls_running_apply(&a, x[i], 0), published[i], PRINTED);
        assert_true(ls_running_apply(&a, 6, 1) == 1);
    }
    ls_running none = LS_RUNNING_INIT;
    assert_true(ls_running_apply(&none, 0, 0) == 0);
}

static void length_bias_has_its_published_values(void **state)
{
    (void)state;
    static const double length[6] = {20, 35, 50, 80, 120, 200};
    static const double r[6] = {0.1, 0.3, 0.25, 0.6, 0.7, 1.1};
    static const double residual[6] = {-0.0640680171, 0.05545437651,    -0.07502322988,
                                       0.1140215573,  -0.0005853930496, -0.02979929381};
    ls_length_bias b = ls_length_bias_measure(length, r, 6);
    assert_close(b.pearson, 0.979936883342, PRINTED);
    assert_close(b.spearman, 0.942857142857, PRINTED);
    assert_close(b.slope, 0.00536517375952, PRINTED);
    assert_close(b.intercept, 0.0567645419067, PRINTED);
    for (int i = 0; i < 6; i++)
        assert_close(ls_length_bias_residual(&b, length[i], r[i]), residual[i], 1e-10);
    static const double same[3] = {7, 7, 7};
    b = ls_length_bias_measure(same, r, 3);
    assert_true(isnan(b.pearson) && isnan(b.spearman) && b.slope == 0);
}

static void judges_have_their_published_labels(void **state)
{
    (void)state;
    assert_close(ls_judge_option(-1.2, -0.4), 0.310025518872, PRINTED);
    assert_true(ls_judge_clamp(0.05, 0.4, 0.6) == 0.4 && ls_judge_clamp(0.47, 0.4, 0.6) == 0.47 &&
                ls_judge_clamp(0.93, 0.4, 0.6) == 0.6);
    ls_judgement j = ls_judge_swap(0.8, 0.45);
    assert_close(j.p, 0.675, 1e-15);
    assert_true(j.is_consistent);
    assert_false(ls_judge_swap(0.8, 0.55).is_consistent);
    static const double p[3] = {0.2, 0.2, 0.6};
    assert_close(ls_judge_expected_score(p, 3), 0.4, 1e-12);
}

static void swapping_removes_a_preference_for_a_slot(void **state)
{
    (void)state;
    for (double truth = -2; truth <= 2; truth += 0.5) {
        for (double slot = -1; slot <= 1; slot += 0.5) {
            double wanted = 1 / (1 + exp(-truth));
            assert_close(ls_judge_swap_logits(truth + slot, -truth + slot), wanted, 1e-12);
            double p_12 = 1 / (1 + exp(-truth - slot)), p_21 = 1 / (1 + exp(truth - slot));
            /* Averaged probabilities are right to first order in the slot's weight. */
            assert_close(ls_judge_swap(p_12, p_21).p, wanted, 0.06 * slot * slot + 1e-12);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ensembles_have_their_published_values),
        cmocka_unit_test(calibration_has_its_published_values),
        cmocka_unit_test(steps_have_their_published_scores),
        cmocka_unit_test(process_supervision_has_its_published_structure),
        cmocka_unit_test(process_supervision_keeps_groups_apart_and_refuses_strays),
        cmocka_unit_test(running_moments_have_their_published_values_however_they_are_merged),
        cmocka_unit_test(length_bias_has_its_published_values),
        cmocka_unit_test(judges_have_their_published_labels),
        cmocka_unit_test(swapping_removes_a_preference_for_a_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
