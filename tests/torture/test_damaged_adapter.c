/* Damaged adapter folders: adapter_config.json and its weights.  Each is refused with file and key
 * or tensor, what was expected and what is there. */
#include "damage.h"
#include "formats/hf_folder.h"
#include "formats/peft.h"
#include "model_fixture.h"

#define GOLDEN LEASH_TEST_DATA "/peft/"

static char dir[] = "/tmp/leash_test_damage.XXXXXX";
static ls_model_config base;
static ls_device dev;

static int make_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_ok(ls_hf_read_config(&base, GOLDEN "base"));
    assert_ok(ls_device_init(&dev, &ls_kernels_ref, 1));
    damage_copy(dir, "adapter_config.json", GOLDEN "list/adapter_config.json");
    damage_copy(dir, "adapter_model.safetensors", GOLDEN "list/adapter_model.safetensors");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    ls_device_release(&dev);
    return ls_dir_remove(dir) != LEASH_OK;
}

static leash_status attach(const ls_lora_spec *spec, const char *folder)
{
    char path[LS_PATH_MAX];
    ls_model *model;
    ls_arena arena;
    LS_TRY(ls_arena_init(&arena, "model", 0));
    leash_status status = ls_model_new(&model, &base, &dev, &arena, LS_MODEL_FROZEN, 0);
    if (status == LEASH_OK)
        status = ls_lora_attach(model, spec, ls_path_join(path, folder, "adapter_config.json"), 0);
    if (status == LEASH_OK)
        status = ls_peft_load_weights(model, folder);
    ls_arena_release(&arena);
    return status;
}

static leash_status read_adapter(const char *folder, const char *file)
{
    ls_peft_config config;
    (void)file;
    LS_TRY(ls_peft_read_config(&config, folder));
    leash_status status = attach(&config.spec, folder);
    ls_peft_config_release(&config);
    return status;
}

