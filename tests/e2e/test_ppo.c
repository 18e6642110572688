/* PPO end to end: the policy improves, the critic learns what completions are worth, and what is
 * refused. */
#include "small_runs.h"

#define PPO                                                                          \
    "--temperature 1 --lr_scheduler_type constant --per_device_train_batch_size 64 " \
    "--gradient_accumulation_steps 1 --overwrite --output_dir run "

static double metric(int line, const char *name)
{
    return run_metric("run", line, name);
}

static void ppo_improves_held_out_accuracy(void **state)
{
    (void)state;
    run_ok("ppo --model base --learning_rate 1e-3 --value_learning_rate 3e-3 --beta 0.02 "
           "--max_steps 40 --eval_steps 40 --eval_on_start " SUMS PPO);
    assert_true(metric(-1, "eval/accuracy") > metric(0, "eval/accuracy") + 0.15);
    assert_true(metric(1, "rollout/mismatched") == 0);
    assert_true(metric(-1, "updates") == 160);
    assert_true(metric(-1, "value/mean") > 0);
    assert_true(metric(-1, "kl/seq_k1") > 0);
}

/* The policy stands still; half of the prompts have answers that it never gives, so the prompt says
 * much of what a completion is worth. */
static void the_critic_learns_what_completions_are_worth(void **state)
{
    (void)state;
    ls_str text = LS_STR_INIT;
    for (int i = 0; i < 100; i++)
        ls_str_appendf(&text, "{\"prompt\": \"%d+%d=\", \"answer\": \"%d\"}\n", i / 10, i % 10,
                       i / 10 % 2 ? i / 10 + i % 10 : 99);
    run_write("half.jsonl", text.data);
    ls_str_release(&text);
    run_ok("sft --model base --learning_rate 3e-3 --per_device_train_batch_size 16 --max_steps 150 "
           "--overwrite --output_dir good " SUMS);
    run_ok("ppo --model good --dataset half.jsonl --reward number --max_completion_length 8 "
           "--learning_rate 1e-9 --value_learning_rate 3e-3 --beta 0 --max_steps 30 " PPO);
    assert_true(metric(0, "explained_variance") < 0.1);
    double last = (metric(-1, "explained_variance") + metric(-2, "explained_variance") +
                   metric(-3, "explained_variance")) /
                  3;
    assert_true(last > 0.2);
    assert_true(metric(-1, "loss/value_avg") < metric(0, "loss/value_avg"));
}

static void a_critic_can_begin_as_the_reward_model(void **state)
{
    (void)state;
    run_ok("ppo --model base --reward_model rm --max_steps 1 --overwrite --output_dir run "
           "--per_device_train_batch_size 8 --gradient_accumulation_steps 1 " SUMS);
    double by_default = metric(0, "value/mean");
    run_ok(
        "ppo --model base --reward_model rm --value_model rm --max_steps 1 --overwrite "
        "--output_dir run --per_device_train_batch_size 8 --gradient_accumulation_steps 1 " SUMS);
    assert_true(metric(0, "value/mean") == by_default);
    run_ok(
        "ppo --model base --reward_model rm --value_model base --max_steps 1 --overwrite "
        "--output_dir run --per_device_train_batch_size 8 --gradient_accumulation_steps 1 " SUMS);
    assert_true(metric(0, "value/mean") != by_default);
}

/* The policy is an adapter; the critic is a whole model, from the one underneath. */
static void an_adapter_is_trained_beside_a_whole_critic(void **state)
{
    (void)state;
    run_ok("ppo --model base --use_peft --lora_r 2 --max_steps 1 --overwrite --output_dir adapter "
           "--per_device_train_batch_size 8 --gradient_accumulation_steps 1 " SUMS);
    run_ok("ppo --model adapter --max_steps 1 --learning_rate 1e-3 --overwrite --output_dir run "
           "--per_device_train_batch_size 8 --gradient_accumulation_steps 1 " SUMS);
    assert_true(metric(0, "value/grad_norm") > 0);
    assert_true(ls_file_exists("run/final/adapter_model.safetensors"));
    assert_true(ls_file_exists("run/final/leash_state/critic.safetensors"));
}

static void a_missing_end_costs_what_was_asked(void **state)
{
    (void)state;
    static const char *const penalties[] = {"0", "3"};
    double reward[2], clipped = 0;
    for (int i = 0; i < 2; i++) {
        run_ok("ppo --model base --max_steps 1 --learning_rate 0 --missing_eos_penalty %s "
               "--overwrite --output_dir run --task arithmetic --task_args digits=1,operators=+ "
               "--max_completion_length 5 --per_device_train_batch_size 16 "
               "--gradient_accumulation_steps 1",
               penalties[i]);
        reward[i] = metric(0, "reward");
        clipped = metric(0, "completions/clipped_ratio");
    }
    assert_true(clipped > 0);
    assert_true(fabs(reward[0] - reward[1] - 3 * clipped) < 1e-9);
}

static void settings_without_a_critic_are_refused(void **state)
{
    (void)state;
    run_fails("ppo --vf_coef 0.1 --output_dir no " SMALL_RL, 2,
              "vf_coef weighs the loss of a critic that shares the policy's weights");
    run_fails("grpo --value_model rm --output_dir no " SMALL_RL, 2,
              "value_model has no effect: advantage_estimator grpo has no critic (gae has)");
    run_fails("grpo --whiten_rewards --output_dir no " SMALL_RL, 2,
              "whiten_rewards acts on the rewards of tokens, but advantage_estimator grpo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ppo_improves_held_out_accuracy),
        cmocka_unit_test(the_critic_learns_what_completions_are_worth),
        cmocka_unit_test(a_critic_can_begin_as_the_reward_model),
        cmocka_unit_test(an_adapter_is_trained_beside_a_whole_critic),
        cmocka_unit_test(a_missing_end_costs_what_was_asked),
        cmocka_unit_test(settings_without_a_critic_are_refused),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
