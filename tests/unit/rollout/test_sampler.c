/* The sampler: every rule by hand, their combinations, frequencies, ties, and a plain reference
 * that sorts everything. */
#include "rollout/rollout.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/vmath.h"

#define MOST_V 512

static float probs[MOST_V];
static int32_t scratch_ids[MOST_V];

static const ls_sampling_options plain = {.temperature = 1.0, .top_p = 1.0};

/* lse of logits, as far as the tests need it. */
static float lse_of(const float *z, int64_t V)
{
    double sum = 0, most = -INFINITY;
    for (int64_t v = 0; v < V; v++)
        most = z[v] > most ? z[v] : most;
    for (int64_t v = 0; v < V; v++)
        sum += exp(z[v] - most);
    return (float)(most + log(sum));
}

/* Logits with the given probabilities and lse 0. */
static void logits_of(float *z, const double *p, int64_t V)
{
    for (int64_t v = 0; v < V; v++)
        z[v] = p[v] > 0 ? (float)log(p[v]) : -INFINITY;
}

static int32_t sample_at(const float *z, float lse, int64_t V, ls_sampling_options options,
                         double u, float *log_kept)
{
    for (int64_t v = 0; v < V; v++)
        probs[v] = ls_expf(z[v] - lse);
    return ls_sample_token(z, probs, V, &options, u, log_kept, scratch_ids);
}

/* Ids drawn at (i + 1/2) / n name the kept set: 1 for each id that was drawn. */
static void find_support(bool *is_drawn, const float *z, int64_t V, ls_sampling_options options)
{
    float log_kept;
    memset(is_drawn, 0, (size_t)V * sizeof *is_drawn);
    for (int i = 0; i < 2000; i++)
        is_drawn[sample_at(z, lse_of(z, V), V, options, (i + 0.5) / 2000, &log_kept)] = true;
}

/* p of the vectors below, in an order that is not that of rank: rank order is 2, 0, 4, 1, 3. */
static const double hand_p[5] = {0.25, 0.1, 0.4, 0.05, 0.2};

static void check_hand(ls_sampling_options options, const char *kept, double mass)
{
    float z[5], log_kept;
    bool is_drawn[5];
    logits_of(z, hand_p, 5);
    find_support(is_drawn, z, 5, options);
    for (int v = 0; v < 5; v++)
        assert_int_equal(is_drawn[v], kept[v] == '1');
    (void)sample_at(z, 0.0f, 5, options, 0.5, &log_kept);
    if (mass == 1.0)
        assert_true(log_kept == 0.0f);
    else
        assert_float_equal(log_kept, log(mass), 1e-6);
}

static void without_rules_every_id_owns_its_interval_in_id_order(void **state)
{
    (void)state;
    float z[5], log_kept;
    logits_of(z, hand_p, 5);
    const double u[] = {0.0,    0.2499, 0.2501, 0.3499, 0.3501,
                        0.7499, 0.7501, 0.7999, 0.8001, 0.9999};
    const int32_t want[] = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4};
    for (size_t i = 0; i < LS_COUNT(u); i++) {
        assert_int_equal(sample_at(z, 0.0f, 5, plain, u[i], &log_kept), want[i]);
        assert_true(log_kept == 0.0f);
    }
}

static void ids_without_probability_are_never_drawn(void **state)
{
    (void)state;
    const double p[6] = {0, 0.5, 0, 0, 0.5, 0};
    float z[6], log_kept;
    logits_of(z, p, 6);
    assert_int_equal(sample_at(z, 0.0f, 6, plain, 0.0, &log_kept), 1);
    assert_int_equal(sample_at(z, 0.0f, 6, plain, 0.4999, &log_kept), 1);
    assert_int_equal(sample_at(z, 0.0f, 6, plain, 0.5001, &log_kept), 4);
    assert_int_equal(sample_at(z, 0.0f, 6, plain, 1.0 - 0x1p-53, &log_kept), 4);
}

