/* Memory of whole runs: what the plan says is what a run takes, nothing is allocated once a run
 * is warm, and the process stays near the plan's total. */
#include "small_runs.h"
#include "api/settings.h"
#include "train/run.h"

/* --- arenas against the plan --- */

static size_t peaks[LS_ROLE_COUNT];

static void remember_peaks(void *user, const ls_run *run, const ls_metrics *metrics)
{
    (void)user;
    (void)metrics;
    for (int role = 0; role < LS_ROLE_COUNT; role++)
        peaks[role] = run->arena[role].peak;
}

/* Settings of this process from "key value key value ...". */
static leash_settings *make_settings(const char *recipe, const char *pairs)
{
    leash_settings *settings;
    char text[2048], *words[RUN_WORDS_MAX];
    assert_ok(leash_settings_new(&settings, recipe));
    snprintf(text, sizeof text, "%s", pairs);
    run_split(text, words);
    for (int i = 0; words[i]; i += 2)
        assert_ok(leash_settings_set(settings, words[i], words[i + 1]));
    assert_ok(ls_settings_derive(settings, "test"));
    return settings;
}

/* Equal, but that the plan counts packed weights as the widest kernel table lays them out. */
static void check_plan(const char *recipe, const char *pairs)
{
    leash_settings *settings = make_settings(recipe, pairs);
    ls_train_hooks hooks = {.on_step = remember_peaks};
    ls_run_cost cost;
    assert_ok(ls_run_measure(&cost, settings->config, &settings->options));
    assert_ok(ls_run_train(settings->config, &settings->options, &hooks));
    for (int role = 0; role < LS_ROLE_COUNT; role++) {
        bool is_packed = role == LS_ROLE_POLICY || role == LS_ROLE_REFERENCE ||
                         role == LS_ROLE_REWARD || role == LS_ROLE_CRITIC ||
                         role == LS_ROLE_TEACHER;
        if (cost.bytes[role] < peaks[role] ||
            cost.bytes[role] > peaks[role] + (is_packed ? peaks[role] / 50 : 0))
            fail_msg("%s, %s: the plan says %zu bytes for %s, the run took %zu", recipe, pairs,
                     cost.bytes[role], ls_role_names[role], peaks[role]);
    }
    leash_settings_free(settings);
}

/* Rows of one length, so that every micro-batch is the worst; the byte tokenizer's many ids
 * seldom end a completion early, so that some step of a run has completions of full length
 * alone. */
#define ROWS "dataset rows.jsonl max_length 64 overwrite true output_dir plan "

static void write_rows(void)
{
    ls_str text = LS_STR_INIT;
    for (int i = 0; i < 32; i++)
        ls_str_appendf(&text,
                       "{\"prompt\": \"%02d+1=\", \"completion\": \"%02d.\", \"answer\": \"%d\"}\n",
                       10 + i, 11 + i, 11 + i);
    run_write("rows.jsonl", text.data);
    ls_str_release(&text);
}

#define SFT ROWS "model tiny max_steps 2 per_device_train_batch_size 4 completion_only_loss false "
#define GRPO                                                                                   \
    ROWS "model tiny max_steps 8 per_device_train_batch_size 2 gradient_accumulation_steps 4 " \
         "num_generations 4 "                                                                  \
         "max_completion_length 6 reward number "

/* An adapter on base/, whose tokenizer has no characters but those of sums. */
#define LORA                                                                                   \
    ROWS "model base max_steps 8 per_device_train_batch_size 2 gradient_accumulation_steps 4 " \
         "use_peft true num_generations 4 max_completion_length 1 reward number "

/* The same model without one: the reward model and the teacher have its tokenizer. */
#define LORA_FREE                                                                              \
    ROWS "model base max_steps 8 per_device_train_batch_size 2 gradient_accumulation_steps 4 " \
         "num_generations 1 max_completion_length 1 reward number learning_rate 1e-3 "

/* Texts of one length without a common start, which would be a prompt: every token is trained. */
static void write_even_pairs(void)
{
    ls_str text = LS_STR_INIT;
    for (int i = 0; i < 32; i++)
        ls_str_appendf(&text, "{\"chosen\": \"%02d+1=%02d\", \"rejected\": \"+%d=%02d11\"}\n",
                       10 + i, 11 + i, i % 10, 40 - i);
    run_write("even.jsonl", text.data);
    ls_str_release(&text);
}

#define PAIRS                                                                                 \
    "model base dataset even.jsonl max_length 64 max_steps 3 overwrite true output_dir plan " \
    "per_device_train_batch_size 2 gradient_accumulation_steps 2 "

static void the_plan_of_pairs_and_labels_is_what_arenas_take(void **state)
{
    (void)state;
    write_even_pairs();
    check_plan("dpo", PAIRS);
    check_plan("dpo", PAIRS "precompute_ref_log_probs true gradient_checkpointing true");
    check_plan("tr-dpo", PAIRS "ref_model_sync_steps 2");
    check_plan("simpo", PAIRS "grad_leaves 4");
    check_plan("dpo", PAIRS "use_peft true");
    check_plan("kto", PAIRS);
    check_plan("bco", PAIRS);
    check_plan("reward", PAIRS);
    check_plan("reward", PAIRS "gradient_checkpointing true grad_leaves 2");
}