#define CONFIG "adapter_config.json"
#define WEIGHTS "adapter_model.safetensors"
#define Q0A "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
static const damage config_damages[] = {
    {"config_gone", CONFIG, GONE, LEASH_IO, "no such file or directory"},
    {"config_empty", CONFIG, CUT(0), LEASH_FORMAT,
     ":1: no valid JSON: '[' or '{' expected near end of file"},
    {"config_cut", CONFIG, CUT(200), LEASH_FORMAT,
     ":9: no valid JSON: premature end of input near '\"ensure_wei'"},
    {"config_a_list", CONFIG, WHOLE("[]"), LEASH_FORMAT, "no JSON object"},
    {"config_no_utf8", CONFIG, SWAP("\"base\"", "\"b\xe4se\""), LEASH_FORMAT,
     ":6: no valid JSON: unable to decode byte 0xe4 near '\"b'"},
    {"config_key_twice", CONFIG, SWAP("\"revision\": null", "\"r\": 4"), LEASH_FORMAT,
     ":33: no valid JSON: duplicate object key near '\"r\"'"},
    {"peft_type_missing", CONFIG, SWAP("peft_type", "poft_type"), LEASH_FORMAT,
     "peft_type is not the name of an adapter of peft: it is missing"},
    {"peft_type_unknown", CONFIG, SWAP("\"LORA\"", "\"PREFIX_TUNING\""), LEASH_UNSUPPORTED,
     "peft_type is PREFIX_TUNING; only LORA is supported"},
    {"peft_type_a_number", CONFIG, SWAP("\"LORA\"", "1"), LEASH_FORMAT,
     "peft_type is not the name of an adapter of peft: it is 1"},
    {"task_of_classes", CONFIG, SWAP("CAUSAL_LM", "SEQ_CLS"), LEASH_UNSUPPORTED,
     "task_type is SEQ_CLS; only CAUSAL_LM is supported"},
    {"task_a_number", CONFIG, SWAP("\"CAUSAL_LM\"", "3"), LEASH_UNSUPPORTED,
     "task_type is no text; only CAUSAL_LM is supported"},
    {"r_zero", CONFIG, SWAP("\"r\": 4", "\"r\": 0"), LEASH_FORMAT,
     "r is not a rank of 1 to 65536: it is 0"},
    {"r_negative", CONFIG, SWAP("\"r\": 4", "\"r\": -4"), LEASH_FORMAT,
     "r is not a rank of 1 to 65536: it is -4"},
    {"r_a_fraction", CONFIG, SWAP("\"r\": 4", "\"r\": 4.5"), LEASH_FORMAT,
     "r is not a rank of 1 to 65536: it is 4.5"},
    {"r_a_text", CONFIG, SWAP("\"r\": 4", "\"r\": \"4\""), LEASH_FORMAT,
     "r is not a rank of 1 to 65536: it is \"4\""},
    {"r_absurd", CONFIG, SWAP("\"r\": 4", "\"r\": 2000000000"), LEASH_FORMAT,
     "r is not a rank of 1 to 65536: it is 2000000000"},
    {"r_larger_than_the_weights", CONFIG, SWAP("\"r\": 4", "\"r\": 8"), LEASH_FORMAT,
     "/adapter_model.safetensors does not fit the model and its adapter_config.json; of another "
     "shape"},
    {"r_missing", CONFIG, SWAP("\"r\": 4", "\"rank\": 4"), LEASH_FORMAT,
     "/adapter_model.safetensors does not fit the model and its adapter_config.json; of another "
     "shape"},
    {"alpha_a_text", CONFIG, SWAP("\"lora_alpha\": 8", "\"lora_alpha\": \"8\""), LEASH_FORMAT,
     "lora_alpha is not a number: it is \"8\""},
    {"alpha_absurd", CONFIG, SWAP("\"lora_alpha\": 8", "\"lora_alpha\": 1e300"), LEASH_FORMAT,
     "lora_alpha is not a number: it is 1.0000000000000001e300"},
    {"alpha_a_list", CONFIG, SWAP("\"lora_alpha\": 8", "\"lora_alpha\": [8]"), LEASH_FORMAT,
     "lora_alpha is not a number: it is [8]"},
    {"targets_missing", CONFIG, SWAP("target_modules", "target_module"), LEASH_FORMAT,
     "target_modules is missing"},
    {"targets_empty", CONFIG, SWAP("\"v_proj\",\n    \"q_proj\"", ""), LEASH_FORMAT,
     "target_modules is missing"},
    {"targets_a_number", CONFIG, SWAP("[\n    \"v_proj\",\n    \"q_proj\"\n  ]", "7"), LEASH_FORMAT,
     "target_modules is not a list of names or a pattern: it is 7"},
    {"targets_with_a_number", CONFIG, SWAP("\"v_proj\"", "7"), LEASH_FORMAT,
     "target_modules is not a list of names: it is [7,\"q_proj\"]"},
    {"targets_with_an_empty_name", CONFIG, SWAP("\"v_proj\"", "\"\""), LEASH_FORMAT,
     "target_modules is not a list of names: it is [\"\",\"q_proj\"]"},
    {"target_that_matches_nothing", CONFIG, SWAP("\"v_proj\"", "\"c_attn\""), LEASH_USAGE,
     "'c_attn' matches no module of the model that can be adapted; there are "
     "model.layers.0.self_attn.q_proj,"},
    {"target_outside_of_the_layers", CONFIG, SWAP("\"v_proj\"", "\"lm_head\""), LEASH_USAGE,
     "'lm_head' matches no module of the model that can be adapted; there are "
     "model.layers.0.self_attn.q_proj,"},
    {"target_pattern_broken", CONFIG,
     SWAP("[\n    \"v_proj\",\n    \"q_proj\"\n  ]", "\"(q_proj\""), LEASH_USAGE,
     "'(q_proj' is no regular expression: missing closing parenthesis at byte 7"},
    {"target_pattern_that_matches_nothing", CONFIG,
     SWAP("[\n    \"v_proj\",\n    \"q_proj\"\n  ]", "\"q_proj\""), LEASH_USAGE,
     "'q_proj' matches no module of the model that can be adapted; there are "
     "model.layers.0.self_attn.q_proj,"},
    {"target_pattern_without_an_end", CONFIG,
     SWAP("[\n    \"v_proj\",\n    \"q_proj\"\n  ]", "\"(.*.*.*.*.*.*.*.*.*.*)*x\""), LEASH_USAGE,
     "'(.*.*.*.*.*.*.*.*.*.*)*x' matches no module of the model that can be adapted; there are"},
    {"targets_more_than_the_weights", CONFIG, SWAP("\"v_proj\"", "\"v_proj\", \"k_proj\""),
     LEASH_FORMAT,
     "/adapter_model.safetensors does not fit the model and its adapter_config.json; missing"},
    {"targets_fewer_than_the_weights", CONFIG, SWAP("\"v_proj\",\n", ""), LEASH_FORMAT,
     "/adapter_model.safetensors does not fit the model and its adapter_config.json; unexpected"},
    {"excluded_a_number", CONFIG, SWAP("\"exclude_modules\": null", "\"exclude_modules\": 7"),
     LEASH_FORMAT, "exclude_modules is not a list of names or a pattern: it is 7"},
    {"excluded_all", CONFIG,
     SWAP("\"exclude_modules\": null", "\"exclude_modules\": [\"q_proj\", \"v_proj\"]"),
     LEASH_USAGE,
     "exclude_modules and layers_to_transform leave none of the modules that target_modules names; "
     "the model has 2"},
    {"layers_a_text", CONFIG,
     SWAP("\"layers_to_transform\": null", "\"layers_to_transform\": \"0\""), LEASH_FORMAT,
     "layers_to_transform is not a list of layer numbers: it is \"0\""},
    {"layers_that_are_not_there", CONFIG,
     SWAP("\"layers_to_transform\": null", "\"layers_to_transform\": [7]"), LEASH_USAGE,
     "exclude_modules and layers_to_transform leave none of the modules that target_modules names; "
     "the model has 2"},
    {"rank_pattern_a_list", CONFIG, SWAP("\"rank_pattern\": {}", "\"rank_pattern\": [1]"),
     LEASH_FORMAT, "rank_pattern is not an object of module names: it is [1]"},
    {"rank_pattern_of_zero", CONFIG,
     SWAP("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 0}"), LEASH_FORMAT,
     "rank_pattern is not a rank of 1 to 65536: it is {\"q_proj\":0}"},
    {"rank_pattern_of_other_weights", CONFIG,
     SWAP("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 2}"), LEASH_FORMAT,
     "/adapter_model.safetensors does not fit the model and its adapter_config.json; of another "
     "shape"},
    {"alpha_pattern_of_texts", CONFIG,
     SWAP("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q_proj\": \"2\"}"), LEASH_FORMAT,
     "alpha_pattern is not a number: it is {\"q_proj\":\"2\"}"},
    {"rslora_a_number", CONFIG, SWAP("\"use_rslora\": false", "\"use_rslora\": 1"), LEASH_FORMAT,
     "use_rslora is not true or false: it is 1"},
    {"dora", CONFIG, SWAP("\"use_dora\": false", "\"use_dora\": true"), LEASH_UNSUPPORTED,
     "use_dora is true; adapters with it are not supported"},
    {"biases", CONFIG, SWAP("\"bias\": \"none\"", "\"bias\": \"all\""), LEASH_UNSUPPORTED,
     "bias is \"all\"; adapters with it are not supported"},
    {"biases_of_lora", CONFIG, SWAP("\"lora_bias\": false", "\"lora_bias\": true"),
     LEASH_UNSUPPORTED, "lora_bias is true; adapters with it are not supported"},
    {"modules_to_save", CONFIG,
     SWAP("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]"), LEASH_UNSUPPORTED,
     "modules_to_save is [\"lm_head\"]; adapters with it are not supported"},
    {"base_model_a_number", CONFIG, SWAP("\"base\"", "7"), LEASH_FORMAT,
     "base_model_name_or_path is not a text: it is 7"},
};

