/* Damaged config.json of several families: each is refused with file, key, what was expected and
 * what is there. */
#include "damage.h"
#include "formats/hf_folder.h"

static char dir[] = "/tmp/leash_test_damage.XXXXXX";
static const char *const families[] = {"llama",         "llama3",     "phi3_long",
                                       "qwen3_moe",     "gemma3",     "gpt2",
                                       "neox_parallel", "llama_yarn", "smollm3"};

static int make_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < LS_COUNT(families); i++) {
        char folder[LS_PATH_MAX], path[LS_PATH_MAX];
        assert_ok(ls_dir_make(ls_path_join(folder, dir, families[i])));
        snprintf(path, sizeof path, "%s/models/%s/config.json", LEASH_TEST_DATA, families[i]);
        damage_copy(folder, "config.json", path);
    }
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    return ls_dir_remove(dir) != LEASH_OK;
}

/* `file` is FAMILY/config.json. */
static leash_status read_config(const char *folder, const char *file)
{
    char path[LS_PATH_MAX];
    ls_model_config config;
    ls_path_join(path, folder, file);
    *strrchr(path, '/') = '\0';
    return ls_hf_read_config(&config, path);
}

#define LLAMA "llama/config.json"
#define LLAMA3 "llama3/config.json"
#define PHI "phi3_long/config.json"
#define MOE "qwen3_moe/config.json"
#define GEMMA "gemma3/config.json"
#define GPT2 "gpt2/config.json"
#define NEOX "neox_parallel/config.json"
#define YARN "llama_yarn/config.json"
#define SMOL "smollm3/config.json"

static const damage text_damages[] = {
    {"file_gone", LLAMA, GONE, LEASH_IO, "no such file or directory"},
    {"file_empty", LLAMA, CUT(0), LEASH_FORMAT, "line 1: '[' or '{' expected near end of file"},
    {"file_cut", LLAMA, CUT(100), LEASH_FORMAT, "line 6: unexpected token near end of file"},
    {"last_brace_gone", LLAMA, CUT(-2), LEASH_FORMAT, "line 32: '}' expected near end of file"},
    {"file_of_zeros", LLAMA, WHOLE("\0\0\0\0"), LEASH_FORMAT,
     "line 1: '[' or '{' expected near end of file"},
    {"a_list", LLAMA, WHOLE("[{\"model_type\": \"llama\"}]"), LEASH_FORMAT, "is no JSON object"},
    {"a_text", LLAMA, WHOLE("\"llama\""), LEASH_FORMAT,
     "line 1: '[' or '{' expected near '\"llama\"'"},
    {"html", LLAMA, WHOLE("<html>Entry not found</html>"), LEASH_FORMAT,
     "line 1: '[' or '{' expected near '<'"},
    {"a_pointer_of_git_lfs", LLAMA, WHOLE("version https://git-lfs.github.com/spec/v1\noid "),
     LEASH_FORMAT, "line 1: '[' or '{' expected near 'version'"},
    {"comma_missing", LLAMA, SWAP("27,", "27"), LEASH_FORMAT,
     "line 13: '}' expected near '\"initializer_range\"'"},
    {"comma_too_many", LLAMA, SWAP("96\n}", "96,\n}"), LEASH_FORMAT,
     "line 32: string or '}' expected near '}'"},
    {"comment", LLAMA, SWAP("{", "{ // a model\n"), LEASH_FORMAT,
     "line 1: string or '}' expected near '/'"},
    {"quotes_of_python", LLAMA, SWAP("\"llama\"", "'llama'"), LEASH_FORMAT,
     "line 17: invalid token near '''"},
    {"words_of_python", LLAMA, SWAP("false", "False"), LEASH_FORMAT,
     "line 5: invalid token near 'False'"},
    {"not_a_number", LLAMA, SWAP("1e-06", "NaN"), LEASH_FORMAT,
     "line 23: invalid token near 'NaN'"},
    {"no_utf8", LLAMA, SWAP("LlamaFor", "Ll\xe9maFor"), LEASH_FORMAT,
     "line 3: unable to decode byte 0xe9 near '\"Ll'"},
    {"key_twice", LLAMA, SWAP("\"pad_token_id\": 0", "\"vocab_size\": 97"), LEASH_FORMAT,
     "line 31: duplicate object key near '\"vocab_size\"'"},
    {"nested_too_deep", LLAMA, REPEAT("\"LlamaForCausalLM\"", 3000, "["), LEASH_FORMAT,
     "line 3: maximum parsing depth reached near '['"},
    {"two_objects", LLAMA, ADD("{}"), LEASH_FORMAT, "line 33: end of file expected near '{'"},
};

