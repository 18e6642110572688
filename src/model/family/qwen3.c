/* Qwen3: Llama with q and k normed head by head before they are rotated, and a head size of its
 * own.
 *
 * Source: arXiv:2505.09388. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "qwen3",
                           .num_key_value_heads = 32,
                           .head_dim = 128,
                           .max_position_embeddings = 32768,
                           .rope_theta = 10000.0,
                           .rms_norm_eps = 1e-6,
                           .initializer_range = 0.02,
                           .sliding_window = 4096,
                           .max_window_layers = 28,
                           .bos_token_id = -1,
                           .eos_token_id = -1};
}

static const ls_config_key keys[] = {
    LS_LLAMA_KEYS,
    LS_CONFIG(ACTIVATION, "hidden_act", hidden_act),
    LS_CONFIG(BOOL, "attention_bias", attention_bias),
    LS_QWEN_WINDOW_KEYS,
};

static const ls_decoder_design design = {
    LS_LLAMA_NAMES,
    LS_NAMES_QK_NORMS,
};

extern const ls_family ls_family_qwen3;
const ls_family ls_family_qwen3 = {
    .name = "qwen3",
    .architecture = "Qwen3ForCausalLM",
    .help = "Qwen3 (dense): q and k normed by head",
    .defaults = defaults,
    .complete = ls_qwen_complete,
    LS_DECODER_FAMILY(keys, design),
};
