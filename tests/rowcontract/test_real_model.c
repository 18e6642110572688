/* The row contract on SmolLM2-135M-Instruct: a short GRPO run with an adapter over weights kept in
 * the file's type.  The model is $LEASH_TEST_SMOLLM2 or what script/fetch-smollm2 has brought; the
 * program ends with code 77 (skipped) where neither is there, and in quick runs. */
#include "run.h"

#include <stdlib.h>

#define SKIPPED 77

static char model_path[LS_PATH_MAX];

static bool find_model(void)
{
    const char *given = getenv("LEASH_TEST_SMOLLM2"), *cache = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    if (given && given[0])
        snprintf(model_path, sizeof model_path, "%s", given);
    else
        snprintf(model_path, sizeof model_path,
                 "%s%s/leash/models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf",
                 cache && cache[0] ? cache
                 : home            ? home
                                   : "",
                 cache && cache[0] ? "" : "/.cache");
    return ls_file_exists(model_path) || ls_dir_exists(model_path);
}

static void no_rollout_logp_of_smollm2_differs_in_training(void **state)
{
    (void)state;
    run_ok("grpo --model '%s' --use_peft --frozen_weights stored --lora_r 4 --task arithmetic "
           "--num_generations 4 --per_device_train_batch_size 4 --gradient_accumulation_steps 2 "
           "--generation_batch_size 8 --max_completion_length 12 --max_steps 2 "
           "--learning_rate 1e-3 --entropy_coef 0.1 --output_dir run",
           model_path);
    for (int line = 0; line < 2; line++) {
        assert_true(run_metric("run", line, "rollout/compared") >= 48);
        assert_true(run_metric("run", line, "rollout/mismatched") == 0);
        assert_true(run_metric("run", line, "param_change_norm") > 0); /* the adapter moves */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rollout_logp_of_smollm2_differs_in_training),
    };
    if (run_is_quick() || !find_model()) {
        printf("skipped: no SmolLM2 (script/fetch-smollm2 brings it), or a quick run\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
