/* Pair losses in double: published values and gradients of two pairs, and derivatives of all. */
#include "close.h"

#include <string.h>
#include "base/rng.h"
#include "rl/logistic.h"
#include "rl/objective.h"

#define VALUE 1e-11   /* printed with 12 digits */
#define GRADIENT 1e-8 /* printed with 9 */

static const ls_pair published[2] = {
    {.chosen = -12,
     .rejected = -14,
     .ref_chosen = -12.5,
     .ref_rejected = -13.2,
     .n_chosen = 8,
     .n_rejected = 10,
     .label = 1,
     .shift = 1},
    {.chosen = -30,
     .rejected = -28,
     .ref_chosen = -29.5,
     .ref_rejected = -28.4,
     .n_chosen = 20,
     .n_rejected = 16,
     .label = 1,
     .shift = 1},
};

static ls_objective_options options_of(void)
{
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = 0.1;
    return o;
}

/* The loss, and its derivatives by the two log-probabilities. */
static ls_pair_term term_of(const char *name, const ls_objective_options *o, ls_pair p)
{
    const ls_pair_loss *loss = ls_pair_loss_find(name);
    p.shift = o->pair.dpo_shift;
    ls_pair_complete(&p, &o->pair);
    ls_pair_term l = loss->run(o, &p);
    if (loss->kind != LS_PAIR_LOGPS) {
        l.chosen *= p.chosen_slope;
        l.rejected *= p.rejected_slope;
    }
    return l;
}

static void assert_losses(const char *name, const ls_objective_options *o, double first,
                          double second)
{
    assert_close(term_of(name, o, published[0]).value, first, VALUE);
    assert_close(term_of(name, o, published[1]).value, second, VALUE);
}

static void assert_gradients(const char *name, const ls_objective_options *o,
                             const double gradients[4])
{
    for (int i = 0; i < 2; i++) {
        ls_pair_term l = term_of(name, o, published[i]);
        assert_close(l.chosen, gradients[2 * i], GRADIENT);
        assert_close(l.rejected, gradients[2 * i + 1], GRADIENT);
    }
}

#define GRADIENTS(...) ((const double[4]){__VA_ARGS__})

static void dpo_and_its_smoothed_forms_have_their_published_values(void **state)
{
    (void)state;
    ls_objective_options o = options_of();
    assert_losses("sigmoid", &o, 0.630258194682, 0.739159339026);
    assert_gradients("sigmoid", &o,
                     GRADIENTS(-0.0467545694, 0.0467545694, -0.0522484825, 0.0522484825));
    o.pair.label_smoothing = 0.1;
    assert_losses("sigmoid", &o, 0.643258194682, 0.730159339026);
    assert_gradients("sigmoid", &o,
                     GRADIENTS(-0.0367545694, 0.0367545694, -0.0422484825, 0.0422484825));
    assert_losses("robust", &o, 0.614008194682, 0.750409339026);
    assert_gradients("robust", &o,
                     GRADIENTS(-0.0592545694, 0.0592545694, -0.0647484825, 0.0647484825));
    o.pair.label_smoothing = 1e-3;
    assert_losses("exo_pair", &o, 2.53918481908, 2.91753935594);
    assert_gradients("exo_pair", &o,
                     GRADIENTS(-0.168705086, 0.168705086, -0.174565136, 0.174565136));
}

static void losses_of_the_margin_have_their_published_values(void **state)
{
    (void)state;
    ls_objective_options o = options_of();
    assert_losses("hinge", &o, 0.87, 1.09);
    assert_losses("discopop", &o, 0.860960355905, 0.789518586984);
    /* It is not convex: the second gradient pushes the wrong way. */
    assert_gradients("discopop", &o,
                     GRADIENTS(-0.0530703011, 0.0530703011, 0.0260735117, -0.0260735117));
    assert_losses("sigmoid_norm", &o, 0.686047563158, 0.695650305557);
    assert_losses("ipo_sum", &o, 13.69, 34.81);
    assert_gradients("ipo_sum", &o, GRADIENTS(-7.4, 7.4, -11.8, 11.8));
    assert_losses("ipo", &o, 23.59530625, 25.5025);
    assert_gradients("ipo", &o, GRADIENTS(-1.214375, 0.9715, -0.505, 0.63125));
}