static const damage key_damages[] = {
    {"model_type_missing", LLAMA, SWAP("model_type", "model_typo"), LEASH_FORMAT,
     "model_type is no name of a family, such as llama: it is missing"},
    {"model_type_null", LLAMA, SWAP("\"llama\"", "null"), LEASH_FORMAT,
     "model_type is no name of a family, such as llama: it is missing"},
    {"model_type_a_number", LLAMA, SWAP("\"llama\"", "3"), LEASH_FORMAT,
     "model_type is no name of a family, such as llama: it is 3"},
    {"model_type_unknown", LLAMA, SWAP("\"llama\"", "\"bert\""), LEASH_UNSUPPORTED,
     "model family 'bert' is not known; known: llama, smollm3, mistral, qwen2, qwen3, gemma2, "
     "gemma3_text, phi3,"},
    {"model_type_misspelt", LLAMA, SWAP("\"llama\"", "\"lama\""), LEASH_UNSUPPORTED,
     "model family 'lama' is not known (did you mean 'llama'?); known: llama, smollm3, mistral, "
     "qwen2, qwen3,"},
    {"model_type_very_long", LLAMA,
     SWAP("\"llama\"", "\"llama_of_a_family_with_a_very_long_name\""), LEASH_FORMAT,
     "model_type is no name of a family, such as llama: it is "
     "\"llama_of_a_family_with_a_very_long_name\""},
    {"vocab_size_missing", LLAMA, SWAP("\"vocab_size\"", "\"vocab\""), LEASH_FORMAT,
     "vocab_size is missing"},
    {"hidden_size_missing", LLAMA, SWAP("\"hidden_size\"", "\"hidden\""), LEASH_FORMAT,
     "hidden_size is missing"},
    {"intermediate_size_missing", LLAMA, SWAP("intermediate_size", "ffn_size"), LEASH_FORMAT,
     "intermediate_size is missing"},
    {"num_hidden_layers_missing", LLAMA, SWAP("num_hidden_layers", "n_layers"), LEASH_FORMAT,
     "num_hidden_layers is missing"},
    {"num_attention_heads_missing", LLAMA, SWAP("num_attention_heads", "n_heads"), LEASH_FORMAT,
     "num_attention_heads is missing"},
    {"vocab_size_null", LLAMA, SWAP("\"vocab_size\": 96", "\"vocab_size\": null"), LEASH_FORMAT,
     "vocab_size is missing"},
    {"vocab_size_a_text", LLAMA, SWAP("\"vocab_size\": 96", "\"vocab_size\": \"96\""), LEASH_FORMAT,
     "vocab_size is no integer: it is \"96\""},
    {"vocab_size_a_fraction", LLAMA, SWAP("\"vocab_size\": 96", "\"vocab_size\": 96.5"),
     LEASH_FORMAT, "vocab_size is no integer: it is 96.5"},
    {"vocab_size_zero", LLAMA, SWAP("\"vocab_size\": 96", "\"vocab_size\": 0"), LEASH_FORMAT,
     "model: vocab_size is 0, expected 1 to 2147483647"},
    {"vocab_size_negative", LLAMA, SWAP("\"vocab_size\": 96", "\"vocab_size\": -96"), LEASH_FORMAT,
     "model: vocab_size is -96, expected 1 to 2147483647"},
    {"vocab_size_absurd", LLAMA, SWAP("\"vocab_size\": 96", "\"vocab_size\": 9223372036854775807"),
     LEASH_FORMAT, "model: vocab_size is 9223372036854775807, expected 1 to 2147483647"},
    {"vocab_size_beyond_64_bits", LLAMA,
     SWAP("\"vocab_size\": 96", "\"vocab_size\": 9223372036854775808"), LEASH_FORMAT,
     "line 31: too big integer near '9223372036854775808'"},
    {"hidden_size_zero", LLAMA, SWAP("\"hidden_size\": 27", "\"hidden_size\": 0"), LEASH_FORMAT,
     "model: hidden_size is 0, expected 1 to 1048576"},
    {"hidden_size_absurd", LLAMA, SWAP("\"hidden_size\": 27", "\"hidden_size\": 2000000000"),
     LEASH_FORMAT, "model: hidden_size is 2000000000, expected 1 to 1048576"},
    {"hidden_size_a_list", LLAMA, SWAP("\"hidden_size\": 27", "\"hidden_size\": [27]"),
     LEASH_FORMAT, "hidden_size is no integer: it is [27]"},
    {"intermediate_size_negative", LLAMA,
     SWAP("\"intermediate_size\": 28", "\"intermediate_size\": -1"), LEASH_FORMAT,
     "model: intermediate_size is -1, expected 1 to 4194304"},
    {"layers_zero", LLAMA, SWAP("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0"),
     LEASH_FORMAT, "model: num_hidden_layers is 0, expected 1 to 512"},
    {"layers_absurd", LLAMA, SWAP("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 100000"),
     LEASH_FORMAT, "model: num_hidden_layers is 100000, expected 1 to 512"},
    {"heads_zero", LLAMA, SWAP("\"num_attention_heads\": 3", "\"num_attention_heads\": 0"),
     LEASH_FORMAT, "model: num_attention_heads is 0, expected 1 to 4096"},
    {"kv_heads_no_divisor", LLAMA, SWAP("\"num_key_value_heads\": 3", "\"num_key_value_heads\": 2"),
     LEASH_FORMAT, "model: num_attention_heads 3 is no multiple of num_key_value_heads 2"},
    {"kv_heads_more_than_heads", LLAMA,
     SWAP("\"num_key_value_heads\": 3", "\"num_key_value_heads\": 6"), LEASH_FORMAT,
     "model: num_attention_heads 3 is no multiple of num_key_value_heads 6"},
    {"kv_heads_negative", LLAMA, SWAP("\"num_key_value_heads\": 3", "\"num_key_value_heads\": -3"),
     LEASH_FORMAT, "model: num_key_value_heads is -3, expected 1 to 4096"},
    {"head_dim_odd", LLAMA, SWAP("\"head_dim\": 10", "\"head_dim\": 9"), LEASH_FORMAT,
     "model: rotary positions need an even part of a head; head_dim 9 and partial_rotary_factor 0 "
     "give 9"},
    {"head_dim_absurd", LLAMA, SWAP("\"head_dim\": 10", "\"head_dim\": 65536"), LEASH_FORMAT,
     "model: head_dim is 65536, expected 1 to 4096"},
    {"head_dim_missing_and_no_quotient", LLAMA,
     SWAP("\"head_dim\": 10,\n  \"hidden_act\": \"silu\",\n  \"hidden_size\": 27",
          "\"hidden_act\": \"silu\",\n  \"hidden_size\": 28"),
     LEASH_FORMAT,
     "head_dim is missing and hidden_size 28 is no multiple of num_attention_heads 3"},
    {"context_zero", LLAMA,
     SWAP("\"max_position_embeddings\": 96", "\"max_position_embeddings\": 0"), LEASH_FORMAT,
     "model: max_position_embeddings is 0, expected 1 to 16777216"},
    {"context_absurd", LLAMA,
     SWAP("\"max_position_embeddings\": 96", "\"max_position_embeddings\": 1000000000000"),
     LEASH_FORMAT, "model: max_position_embeddings is 1000000000000, expected 1 to 16777216"},
    {"eps_negative", LLAMA, SWAP("1e-06", "-1e-06"), LEASH_FORMAT,
     "model: rms_norm_eps is -1e-06, expected 0 or more"},
    {"eps_a_text", LLAMA, SWAP("1e-06", "\"1e-06\""), LEASH_FORMAT,
     "rms_norm_eps is no number: it is \"1e-06\""},
    {"eps_beyond_a_double", LLAMA, SWAP("1e-06", "1e999"), LEASH_FORMAT,
     "line 23: real number overflow near '1e999'"},
    {"activation_unknown", LLAMA, SWAP("\"silu\"", "\"relu\""), LEASH_UNSUPPORTED,
     "hidden_act is 'relu'; known: silu, swish, gelu_pytorch_tanh, gelu_new, gelu_fast, gelu, "
     "gelu_python"},
    {"activation_a_number", LLAMA, SWAP("\"silu\"", "1"), LEASH_FORMAT,
     "hidden_act is no text: it is 1"},
    {"tie_a_text", LLAMA,
     SWAP("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": \"false\""), LEASH_FORMAT,
     "tie_word_embeddings is neither true nor false: it is \"false\""},
    {"bias_a_number", LLAMA, SWAP("\"attention_bias\": false", "\"attention_bias\": 0"),
     LEASH_FORMAT, "attention_bias is neither true nor false: it is 0"},
    {"eos_a_text", LLAMA, SWAP("\"eos_token_id\": 2", "\"eos_token_id\": \"</s>\""), LEASH_FORMAT,
     "eos_token_id is no token id: it is \"</s>\""},
    {"eos_negative", LLAMA, SWAP("\"eos_token_id\": 2", "\"eos_token_id\": -5"), LEASH_FORMAT,
     "eos_token_id is no token id: it is -5"},
    {"eos_beyond_32_bits", LLAMA, SWAP("\"eos_token_id\": 2", "\"eos_token_id\": 4294967296"),
     LEASH_FORMAT, "eos_token_id is no token id: it is 4294967296"},
    {"quantised_weights", LLAMA,
     SWAP("\"pretraining_tp\": 1", "\"quantization_config\": {\"quant_method\": \"gptq\"}"),
     LEASH_UNSUPPORTED, "the weights are quantised; load the model at F32, F16 or BF16"},
    {"dropout_a_text", LLAMA, SWAP("\"attention_dropout\": 0.0", "\"attention_dropout\": \"0\""),
     LEASH_FORMAT, "attention_dropout is no number: it is \"0\""},
};

