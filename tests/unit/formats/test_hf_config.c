/* config.json: both spellings of rotary positions, defaults and null by family, lists of layers,
 * and what is refused with its key named. */
#include <stdio.h>
#include <unistd.h>
#include "model_fixture.h"
#include "base/file.h"
#include "formats/hf_folder.h"

#define SIZES                                                              \
    "\"vocab_size\": 64, \"hidden_size\": 48, \"intermediate_size\": 20, " \
    "\"num_hidden_layers\": 4, \"num_attention_heads\": 4"

static leash_status read_text(ls_model_config *out, const char *family, const char *rest)
{
    char dir[64], path[LS_PATH_MAX], text[4096];
    snprintf(dir, sizeof dir, "/tmp/leash_config_%ld", (long)getpid());
    assert_ok(ls_dir_remove(dir));
    assert_ok(ls_dir_make(dir));
    snprintf(text, sizeof text, "{\"model_type\": \"%s\", %s%s}", family, SIZES, rest);
    assert_ok(ls_file_write_synced(ls_path_join(path, dir, "config.json"), text, strlen(text)));
    leash_status status = ls_hf_read_config(out, dir);
    assert_ok(ls_dir_remove(dir));
    return status;
}

static ls_model_config config_of(const char *family, const char *rest)
{
    ls_model_config c;
    assert_ok(read_text(&c, family, rest));
    return c;
}

static void both_spellings_of_rotary_positions_mean_the_same(void **state)
{
    (void)state;
    ls_model_config old =
        config_of("llama", ", \"rope_theta\": 500.0, \"rope_scaling\": {\"type\": "
                           "\"linear\", \"factor\": 4}, \"torch_dtype\": \"float32\"");
    ls_model_config new = config_of("llama", ", \"rope_parameters\": {\"rope_type\": \"linear\", "
                                             "\"rope_theta\": 500.0, \"factor\": 4.0}, \"dtype\": "
                                             "\"float32\"");
    assert_true(old.rope_theta == 500.0 && new.rope_theta == 500.0);
    assert_int_equal(old.rope_scaling.type, LS_ROPE_LINEAR);
    assert_memory_equal(&old.rope_scaling, &new.rope_scaling, sizeof old.rope_scaling);
    old =
        config_of("gemma3_text", ", \"rope_theta\": 2e4, \"rope_local_base_freq\": 300, "
                                 "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0}");
    new = config_of(
        "gemma3_text",
        ", \"rope_parameters\": {\"full_attention\": {\"rope_type\": \"linear\", \"factor\": "
        "8.0, \"rope_theta\": 2e4}, \"sliding_attention\": {\"rope_type\": \"default\", "
        "\"rope_theta\": 300}}");
    assert_true(old.rope_local_base_freq == 300.0 && new.rope_local_base_freq == 300.0);
    assert_true(old.rope_theta == new.rope_theta &&new.rope_scaling.factor == 8.0);
}

static void original_length_of_the_top_level_wins(void **state)
{
    (void)state;
    ls_model_config c = config_of(
        "llama", ", \"original_max_position_embeddings\": 77, \"rope_scaling\": {\"rope_type\": "
                 "\"yarn\", \"factor\": 2.0, \"original_max_position_embeddings\": 55, "
                 "\"attention_factor\": null, \"truncate\": false}");
    assert_int_equal(c.rope_scaling.original_max_position_embeddings, 77);
    assert_true(c.rope_scaling.attention_factor == 0.0 && c.rope_scaling.keeps_fractions);
}

static void absent_keys_take_the_class_default_and_null_means_none(void **state)
{
    (void)state;
    ls_model_config c = config_of("mistral", ", \"num_key_value_heads\": 2");
    assert_int_equal(c.sliding_window, 4096);
    assert_int_equal(c.layers[3], LS_LAYER_SLIDING);
    c = config_of("mistral",
                  ", \"num_key_value_heads\": null, \"sliding_window\": null, \"head_dim\": "
                  "null");
    assert_int_equal(c.num_key_value_heads, 4);
    assert_int_equal(c.head_dim, 12);
    assert_int_equal(c.sliding_window, 0);
    assert_int_equal(c.layers[3], 0);
    c = config_of("qwen3", ", \"num_key_value_heads\": 1");
    assert_int_equal(c.head_dim, 128);
    c = config_of("gemma2", "");
    assert_true(c.tie_word_embeddings && c.attn_logit_softcapping == 50.0);
    c = config_of("gemma2",
                  ", \"attn_logit_softcapping\": null, \"final_logit_softcapping\": null");
    assert_true(c.attn_logit_softcapping == 0.0 && c.final_logit_softcapping == 0.0);
    c = config_of("smollm3", ", \"bos_token_id\": null, \"eos_token_id\": [5, 6]");
    assert_int_equal(c.bos_token_id, -1);
    assert_int_equal(c.eos_token_id, 5);
}

static void assert_layers(const ls_model_config *c, int a, int b, int d, int e)
{
    const uint8_t expected[4] = {(uint8_t)a, (uint8_t)b, (uint8_t)d, (uint8_t)e};
    assert_memory_equal(c->layers, expected, sizeof expected);
}

