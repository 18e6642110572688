/* The vocabulary softmax: statistics and backward against double and finite differences, every
 * table against the reference. */
#include "kernel_fixture.h"

#include <math.h>

typedef struct exact_row {
    double lse, entropy;
} exact_row;

/* log-sum-exp and entropy of logits * inv_temperature, in double. */
static exact_row row_in_double(const double *logits, int64_t V, double inv_temperature)
{
    exact_row r = {0, 0};
    double max = -INFINITY, sum = 0;
    for (int64_t v = 0; v < V; v++)
        max = fmax(max, logits[v] * inv_temperature);
    for (int64_t v = 0; v < V; v++)
        sum += exp(logits[v] * inv_temperature - max);
    r.lse = max + log(sum);
    for (int64_t v = 0; v < V; v++) {
        double logp = logits[v] * inv_temperature - r.lse;
        r.entropy -= isinf(logp) ? 0 : exp(logp) * logp;
    }
    return r;
}

static void statistics_of_equal_logits_are_log_v(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    float z[8] = {2, 2, 2, 2, 2, 2, 2, 2}, lse, entropy;
    dev.k->softmax_stats(&dev, &(ls_softmax_stats_args){.logits = z,
                                                        .lse = &lse,
                                                        .entropy = &entropy,
                                                        .N = 1,
                                                        .V = 8,
                                                        .inv_temperature = 0.5f});
    assert_true(z[7] == 1.0f);
    assert_close(lse, 1 + log(8), 1e-6, 3);
    assert_close(entropy, log(8), 1e-6, 3);
    ls_device_release(&dev);
}

static void a_token_ruled_out_by_minus_infinity_costs_nothing(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    float z[3] = {1, -INFINITY, 1}, lse, entropy, dlogp = 1, dentropy = 0.5f;
    const int32_t id = 0;
    dev.k->softmax_stats(
        &dev,
        &(ls_softmax_stats_args){
            .logits = z, .lse = &lse, .entropy = &entropy, .N = 1, .V = 3, .inv_temperature = 1});
    assert_close(lse, 1 + log(2), 1e-6, 2);
    assert_close(entropy, log(2), 1e-6, 2);
    dev.k->softmax_bwd(&dev, &(ls_softmax_bwd_args){.logits = z,
                                                    .lse = &lse,
                                                    .entropy = &entropy,
                                                    .ids = &id,
                                                    .dlogp = &dlogp,
                                                    .dentropy = &dentropy,
                                                    .N = 1,
                                                    .V = 3,
                                                    .K = 1,
                                                    .inv_temperature = 1});
    assert_close(z[0], 0.5, 1e-6, 1);
    assert_true(z[1] == 0);
    assert_close(z[2], -0.5, 1e-6, 1);
    ls_device_release(&dev);
}

/* One likely token and 49151 that are too small, each, to change a float near 1: their sum is
 * 2.5e-4 of the whole. */
static void the_tail_of_a_large_vocabulary_is_not_swallowed(void **state)
{
    (void)state;
    enum { V = 49152 };
    const ls_kernels *tables[3];
    static float z[V];
    static double exact[V];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        ls_device dev;
        float lse, entropy;
        assert_int_equal(ls_device_init(&dev, tables[t], 1), LEASH_OK);
        for (int v = 0; v < V; v++)
            exact[v] = z[v] = v == 0 ? 0.0f : -19.0f;
        exact_row want = row_in_double(exact, V, 1.0);
        dev.k->softmax_stats(&dev, &(ls_softmax_stats_args){.logits = z,
                                                            .lse = &lse,
                                                            .entropy = &entropy,
                                                            .N = 1,
                                                            .V = V,
                                                            .inv_temperature = 1});
        assert_true(fabs((double)lse - want.lse) <= 1e-7);
        assert_true(fabs((double)entropy - want.entropy) <= 1e-6);
        ls_device_release(&dev);
    }
}

