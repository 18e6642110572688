/* Claims about base/vmath.h, against libm in double.  LEASH_VERBOSE=1 prints the worst errors
 * found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/vmath.h"

/* Every STEPth float is tried; a prime, so that all low bits occur. */
#define STEP 1009u

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Distance in units in the last place of the float nearest to `want`. */
static double ulps(float got, double want)
{
    int exponent;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1.0, exponent - 24);
}

static void report(const char *name, double worst, double limit)
{
    if (getenv("LEASH_VERBOSE"))
        print_message("%s: worst %.3f ulp\n", name, worst);
    assert_true(worst <= limit);
}

/* The worst error over all tried floats in [least, most] and, with a sign, their negatives. */
static double worst_error(float (*f)(float), double (*reference)(double), float least, float most)
{
    double worst = 0;
    for (uint32_t bits = bits_of(least); bits <= bits_of(most); bits += STEP) {
        double error = ulps(f(float_of(bits)), reference((double)float_of(bits)));
        worst = error > worst ? error : worst;
    }
    return worst;
}

static double reference_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double worst_both_signs(float (*f)(float), double (*reference)(double), float least,
                               float most_negative, float most)
{
    double negative = worst_error(f, reference, -least, -most_negative);
    double positive = worst_error(f, reference, least, most);
    return negative > positive ? negative : positive;
}

static void exp_is_close_over_its_range(void **state)
{
    (void)state;
    report("exp", worst_both_signs(ls_expf, exp, 0x1p-126f, 87.33f, 88.72f), 1.02);
}

static void log_is_close_over_all_normal_floats(void **state)
{
    (void)state;
    double worst = worst_error(ls_logf, log, 0x1p-126f, 0x1.fffffep127f);
    double near_one = 0; /* where the result is small: every float there */
    for (uint32_t bits = bits_of(0.999f); bits < bits_of(1.001f); bits++) {
        float x = float_of(bits);
        double error = x == 1.0f ? 0 : ulps(ls_logf(x), log((double)x));
        near_one = error > near_one ? error : near_one;
    }
    report("log", worst, 0.85);
    report("log near 1", near_one, 0.85);
}

static void tanh_is_close_everywhere(void **state)
{
    (void)state;
    report("tanh", worst_both_signs(ls_tanhf, tanh, 0x1p-120f, 100.0f, 100.0f), 1.35);
}

static void erf_is_close_everywhere(void **state)
{
    (void)state;
    report("erf", worst_both_signs(ls_erff, erf, 0x1p-120f, 100.0f, 100.0f), 1.1);
}

static void sigmoid_is_close_over_its_range(void **state)
{
    (void)state;
    report("sigmoid",
           worst_both_signs(ls_sigmoidf, reference_sigmoid, 0x1p-126f, 87.33f, 0x1.fffffep127f),
           2.0);
}

static void sine_and_cosine_are_close_up_to_two_to_the_20(void **state)
{
    (void)state;
    double worst = 0;
    for (int i = -200000; i <= 200000; i++) {
        const double angles[] = {i * (1048576.0 / 200000), i * 1e-4, i * 1.5707963267948966,
                                 i * 1e-9};
        for (size_t k = 0; k < sizeof angles / sizeof angles[0]; k++) {
            float sine, cosine;
            if (fabs(angles[k]) >= 1048576)
                continue;
            ls_sincosf(&sine, &cosine, angles[k]);
            double error = angles[k] == 0 ? 0 : ulps(sine, sin(angles[k]));
            worst = error > worst ? error : worst;
            error = ulps(cosine, cos(angles[k]));
            worst = error > worst ? error : worst;
        }
    }
    report("sin and cos", worst, 1.6);
}

static void check_bits(float got, float want)
{
    assert_int_equal(bits_of(got), bits_of(want));
}

static void exact_values_and_limits_of_exp_hold(void **state)
{
    (void)state;
    check_bits(ls_expf(0.0f), 1.0f);
    check_bits(ls_expf(-0.0f), 1.0f);
    check_bits(ls_expf(0x1p-140f), 1.0f);
    check_bits(ls_expf(INFINITY), INFINITY);
    check_bits(ls_expf(-INFINITY), 0.0f);
    check_bits(ls_expf(nextafterf(88.72f, 100.0f)), INFINITY);
    check_bits(ls_expf(nextafterf(-87.33f, -100.0f)), 0.0f);
    check_bits(ls_expf(3e38f), INFINITY);
    check_bits(ls_expf(-3e38f), 0.0f);
    assert_true(isfinite(ls_expf(88.72f)));
    assert_true(isnormal(ls_expf(-87.33f)));
}

