/* OLMo 2: no norms before the branches but one after each; q and k normed over their whole width.
 *
 *     each layer:  h += norm(W_o attention(rope(norm(W_q h)), rope(norm(W_k h)), W_v h))
 *                  h += norm(W_down (silu(W_gate h) * W_up h))
 *
 * Source: arXiv:2501.00656. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "olmo2",
                           .max_position_embeddings = 2048,
                           .rope_theta = 10000.0,
                           .rms_norm_eps = 1e-5,
                           .initializer_range = 0.02,
                           .bos_token_id = -1,
                           .eos_token_id = 50279};
}

static const ls_config_key keys[] = {
    LS_LLAMA_KEYS,
    LS_CONFIG(ACTIVATION, "hidden_act", hidden_act),
    LS_CONFIG(BOOL, "attention_bias", attention_bias),
};

static const ls_decoder_design design = {
    LS_NAMES_OUTER,
    LS_NAMES_QKV,
    LS_NAMES_GATE_UP,
    LS_NAMES_QK_NORMS,
    .norms_whole_qk = true,
    .attention_out_norm = "post_attention_layernorm",
    .mlp_out_norm = "post_feedforward_layernorm",
};

extern const ls_family ls_family_olmo2;
const ls_family ls_family_olmo2 = {
    .name = "olmo2",
    .architecture = "Olmo2ForCausalLM",
    .help = "OLMo 2: norms after the branches",
    .defaults = defaults,
    LS_DECODER_FAMILY(keys, design),
};
