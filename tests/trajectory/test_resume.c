/* A run that was killed at any moment and resumed is the run that was never killed. */
#include "small_runs.h"
#include "base/rng.h"

#define STEPS 8
/* Where a random moment lies decides only what is tested, never what is right. */
#define SFT "--save_steps 1 --per_device_train_batch_size 8 " SMALL_SFT
#define GRPO \
    "--save_steps 1 --per_device_train_batch_size 4 --gradient_accumulation_steps 2 " SMALL_RL
#define SFT_RUN "sft " SFT "--max_steps 8 "
#define LORA_RUN "grpo --use_peft --lora_r 4 " GRPO "--max_steps 8 "
#define GRPO_RUN "grpo " GRPO "--max_steps 8 --eval_steps 3 --eval_num_rows 8 "

static bool is_published(const char *dir)
{
    char path[LS_PATH_MAX];
    return ls_dir_exists(ls_path_join(path, dir, "final"));
}

/* Kills the run in `dir` at a random moment and resumes it, until it is complete.  Returns the
 * number of kills. */
static int kill_until_complete(const char *settings, const char *dir, double seconds,
                               ls_rng_name *name)
{
    int n_kills = 0;
    while (!is_published(dir)) {
        run_child child;
        run_start(&child, "%s --resume --output_dir %s", settings, dir);
        run_listen_for(&child, seconds * ls_rng_uniform(name));
        name->position++;
        kill(child.pid, SIGKILL);
        run_result r = run_finish(&child);
        if (r.code != 0 && r.code != 128 + SIGKILL)
            fail_msg("resuming ended with %d:\n%s", r.code, r.err.data);
        n_kills += r.code != 0;
        run_release(&r);
    }
    return n_kills;
}

static void check_random_kills(const char *settings, uint32_t which, int n_wanted)
{
    double started = ls_clock_seconds();
    run_ok("%s --overwrite --output_dir whole", settings);
    double seconds = ls_clock_seconds() - started;
    ls_rng_name name = {.seed = 11, .purpose = LS_RNG_TEST, .prompt = which};
    for (int chain = 0, n_kills = 0; n_kills < n_wanted; chain++) {
        char dir[64];
        snprintf(dir, sizeof dir, "killed-%u-%d", which, chain);
        n_kills += kill_until_complete(settings, dir, seconds, &name);
        assert_same_run("whole", dir);
        assert_ok(ls_dir_remove(dir));
    }
}

static void sft_killed_at_random_moments_is_the_same_run(void **state)
{
    (void)state;
    check_random_kills(SFT_RUN, 1, run_count(30, 4));
}

static void grpo_killed_at_random_moments_is_the_same_run(void **state)
{
    (void)state;
    check_random_kills(GRPO_RUN, 2, run_count(30, 4));
}

static void lora_killed_at_random_moments_is_the_same_run(void **state)
{
    (void)state;
    check_random_kills(LORA_RUN, 3, run_count(15, 3));
}

/* What moves besides weights and moments: a reference, a running mean.  And what a resume makes
 * again: the reference's scores. */
static void preferences_killed_at_random_moments_are_the_same_run(void **state)
{
    (void)state;
    static const char *const runs[] = {
        "dpo --recipe tr-dpo --ref_model_sync_steps 3 --save_steps 1 " SMALL_PAIRS "--max_steps 8 ",
        "dpo --precompute_ref_log_probs --save_steps 2 " SMALL_PAIRS "--max_steps 8 ",
        "dpo --recipe beta-dpo --per_device_train_batch_size 8 --save_steps 1 " SMALL_PAIRS
        "--max_steps 8 ",
        "kto --recipe bco --save_steps 1 " SMALL_PAIRS "--max_steps 8 "};
    for (uint32_t i = 0; i < LS_COUNT(runs); i++)
        check_random_kills(runs[i], 4 + i, run_count(10, 3));
}

/* A critic and its moments are part of a checkpoint; which of GKD's steps the student writes is
 * known by their number; reward models are saved like others. */
static void runs_with_more_models_killed_at_random_moments_are_the_same_run(void **state)
{
    (void)state;
    static const char *const runs[] = {
        "ppo --reward_model rm --value_learning_rate 3e-3 --save_steps 1 --max_steps 6 "
        "--per_device_train_batch_size 8 --gradient_accumulation_steps 1 " SMALL_RL,
        "distill --recipe gkd --teacher_model teacher --save_steps 1 --max_steps 8 " SMALL_SFT,
        "reward --save_steps 1 --max_steps 8 " SMALL_PAIRS,
        "prm --save_steps 2 --max_steps 8 " SMALL_STEPS};
    for (uint32_t i = 0; i < LS_COUNT(runs); i++)
        check_random_kills(runs[i], 8 + i, run_count(8, 3));
}

