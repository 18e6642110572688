/* pass@k, pass^k, majority votes and intervals against published values and enumeration. */
#include "close.h"

#include "base/rng.h"
#include "eval/stats.h"

#define PRINTED 1e-11

static void pass_at_k_has_its_published_values(void **state)
{
    (void)state;
    static const struct {
        int64_t k;
        double value;
    } rows[] = {{1, 0.3}, {2, 0.533333333333}, {3, 0.708333333333}, {5, 0.916666666667}, {8, 1},
                {10, 1}};
    for (size_t i = 0; i < LS_COUNT(rows); i++)
        assert_close(ls_pass_at_k(10, 3, rows[i].k), rows[i].value, PRINTED);
    assert_close(ls_pass_at_k(200, 7, 64), 0.936098538039, PRINTED);
}

static void pass_pow_k_has_its_published_values(void **state)
{
    (void)state;
    static const double values[] = {0.3, 0.0666666666667, 0.00833333333333, 0};
    for (int64_t k = 1; k <= 4; k++)
        assert_close(ls_pass_pow_k(10, 3, k), values[k - 1], PRINTED);
}

/* All subsets of k of n samples, as bit masks; the first c are correct. */
static void both_are_the_average_over_all_subsets(void **state)
{
    (void)state;
    const int n = 10;
    for (int c = 0; c <= n; c++) {
        for (int k = 1; k <= n; k++) {
            int n_subsets = 0, n_any = 0, n_all = 0;
            for (unsigned s = 0; s < 1u << n; s++) {
                if (__builtin_popcount(s) != k)
                    continue;
                int right = __builtin_popcount(s & ((1u << c) - 1));
                n_subsets++;
                n_any += right > 0;
                n_all += right == k;
            }
            assert_close(ls_pass_at_k(n, c, k), (double)n_any / n_subsets, 1e-14);
            assert_close(ls_pass_pow_k(n, c, k), (double)n_all / n_subsets, 1e-14);
        }
    }
}

static void pass_at_k_is_monotone_and_survives_10000_samples(void **state)
{
    (void)state;
    for (int64_t c = 0; c <= 10000; c += 500) {
        double before = 0;
        for (int64_t k = 1; k <= 10000; k = k * 3 / 2 + 1) {
            double p = ls_pass_at_k(10000, c, k);
            assert_true(isfinite(p) && p >= before && p <= 1);
            assert_true(isfinite(ls_pass_pow_k(10000, c, k)));
            before = p;
        }
        assert_close(ls_pass_at_k(10000, c, 1), (double)c / 10000, 1e-12);
        assert_close(ls_pass_at_k(10000, c, 10000), c > 0, 0);
    }
    assert_true(isnan(ls_pass_at_k(10, 3, 11)) && isnan(ls_pass_pow_k(10, 3, 11)));
}

static void majority_of_a_distribution_has_its_published_values(void **state)
{
    (void)state;
    static const double good[] = {.4, .35, .25}, bad[] = {.3, .5, .2};
    static const double up[] = {0.4, 0.422, 0.44344}, down[] = {0.3, 0.276, 0.25758};
    for (int64_t i = 0; i < 3; i++) {
        double value;
        assert_int_equal(ls_maj_at_k_of_distribution(&value, good, 3, 0, 2 * i + 1), LEASH_OK);
        assert_close(value, up[i], 1e-12);
        assert_int_equal(ls_maj_at_k_of_distribution(&value, bad, 3, 0, 2 * i + 1), LEASH_OK);
        assert_close(value, down[i], 1e-12);
    }
}

/* Enumerates the subsets of k samples; class -1 has no vote. */
static double enumerate_majority(const int *class_of, int n, int k, int correct)
{
    double credit = 0;
    int n_subsets = 0;
    for (unsigned s = 0; s < 1u << n; s++) {
        if (__builtin_popcount(s) != k)
            continue;
        int votes[12] = {0}, most = 0, n_most = 0;
        n_subsets++;
        for (int i = 0; i < n; i++) {
            if (s >> i & 1 && class_of[i] >= 0)
                votes[class_of[i]]++;
        }
        for (int j = 0; j < 12; j++)
            most = votes[j] > most ? votes[j] : most;
        for (int j = 0; j < 12; j++)
            n_most += votes[j] == most;
        if (correct >= 0 && most > 0 && votes[correct] == most)
            credit += 1.0 / n_most;
    }
    return credit / n_subsets;
}

