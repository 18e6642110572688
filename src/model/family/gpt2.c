/* GPT-2: LayerNorm with bias, learned positions, biases everywhere, a plain GELU feed-forward part;
 * matrices are stored (in, out).
 *
 *     h = E[ids] + P[pos]
 *     each layer:  h += W_o attention(q, k, v),   q | k | v = W_qkv layernorm(h)
 *                  h += W_down gelu(W_up layernorm(h))
 *     hidden = layernorm(h);   logits = hidden E^T
 *
 * Source: Radford et al. 2019; names of weights as in Hugging Face's files. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "gpt2",
                           .max_position_embeddings = 1024,
                           .rms_norm_eps = 1e-5,
                           .initializer_range = 0.02,
                           .tie_word_embeddings = true,
                           .hidden_act = LS_GELU_TANH,
                           .bos_token_id = 50256,
                           .eos_token_id = 50256};
}

static void complete(ls_model_config *c)
{
    if (c->intermediate_size == 0)
        c->intermediate_size = 4 * c->hidden_size;
}

static const ls_config_key keys[] = {
    LS_CONFIG_SIZE("vocab_size", vocab_size),
    LS_CONFIG_SIZE("n_embd", hidden_size),
    LS_CONFIG_SIZE("n_layer", num_hidden_layers),
    LS_CONFIG_SIZE("n_head", num_attention_heads),
    LS_CONFIG_OR_NULL(INT, "n_inner", intermediate_size),
    LS_CONFIG(INT, "n_positions", max_position_embeddings),
    LS_CONFIG(NUMBER, "layer_norm_epsilon", rms_norm_eps),
    LS_CONFIG(NUMBER, "initializer_range", initializer_range),
    LS_CONFIG(ACTIVATION, "activation_function", hidden_act),
    LS_CONFIG(BOOL, "tie_word_embeddings", tie_word_embeddings),
    LS_CONFIG(BOOL, "scale_attn_by_inverse_layer_idx", scale_attn_by_inverse_layer_idx),
    LS_CONFIG(TOKEN, "bos_token_id", bos_token_id),
    LS_CONFIG(TOKEN, "eos_token_id", eos_token_id),
    {.name = "scale_attn_weights", .kind = LS_CONFIG_TRUE},
    {.name = "add_cross_attention", .kind = LS_CONFIG_FALSE},
};

static const ls_decoder_design design = {
    .embedding = "transformer.wte",
    .positions = "transformer.wpe",
    .layers = "transformer.h",
    .final_norm = "transformer.ln_f",
    .head = "lm_head",
    .token_score = "classifier",
    .attention_norm = "ln_1",
    .qkv = "attn.c_attn",
    .o = "attn.c_proj",
    .mlp_norm = "ln_2",
    .up = "mlp.c_fc",
    .down = "mlp.c_proj",
    .norm = LS_NORM_LAYER,
    .bias = LS_BIAS_ALL,
    .is_stored_transposed = true,
};

extern const ls_family ls_family_gpt2;
const ls_family ls_family_gpt2 = {
    .name = "gpt2",
    .architecture = "GPT2LMHeadModel",
    .help = "GPT-2: LayerNorm, learned positions, biases",
    .defaults = defaults,
    .complete = complete,
    .optional_prefix = "transformer.",
    LS_DECODER_FAMILY(keys, design),
};
