/* Runs that train an adapter: they learn, their reference is the model underneath, and their output
 * is loaded in every way that a user may name it. */
#include "small_runs.h"
#include "formats/safetensors.h"

/* The answer is always 7: a policy that a few steps find. */
static void write_sevens(void)
{
    ls_str text = LS_STR_INIT;
    for (int i = 0; i < 16; i++)
        ls_str_appendf(&text, "{\"prompt\": \"%d+%d=\", \"answer\": \"7\"}\n", 1 + i / 4,
                       1 + i % 4);
    run_write("sevens.jsonl", text.data);
    ls_str_release(&text);
}

static int setup(void **state)
{
    if (small_runs_setup(state) != 0)
        return -1;
    write_sevens();
    return 0;
}

#define SEVENS                                                                              \
    "--dataset sevens.jsonl --reward number --max_completion_length 8 --num_generations 8 " \
    "--per_device_train_batch_size 64 --learning_rate 3e-3 --beta 0.001 --overwrite "

static double mean_reward(const char *dir, int first, int n)
{
    double sum = 0;
    for (int i = first; i < first + n; i++)
        sum += run_metric(dir, i, "reward");
    return sum / n;
}

static void grpo_with_an_adapter_learns_from_a_reference_that_costs_nothing(void **state)
{
    (void)state;
    run_ok(
        "grpo --model base --use_peft --max_steps 60 --save_steps 30 --output_dir learns " SEVENS);
    double before = mean_reward("learns", 0, 10), after = mean_reward("learns", 50, 10);
    print_message("reward %.3f, after 50 steps %.3f\n", before, after);
    assert_true(after > before + 0.04);
    assert_true(run_metric("learns", 0, "kl/seq_k1") == 0);
    assert_true(run_metric("learns", 0, "kl") == 0);
    assert_true(run_metric("learns", -1, "kl") > 0);
    for (int i = 0; i < 60; i += 7)
        assert_true(run_metric("learns", i, "rollout/mismatched") == 0);
    /* The folder is PEFT's and no model's. */
    assert_true(ls_file_exists("learns/final/adapter_config.json"));
    assert_true(ls_file_exists("learns/final/adapter_model.safetensors"));
    assert_false(ls_file_exists("learns/final/config.json"));
    assert_false(ls_file_exists("learns/final/model.safetensors"));
    ls_str config = run_read_file("learns/final/adapter_config.json");
    assert_non_null(strstr(config.data, "\"base_model_name_or_path\": \"base/final\""));
    assert_non_null(strstr(config.data, "\"peft_type\": \"LORA\""));
    ls_str_release(&config);
}

/* Numbers of the plan of a run. */
static double plan_bytes(const char *settings, const char *role)
{
    char *text = run_output("plan --json --recipe grpo --num_generations 8 --task arithmetic "
                            "--task_args digits=1 --beta 0.04 --max_completion_length 8 %s",
                            settings);
    json_t *plan = json_loads(text, 0, NULL);
    json_t *bytes = json_object_get(json_object_get(plan, "bytes"), role);
    assert_true(json_is_number(bytes));
    double value = json_number_value(bytes);
    json_decref(plan);
    ls_free(text);
    return value;
}

static void the_plan_has_no_reference_and_moments_of_the_adapter_alone(void **state)
{
    (void)state;
    assert_true(plan_bytes("--model base", "reference") > 0);
    assert_true(plan_bytes("--model base --use_peft", "reference") == 0);
    double one = plan_bytes("--model base --use_peft --lora_r 1", "optimizer"),
           nine = plan_bytes("--model base --use_peft --lora_r 9", "optimizer");
    ls_str config = run_read_file("base/final/config.json");
    json_t *model = json_loads(config.data, 0, NULL);
    json_int_t C = json_integer_value(json_object_get(model, "hidden_size")),
               F = json_integer_value(json_object_get(model, "intermediate_size")),
               L = json_integer_value(json_object_get(model, "num_hidden_layers")),
               G = json_integer_value(json_object_get(model, "num_key_value_heads")),
               D = json_integer_value(json_object_get(model, "head_dim")),
               H = json_integer_value(json_object_get(model, "num_attention_heads"));
    /* q, o, k, v, then three matrices of the feed-forward part: in + out values a rank. */
    json_int_t a_rank = L * (2 * (C + H * D) + 2 * (C + G * D) + 3 * (C + F));
    assert_true(nine - one == (double)(8 * a_rank * 2 * 4));
    json_decref(model);
    ls_str_release(&config);
}

