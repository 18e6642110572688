/* One prompt, three answers of one token: PPO with a critic, online DPO and A*-PO find the
 * same optimum pi_ref e^(r / beta) / Z, by the exact expectation of their gradients. */
#include "close.h"

#include <string.h>
#include "rl/gae.h"
#include "rl/kl.h"
#include "rl/logistic.h"
#include "rl/objective.h"
#include "rl/tilt.h"

#define Y 3
static const double ref[Y] = {0.5, 0.3, 0.2}, reward[Y] = {5, 2, 1};
static const int64_t start[2 * Y + 1] = {0, 1, 2, 3, 4, 5, 6};

typedef struct policy {
    double theta[Y], p[Y], logp[Y];
    float value; /* a critic's, of the prompt */
} policy;

static void refresh(policy *pi)
{
    double sum = 0;
    for (int y = 0; y < Y; y++)
        sum += exp(pi->theta[y]);
    for (int y = 0; y < Y; y++) {
        pi->logp[y] = pi->theta[y] - log(sum);
        pi->p[y] = exp(pi->logp[y]);
    }
}

static void begin(policy *pi)
{
    *pi = (policy){0};
    for (int y = 0; y < Y; y++)
        pi->theta[y] = log(ref[y]);
    refresh(pi);
}

/* dlogp[i] is of answer[i]. */
static void descend(policy *pi, const float *dlogp, const int *answer, int n, double rate)
{
    double g[Y] = {0}, total = 0;
    for (int i = 0; i < n; i++) {
        g[answer[i]] += (double)dlogp[i];
        total += (double)dlogp[i];
    }
    for (int y = 0; y < Y; y++)
        pi->theta[y] -= rate * (g[y] - pi->p[y] * total);
    refresh(pi);
}

static void assert_is_the_optimum(const policy *pi, double beta, double tolerance)
{
    double log_ref[Y], log_p[Y], kl = 0;
    ls_tilt t;
    for (int y = 0; y < Y; y++)
        log_ref[y] = log(ref[y]);
    assert_int_equal(ls_tilt_solve(&t, log_p, log_ref, reward, Y, beta), LEASH_OK);
    for (int y = 0; y < Y; y++)
        kl += pi->p[y] * (pi->logp[y] - log_p[y]);
    assert_true(kl >= -1e-9 && kl < tolerance);
}

static void fill(float *logp, float *ref_logp, const policy *pi, const int *answer, int n)
{
    for (int i = 0; i < n; i++) {
        logp[i] = (float)pi->logp[answer[i]];
        ref_logp[i] = (float)log(ref[answer[i]]);
    }
}

static const int each[Y] = {0, 1, 2};

static void ppo_step(policy *pi, double beta)
{
    float logp[Y], ref_logp[Y], advantage[Y], ret[Y], value[Y], weight[Y], dlogp[Y], dvalue[Y];
    double score[Y], cost[Y], a, r;
    fill(logp, ref_logp, pi, each, Y);
    leash_streams streams = {.n_tokens = Y,
                             .n_seqs = Y,
                             .seq_start = start,
                             .old_logp = logp,
                             .ref_logp = ref_logp,
                             .advantage = advantage,
                             .weight = weight,
                             .ret = ret,
                             .old_value = value};
    memcpy(score, reward, sizeof score);
    (void)ls_kl_shape_rewards(score, cost, &streams, NULL, beta);
    for (int y = 0; y < Y; y++) {
        value[y] = pi->value;
        weight[y] = (float)pi->p[y];
        ls_gae_input in = {.n = 1,
                           .score = score[y] + cost[y],
                           .token_cost = &cost[y],
                           .value = &value[y],
                           .gamma = 1,
                           .lambda = 0.95};
        ls_gae(&a, &r, &in);
        advantage[y] = (float)a;
        ret[y] = (float)r;
    }
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.vf_coef = 0.5;
    leash_scores scores = {.logp = logp, .value = value};
    leash_seeds seeds = {.dlogp = dlogp, .dvalue = dvalue};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_ppo_clip, &o, &streams, &scores, &seeds, &sums);
    for (int y = 0; y < Y; y++)
        pi->value -= 0.2f * dvalue[y];
    descend(pi, dlogp, each, Y, 0.2);
}

