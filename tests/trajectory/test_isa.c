/* Every kernel table of this machine trains the same model: a pretraining and a GRPO run on
 * each, compared with the scalar reference. */
#include "small_runs.h"
#include "kernels/kernels.h"

#define PRETRAIN                                                                                   \
    "pretrain --model tiny --per_device_train_batch_size 8 --learning_rate 5e-3 --warmup_steps 1 " \
    "--max_steps %d " SUMS
#define GRPO                                                                            \
    "grpo --per_device_train_batch_size 4 --gradient_accumulation_steps 2 --max_steps " \
    "%d " SMALL_RL
#define LORA                                                                                      \
    "grpo --use_peft --lora_r 4 --per_device_train_batch_size 4 --gradient_accumulation_steps 2 " \
    "--max_steps %d " SMALL_RL

static void run_pair(const char *isa, int n_steps)
{
    run_ok(PRETRAIN "--isa %s --output_dir %s-pretrain", n_steps, isa, isa);
    run_ok(GRPO "--isa %s --output_dir %s-grpo", n_steps, isa, isa);
    run_ok(LORA "--isa %s --output_dir %s-lora", n_steps, isa, isa);
}

static void all_kernel_tables_train_the_same_model(void **state)
{
    (void)state;
    const ls_kernels *tables[3];
    int n = ls_kernels_available(tables), n_steps = run_count(4, 2);
    run_pair("ref", n_steps);
    assert_true(run_metric("ref-grpo", 0, "tokens/useful") > 0);
    for (int i = 0; i < n; i++) {
        char pretrain[64], grpo[64], lora[64];
        if (strcmp(tables[i]->name, "ref") == 0)
            continue;
        print_message("%s\n", tables[i]->name);
        run_pair(tables[i]->name, n_steps);
        snprintf(pretrain, sizeof pretrain, "%s-pretrain", tables[i]->name);
        snprintf(grpo, sizeof grpo, "%s-grpo", tables[i]->name);
        assert_same_run("ref-pretrain", pretrain);
        assert_same_run("ref-grpo", grpo);
        snprintf(lora, sizeof lora, "%s-lora", tables[i]->name);
        assert_same_run("ref-lora", lora);
    }
}

static void the_environment_chooses_a_table_and_the_flag_wins(void **state)
{
    (void)state;
    const ls_kernels *tables[3];
    const char *best = tables[ls_kernels_available(tables) - 1]->name;
    run_ok("LEASH_ISA=ref -- " PRETRAIN "--output_dir a", 1);
    run_ok("LEASH_ISA=%s -- " PRETRAIN "--isa ref --output_dir b", best, 1);
    ls_str a = run_read_file("a/config.yaml"), b = run_read_file("b/config.yaml");
    assert_non_null(strstr(a.data, "\nisa: ref  # LEASH_ISA\n"));
    assert_non_null(strstr(b.data, "\nisa: ref  # --isa\n"));
    ls_str_release(&a);
    ls_str_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kernel_tables_train_the_same_model),
        cmocka_unit_test(the_environment_chooses_a_table_and_the_flag_wins),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