/* Greedy completions of the sevens, without their time (ls_free). */
static char *evaluate(const char *model)
{
    char *text = run_output("eval %s --json --dataset sevens.jsonl --reward number "
                            "--max_completion_length 8",
                            model);
    char *end = strstr(text, ", \"seconds\"");
    assert_non_null(end);
    *end = '\0';
    return text;
}

static double accuracy(const char *text)
{
    const char *at = strstr(text, "\"accuracy\": ");
    assert_non_null(at);
    return strtod(at + strlen("\"accuracy\": "), NULL);
}

static void every_way_to_name_an_adapter_gives_the_same_scores(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "--model learns", "--model learns/final", "--model base --adapter learns",
        "--model base --adapter learns/final --frozen_weights stored"};
    char *first = evaluate(ways[0]), *base = evaluate("--model base");
    for (size_t i = 1; i < LS_COUNT(ways); i++) {
        char *text = evaluate(ways[i]);
        assert_string_equal(first, text);
        ls_free(text);
    }
    print_message("accuracy %.3f, with the adapter %.3f\n", accuracy(base), accuracy(first));
    assert_true(accuracy(first) > accuracy(base) + 0.3);
    ls_free(base);
    ls_free(first);
}

/* Continuing: what is trained starts where it ended, what it is compared with is the model
 * underneath. */
static void a_continued_adapter_is_held_against_the_model_underneath(void **state)
{
    (void)state;
    run_ok("grpo --model base --adapter learns --max_steps 2 --output_dir more " SEVENS);
    run_ok("grpo --model learns --max_steps 2 --output_dir same " SEVENS);
    assert_same_run("more", "same");
    assert_true(run_metric("more", 0, "kl") > 0);
    assert_true(mean_reward("more", 0, 2) > mean_reward("learns", 0, 10));
    run_ok("grpo --model base --adapter learns --ref_model learns --max_steps 1 --output_dir "
           "held " SEVENS);
    assert_true(run_metric("held", 0, "kl") == 0);
}

static void sft_trains_an_adapter_too(void **state)
{
    (void)state;
    run_ok("sft --use_peft --max_steps 30 --overwrite --output_dir sft " SMALL_SFT);
    assert_true(run_metric("sft", -1, "loss") < run_metric("sft", 0, "loss"));
}

/* --- a base in BF16, kept as it is stored --- */

static void make_bf16_base(void)
{
    ls_st_file file;
    copy_folder("base/final", "bf16");
    assert_int_equal(unlink("bf16/manifest.json"), 0);
    assert_ok(ls_st_open(&file, "base/final/model.safetensors"));
    ls_st_source *sources = ls_calloc((size_t)file.n_tensors, sizeof *sources);
    for (int64_t i = 0; i < file.n_tensors; i++)
        sources[i] = (ls_st_source){.name = file.tensors[i].name,
                                    .data = (const float *)file.tensors[i].data,
                                    .shape = {file.tensors[i].shape[0], file.tensors[i].shape[1]},
                                    .rank = file.tensors[i].rank};
    assert_ok(
        ls_st_write_as("bf16/model.safetensors", ls_quant_find("BF16"), sources, file.n_tensors));
    ls_free(sources);
    ls_st_close(&file);
}

static void a_stored_base_takes_less_memory_and_gives_the_same_run(void **state)
{
    (void)state;
    make_bf16_base();
    run_ok("grpo --model bf16 --use_peft --max_steps 4 --output_dir packed " SEVENS);
    run_ok("grpo --model bf16 --use_peft --max_steps 4 --frozen_weights stored --output_dir "
           "stored " SEVENS);
    assert_same_run("packed", "stored");
    double packed = plan_bytes("--model bf16 --use_peft --lora_r 1", "policy"),
           stored =
               plan_bytes("--model bf16 --use_peft --lora_r 1 --frozen_weights stored", "policy");
    print_message("policy: packed %.0f bytes, stored %.0f\n", packed, stored);
    assert_true(stored < packed);
    run_ok("grpo --model bf16 --max_steps 2 --output_dir packed " SEVENS);
    run_ok("grpo --model bf16 --max_steps 2 --frozen_weights stored --output_dir stored " SEVENS);
    assert_same_run("packed", "stored");
}