static void ppo_reaches_the_optimum_and_its_critic_the_optimal_value(void **state)
{
    (void)state;
    static const double betas[] = {0.5, 1, 5};
    for (int b = 0; b < 3; b++) {
        policy pi;
        begin(&pi);
        for (int step = 0; step < 20000; step++)
            ppo_step(&pi, betas[b]);
        assert_is_the_optimum(&pi, betas[b], 1e-3);
        double log_ref[Y], log_p[Y];
        ls_tilt t;
        for (int y = 0; y < Y; y++)
            log_ref[y] = log(ref[y]);
        assert_int_equal(ls_tilt_solve(&t, log_p, log_ref, reward, Y, betas[b]), LEASH_OK);
        assert_close((double)pi.value, t.value, 1e-2);
    }
}

/* Pairs that the policy wrote itself, judged by Bradley-Terry at the scale of the reward. */
static void online_dpo_step(policy *pi, double beta)
{
    static const int pair[2 * Y] = {0, 1, 0, 2, 1, 2};
    float logp[2 * Y], ref_logp[2 * Y], weight[2 * Y], label[2 * Y] = {0}, dlogp[2 * Y];
    fill(logp, ref_logp, pi, pair, 2 * Y);
    for (int i = 0; i < 2 * Y; i += 2) {
        weight[i] = weight[i + 1] = (float)(pi->p[pair[i]] * pi->p[pair[i + 1]]);
        label[i] = (float)ls_sigmoid(reward[pair[i]] - reward[pair[i + 1]]);
    }
    leash_streams streams = {.n_tokens = 2 * Y,
                             .n_seqs = 2 * Y,
                             .seq_start = start,
                             .ref_logp = ref_logp,
                             .weight = weight,
                             .label = label};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = beta;
    leash_scores scores = {.logp = logp};
    leash_seeds seeds = {.dlogp = dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_preference, &o, &streams, &scores, &seeds, &sums);
    descend(pi, dlogp, pair, 2 * Y, 2);
}

static void online_dpo_reaches_the_optimum(void **state)
{
    (void)state;
    policy pi;
    begin(&pi);
    for (int step = 0; step < 200000; step++)
        online_dpo_step(&pi, 1);
    assert_is_the_optimum(&pi, 1, 1e-3);
}

static void a_star_po_step(policy *pi, double beta, double value)
{
    float logp[Y], ref_logp[Y], advantage[Y], weight[Y], dlogp[Y];
    fill(logp, ref_logp, pi, each, Y);
    for (int y = 0; y < Y; y++) {
        weight[y] = (float)pi->p[y];
        advantage[y] = (float)(reward[y] - value);
    }
    leash_streams streams = {.n_tokens = Y,
                             .n_seqs = Y,
                             .seq_start = start,
                             .ref_logp = ref_logp,
                             .advantage = advantage,
                             .weight = weight};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = beta;
    leash_scores scores = {.logp = logp};
    leash_seeds seeds = {.dlogp = dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_a_star_po, &o, &streams, &scores, &seeds, &sums);
    descend(pi, dlogp, each, Y, 0.2);
}

static void a_star_po_reaches_the_optimum(void **state)
{
    (void)state;
    policy pi;
    /* V* = beta log E_ref e^(r / beta), published for beta 1. */
    begin(&pi);
    for (int step = 0; step < 20000; step++)
        a_star_po_step(&pi, 1, 4.34337614462);
    assert_is_the_optimum(&pi, 1, 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ppo_reaches_the_optimum_and_its_critic_the_optimal_value),
        cmocka_unit_test(online_dpo_reaches_the_optimum),
        cmocka_unit_test(a_star_po_reaches_the_optimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