/* The metrics of a step are written before its checkpoint: the kill comes around the time of
 * saving. */
static void grpo_killed_after_every_step_is_the_same_run(void **state)
{
    (void)state;
    run_ok(GRPO_RUN "--overwrite --output_dir whole");
    for (int step = 1; step <= STEPS; step++) {
        run_child child;
        assert_ok(ls_dir_remove("killed"));
        run_start(&child, GRPO_RUN "--output_dir killed");
        run_wait_for_steps(&child, "killed", step);
        kill(child.pid, SIGKILL);
        run_result r = run_finish(&child);
        run_release(&r);
        if (!is_published("killed"))
            run_ok(GRPO_RUN "--resume --output_dir killed");
        assert_same_run("whole", "killed");
    }
}

/* Sends SIGTERM in the middle of a run of 60 steps; false when the run was faster than the
 * signal. */
static bool stop_run(const char *settings)
{
    run_child child;
    assert_ok(ls_dir_remove("stopped"));
    run_start(&child, "%s --max_steps 60 --save_steps 0 --output_dir stopped", settings);
    run_wait_for_steps(&child, "stopped", 2);
    kill(child.pid, SIGTERM);
    run_result r = run_finish(&child);
    if (r.code != 0) {
        assert_int_equal(r.code, 75);
        assert_non_null(
            strstr(r.err.data, " of 60 and saved: continue with --resume --output_dir stopped\n"));
    }
    bool is_stopped = r.code != 0;
    run_release(&r);
    return is_stopped;
}

static void check_stop(const char *settings)
{
    run_ok("%s --max_steps 60 --save_steps 0 --overwrite --output_dir whole", settings);
    while (!stop_run(settings))
        continue;
    run_ok("%s --max_steps 60 --save_steps 0 --resume --output_dir stopped", settings);
    assert_same_run("whole", "stopped");
}

static void sigterm_ends_with_75_and_resumes_to_the_same_run(void **state)
{
    (void)state;
    check_stop("sft " SFT);
    check_stop("grpo " GRPO);
}

/* The first one asks, so that a step of some seconds would be finished; the next one does not
 * wait for it. */
static void a_second_sigint_ends_at_once(void **state)
{
    (void)state;
    run_child child;
    run_start(&child, "sft --max_steps 4 " SMALL_SFT
                      "--per_device_train_batch_size 4096 --save_steps 1 --output_dir interrupted");
    run_wait_for_steps(&child, "interrupted", 1);
    while (kill(child.pid, SIGINT) == 0 && run_listen(&child, 0.001))
        continue;
    while (child.out_fd >= 0 || child.err_fd >= 0) {
        kill(child.pid, SIGINT);
        run_listen(&child, 0.001);
    }
    run_result r = run_finish(&child);
    assert_int_equal(r.code, 128 + SIGINT);
    assert_null(strstr(r.err.data, "saved"));
    run_release(&r);
}

/* --- what a resume accepts and refuses --- */

static void make_half_run(const char *settings)
{
    run_child child;
    assert_ok(ls_dir_remove("half"));
    run_start(&child, "%s --output_dir half", settings);
    run_wait_for_steps(&child, "half", 3);
    kill(child.pid, SIGKILL);
    run_result r = run_finish(&child);
    run_release(&r);
}

static void another_setting_is_refused_by_name(void **state)
{
    (void)state;
    make_half_run(GRPO_RUN);
    assert_error(run_program(GRPO_RUN "--learning_rate 2e-3 --resume --output_dir half"), 2,
                 "half/config.yaml has 'learning_rate: 0.001', now it is 'learning_rate: 0.002': a "
                 "resumed run must have the same settings; "
                 "choose a new --output_dir to change them");
    assert_error(run_program(GRPO_RUN "--gradient_accumulation_steps 4 --resume --output_dir half"),
                 2,
                 "half/config.yaml: an update had another number of sequences "
                 "(per_device_train_batch_size * gradient_accumulation_steps, "
                 "now 16): a resumed run must have the same settings; choose a new --output_dir to "
                 "change them");
}

