/* The option rows of everything above the waist, and their resolution. */
#include "close.h"

#include <string.h>
#include "rl/options.h"

static ls_rl_options grpo_options(void)
{
    return (ls_rl_options){.objective = "ppo-clip",
                           .advantage_estimator = "grpo",
                           .aggregation = "seq-mean",
                           .epsilon = 0.2,
                           .epsilon_high = -1,
                           .importance_sampling_level = "token",
                           .dppo_epsilon = 0.2,
                           .sapo_temperature_pos = 1,
                           .sapo_temperature_neg = 1.05,
                           .loss_type = "sigmoid",
                           .loss_weights = "",
                           .f_divergence_type = "reverse_kl",
                           .ld_alpha = 1,
                           .discopop_tau = 0.05,
                           .dpo_shift = 1,
                           .tpo_alpha = 1,
                           .desirable_weight = 1,
                           .undesirable_weight = 1,
                           .cliprange_value = 0.2,
                           .gamma = 1,
                           .lam = 0.95,
                           .kl_estimator = "auto",
                           .kl_in = "loss",
                           .kl_controller = "fixed",
                           .kl_target = 6,
                           .kl_horizon = 10000,
                           .advantage_std_epsilon = 1e-4,
                           .advantage_quantile = 0.4,
                           .multi_objective_aggregation = "sum_then_normalize",
                           .sampler_correction = "none",
                           .sampler_correction_max = 3,
                           .top_entropy_quantile = 1,
                           .num_generations = 8,
                           .num_iterations = 1,
                           .degenerate_groups = "keep",
                           .max_refill_rounds = 10};
}

static void every_row_is_complete_and_its_default_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ls_rl_option_table.n_rows; i++) {
        const ls_option *row = &ls_rl_option_table.rows[i];
        assert_true(row->offset < sizeof(ls_rl_options));
        assert_true(row->help && row->help[strlen(row->help) - 1] == '.');
        assert_true(row->type == LS_OPT_BOOL || row->def);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(row->key, ls_rl_option_table.rows[k].key);
            assert_true(row->offset != ls_rl_option_table.rows[k].offset);
        }
        if (row->type == LS_OPT_CHOICE) {
            bool is_there = false;
            for (size_t k = 0; row->choices[k]; k++)
                is_there = is_there || strcmp(row->choices[k], row->def) == 0;
            assert_true(is_there);
        } else if (row->type == LS_OPT_INT || row->type == LS_OPT_FLOAT) {
            double value;
            assert_true(ls_parse_double(row->def, &value));
            assert_true(row->min < row->max && value >= row->min && value <= row->max);
        }
    }
}

static void names_resolve_to_descriptors(void **state)
{
    (void)state;
    ls_rl_options options = grpo_options();
    ls_rl_plan plan;
    options.beta = 0.04;
    options.epsilon_high = 0.28;
    options.degenerate_groups = "refill";
    options.kl_controller = "adaptive";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_OK);
    assert_ptr_equal(plan.objective, &ls_objective_ppo_clip);
    assert_ptr_equal(plan.advantage, &ls_advantage_grpo);
    assert_string_equal(plan.aggregation->name, "seq-mean");
    assert_int_equal(plan.objective_options.kl_estimator, LS_KL_K3);
    assert_close(plan.objective_options.epsilon_high, 0.28, 0);
    assert_int_equal(plan.filter, LS_FILTER_REFILL);
    assert_true(plan.has_kl_controller);
    assert_int_equal(plan.needs, LS_NEED_OLD_LOGP | LS_NEED_REF_LOGP | LS_NEED_ADVANTAGE);
}

static void auto_is_k1_in_the_reward(void **state)
{
    (void)state;
    ls_rl_options options = grpo_options();
    ls_rl_plan plan;
    options.beta = 0.05;
    options.kl_in = "reward";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_OK);
    assert_int_equal(plan.objective_options.kl_estimator, LS_KL_K1);
    options.kl_estimator = "k2";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_USAGE);
}

static void every_name_of_every_choice_resolves(void **state)
{
    (void)state;
    for (size_t i = 0; i < ls_rl_option_table.n_rows; i++) {
        const ls_option *row = &ls_rl_option_table.rows[i];
        for (size_t k = 0; row->type == LS_OPT_CHOICE && row->choices[k]; k++) {
            ls_rl_options options = grpo_options();
            ls_rl_plan plan;
            options.beta = strcmp(row->key, "kl_controller") == 0 ? 0.1 : 0;
            *(const char **)(void *)((char *)&options + row->offset) = row->choices[k];
            const ls_objective *objective = ls_objective_find(options.objective);
            if (objective->owns_beta)
                options.beta = 0.1;
            if (objective->is_unit_mean)
                options.aggregation = "seq-sum";
            assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_OK);
        }
    }
}

static void mistakes_are_named_with_a_remedy(void **state)
{
    (void)state;
    ls_rl_plan plan;
    ls_rl_options options = grpo_options();
    options.objective = "ppo-clp";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "ppo-clip"));
    options = grpo_options();
    options.num_generations = 1;
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "num_generations"));
    options.advantage_estimator = "batch-mean";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_OK);
    options = grpo_options();
    options.kl_controller = "adaptive";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "beta"));
    options = grpo_options();
    options.objective = "sft";
    options.num_generations = 1;
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_OK);
}

static void dpo_resolves_to_its_losses(void **state)
{
    (void)state;
    ls_rl_plan plan;
    ls_rl_options options = grpo_options();
    options.objective = "preference";
    options.loss_type = "sigmoid,sft";
    options.loss_weights = "1,0.5";
    options.aggregation = "seq-sum";
    options.beta = 0.1;
    options.f_divergence_type = "reverse_kl";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_OK);
    assert_int_equal(plan.objective_options.pair.n_losses, 2);
    assert_string_equal(plan.objective_options.pair.loss[1]->name, "sft");
    assert_close(plan.objective_options.pair.loss_weight[1], 0.5, 0);
    assert_int_equal(plan.needs, LS_NEED_REF_LOGP);
    options.aggregation = "token-mean";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "seq-sum"));
    options.aggregation = "seq-sum";
    options.loss_type = "sigmod";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "sigmoid"));
    options.loss_type = "sigmoid";
    options.loss_weights = "";
    options.beta = 0;
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "beta"));
    options.beta = 0.1;
    options.kl_controller = "adaptive";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "kl_controller"));
}

static void ppo_resolves_to_values_and_gae(void **state)
{
    (void)state;
    ls_rl_plan plan;
    ls_rl_options options = grpo_options();
    options.advantage_estimator = "gae";
    options.num_generations = 1;
    options.vf_coef = 0.1;
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_OK);
    assert_true((plan.needs & LS_NEED_VALUE) && (plan.needs & LS_NEED_RETURN));
    options.advantage_estimator = "batch-mean";
    assert_int_equal(ls_rl_resolve(&plan, &options), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "gae"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete_and_its_default_is_allowed),
        cmocka_unit_test(names_resolve_to_descriptors),
        cmocka_unit_test(auto_is_k1_in_the_reward),
        cmocka_unit_test(every_name_of_every_choice_resolves),
        cmocka_unit_test(mistakes_are_named_with_a_remedy),
        cmocka_unit_test(dpo_resolves_to_its_losses),
        cmocka_unit_test(ppo_resolves_to_values_and_gae),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
