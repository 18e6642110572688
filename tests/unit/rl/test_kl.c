/* KL estimators against published values, and the gradient that each wiring really has. */
#include "close.h"

#include "base/rng.h"
#include "rl/kl.h"

#define V 4
/* Double arithmetic against numbers of 12 digits. */
#define PRINTED 1e-11

static void log_softmax(double *out, const double *logit, int n)
{
    double top = logit[0], sum = 0;
    for (int v = 1; v < n; v++)
        top = fmax(top, logit[v]);
    for (int v = 0; v < n; v++)
        sum += exp(logit[v] - top);
    for (int v = 0; v < n; v++)
        out[v] = logit[v] - top - log(sum);
}

static const double pi_logit[V] = {1.0, 0.5, -0.5, 0.0}, ref_logit[V] = {0.2, 0.8, 0.1, -0.3};

static double full_kl(const double *lp, const double *lq, int n)
{
    double kl = 0;
    for (int v = 0; v < n; v++)
        kl += exp(lp[v]) * (lp[v] - lq[v]);
    return kl;
}

/* sum_y p_y c_y d lp_y / d logits: the expected gradient of a loss whose coefficient on logp is
 * c. */
static void expected_gradient(double *out, const double *lp, const double *c, int n)
{
    double mean = 0;
    for (int y = 0; y < n; y++)
        mean += exp(lp[y]) * c[y];
    for (int v = 0; v < n; v++)
        out[v] = exp(lp[v]) * (c[v] - mean);
}

static void estimators_have_their_published_values(void **state)
{
    (void)state;
    static const double k1[V] = {0.679033829884, -0.420966170116, -0.720966170116, 0.179033829884};
    static const double k2[V] = {0.230543471064, 0.088606258191, 0.259896109226, 0.0160265561215};
    static const double k3[V] = {0.186140536984, 0.102466569868, 0.335452931701, 0.0151114443939};
    double lp[V], lq[V], mean[3] = {0}, square[3] = {0};
    log_softmax(lp, pi_logit, V);
    log_softmax(lq, ref_logit, V);
    assert_close(lp[0], -0.787338671698, PRINTED);
    assert_close(lq[3], -1.96637250158, PRINTED);
    for (int v = 0; v < V; v++) {
        double d = lp[v] - lq[v];
        double value[3];
        for (int kind = 0; kind < 3; kind++) {
            value[kind] = ls_kl_estimate((ls_kl_kind)kind, d).value;
            mean[kind] += exp(lp[v]) * value[kind];
            square[kind] += exp(lp[v]) * value[kind] * value[kind];
        }
        assert_close(value[0], k1[v], PRINTED);
        assert_close(value[1], k2[v], PRINTED);
        assert_close(value[2], k3[v], PRINTED);
    }
    assert_close(full_kl(lp, lq, V), 0.149575648339, PRINTED);
    assert_close(mean[0], 0.149575648339, PRINTED);
    assert_close(mean[1], 0.158437317603, PRINTED);
    assert_close(mean[2], 0.149575648339, PRINTED);
    assert_close(full_kl(lq, lp, V), 0.145791188871, PRINTED);
    assert_close(square[0] - mean[0] * mean[0], 0.294501760629, PRINTED);
    assert_close(square[1] - mean[1] * mean[1], 0.00815218034467, PRINTED);
    assert_close(square[2] - mean[2] * mean[2], 0.00775583562313, PRINTED);
}

