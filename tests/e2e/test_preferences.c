/* Preferences and labels end to end: DPO, KTO, their kin, moving and precomputed references, pairs
 * out of rollouts, and what is refused. */
#include "small_runs.h"

#include "config/state.h"

#define LOG_2 0.6931471805599453

/* Each update sees the whole file of 40 rows. */
#define LEARNING                                                               \
    "--model base --dataset pairs.jsonl --max_length 64 --learning_rate 5e-3 " \
    "--lr_scheduler_type constant --per_device_train_batch_size 8 "            \
    "--gradient_accumulation_steps 5 --overwrite --output_dir run "
/* 8 or 16 sequences an update: a mean of equal numbers over so many is exact. */
#define SHORT                                                                                    \
    "--per_device_train_batch_size 4 --gradient_accumulation_steps 2 --max_steps 2 " SMALL_PAIRS \
    "--overwrite --output_dir run "

static void write_labels(const char *path)
{
    ls_str text = LS_STR_INIT;
    for (int a = 0; a < 10; a++)
        for (int b = 0; b < 4; b++)
            ls_str_appendf(
                &text, "{\"prompt\": \"%d+%d=\", \"completion\": \"%d\", \"label\": %s}\n", a, b,
                (a + b) % 2 ? a + b : (a + b + 9) % 29, (a + b) % 2 ? "true" : "false");
    run_write(path, text.data);
    ls_str_release(&text);
}

static double metric(int line, const char *name)
{
    return run_metric("run", line, name);
}

/* --- what is known before anything is learnt --- */

static void the_first_loss_is_that_of_no_preference(void **state)
{
    (void)state;
    run_ok("dpo " SHORT);
    assert_true(metric(0, "loss") == LOG_2);
    assert_true(metric(0, "rewards/margins") == 0);
    assert_true(metric(0, "rewards/accuracies") == 0);
    assert_true(metric(0, "displacement/chosen") == 0);
    assert_true(metric(1, "loss") != LOG_2);
    run_ok("dpo --use_peft --lora_r 4 " SHORT);
    assert_true(metric(0, "loss") == LOG_2);
    run_ok("kto " SHORT);
    assert_true(metric(0, "loss") == 0.5);
    assert_true(metric(0, "baseline") == 0);
    run_ok("kto --recipe bco " SHORT);
    assert_true(metric(0, "loss") == LOG_2);
}

static void a_reference_that_is_not_the_policy_is_compared_with(void **state)
{
    (void)state;
    run_ok("sft --max_steps 2 --output_dir other " SMALL_SFT);
    run_ok("dpo --ref_model other " SHORT);
    assert_true(metric(0, "rewards/margins") != 0);
    double margin = metric(0, "rewards/margins");
    run_ok("dpo --ref_model other --precompute_ref_log_probs " SHORT);
    assert_true(metric(0, "rewards/margins") == margin);
}

/* --- learning --- */

static void dpo_learns_every_pair(void **state)
{
    (void)state;
    run_ok("dpo --max_steps 80 " LEARNING);
    assert_true(metric(-1, "rewards/accuracies") == 1);
    assert_true(metric(-1, "rewards/margins") > 2);
    assert_true(metric(-1, "rewards/margins") > metric(40, "rewards/margins"));
    assert_true(metric(40, "rewards/margins") > metric(10, "rewards/margins"));
    assert_true(metric(-1, "loss") < 0.1);
    assert_true(metric(-1, "logps/rejected") < metric(0, "logps/rejected"));
}

static void likelihood_in_the_mixture_keeps_the_chosen_one_likely(void **state)
{
    (void)state;
    run_ok("dpo --max_steps 15 " LEARNING);
    double displaced = metric(-1, "displacement/chosen");
    run_ok("dpo --recipe rpo --max_steps 15 " LEARNING);
    assert_true(metric(-1, "displacement/chosen") > displaced);
    assert_true(metric(-1, "nll_loss") < metric(0, "nll_loss"));
}

