/* Objectives against published per-token losses and gradients, and the properties that all of them
 * share. */
#include "close.h"

#include <string.h>
#include "base/rng.h"
#include "common_vector.h"

static void assert_gradients(const float *dlogp, const double expected[10])
{
    for (int t = 0; t < 10; t++)
        assert_close((double)dlogp[t], expected[t], FLOAT_INPUT);
}

static void grpo_has_its_published_loss_and_gradients(void **state)
{
    (void)state;
    static const double gradients[10] = {0,       -0.118903678, 0,       0,       0.0690731824,
                                         0.03125, 0.03125,      0.03125, 0.03125, 0.506899996};
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    common_result r = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    assert_close(r.metrics.loss, 0.312069500173, FLOAT_INPUT);
    assert_close(r.metrics.policy_loss, r.metrics.loss, 0);
    assert_gradients(r.dlogp, gradients);
    options.epsilon_high = -1;
    r = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    assert_close(r.metrics.loss, 0.332069500173, FLOAT_INPUT);
}

static void grpo_with_k3_has_its_published_loss(void **state)
{
    (void)state;
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    options.beta = 0.04;
    common_result r = common_run("ppo-clip", "seq-mean", &options, common_advantage);
    assert_close(r.metrics.loss, 0.315748393862, FLOAT_INPUT);
    assert_close(r.sums.kl_loss, 0.0919723422437, FLOAT_INPUT);
    assert_close(r.metrics.kl, 0.0466725363154, FLOAT_INPUT);
    assert_close(r.metrics.kl_coef, 0.04, 0);
}

static void clip_ratios_have_their_published_values(void **state)
{
    (void)state;
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    ls_objective_metrics m = common_run("ppo-clip", "seq-mean", &options, common_advantage).metrics;
    assert_close(m.clip_low_mean, 0.1, 1e-12);
    assert_close(m.clip_high_mean, 0.2, 1e-12);
    assert_close(m.clip_region_mean, 0.3, 1e-12);
    assert_close(m.clip_low_min, 0, 0);
    assert_close(m.clip_high_max, 2.0 / 3, 1e-12);
    assert_close(m.ratio_max, 4.05519996684, FLOAT_INPUT);
    assert_close(m.ratio_min, 0.670320046036, FLOAT_INPUT);
    assert_close(m.n_tokens, 10, 0);
    assert_close(m.n_useful, 10, 0);
    assert_true(isnan(m.entropy));
}

static void token_losses_have_their_published_values(void **state)
{
    (void)state;
    static const double losses[10] = {
        -1.92, -1.42684413675, -1.92, 0.4, 0.552585459038, 0.5, 0.5, 0.5, 0.5, 2.02759998342};
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    for (int t = 0; t < 10; t++) {
        static const int64_t start[] = {0, 1};
        static const float one = 1.0f;
        float dlogp;
        leash_streams streams = {.n_tokens = 1,
                                 .n_seqs = 1,
                                 .seq_start = start,
                                 .old_logp = common_old + t,
                                 .advantage = common_advantage + t,
                                 .weight = &one};
        leash_scores scores = {.logp = common_new + t};
        leash_seeds seeds = {.dlogp = &dlogp};
        ls_objective_sums sums;
        ls_objective_sums_init(&sums);
        ls_objective_run(&ls_objective_ppo_clip, &options, &streams, &scores, &seeds, &sums);
        assert_close(sums.policy_loss, losses[t], FLOAT_INPUT);
    }
}

static void dual_clip_and_delta_bound_the_open_side(void **state)
{
    (void)state;
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    options.dual_clip = 3;
    common_result r = common_run("ppo-clip", "token-mean", &options, common_advantage);
    assert_close(r.metrics.loss, -0.0814258677713, FLOAT_INPUT);
    assert_true(r.dlogp[9] == 0);
    options.dual_clip = 0;
    options.delta = 4;
    r = common_run("ppo-clip", "token-mean", &options, common_advantage);
    assert_close(r.metrics.loss, -0.0314258677713, FLOAT_INPUT);
    assert_true(r.dlogp[9] == 0);
}

