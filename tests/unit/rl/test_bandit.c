/* One prompt, three answers of one token: small enough to know the optimum, and every wiring must
 * find it.
 *
 *     pi*(y) = pi_ref(y) e^(r(y) / beta) / Z           the maximiser of E r - beta KL(pi || pi_ref)
 *
 * Training here goes through the real objectives with every answer weighted by its probability, so
 * the gradient is the exact expectation; the last test samples instead. */
#include "close.h"

#include <string.h>
#include "base/rng.h"
#include "rl/advantage.h"
#include "rl/aggregation.h"
#include "rl/objective.h"

#define Y 3
static const double ref[Y] = {0.5, 0.3, 0.2}, reward[Y] = {5, 2, 1};
static const int64_t start[Y + 1] = {0, 1, 2, 3};

static void softmax(double *p, const double *theta)
{
    double sum = 0;
    for (int y = 0; y < Y; y++)
        sum += exp(theta[y]);
    for (int y = 0; y < Y; y++)
        p[y] = exp(theta[y]) / sum;
}

static double tilted(double *p, double beta)
{
    double top = -INFINITY, sum = 0;
    for (int y = 0; y < Y; y++)
        top = fmax(top, log(ref[y]) + reward[y] / beta);
    for (int y = 0; y < Y; y++)
        sum += exp(log(ref[y]) + reward[y] / beta - top);
    for (int y = 0; y < Y; y++)
        p[y] = exp(log(ref[y]) + reward[y] / beta - top) / sum;
    return top + log(sum); /* log Z */
}

static double kl_to_ref(const double *p)
{
    double kl = 0;
    for (int y = 0; y < Y; y++)
        kl += p[y] * log(p[y] / ref[y]);
    return kl;
}

static double objective_value(const double *p, double beta)
{
    return p[0] * reward[0] + p[1] * reward[1] + p[2] * reward[2] - beta * kl_to_ref(p);
}

static double total_variation(const double *p, const double *q)
{
    return 0.5 * (fabs(p[0] - q[0]) + fabs(p[1] - q[1]) + fabs(p[2] - q[2]));
}

typedef struct wiring {
    const char *objective;
    ls_kl_in kl_in;
    ls_kl_kind kind;
    bool is_corrected;
} wiring;

static const wiring right_wirings[] = {
    {"reinforce", LS_KL_IN_REWARD, LS_KL_K1, false}, {"ppo-clip", LS_KL_IN_REWARD, LS_KL_K1, false},
    {"reinforce", LS_KL_IN_LOSS, LS_KL_K2, false},   {"ppo-clip", LS_KL_IN_LOSS, LS_KL_K2, false},
    {"ppo-clip", LS_KL_IN_LOSS, LS_KL_K1, true},     {"ppo-clip", LS_KL_IN_LOSS, LS_KL_K3, true},
};
static const wiring k3_wiring = {"ppo-clip", LS_KL_IN_LOSS, LS_KL_K3, false};

