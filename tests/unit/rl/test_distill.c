/* Distillation: published divergences and gradients, tail buckets, what each direction does. */
#include "close.h"

#include "base/rng.h"
#include "rl/divergence.h"
#include "rl/objective.h"

#define FLOAT_INPUT 5e-7

static const double teacher_logit[4] = {2, 0, -1, 0.5}, student_logit[4] = {0.5, 0.3, 0.1, -0.2};

static void log_softmax(float *logp, const double *logit, int n)
{
    double sum = 0;
    for (int v = 0; v < n; v++)
        sum += exp(logit[v]);
    for (int v = 0; v < n; v++)
        logp[v] = (float)(logit[v] - log(sum));
}

/* Gradient by the student's logits, as the head makes it of seeds. */
static void by_logits(double *dz, const double *dlogp, const float *logp, int n)
{
    double total = 0;
    for (int v = 0; v < n; v++)
        total += dlogp[v];
    for (int v = 0; v < n; v++)
        dz[v] = dlogp[v] - total * exp((double)logp[v]);
}

static void divergences_have_their_published_values_and_gradients(void **state)
{
    (void)state;
    static const struct {
        double beta, value, gradient[4];
    } rows[] = {
        {0, 0.359804777536, {-0.375162923, 0.178121648, 0.189161192, 0.00788008245}},
        {0.1, 0.0325401491434, {0}},
        {0.5, 0.0951998561494, {-0.0887973182, 0.0421198766, 0.0517953525, -0.00511791082}},
        {0.9, 0.0389835371784, {0}},
        {1, 0.458937354404, {-0.405407945, 0.161681849, 0.31198589, -0.0682597937}},
    };
    float teacher[4], student[4];
    double dlogp[4], dz[4];
    log_softmax(teacher, teacher_logit, 4);
    log_softmax(student, student_logit, 4);
    for (size_t r = 0; r < LS_COUNT(rows); r++) {
        double value = ls_divergence_compute(dlogp, student, teacher, 4, true, rows[r].beta);
        assert_close(value, rows[r].value, FLOAT_INPUT);
        by_logits(dz, dlogp, student, 4);
        for (int v = 0; v < 4 && rows[r].gradient[0] != 0; v++)
            assert_close(dz[v], rows[r].gradient[v], FLOAT_INPUT);
    }
    double near_0 = ls_divergence_compute(NULL, student, teacher, 4, true, 1e-6) / 1e-6;
    double near_1 = ls_divergence_compute(NULL, student, teacher, 4, true, 1 - 1e-6) / 1e-6;
    assert_close(near_0, 0.35980443, 0.05); /* float sums of 1 +- 1e-8, over 1e-6 */
    assert_close(near_1, 0.45893658, 0.05);
}

static void top_k_with_a_tail_has_its_published_values(void **state)
{
    (void)state;
    float teacher[4], student[4];
    log_softmax(teacher, teacher_logit, 4);
    log_softmax(student, student_logit, 4);
    const float t_student[2] = {teacher[0], teacher[1]}, s_student[2] = {student[0], student[1]};
    const float t_teacher[2] = {teacher[0], teacher[3]}, s_teacher[2] = {student[0], student[3]};
    assert_close(ls_divergence_compute(NULL, s_student, t_student, 2, false, 1), 0.310006073524,
                 FLOAT_INPUT);
    assert_close(ls_divergence_compute(NULL, s_teacher, t_teacher, 2, false, 0), 0.350639177601,
                 FLOAT_INPUT);
    assert_close(ls_divergence_tail(t_teacher, 2), 0.0961015741901 + 0.0353537934087, FLOAT_INPUT);
    assert_true(ls_divergence_tail(teacher, 4) < 1e-6);
}

static double at(uint32_t trial, uint32_t i)
{
    ls_rng_name name = {.seed = 29, .purpose = LS_RNG_TEST, .step = trial, .position = i};
    return (double)ls_rng_below(&name, 6001) / 1000 - 3;
}