static void the_last_id_with_probability_is_taken_when_u_is_above_the_sum(void **state)
{
    (void)state;
    float log_kept;
    /* A log-sum-exp that is a little too large: the probabilities add to 0.999. */
    const float z[4] = {0.0f, 0.0f, 0.0f, -200.0f};
    float lse = (float)log(3.0 / 0.999);
    assert_int_equal(sample_at(z, lse, 4, plain, 0.9995, &log_kept), 2);
}

static void greedy_takes_the_lowest_id_of_the_maxima(void **state)
{
    (void)state;
    const float z[6] = {1.0f, 3.0f, -2.0f, 3.0f, 3.0f, 0.0f}, zeros[3] = {-0.0f, 0.0f, -0.0f};
    float log_kept = 7;
    ls_sampling_options greedy = {.temperature = 0.0, .top_k = 2, .top_p = 0.5, .min_p = 0.1};
    assert_int_equal(sample_at(z, lse_of(z, 6), 6, greedy, 0.999, &log_kept), 1);
    assert_true(log_kept == 0.0f);
    assert_int_equal(sample_at(zeros, lse_of(zeros, 3), 3, greedy, 0.5, &log_kept), 0);
}

static void top_k_keeps_the_first_ranks(void **state)
{
    (void)state;
    ls_sampling_options o = plain;
    const char *const kept[] = {"00100", "10100", "10101", "11101", "11111"};
    const double mass[] = {0.4, 0.65, 0.85, 0.95, 1.0};
    for (int64_t k = 1; k <= 5; k++) {
        o.top_k = k;
        check_hand(o, kept[k - 1], mass[k - 1]);
    }
    o.top_k = 1000;
    check_hand(o, "11111", 1.0);
}

static void top_p_keeps_the_shortest_run_of_first_ranks_that_reaches_the_mass(void **state)
{
    (void)state;
    ls_sampling_options o = plain;
    const struct {
        double top_p, mass;
        const char *kept;
    } rows[] = {{0.0, 0.4, "00100"},   {0.39, 0.4, "00100"},  {0.41, 0.65, "10100"},
                {0.64, 0.65, "10100"}, {0.66, 0.85, "10101"}, {0.86, 0.95, "11101"},
                {0.94, 0.95, "11101"}, {0.96, 1.0, "11111"}};
    for (size_t i = 0; i < LS_COUNT(rows); i++) {
        o.top_p = rows[i].top_p;
        check_hand(o, rows[i].kept, rows[i].mass);
    }
}

static void min_p_keeps_what_is_not_much_less_likely_than_the_best(void **state)
{
    (void)state;
    ls_sampling_options o = plain;
    const struct {
        double min_p, mass;
        const char *kept;
    } rows[] = {{0.12, 1.0, "11111"},  {0.13, 0.95, "11101"}, {0.26, 0.85, "10101"},
                {0.51, 0.65, "10100"}, {0.63, 0.4, "00100"},  {1.0, 0.4, "00100"}};
    for (size_t i = 0; i < LS_COUNT(rows); i++) {
        o.min_p = rows[i].min_p;
        check_hand(o, rows[i].kept, rows[i].mass);
    }
}

static void rules_apply_in_the_order_top_k_top_p_min_p(void **state)
{
    (void)state;
    /* top-k 3 leaves .4 .25 .2 = .85; 0.7 of that is .595, which .4 + .25 reaches; 0.7 of 1
     * would need the third. */
    check_hand((ls_sampling_options){.temperature = 1, .top_k = 3, .top_p = 0.7}, "10100", 0.65);
    check_hand((ls_sampling_options){.temperature = 1, .top_k = 3, .top_p = 0.78}, "10101", 0.85);
    check_hand((ls_sampling_options){.temperature = 1, .top_p = 0.96, .min_p = 0.3}, "10101", 0.85);
    check_hand((ls_sampling_options){.temperature = 1, .top_k = 4, .top_p = 1, .min_p = 0.3},
               "10101", 0.85);
    check_hand((ls_sampling_options){.temperature = 1, .top_k = 4, .top_p = 0.8, .min_p = 0.6},
               "10100", 0.65);
    check_hand((ls_sampling_options){.temperature = 1, .top_k = 1, .top_p = 0.9, .min_p = 0.9},
               "00100", 0.4);
}