static void exact_values_and_limits_of_log_hold(void **state)
{
    (void)state;
    check_bits(ls_logf(1.0f), 0.0f);
    check_bits(ls_logf(INFINITY), INFINITY);
    check_bits(ls_logf(0.0f), -INFINITY);
    check_bits(ls_logf(-0.0f), -INFINITY);
    check_bits(ls_logf(0x1p-130f), -INFINITY);
    check_bits(ls_logf(-0x1p-130f), -INFINITY);
    assert_true(isnan(ls_logf(-1.0f)));
    assert_true(isnan(ls_logf(-INFINITY)));
    assert_true(isfinite(ls_logf(0x1p-126f)));
}

static void tanh_and_sigmoid_saturate_exactly(void **state)
{
    (void)state;
    check_bits(ls_tanhf(0.0f), 0.0f);
    check_bits(ls_tanhf(-0.0f), -0.0f);
    check_bits(ls_tanhf(50.0f), 1.0f);
    check_bits(ls_tanhf(-INFINITY), -1.0f);
    check_bits(ls_sigmoidf(0.0f), 0.5f);
    check_bits(ls_sigmoidf(40.0f), 1.0f);
    check_bits(ls_sigmoidf(INFINITY), 1.0f);
    check_bits(ls_sigmoidf(-INFINITY), 0.0f);
    check_bits(ls_sigmoidf(-88.0f), 0.0f);
    for (uint32_t bits = 0; bits < 0x7f800000u; bits += STEP) {
        float x = float_of(bits);
        check_bits(ls_tanhf(-x), -ls_tanhf(x));
        assert_true(ls_tanhf(x) <= 1.0f && ls_sigmoidf(x) <= 1.0f && ls_sigmoidf(-x) >= 0.0f);
    }
}

static void a_nan_keeps_its_bits(void **state)
{
    (void)state;
    const uint32_t nans[] = {0x7fc00000u, 0xffc00000u, 0x7fc12345u};
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++) {
        float x = float_of(nans[i]);
        check_bits(ls_expf(x), x);
        check_bits(ls_logf(x), x);
        check_bits(ls_tanhf(x), x);
        check_bits(ls_sigmoidf(x), x);
    }
}

static void quarter_turns_are_exact(void **state)
{
    (void)state;
    float sine, cosine;
    ls_sincosf(&sine, &cosine, 0.0);
    assert_true(sine == 0.0f && cosine == 1.0f);
    const double half_pi = 1.5707963267948966;
    for (int i = 1; i < 1000; i++) {
        ls_sincosf(&sine, &cosine, i * half_pi);
        float want_sine = i % 4 == 1 ? 1.0f : -1.0f, want_cosine = i % 4 == 0 ? 1.0f : -1.0f;
        if (i % 2)
            assert_true(sine == want_sine && fabsf(cosine) < 1e-12f);
        else
            assert_true(cosine == want_cosine && fabsf(sine) < 1e-12f);
    }
}

/* Recorded once.  They hold for every compiler, instruction set and libm, because each step is an
 * IEEE operation. */
static void bits_are_fixed(void **state)
{
    (void)state;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        float x = float_of(i * 2147483u), sine, cosine;
        if (isnan(x))
            continue;
        ls_sincosf(&sine, &cosine, (double)i * 37.7);
        const float values[] = {ls_expf(x), ls_logf(fabsf(x)), ls_tanhf(x), ls_sigmoidf(x), sine,
                                cosine};
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++)
            sum = sum * UINT64_C(6364136223846793005) + bits_of(values[k]);
    }
    assert_true(sum == UINT64_C(0x484889700cc0386e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_close_over_its_range),
        cmocka_unit_test(log_is_close_over_all_normal_floats),
        cmocka_unit_test(tanh_is_close_everywhere),
        cmocka_unit_test(erf_is_close_everywhere),
        cmocka_unit_test(sigmoid_is_close_over_its_range),
        cmocka_unit_test(sine_and_cosine_are_close_up_to_two_to_the_20),
        cmocka_unit_test(exact_values_and_limits_of_exp_hold),
        cmocka_unit_test(exact_values_and_limits_of_log_hold),
        cmocka_unit_test(tanh_and_sigmoid_saturate_exactly),
        cmocka_unit_test(a_nan_keeps_its_bits),
        cmocka_unit_test(quarter_turns_are_exact),
        cmocka_unit_test(bits_are_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