static void on_policy_the_clipped_surrogate_is_reinforce(void **state)
{
    (void)state;
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    float ppo[10], reinforce[10], weight[10];
    leash_streams streams = {.n_tokens = 10,
                             .n_seqs = 4,
                             .seq_start = common_start,
                             .old_logp = common_new,
                             .advantage = common_advantage,
                             .weight = weight};
    for (int t = 0; t < 10; t++)
        weight[t] = 0.1f * (float)(t + 1);
    leash_scores scores = {.logp = common_new};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    leash_seeds seeds = {.dlogp = ppo};
    ls_objective_run(&ls_objective_ppo_clip, &options, &streams, &scores, &seeds, &sums);
    assert_true(sums.ratio_min == 1 && sums.ratio_max == 1);
    seeds.dlogp = reinforce;
    ls_objective_run(&ls_objective_reinforce, &options, &streams, &scores, &seeds, &sums);
    assert_memory_equal(ppo, reinforce, sizeof ppo);
}

/* Random batches.  Log-probabilities are multiples of 2^-11, so a step of 2^-11 in a float is
 * exact. */
#define N_SEQS 7
#define N_TOKENS 60
#define STEP (1.0f / 2048)

typedef struct random_batch {
    int64_t start[N_SEQS + 1];
    float old_logp[N_TOKENS], ref_logp[N_TOKENS], advantage[N_TOKENS], weight[N_TOKENS];
    float logp[N_TOKENS], entropy[N_TOKENS], dlogp[N_TOKENS], dentropy[N_TOKENS];
} random_batch;

static uint64_t below(uint32_t trial, uint32_t i, uint64_t n)
{
    ls_rng_name name = {.seed = 3, .purpose = LS_RNG_TEST, .step = trial, .position = i};
    return ls_rng_below(&name, n);
}

static void fill(random_batch *b, uint32_t trial)
{
    static const int64_t start[N_SEQS + 1] = {0, 1, 9, 9, 21, 34, 59, 60};
    memcpy(b->start, start, sizeof start);
    for (uint32_t t = 0; t < N_TOKENS; t++) {
        b->old_logp[t] = -(float)below(trial, 8 * t, 6000) * STEP;
        b->logp[t] = b->old_logp[t] + ((float)below(trial, 8 * t + 1, 2048) - 1024) * STEP;
        b->ref_logp[t] = b->old_logp[t] + ((float)below(trial, 8 * t + 2, 4096) - 2048) * STEP;
        b->advantage[t] = (float)below(trial, 8 * t + 3, 1000) / 250.0f - 2.0f;
        b->entropy[t] = (float)below(trial, 8 * t + 4, 4096) * STEP;
        bool is_masked = below(trial, 8 * t + 5, 4) == 0;
        b->weight[t] = is_masked ? 0.0f : (float)below(trial, 8 * t + 6, 100) / 1000.0f + 0.001f;
        if (is_masked)
            b->logp[t] = b->old_logp[t] = b->entropy[t] = NAN;
    }
}

static leash_streams streams_of(const random_batch *b)
{
    return (leash_streams){.n_tokens = N_TOKENS,
                           .n_seqs = N_SEQS,
                           .seq_start = b->start,
                           .old_logp = b->old_logp,
                           .ref_logp = b->ref_logp,
                           .advantage = b->advantage,
                           .weight = b->weight};
}

static ls_objective_sums run_range(random_batch *b, const ls_objective *objective,
                                   const ls_objective_options *options, ls_objective_sums sums,
                                   int64_t first, int64_t end)
{
    leash_streams all = streams_of(b), view = ls_streams_range(&all, first, end);
    leash_scores scores = {.logp = b->logp + b->start[first],
                           .entropy = b->entropy + b->start[first]};
    leash_seeds seeds = {.dlogp = b->dlogp + b->start[first],
                         .dentropy = b->dentropy + b->start[first]};
    ls_objective_run(objective, options, &view, &scores, &seeds, &sums);
    return sums;
}

static ls_objective_sums run_all(random_batch *b, const ls_objective *objective,
                                 const ls_objective_options *options)
{
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    return run_range(b, objective, options, sums, 0, N_SEQS);
}

/* Of the policy's log-probabilities alone, token by token or sequence by sequence: those with a
 * view have their own tests. */
static bool is_plain(const ls_objective *objective)
{
    return objective->run != NULL;
}

