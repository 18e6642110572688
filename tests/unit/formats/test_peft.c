/* Adapter folders that are not as they should be: each error names file and key. */
#include "model_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "formats/peft.h"
#include "formats/safetensors.h"

static char dir[] = "/tmp/leash_test_peft.XXXXXX";
static model_fixture f;

static int open_folder(void **state)
{
    (void)state;
    ls_model_config config;
    assert_non_null(mkdtemp(dir));
    assert_ok(ls_model_config_builtin(&config, "tiny"));
    config.vocab_size = 31;
    config.hidden_size = 24;
    config.intermediate_size = 40;
    config.num_hidden_layers = 2;
    config.num_attention_heads = config.num_key_value_heads = 3;
    config.head_dim = 8;
    config.max_position_embeddings = 16;
    fixture_open(&f, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    fixture_close(&f);
    return ls_dir_remove(dir) != LEASH_OK;
}

static void write_config(const char *json)
{
    char path[LS_PATH_MAX];
    assert_ok(
        ls_file_write_synced(ls_path_join(path, dir, "adapter_config.json"), json, strlen(json)));
}

static void assert_error_has(leash_status status, leash_status want, const char *part)
{
    if (status != want || !strstr(leash_error(), part))
        fail_msg("status %d, error \"%s\", expected %d with \"%s\" in it", (int)status,
                 leash_error(), (int)want, part);
}

#define LORA "{\"peft_type\": \"LORA\", "
#define GOOD LORA "\"r\": 2, \"lora_alpha\": 4, \"target_modules\": [\"q_proj\"]"

static void a_config_that_changes_the_computation_is_refused_by_key(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        leash_status status;
        const char *text;
    } cases[] = {
        {"{", LEASH_FORMAT, "adapter_config.json:1: no valid JSON: "},
        {"[]", LEASH_FORMAT, "adapter_config.json: no JSON object"},
        {"{}", LEASH_FORMAT,
         "adapter_config.json: peft_type is not the name of an adapter of "
         "peft: it is missing"},
        {"{\"peft_type\": \"IA3\"}", LEASH_UNSUPPORTED, "peft_type is IA3; only LORA is supported"},
        {GOOD ", \"task_type\": \"SEQ_CLS\"}", LEASH_UNSUPPORTED, "task_type is SEQ_CLS; only"},
        {LORA "\"r\": 2}", LEASH_FORMAT, "adapter_config.json: target_modules is missing"},
        {LORA "\"r\": 0, \"target_modules\": [\"q\"]}", LEASH_FORMAT, "r is not a rank of 1 to"},
        {LORA "\"r\": 2.5, \"target_modules\": [\"q\"]}", LEASH_FORMAT, "r is not a rank of 1 to"},
        {LORA "\"lora_alpha\": \"8\", \"target_modules\": [\"q\"]}", LEASH_FORMAT,
         "lora_alpha is not a number"},
        {LORA "\"target_modules\": [1]}", LEASH_FORMAT, "target_modules is not a list of names"},
        {LORA "\"target_modules\": 1}", LEASH_FORMAT, "target_modules is not a list of names or a"},
        {GOOD ", \"use_rslora\": 1}", LEASH_FORMAT, "use_rslora is not true or false"},
        {GOOD ", \"bias\": \"all\"}", LEASH_UNSUPPORTED, "bias is \"all\"; adapters with it are"},
        {GOOD ", \"use_dora\": true}", LEASH_UNSUPPORTED, "use_dora is true; adapters with it"},
        {GOOD ", \"modules_to_save\": [\"lm_head\"]}", LEASH_UNSUPPORTED,
         "modules_to_save is [\"lm_head\"]; adapters with it are not supported"},
        {GOOD ", \"lora_bias\": true}", LEASH_UNSUPPORTED, "lora_bias is true; "},
        {GOOD ", \"layer_replication\": [[0, 1]]}", LEASH_UNSUPPORTED, "layer_replication is "},
        {GOOD ", \"trainable_token_indices\": [3]}", LEASH_UNSUPPORTED, "trainable_token_indices"},
        {GOOD ", \"target_parameters\": [\"w\"]}", LEASH_UNSUPPORTED, "target_parameters is "},
        {GOOD ", \"alora_invocation_tokens\": [1]}", LEASH_UNSUPPORTED, "alora_invocation_tokens"},
        {GOOD ", \"rank_pattern\": {\"q_proj\": -1}}", LEASH_FORMAT, "rank_pattern is not a rank"},
        {GOOD ", \"alpha_pattern\": [1]}", LEASH_FORMAT, "alpha_pattern is not an object of"},
        {GOOD ", \"layers_to_transform\": [\"a\"]}", LEASH_FORMAT,
         "layers_to_transform is not a list of layer numbers"},
        {GOOD ", \"base_model_name_or_path\": 3}", LEASH_FORMAT,
         "base_model_name_or_path is not a text"},
        {GOOD ", \"r\": 3}", LEASH_FORMAT, "no valid JSON: duplicate object key"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_peft_config config;
        write_config(cases[i].json);
        assert_error_has(ls_peft_read_config(&config, dir), cases[i].status, cases[i].text);
    }
}

static void absent_fields_have_the_defaults_of_peft(void **state)
{
    (void)state;
    ls_peft_config config;
    write_config(LORA "\"target_modules\": [\"q_proj\"], \"bias\": \"none\", \"loftq_config\": {},"
                      "\"modules_to_save\": null, \"megatron_core\": \"megatron.core\"}");
    assert_ok(ls_peft_read_config(&config, dir));
    assert_int_equal(config.spec.r, 8);
    assert_true(config.spec.lora_alpha == 8 && !config.spec.use_rslora);
    assert_string_equal(config.base_model, "");
    ls_peft_config_release(&config);
}

static void bad_target_modules_of_a_file_name_it(void **state)
{
    (void)state;
    ls_peft_config config;
    write_config(LORA "\"target_modules\": [\"q_proj\", \"c_attn\"]}");
    assert_ok(ls_peft_read_config(&config, dir));
    assert_error_has(ls_lora_attach(f.model, &config.spec, "DIR/adapter_config.json", 0),
                     LEASH_USAGE, "DIR/adapter_config.json: 'c_attn' matches no module of");
    assert_null(f.model->adapter);
    ls_peft_config_release(&config);
}

/* --- weights --- */

#define A "base_model.model.model.layers.%d.self_attn.q_proj.lora_A.weight"
#define B "base_model.model.model.layers.%d.self_attn.q_proj.lora_B.weight"

/* Writes A (r, 24) and B (24, r) of n layers, one of them with another name or rank. */
static void write_weights(int n_layers, const char *extra, int64_t rank_of_last, float value)
{
    static float values[2][24 * 4];
    static char names[8][96];
    ls_st_source sources[8];
    char path[LS_PATH_MAX];
    int64_t n = 0;
    for (int i = 0; i < 24 * 4; i++)
        values[0][i] = values[1][i] = (float)i;
    values[1][5] = value;
    for (int l = 0; l < n_layers; l++) {
        int64_t r = l == n_layers - 1 ? rank_of_last : 2;
        snprintf(names[n], sizeof names[n], A, l);
        sources[n] =
            (ls_st_source){.name = names[n], .data = values[0], .shape = {r, 24}, .rank = 2};
        n++;
        snprintf(names[n], sizeof names[n], B, l);
        sources[n] = (ls_st_source){
            .name = names[n], .data = values[l == n_layers - 1], .shape = {24, r}, .rank = 2};
        n++;
    }
    if (extra)
        sources[n++] = (ls_st_source){.name = extra, .data = values[0], .shape = {2, 2}, .rank = 2};
    assert_ok(ls_st_write(ls_path_join(path, dir, "adapter_model.safetensors"), sources, n));
}

static void tensors_that_do_not_fit_are_listed(void **state)
{
    (void)state;
    ls_peft_config config;
    char path[LS_PATH_MAX];
    write_config(GOOD "}");
    assert_ok(ls_peft_read_config(&config, dir));
    assert_ok(ls_lora_attach(f.model, &config.spec, "test", 0));
    assert_ok(ls_file_write_synced(ls_path_join(path, dir, "adapter_model.bin"), "x", 1));
    assert_error_has(ls_peft_load_weights(f.model, dir), LEASH_UNSUPPORTED,
                     "adapter_model.bin: a pickle runs what is written in it");
    write_weights(1, NULL, 2, 0);
    assert_error_has(ls_peft_load_weights(f.model, dir), LEASH_FORMAT,
                     "adapter_model.safetensors does not fit the model and its "
                     "adapter_config.json; missing "
                     "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight, "
                     "base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight");
    write_weights(2, "base_model.model.lm_head.weight", 2, 0);
    assert_error_has(ls_peft_load_weights(f.model, dir), LEASH_FORMAT,
                     "; unexpected base_model.model.lm_head.weight");
    write_weights(2, NULL, 3, 0);
    assert_error_has(ls_peft_load_weights(f.model, dir), LEASH_FORMAT,
                     "; of another shape "
                     "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight [3,24] "
                     "instead of [2,24], ");
    write_weights(2, NULL, 2, 1.0f / 0.0f);
    assert_error_has(ls_peft_load_weights(f.model, dir), LEASH_FORMAT,
                     "layers.1.self_attn.q_proj.lora_B.weight has a value that is not finite, at "
                     "row 2");
    write_weights(2, NULL, 2, 0);
    assert_ok(ls_peft_load_weights(f.model, dir));
    assert_true(f.model->adapter->pairs[0].a->data[47] == 47.0f);
    ls_peft_config_release(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_config_that_changes_the_computation_is_refused_by_key),
        cmocka_unit_test(absent_fields_have_the_defaults_of_peft),
        cmocka_unit_test(bad_target_modules_of_a_file_name_it),
        cmocka_unit_test(tensors_that_do_not_fit_are_listed),
    };
    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