static void a_tail_bucket_never_exceeds_the_whole_divergence(void **state)
{
    (void)state;
    for (uint32_t trial = 0; trial < 200; trial++) {
        double t[6], s[6];
        float teacher[6], student[6];
        for (uint32_t v = 0; v < 6; v++) {
            t[v] = at(trial, v);
            s[v] = at(trial, 10 + v);
        }
        log_softmax(teacher, t, 6);
        log_softmax(student, s, 6);
        for (int b = 0; b <= 4; b++) {
            double beta = 0.25 * b, last = 0;
            for (int64_t k = 1; k <= 5; k++) {
                double part = ls_divergence_compute(NULL, student, teacher, k, false, beta);
                assert_true(part >= last - 1e-6);
                last = part;
            }
            /* The bucket of one token is made of floats that sum to 1 within 1e-6. */
            assert_true(ls_divergence_compute(NULL, student, teacher, 6, true, beta) >=
                        last - 1e-5);
        }
    }
}

static void equal_distributions_have_no_divergence_and_no_gradient(void **state)
{
    (void)state;
    float p[4];
    double dlogp[4], dz[4];
    log_softmax(p, teacher_logit, 4);
    for (int b = 0; b <= 4; b++) {
        assert_close(ls_divergence_compute(dlogp, p, p, 4, true, 0.25 * b), 0, 1e-15);
        by_logits(dz, dlogp, p, 4);
        for (int v = 0; v < 4; v++)
            assert_close(dz[v], 0, 1e-6); /* probabilities of floats do not sum to 1 */
    }
}

static void sampled_advantages_have_their_published_values(void **state)
{
    (void)state;
    static const double published[4] = {0.751463241553, -1.04853675845, -1.84853675845,
                                        -0.0485367584471};
    float teacher[4], student[4], a[4];
    log_softmax(teacher, teacher_logit, 4);
    log_softmax(student, student_logit, 4);
    ls_distill_advantages(a, teacher, student, 4, 5);
    for (int v = 0; v < 4; v++)
        assert_close((double)a[v], published[v], FLOAT_INPUT);
    ls_distill_advantages(a, teacher, student, 4, 1);
    assert_true(a[1] == -1 && a[2] == -1 && a[3] > -1);
}

static void the_expected_gradient_of_sampled_advantages_is_that_of_the_reverse_kl(void **state)
{
    (void)state;
    float teacher[4], student[4], a[4];
    double dlogp[4], reverse[4], sampled[4], mean = 0;
    log_softmax(teacher, teacher_logit, 4);
    log_softmax(student, student_logit, 4);
    ls_distill_advantages(a, teacher, student, 4, 0);
    (void)ls_divergence_compute(dlogp, student, teacher, 4, true, 1);
    by_logits(reverse, dlogp, student, 4);
    /* E_y [-A_y d logp_y / d z_v] = -p_v (A_v - E A) */
    for (int v = 0; v < 4; v++)
        mean += exp((double)student[v]) * (double)a[v];
    for (int v = 0; v < 4; v++) {
        sampled[v] = -exp((double)student[v]) * ((double)a[v] - mean);
        assert_close(sampled[v], reverse[v], FLOAT_INPUT);
    }
}

static void early_weights_and_returns_follow_their_formulas(void **state)
{
    (void)state;
    float a[3] = {1, -2, 1}, r[3] = {1, -2, 4}, same[3] = {1, -2, 4};
    ls_distill_weigh_early(a, 3);
    assert_close((double)a[0], 1.5, 1e-6);
    assert_close((double)a[1], -2 * (1 + 0.5 * 0.75), 1e-6);
    assert_close((double)a[2], 1 + 0.5 * 0.25, 1e-6);
    ls_distill_returns(r, 3, 1);
    assert_close((double)r[0], 1, 1e-6); /* 3 / 3 */
    assert_close((double)r[1], 1, 1e-6); /* 2 / 2 */
    assert_close((double)r[2], 4, 1e-6);
    ls_distill_returns(same, 3, 0);
    assert_true(same[0] == 1 && same[1] == -2 && same[2] == 4);
}