/* The checkpoint that a resume of half/ would load. */
static void newest_checkpoint(char path[LS_PATH_MAX])
{
    char **names;
    int64_t n;
    assert_ok(ls_dir_list(&names, &n, "half/checkpoints"));
    snprintf(path, LS_PATH_MAX, "half/checkpoints/%s", names[n - 1]);
    ls_names_free(names, n);
}

static void other_data_and_another_reference_are_refused(void **state)
{
    (void)state;
    char checkpoint[LS_PATH_MAX], text[2 * LS_PATH_MAX];
    static const char settings[] =
        "grpo --model base --dataset rows.jsonl --reward number --max_steps 8 "
        "--per_device_train_batch_size 4 "
        "--num_generations 2 --max_completion_length 8 --save_steps 1 --ref_model reference";
    run_write(
        "rows.jsonl",
        "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n{\"prompt\": \"2+1=\", \"answer\": \"3\"}\n");
    run_ok("sft --max_steps 1 --output_dir reference " SMALL_SFT);
    make_half_run(settings);
    newest_checkpoint(checkpoint);
    run_write(
        "rows.jsonl",
        "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n{\"prompt\": \"2+2=\", \"answer\": \"3\"}\n");
    snprintf(text, sizeof text,
             "%s was trained on other data: rows.jsonl has changed since; restore it, or choose a "
             "new --output_dir",
             checkpoint);
    assert_error(run_program("%s --resume --output_dir half", settings), 1, text);
    run_write(
        "rows.jsonl",
        "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n{\"prompt\": \"2+1=\", \"answer\": \"4\"}\n");
    assert_error(run_program("%s --resume --output_dir half", settings), 1, text);
    run_write(
        "rows.jsonl",
        "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n{\"prompt\": \"2+1=\", \"answer\": \"3\"}\n");
    run_ok("sft --max_steps 2 --overwrite --output_dir reference " SMALL_SFT);
    snprintf(text, sizeof text,
             "%s had another reference model: the weights of reference have changed since; restore "
             "them, or choose a new --output_dir",
             checkpoint);
    assert_error(run_program("%s --resume --output_dir half", settings), 1, text);
}

static void threads_micro_batch_and_recomputation_may_change(void **state)
{
    (void)state;
    run_ok(GRPO_RUN "--overwrite --output_dir whole");
    make_half_run(GRPO_RUN);
    run_ok(GRPO_RUN "--threads 3 --per_device_train_batch_size 1 --gradient_accumulation_steps 8 "
                    "--gradient_checkpointing "
                    "--rollout_slots 3 --save_steps 4 --resume --output_dir half");
    assert_same_run("whole", "half");
}

static void a_complete_run_has_nothing_to_resume(void **state)
{
    (void)state;
    run_ok(SFT_RUN "--overwrite --output_dir whole");
    assert_error(run_program(SFT_RUN "--resume --output_dir whole"), 2,
                 "the run in whole is complete (step 8 of 8): nothing is left to do");
}

/* Killed between the last checkpoint and final/. */
static void a_run_without_its_final_folder_gets_it(void **state)
{
    (void)state;
    run_ok(SFT_RUN "--overwrite --output_dir whole");
    run_ok(SFT_RUN "--overwrite --output_dir half");
    assert_ok(ls_dir_remove("half/final"));
    run_ok(SFT_RUN "--resume --output_dir half");
    assert_same_run("whole", "half");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sft_killed_at_random_moments_is_the_same_run),
        cmocka_unit_test(grpo_killed_at_random_moments_is_the_same_run),
        cmocka_unit_test(lora_killed_at_random_moments_is_the_same_run),
        cmocka_unit_test(preferences_killed_at_random_moments_are_the_same_run),
        cmocka_unit_test(runs_with_more_models_killed_at_random_moments_are_the_same_run),
        cmocka_unit_test(grpo_killed_after_every_step_is_the_same_run),
        cmocka_unit_test(sigterm_ends_with_75_and_resumes_to_the_same_run),
        cmocka_unit_test(a_second_sigint_ends_at_once),
        cmocka_unit_test(another_setting_is_refused_by_name),
        cmocka_unit_test(other_data_and_another_reference_are_refused),
        cmocka_unit_test(threads_micro_batch_and_recomputation_may_change),
        cmocka_unit_test(a_complete_run_has_nothing_to_resume),
        cmocka_unit_test(a_run_without_its_final_folder_gets_it),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