static void kto_and_bco_part_good_from_bad(void **state)
{
    (void)state;
    static const char *const recipes[] = {"kto", "bco", "apo-zero-unpaired"};
    write_labels("labels.jsonl");
    for (size_t i = 0; i < LS_COUNT(recipes); i++) {
        run_ok("kto --recipe %s --max_steps 40 " LEARNING "--dataset labels.jsonl", recipes[i]);
        assert_true(metric(0, "rewards/margins") == 0);
        assert_true(metric(-1, "rewards/margins") > 0.3);
        assert_true(metric(-1, "loss") < metric(0, "loss"));
    }
}

static void labels_out_of_balance_are_told(void **state)
{
    (void)state;
    static const char text[] =
        "labels.jsonl has 20 desirable and 20 undesirable completions; KTO wants desirable_weight "
        "* desirable to be 1 to 1.5 times undesirable_weight * undesirable, and it is 2.00 times";
    write_labels("labels.jsonl");
    for (int weight = 1; weight <= 2; weight++) {
        run_result r = run_program("kto --desirable_weight %d --dataset labels.jsonl --model base "
                                   "--max_steps 1 --overwrite --output_dir run",
                                   weight);
        assert_int_equal(r.code, 0);
        assert_true((strstr(r.err.data, text) != NULL) == (weight == 2));
        run_release(&r);
    }
}

/* Nothing in the recipe's own row fails, and all log TRL's names. */
static void every_recipe_of_pairs_and_labels_trains(void **state)
{
    (void)state;
    static const char *const names[] = {"loss",           "grad_norm",          "learning_rate",
                                        "rewards/chosen", "rewards/rejected",   "rewards/margins",
                                        "logps/chosen",   "logps/rejected",     "num_tokens",
                                        "entropy",        "mean_token_accuracy"};
    size_t n;
    int n_run = 0;
    const ls_recipe *recipes = ls_recipes(&n);
    for (size_t i = 0; i < n; i++) {
        ls_str text = LS_STR_INIT;
        ls_str_append_n(&text, recipes[i].text, recipes[i].n);
        bool has_pairs = strstr(text.data, "\nmethod: pairs\nobjective: preference\n") != NULL,
             has_labels = strstr(text.data, "\nmethod: labels\n") != NULL;
        ls_str_release(&text);
        if (!has_pairs && !has_labels)
            continue;
        run_ok("%s --recipe %s --max_steps 2 --overwrite --output_dir run " SMALL_PAIRS,
               has_pairs ? "dpo" : "kto", recipes[i].name);
        for (size_t k = 0; k < LS_COUNT(names); k++)
            (void)metric(1, names[k]);
        if (has_pairs)
            (void)metric(1, "rewards/accuracies");
        assert_true(metric(1, "param_change_norm") > 0);
        n_run++;
    }
    assert_true(n_run >= 20);
}

/* --- references that move --- */

static void a_reference_copied_after_every_update_leaves_no_margin(void **state)
{
    (void)state;
    run_ok("dpo --sync_ref_model --ref_model_mixup_alpha 1 --ref_model_sync_steps 1 --max_steps "
           "4 " LEARNING);
    for (int line = 0; line < 4; line++) {
        assert_true(metric(line, "rewards/margins") == 0);
        assert_true(metric(line, "param_change_norm") > 0);
    }
    run_ok("dpo --sync_ref_model --ref_model_mixup_alpha 0 --ref_model_sync_steps 1 --max_steps "
           "4 " LEARNING);
    double still = metric(3, "rewards/margins");
    run_ok("dpo --max_steps 4 " LEARNING);
    assert_true(metric(3, "rewards/margins") == still);
}

/* Copied every second update: at the first one after it the KL is 0 again. */
static void the_leash_of_rollouts_moves_too(void **state)
{
    (void)state;
    run_ok("grpo --sync_ref_model --ref_model_mixup_alpha 1 --ref_model_sync_steps 2 --max_steps 4 "
           "--per_device_train_batch_size 16 --overwrite --output_dir run " SMALL_RL);
    assert_true(metric(0, "kl/seq_k1") == 0);
    assert_true(metric(1, "kl/seq_k1") != 0);
    assert_true(metric(2, "kl/seq_k1") == 0);
    assert_true(metric(3, "kl/seq_k1") != 0);
}

