/* Distillation end to end: the student comes nearer to its teacher, on given and on its own
 * completions, and what is refused. */
#include "small_runs.h"

#define DISTILL                                                                                    \
    "distill --model base --teacher_model good --learning_rate 3e-3 --lr_scheduler_type constant " \
    "--per_device_train_batch_size 16 --overwrite --output_dir run "

static double metric(int line, const char *name)
{
    return run_metric("run", line, name);
}

static int setup(void **state)
{
    if (small_runs_setup(state) != 0)
        return -1;
    run_ok("sft --model base --learning_rate 3e-3 --per_device_train_batch_size 16 --max_steps 150 "
           "--output_dir good " SUMS);
    return 0;
}

static void a_student_comes_nearer_to_its_teacher(void **state)
{
    (void)state;
    run_ok(DISTILL "--max_steps 80 --eval_steps 80 --eval_on_start " SUMS);
    assert_true(metric(-1, "distill/kl_fwd") < 0.5 * metric(1, "distill/kl_fwd"));
    assert_true(fabs(metric(-1, "loss") - metric(-1, "distill/kl_fwd")) < 1e-6);
    assert_true(metric(-1, "distill/top1") > metric(1, "distill/top1"));
    assert_true(metric(-1, "eval/accuracy") > metric(0, "eval/accuracy") + 0.15);
}

static void the_student_learns_on_its_own_completions(void **state)
{
    (void)state;
    run_ok(DISTILL "--recipe gkd --lmbda 1 --beta 1 --max_steps 80 " SUMS);
    assert_true(metric(-1, "distill/kl_rev") < 0.5 * metric(0, "distill/kl_rev"));
    assert_true(fabs(metric(-1, "loss") - metric(-1, "distill/kl_rev")) < 1e-6);
}

/* The bucket makes a lower bound; with every token given there is nothing else. */
static void more_tokens_of_the_teacher_say_more(void **state)
{
    (void)state;
    double kl[3];
    static const char *const sizes[] = {"1", "4", "0"};
    for (int i = 0; i < 3; i++) {
        run_ok(DISTILL "--teacher_top_k %s --max_steps 1 " SUMS, sizes[i]);
        kl[i] = metric(0, "distill/kl_fwd");
        assert_true((metric(0, "distill/tail") > 0) == (i < 2));
    }
    assert_true(kl[0] < kl[1] && kl[1] < kl[2]);
}

static void a_student_that_is_its_teacher_has_nothing_to_learn(void **state)
{
    (void)state;
    run_ok(DISTILL "--teacher_model base --max_steps 1 " SUMS);
    assert_true(fabs(metric(0, "loss")) < 1e-12);
    assert_true(metric(0, "distill/top1") == 1);
    run_ok(DISTILL "--teacher_model base --packing --max_steps 1 " SUMS);
    assert_true(fabs(metric(0, "loss")) < 1e-12);
}

static void runs_without_a_teacher_or_with_another_tokenizer_are_refused(void **state)
{
    (void)state;
    run_write("rows.jsonl", "{\"prompt\": \"1+1=\", \"completion\": \"2\"}\n");
    run_write("text.jsonl", "{\"text\": \"1+1=2\"}\n");
    run_fails("distill --model base --output_dir no " SUMS, 2,
              "objective distill learns from a teacher: give --teacher_model a model");
    run_fails("sft --model base --teacher_model good --output_dir no " SUMS, 2,
              "teacher_model has no effect: objective sft has no teacher (distill has)");
    run_fails("distill --model base --teacher_model tiny --dataset rows.jsonl --output_dir no", 2,
              "teacher_model: its tokenizer is not the policy's");
    run_fails("distill --model base --teacher_model rm --output_dir no " SUMS, 2,
              "is a model that scores sequences, but one that writes text is needed");
    run_fails("distill --model base --teacher_model good --lmbda 1 --dataset text.jsonl "
              "--max_completion_length 8 --output_dir no",
              1, "text.jsonl:1: the row has no prompt from which the student could write");
    run_fails("distill --model base --teacher_model good --method rollouts --reward number "
              "--output_dir no " SUMS,
              2, "objective distill learns from dataset rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_student_comes_nearer_to_its_teacher),
        cmocka_unit_test(the_student_learns_on_its_own_completions),
        cmocka_unit_test(more_tokens_of_the_teacher_say_more),
        cmocka_unit_test(a_student_that_is_its_teacher_has_nothing_to_learn),
        cmocka_unit_test(runs_without_a_teacher_or_with_another_tokenizer_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, small_runs_teardown);
}