static void each_wiring_has_its_published_gradient(void **state)
{
    (void)state;
    static const double reverse[V] = {0.240932187197, -0.15747202073, -0.0883916162139,
                                      0.00493144974713};
    static const double forward[V] = {0.224293179807, -0.144469710397, -0.107264912299,
                                      0.0274414428891};
    static const double k2_reward[V] = {0.0328122104242, -0.0192736757931, 0.0103017527482,
                                        -0.0238402873793};
    static const double k3_reward[V] = {0.0166390073905, -0.0130023103332, 0.0188732960847,
                                        -0.022509993142};
    static const struct {
        const double *expected;
        ls_kl_kind kind;
        bool in_reward, is_corrected;
    } wirings[] = {{reverse, LS_KL_K1, true, false},  {reverse, LS_KL_K2, false, false},
                   {reverse, LS_KL_K1, false, true},  {reverse, LS_KL_K3, false, true},
                   {forward, LS_KL_K3, false, false}, {k2_reward, LS_KL_K2, true, false},
                   {k3_reward, LS_KL_K3, true, false}};
    double lp[V], lq[V], c[V], gradient[V];
    log_softmax(lp, pi_logit, V);
    log_softmax(lq, ref_logit, V);
    for (size_t w = 0; w < LS_COUNT(wirings); w++) {
        for (int v = 0; v < V; v++) {
            ls_kl_value k = wirings[w].is_corrected
                                ? ls_kl_estimate_corrected(wirings[w].kind, lp[v] - lq[v], 0.0)
                                : ls_kl_estimate(wirings[w].kind, lp[v] - lq[v]);
            c[v] = wirings[w].in_reward ? k.value : k.slope;
        }
        expected_gradient(gradient, lp, c, V);
        for (int v = 0; v < V; v++)
            assert_close(gradient[v], wirings[w].expected[v], PRINTED);
    }
}

static void k1_as_a_loss_has_no_expected_gradient(void **state)
{
    (void)state;
    double lp[V], c[V], gradient[V];
    log_softmax(lp, pi_logit, V);
    for (int v = 0; v < V; v++)
        c[v] = ls_kl_estimate(LS_KL_K1, 0.3 * v).slope;
    expected_gradient(gradient, lp, c, V);
    for (int v = 0; v < V; v++)
        assert_close(gradient[v], 0.0, 1e-15);
}

static double normal(uint32_t i)
{
    float out[2];
    ls_rng_name name = {.seed = 7, .purpose = LS_RNG_TEST, .position = i};
    ls_rng_normal2(out, &name);
    return (double)out[0];
}

static void k1_and_k3_are_unbiased_for_any_two_distributions(void **state)
{
    (void)state;
    for (uint32_t trial = 0; trial < 200; trial++) {
        double a[6], b[6], lp[6], lq[6], k1 = 0, k3 = 0, c2[6], cf[6], g2[6], gf[6];
        for (uint32_t v = 0; v < 6; v++) {
            a[v] = 2 * normal(trial * 16 + v);
            b[v] = 2 * normal(trial * 16 + 8 + v);
        }
        log_softmax(lp, a, 6);
        log_softmax(lq, b, 6);
        for (int v = 0; v < 6; v++) {
            k1 += exp(lp[v]) * ls_kl_estimate(LS_KL_K1, lp[v] - lq[v]).value;
            k3 += exp(lp[v]) * ls_kl_estimate(LS_KL_K3, lp[v] - lq[v]).value;
            c2[v] = ls_kl_estimate(LS_KL_K2, lp[v] - lq[v]).slope;
            cf[v] = lp[v] - lq[v] + 1; /* d KL / d p_v */
        }
        assert_close(k1, full_kl(lp, lq, 6), 1e-12);
        assert_close(k3, full_kl(lp, lq, 6), 1e-12);
        expected_gradient(g2, lp, c2, 6);
        expected_gradient(gf, lp, cf, 6);
        for (int v = 0; v < 6; v++)
            assert_close(g2[v], gf[v], 1e-12);
    }
}

static void slopes_are_derivatives_of_values(void **state)
{
    (void)state;
    for (int kind = 0; kind < LS_KL_COUNT; kind++) {
        for (uint32_t i = 0; i < 100; i++) {
            double d = 2 * normal(i), ratio = normal(1000 + i), h = 1e-5;
            double up = ls_kl_estimate((ls_kl_kind)kind, d + h).value;
            double down = ls_kl_estimate((ls_kl_kind)kind, d - h).value;
            assert_close(ls_kl_estimate((ls_kl_kind)kind, d).slope, (up - down) / (2 * h), 1e-7);
            up = ls_kl_estimate_corrected((ls_kl_kind)kind, d + h, ratio + h).value;
            down = ls_kl_estimate_corrected((ls_kl_kind)kind, d - h, ratio - h).value;
            assert_close(ls_kl_estimate_corrected((ls_kl_kind)kind, d, ratio).slope,
                         (up - down) / (2 * h), 1e-7);
        }
    }
}