/* --- memory --- */

static double reference_bytes(const char *settings)
{
    char *text = run_output("plan dpo --json --model base --dataset pairs.jsonl %s", settings);
    json_t *plan = json_loads(text, 0, NULL);
    double bytes = json_number_value(json_object_get(json_object_get(plan, "bytes"), "reference"));
    json_decref(plan);
    ls_free(text);
    return bytes;
}

static void the_plan_knows_which_reference_is_held(void **state)
{
    (void)state;
    double frozen = reference_bytes("");
    assert_true(frozen > 4e5);
    assert_true(reference_bytes("--sync_ref_model") > frozen);
    assert_true(reference_bytes("--precompute_ref_log_probs") < 1e5);
    assert_true(reference_bytes("--use_peft") == 0);
    assert_true(reference_bytes("--recipe simpo") == 0);
}

/* --- rollouts --- */

/* Many completions of each problem, from a model that solves a part of them. */
#define SAMPLED                                                                        \
    "--model better --per_device_train_batch_size 64 --gradient_accumulation_steps 4 " \
    "--num_generations 16 --lr_scheduler_type constant --overwrite --output_dir run " SUMS

static double mean_reward(int first, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += metric(first + i, "reward");
    return sum / n;
}

static void imitation_of_the_best_raises_the_reward(void **state)
{
    (void)state;
    run_ok("pretrain --model tiny --max_position_embeddings 256 --per_device_train_batch_size 16 "
           "--learning_rate 5e-3 --warmup_steps 5 --max_steps 200 --output_dir better " SUMS);
    int n = run_count(100, 10);
    run_ok("grpo --recipe raft --select_min_reward 1 --select_best 0 --max_steps %d "
           "--learning_rate 1e-3 " SAMPLED,
           n);
    assert_true(metric(0, "selection/kept") <= metric(0, "reward"));
    if (run_is_quick())
        return;
    double first = mean_reward(0, n / 5), last = mean_reward(n - n / 5, n / 5);
    print_message("mean reward %.3f in the first steps, %.3f in the last\n", first, last);
    assert_true(last > first + 0.08);
}

static void online_pairs_are_the_best_against_the_worst(void **state)
{
    (void)state;
    run_ok("grpo --recipe online-dpo --max_steps 10 --learning_rate 3e-4 " SAMPLED);
    for (int line = 0; line < 10; line++) {
        double empty = metric(line, "selection/groups_empty");
        assert_true(empty < 1);
        assert_true(metric(line, "selection/kept") == (1 - empty) * 2 / 16);
        assert_true(metric(line, "objective/scores_margin") == 1); /* right against wrong */
        assert_true(metric(line, "rollout/mismatched") == 0);
        assert_true(metric(line, "rollout/compared") > 0);
    }
    assert_true(metric(0, "loss") - LOG_2 < 1e-12 && LOG_2 - metric(0, "loss") < 1e-12);
}

/* --- refusals --- */

static void rows_of_another_method_are_refused_with_a_hint(void **state)
{
    (void)state;
    run_write("sft.jsonl", "{\"prompt\": \"1+1=\", \"completion\": \"2\"}\n");
    static const refused cases[] = {
        {"dpo --output_dir out --model base --dataset sft.jsonl", 1,
         "sft.jsonl:1: no schema for preference pairs fits: found \"prompt\", \"completion\"; "
         "expected {\"prompt\", \"chosen\", \"rejected\"}, or {\"chosen\", \"rejected\"}; such "
         "rows "
         "are for leash sft; other names are mapped with columns, as in prompt=question"},
        {"kto --output_dir out --model base --dataset sft.jsonl", 1,
         "sft.jsonl:1: no schema for labelled rows fits: found \"prompt\", \"completion\"; "
         "expected "
         "{\"prompt\", \"completion\", \"label\"}, or {\"prompt\", \"chosen\", \"rejected\"}, or "
         "{\"chosen\", \"rejected\"}; such rows are for leash sft; other names are mapped with "
         "columns, as in prompt=question"},
    };
    check_refused(cases, LS_COUNT(cases));
    run_result r = run_program("sft --model base --dataset pairs.jsonl --output_dir out");
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(r.err.data, "such rows are for leash dpo"));
    run_release(&r);
}

