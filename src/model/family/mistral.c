/* Mistral: Llama with grouped kv heads, a head size of its own (Nemo), and in version 0.1 a sliding
 * window on every layer.
 *
 * Source: arXiv:2310.06825. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "mistral",
                           .num_key_value_heads = 8,
                           .max_position_embeddings = 131072,
                           .rope_theta = 10000.0,
                           .rms_norm_eps = 1e-6,
                           .initializer_range = 0.02,
                           .sliding_window = 4096,
                           .bos_token_id = 1,
                           .eos_token_id = 2};
}

static void complete(ls_model_config *c)
{
    ls_layers_set(c, LS_LAYER_SLIDING, c->sliding_window > 0);
}

static const ls_config_key keys[] = {
    LS_LLAMA_KEYS,
    LS_CONFIG(ACTIVATION, "hidden_act", hidden_act),
    LS_CONFIG_OR_NULL(INT, "sliding_window", sliding_window),
};

static const ls_decoder_design design = {LS_LLAMA_NAMES};

extern const ls_family ls_family_mistral;
const ls_family ls_family_mistral = {
    .name = "mistral",
    .architecture = "MistralForCausalLM",
    .help = "Mistral 7B, Nemo, Small: grouped kv heads, sliding window",
    .defaults = defaults,
    .complete = complete,
    LS_DECODER_FAMILY(keys, design),
};
