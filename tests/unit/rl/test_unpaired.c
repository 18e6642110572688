/* KTO and BCO on labelled completions. */
#include "close.h"

#include "rl/objective.h"
#include "rl/unpaired.h"

#define FLOAT_INPUT 2e-7

/* Four completions of one token with log ratios 0.5 -0.5 (desirable) -0.8 0.4 (undesirable). */
static const int64_t start[] = {0, 1, 2, 3, 4};
static const float ratio[] = {0.5f, -0.5f, -0.8f, 0.4f}, zero[4];
static const float label[] = {1, 1, 0, 0}, weight[] = {0.25f, 0.25f, 0.25f, 0.25f};

typedef struct result {
    float dlogp[4];
    ls_objective_metrics m;
} result;

static result run(const ls_objective *objective, const ls_objective_options *o, double baseline)
{
    result r;
    leash_streams streams = {.n_tokens = 4,
                             .n_seqs = 4,
                             .seq_start = start,
                             .ref_logp = zero,
                             .weight = weight,
                             .label = label,
                             .baseline = baseline};
    leash_scores scores = {.logp = ratio};
    leash_seeds seeds = {.dlogp = r.dlogp};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(objective, o, &streams, &scores, &seeds, &sums);
    r.m = ls_objective_finish(&sums, o);
    return r;
}

static void kto_has_its_published_baseline_loss_and_gradients(void **state)
{
    (void)state;
    static const double mismatched[] = {0.2, -0.1, 0.3, 0.05}, none[4] = {0};
    static const double gradients[] = {-0.00624765439563, -0.00624414184681, 0.00623700777993,
                                       0.00624870867399};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = 0.1;
    double z = ls_kto_baseline(mismatched, none, 4);
    assert_close(z, 0.1125, 1e-15);
    result r = run(&ls_objective_kto, &o, z);
    assert_close(r.m.loss, 0.4975029369, FLOAT_INPUT);
    for (int i = 0; i < 4; i++)
        assert_close((double)r.dlogp[i], gradients[i], FLOAT_INPUT);
    assert_close(r.m.baseline, 0.1125, 0);
    assert_close(r.m.chosen_reward, 0, FLOAT_INPUT);
    assert_close(r.m.rejected_reward, -0.02, FLOAT_INPUT);
    assert_close(r.m.displaced, 0.5, 0);
    o.desirable_weight = 1.33;
    assert_close(run(&ls_objective_kto, &o, z).m.loss, 0.5804667046, FLOAT_INPUT);
}

static void kto_losses_of_each_side_have_their_published_values(void **state)
{
    (void)state;
    static const double losses[] = {0.490313712017, 0.515307714645, 0.477203315973, 0.507187004964};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = 0.1;
    for (int i = 0; i < 4; i++) {
        static const float one = 1;
        float dlogp;
        leash_streams streams = {.n_tokens = 1,
                                 .n_seqs = 1,
                                 .seq_start = start,
                                 .ref_logp = zero,
                                 .weight = &one,
                                 .label = label + i,
                                 .baseline = 0.1125};
        leash_scores scores = {.logp = ratio + i};
        leash_seeds seeds = {.dlogp = &dlogp};
        ls_objective_sums sums;
        ls_objective_sums_init(&sums);
        ls_objective_run(&ls_objective_kto, &o, &streams, &scores, &seeds, &sums);
        assert_close(sums.policy_loss, losses[i], FLOAT_INPUT);
    }
}

static void kto_without_its_baseline_is_apo_zero_unpaired(void **state)
{
    (void)state;
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = 0.3;
    result a = run(&ls_objective_kto, &o, 0), b = run(&ls_objective_apo_zero_unpaired, &o, 7);
    assert_true(a.m.loss == b.m.loss);
    assert_memory_equal(a.dlogp, b.dlogp, sizeof a.dlogp);
    assert_true(isnan(b.m.baseline));
}

static void the_baseline_is_never_negative(void **state)
{
    (void)state;
    static const double low[] = {-1, -2}, zeros[2] = {0};
    assert_true(ls_kto_baseline(low, zeros, 2) == 0);
    assert_true(ls_kto_baseline(low, zeros, 0) == 0);
    assert_close(ls_kto_balance(1.33, 100, 1, 100), 1.33, 1e-15);
    assert_true(isnan(ls_kto_balance(1, 5, 1, 0)));
}

static void bco_has_its_published_shift_and_losses(void **state)
{
    (void)state;
    static const double losses[] = {0.663597113076, 0.713347167228, 0.658759555549, 0.718459648013};
    double reward[4], sum = 0;
    ls_running running = LS_RUNNING_INIT;
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = 0.1;
    for (int i = 0; i < 4; i++) {
        reward[i] = 0.1 * (double)ratio[i];
        sum += losses[i] / 4;
    }
    double d = ls_bco_baseline(&running, reward, 4);
    assert_close(d, -0.01, 1e-8);
    result r = run(&ls_objective_bco, &o, d);
    assert_close(r.m.loss, sum, FLOAT_INPUT);
    assert_close((double)r.dlogp[0], -0.25 * 0.1 / (1 + exp(0.05 + 0.01)), FLOAT_INPUT);
    assert_close((double)r.dlogp[3], 0.25 * 0.1 / (1 + exp(-0.04 - 0.01)), FLOAT_INPUT);
}

static void beta_0_is_refused(void **state)
{
    (void)state;
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    assert_int_equal(ls_objective_check(&ls_objective_kto, &o), LEASH_USAGE);
    assert_int_equal(ls_objective_check(&ls_objective_bco, &o), LEASH_USAGE);
    o.beta = 0.1;
    assert_int_equal(ls_objective_check(&ls_objective_kto, &o), LEASH_OK);
    o.kl_in = LS_KL_IN_REWARD;
    assert_int_equal(ls_objective_check(&ls_objective_kto, &o), LEASH_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kto_has_its_published_baseline_loss_and_gradients),
        cmocka_unit_test(kto_losses_of_each_side_have_their_published_values),
        cmocka_unit_test(kto_without_its_baseline_is_apo_zero_unpaired),
        cmocka_unit_test(the_baseline_is_never_negative),
        cmocka_unit_test(bco_has_its_published_shift_and_losses),
        cmocka_unit_test(beta_0_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