static void settings_that_cannot_be_are_refused(void **state)
{
    (void)state;
#define DPO "dpo --output_dir out --model base --dataset pairs.jsonl "
    static const refused cases[] = {
        {DPO "--recipe aot --per_device_train_batch_size 4 --gradient_accumulation_steps 2", 2,
         "loss_type aot sorts all pairs of an update, which must go through the model at once: set "
         "per_device_train_batch_size to 8, gradient_accumulation_steps and grad_leaves to 1"},
        {DPO "--packing", 2,
         "packing puts rows of text together; method pairs trains on completions as they are: "
         "leave it out"},
        {DPO "--objective kto", 2,
         "objective kto learns from labelled completions (method: labels, as leash kto), but "
         "method "
         "is pairs: set the one or the other"},
        {DPO "--aggregation token-mean", 2,
         "aggregation is token-mean, but objective preference is a mean over pairs or completions; "
         "set aggregation: seq-sum"},
        {DPO "--use_weighting", 2,
         "objective preference with advantage_estimator grpo and these options needs values, "
         "greedy "
         "completions, gold answers, steps, a teacher or use_weighting's statistics, which no "
         "method gives it"},
        {DPO "--xpo_alpha 1e-5", 2,
         "xpo_alpha pushes completions down that the reference sampled, which no method gives it: "
         "leave it at 0"},
        {DPO "--recipe simpo --sync_ref_model", 2,
         "sync_ref_model has no effect: this run has no reference"},
        {DPO "--sync_ref_model --precompute_ref_log_probs", 2,
         "sync_ref_model moves the reference, whose log-probabilities precompute_ref_log_probs "
         "makes once: set one of them"},
        {DPO "--sync_ref_model --use_peft", 2,
         "sync_ref_model needs a reference of its own, but with use_peft it is the model without "
         "its adapter: set one of them"},
        {DPO "--precompute_ref_log_probs --streaming", 2,
         "precompute_ref_log_probs scores the rows of a dataset in memory; it goes without "
         "streaming, method rollouts and objective kto (which mixes rows)"},
        {"kto --output_dir out --model base --dataset pairs.jsonl --per_device_train_batch_size 1",
         2,
         "objective kto compares with completions of other prompts of the update, which has one: "
         "set per_device_train_batch_size or gradient_accumulation_steps to 2 or more"},
        {"grpo --output_dir out --model base --recipe online-dpo --num_generations 1 " SUMS, 2,
         "num_generations is 1, but objective preference pairs the best completion of a prompt "
         "with the worst: set it to 2 or more"},
        {"grpo --output_dir out --model base --select_best 1 " SUMS, 2,
         "select_best chooses completions to imitate (objective sft) and has no effect on "
         "objective ppo-clip"},
    };
    check_refused(cases, LS_COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_loss_is_that_of_no_preference),
        cmocka_unit_test(a_reference_that_is_not_the_policy_is_compared_with),
        cmocka_unit_test(dpo_learns_every_pair),
        cmocka_unit_test(likelihood_in_the_mixture_keeps_the_chosen_one_likely),
        cmocka_unit_test(kto_and_bco_part_good_from_bad),
        cmocka_unit_test(labels_out_of_balance_are_told),
        cmocka_unit_test(every_recipe_of_pairs_and_labels_trains),
        cmocka_unit_test(a_reference_copied_after_every_update_leaves_no_margin),
        cmocka_unit_test(the_leash_of_rollouts_moves_too),
        cmocka_unit_test(the_plan_knows_which_reference_is_held),
        cmocka_unit_test(imitation_of_the_best_raises_the_reward),
        cmocka_unit_test(online_pairs_are_the_best_against_the_worst),
        cmocka_unit_test(rows_of_another_method_are_refused_with_a_hint),
        cmocka_unit_test(settings_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