static ls_objective_options variant(int v)
{
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    options.beta = v < 6 ? 0.3 : 0;
    options.kl_estimator = (ls_kl_kind)(v % 3);
    options.use_bias_correction_kl = v >= 3 && v < 6;
    options.entropy_coef = 0.01 * v;
    options.delta = v == 1 ? 1.5 : 0;
    options.dual_clip = v == 2 ? 1.4 : 0;
    options.importance_sampling_level = v == 7   ? LS_RATIO_SEQUENCE
                                        : v == 8 ? LS_RATIO_SEQUENCE_PRODUCT
                                                 : LS_RATIO_TOKEN;
    options.off_policy_mask_threshold = v == 4 || v == 7 ? 0.01 : 0;
    return options;
}
#define N_VARIANTS 9

/* A token on a kink has no derivative: the ratio may not cross a bound within the step. */
static bool is_on_a_kink(const ls_objective_options *options, double log_ratio)
{
    const double bounds[] = {1 - options->epsilon, 1 + options->epsilon_high, options->delta,
                             options->dual_clip};
    for (size_t i = 0; i < LS_COUNT(bounds); i++) {
        if (bounds[i] > 0 && fabs(log_ratio - log(bounds[i])) < 2 * (double)STEP)
            return true;
    }
    return false;
}

/* A clip that begins or ends within two steps of a token is a kink as well. */
static bool crosses_a_clip(const random_batch *b, int t, const ls_objective *objective,
                           const ls_objective_options *options)
{
    random_batch low = *b, high = *b;
    low.logp[t] -= 2 * STEP;
    high.logp[t] += 2 * STEP;
    ls_objective_sums x = run_all(&low, objective, options);
    ls_objective_sums y = run_all(&high, objective, options);
    return x.n_clip_low != y.n_clip_low || x.n_clip_high != y.n_clip_high ||
           x.n_off_policy != y.n_off_policy;
}

/* The importance weight of these is a constant to the gradient: the ratio must stay while logp
 * moves. */
static bool has_detached_ratio(const ls_objective *objective)
{
    return objective == &ls_objective_cispo || objective == &ls_objective_vespo;
}

static double difference(const random_batch *b, int t, bool of_entropy,
                         const ls_objective *objective, const ls_objective_options *options)
{
    double loss[2];
    for (int side = 0; side < 2; side++) {
        random_batch moved = *b;
        float step = side == 0 ? STEP : -STEP;
        if (of_entropy)
            moved.entropy[t] += step;
        else
            moved.logp[t] += step;
        if (!of_entropy && has_detached_ratio(objective))
            moved.old_logp[t] += step;
        ls_objective_sums sums = run_all(&moved, objective, options);
        loss[side] = ls_objective_finish(&sums, options).loss;
    }
    return (loss[0] - loss[1]) / (2 * (double)STEP);
}

static void seeds_are_derivatives_for_every_objective_and_option(void **state)
{
    (void)state;
    int n_checked = 0;
    for (int64_t o = 0; o < ls_n_objectives; o++) {
        for (int v = 0; v < N_VARIANTS && is_plain(ls_objectives[o]); v++) {
            random_batch b;
            ls_objective_options options = variant(v);
            if (has_detached_ratio(ls_objectives[o]))
                options.use_bias_correction_kl = false;
            fill(&b, (uint32_t)v);
            ls_objective_sums sums = run_all(&b, ls_objectives[o], &options);
            /* h^2 / 6 times a third derivative, against a gradient of up to 0.2 at a ratio of 1. */
            double tolerance = 2e-7 * (sums.has_ratio ? fmax(1, sums.ratio_max) : 1);
            for (int t = 0; t < N_TOKENS; t++) {
                if (b.weight[t] == 0) {
                    assert_true(b.dlogp[t] == 0 && b.dentropy[t] == 0);
                    continue;
                }
                assert_close((double)b.dentropy[t],
                             difference(&b, t, true, ls_objectives[o], &options), 1e-9);
                if (is_on_a_kink(&options, (double)b.logp[t] - (double)b.old_logp[t]) ||
                    crosses_a_clip(&b, t, ls_objectives[o], &options))
                    continue;
                assert_close((double)b.dlogp[t],
                             difference(&b, t, false, ls_objectives[o], &options), tolerance);
                n_checked++;
            }
        }
    }
    assert_true(n_checked > 2500);
}

