/* Granite 3: Llama with constants in four places: embeddings, scores, what each branch adds, and
 * logits (divided).
 *
 * Source: the Granite 3.0 report of IBM (2024); muP-style constants, arXiv:2203.03466. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "granite",
                           .max_position_embeddings = 2048,
                           .rope_theta = 10000.0,
                           .rms_norm_eps = 1e-6,
                           .initializer_range = 0.02,
                           .embedding_multiplier = 1.0,
                           .attention_multiplier = 1.0,
                           .residual_multiplier = 1.0,
                           .logits_scaling = 1.0,
                           .bos_token_id = 1,
                           .eos_token_id = 2};
}

static const ls_config_key keys[] = {
    LS_LLAMA_KEYS,
    LS_CONFIG(ACTIVATION, "hidden_act", hidden_act),
    LS_CONFIG(BOOL, "attention_bias", attention_bias),
    LS_CONFIG(BOOL, "mlp_bias", mlp_bias),
    LS_CONFIG(NUMBER, "embedding_multiplier", embedding_multiplier),
    LS_CONFIG(NUMBER, "attention_multiplier", attention_multiplier),
    LS_CONFIG(NUMBER, "residual_multiplier", residual_multiplier),
    LS_CONFIG(NUMBER, "logits_scaling", logits_scaling),
};

static const ls_decoder_design design = {LS_LLAMA_NAMES};

extern const ls_family ls_family_granite;
const ls_family ls_family_granite = {
    .name = "granite",
    .architecture = "GraniteForCausalLM",
    .help = "Granite 3: scaled embeddings, scores, branches and logits",
    .defaults = defaults,
    LS_DECODER_FAMILY(keys, design),
};
