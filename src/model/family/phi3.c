/* Phi-3, Phi-3.5 and Phi-4-mini: Llama with q, k, v in one matrix and gate and up in another; a
 * part of each head may stay unrotated; long contexts by longrope.
 *
 * Source: arXiv:2404.14219, 2503.01743, 2402.13753 (longrope). */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "phi3",
                           .max_position_embeddings = 4096,
                           .rope_scaling.original_max_position_embeddings = 4096,
                           .rope_theta = 10000.0,
                           .rms_norm_eps = 1e-5,
                           .initializer_range = 0.02,
                           .bos_token_id = 1,
                           .eos_token_id = 32000};
}

/* "su", and "yarn" with lists of factors, were names of longrope. */
static void complete(ls_model_config *c)
{
    if (c->rope_scaling.type == LS_ROPE_YARN && c->rope_scaling.n_factors > 0)
        c->rope_scaling.type = LS_ROPE_LONGROPE;
    ls_layers_set(c, LS_LAYER_SLIDING, c->sliding_window > 0);
}

static const ls_config_key keys[] = {
    LS_LLAMA_KEYS,
    LS_CONFIG(ACTIVATION, "hidden_act", hidden_act),
    LS_CONFIG_OR_NULL(INT, "sliding_window", sliding_window),
};

static const ls_decoder_design design = {
    LS_NAMES_OUTER,
    LS_NAMES_PRE_NORMS,
    .qkv = "self_attn.qkv_proj",
    .gate_up = "mlp.gate_up_proj",
};

extern const ls_family ls_family_phi3;
const ls_family ls_family_phi3 = {
    .name = "phi3",
    .architecture = "Phi3ForCausalLM",
    .help = "Phi-3, Phi-3.5, Phi-4-mini: fused matrices, longrope",
    .defaults = defaults,
    .complete = complete,
    LS_DECODER_FAMILY(keys, design),
};