static void any_cut_into_micro_batches_gives_the_same_bits(void **state)
{
    (void)state;
    for (uint32_t trial = 0; trial < 200; trial++) {
        random_batch whole, cut;
        const ls_objective *objective = ls_objectives[trial % (uint32_t)ls_n_objectives];
        ls_objective_options options = variant((int)(trial % N_VARIANTS));
        if (!is_plain(objective))
            continue;
        fill(&whole, trial);
        fill(&cut, trial);
        ls_objective_sums a = run_all(&whole, objective, &options), b;
        ls_objective_sums_init(&b);
        for (int64_t first = 0; first < N_SEQS;) {
            int64_t end = first + 1 + (int64_t)below(trial, 5000 + (uint32_t)first, 3);
            end = end < N_SEQS ? end : N_SEQS;
            b = run_range(&cut, objective, &options, b, first, end);
            first = end;
        }
        ls_objective_metrics x = ls_objective_finish(&a, &options),
                             y = ls_objective_finish(&b, &options);
        assert_memory_equal(&x, &y, sizeof x);
        assert_memory_equal(whole.dlogp, cut.dlogp, sizeof whole.dlogp);
        assert_memory_equal(whole.dentropy, cut.dentropy, sizeof whole.dentropy);
    }
}

static void masked_tokens_change_nothing(void **state)
{
    (void)state;
    random_batch a, b;
    ls_objective_options options = variant(2);
    fill(&a, 1);
    fill(&b, 1);
    for (int t = 0; t < N_TOKENS; t++) {
        if (b.weight[t] == 0)
            b.logp[t] = b.old_logp[t] = b.ref_logp[t] = b.advantage[t] = b.entropy[t] = 5.0f;
    }
    ls_objective_sums x = run_all(&a, &ls_objective_ppo_clip, &options);
    ls_objective_sums y = run_all(&b, &ls_objective_ppo_clip, &options);
    assert_true(isfinite(x.policy_loss));
    assert_true(x.policy_loss == y.policy_loss && x.kl_loss == y.kl_loss &&
                x.n_tokens == y.n_tokens);
    assert_memory_equal(a.dlogp, b.dlogp, sizeof a.dlogp);
}

static void a_batch_without_trained_tokens_has_loss_0_and_no_statistics(void **state)
{
    (void)state;
    random_batch b;
    ls_objective_options options = variant(0);
    fill(&b, 1);
    memset(b.weight, 0, sizeof b.weight);
    ls_objective_sums sums = run_all(&b, &ls_objective_ppo_clip, &options);
    ls_objective_metrics m = ls_objective_finish(&sums, &options);
    assert_close(m.loss, 0, 0);
    assert_close(m.n_tokens, 0, 0);
    assert_true(isnan(m.kl) && isnan(m.clip_low_min) && isnan(m.ratio_mean));
}

static void extreme_ratios_are_clamped_and_counted(void **state)
{
    (void)state;
    random_batch b;
    ls_objective_options options = variant(5);
    fill(&b, 1);
    int t = 1;
    while (b.weight[t] == 0)
        t++;
    b.old_logp[t] = -90;
    b.logp[t] = -0.5f;
    b.ref_logp[t] = -INFINITY;
    b.advantage[t] = -1;
    ls_objective_sums sums = run_all(&b, &ls_objective_ppo_clip, &options);
    assert_int_equal(sums.n_ratio_clamped, 1);
    assert_int_equal(sums.n_kl_clamped, 1);
    assert_true(isfinite(sums.policy_loss) && isfinite(sums.kl_loss));
    assert_true(b.dlogp[t] == 0);
}

static void a_nan_logp_reaches_the_loss(void **state)
{
    (void)state;
    for (int64_t o = 0; o < ls_n_objectives; o++) {
        random_batch b;
        ls_objective_options options = variant(6);
        if (!is_plain(ls_objectives[o]))
            continue;
        fill(&b, 1);
        for (int t = 0; t < N_TOKENS; t++)
            b.logp[t] = NAN;
        ls_objective_sums sums = run_all(&b, ls_objectives[o], &options);
        assert_true(isnan(ls_objective_finish(&sums, &options).loss));
    }
}

