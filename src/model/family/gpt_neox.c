/* GPT-NeoX and Pythia: LayerNorm with bias, biases everywhere, q, k and v of each head side by side
 * in one matrix, a quarter of each head rotated, both branches from the same h.
 *
 *     each layer:  h += W_o attention(...layernorm_1(h)) + W_down gelu(W_up layernorm_2(h))
 *
 * Source: arXiv:2204.06745, 2304.01373. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "gpt_neox",
                           .max_position_embeddings = 2048,
                           .rope_theta = 10000.0,
                           .partial_rotary_factor = 0.25,
                           .rms_norm_eps = 1e-5,
                           .initializer_range = 0.02,
                           .hidden_act = LS_GELU_EXACT,
                           .use_parallel_residual = true,
                           .bos_token_id = 0,
                           .eos_token_id = 2};
}

static const ls_config_key keys[] = {
    LS_CONFIG_SIZE("vocab_size", vocab_size),
    LS_CONFIG_SIZE("hidden_size", hidden_size),
    LS_CONFIG_SIZE("intermediate_size", intermediate_size),
    LS_CONFIG_SIZE("num_hidden_layers", num_hidden_layers),
    LS_CONFIG_SIZE("num_attention_heads", num_attention_heads),
    LS_CONFIG(INT, "max_position_embeddings", max_position_embeddings),
    LS_CONFIG(NUMBER, "layer_norm_eps", rms_norm_eps),
    LS_CONFIG(NUMBER, "initializer_range", initializer_range),
    LS_CONFIG(ACTIVATION, "hidden_act", hidden_act),
    LS_CONFIG(NUMBER, "rotary_pct", partial_rotary_factor),
    LS_CONFIG(NUMBER, "rotary_emb_base", rope_theta),
    LS_CONFIG(BOOL, "use_parallel_residual", use_parallel_residual),
    LS_CONFIG(BOOL, "tie_word_embeddings", tie_word_embeddings),
    LS_CONFIG(TOKEN, "bos_token_id", bos_token_id),
    LS_CONFIG(TOKEN, "eos_token_id", eos_token_id),
    {.name = "attention_bias", .kind = LS_CONFIG_TRUE},
};

static const ls_decoder_design design = {
    .embedding = "gpt_neox.embed_in",
    .layers = "gpt_neox.layers",
    .final_norm = "gpt_neox.final_layer_norm",
    .head = "embed_out",
    .token_score = "classifier",
    .attention_norm = "input_layernorm",
    .qkv = "attention.query_key_value",
    .o = "attention.dense",
    .mlp_norm = "post_attention_layernorm",
    .up = "mlp.dense_h_to_4h",
    .down = "mlp.dense_4h_to_h",
    .norm = LS_NORM_LAYER,
    .bias = LS_BIAS_ALL,
    .interleaves_heads = true,
};

extern const ls_family ls_family_gpt_neox;
const ls_family ls_family_gpt_neox = {
    .name = "gpt_neox",
    .architecture = "GPTNeoXForCausalLM",
    .help = "GPT-NeoX and Pythia: parallel branches, partly rotated heads",
    .defaults = defaults,
    LS_DECODER_FAMILY(keys, design),
};