static void losses_of_each_completion_have_their_published_values(void **state)
{
    (void)state;
    ls_objective_options o = options_of();
    assert_losses("nca_pair", &o, 1.35466295568, 1.40936305563);
    assert_gradients("nca_pair", &o,
                     GRADIENTS(-0.0231253905, 0.024000533, -0.0268746095, 0.0254999334));
    assert_losses("bco_pair", &o, 1.32240661533, 1.43180681524);
    assert_losses("sppo_hard", &o, 37.89, 59.41);
    assert_losses("apo_zero", &o, 0.96751326336, 1.02249606336);
    assert_losses("apo_down", &o, 0.980043090097, 1.00998742831);
    o.pair.dpop_lambda = 5;
    assert_losses("dpop", &o, 0.630258194682, 0.877528111455);
    assert_gradients("dpop", &o,
                     GRADIENTS(-0.0467545694, 0.0467545694, -0.350514314, 0.0584190523));
}

static void f_divergences_have_their_published_values(void **state)
{
    (void)state;
    ls_objective_options o = options_of();
    o.pair.f_divergence = LS_F_FORWARD_KL;
    assert_losses("sigmoid", &o, 0.615469587706, 0.74326335102);
    o.pair.f_divergence = LS_F_SQUARED;
    assert_losses("sigmoid", &o, 0.594379733989, 0.749262786225);
    assert_gradients("sigmoid", &o,
                     GRADIENTS(-0.0135891742, 0.179505762, -0.13040192, 0.0212069857));
    /* The score of the alpha divergence goes to the log ratio at 1. */
    o.pair.f_divergence = LS_F_ALPHA;
    o.pair.f_alpha = 1;
    assert_losses("sigmoid", &o, 0.630258194682, 0.739159339026);
    o.pair.f_alpha = 1 + 1e-5;
    assert_close(term_of("sigmoid", &o, published[0]).value, 0.630258194682, 1e-5);
}

static void dpo_shift_has_its_published_values(void **state)
{
    (void)state;
    ls_objective_options o = options_of();
    o.pair.dpo_shift = 0.95;
    assert_losses("sigmoid", &o, 0.632130369201, 0.73811486838);
    assert_gradients("sigmoid", &o,
                     GRADIENTS(-0.0468541608, 0.0445114528, -0.0521985814, 0.0495886523));
}

static void losses_without_a_reference_have_their_published_values(void **state)
{
    (void)state;
    ls_objective_options o = options_of();
    o.beta = 2.5;
    o.pair.simpo_gamma = 1.375;
    assert_losses("simpo", &o, 1.80474463539, 1.13687100611);
    assert_gradients("simpo", &o, GRADIENTS(-0.261088605, 0.208870884, -0.0848973374, 0.106121672));
    o.pair.simpo_gamma = 0.25;
    assert_losses("alphapo", &o, 1.04346270464, 0.407053738659);
    o.pair.alphapo_alpha = 0;
    assert_close(term_of("alphapo", &o, published[0]).value,
                 term_of("simpo", &o, published[0]).value, 0);
}

static ls_pair_term sum_of(const ls_objective_options *o, ls_pair p)
{
    ls_pair_term sum = {0};
    for (int64_t j = 0; j < o->pair.n_losses; j++) {
        ls_pair_term l = term_of(o->pair.loss[j]->name, o, p);
        sum.value += o->pair.loss_weight[j] * l.value;
        sum.chosen += o->pair.loss_weight[j] * l.chosen;
        sum.rejected += o->pair.loss_weight[j] * l.rejected;
    }
    return sum;
}

static void mixtures_with_a_likelihood_have_their_published_values(void **state)
{
    (void)state;
    ls_objective_options o = options_of();
    static const double rpo[4] = {-0.171754569, 0.0467545694, -0.102248482, 0.0522484825};
    assert_int_equal(ls_pair_options_parse(&o.pair, "sigmoid, sft", ""), LEASH_OK);
    assert_close(sum_of(&o, published[0]).value, 2.13025819468, VALUE);
    assert_close(sum_of(&o, published[1]).value, 2.23915933903, VALUE);
    for (int i = 0; i < 2; i++) {
        assert_close(sum_of(&o, published[i]).chosen, rpo[2 * i], GRADIENT);
        assert_close(sum_of(&o, published[i]).rejected, rpo[2 * i + 1], GRADIENT);
    }
    /* CPO: the same without a reference. */
    for (int i = 0; i < 2; i++) {
        static const double cpo[2] = {2.09813886938, 2.29813886938};
        ls_pair p = published[i];
        p.ref_chosen = p.ref_rejected = 0;
        assert_close(sum_of(&o, p).value, cpo[i], VALUE);
    }
    assert_int_equal(ls_pair_options_parse(&o.pair, "sft,orpo", "1,1"), LEASH_OK);
    static const double orpo[4] = {-0.133569996, 0.00706954568, -0.0527206959, 0.00319771234};
    assert_close(sum_of(&o, published[0]).value, 1.57606163238, VALUE);
    assert_close(sum_of(&o, published[1]).value, 1.55494370785, VALUE);
    for (int i = 0; i < 2; i++) {
        assert_close(sum_of(&o, published[i]).chosen, orpo[2 * i], GRADIENT);
        assert_close(sum_of(&o, published[i]).rejected, orpo[2 * i + 1], GRADIENT);
    }
    o.beta = 1;
    assert_losses("orpo", &o, 0.760616323831, 0.549437078537);
}