static const damage rope_damages[] = {
    {"rope_theta_a_text", LLAMA, SWAP("\"rope_theta\": 500.0", "\"rope_theta\": \"500\""),
     LEASH_FORMAT, "rope_theta is no number: it is \"500\""},
    {"rope_theta_zero", LLAMA, SWAP("\"rope_theta\": 500.0", "\"rope_theta\": 0"), LEASH_FORMAT,
     "model: rope_theta is 0, expected a number above 1"},
    {"rope_theta_negative", LLAMA, SWAP("\"rope_theta\": 500.0", "\"rope_theta\": -500.0"),
     LEASH_FORMAT, "model: rope_theta is -500, expected a number above 1"},
    {"rope_type_unknown", LLAMA, SWAP("\"default\"", "\"mrope\""), LEASH_UNSUPPORTED,
     "rope_type is 'mrope'; known: default, linear, dynamic, llama3, yarn, longrope, su"},
    {"rope_type_a_number", LLAMA, SWAP("\"default\"", "0"), LEASH_FORMAT,
     "rope_type is no text: it is 0"},
    {"rope_linear_without_factor", LLAMA, SWAP("\"default\"", "\"linear\""), LEASH_FORMAT,
     "model: rope_scaling: factor is missing or 0, expected a positive number"},
    {"rope_dynamic_without_factor", LLAMA, SWAP("\"default\"", "\"dynamic\""), LEASH_FORMAT,
     "model: rope_scaling: factor is missing or 0, expected a positive number"},
    {"rope_yarn_without_factor", LLAMA, SWAP("\"default\"", "\"yarn\""), LEASH_FORMAT,
     "model: rope_scaling: factor is missing or 0, expected a positive number"},
    {"rope_llama3_without_factors", LLAMA, SWAP("\"default\"", "\"llama3\""), LEASH_FORMAT,
     "model: rope_scaling: factor is missing or 0, expected a positive number"},
    {"rope_longrope_without_lists", LLAMA, SWAP("\"default\"", "\"longrope\""), LEASH_FORMAT,
     "model: rope_scaling: short_factor and long_factor have 0 numbers, expected 5 (half of the "
     "rotated part of a"},
    {"rope_parameters_a_list", LLAMA,
     SWAP("{\n    \"rope_theta\": 500.0,\n    \"rope_type\": \"default\"\n  }", "[500]"),
     LEASH_FORMAT, "rope_parameters is no object: it is [500]"},
    {"rope_llama3_factor_zero", LLAMA3, SWAP("\"factor\": ", "\"factor\": 0, \"x\": "),
     LEASH_FORMAT, "model: rope_scaling: factor is missing or 0, expected a positive number"},
    {"rope_llama3_low_factor_missing", LLAMA3, SWAP("low_freq_factor", "lo_freq_factor"),
     LEASH_FORMAT,
     "model: rope_scaling: low_freq_factor is missing or 0, expected a positive number"},
    {"rope_llama3_factors_equal", LLAMA3,
     SWAP("\"high_freq_factor\": ", "\"high_freq_factor\": 1.0, \"x\": "), LEASH_FORMAT,
     "model: rope_scaling: high_freq_factor minus low_freq_factor is missing or 0, expected a "
     "positive "
     "number"},
    {"rope_yarn_factor_negative", YARN, SWAP("\"factor\": ", "\"factor\": -4.0, \"x\": "),
     LEASH_FORMAT, "model: rope_scaling: factor is -4, expected a positive number"},
    {"rope_yarn_beta_a_text", YARN, SWAP("\"rope_type\"", "\"beta_fast\": \"32\", \"rope_type\""),
     LEASH_FORMAT, "beta_fast is no number: it is \"32\""},
    {"rope_longrope_lists_differ", PHI, SWAP("2.0,\n", ""), LEASH_FORMAT,
     "short_factor and long_factor differ in length"},
    {"rope_longrope_number_a_text", PHI, SWAP("5.5", "\"5.5\""), LEASH_FORMAT,
     "long_factor is no number: it is \"5.5\""},
    {"rope_longrope_number_negative", PHI, SWAP("5.5", "-5.5"), LEASH_FORMAT,
     "model: rope_scaling: long_factor is -5.5, expected a positive number"},
    {"rope_longrope_list_missing", PHI, SWAP("long_factor", "lang_factor"), LEASH_FORMAT,
     "model: rope_scaling: long_factor is missing or 0, expected a positive number"},
    {"rope_longrope_list_no_list", PHI,
     SWAP("[\n      1.0,\n      1.1,\n      1.3,\n      1.5\n    ]", "1"), LEASH_FORMAT,
     "short_factor is no list of at most 256 numbers"},
    {"rope_longrope_heads_of_another_size", PHI,
     SWAP("\"num_attention_heads\": 3", "\"num_attention_heads\": 6"), LEASH_FORMAT,
     "model: rope_scaling: short_factor and long_factor have 4 numbers, expected 2 (half of the "
     "rotated part of a"},
    {"rope_part_of_two_heads", PHI,
     SWAP("\"partial_rotary_factor\": 1.0", "\"partial_rotary_factor\": 2.0"), LEASH_FORMAT,
     "model: partial_rotary_factor is 2, expected 0 to 1"},
    {"rope_scaling_a_number", GEMMA,
     SWAP("\"rope_scaling\": {\n    \"factor\": 4.0,\n    \"rope_type\": \"linear\"\n  }",
          "\"rope_scaling\": 4.0"),
     LEASH_FORMAT, "rope_scaling is no object: it is 4.0"},
    {"rope_local_base_negative", GEMMA, SWAP("400.0", "-400.0"), LEASH_FORMAT,
     "model: rope_local_base_freq is -400, expected a number above 1"},
    {"rope_part_negative", NEOX, SWAP("\"rotary_pct\": ", "\"rotary_pct\": -1, \"x\": "),
     LEASH_FORMAT, "model: partial_rotary_factor is -1, expected 0 to 1"},
};