static void of_equals_the_lower_ids_are_kept(void **state)
{
    (void)state;
    const float z[6] = {1.0f, 2.0f, 1.0f, 1.0f, 2.0f, 1.0f};
    bool is_drawn[6];
    const bool want_k3[6] = {true, true, false, false, true, false};
    const bool want_k5[6] = {true, true, true, true, true, false};
    ls_sampling_options o = plain;
    o.top_k = 3;
    find_support(is_drawn, z, 6, o);
    assert_memory_equal(is_drawn, want_k3, sizeof want_k3);
    o.top_k = 5;
    find_support(is_drawn, z, 6, o);
    assert_memory_equal(is_drawn, want_k5, sizeof want_k5);
    /* p = e / (2e + 4) = .2881 twice and .1060 four times: .6 needs the two and the first of the
     * four, .69 two of the four. */
    o.top_k = 0;
    o.top_p = 0.6;
    find_support(is_drawn, z, 6, o);
    assert_memory_equal(is_drawn, want_k3, sizeof want_k3);
}

static void a_truncated_draw_divides_the_kept_mass_in_id_order(void **state)
{
    (void)state;
    float z[5], log_kept;
    logits_of(z, hand_p, 5);
    ls_sampling_options o = plain;
    o.top_k = 3; /* ids 0, 2, 4 with .25, .4, .2 of .85 */
    const double u[] = {0.0, 0.2940, 0.2942, 0.7646, 0.7648, 0.99999};
    const int32_t want[] = {0, 0, 2, 2, 4, 4};
    for (size_t i = 0; i < LS_COUNT(u); i++)
        assert_int_equal(sample_at(z, 0.0f, 5, o, u[i], &log_kept), want[i]);
}

/* --- against a reference that sorts --- */

static const float *sorted_z;

static int compare_ranks(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    if (sorted_z[x] != sorted_z[y])
        return sorted_z[x] > sorted_z[y] ? -1 : 1;
    return x - y;
}

static int32_t reference(const float *z, float lse, int64_t V, ls_sampling_options o, double u,
                         double *mass)
{
    int32_t order[MOST_V];
    bool is_kept[MOST_V] = {false};
    for (int32_t v = 0; v < V; v++)
        order[v] = v;
    sorted_z = z;
    qsort(order, (size_t)V, sizeof *order, compare_ranks);
    int64_t n = o.top_k > 0 && o.top_k < V ? o.top_k : V;
    double total = n < V ? 0 : 1, sum = 0;
    for (int64_t i = 0; i < n && n < V; i++)
        total += ls_expf(z[order[i]] - lse);
    for (int64_t i = 0; i < n; i++) {
        is_kept[order[i]] = true;
        sum += ls_expf(z[order[i]] - lse);
        if (o.top_p < 1 && sum >= o.top_p * total)
            break;
    }
    *mass = 0;
    for (int64_t v = 0; v < V; v++) {
        is_kept[v] = is_kept[v] && z[v] >= z[order[0]] + ls_logf((float)o.min_p);
        *mass += is_kept[v] ? ls_expf(z[v] - lse) : 0;
    }
    sum = 0;
    for (int32_t v = 0; v < V; v++) {
        sum += is_kept[v] ? ls_expf(z[v] - lse) : 0;
        if (sum > u * *mass)
            return v;
    }
    return -1;
}

static double uniform(uint32_t purpose, uint32_t i, uint32_t position)
{
    ls_rng_name name = {
        .seed = 11, .purpose = LS_RNG_TEST, .step = purpose, .prompt = i, .position = position};
    return ls_rng_uniform(&name);
}

