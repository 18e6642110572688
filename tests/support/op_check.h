/* For tests of ops: a device with arenas and a tape, random inputs, central differences in double,
 * and the worst errors seen.
 *
 * A test writes its op's formula once more in double.  Gradients of the op are compared with
 * central differences of that, so a mistake would have to be made twice, in two different forms. */
#ifndef OP_CHECK_H
#define OP_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "ops/ops.h"

typedef struct op_bench {
    ls_device dev;
    ls_arena run, pass;
    ls_tape tape;
} op_bench;

static inline void op_bench_open(op_bench *b, const ls_kernels *k, int n_threads)
{
    assert_int_equal(ls_device_init(&b->dev, k, n_threads), LEASH_OK);
    assert_int_equal(ls_arena_init(&b->run, "run", 0), LEASH_OK);
    assert_int_equal(ls_arena_init(&b->pass, "pass", 0), LEASH_OK);
    /* What a pass finds in its arena is left from earlier ones: here NaN. */
    memset(ls_arena_alloc(&b->pass, 1 << 20), 0xff, 1 << 20);
    ls_arena_rewind(&b->pass, 0);
    b->pass.peak = 0;
    ls_tape_init(&b->tape, &b->dev, &b->pass, true);
}

static inline void op_bench_close(op_bench *b)
{
    ls_arena_release(&b->pass);
    ls_arena_release(&b->run);
    ls_device_release(&b->dev);
}

/* Normal values named by `stream`. */
static inline void fill_normal(float *x, int64_t n, uint32_t stream, float std)
{
    for (int64_t i = 0; i < n; i += 2) {
        ls_rng_name name = {
            .seed = 7, .purpose = LS_RNG_TEST, .prompt = stream, .position = (uint32_t)i};
        float pair[2];
        ls_rng_normal2(pair, &name);
        x[i] = std * pair[0];
        if (i + 1 < n)
            x[i + 1] = std * pair[1];
    }
}

static inline void to_double(double *out, const float *in, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = in[i];
}

/* A tensor of the pass that wants a gradient, holding x. */
static inline ls_tensor *bench_tensor(op_bench *b, const float *x, int64_t rows, int64_t cols)
{
    ls_tensor *t = ls_tape_tensor(&b->tape, rows, cols, true);
    memcpy(t->data, x, (size_t)(rows * cols) * sizeof *x);
    return t;
}

/* A trainable weight holding w, its gradient zero, packed. */
static inline ls_weight bench_weight(op_bench *b, const float *w, int64_t rows, int64_t cols)
{
    size_t bytes = (size_t)(rows * cols) * sizeof *w;
    ls_weight weight = {.name = "w", .rows = rows, .cols = cols, .is_trainable = true};
    weight.data = ls_arena_floats(&b->run, rows * cols);
    weight.grad = ls_arena_zalloc(&b->run, bytes);
    weight.packed = ls_arena_alloc(&b->run, b->dev.k->pack_bytes(rows, cols));
    memcpy(weight.data, w, bytes);
    b->dev.k->pack(&b->dev, weight.packed, weight.data, rows, cols);
    return weight;
}

/* Seeds the walk: the gradient of y is dy. */
static inline void bench_backward(op_bench *b, ls_tensor *y, const float *dy)
{
    memcpy(ls_tape_grad(&b->tape, y), dy, (size_t)(y->rows * y->cols) * sizeof *dy);
    ls_tape_backward(&b->tape, NULL);
}

typedef double loss_function(void *context);

/* out[i] = d loss / d x[i] by central differences; the error is about 1e-9 of the loss's scale. */
static inline void central_differences(double *out, double *x, int64_t n, loss_function *loss,
                                       void *context)
{
    const double h = 1e-5;
    for (int64_t i = 0; i < n; i++) {
        double old = x[i];
        x[i] = old + h;
        double above = loss(context);
        x[i] = old - h;
        double below = loss(context);
        x[i] = old;
        out[i] = (above - below) / (2.0 * h);
    }
}

/* Worst |float - double| over the largest |double| of the array, or over 0.1: terms are of size
 * one, so an array that is all smaller has cancelled. */
static inline double relative_error(const float *x, const double *expected, int64_t n)
{
    double largest = 0.1, worst = 0.0;
    for (int64_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(expected[i]));
        double error = fabs((double)x[i] - expected[i]);
        worst = error > worst || isnan(error) ? error : worst;
    }
    return worst / largest;
}

/* The worst of a program, by kind, printed by print_worst. */
static double worst_forward, worst_gradient;

static inline void check_close(double *worst, const float *x, const double *expected, int64_t n,
                               double bound)
{
    double error = relative_error(x, expected, n);
    if (!(error <= bound))
        fail_msg("relative error %.3g over %.3g (%lld values)", error, bound, (long long)n);
    *worst = fmax(*worst, error);
}

/* A few float roundings on sums of some dozens of terms. */
#define FORWARD_BOUND 2e-6
#define GRADIENT_BOUND 1e-5

static inline void check_forward(const float *y, const double *expected, int64_t n)
{
    check_close(&worst_forward, y, expected, n, FORWARD_BOUND);
}

static inline void check_gradient(const float *dx, const double *expected, int64_t n)
{
    check_close(&worst_gradient, dx, expected, n, GRADIENT_BOUND);
}

static inline int print_worst(void **state)
{
    (void)state;
    print_message("worst relative error: forward %.2e, gradients %.2e\n", worst_forward,
                  worst_gradient);
    return 0;
}

#endif