static void log_ratios_are_clamped_at_20_with_slope_0(void **state)
{
    (void)state;
    ls_kl_value k = ls_kl_estimate(LS_KL_K3, -INFINITY);
    assert_true(k.is_clamped);
    assert_close(k.value, exp(20.0) - 21.0, 1e-12);
    assert_true(k.slope == 0);
    assert_false(ls_kl_estimate(LS_KL_K3, 20.0).is_clamped);
    assert_true(ls_kl_estimate(LS_KL_K1, 1e9).value == 20.0);
    assert_true(isnan(ls_kl_estimate(LS_KL_K2, NAN).value));
    assert_true(ls_kl_estimate_corrected(LS_KL_K2, 1.0, 99.0).is_clamped);
}

/* Two steps of two tokens: the first choice decides which second distribution is met. */
typedef struct two_steps {
    double lp[3][2], lq[3][2]; /* first step, second after 0, second after 1 */
} two_steps;

static two_steps make_two_steps(void)
{
    static const double pi[3][2] = {{0.3, -0.2}, {0.5, 0.0}, {-0.4, 0.6}};
    static const double ref[3][2] = {{0, 0}, {0, 0}, {1, -1}};
    two_steps t;
    for (int s = 0; s < 3; s++) {
        log_softmax(t.lp[s], pi[s], 2);
        log_softmax(t.lq[s], ref[s], 2);
    }
    return t;
}

/* Adds p * c * d lp(state, y) / d logits(state). */
static void add_score(double g[3][2], const two_steps *t, int state, int y, double coefficient)
{
    for (int v = 0; v < 2; v++)
        g[state][v] += coefficient * ((v == y) - exp(t->lp[state][v]));
}

static void only_sequence_level_wirings_have_the_gradient_of_the_sequence_kl(void **state)
{
    (void)state;
    static const double truth[6] = {-0.111989185,  0.111989186,  0.0731401268,
                                    -0.0731401268, -0.222687002, 0.222687002};
    static const double token_k2[6] = {0.117501856,   -0.117501856, 0.0731401268,
                                       -0.0731401268, -0.222687002, 0.222687002};
    two_steps t = make_two_steps();
    double in_reward[3][2] = {{0}}, by_token[3][2] = {{0}}, by_seq[3][2] = {{0}}, kl = 0;
    for (int i = 0; i < 4; i++) {
        int y1 = i / 2, y2 = i % 2, s2 = 1 + y1;
        double p = exp(t.lp[0][y1] + t.lp[s2][y2]);
        double d1 = t.lp[0][y1] - t.lq[0][y1], d2 = t.lp[s2][y2] - t.lq[s2][y2];
        float old_logp[2] = {(float)t.lp[0][y1], (float)t.lp[s2][y2]};
        float ref_logp[2] = {(float)t.lq[0][y1], (float)t.lq[s2][y2]};
        int64_t start[] = {0, 2};
        leash_streams streams = {.n_tokens = 2,
                                 .n_seqs = 1,
                                 .seq_start = start,
                                 .old_logp = old_logp,
                                 .ref_logp = ref_logp};
        double reward = 0, cost[2];
        ls_kl_shape_rewards(&reward, cost, &streams, NULL, 1.0);
        assert_close(reward, -(cost[0] + cost[1]), 0);
        kl += p * -reward;
        double c1 = ls_kl_estimate(LS_KL_K2, d1).slope, c2 = ls_kl_estimate(LS_KL_K2, d2).slope;
        double c = ls_kl_estimate(LS_KL_K2, d1 + d2).slope;
        add_score(in_reward, &t, 0, y1, p * -reward);
        add_score(in_reward, &t, s2, y2, p * -reward);
        add_score(by_token, &t, 0, y1, p * c1);
        add_score(by_token, &t, s2, y2, p * c2);
        add_score(by_seq, &t, 0, y1, p * c);
        add_score(by_seq, &t, s2, y2, p * c);
    }
    assert_close(kl, 0.42928411829, 1e-6); /* the streams are floats */
    for (int v = 0; v < 6; v++) {
        assert_close(in_reward[v / 2][v % 2], truth[v], 1e-6);
        assert_close(by_token[v / 2][v % 2], token_k2[v], 1e-8); /* printed to 9 digits */
        assert_close(by_seq[v / 2][v % 2], truth[v], 1e-8);
    }
    assert_true(truth[0] < 0 && by_token[0][0] > 0);
}

