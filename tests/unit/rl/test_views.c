/* What all objectives that take a view share: seeds are derivatives, a cut changes no bit, masked
 * tokens change nothing, NaN is not hidden. */
#include "close.h"

#include "view_batch.h"

#define N_VARIANTS 12

static ls_objective_options variant(const ls_objective *objective, int v)
{
    static const char *const losses[N_VARIANTS] = {"sigmoid",      "sigmoid,bco_pair,sft",
                                                   "ipo",          "nca_pair",
                                                   "exo_pair",     "orpo,sft",
                                                   "simpo",        "robust",
                                                   "aot",          "apo_down",
                                                   "aot_unpaired", "sppo_hard"};
    static const char *const weights[N_VARIANTS] = {"", "0.8,0.2,1", "", "", "", "",
                                                    "", "",          "", "", "", ""};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    o.beta = objective == &ls_objective_distill ? 0.25 * (v % 5) : 0.3 + 0.1 * v;
    bool is_sorted = losses[v][0] == 'a' && losses[v][1] == 'o';
    bool is_triple = objective == &ls_objective_preference_triple;
    assert_int_equal(
        ls_pair_options_parse(&o.pair, is_sorted && is_triple ? "hinge" : losses[v], weights[v]),
        LEASH_OK);
    o.pair.label_smoothing = 0.1;
    o.pair.ld_alpha = v % 3 == 0 ? 0.5 : 1;
    o.pair.use_weighting = v % 4 == 1;
    o.pair.xpo_alpha = v % 5 == 2 ? 0.3 : 0;
    o.pair.reference_free = v == 7;
    o.pair.f_divergence = v == 0 ? LS_F_JS : LS_F_REVERSE_KL;
    o.center_rewards_coefficient = v % 2 ? 0.05 : 0;
    o.desirable_weight = 1.5;
    o.cliprange_value = v % 2 ? 0 : 0.2;
    return o;
}

typedef enum input { OF_LOGP, OF_VALUE, OF_IDS, N_INPUTS } input;

static float *input_of(view_batch *b, input which)
{
    return which == OF_LOGP ? b->logp : which == OF_VALUE ? b->value : b->ids;
}

static const float *seed_of(const view_batch *b, input which)
{
    return which == OF_LOGP ? b->dlogp : which == OF_VALUE ? b->dvalue : b->dids;
}

static double loss_with(const view_batch *b, input which, int64_t i, float step,
                        const ls_objective *objective, const ls_objective_options *options)
{
    view_batch moved = *b;
    input_of(&moved, which)[i] += step;
    if (options->pair.use_weighting && which == OF_LOGP)
        moved.sum_sq[i] += step; /* WPO's weight is a constant to the gradient */
    ls_objective_sums sums = view_run(&moved, objective, options);
    return ls_objective_finish(&sums, options).loss;
}

/* On a kink (a hinge, a clip, an exchange of ranks) the two one-sided slopes differ. */
static bool is_smooth(double low, double middle, double high)
{
    return fabs((high - middle) - (middle - low)) < 2e-3 * (double)VIEW_STEP;
}

static void check_input(view_batch *b, input which, int64_t i, const ls_objective *objective,
                        const ls_objective_options *o, double middle, int64_t *n_checked)
{
    double low = loss_with(b, which, i, -VIEW_STEP, objective, o);
    double high = loss_with(b, which, i, VIEW_STEP, objective, o);
    if (!is_smooth(low, middle, high))
        return;
    double slope = (high - low) / (2 * (double)VIEW_STEP);
    /* h^2 / 6 times a third derivative: of a logistic function of beta up to 1.4 nats, or of a
     * log odds ratio near 1. */
    assert_close((double)seed_of(b, which)[i], slope, 3e-6);
    ++*n_checked;
}