/* Three rows of logits with targets: the numbers of supervised fine-tuning. */
static double row_nll(const double *logit, int n, int target, double temperature, double *p,
                      double *entropy)
{
    double sum = 0, mean = 0;
    for (int v = 0; v < n; v++)
        sum += exp(logit[v] / temperature);
    for (int v = 0; v < n; v++) {
        p[v] = exp(logit[v] / temperature) / sum;
        mean += p[v] * logit[v] / temperature;
    }
    *entropy = log(sum) - mean;
    return log(sum) - logit[target] / temperature;
}

static void sft_has_its_published_loss_entropy_and_gradient(void **state)
{
    (void)state;
    static const double logits[3][5] = {{2, .5, -1, 0, .3}, {.1, .2, .3, .4, .5}, {-1, 3, 0, 0, 1}};
    static const int target[3] = {0, 3, 4};
    static const double nll[3] = {0.46432254478, 1.51941633148, 2.2257202758};
    static const double cold[3] = {0.244261596565, 1.48689941767, 2.94172175166};
    static const double entropies[3] = {1.13392143418, 1.59950248469, 0.738521649891};
    static const double dz[5] = {-0.185719608616, 0.070125434061, 0.0156470993325, 0.0425332257837,
                                 0.0574138494387};
    static const int64_t start[] = {0, 3};
    static const uint8_t mask[] = {1, 1, 0};
    double p[3][5], unused[5], entropy;
    float logp[3], h[3], weight[3], dlogp[3];
    for (int i = 0; i < 3; i++) {
        double row = row_nll(logits[i], 5, target[i], 1.0, p[i], &entropy);
        assert_close(row, nll[i], 1e-11);
        assert_close(entropy, entropies[i], 1e-11);
        logp[i] = (float)-row;
        h[i] = (float)entropy;
        assert_close(row_nll(logits[i], 5, target[i], 0.7, unused, &entropy), cold[i], 1e-11);
    }
    ls_aggregation_totals totals;
    ls_aggregation_input input = {.n_seqs = 1, .seq_start = start, .mask = mask};
    assert_int_equal(
        ls_aggregation_weights(weight, &totals, ls_aggregation_find("token-mean"), &input),
        LEASH_OK);
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_tokens = 3, .n_seqs = 1, .seq_start = start, .weight = weight};
    leash_scores scores = {.logp = logp, .entropy = h};
    leash_seeds seeds = {.dlogp = dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_sft, &options, &streams, &scores, &seeds, &sums);
    ls_objective_metrics m = ls_objective_finish(&sums, &options);
    assert_close(m.loss, 0.991869438128, FLOAT_INPUT);
    assert_close(m.entropy, (entropies[0] + entropies[1]) / 2, FLOAT_INPUT);
    assert_true(dlogp[2] == 0);
    for (int v = 0; v < 5; v++)
        assert_close((double)dlogp[0] * ((v == target[0]) - p[0][v]), dz[v], FLOAT_INPUT);
}

static void accumulation_is_the_mean_over_all_tokens(void **state)
{
    (void)state;
    /* Micro-batches with losses 1 2 3 and 10: 16 / 4, not the mean of the means 2 and 10. */
    static const int64_t start[] = {0, 3, 4};
    static const float logp[] = {-1, -2, -3, -10};
    float weight[4], dlogp[4];
    ls_aggregation_totals totals;
    ls_aggregation_input input = {.n_seqs = 2, .seq_start = start};
    assert_int_equal(
        ls_aggregation_weights(weight, &totals, ls_aggregation_find("token-mean"), &input),
        LEASH_OK);
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams all = {.n_tokens = 4, .n_seqs = 2, .seq_start = start, .weight = weight};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    for (int64_t i = 0; i < 2; i++) {
        leash_streams view = ls_streams_range(&all, i, i + 1);
        leash_scores scores = {.logp = logp + start[i]};
        leash_seeds seeds = {.dlogp = dlogp + start[i]};
        ls_objective_run(&ls_objective_sft, &options, &view, &scores, &seeds, &sums);
    }
    assert_close(ls_objective_finish(&sums, &options).loss, 4, 0);
}

