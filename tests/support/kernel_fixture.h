/* Shared by the tests of the kernels: random arrays with guard values behind them, and a device
 * for each table and thread count.  A test computes with the reference, then calls
 * for_each_device, and compares bits. */
#ifndef LS_TESTS_KERNEL_FIXTURE_H
#define LS_TESTS_KERNEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"

#define GUARD_FLOATS 64
#define GUARD_VALUE 12345.5f
#define MOST_THREADS 4

static uint32_t fixture_draws;

static inline double uniform01(void)
{
    return ls_rng_uniform(
        &(ls_rng_name){.seed = 7, .purpose = LS_RNG_TEST, .position = fixture_draws++});
}

static inline float uniform(float low, float high)
{
    return low + (high - low) * (float)uniform01();
}

static inline int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)(uniform01() * (double)(high - low + 1));
}

/* n floats and a guard behind them; free with ls_free. */
static inline float *guarded(int64_t n)
{
    float *x = ls_calloc((size_t)n + GUARD_FLOATS, sizeof *x);
    for (int64_t i = n; i < n + GUARD_FLOATS; i++)
        x[i] = GUARD_VALUE;
    return x;
}

static inline float *random_floats(int64_t n, float low, float high)
{
    float *x = guarded(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = uniform(low, high);
    return x;
}

static inline float *clone(const float *x, int64_t n)
{
    float *y = guarded(n);
    if (n > 0)
        memcpy(y, x, (size_t)n * sizeof *y);
    return y;
}

static inline void assert_guard(const float *x, int64_t n)
{
    for (int64_t i = n; i < n + GUARD_FLOATS; i++)
        assert_true(x[i] == GUARD_VALUE);
}

static inline void assert_same_bits(const float *got, const float *expected, int64_t n)
{
    if (n > 0 && memcmp(got, expected, (size_t)n * sizeof *got) != 0) {
        for (int64_t i = 0; i < n; i++)
            if (memcmp(&got[i], &expected[i], sizeof *got) != 0)
                fail_msg("element %lld of %lld: %a instead of %a", (long long)i, (long long)n,
                         (double)got[i], (double)expected[i]);
    }
    assert_guard(got, n);
}

/* |got - expected| <= relative * scale: scale is the size of what was summed. */
static inline void assert_close(double got, double expected, double relative, double scale)
{
    double error = got > expected ? got - expected : expected - got;
    if (!(error <= relative * scale))
        fail_msg("%.9g instead of %.9g (allowed %.3g)", got, expected, relative * scale);
}

static inline ls_device ref_device(void)
{
    ls_device dev;
    assert_int_equal(ls_device_init(&dev, &ls_kernels_ref, 1), LEASH_OK);
    return dev;
}

/* Calls check(dev, context) for every table but the reference, with 1 to MOST_THREADS threads. */
static inline void for_each_device(void (*check)(ls_device *dev, void *context), void *context)
{
    const ls_kernels *tables[3];
    int n = ls_kernels_available(tables);
    for (int t = 0; t < n; t++) {
        for (int n_threads = 1; n_threads <= MOST_THREADS && tables[t] != &ls_kernels_ref;
             n_threads++) {
            ls_device dev;
            assert_int_equal(ls_device_init(&dev, tables[t], n_threads), LEASH_OK);
            check(&dev, context);
            ls_device_release(&dev);
        }
    }
}

#endif