/* The checkpoint of an adapter does not hold the model under it. */
static void a_resume_refuses_another_model_under_the_adapter(void **state)
{
    (void)state;
    static const char settings[] =
        "grpo --model under --use_peft --dataset sevens.jsonl --reward number --beta 0 "
        "--max_completion_length 8 --num_generations 8 --max_steps 400 --save_steps 1";
    copy_folder("base/final", "under");
    run_child child;
    run_start(&child, "%s --output_dir half", settings);
    run_wait_for_steps(&child, "half", 3);
    kill(child.pid, SIGKILL);
    run_result r = run_finish(&child);
    run_release(&r);
    copy_folder("bf16", "under");
    r = run_program("%s --resume --output_dir half", settings);
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(r.err.data, " had another model under its adapter: the weights of under "
                                       "have changed since; restore them, or choose a new "
                                       "--output_dir\n"));
    run_release(&r);
}

/* --- mistakes --- */

static void mistakes_are_named(void **state)
{
    (void)state;
    copy_folder("learns/final", "lost");
    assert_int_equal(unlink("lost/manifest.json"), 0);
    ls_str config = run_read_file("lost/adapter_config.json");
    char *base = strstr(config.data, "base/final");
    assert_non_null(base);
    memcpy(base, "nowh/final", 10);
    run_write("lost/adapter_config.json", config.data);
    ls_str_release(&config);
    static const struct {
        const char *arguments, *text;
    } cases[] = {
        {"grpo --model tiny --use_peft --task arithmetic --output_dir out",
         "use_peft: 'tiny' has random weights, which an adapter cannot make a model: give --model "
         "a "
         "folder, or train the whole model"},
        {"grpo --model base --use_peft --lora_dropout 0.05 --output_dir out " SEVENS,
         "lora_dropout = 0.05: dropout would train another policy than the one that samples; set "
         "it to 0"},
        {"grpo --model base --use_peft --lora_target_modules q_prj --output_dir out " SEVENS,
         "lora_target_modules: 'q_prj' matches no module of the model that can be adapted; there "
         "are model.layers.0.self_attn.q_proj, model.layers.0.self_attn.k_proj, "
         "model.layers.0.self_attn.v_proj, model.layers.0.self_attn.o_proj, "
         "model.layers.0.mlp.gate_proj, model.layers.0.mlp.up_proj, ..."},
        {"grpo --model base --adapter base --output_dir out " SEVENS,
         "--adapter: 'base/final' is no adapter folder: there is no adapter_config.json in it"},
        {"grpo --model learns --adapter learns --output_dir out " SEVENS,
         "--model: 'learns' is an adapter already: with --adapter give the model itself"},
        {"grpo --model learns --lora_r 8 --output_dir out " SEVENS,
         "lora_r: learns/final brings its own (adapter_config.json): leave the key out"},
        {"eval --model lost --dataset sevens.jsonl --reward number",
         "lost/adapter_config.json: base_model_name_or_path is 'nowh/final', which is no model "
         "here: give --model the model and --adapter this folder"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++)
        assert_error(run_program("%s", cases[i].arguments), 2, cases[i].text);
    run_ok("eval --model base --adapter lost --dataset sevens.jsonl --reward number "
           "--max_completion_length 8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grpo_with_an_adapter_learns_from_a_reference_that_costs_nothing),
        cmocka_unit_test(the_plan_has_no_reference_and_moments_of_the_adapter_alone),
        cmocka_unit_test(every_way_to_name_an_adapter_gives_the_same_scores),
        cmocka_unit_test(a_continued_adapter_is_held_against_the_model_underneath),
        cmocka_unit_test(sft_trains_an_adapter_too),
        cmocka_unit_test(a_stored_base_takes_less_memory_and_gives_the_same_run),
        cmocka_unit_test(a_resume_refuses_another_model_under_the_adapter),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, setup, small_runs_teardown);
}
