/* The leash in closed form, and selection from samples. */
#include "close.h"

#include <string.h>
#include "base/rng.h"
#include "rl/objective.h"
#include "rl/tilt.h"

#define PRINTED 1e-11

static const double ref[3] = {0.5, 0.3, 0.2}, reward[3] = {5, 2, 1};

static void logs(double *x, const double *p, int n)
{
    for (int i = 0; i < n; i++)
        x[i] = log(p[i]);
}

static void the_optimum_has_its_published_numbers(void **state)
{
    (void)state;
    static const struct {
        double beta, log_z, p[3], kl, reward, value;
    } rows[] = {
        {0.1,
         49.3068528194,
         {1, 5.6145737813e-14, 1.69934170212e-18},
         0.693147180558,
         5,
         4.93068528194},
        {1,
         4.34337614462,
         {0.964135604998, 0.0288008911692, 0.00706350383237},
         0.541967166544,
         4.88534331116,
         4.34337614462},
        {5,
         0.718312303526,
         {0.662682369633, 0.218212677293, 0.119104953074},
         0.0554761276386,
         3.86894215582,
         3.59156151763},
    };
    double log_ref[3], log_p[3];
    ls_tilt t;
    logs(log_ref, ref, 3);
    for (size_t r = 0; r < LS_COUNT(rows); r++) {
        assert_int_equal(ls_tilt_solve(&t, log_p, log_ref, reward, 3, rows[r].beta), LEASH_OK);
        assert_close(t.log_z, rows[r].log_z, PRINTED);
        assert_close(t.kl, rows[r].kl, PRINTED);
        assert_close(t.reward, rows[r].reward, PRINTED);
        assert_close(t.value, rows[r].value, PRINTED);
        for (int i = 0; i < 3; i++)
            assert_close(exp(log_p[i]) / rows[r].p[i], 1, 1e-10);
    }
    assert_close(t.entropy, 0.858274444536, PRINTED);
}

static void every_policy_falls_short_by_its_kl_to_the_optimum(void **state)
{
    (void)state;
    double log_ref[3], log_p[3];
    ls_tilt t;
    logs(log_ref, ref, 3);
    assert_int_equal(ls_tilt_solve(&t, log_p, log_ref, reward, 3, 1), LEASH_OK);
    static const double published[3] = {0.4, 0.35, 0.25};
    assert_close(ls_tilt_objective(published, log_ref, reward, 3, 1), 2.92951879476, PRINTED);
    for (uint32_t trial = 0; trial < 1000; trial++) {
        double p[3], total = 0, kl = 0;
        for (uint32_t i = 0; i < 3; i++) {
            ls_rng_name name = {.seed = 3, .purpose = LS_RNG_TEST, .step = trial, .position = i};
            p[i] = 1 + (double)ls_rng_below(&name, 1000);
            total += p[i];
        }
        for (int i = 0; i < 3; i++) {
            p[i] /= total;
            kl += p[i] * (log(p[i]) - log_p[i]);
        }
        assert_close(ls_tilt_objective(p, log_ref, reward, 3, 1) + kl, 4.34337614462, PRINTED);
    }
}

static void kl_falls_as_beta_grows_with_its_published_slope(void **state)
{
    (void)state;
    double log_ref[3], log_p[3], last = INFINITY;
    ls_tilt t, up, down;
    logs(log_ref, ref, 3);
    for (int i = 1; i < 60; i++) {
        assert_int_equal(ls_tilt_solve(&t, log_p, log_ref, reward, 3, 0.2 * i), LEASH_OK);
        assert_true(t.kl < last);
        last = t.kl;
    }
    assert_int_equal(ls_tilt_solve(&up, log_p, log_ref, reward, 3, 1 + 1e-5), LEASH_OK);
    assert_int_equal(ls_tilt_solve(&down, log_p, log_ref, reward, 3, 1 - 1e-5), LEASH_OK);
    assert_close((up.kl - down.kl) / 2e-5, -0.359077925545, 1e-9);
}

static void bad_tilts_are_refused(void **state)
{
    (void)state;
    double log_ref[3], log_p[3], bad[3] = {1, INFINITY, 0};
    ls_tilt t;
    logs(log_ref, ref, 3);
    assert_int_equal(ls_tilt_solve(&t, log_p, log_ref, reward, 3, 0), LEASH_USAGE);
    assert_int_equal(ls_tilt_solve(&t, log_p, log_ref, bad, 3, 1), LEASH_DATA);
}

static void best_of_n_has_its_published_distribution_and_kl(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        double p[3], kl, bound;
    } rows[] = {
        {2, {0.75, 0.21, 0.04}, 0.164819576357, 0.19314718056},
        {4, {0.9375, 0.0609, 0.0016}, 0.484487263862, 0.63629436112},
        {16, {0.999984741211, 1.52587825089e-05, 6.5536e-12}, 0.692970490982, 1.83508872224},
    };
    for (size_t r = 0; r < LS_COUNT(rows); r++) {
        double p[3], kl = 0;
        ls_best_of_n(p, ref, reward, 3, rows[r].n);
        for (int i = 0; i < 3; i++) {
            assert_close(p[i] / rows[r].p[i], 1, 1e-11);
            kl += p[i] * log(p[i] / ref[i]);
        }
        assert_close(kl, rows[r].kl, PRINTED);
        assert_close(ls_best_of_n_kl_bound(rows[r].n), rows[r].bound, PRINTED);
    }
    static const double bounds[8] = {0,         0.19314718, 0.63629436, 1.2044415,
                                     1.8350887, 3.1745081,  4.5490837,  5.9324484};
    static const int64_t n[8] = {1, 2, 4, 8, 16, 64, 256, 1024};
    for (int i = 0; i < 8; i++)
        assert_close(ls_best_of_n_kl_bound(n[i]), bounds[i], 1e-7);
}

