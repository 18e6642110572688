/* Qwen2 and Qwen2.5: Llama with biases on q, k and v; with use_sliding_window the layers from
 * max_window_layers on slide.
 *
 * Source: arXiv:2407.10671, 2412.15115. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "qwen2",
                           .num_key_value_heads = 32,
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
    LS_QWEN_WINDOW_KEYS,
};

static const ls_decoder_design design = {LS_LLAMA_NAMES, .bias = LS_BIAS_QKV};

extern const ls_family ls_family_qwen2;
const ls_family ls_family_qwen2 = {
    .name = "qwen2",
    .architecture = "Qwen2ForCausalLM",
    .help = "Qwen2 and Qwen2.5: biases on q, k, v",
    .defaults = defaults,
    .complete = ls_qwen_complete,
    LS_DECODER_FAMILY(keys, design),
};