static void layers_follow_the_lists_or_the_family_s_pattern(void **state)
{
    (void)state;
    const int S = LS_LAYER_SLIDING, N = LS_LAYER_NO_ROPE, X = LS_LAYER_EXPERTS;
    ls_model_config c = config_of("smollm3", "");
    assert_layers(&c, 0, 0, 0, N);
    c = config_of("smollm3", ", \"no_rope_layers\": [0, 1, 1, 0]");
    assert_layers(&c, N, 0, 0, N);
    c = config_of("gemma2", "");
    assert_layers(&c, S, 0, S, 0);
    c = config_of("gemma3_text", ", \"sliding_window_pattern\": 3");
    assert_layers(&c, S, S, 0, S);
    c = config_of("gemma3_text", ", \"layer_types\": [\"full_attention\", \"sliding_attention\", "
                                 "\"full_attention\", \"full_attention\"]");
    assert_layers(&c, 0, S, 0, 0);
    c = config_of("qwen2",
                  ", \"num_key_value_heads\": 2, \"sliding_window\": 8, \"max_window_layers\": 2");
    assert_layers(&c, 0, 0, 0, 0);
    c = config_of("qwen2",
                  ", \"num_key_value_heads\": 2, \"sliding_window\": 8, \"max_window_layers\": "
                  "2, \"use_sliding_window\": true");
    assert_layers(&c, 0, 0, S, S);
    c = config_of("qwen3_moe", ", \"num_local_experts\": 4, \"num_experts_per_tok\": 2, "
                               "\"decoder_sparse_step\": 2, \"mlp_only_layers\": [3]");
    assert_int_equal(c.num_experts, 4);
    assert_layers(&c, 0, X, 0, LS_LAYER_DENSE);
}

static void what_cannot_be_computed_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *family, *rest, *expected;
    } cases[] = {
        {"gptj", "", "known: llama"},
        {"qwen4", "", "did you mean 'qwen"},
        {"llama", ", \"hidden_act\": \"relu\"", "hidden_act is 'relu'"},
        {"llama", ", \"hidden_act\": 3", "hidden_act is no text"},
        {"llama", ", \"rope_scaling\": {\"rope_type\": \"proportional\"}", "'proportional'"},
        {"llama", ", \"rope_scaling\": {\"rope_type\": \"linear\"}", "factor"},
        {"llama", ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8}",
         "low_freq_factor"},
        {"llama", ", \"rope_scaling\": [1]", "rope_scaling is no object"},
        {"llama", ", \"rope_theta\": \"10000\"", "rope_theta is no number"},
        {"llama", ", \"num_key_value_heads\": 3", "num_key_value_heads 3"},
        {"llama", ", \"head_dim\": 7", "head_dim 7"},
        {"llama", ", \"partial_rotary_factor\": 1.5", "partial_rotary_factor"},
        {"llama", ", \"quantization_config\": {}", "quantised"},
        {"phi3",
         ", \"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, 2], "
         "\"long_factor\": [1, 2]}",
         "expected 6"},
        {"phi3",
         ", \"rope_scaling\": {\"type\": \"su\", \"short_factor\": [1, 2], "
         "\"long_factor\": [1, 2, 3]}",
         "differ in length"},
        {"gemma3_text", ", \"layer_types\": [\"full_attention\"]", "layer_types"},
        {"gemma3_text",
         ", \"layer_types\": [\"full_attention\", \"mamba\", \"full_attention\", "
         "\"full_attention\"]",
         "'mamba'"},
        {"gemma3_text", ", \"use_bidirectional_attention\": true", "use_bidirectional_attention"},
        {"gemma2", ", \"sliding_window\": null", "sliding_window is 0"},
        {"gpt_neox", ", \"attention_bias\": false", "attention_bias"},
        {"gpt2", "", "n_embd is missing"},
        {"olmoe", ", \"clip_qkv\": 8.0", "clip_qkv"},
        {"olmoe", ", \"num_experts\": 4, \"num_experts_per_tok\": 5", "num_experts_per_tok is 5"},
        {"granite", ", \"logits_scaling\": -1", "logits_scaling is -1"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_model_config c;
        if (read_text(&c, cases[i].family, cases[i].rest) == LEASH_OK)
            fail_msg("%s%s was accepted", cases[i].family, cases[i].rest);
        if (strstr(leash_error(), cases[i].expected) == NULL ||
            strstr(leash_error(), "config.json") == NULL)
            fail_msg("%s%s: '%s' does not name '%s'", cases[i].family, cases[i].rest, leash_error(),
                     cases[i].expected);
    }
}

/* Sequences up to the original length rotate by the short factors; a longer run says so first. */
static void longrope_holds_the_original_length_unless_a_run_is_longer(void **state)
{
    (void)state;
    ls_model_config c = config_of(
        "phi3", ", \"max_position_embeddings\": 8192, \"original_max_position_embeddings\": "
                "4096, \"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": "
                "[1,1,1,1,1,1], \"long_factor\": [2,2,2,2,2,2]}");
    assert_int_equal(ls_model_context(&c), 4096);
    c.longest_sequence = 4000;
    assert_int_equal(ls_model_context(&c), 4096);
    c.longest_sequence = 5000;
    assert_int_equal(ls_model_context(&c), 8192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_spellings_of_rotary_positions_mean_the_same),
        cmocka_unit_test(original_length_of_the_top_level_wins),
        cmocka_unit_test(absent_keys_take_the_class_default_and_null_means_none),
        cmocka_unit_test(layers_follow_the_lists_or_the_family_s_pattern),
        cmocka_unit_test(what_cannot_be_computed_is_refused_by_name),
        cmocka_unit_test(longrope_holds_the_original_length_unless_a_run_is_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