static void gradients_agree_with_finite_differences(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    enum { V = 13, K = 3 };
    const float inv_temperature = 0.8f, dlogp[K] = {0.7f, -1.2f, 0.3f}, dentropy = -0.4f;
    const int32_t ids[K] = {4, 0, 4};
    double exact[V];
    float z[V], lse, entropy;
    for (int v = 0; v < V; v++)
        exact[v] = z[v] = uniform(-3, 3);
    dev.k->softmax_stats(&dev, &(ls_softmax_stats_args){.logits = z,
                                                        .lse = &lse,
                                                        .entropy = &entropy,
                                                        .N = 1,
                                                        .V = V,
                                                        .inv_temperature = inv_temperature});
    exact_row r = row_in_double(exact, V, inv_temperature);
    assert_close(lse, r.lse, 1e-6, 4);
    assert_close(entropy, r.entropy, 2e-6, 4);
    dev.k->softmax_bwd(&dev, &(ls_softmax_bwd_args){.logits = z,
                                                    .lse = &lse,
                                                    .entropy = &entropy,
                                                    .ids = ids,
                                                    .dlogp = dlogp,
                                                    .dentropy = &dentropy,
                                                    .N = 1,
                                                    .V = V,
                                                    .K = K,
                                                    .inv_temperature = inv_temperature});
    for (int v = 0; v < V; v++) {
        double sides[2], old = exact[v], step = 1e-5;
        for (int side = 0; side < 2; side++) {
            exact[v] = old + (side ? step : -step);
            r = row_in_double(exact, V, inv_temperature);
            sides[side] = dentropy * r.entropy;
            for (int k = 0; k < K; k++)
                sides[side] += dlogp[k] * (exact[ids[k]] * inv_temperature - r.lse);
        }
        exact[v] = old;
        assert_close(z[v], (sides[1] - sides[0]) / (2 * step), 2e-6, 2);
    }
    ls_device_release(&dev);
}

static void probabilities_of_a_row_are_its_softmax(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    const float z[4] = {logf(4), logf(2), -INFINITY, logf(2)}, lse = logf(8);
    float p[4];
    dev.k->softmax_probs(&dev,
                         &(ls_softmax_probs_args){.p = p, .z = z, .lse = &lse, .N = 1, .V = 4});
    assert_close(p[0], 0.5, 1e-6, 1);
    assert_close(p[1], 0.25, 1e-6, 1);
    assert_true(p[2] == 0);
    assert_close(p[3], 0.25, 1e-6, 1);
    ls_device_release(&dev);
}

typedef struct softmax_case {
    const float *raw, *z, *p, *lse, *entropy, *dlogp, *dentropy, *gradient;
    const int32_t *ids;
    int64_t N, V, K;
} softmax_case;

static void check_softmax(ls_device *dev, void *context)
{
    const softmax_case *t = context;
    float *z = clone(t->raw, t->N * t->V), *lse = guarded(t->N), *entropy = guarded(t->N);
    ls_softmax_stats_args stats = {.logits = z,
                                   .lse = lse,
                                   .entropy = entropy,
                                   .N = t->N,
                                   .V = t->V,
                                   .inv_temperature = 1 / 0.7f};
    dev->k->softmax_stats(dev, &stats);
    assert_same_bits(z, t->z, t->N * t->V);
    assert_same_bits(lse, t->lse, t->N);
    assert_same_bits(entropy, t->entropy, t->N);
    float *p = guarded(t->N * t->V);
    dev->k->softmax_probs(
        dev, &(ls_softmax_probs_args){.p = p, .z = z, .lse = lse, .N = t->N, .V = t->V});
    assert_same_bits(p, t->p, t->N * t->V);
    ls_free(p);
    ls_softmax_bwd_args bwd = {.logits = z,
                               .lse = lse,
                               .entropy = entropy,
                               .ids = t->ids,
                               .dlogp = t->dlogp,
                               .dentropy = t->dentropy,
                               .N = t->N,
                               .V = t->V,
                               .K = t->K,
                               .inv_temperature = 1 / 0.7f};
    dev->k->softmax_bwd(dev, &bwd);
    assert_same_bits(z, t->gradient, t->N * t->V);
    /* A row alone has the bits that it has in the batch. */
    if (t->N > 0) {
        int64_t i = t->N - 1;
        memcpy(z, t->raw + i * t->V, (size_t)t->V * sizeof(float));
        stats.N = 1;
        stats.entropy = NULL;
        dev->k->softmax_stats(dev, &stats);
        assert_memory_equal(z, t->z + i * t->V, (size_t)t->V * sizeof(float));
        assert_memory_equal(lse, t->lse + i, sizeof(float));
    }
    ls_free(z), ls_free(lse), ls_free(entropy);
}