/* d(loss) / d(theta) of the expected loss. */
static void gradient(double *g, const double *theta, const wiring *w, double beta)
{
    double p[Y], shaped[Y];
    float logp[Y], ref_logp[Y], advantage[Y], weight[Y], dlogp[Y];
    softmax(p, theta);
    for (int y = 0; y < Y; y++) {
        logp[y] = (float)log(p[y]);
        ref_logp[y] = (float)log(ref[y]);
        weight[y] = (float)p[y];
        shaped[y] = reward[y];
    }
    leash_streams streams = {.n_tokens = Y,
                             .n_seqs = Y,
                             .seq_start = start,
                             .old_logp = logp,
                             .ref_logp = ref_logp,
                             .advantage = advantage,
                             .weight = weight};
    if (w->kl_in == LS_KL_IN_REWARD)
        ls_kl_shape_rewards(shaped, NULL, &streams, NULL, beta);
    ls_advantage_broadcast(advantage, shaped, start, Y);
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.beta = beta;
    options.kl_in = w->kl_in;
    options.kl_estimator = w->kind;
    options.use_bias_correction_kl = w->is_corrected;
    leash_scores scores = {.logp = logp};
    leash_seeds seeds = {.dlogp = dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(ls_objective_find(w->objective), &options, &streams, &scores, &seeds, &sums);
    double total = 0;
    for (int y = 0; y < Y; y++)
        total += (double)dlogp[y];
    for (int y = 0; y < Y; y++)
        g[y] = (double)dlogp[y] - p[y] * total;
}

static void train(double *p, const wiring *w, double beta)
{
    double theta[Y], g[Y];
    for (int y = 0; y < Y; y++)
        theta[y] = log(ref[y]);
    for (int step = 0; step < 20000; step++) {
        gradient(g, theta, w, beta);
        for (int y = 0; y < Y; y++)
            theta[y] -= 0.2 * g[y];
    }
    softmax(p, theta);
}

static void the_tilted_reference_has_its_published_values(void **state)
{
    (void)state;
    static const struct {
        double beta, log_z, p[Y], kl, objective;
    } rows[] = {
        {0.1,
         49.3068528194,
         {1 - 5.6147e-14, 5.6145737813e-14, 1.69934170212e-18},
         0.693147180558,
         4.93068528194},
        {1,
         4.34337614462,
         {0.964135604998, 0.0288008911692, 0.00706350383237},
         0.541967166544,
         4.34337614462},
        {5,
         0.718312303526,
         {0.662682369633, 0.218212677293, 0.119104953074},
         0.0554761276386,
         3.59156151763},
    };
    for (size_t i = 0; i < LS_COUNT(rows); i++) {
        double p[Y];
        assert_close(tilted(p, rows[i].beta), rows[i].log_z, 1e-11);
        for (int y = 0; y < Y; y++)
            assert_close(p[y], rows[i].p[y], 1e-11);
        assert_close(kl_to_ref(p), rows[i].kl, 1e-11);
        assert_close(objective_value(p, rows[i].beta), rows[i].objective, 1e-11);
    }
    static const double other[Y] = {0.4, 0.35, 0.25};
    assert_close(objective_value(other, 1), 2.92951879476, 1e-11);
}

static void the_gradient_has_its_published_value(void **state)
{
    (void)state;
    static const double theta[Y] = {0.2, -0.1, 0.3};
    static const double p[Y] = {0.351371685289, 0.260302546694, 0.388325768017};
    static const double expected[Y] = {0.978127779898, -0.111171205353, -0.866956574546};
    double found[Y], g[Y];
    softmax(found, theta);
    assert_close(objective_value(found, 1), 2.56902246487, 1e-11);
    for (size_t w = 0; w < LS_COUNT(right_wirings); w++) {
        gradient(g, theta, &right_wirings[w], 1);
        for (int y = 0; y < Y; y++) {
            assert_close(found[y], p[y], 1e-11);
            assert_close(-g[y], expected[y], 2e-6); /* the streams are floats */
        }
    }
}

static void every_right_wiring_converges_to_the_tilted_reference(void **state)
{
    (void)state;
    static const double betas[] = {0.5, 1, 5};
    for (size_t w = 0; w < LS_COUNT(right_wirings); w++) {
        for (size_t b = 0; b < LS_COUNT(betas); b++) {
            double p[Y], best[Y];
            train(p, &right_wirings[w], betas[b]);
            tilted(best, betas[b]);
            assert_true(total_variation(p, best) < 0.01);
            assert_close(kl_to_ref(p), kl_to_ref(best), 0.02);
        }
    }
}

static void without_a_leash_all_mass_goes_to_the_best_answer(void **state)
{
    (void)state;
    static const double best[Y] = {1, 0, 0};
    for (size_t w = 0; w < LS_COUNT(right_wirings); w++) {
        double p[Y];
        train(p, &right_wirings[w], 0);
        assert_true(total_variation(p, best) < 0.01);
    }
}

/* E r - beta KL(ref || pi) is largest where r_y - mean r = beta (1 - ref_y / pi_y), so pi_y = beta
 * ref_y / (m - r_y). */
static void forward_kl_optimum(double *p, double beta)
{
    double low = reward[0] + 1e-9, high = reward[0] + 1e6;
    for (int i = 0; i < 200; i++) {
        double m = 0.5 * (low + high), sum = 0;
        for (int y = 0; y < Y; y++)
            sum += beta * ref[y] / (m - reward[y]);
        *(sum > 1 ? &low : &high) = m;
    }
    for (int y = 0; y < Y; y++)
        p[y] = beta * ref[y] / (low - reward[y]);
}

static void k3_as_a_loss_converges_to_the_forward_kl_optimum_instead(void **state)
{
    (void)state;
    static const double betas[] = {0.5, 1, 2};
    for (size_t b = 0; b < LS_COUNT(betas); b++) {
        double p[Y], forward[Y], best[Y];
        train(p, &k3_wiring, betas[b]);
        forward_kl_optimum(forward, betas[b]);
        tilted(best, betas[b]);
        assert_true(total_variation(p, forward) < 0.001);
        assert_true(total_variation(p, best) > 0.02);
    }
}

/* 64 groups of 8 sampled answers a step. */
#define G 8
#define B (64 * G)

typedef struct sampled_step {
    int64_t start[B + 1];
    int32_t group[B];
    int answer[B];
    double reward[B], advantage[B];
    float logp[B], ref_logp[B], token_advantage[B], weight[B], dlogp[B];
} sampled_step;

static void sample(sampled_step *s, const double *p, uint32_t step)
{
    for (uint32_t i = 0; i < B; i++) {
        ls_rng_name name = {.seed = 5, .purpose = LS_RNG_TEST, .step = step, .position = i};
        double u = ls_rng_uniform(&name);
        s->answer[i] = u < p[0] ? 0 : u < p[0] + p[1] ? 1 : 2;
        s->start[i + 1] = i + 1;
        s->group[i] = (int32_t)(i / G);
        s->reward[i] = reward[s->answer[i]];
        s->logp[i] = (float)log(p[s->answer[i]]);
        s->ref_logp[i] = (float)log(ref[s->answer[i]]);
    }
    s->start[0] = 0;
}

static void update(double *theta, sampled_step *s, const double *p, double beta)
{
    ls_group_stats groups[B / G];
    ls_aggregation_totals totals;
    ls_advantage_options advantage_options = LS_ADVANTAGE_OPTIONS_INIT;
    leash_streams streams = {.n_tokens = B,
                             .n_seqs = B,
                             .n_groups = B / G,
                             .seq_start = s->start,
                             .group = s->group,
                             .old_logp = s->logp,
                             .ref_logp = s->ref_logp,
                             .advantage = s->token_advantage,
                             .weight = s->weight};
    ls_kl_shape_rewards(s->reward, NULL, &streams, NULL, beta);
    ls_reward_batch batch = {
        .n_seqs = B, .n_groups = B / G, .reward = s->reward, .group = s->group};
    assert_int_equal(ls_group_stats_compute(groups, &batch), LEASH_OK);
    assert_int_equal(
        ls_advantage_compute(s->advantage, &ls_advantage_rloo, &advantage_options, &batch, groups),
        LEASH_OK);
    ls_advantage_broadcast(s->token_advantage, s->advantage, s->start, B);
    ls_aggregation_input input = {.n_seqs = B, .seq_start = s->start};
    assert_int_equal(
        ls_aggregation_weights(s->weight, &totals, ls_aggregation_find("seq-sum"), &input),
        LEASH_OK);
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    leash_scores scores = {.logp = s->logp};
    leash_seeds seeds = {.dlogp = s->dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_ppo_clip, &options, &streams, &scores, &seeds, &sums);
    for (int i = 0; i < B; i++) {
        for (int y = 0; y < Y; y++)
            theta[y] -= 0.1 * (double)s->dlogp[i] * ((y == s->answer[i]) - p[y]);
    }
}

static void a_sampled_run_finds_the_tilted_reference(void **state)
{
    (void)state;
    static sampled_step s;
    double theta[Y], p[Y], mean[Y] = {0}, best[Y];
    for (int y = 0; y < Y; y++)
        theta[y] = log(ref[y]);
    for (uint32_t step = 0; step < 600; step++) {
        softmax(p, theta);
        sample(&s, p, step);
        update(theta, &s, p, 1.0);
        for (int y = 0; y < Y; y++)
            mean[y] += step >= 300 ? p[y] / 300 : 0;
    }
    tilted(best, 1.0);
    assert_true(total_variation(mean, best) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tilted_reference_has_its_published_values),
        cmocka_unit_test(the_gradient_has_its_published_value),
        cmocka_unit_test(every_right_wiring_converges_to_the_tilted_reference),
        cmocka_unit_test(without_a_leash_all_mass_goes_to_the_best_answer),
        cmocka_unit_test(k3_as_a_loss_converges_to_the_forward_kl_optimum_instead),
        cmocka_unit_test(a_sampled_run_finds_the_tilted_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