static void the_plan_is_what_arenas_take(void **state)
{
    (void)state;
    write_rows();
    check_plan("sft", SFT);
    check_plan("sft",
               SFT "gradient_accumulation_steps 2 gradient_checkpointing true grad_leaves 4");
    check_plan("sft", SFT "eval_steps 1 eval_dataset rows.jsonl eval_samples 3 eval_temperature 1 "
                          "reward exact max_completion_length 1");
    check_plan("grpo", GRPO);
    check_plan("grpo", GRPO "gradient_checkpointing true rollout_slots 3 prefill_chunk 5");
    check_plan("grpo", GRPO "beta 0 entropy_coef 0.1 generation_batch_size 16 num_iterations 2");
    check_plan("grpo", GRPO "model 1m");
    check_plan("grpo", LORA);
    copy_folder("plan/final", "lora");
    check_plan("grpo", LORA "gradient_checkpointing true adapter lora");
    check_plan("ppo", LORA_FREE);
    check_plan("ppo", LORA_FREE "reward_model rm reward number,model generation_batch_size 16 "
                                "gradient_checkpointing true");
    run_write("sums.jsonl", "{\"text\": \"10+1=11\"}\n{\"text\": \"12+3=15\"}\n");
    check_plan("distill", SFT "model base teacher_model teacher teacher_top_k 5 "
                              "dataset sums.jsonl ");
    check_plan("distill", SFT "model base teacher_model teacher teacher_top_k 0 "
                              "dataset sums.jsonl gradient_checkpointing true ");
}

static void the_plan_holds_for_every_kernel_table(void **state)
{
    (void)state;
    const ls_kernels *tables[3];
    for (int i = 0, n = ls_kernels_available(tables); i < n; i++) {
        char pairs[1024];
        snprintf(pairs, sizeof pairs, GRPO "max_steps 3 isa %s", tables[i]->name);
        check_plan("grpo", pairs);
    }
}

/* --- allocations --- */

static void check_events(const char *settings)
{
    run_ok("%s --overwrite --save_steps 0 --max_steps 30 --output_dir events", settings);
    double second = run_metric("events", 1, "memory/events"),
           last = run_metric("events", -1, "memory/events");
    if (second != last)
        fail_msg("%s: %.0f allocations after the second step, %.0f after the last", settings,
                 second, last);
}

static void nothing_is_allocated_after_the_first_step(void **state)
{
    (void)state;
    check_events("sft --per_device_train_batch_size 8 " SMALL_SFT);
    check_events("sft --packing --per_device_train_batch_size 2 " SMALL_SFT);
    check_events("grpo --per_device_train_batch_size 8 " SMALL_RL);
    check_events("dpo --recipe tr-dpo --ref_model_sync_steps 2 " SMALL_PAIRS);
    check_events("dpo --precompute_ref_log_probs " SMALL_PAIRS);
    check_events("kto " SMALL_PAIRS);
    check_events("grpo --recipe online-dpo --per_device_train_batch_size 8 " SMALL_RL);
    check_events("reward " SMALL_PAIRS);
    check_events("prm " SMALL_STEPS);
    check_events("grpo --reward_model rm --per_device_train_batch_size 8 " SMALL_RL);
    check_events("distill --teacher_model teacher " SMALL_SFT);
    check_events("distill --recipe gkd --teacher_model teacher --lmbda 1 " SMALL_SFT);
    check_events("grpo --recipe raft --per_device_train_batch_size 8 " SMALL_RL);
    check_events("grpo --use_peft --per_device_train_batch_size 8 " SMALL_RL);
    check_events("grpo --recipe dapo --per_device_train_batch_size 4 --gradient_accumulation_steps "
                 "2 --gradient_checkpointing " SMALL_RL);
}

/* --- the process --- */

static double plan_total(const char *settings)
{
    char *text = run_output("plan grpo --json %s", settings);
    json_t *plan = json_loads(text, 0, NULL);
    double total = json_number_value(json_object_get(json_object_get(plan, "bytes"), "total"));
    assert_true(total > 0);
    json_decref(plan);
    ls_free(text);
    return total;
}

static void check_resident(const char *model)
{
    char settings[1024];
    snprintf(settings, sizeof settings,
             "--model %s --per_device_train_batch_size 16 --num_generations 8 "
             "--max_completion_length 32 --max_steps 4 %s",
             model, "--task arithmetic --output_dir resident --overwrite");
    double total = plan_total(settings);
    run_ok("grpo %s", settings);
    double peak = run_metric("resident", -1, "memory/peak_rss");
    print_message("%s: plan %.1f MB, process %.1f MB\n", model, total / 1e6, peak / 1e6);
    assert_true(peak > 0.9 * total && peak < 1.1 * total);
}

static void the_process_stays_near_the_plans_total(void **state)
{
    (void)state;
    if (LS_HAS_ASAN || LS_HAS_TSAN) /* their own memory is many times the program's */
        return;
    check_resident("tiny");
    check_resident("1m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plan_is_what_arenas_take),
        cmocka_unit_test(the_plan_of_pairs_and_labels_is_what_arenas_take),
        cmocka_unit_test(the_plan_holds_for_every_kernel_table),
        cmocka_unit_test(nothing_is_allocated_after_the_first_step),
        cmocka_unit_test(the_process_stays_near_the_plans_total),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