static void soft_labels_have_their_published_value_and_optimum(void **state)
{
    (void)state;
    double slope;
    assert_close(ls_pair_cross_entropy(&slope, 0.4, 0.675), 0.6430152524, 1e-9);
    assert_close(slope, ls_sigmoid(0.4) - 0.675, 1e-15);
    (void)ls_pair_cross_entropy(&slope, log(0.675 / 0.325), 0.675);
    assert_close(slope, 0, 1e-15);
    /* cDPO's optimum is beta D = log((1 - e) / e). */
    ls_objective_options o = options_of();
    o.pair.label_smoothing = 0.1;
    ls_pair p = {.chosen = log(9) / 0.1, .n_chosen = 1, .n_rejected = 1, .label = 1};
    assert_close(term_of("sigmoid", &o, p).chosen, 0, 1e-15);
    o.pair.label_smoothing = 0;
    p.label = 0.9;
    assert_close(term_of("sigmoid", &o, p).chosen, 0, 1e-15);
}

static void at_the_reference_dpo_is_log_2(void **state)
{
    (void)state;
    ls_objective_options o = options_of();
    ls_pair p = {.chosen = -7,
                 .rejected = -3,
                 .ref_chosen = -7,
                 .ref_rejected = -3,
                 .n_chosen = 4,
                 .n_rejected = 2,
                 .label = 1};
    assert_true(term_of("sigmoid", &o, p).value == M_LN2);
}

static void far_margins_do_not_overflow(void **state)
{
    (void)state;
    ls_objective_options o = options_of();
    o.pair.label_smoothing = 1e-3;
    for (int64_t i = 0; i < ls_n_pair_losses; i++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            ls_pair p = {.chosen = sign * 500 - 600,
                         .rejected = -sign * 500 - 600,
                         .ref_chosen = -600,
                         .ref_rejected = -600,
                         .n_chosen = 10,
                         .n_rejected = 10,
                         .label = 1,
                         .shift = 1};
            ls_pair_term l = term_of(ls_pair_losses[i].name, &o, p);
            bool is_unbounded = strcmp(ls_pair_losses[i].name, "discopop") == 0;
            assert_true(is_unbounded || isfinite(l.value));
            assert_false(isnan(l.chosen) || isnan(l.rejected));
        }
    }
}

static double at(uint32_t trial, uint32_t i, double low, double high)
{
    ls_rng_name name = {.seed = 5, .purpose = LS_RNG_TEST, .step = trial, .position = i};
    return low + (high - low) * (double)ls_rng_below(&name, 1000001) / 1e6;
}

static void derivatives_are_those_of_the_losses(void **state)
{
    (void)state;
    int n_checked = 0;
    for (uint32_t trial = 0; trial < 400; trial++) {
        const ls_pair_loss *loss = &ls_pair_losses[trial % (uint32_t)ls_n_pair_losses];
        ls_objective_options o = options_of();
        o.beta = at(trial, 0, 0.05, 2);
        o.pair.label_smoothing = at(trial, 1, 0.001, 0.4);
        o.pair.discopop_tau = 0.5;
        o.pair.dpop_lambda = 5;
        if (loss->kind == LS_PAIR_SCORES)
            o.pair.f_divergence = (ls_f_divergence)(trial / 20 % LS_F_COUNT);
        ls_pair p = {.chosen = at(trial, 2, -12, -1),
                     .rejected = at(trial, 3, -12, -1),
                     .n_chosen = 6,
                     .n_rejected = 4,
                     .label = at(trial, 4, 0, 1)};
        p.ref_chosen = p.chosen + at(trial, 5, -1.5, 1.5);
        p.ref_rejected = p.rejected + at(trial, 6, -1.5, 1.5);
        ls_pair_term l = term_of(loss->name, &o, p);
        double h = 1e-5, sides[2] = {0};
        for (int side = 0; side < 2; side++) {
            ls_pair up = p, down = p;
            *(side ? &up.rejected : &up.chosen) += h;
            *(side ? &down.rejected : &down.chosen) -= h;
            sides[side] =
                (term_of(loss->name, &o, up).value - term_of(loss->name, &o, down).value) / (2 * h);
        }
        assert_close(l.chosen, sides[0], 1e-7);
        assert_close(l.rejected, sides[1], 1e-7);
        n_checked++;
    }
    assert_int_equal(n_checked, 400);
}