/* Descends the objective on one position with a vocabulary of n. */
static double learn(double *z, const double *target, int n, double beta, int n_steps, double rate,
                    int n_free)
{
    static const int64_t start[] = {0, 1};
    static const float one = 1;
    float teacher[8], student[8], dids[8], dlogp;
    double dz[8], loss = 0;
    log_softmax(teacher, target, n);
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = beta;
    for (int step = 0; step < n_steps; step++) {
        log_softmax(student, z, n);
        leash_streams streams = {.n_tokens = 1,
                                 .n_seqs = 1,
                                 .seq_start = start,
                                 .weight = &one,
                                 .n_ids = n,
                                 .ids_are_all = true,
                                 .teacher_logp = teacher};
        leash_scores scores = {.logp = student, .ids_logp = student};
        leash_seeds seeds = {.dlogp = &dlogp, .dids = dids};
        ls_objective_sums sums;
        ls_objective_sums_init(&sums);
        ls_objective_run(&ls_objective_distill, &o, &streams, &scores, &seeds, &sums);
        ls_objective_metrics m = ls_objective_finish(&sums, &o);
        loss = m.kl_forward;
        double total = 0;
        for (int v = 0; v < n; v++)
            total += (double)dids[v];
        for (int v = 0; v < n; v++)
            dz[v] = (double)dids[v] - total * exp((double)student[v]);
        for (int v = 0; v < n_free; v++)
            z[v] -= rate * dz[v];
    }
    return loss;
}

static void a_student_of_equal_capacity_reaches_its_teacher(void **state)
{
    (void)state;
    static const double betas[] = {0, 0.5, 1};
    for (int b = 0; b < 3; b++) {
        double z[4] = {0};
        assert_true(learn(z, teacher_logit, 4, betas[b], 2000, 2, 4) < 1e-4);
    }
}

/* A unimodal student, z_v = -(v - mean)^2, of a teacher with two modes. */
static double mean_after(double beta, double mean)
{
    static const double target[7] = {2, 1.9, 0, -4, -4, 0, 1.5};
    for (int step = 0; step < 3000; step++) {
        double z[7], moved[7], slope = 0;
        for (int v = 0; v < 7; v++)
            z[v] = moved[v] = -(v - mean) * (v - mean);
        (void)learn(moved, target, 7, beta, 1, 1, 7);
        for (int v = 0; v < 7; v++)
            slope += (z[v] - moved[v]) * 2 * (v - mean);
        mean -= 0.02 * slope;
    }
    return mean;
}

static void reverse_kl_picks_a_mode_and_forward_kl_covers_both(void **state)
{
    (void)state;
    assert_true(mean_after(1, 1.5) < 1);
    assert_true(mean_after(1, 5) > 5);
    double forward = mean_after(0, 1.5);
    assert_true(forward > 1.5 && forward < 4);
    assert_close(mean_after(0, 5), forward, 1e-3);
}

static void beta_is_a_share(void **state)
{
    (void)state;
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    assert_int_equal(ls_objective_needs(&ls_objective_distill, &o), LS_NEED_TEACHER);
    o.beta = 1.5;
    assert_int_equal(ls_objective_check(&ls_objective_distill, &o), LEASH_USAGE);
    o.beta = 1;
    assert_int_equal(ls_objective_check(&ls_objective_distill, &o), LEASH_OK);
    assert_int_equal(ls_objective_needs(&ls_objective_distill, &o), LS_NEED_TEACHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divergences_have_their_published_values_and_gradients),
        cmocka_unit_test(top_k_with_a_tail_has_its_published_values),
        cmocka_unit_test(a_tail_bucket_never_exceeds_the_whole_divergence),
        cmocka_unit_test(equal_distributions_have_no_divergence_and_no_gradient),
        cmocka_unit_test(sampled_advantages_have_their_published_values),
        cmocka_unit_test(the_expected_gradient_of_sampled_advantages_is_that_of_the_reverse_kl),
        cmocka_unit_test(early_weights_and_returns_follow_their_formulas),
        cmocka_unit_test(a_student_of_equal_capacity_reaches_its_teacher),
        cmocka_unit_test(reverse_kl_picks_a_mode_and_forward_kl_covers_both),
        cmocka_unit_test(beta_is_a_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
