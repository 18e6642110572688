/* Gemma 2: norms with gain 1 + w before and after each branch, scores and logits bent by soft caps,
 * every other layer sliding, embeddings times sqrt(C), GELU gate.
 *
 *     each layer:  h += norm(W_o attention(...norm(h)))
 *                  h += norm(W_down (gelu(W_gate m) * W_up m)),   m = norm(h)
 *
 * Source: arXiv:2408.00118. */
#include <math.h>
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "gemma2",
                           .num_key_value_heads = 4,
                           .head_dim = 256,
                           .max_position_embeddings = 8192,
                           .rope_theta = 10000.0,
                           .rms_norm_eps = 1e-6,
                           .initializer_range = 0.02,
                           .tie_word_embeddings = true,
                           .hidden_act = LS_GELU_TANH,
                           .query_pre_attn_scalar = 256,
                           .sliding_window = 4096,
                           .attn_logit_softcapping = 50.0,
                           .final_logit_softcapping = 30.0,
                           .bos_token_id = 2,
                           .eos_token_id = 1};
}

static void complete(ls_model_config *c)
{
    c->embedding_multiplier = sqrt((double)c->hidden_size);
    for (int64_t l = 0; l < c->num_hidden_layers && l < LS_MOST_LAYERS; l++)
        if (!c->has_layer_types && l % 2 == 0)
            c->layers[l] |= LS_LAYER_SLIDING;
}

static const ls_config_key keys[] = {LS_LLAMA_KEYS, LS_GEMMA_KEYS};

static const ls_decoder_design design = {LS_GEMMA_NAMES};

extern const ls_family ls_family_gemma2;
const ls_family ls_family_gemma2 = {
    .name = "gemma2",
    .architecture = "Gemma2ForCausalLM",
    .help = "Gemma 2: norms around each branch, soft caps, sliding layers",
    .defaults = defaults,
    .complete = complete,
    LS_DECODER_FAMILY(keys, design),
};
