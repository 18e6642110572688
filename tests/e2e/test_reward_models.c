/* Reward models end to end: training on pairs and on steps, saving, loading, and what is refused.
 * */
#include "small_runs.h"

#define LOG_2 0.6931471805599453

/* Each update sees the whole file. */
#define LEARNING                                                     \
    "--model base --max_length 64 --learning_rate 3e-3 "             \
    "--lr_scheduler_type constant --per_device_train_batch_size 10 " \
    "--gradient_accumulation_steps 4 --overwrite --output_dir run "
#define SHORT                                                                                    \
    "--per_device_train_batch_size 4 --gradient_accumulation_steps 2 --max_steps 2 " SMALL_PAIRS \
    "--overwrite --output_dir run "

static double metric(int line, const char *name)
{
    return run_metric("run", line, name);
}

static void a_reward_model_learns_every_pair(void **state)
{
    (void)state;
    run_ok("reward --dataset pairs.jsonl --max_steps 120 " LEARNING);
    assert_true(fabs(metric(0, "loss") - LOG_2) < 0.1);
    assert_true(metric(-1, "accuracy") >= 0.95);
    assert_true(metric(-1, "margin") > 1);
    assert_true(metric(-1, "loss") < 0.3);
    assert_true(metric(-1, "min_reward") < metric(-1, "mean_reward"));
}

/* Two scores far from 0 are drawn there, with the difference left to the pairs. */
static void centring_draws_scores_to_zero(void **state)
{
    (void)state;
    run_ok("reward --dataset pairs.jsonl --max_steps 40 " LEARNING);
    double free_mean = fabs(metric(-1, "mean_reward"));
    run_ok("reward --dataset pairs.jsonl --center_rewards_coefficient 1 --max_steps 40 " LEARNING);
    assert_true(fabs(metric(-1, "mean_reward")) < 0.2);
    assert_true(fabs(metric(-1, "mean_reward")) <= free_mean + 0.05);
}

static void a_margin_of_the_rows_is_asked_for(void **state)
{
    (void)state;
    run_write("margin.jsonl",
              "{\"prompt\": \"1+1=\", \"chosen\": \"2\", \"rejected\": \"3\", \"margin\": 2}\n");
    run_ok("reward --model base --dataset margin.jsonl --max_steps 1 --learning_rate 0 --overwrite "
           "--output_dir run");
    double margin = metric(0, "margin"), expected = log1p(exp(-(margin - 2)));
    assert_true(fabs(metric(0, "loss") - expected) < 1e-6);
    run_write(
        "margin.jsonl",
        "{\"prompt\": \"1+1=\", \"chosen\": \"2\", \"rejected\": \"3\", \"margin\": \"2\"}\n");
    run_fails("reward --model base --dataset margin.jsonl --overwrite --output_dir run", 1,
              "margin.jsonl:1: column \"margin\" is a string, expected a number within +-1e6");
}

static void a_process_reward_model_tells_wrong_steps(void **state)
{
    (void)state;
    run_ok("prm --dataset steps.jsonl --max_steps 150 " LEARNING);
    assert_true(metric(-1, "step_accuracy") > 0.85);
    assert_true(metric(-1, "loss") < metric(0, "loss") - 0.2);
    assert_true(metric(0, "tokens/active") == 80); /* two steps a row */
}

/* Training goes on from the score that was saved. */
static void a_saved_reward_model_is_loaded_again(void **state)
{
    (void)state;
    run_ok("reward --max_steps 40 --dataset pairs.jsonl --model base --max_length 64 "
           "--learning_rate 3e-3 --per_device_train_batch_size 40 --overwrite --output_dir rm");
    ls_str config = run_read_file("rm/final/config.json");
    assert_non_null(strstr(config.data, "\"LlamaForSequenceClassification\""));
    assert_non_null(strstr(config.data, "\"id2label\""));
    ls_str_release(&config);
    run_ok("reward --max_steps 1 --dataset pairs.jsonl --model rm --max_length 64 "
           "--learning_rate 0 --per_device_train_batch_size 40 --overwrite --output_dir again");
    assert_true(run_metric("again", 0, "loss") < run_metric("rm", 0, "loss"));
    assert_true(run_metric("again", 0, "margin") > run_metric("rm", 30, "margin"));
    run_fails("generate --model rm --prompt 1+1=", 2,
              "is a model that scores sequences, but one that writes text is needed");
    run_fails("prm --model rm --dataset steps.jsonl --overwrite --output_dir run", 2,
              "is a model that scores sequences, but one that scores steps is needed");
}

/* leash score on a reward model: one score a row, the same whatever goes through the model
 * together; those of the pairs give the accuracy and margin of training. */
