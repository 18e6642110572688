/* Claims about base/rng.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"

static void check_philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
                         uint32_t k1, const uint32_t want[4])
{
    uint32_t out[4];
    const uint32_t counter[4] = {c0, c1, c2, c3}, key[2] = {k0, k1};
    ls_philox4x32(out, counter, key);
    for (int i = 0; i < 4; i++)
        assert_int_equal(out[i], want[i]);
}

/* kat_vectors of Random123 1.14, philox4x32 with 10 rounds: zeros, ones, digits of pi. */
static void philox_gives_the_published_vectors(void **state)
{
    (void)state;
    check_philox(0, 0, 0, 0, 0, 0,
                 (const uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    check_philox(UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,
                 (const uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    check_philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
                 (const uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

static void a_name_is_the_counter_and_key_of_the_header(void **state)
{
    (void)state;
    const ls_rng_name name = {.seed = 0x1122334455667788,
                              .purpose = LS_RNG_SAMPLE,
                              .step = 9,
                              .prompt = 8,
                              .sample = 0xabcdef,
                              .position = 7};
    const uint32_t counter[4] = {7, 8, 9, 0x03abcdef}, key[2] = {0x55667788, 0x11223344};
    uint32_t want[4], got[4];
    ls_philox4x32(want, counter, key);
    ls_rng_words(got, &name);
    assert_memory_equal(got, want, sizeof want);
}

static void uniform_is_the_top_53_bits_of_two_words(void **state)
{
    (void)state;
    ls_rng_name name = {.seed = 1, .purpose = LS_RNG_TEST};
    double sum = 0, sum2 = 0;
    const int n = 100000;
    for (int i = 0; i < n; i++) {
        name.position = (uint32_t)i;
        double u = ls_rng_uniform(&name);
        assert_true(u >= 0 && u < 1);
        sum += u;
        sum2 += u * u;
    }
    /* 5 standard errors of the mean and of the mean square */
    assert_true(fabs(sum / n - 0.5) < 5 * sqrt(1.0 / 12 / n));
    assert_true(fabs(sum2 / n - 1.0 / 3) < 5 * sqrt(4.0 / 45 / n));
    uint32_t w[4];
    ls_rng_words(w, &name);
    double want = ldexp((double)(((uint64_t)w[0] << 32 | w[1]) >> 11), -53);
    assert_true(ls_rng_uniform(&name) == want);
}

static void below_stays_below_and_is_even(void **state)
{
    (void)state;
    int counts[10] = {0};
    ls_rng_name name = {.seed = 2, .purpose = LS_RNG_TEST};
    for (uint32_t i = 0; i < 100000; i++) {
        name.position = i;
        counts[ls_rng_below(&name, 10)]++;
        assert_int_equal(ls_rng_below(&name, 1), 0);
        assert_true(ls_rng_below(&name, UINT64_MAX) < UINT64_MAX);
    }
    for (int i = 0; i < 10; i++) /* 5 standard deviations of a binomial count */
        assert_true(abs(counts[i] - 10000) < 5 * 95);
}

/* floor(u n / 2^128) checked with u = the words as four 32-bit digits, multiplied by hand from the
 * lowest. */
static void below_is_the_high_part_of_the_full_product(void **state)
{
    (void)state;
    ls_rng_name name = {.seed = 3, .purpose = LS_RNG_TEST};
    const uint64_t limits[] = {3,          1000003,        UINT32_MAX,    (uint64_t)1 << 32,
                               UINT64_MAX, UINT64_MAX / 3, 0x123456789abc};
    for (uint32_t i = 0; i < 1000; i++) {
        name.position = i;
        uint32_t w[4];
        ls_rng_words(w, &name);
        for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
            uint64_t carry = 0, digits[2] = {(uint32_t)limits[l], limits[l] >> 32};
            uint32_t product[6] = {0};
            for (int d = 0; d < 2; d++) {
                carry = 0;
                for (int k = 0; k < 4; k++) {
                    carry += product[k + d] + digits[d] * w[3 - k];
                    product[k + d] = (uint32_t)carry;
                    carry >>= 32;
                }
                product[4 + d] = (uint32_t)carry;
            }
            uint64_t want = (uint64_t)product[5] << 32 | product[4];
            assert_true(ls_rng_below(&name, limits[l]) == want);
        }
    }
}

static void normal_values_have_the_moments_of_the_normal_law(void **state)
{
    (void)state;
    ls_rng_name name = {.seed = 4, .purpose = LS_RNG_TEST};
    const int n = 100000;
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, cross = 0;
    for (int i = 0; i < n; i++) {
        float z[2];
        name.prompt = (uint32_t)i;
        ls_rng_normal2(z, &name);
        cross += (double)z[0] * (double)z[1];
        for (int k = 0; k < 2; k++) {
            double x = (double)z[k];
            m1 += x, m2 += x * x, m3 += x * x * x, m4 += x * x * x * x;
        }
    }
    double total = 2.0 * n; /* limits: 5 standard errors, variances 1, 2, 15, 96 */
    assert_true(fabs(m1 / total) < 5 * sqrt(1 / total));
    assert_true(fabs(m2 / total - 1) < 5 * sqrt(2 / total));
    assert_true(fabs(m3 / total) < 5 * sqrt(15 / total));
    assert_true(fabs(m4 / total - 3) < 5 * sqrt(96 / total));
    assert_true(fabs(cross / n) < 5 * sqrt(1.0 / n));
}

/* Recorded once; the same on every machine, compiler and instruction set. */
static void normal_values_have_fixed_bits(void **state)
{
    (void)state;
    const ls_rng_name name = {.seed = 42, .purpose = LS_RNG_INIT, .prompt = 1, .position = 2};
    float z[2];
    ls_rng_normal2(z, &name);
    uint32_t bits[2];
    memcpy(bits, z, sizeof bits);
    assert_int_equal(bits[0], 0x3ec3c7ee);
    assert_int_equal(bits[1], 0xbf62b93e);
}

static void permute_is_a_bijection(void **state)
{
    (void)state;
    bool *seen = ls_malloc(5000);
    const uint64_t sizes[] = {255, 256, 257, 1023, 1024, 1025, 4096, 4097, 5000};
    for (uint64_t k = 0; k < 200 + sizeof sizes / sizeof sizes[0]; k++) {
        uint64_t n = k < 200 ? k + 1 : sizes[k - 200];
        memset(seen, 0, n);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t p = ls_rng_permute(77, LS_RNG_SHUFFLE, 3, i, n);
            assert_true(p < n);
            assert_false(seen[p]);
            seen[p] = true;
        }
    }
    ls_free(seen);
}

static void permute_takes_the_largest_ranges(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t n = UINT64_MAX - i;
        uint64_t a = ls_rng_permute(1, LS_RNG_SHUFFLE, 0, n - 1, n);
        uint64_t b = ls_rng_permute(1, LS_RNG_SHUFFLE, 0, i, n);
        assert_true(a < n && b < n && a != b);
    }
}

static void each_seed_and_step_gives_another_order(void **state)
{
    (void)state;
    int n_same_step = 0, n_same_seed = 0, n_fixed = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t p = ls_rng_permute(5, LS_RNG_SHUFFLE, 0, i, 1000);
        n_fixed += p == i;
        n_same_step += p == ls_rng_permute(5, LS_RNG_SHUFFLE, 1, i, 1000);
        n_same_seed += p == ls_rng_permute(6, LS_RNG_SHUFFLE, 0, i, 1000);
    }
    /* Poisson with mean 1: more than 10 has a probability of 1e-8 */
    assert_true(n_fixed <= 10 && n_same_step <= 10 && n_same_seed <= 10);
}

/* Over many seeds each place of a small permutation holds each element equally often. */
static void small_permutations_are_even(void **state)
{
    (void)state;
    int counts[5][5] = {{0}};
    for (uint64_t seed = 0; seed < 20000; seed++)
        for (uint64_t i = 0; i < 5; i++)
            counts[i][ls_rng_permute(seed, LS_RNG_SHUFFLE, 0, i, 5)]++;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) /* 5 standard deviations */
            assert_true(abs(counts[i][j] - 4000) < 5 * 57);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_vectors),
        cmocka_unit_test(a_name_is_the_counter_and_key_of_the_header),
        cmocka_unit_test(uniform_is_the_top_53_bits_of_two_words),
        cmocka_unit_test(below_stays_below_and_is_even),
        cmocka_unit_test(below_is_the_high_part_of_the_full_product),
        cmocka_unit_test(normal_values_have_the_moments_of_the_normal_law),
        cmocka_unit_test(normal_values_have_fixed_bits),
        cmocka_unit_test(permute_is_a_bijection),
        cmocka_unit_test(permute_takes_the_largest_ranges),
        cmocka_unit_test(each_seed_and_step_gives_another_order),
        cmocka_unit_test(small_permutations_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