static void compare_softmax(int64_t N, int64_t V, int64_t K, bool with_entropy)
{
    ls_device ref = ref_device();
    float *raw = random_floats(N * V, -60, 10), *z = clone(raw, N * V), *lse = guarded(N),
          *entropy = guarded(N);
    float *dlogp = random_floats(N * K, -1, 1), *dentropy = random_floats(N, -1, 1);
    int32_t *ids = ls_malloc((size_t)(N * K) * sizeof *ids + 1);
    for (int64_t i = 0; i < N * K; i++)
        ids[i] = (int32_t)between(0, V - 1);
    if (V > 4 && N > 0)
        raw[2] = z[2] = -INFINITY;
    ref.k->softmax_stats(&ref, &(ls_softmax_stats_args){.logits = z,
                                                        .lse = lse,
                                                        .entropy = entropy,
                                                        .N = N,
                                                        .V = V,
                                                        .inv_temperature = 1 / 0.7f});
    float *gradient = clone(z, N * V), *p = guarded(N * V);
    ref.k->softmax_probs(&ref,
                         &(ls_softmax_probs_args){.p = p, .z = z, .lse = lse, .N = N, .V = V});
    ref.k->softmax_bwd(&ref, &(ls_softmax_bwd_args){.logits = gradient,
                                                    .lse = lse,
                                                    .entropy = entropy,
                                                    .ids = ids,
                                                    .dlogp = dlogp,
                                                    .dentropy = with_entropy ? dentropy : NULL,
                                                    .N = N,
                                                    .V = V,
                                                    .K = K,
                                                    .inv_temperature = 1 / 0.7f});
    softmax_case t = {.raw = raw,
                      .z = z,
                      .p = p,
                      .lse = lse,
                      .entropy = entropy,
                      .dlogp = dlogp,
                      .dentropy = with_entropy ? dentropy : NULL,
                      .gradient = gradient,
                      .ids = ids,
                      .N = N,
                      .V = V,
                      .K = K};
    for_each_device(check_softmax, &t);
    ls_free(raw), ls_free(z), ls_free(lse), ls_free(entropy), ls_free(dlogp), ls_free(dentropy),
        ls_free(ids);
    ls_free(gradient), ls_free(p);
    ls_device_release(&ref);
}

static void every_table_gives_the_reference_bits(void **state)
{
    (void)state;
    const int64_t widths[] = {1, 2, 15, 16, 17, 31, 64, 100, 257, 5003};
    for (size_t i = 0; i < LS_COUNT(widths); i++)
        compare_softmax(5, widths[i], 1 + (int64_t)i % 3, i % 2 == 0);
    compare_softmax(0, 10, 1, true);
    compare_softmax(67, 300, 8, true);
    compare_softmax(3, 49, 0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_of_equal_logits_are_log_v),
        cmocka_unit_test(a_token_ruled_out_by_minus_infinity_costs_nothing),
        cmocka_unit_test(the_tail_of_a_large_vocabulary_is_not_swallowed),
        cmocka_unit_test(probabilities_of_a_row_are_its_softmax),
        cmocka_unit_test(gradients_agree_with_finite_differences),
        cmocka_unit_test(every_table_gives_the_reference_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