static void contradicting_options_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        ls_objective_options options;
        const char *named;
    } cases[] = {
        {{.epsilon = -0.1}, "epsilon"},
        {{.epsilon = 0.2, .epsilon_high = 0.28, .delta = 1.1}, "delta"},
        {{.epsilon = 0.2, .dual_clip = 0.5}, "dual_clip"},
        {{.epsilon = 0.2, .beta = -1}, "beta"},
        {{.epsilon = 0.2, .beta = NAN}, "beta"},
        {{.epsilon = 0.2, .beta = 1, .kl_estimator = LS_KL_K1}, "kl_estimator"},
        {{.epsilon = 0.2, .beta = 1, .kl_estimator = LS_KL_K3, .kl_in = LS_KL_IN_REWARD},
         "kl_estimator"},
        {{.epsilon = 0.2, .beta = 1, .kl_in = LS_KL_IN_REWARD, .use_bias_correction_kl = true},
         "use_bias_correction_kl"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        assert_int_equal(ls_objective_check(&ls_objective_ppo_clip, &cases[i].options),
                         LEASH_USAGE);
        assert_non_null(strstr(leash_error(), cases[i].named));
    }
    ls_objective_options in_reward = {
        .epsilon = 0.2, .beta = 1, .kl_estimator = LS_KL_K1, .kl_in = LS_KL_IN_REWARD};
    assert_int_equal(ls_objective_check(&ls_objective_ppo_clip, &in_reward), LEASH_OK);
    assert_int_equal(ls_objective_check(&ls_objective_sft, &in_reward), LEASH_USAGE);
    ls_objective_options standard = LS_OBJECTIVE_OPTIONS_INIT;
    assert_int_equal(ls_objective_check(&ls_objective_ppo_clip, &standard), LEASH_OK);
}

static void needs_follow_from_objective_and_options(void **state)
{
    (void)state;
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    assert_int_equal(ls_objective_needs(&ls_objective_sft, &options), 0);
    assert_int_equal(ls_objective_needs(&ls_objective_reinforce, &options), LS_NEED_ADVANTAGE);
    options.beta = 0.1;
    options.entropy_coef = 0.1;
    assert_int_equal(ls_objective_needs(&ls_objective_sft, &options),
                     LS_NEED_REF_LOGP | LS_NEED_ENTROPY);
    options.use_bias_correction_kl = true;
    assert_true(ls_objective_needs(&ls_objective_reinforce, &options) & LS_NEED_OLD_LOGP);
}

static void the_list_and_the_descriptors_agree(void **state)
{
    (void)state;
    static const char *const names[] = {
#define LS_OBJECTIVE_ROW(symbol, name) name,
#include "rl/objective.def"
#undef LS_OBJECTIVE_ROW
    };
    for (int64_t i = 0; i < ls_n_objectives; i++) {
        assert_string_equal(ls_objectives[i]->name, names[i]);
        assert_ptr_equal(ls_objective_find(names[i]), ls_objectives[i]);
        assert_true(ls_objectives[i]->help && ls_objectives[i]->source);
    }
    assert_null(ls_objective_find("no such"));
    assert_string_equal(ls_objective_metric_rows[0].name, "loss");
    assert_int_equal(ls_n_objective_metrics * (int64_t)sizeof(double),
                     sizeof(ls_objective_metrics));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grpo_has_its_published_loss_and_gradients),
        cmocka_unit_test(grpo_with_k3_has_its_published_loss),
        cmocka_unit_test(clip_ratios_have_their_published_values),
        cmocka_unit_test(token_losses_have_their_published_values),
        cmocka_unit_test(dual_clip_and_delta_bound_the_open_side),
        cmocka_unit_test(on_policy_the_clipped_surrogate_is_reinforce),
        cmocka_unit_test(seeds_are_derivatives_for_every_objective_and_option),
        cmocka_unit_test(any_cut_into_micro_batches_gives_the_same_bits),
        cmocka_unit_test(masked_tokens_change_nothing),
        cmocka_unit_test(a_batch_without_trained_tokens_has_loss_0_and_no_statistics),
        cmocka_unit_test(extreme_ratios_are_clamped_and_counted),
        cmocka_unit_test(a_nan_logp_reaches_the_loss),
        cmocka_unit_test(sft_has_its_published_loss_entropy_and_gradient),
        cmocka_unit_test(accumulation_is_the_mean_over_all_tokens),
        cmocka_unit_test(contradicting_options_are_refused_by_name),
        cmocka_unit_test(needs_follow_from_objective_and_options),
        cmocka_unit_test(the_list_and_the_descriptors_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
