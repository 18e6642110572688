/* Llama: Llama 2 and 3, SmolLM2, TinyLlama and others of model_type "llama".
 *
 *     h = E[ids]
 *     each layer:  h += W_o attention(rope(W_q n), rope(W_k n), W_v n),   n = rmsnorm(h)
 *                  h += W_down (silu(W_gate m) * W_up m),                 m = rmsnorm(h)
 *     hidden = rmsnorm(h);   logits = hidden U^T,  U = E when tied
 *
 * Source: arXiv:2302.13971, 2307.09288; names of weights as in Hugging Face's files. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "llama",
                           .max_position_embeddings = 2048,
                           .rope_theta = 10000.0,
                           .rms_norm_eps = 1e-6,
                           .initializer_range = 0.02,
                           .bos_token_id = 1,
                           .eos_token_id = 2};
}

static const ls_config_key keys[] = {
    LS_LLAMA_KEYS,
    LS_CONFIG(ACTIVATION, "hidden_act", hidden_act),
    LS_CONFIG(BOOL, "attention_bias", attention_bias),
    LS_CONFIG(BOOL, "mlp_bias", mlp_bias),
};

static const ls_decoder_design design = {LS_LLAMA_NAMES};

extern const ls_family ls_family_llama;
const ls_family ls_family_llama = {
    .name = "llama",
    .architecture = "LlamaForCausalLM",
    .help = "Llama 2 and 3, SmolLM2, TinyLlama: RMSNorm, rotary positions, SwiGLU",
    .defaults = defaults,
    LS_DECODER_FAMILY(keys, design),
};
