/* SmolLM3: Llama with layers that attend without positions (every fourth, or as a list says).
 *
 * Source: arXiv:2501.18795 (layers without rotation); names as in Hugging Face's files. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "smollm3",
                           .num_key_value_heads = 4,
                           .max_position_embeddings = 32768,
                           .rope_theta = 2000000.0,
                           .rms_norm_eps = 1e-6,
                           .initializer_range = 0.02,
                           .tie_word_embeddings = true,
                           .no_rope_layer_interval = 4,
                           .bos_token_id = 128000,
                           .eos_token_id = 128001};
}

/* Sliding layers, if any, are those without positions. */
static void complete(ls_model_config *c)
{
    for (int64_t l = 0; l < c->num_hidden_layers && l < LS_MOST_LAYERS; l++) {
        int64_t interval = c->no_rope_layer_interval;
        if (!c->has_no_rope_layers && interval > 0 && (l + 1) % interval == 0)
            c->layers[l] |= LS_LAYER_NO_ROPE;
        bool is_rotated = !(c->layers[l] & LS_LAYER_NO_ROPE);
        if (!c->has_layer_types && c->use_sliding_window && c->sliding_window > 0 && !is_rotated)
            c->layers[l] |= LS_LAYER_SLIDING;
    }
}

static const ls_config_key keys[] = {
    LS_LLAMA_KEYS,
    LS_CONFIG(ACTIVATION, "hidden_act", hidden_act),
    LS_CONFIG(BOOL, "attention_bias", attention_bias),
    LS_CONFIG(BOOL, "mlp_bias", mlp_bias),
    LS_CONFIG(INT, "no_rope_layer_interval", no_rope_layer_interval),
    LS_CONFIG(BOOL, "use_sliding_window", use_sliding_window),
    LS_CONFIG_OR_NULL(INT, "sliding_window", sliding_window),
};

static const ls_decoder_design design = {LS_LLAMA_NAMES};

extern const ls_family ls_family_smollm3;
const ls_family ls_family_smollm3 = {
    .name = "smollm3",
    .architecture = "SmolLM3ForCausalLM",
    .help = "SmolLM3: layers without positions",
    .defaults = defaults,
    .complete = complete,
    LS_DECODER_FAMILY(keys, design),
};