static void majority_is_the_average_over_all_subsets(void **state)
{
    (void)state;
    for (uint32_t trial = 0; trial < 40; trial++) {
        int class_of[11];
        int64_t count[12] = {0}, n_unparsed = 0;
        int n = 11, n_classes = 2 + (int)(trial % 5);
        for (int i = 0; i < n; i++) {
            ls_rng_name name = {
                .seed = 1, .purpose = LS_RNG_TEST, .step = trial, .position = (uint32_t)i};
            class_of[i] = (int)ls_rng_below(&name, (uint64_t)n_classes + 1) - 1;
            if (class_of[i] < 0)
                n_unparsed++;
            else
                count[class_of[i]]++;
        }
        for (int k = 1; k <= n; k++) {
            double value;
            int correct = (int)(trial % 3) - 1;
            assert_int_equal(ls_maj_at_k(&value, count, n_classes, n_unparsed, correct, k),
                             LEASH_OK);
            assert_close(value, enumerate_majority(class_of, n, k, correct), 1e-12);
        }
    }
}

static void majority_survives_many_samples_and_classes(void **state)
{
    (void)state;
    int64_t count[200];
    double one, many;
    for (int j = 0; j < 200; j++)
        count[j] = j == 0 ? 60 : 5;
    assert_int_equal(ls_maj_at_k(&one, count, 200, 100, 0, 1), LEASH_OK);
    assert_close(one, 60.0 / (60 + 199 * 5 + 100), 1e-12);
    assert_int_equal(ls_maj_at_k(&many, count, 200, 100, 0, 64), LEASH_OK);
    assert_true(many > 0.5 && many < 1);
}

static void majority_refuses_impossible_k(void **state)
{
    (void)state;
    static const int64_t count[] = {3, 2};
    double value;
    assert_int_equal(ls_maj_at_k(&value, count, 2, 0, 0, 0), LEASH_USAGE);
    assert_int_equal(ls_maj_at_k(&value, count, 2, 0, 0, 6), LEASH_USAGE);
    assert_int_equal(ls_maj_at_k(&value, count, 2, 1000, 0, LS_MAJ_K_MAX + 1), LEASH_USAGE);
    assert_int_equal(ls_maj_at_k(&value, count, 2, 0, -1, 5), LEASH_OK);
    assert_close(value, 0, 0);
}

static void wilson_has_its_published_interval(void **state)
{
    (void)state;
    ls_interval w = ls_wilson(30, 18, 1.959963984540054);
    assert_close(w.value, 0.6, 1e-15);
    assert_close(w.low, 0.423203602533, PRINTED);
    assert_close(w.high, 0.754093718832, PRINTED);
    w = ls_wilson(30, 0, 1.959963984540054);
    assert_true(w.low == 0 && w.high > 0.1);
    w = ls_wilson(30, 30, 1.959963984540054);
    assert_true(w.high == 1 && w.low < 0.9);
    w = ls_wilson(0, 0, 1.959963984540054);
    assert_true(isnan(w.value) && w.low == 0 && w.high == 1);
}

static void bootstrap_width_approaches_the_normal_one(void **state)
{
    (void)state;
    double value[400];
    for (int i = 0; i < 400; i++)
        value[i] = i % 10 < 3;
    ls_interval b = ls_bootstrap_mean(value, 400, 0.95, 42);
    double half = 1.96 * sqrt(0.3 * 0.7 / 400);
    assert_close(b.value, 0.3, 1e-12);
    /* 2000 replicates: the quantiles themselves have an error of a few percent of the width. */
    assert_true(fabs(b.low - (0.3 - half)) < 0.15 * half);
    assert_true(fabs(b.high - (0.3 + half)) < 0.15 * half);
}