static const damage weight_damages[] = {
    {"weights_gone", WEIGHTS, GONE, LEASH_IO, "no such file or directory"},
    {"weights_empty", WEIGHTS, CUT(0), LEASH_FORMAT, "0 bytes are no safetensors file"},
    {"weights_cut", WEIGHTS, CUT(-4), LEASH_FORMAT,
     "tensor 'base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight' lies at bytes 3328 "
     "to 3584 of 3580"},
    {"matrix_missing", WEIGHTS,
     SWAP(Q0A, "base_model.model.model.layers.0.self_attn.o_proj.lora_A.weight"), LEASH_FORMAT,
     " does not fit the model and its adapter_config.json; missing"},
    {"matrix_of_a_layer_too_many", WEIGHTS,
     SWAP(Q0A, "base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight"), LEASH_FORMAT,
     " does not fit the model and its adapter_config.json; missing"},
    {"matrix_without_its_prefix", WEIGHTS,
     SWAP(Q0A, "model.layers.0.self_attn.q_proj.lora_A.weight"), LEASH_FORMAT,
     " does not fit the model and its adapter_config.json; missing"},
    {"matrix_of_dora", WEIGHTS,
     SWAP(Q0A, "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector"),
     LEASH_FORMAT, " does not fit the model and its adapter_config.json; missing"},
    {"matrix_transposed", WEIGHTS, SWAP("[4,32]", "[32,4]"), LEASH_FORMAT,
     " does not fit the model and its adapter_config.json; of another shape"},
    {"matrix_flat", WEIGHTS, SWAP("[4,32]", "[128]"), LEASH_FORMAT,
     " does not fit the model and its adapter_config.json; of another shape"},
    {"matrix_of_another_rank", WEIGHTS, SWAP("[4,32]", "[2,64]"), LEASH_FORMAT,
     " does not fit the model and its adapter_config.json; of another shape"},
    {"matrix_of_integers", WEIGHTS, SWAP("F32", "I32"), LEASH_FORMAT,
     "tensor 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight' is stored as I32; "
     "expected a float"},
    {"value_nan", WEIGHTS, POKE_AT(-4, "\0\0\xc0\x7f"), LEASH_FORMAT,
     "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight has a value that is not "
     "finite, at row 15"},
    {"value_infinite", WEIGHTS, POKE_AT(-4, "\0\0\x80\xff"), LEASH_FORMAT,
     "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight has a value that is not "
     "finite, at row 15"},
};

static void configs_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refuse_damages(&(damage_kind){"adapter_config.json", dir, read_adapter, config_damages,
                                  LS_COUNT(config_damages)});
}

static void weights_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    refuse_damages(&(damage_kind){"adapter weights", dir, read_adapter, weight_damages,
                                  LS_COUNT(weight_damages)});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configs_that_make_no_sense_are_refused),
        cmocka_unit_test(weights_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