static void random_rows_and_rules_agree_with_a_full_sort(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4000; i++) {
        int64_t V = 1 + (int64_t)(uniform(0, i, 0) * (i % 2 ? 12 : MOST_V - 1));
        float z[MOST_V], log_kept;
        for (int64_t v = 0; v < V; v++) { /* every third row has few values, so many ties */
            double x = 6 * uniform(1, i, (uint32_t)v) - 3;
            z[v] = i % 3 == 0 ? roundf((float)x) : (float)x;
        }
        ls_sampling_options o = plain;
        o.top_k = uniform(2, i, 0) < 0.5 ? 0 : 1 + (int64_t)(uniform(2, i, 1) * (double)V);
        o.top_p = uniform(2, i, 2) < 0.5 ? 1.0 : uniform(2, i, 3);
        o.min_p = uniform(2, i, 4) < 0.5 ? 0.0 : 0.3 * uniform(2, i, 5);
        double u = uniform(2, i, 6), mass;
        int32_t want = reference(z, lse_of(z, V), V, o, u, &mass);
        int32_t got = sample_at(z, lse_of(z, V), V, o, u, &log_kept);
        if (o.top_k == 0 && o.top_p == 1.0 && o.min_p == 0.0)
            continue; /* draws against 1, not against the rounded sum */
        assert_int_equal(got, want);
        assert_float_equal(log_kept, fmin(log(mass), 0), 2e-6);
    }
}

/* --- frequencies --- */

/* Chi-square of n draws against p over the V ids; p of 0 must never come. */
static double chi_square(const float *z, const double *p, int64_t V, ls_sampling_options options,
                         uint32_t seed, int n)
{
    int64_t counts[MOST_V] = {0};
    float log_kept;
    for (int i = 0; i < n; i++)
        counts[sample_at(z, lse_of(z, V), V, options, uniform(100 + seed, (uint32_t)i, 0),
                         &log_kept)]++;
    double sum = 0;
    for (int64_t v = 0; v < V; v++) {
        if (p[v] == 0.0) {
            assert_int_equal(counts[v], 0);
            continue;
        }
        double d = (double)counts[v] - n * p[v];
        sum += d * d / (n * p[v]);
    }
    return sum;
}

static void frequencies_follow_the_probabilities(void **state)
{
    (void)state;
    float z[40];
    double p[40], total = 0;
    for (int v = 0; v < 40; v++) {
        z[v] = (float)(2 * uniform(50, (uint32_t)v, 0));
        p[v] = exp(z[v]);
        total += p[v];
    }
    for (int v = 0; v < 40; v++)
        p[v] /= total;
    for (uint32_t seed = 0; seed < 5; seed++) /* 39 degrees of freedom: P(chi2 > 72.1) = 0.1 % */
        assert_true(chi_square(z, p, 40, plain, seed, 50000) < 72.1);
}

static void frequencies_of_truncated_draws_follow_the_renormalised_probabilities(void **state)
{
    (void)state;
    float z[5];
    logits_of(z, hand_p, 5);
    const double p[5] = {0.25 / 0.85, 0, 0.4 / 0.85, 0, 0.2 / 0.85};
    const ls_sampling_options rules[] = {{.temperature = 1, .top_k = 3, .top_p = 1},
                                         {.temperature = 1, .top_p = 0.8},
                                         {.temperature = 1, .top_p = 1, .min_p = 0.3}};
    for (uint32_t i = 0; i < LS_COUNT(rules);
         i++) /* 2 degrees of freedom: P(chi2 > 13.8) = 0.1 % */
        assert_true(chi_square(z, p, 5, rules[i], 20 + i, 50000) < 13.8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rules_every_id_owns_its_interval_in_id_order),
        cmocka_unit_test(ids_without_probability_are_never_drawn),
        cmocka_unit_test(the_last_id_with_probability_is_taken_when_u_is_above_the_sum),
        cmocka_unit_test(greedy_takes_the_lowest_id_of_the_maxima),
        cmocka_unit_test(top_k_keeps_the_first_ranks),
        cmocka_unit_test(top_p_keeps_the_shortest_run_of_first_ranks_that_reaches_the_mass),
        cmocka_unit_test(min_p_keeps_what_is_not_much_less_likely_than_the_best),
        cmocka_unit_test(rules_apply_in_the_order_top_k_top_p_min_p),
        cmocka_unit_test(of_equals_the_lower_ids_are_kept),
        cmocka_unit_test(a_truncated_draw_divides_the_kept_mass_in_id_order),
        cmocka_unit_test(random_rows_and_rules_agree_with_a_full_sort),
        cmocka_unit_test(frequencies_follow_the_probabilities),
        cmocka_unit_test(frequencies_of_truncated_draws_follow_the_renormalised_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
