/* Gemma 3, the text model: Gemma 2 with q and k normed by head instead of soft caps; five of six
 * layers slide and rotate by a base of their own.
 *
 * Source: arXiv:2503.19786. */
#include <math.h>
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "gemma3_text",
                           .num_key_value_heads = 4,
                           .head_dim = 256,
                           .max_position_embeddings = 131072,
                           .rope_theta = 1000000.0,
                           .rope_local_base_freq = 10000.0,
                           .rms_norm_eps = 1e-6,
                           .initializer_range = 0.02,
                           .tie_word_embeddings = true,
                           .hidden_act = LS_GELU_TANH,
                           .query_pre_attn_scalar = 256,
                           .sliding_window = 4096,
                           .sliding_window_pattern = 6,
                           .bos_token_id = 2,
                           .eos_token_id = 1};
}

static void complete(ls_model_config *c)
{
    int64_t pattern = c->sliding_window_pattern > 0 ? c->sliding_window_pattern : 1;
    c->embedding_multiplier = sqrt((double)c->hidden_size);
    for (int64_t l = 0; l < c->num_hidden_layers && l < LS_MOST_LAYERS; l++)
        if (!c->has_layer_types && (l + 1) % pattern != 0)
            c->layers[l] |= LS_LAYER_SLIDING;
}

static const ls_config_key keys[] = {
    LS_LLAMA_KEYS,
    LS_GEMMA_KEYS,
    LS_CONFIG(INT, "sliding_window_pattern", sliding_window_pattern),
    LS_CONFIG(NUMBER, "rope_local_base_freq", rope_local_base_freq),
};

static const ls_decoder_design design = {
    LS_GEMMA_NAMES,
    LS_NAMES_QK_NORMS,
};

extern const ls_family ls_family_gemma3_text;
const ls_family ls_family_gemma3_text = {
    .name = "gemma3_text",
    .architecture = "Gemma3ForCausalLM",
    .score_class = "Gemma3Text",
    .help = "Gemma 3, text: q and k normed by head, two rotary bases",
    .defaults = defaults,
    .complete = complete,
    LS_DECODER_FAMILY(keys, design),
};
