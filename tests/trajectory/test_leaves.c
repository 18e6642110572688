/* The summation tree of gradients: a run with so many leaves is the same run however it is
 * carried out. */
#include "small_runs.h"

static void run_leaves(const small_run *run, int leaves, int micro, int threads, const char *dir)
{
    run_ok("%s --grad_leaves %d --per_device_train_batch_size %d --gradient_accumulation_steps %d "
           "--threads %d --overwrite --output_dir %s",
           run->settings, leaves, micro, SMALL_UPDATE / micro, threads, dir);
}

static void check_leaves(const small_run *run, int leaves)
{
    run_leaves(run, leaves, 8, 2, "usual");
    static const int ways[][2] = {{1, 1}, {2, 3}, {4, 2}, {2, 1}};
    for (int i = 0; i < run_count(4, 2); i++) {
        print_message("%s: %d leaves, %d sequences at once, %d threads\n", run->name, leaves,
                      ways[i][0], ways[i][1]);
        run_leaves(run, leaves, ways[i][0], ways[i][1], "other");
        assert_same_run("usual", "other");
    }
}

static void each_number_of_leaves_is_one_run_at_any_micro_batch(void **state)
{
    (void)state;
    static const char *const names[] = {"sft", "grpo", "off-policy", "lora", "dpo"};
    for (size_t i = 0; i < LS_COUNT(small_runs); i++)
        for (size_t k = 0; k < LS_COUNT(names); k++)
            for (int leaves = 1; leaves <= 4 && strcmp(small_runs[i].name, names[k]) == 0;
                 leaves *= 2)
                check_leaves(&small_runs[i], leaves);
}

/* The tree is a different order of the same sum: close, and the length of the gradient shows it. */
static void leaves_change_the_order_of_a_sum_alone(void **state)
{
    (void)state;
    run_leaves(&small_runs[0], 1, 8, 1, "usual");
    run_leaves(&small_runs[0], 4, 8, 1, "other");
    double one = run_metric("usual", 0, "grad_norm"), four = run_metric("other", 0, "grad_norm");
    /* sums of some hundred floats in another order */
    assert_true(one - four < 1e-5 * one && four - one < 1e-5 * one);
    assert_true(run_metric("usual", 0, "loss") == run_metric("other", 0, "loss"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_of_leaves_is_one_run_at_any_micro_batch),
        cmocka_unit_test(leaves_change_the_order_of_a_sum_alone),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
