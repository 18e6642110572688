/* Every recipe of the RL methods trains, and so does every option that changes a policy term; none
 * of them depends on the cut into micro-batches. */
#include "small_runs.h"

#include "config/state.h"

#define FIRST_CUT "--per_device_train_batch_size 4 --gradient_accumulation_steps 2 "
#define OTHER_CUT "--per_device_train_batch_size 1 --gradient_accumulation_steps 8 "
#define TWO_STEPS                                                                      \
    "--model base --learning_rate 1e-3 --lr_scheduler_type constant --warmup_steps 0 " \
    "--max_steps 2 " SUMS
/* What recipes for models with a chat template set. */
#define PLAIN_TEXT "--apply_chat_template false --system_prompt= "

/* Those that make pairs need groups with a right and a wrong completion: e2e.preferences. */
static bool has_rollouts(const ls_recipe *recipe)
{
    ls_str text = LS_STR_INIT;
    ls_str_append_n(&text, recipe->text, recipe->n);
    bool found = strstr(text.data, "\nmethod: rollouts\n") &&
                 !strstr(text.data, "\nobjective: preference\n");
    ls_str_release(&text);
    return found;
}

static void assert_trained(const char *dir, const char *what)
{
    assert_int_equal(run_count_steps(dir), 2);
    for (int line = 0; line < 2; line++) {
        (void)run_metric(dir, line, "loss");
        if (run_metric(dir, line, "rollout/mismatched") != 0)
            fail_msg("%s: a log-probability of training differs from the rollout's", what);
        if (!(run_metric(dir, line, "tokens/active") > 0))
            fail_msg("%s: nothing was trained", what);
    }
}

static void every_recipe_with_rollouts_trains(void **state)
{
    (void)state;
    size_t n;
    int n_run = 0;
    const ls_recipe *recipes = ls_recipes(&n);
    for (size_t i = 0; i < n; i++) {
        if (!has_rollouts(&recipes[i]))
            continue;
        run_ok("grpo --recipe %s " PLAIN_TEXT
               " --generation_batch_size 16 --overwrite --output_dir run " FIRST_CUT TWO_STEPS,
               recipes[i].name);
        assert_trained("run", recipes[i].name);
        n_run++;
    }
    assert_true(n_run >= 10);
}

static void recipes_with_a_signal_change_the_weights(void **state)
{
    (void)state;
    static const char *const names[] = {"gspo", "cispo", "sapo", "gmpo", "vespo", "lite-ppo"};
    for (size_t i = 0; i < LS_COUNT(names); i++) {
        run_ok("grpo --recipe %s --generation_batch_size 16 --overwrite --output_dir run " FIRST_CUT
                   TWO_STEPS,
               names[i]);
        assert_true(run_metric("run", 0, "tokens/useful") > 0);
        assert_true(run_metric("run", 0, "param_change_norm") > 0);
    }
}

static const char *const policy_terms[] = {
    "--objective ppo-clip --importance_sampling_level sequence-product --epsilon 0.01 "
    "--aggregation seq-mean --off_policy_mask_threshold 0.001 ",
    "--objective ppo-clip --importance_sampling_level sequence-token --advantage_estimator opo ",
    "--objective dppo --dppo_epsilon 0.01 --advantage_estimator quantile ",
    "--objective cispo --advantage_estimator pass-at-k --top_entropy_quantile 0.2 ",
    "--objective gmpo --top_p 0.8 --sampler_correction token-mask --sampler_correction_min 0.5 ",
    "--objective vespo --top_k 3 --sampler_correction sequence-truncate ",
    "--clip_cov_ratio 0.1 --clip_cov_min 0 --use_adaptive_entropy --entropy_target 10 ",
    "--kl_cov_ratio 0.1 --kl_cov_coef 0.5 --use_adaptive_entropy ",
    "--reward number,format --format_tags a --no-format_as_gate --multi_objective_aggregation "
    "normalize_then_sum ",
};

static void every_policy_term_has_the_same_bits_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < LS_COUNT(policy_terms); i++) {
        print_message("%s\n", policy_terms[i]);
        const char *cuts[] = {FIRST_CUT, OTHER_CUT}, *dirs[] = {"first", "other"};
        for (int k = 0; k < 2; k++)
            run_ok("grpo --num_generations 8 --generation_batch_size 16 --num_iterations 2 "
                   "--overwrite --output_dir %s %s %s" TWO_STEPS,
                   dirs[k], policy_terms[i], cuts[k]);
        assert_trained("first", policy_terms[i]);
        assert_same_run("first", "other");
    }
}

static void corrections_say_what_they_did(void **state)
{
    (void)state;
    run_ok("grpo --num_generations 8 --top_p 0.5 --sampler_correction token-truncate "
           "--top_entropy_quantile 0.25 --use_adaptive_entropy --entropy_target 10 --overwrite "
           "--output_dir run " FIRST_CUT TWO_STEPS);
    assert_true(run_metric("run", 1, "sampling/importance_sampling_ratio/min") < 1);
    assert_true(run_metric("run", 1, "sampling/importance_sampling_ratio/max") <= 1);
    double masked = run_metric("run", 1, "correction/masked");
    assert_true(masked > 0.5 && masked <= 0.75);
    assert_true(run_metric("run", 0, "entropy_coef") == 0);
    assert_true(run_metric("run", 1, "entropy_coef") == 0.005);
}

static void an_adaptive_bonus_goes_on_after_a_resume(void **state)
{
    (void)state;
    static const char settings[] = "grpo --num_generations 8 --use_adaptive_entropy "
                                   "--entropy_target 10 --save_steps 1 " FIRST_CUT;
    run_ok("%s --overwrite --output_dir whole " TWO_STEPS, settings);
    run_ok("%s --overwrite --output_dir cut " TWO_STEPS, settings);
    assert_ok(ls_dir_remove("cut/checkpoints/step-2"));
    run_ok("%s --resume --output_dir cut " TWO_STEPS, settings);
    assert_same_run("whole", "cut");
}

static void options_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    assert_error(
        run_program("grpo --reward number,format --multi_objective_aggregation normalize_then_sum "
                    "--output_dir no " TWO_STEPS),
        2,
        "multi_objective_aggregation normalize_then_sum adds the advantages of each reward, but "
        "reward format is a gate; set format_as_gate: false");
    assert_error(run_program("grpo --recipe cispo --epsilon_high 0.28 --output_dir no " TWO_STEPS),
                 2,
                 "cispo_max_ratio is 5 and epsilon_high is 0.28, but both are the upper bound of "
                 "cispo (the ratio itself, or 1 + epsilon_high); set one of them");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recipe_with_rollouts_trains),
        cmocka_unit_test(recipes_with_a_signal_change_the_weights),
        cmocka_unit_test(every_policy_term_has_the_same_bits_however_it_is_cut),
        cmocka_unit_test(corrections_say_what_they_did),
        cmocka_unit_test(an_adaptive_bonus_goes_on_after_a_resume),
        cmocka_unit_test(options_that_contradict_each_other_are_refused),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