static void settings_that_cannot_work_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *loss_type, *loss_weights, *named;
        double beta, smoothing, shift;
        ls_f_divergence f;
    } cases[] = {
        {"dpo", "", "loss_type", 0.1, 0, 1, LS_F_REVERSE_KL},
        {"", "", "loss_type", 0.1, 0, 1, LS_F_REVERSE_KL},
        {"sigmoid,sft", "1", "loss_weights", 0.1, 0, 1, LS_F_REVERSE_KL},
        {"sigmoid", "1,2", "loss_weights", 0.1, 0, 1, LS_F_REVERSE_KL},
        {"sigmoid", "one", "loss_weights", 0.1, 0, 1, LS_F_REVERSE_KL},
        {"sigmoid", "", "beta", 0, 0, 1, LS_F_REVERSE_KL},
        {"exo_pair", "", "label_smoothing", 0.1, 0, 1, LS_F_REVERSE_KL},
        {"sigmoid", "", "label_smoothing", 0.1, 0.5, 1, LS_F_REVERSE_KL},
        {"nca_pair", "", "f_divergence_type", 0.1, 0, 1, LS_F_JS},
        {"simpo", "", "f_divergence_type", 0.1, 0, 1, LS_F_JS},
        {"ipo", "", "dpo_shift", 0.1, 0, 0.9, LS_F_REVERSE_KL},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_objective_options o = options_of();
        leash_status status =
            ls_pair_options_parse(&o.pair, cases[i].loss_type, cases[i].loss_weights);
        o.beta = cases[i].beta;
        o.pair.label_smoothing = cases[i].smoothing;
        o.pair.dpo_shift = cases[i].shift;
        o.pair.f_divergence = cases[i].f;
        if (status == LEASH_OK)
            status = ls_objective_check(&ls_objective_preference, &o);
        assert_int_equal(status, LEASH_USAGE);
        assert_non_null(strstr(leash_error(), cases[i].named));
    }
}

static void needs_and_unit_follow_from_the_losses(void **state)
{
    (void)state;
    ls_objective_options o = options_of();
    const ls_objective *preference = &ls_objective_preference;
    assert_int_equal(ls_objective_needs(preference, &o), LS_NEED_REF_LOGP);
    assert_int_equal(ls_objective_unit(preference, &o), LS_UNIT_PAIR);
    assert_int_equal(ls_pair_options_parse(&o.pair, "sft,orpo", ""), LEASH_OK);
    assert_int_equal(ls_objective_needs(preference, &o), 0);
    assert_int_equal(ls_pair_options_parse(&o.pair, "sigmoid,aot", ""), LEASH_OK);
    assert_int_equal(ls_objective_unit(preference, &o), LS_UNIT_STEP);
    o.pair.reference_free = o.pair.use_weighting = true;
    assert_int_equal(ls_objective_needs(preference, &o), LS_NEED_SUM_SQ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dpo_and_its_smoothed_forms_have_their_published_values),
        cmocka_unit_test(losses_of_the_margin_have_their_published_values),
        cmocka_unit_test(losses_of_each_completion_have_their_published_values),
        cmocka_unit_test(f_divergences_have_their_published_values),
        cmocka_unit_test(dpo_shift_has_its_published_values),
        cmocka_unit_test(losses_without_a_reference_have_their_published_values),
        cmocka_unit_test(mixtures_with_a_likelihood_have_their_published_values),
        cmocka_unit_test(soft_labels_have_their_published_value_and_optimum),
        cmocka_unit_test(at_the_reference_dpo_is_log_2),
        cmocka_unit_test(far_margins_do_not_overflow),
        cmocka_unit_test(derivatives_are_those_of_the_losses),
        cmocka_unit_test(settings_that_cannot_work_are_refused_by_name),
        cmocka_unit_test(needs_and_unit_follow_from_the_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