static void equal_rewards_share_the_best_by_the_reference(void **state)
{
    (void)state;
    static const double tied[3] = {1, 1, 0};
    double p[3];
    ls_best_of_n(p, ref, tied, 3, 3);
    assert_close(p[2], 0.008, 1e-15);
    assert_close(p[0] / p[1], 5.0 / 3, 1e-12);
    assert_close(p[0] + p[1] + p[2], 1, 1e-12);
}

static void the_estimate_of_best_of_n_has_its_published_row(void **state)
{
    (void)state;
    static const double scores[5] = {0.7, 0.1, 0.9, 0.3, 0.5};
    static const double published[5] = {0.5, 0.7, 0.8, 0.86, 0.9};
    for (int64_t n = 1; n <= 5; n++)
        assert_close(ls_best_of_n_estimate(scores, NULL, 5, n), published[n - 1], 1e-12);
    /* A proxy of the opposite order picks the worst. */
    static const double opposite[5] = {-0.7, -0.1, -0.9, -0.3, -0.5};
    assert_close(ls_best_of_n_estimate(scores, opposite, 5, 5), 0.1, 1e-12);
}

static void soft_best_of_n_has_its_published_weights(void **state)
{
    (void)state;
    static const double r[4] = {1.0, 0.2, -0.5, 0.9};
    static const double published[4] = {0.482995109216, 0.0975150307591, 0.0240469105239,
                                        0.395442949501};
    double w[4];
    assert_close(ls_soft_best_of_n(w, r, 4, 0.5), 2.50158327102, PRINTED);
    for (int i = 0; i < 4; i++)
        assert_close(w[i], published[i], PRINTED);
    assert_close(ls_soft_best_of_n(w, r, 4, 0), 1, 0);
    assert_true(w[0] == 1 && w[3] == 0);
}

static void the_opponent_of_nash_md_has_its_published_mixture(void **state)
{
    (void)state;
    static const double p[4] = {1.0, 0.5, -0.5, 0.0}, q[4] = {0.2, 0.8, 0.1, -0.3};
    static const double published[4] = {0.336364355909, 0.353610125218, 0.151138247607,
                                        0.158887271266};
    double mix[4];
    ls_geometric_mixture(mix, p, q, 4, 0.5);
    for (int i = 0; i < 4; i++)
        assert_close(exp(mix[i]), published[i], PRINTED);
}

static void at_the_optimum_a_star_po_has_nothing_to_learn(void **state)
{
    (void)state;
    static const int64_t start[4] = {0, 1, 2, 3};
    static const double third[3] = {1.0 / 3, 1.0 / 3, 1.0 / 3};
    static const float weight[3] = {0.25f, 0.25f, 0.5f};
    double log_ref[3], log_p[3];
    float logp[3], ref_logp[3], advantage[3], dlogp[3];
    ls_tilt t;
    logs(log_ref, third, 3);
    assert_int_equal(ls_tilt_solve(&t, log_p, log_ref, reward, 3, 0.7), LEASH_OK);
    assert_close(ls_soft_value(reward, 3, 0.7), t.value, PRINTED);
    for (int i = 0; i < 3; i++) {
        logp[i] = (float)log_p[i];
        ref_logp[i] = (float)log_ref[i];
        advantage[i] = (float)(reward[i] - t.value);
    }
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = 0.7;
    leash_streams streams = {.n_tokens = 3,
                             .n_seqs = 3,
                             .seq_start = start,
                             .weight = weight,
                             .ref_logp = ref_logp,
                             .advantage = advantage};
    leash_scores scores = {.logp = logp};
    leash_seeds seeds = {.dlogp = dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_a_star_po, &o, &streams, &scores, &seeds, &sums);
    assert_close(sums.policy_loss, 0, 1e-12); /* floats, squared */
    o.beta = 1.4;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_a_star_po, &o, &streams, &scores, &seeds, &sums);
    assert_true(sums.policy_loss > 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_optimum_has_its_published_numbers),
        cmocka_unit_test(every_policy_falls_short_by_its_kl_to_the_optimum),
        cmocka_unit_test(kl_falls_as_beta_grows_with_its_published_slope),
        cmocka_unit_test(bad_tilts_are_refused),
        cmocka_unit_test(best_of_n_has_its_published_distribution_and_kl),
        cmocka_unit_test(equal_rewards_share_the_best_by_the_reference),
        cmocka_unit_test(the_estimate_of_best_of_n_has_its_published_row),
        cmocka_unit_test(soft_best_of_n_has_its_published_weights),
        cmocka_unit_test(the_opponent_of_nash_md_has_its_published_mixture),
        cmocka_unit_test(at_the_optimum_a_star_po_has_nothing_to_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