static const damage family_damages[] = {
    {"experts_negative", MOE, SWAP("\"num_local_experts\": 6", "\"num_local_experts\": -6"),
     LEASH_FORMAT, "model: num_experts is -6, expected 1 to 1024"},
    {"experts_absurd", MOE, SWAP("\"num_local_experts\": 6", "\"num_local_experts\": 1000000"),
     LEASH_FORMAT, "model: num_experts is 1000000, expected 1 to 1024"},
    {"experts_per_token_more_than_there_are", MOE,
     SWAP("\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 7"), LEASH_FORMAT,
     "model: num_experts_per_tok is 7, expected 1 to num_experts (6)"},
    {"experts_per_token_zero", MOE,
     SWAP("\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 0"), LEASH_FORMAT,
     "model: num_experts_per_tok is 0, expected 1 to num_experts (6)"},
    {"expert_size_zero", MOE, SWAP("\"moe_intermediate_size\": 14", "\"moe_intermediate_size\": 0"),
     LEASH_FORMAT, "model: moe_intermediate_size is 0, expected 1 to 4194304"},
    {"sparse_step_zero", MOE, SWAP("\"decoder_sparse_step\": 1", "\"decoder_sparse_step\": 0"),
     LEASH_FORMAT,
     "model: num_experts is 6, but no layer has experts: decoder_sparse_step is 0, expected 1 or "
     "more"},
    {"dense_layers_no_list", MOE,
     SWAP("\"mlp_only_layers\": [\n    1\n  ]", "\"mlp_only_layers\": 1"), LEASH_FORMAT,
     "mlp_only_layers is no list: it is 1"},
    {"dense_layer_a_text", MOE, SWAP("[\n    1\n  ]", "[\"1\"]"), LEASH_FORMAT,
     "mlp_only_layers is no integer: it is \"1\""},
    {"norm_topk_a_number", MOE, SWAP("\"norm_topk_prob\": true", "\"norm_topk_prob\": 1"),
     LEASH_FORMAT, "norm_topk_prob is neither true nor false: it is 1"},
    {"window_zero", GEMMA, SWAP("\"sliding_window\": 8", "\"sliding_window\": 0"), LEASH_FORMAT,
     "model: layer 0 slides, but sliding_window is 0, expected 1 or more"},
    {"window_negative", GEMMA, SWAP("\"sliding_window\": 8", "\"sliding_window\": -8"),
     LEASH_FORMAT, "model: layer 0 slides, but sliding_window is -8, expected 1 or more"},
    {"window_pattern_negative", GEMMA,
     SWAP("\"sliding_window_pattern\": 2", "\"sliding_window_pattern\": -2"), LEASH_FORMAT,
     "model: sliding_window_pattern is -2, expected 0 or more"},
    {"layer_types_of_two_layers", GEMMA,
     SWAP("\"sliding_window_pattern\": 2",
          "\"layer_types\": [\"full_attention\", \"sliding_attention\"]"),
     LEASH_FORMAT,
     "layer_types is no list of num_hidden_layers (3) entries: it is "
     "[\"full_attention\",\"sliding_attention\"]"},
    {"layer_type_unknown", GEMMA,
     SWAP("\"sliding_window_pattern\": 2",
          "\"layer_types\": [\"full_attention\", \"linear_attention\", \"full_attention\"]"),
     LEASH_UNSUPPORTED,
     "layer_types is 'linear_attention'; known: full_attention, sliding_attention"},
    {"layer_type_a_number", GEMMA,
     SWAP("\"sliding_window_pattern\": 2", "\"layer_types\": [0, 1, 0]"), LEASH_FORMAT,
     "layer_types is no text: it is 0"},
    {"bidirectional", GEMMA,
     SWAP("\"use_bidirectional_attention\": false", "\"use_bidirectional_attention\": true"),
     LEASH_UNSUPPORTED,
     "use_bidirectional_attention is not false; models with it are not supported"},
    {"softcapping_negative", GEMMA,
     SWAP("\"final_logit_softcapping\": null", "\"final_logit_softcapping\": -30.0"), LEASH_FORMAT,
     "model: final_logit_softcapping is -30, expected 0 or more"},
    {"query_scalar_negative", GEMMA,
     SWAP("\"query_pre_attn_scalar\": 12", "\"query_pre_attn_scalar\": -12"), LEASH_FORMAT,
     "model: query_pre_attn_scalar is -12, expected 0 or more"},
    {"gpt2_width_missing", GPT2, SWAP("n_embd", "n_width"), LEASH_FORMAT, "n_embd is missing"},
    {"gpt2_heads_no_divisor", GPT2, SWAP("\"n_head\": ", "\"n_head\": 7, \"x\": "), LEASH_FORMAT,
     "head_dim is missing and hidden_size 24 is no multiple of num_attention_heads 7"},
    {"gpt2_cross_attention", GPT2,
     SWAP("\"add_cross_attention\": false", "\"add_cross_attention\": true"), LEASH_UNSUPPORTED,
     "add_cross_attention is not false; models with it are not supported"},
    {"no_rope_layers_too_few", SMOL,
     SWAP("\"no_rope_layer_interval\"", "\"no_rope_layers\": [1], \"x\""), LEASH_FORMAT,
     "no_rope_layers is no list of num_hidden_layers (3) entries: it is [1]"},
    {"no_rope_layers_of_texts", SMOL,
     SWAP("\"no_rope_layer_interval\"", "\"no_rope_layers\": [\"1\", 1, 1], \"x\""), LEASH_FORMAT,
     "no_rope_layers is no integer: it is \"1\""},
};

static void refuse(const char *name, const damage *rows, size_t n)
{
    refuse_damages(&(damage_kind){name, dir, read_config, rows, n});
}

static void configs_that_are_no_json_are_refused(void **state)
{
    (void)state;
    refuse("config.json: text", text_damages, LS_COUNT(text_damages));
}

static void keys_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refuse("config.json: keys", key_damages, LS_COUNT(key_damages));
}

static void rotary_positions_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refuse("config.json: rotary positions", rope_damages, LS_COUNT(rope_damages));
}

static void keys_of_families_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refuse("config.json: families", family_damages, LS_COUNT(family_damages));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configs_that_are_no_json_are_refused),
        cmocka_unit_test(keys_that_make_no_sense_are_refused),
        cmocka_unit_test(rotary_positions_that_make_no_sense_are_refused),
        cmocka_unit_test(keys_of_families_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