static void shaping_leaves_masked_tokens_out_and_counts_clamped_ones(void **state)
{
    (void)state;
    static const int64_t start[] = {10, 12, 12, 14}; /* a view that does not begin at 0 */
    static const float old_logp[] = {-1, -2, -3, -4}, ref_logp[] = {-1.5f, NAN, -INFINITY, -3};
    static const uint8_t mask[] = {1, 0, 1, 1};
    double reward[] = {1, 2, 3}, cost[4];
    leash_streams streams = {
        .n_tokens = 4, .n_seqs = 3, .seq_start = start, .old_logp = old_logp, .ref_logp = ref_logp};
    assert_int_equal(ls_kl_shape_rewards(reward, cost, &streams, mask, 0.1), 1);
    assert_close(cost[0], 0.05, 1e-15);
    assert_close(cost[1], 0.0, 0);
    assert_close(cost[2] + cost[3], 1.9, 1e-15);
    assert_close(reward[0], 0.95, 1e-15);
    assert_close(reward[1], 2.0, 0);
    assert_close(reward[2], 1.1, 1e-15);
}

static void adaptive_controller_has_its_published_values(void **state)
{
    (void)state;
    assert_close(ls_kl_adapt(0.2, 9, 6, 10000, 256), 0.201024, 1e-12);
    assert_close(ls_kl_adapt(0.2, 5.7, 6, 10000, 256), 0.199744, 1e-12);
    /* Ziegler's own form is the one with n / horizon = 0.1. */
    assert_close(ls_kl_adapt(0.2, 9, 6, 10000, 1000), 0.204, 1e-12);
}

static void adaptive_controller_never_goes_above_its_bound(void **state)
{
    (void)state;
    double beta = 0.2;
    for (int i = 0; i < 2000; i++) {
        beta = ls_kl_adapt(beta, 1e300, 6, 100, 256);
        assert_true(beta <= 1e6);
    }
    assert_true(beta == 1e6);
    assert_true(ls_kl_adapt(1e300, INFINITY, 1e-6, 1, 1 << 20) == 1e6);
    assert_true(ls_kl_adapt(beta, 0, 6, 100, 256) < 1e6);
}

static void adaptive_controller_never_reaches_0_or_nan(void **state)
{
    (void)state;
    double beta = 0.2;
    for (int i = 0; i < 2000; i++)
        beta = ls_kl_adapt(beta, -3, 6, 100, 256);
    assert_true(beta > 0);
    assert_true(ls_kl_adapt(0.2, NAN, 6, 100, 256) == 0.2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimators_have_their_published_values),
        cmocka_unit_test(each_wiring_has_its_published_gradient),
        cmocka_unit_test(k1_as_a_loss_has_no_expected_gradient),
        cmocka_unit_test(k1_and_k3_are_unbiased_for_any_two_distributions),
        cmocka_unit_test(slopes_are_derivatives_of_values),
        cmocka_unit_test(log_ratios_are_clamped_at_20_with_slope_0),
        cmocka_unit_test(only_sequence_level_wirings_have_the_gradient_of_the_sequence_kl),
        cmocka_unit_test(shaping_leaves_masked_tokens_out_and_counts_clamped_ones),
        cmocka_unit_test(adaptive_controller_has_its_published_values),
        cmocka_unit_test(adaptive_controller_never_goes_above_its_bound),
        cmocka_unit_test(adaptive_controller_never_reaches_0_or_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