static void seeds_are_derivatives_for_every_view_objective(void **state)
{
    (void)state;
    for (int64_t e = 0; e < ls_n_objectives; e++) {
        const ls_objective *objective = ls_objectives[e];
        int64_t n_checked = 0, n_moving = 0;
        for (int v = 0; v < N_VARIANTS && objective->run_view; v++) {
            view_batch b;
            ls_objective_options o = variant(objective, v);
            assert_int_equal(ls_objective_check(objective, &o), LEASH_OK);
            view_fill(&b, (uint32_t)v);
            ls_objective_sums sums = view_run(&b, objective, &o);
            view_batch result = b;
            double middle = ls_objective_finish(&sums, &o).loss;
            assert_true(isfinite(middle));
            for (int64_t t = 0; t < VIEW_TOKENS * VIEW_IDS; t++) {
                for (input which = OF_LOGP; which < N_INPUTS; which++) {
                    int64_t token = which == OF_IDS ? t / VIEW_IDS : t;
                    if (token >= VIEW_TOKENS)
                        continue;
                    n_moving += seed_of(&result, which)[t] != 0;
                    if (b.weight[token] == 0)
                        assert_true(seed_of(&result, which)[t] == 0);
                    else
                        check_input(&b, which, t, objective, &o, middle, &n_checked);
                }
            }
        }
        assert_true(!objective->run_view || (n_checked > 400 && n_moving > 40));
    }
}

static void any_cut_into_whole_units_gives_the_same_bits(void **state)
{
    (void)state;
    for (uint32_t trial = 0; trial < 200; trial++) {
        view_batch whole, cut;
        const ls_objective *objective = ls_objectives[trial % (uint32_t)ls_n_objectives];
        ls_objective_options o = variant(objective, (int)(trial % N_VARIANTS));
        if (!objective->run_view)
            continue;
        view_fill(&whole, trial);
        view_fill(&cut, trial);
        int64_t size = view_members(objective, &o);
        ls_objective_sums a = view_run(&whole, objective, &o), b;
        ls_objective_sums_init(&b);
        for (int64_t first = 0, end; first < VIEW_SEQS; first = end) {
            end = first + size * (1 + view_below(trial, 9000 + (uint32_t)first, 2));
            end = end < VIEW_SEQS ? end : VIEW_SEQS;
            b = view_run_range(&cut, objective, &o, b, first, end);
        }
        ls_objective_metrics x = ls_objective_finish(&a, &o), y = ls_objective_finish(&b, &o);
        assert_memory_equal(&x, &y, sizeof x);
        assert_memory_equal(whole.dlogp, cut.dlogp, sizeof whole.dlogp);
        assert_memory_equal(whole.dvalue, cut.dvalue, sizeof whole.dvalue);
        assert_memory_equal(whole.dids, cut.dids, sizeof whole.dids);
    }
}

static void a_nan_score_reaches_the_loss(void **state)
{
    (void)state;
    for (int64_t e = 0; e < ls_n_objectives; e++) {
        for (int v = 0; v < N_VARIANTS && ls_objectives[e]->run_view; v++) {
            view_batch b;
            ls_objective_options o = variant(ls_objectives[e], v);
            view_fill(&b, 1);
            for (int t = 0; t < VIEW_TOKENS * VIEW_IDS; t++) {
                b.ids[t] = NAN;
                if (t < VIEW_TOKENS)
                    b.logp[t] = b.value[t] = NAN;
            }
            ls_objective_sums sums = view_run(&b, ls_objectives[e], &o);
            assert_true(isnan(ls_objective_finish(&sums, &o).loss));
        }
    }
}

static void a_step_without_trained_tokens_has_loss_0(void **state)
{
    (void)state;
    for (int64_t e = 0; e < ls_n_objectives; e++) {
        for (int v = 0; v < N_VARIANTS && ls_objectives[e]->run_view; v++) {
            view_batch b;
            ls_objective_options o = variant(ls_objectives[e], v);
            view_fill(&b, 1);
            memset(b.weight, 0, sizeof b.weight);
            ls_objective_sums sums = view_run(&b, ls_objectives[e], &o);
            ls_objective_metrics m = ls_objective_finish(&sums, &o);
            assert_true(m.loss == 0);
            assert_true(isnan(m.chosen_logp) && isnan(m.score_mean) && isnan(m.jsd));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_are_derivatives_for_every_view_objective),
        cmocka_unit_test(any_cut_into_whole_units_gives_the_same_bits),
        cmocka_unit_test(a_nan_score_reaches_the_loss),
        cmocka_unit_test(a_step_without_trained_tokens_has_loss_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