static void rows_are_scored(void **state)
{
    (void)state;
    ls_str rows = LS_STR_INIT;
    for (int a = 0; a < 10; a++)
        for (int b = 0; b < 4; b++)
            ls_str_appendf(&rows,
                           "{\"prompt\": \"%d+%d=\", \"completion\": \"%d\"}\n"
                           "{\"prompt\": \"%d+%d=\", \"completion\": \"%d\"}\n",
                           a, b, a + b, a, b, (a + b + 3 + 7 * b) % 29);
    run_write("scored.jsonl", rows.data);
    ls_str_release(&rows);
    char *text = run_output("score --model rm --dataset scored.jsonl"),
         *other = run_output("score --model rm --dataset scored.jsonl --threads 2 "
                             "--per_device_train_batch_size 3");
    assert_string_equal(text, other);
    double margin = 0, score[2] = {0};
    int n = 0;
    for (const char *at = text; (at = strstr(at, "\"score\": ")) != NULL; n++) {
        at += strlen("\"score\": ");
        score[n % 2] = strtod(at, NULL);
        margin += n % 2 ? (score[0] - score[1]) / 40 : 0;
    }
    assert_int_equal(n, 80);
    run_ok(
        "reward --model rm --dataset pairs.jsonl --max_length 64 --max_steps 1 --learning_rate 0 "
        "--per_device_train_batch_size 40 --overwrite --output_dir run");
    assert_true(fabs(metric(0, "margin") - margin) < 1e-6);
    ls_free(text);
    ls_free(other);
}

/* The score of rm/ is the reward; the verifier looks on with weight 0. */
static void a_policy_learns_what_the_reward_model_likes(void **state)
{
    (void)state;
    run_ok("reward --dataset pairs.jsonl --max_steps 60 " LEARNING "--output_dir judge");
    run_ok("grpo --reward_model judge --max_steps 25 --per_device_train_batch_size 32 --beta 0 "
           "--overwrite --output_dir run " SMALL_RL);
    assert_true(metric(-1, "rewards/model/mean") > metric(0, "rewards/model/mean") + 1);
    assert_true(metric(-1, "reward") == metric(-1, "rewards/model/mean"));
    assert_true(metric(-1, "rewards/number/cannot_judge") == 0);
    assert_true(metric(0, "rewards/number/mean") > 0);
    ls_str config = run_read_file("run/config.yaml");
    assert_non_null(strstr(config.data, "reward: \"number,model\""));
    assert_non_null(strstr(config.data, "reward_weights: \"0,1\""));
    ls_str_release(&config);
}

static void a_reward_model_must_score_and_fit(void **state)
{
    (void)state;
    run_fails("grpo --reward_model base --output_dir no " SMALL_RL, 2,
              "does not score sequences: train a reward model with leash reward");
    run_fails("grpo --reward model --output_dir no " SMALL_RL, 2,
              "reward \"model\" names model: give --reward_model a model that scores");
    run_fails("grpo --reward number --reward_model rm --output_dir no " SMALL_RL, 2,
              "reward_model is given, but reward \"number\" does not name model: add it");
    run_fails("grpo --reward model --reward_model rm --eval_steps 1 --output_dir no " SMALL_RL, 2,
              "accuracy on held-out problems needs a reward that can be checked");
}

static void what_a_reward_model_cannot_do_is_refused(void **state)
{
    (void)state;
    run_fails("reward --use_peft " SHORT, 2, "an adapter would leave the new score untrained");
    run_fails("reward --beta 0.1 " SHORT, 2,
              "beta and entropy_coef weigh terms of a language model");
    run_fails("dpo --objective reward --loss_type sigmoid --entropy_coef 0.1 " SHORT, 2,
              "beta and entropy_coef weigh terms of a language model");
    run_fails("reward --dataset steps.jsonl --model base --overwrite --output_dir run", 1,
              "steps.jsonl:1");
    run_fails("prm --objective reward --aggregation seq-sum " SHORT, 2,
              "objective reward learns from pairs of completions");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reward_model_learns_every_pair),
        cmocka_unit_test(centring_draws_scores_to_zero),
        cmocka_unit_test(a_margin_of_the_rows_is_asked_for),
        cmocka_unit_test(a_process_reward_model_tells_wrong_steps),
        cmocka_unit_test(a_saved_reward_model_is_loaded_again),
        cmocka_unit_test(rows_are_scored),
        cmocka_unit_test(a_policy_learns_what_the_reward_model_likes),
        cmocka_unit_test(a_reward_model_must_score_and_fit),
        cmocka_unit_test(what_a_reward_model_cannot_do_is_refused),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