static void bootstrap_is_a_function_of_its_seed(void **state)
{
    (void)state;
    static const double value[] = {0, 0.25, 1, 0.5, 0.75, 0, 1};
    ls_interval a = ls_bootstrap_mean(value, 7, 0.95, 1), b = ls_bootstrap_mean(value, 7, 0.95, 1);
    ls_interval c = ls_bootstrap_mean(value, 7, 0.95, 2);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(a.value == c.value && fabs(a.low - c.low) < 0.1);
    ls_interval none = ls_bootstrap_mean(value, 0, 0.95, 1);
    assert_true(isnan(none.value) && isnan(none.low));
    static const double same[] = {0.5, 0.5, NAN, 0.5};
    ls_interval flat = ls_bootstrap_mean(same, 4, 0.95, 1);
    assert_true(flat.value == 0.5 && flat.low == 0.5 && flat.high == 0.5);
}

static void pairing_makes_the_interval_of_a_difference_narrow(void **state)
{
    (void)state;
    double before[100], after[100];
    for (int i = 0; i < 100; i++) {
        before[i] = (double)(i % 11) / 11;
        after[i] = before[i] + 0.02 + 0.01 * (i % 2);
    }
    after[7] = NAN;
    ls_interval d = ls_bootstrap_difference(after, before, 100, 0.95, 3);
    assert_close(d.value, 0.025, 0.001);
    assert_true(d.low > 0.02 && d.high < 0.03);
    ls_interval self = ls_bootstrap_difference(before, before, 100, 0.95, 3);
    assert_true(self.value == 0 && self.low == 0 && self.high == 0);
}

/* pass@k of a problem whose answers are right with chance p, averaged over problems. */
static double mean_pass(const double *p, int n, int k)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += 1 - pow(1 - p[i], k);
    return sum / n;
}

static void a_crossing_shows_in_pass_at_k_of_many_samples(void **state)
{
    (void)state;
    static const double base[] = {.05, .05, .3, .6}, rl[] = {0, .01, .8, .95};
    const int64_t n = 10000;
    for (int64_t k = 1; k <= 256; k *= 2) {
        double x = 0, y = 0;
        for (int i = 0; i < 4; i++) {
            x += ls_pass_at_k(n, (int64_t)(base[i] * (double)n + 0.5), k) / 4;
            y += ls_pass_at_k(n, (int64_t)(rl[i] * (double)n + 0.5), k) / 4;
        }
        /* k of 10000 without replacement against independent draws: k / n relative. */
        assert_close(x, mean_pass(base, 4, (int)k), 0.01);
        assert_close(y, mean_pass(rl, 4, (int)k), 0.01);
        assert_true((x >= y) == (k >= 4));
    }
    assert_close(mean_pass(base, 4, 4), 0.52632188, 1e-8);
    assert_close(mean_pass(rl, 4, 4), 0.50944944, 1e-8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pass_at_k_has_its_published_values),
        cmocka_unit_test(pass_pow_k_has_its_published_values),
        cmocka_unit_test(both_are_the_average_over_all_subsets),
        cmocka_unit_test(pass_at_k_is_monotone_and_survives_10000_samples),
        cmocka_unit_test(majority_of_a_distribution_has_its_published_values),
        cmocka_unit_test(majority_is_the_average_over_all_subsets),
        cmocka_unit_test(majority_survives_many_samples_and_classes),
        cmocka_unit_test(majority_refuses_impossible_k),
        cmocka_unit_test(wilson_has_its_published_interval),
        cmocka_unit_test(bootstrap_width_approaches_the_normal_one),
        cmocka_unit_test(bootstrap_is_a_function_of_its_seed),
        cmocka_unit_test(pairing_makes_the_interval_of_a_difference_narrow),
        cmocka_unit_test(a_crossing_shows_in_pass_at_k_of_many_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
