/* OLMoE: Llama with q and k normed over their whole width and a mixture of experts in every layer.
 *
 * The balancing loss of the router (output_router_logits) is not computed.
 *
 * Source: arXiv:2409.02060. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "olmoe",
                           .max_position_embeddings = 4096,
                           .rope_theta = 10000.0,
                           .rms_norm_eps = 1e-5,
                           .initializer_range = 0.02,
                           .num_experts = 64,
                           .num_experts_per_tok = 8,
                           .router_aux_loss_coef = 0.01,
                           .bos_token_id = -1,
                           .eos_token_id = 50279};
}

/* An expert's width is the config's intermediate_size. */
static void complete(ls_model_config *c)
{
    c->moe_intermediate_size = c->intermediate_size;
    ls_layers_set(c, LS_LAYER_EXPERTS, true);
}

static const ls_config_key keys[] = {
    LS_LLAMA_KEYS,
    LS_CONFIG(ACTIVATION, "hidden_act", hidden_act),
    LS_CONFIG(BOOL, "attention_bias", attention_bias),
    LS_CONFIG(INT, "num_experts", num_experts),
    LS_CONFIG(INT, "num_experts_per_tok", num_experts_per_tok),
    LS_CONFIG(BOOL, "norm_topk_prob", norm_topk_prob),
    LS_CONFIG(NUMBER, "router_aux_loss_coef", router_aux_loss_coef),
    {.name = "clip_qkv", .kind = LS_CONFIG_FALSE},
};

static const ls_decoder_design design = {
    LS_LLAMA_NAMES,       LS_NAMES_QK_NORMS,        .norms_whole_qk = true,
    .router = "mlp.gate", .experts = "mlp.experts",
};

extern const ls_family ls_family_olmoe;
const ls_family ls_family_olmoe = {
    .name = "olmoe",
    .architecture = "OlmoeForCausalLM",
    .help = "OLMoE: a mixture of experts in every layer",
    .defaults = defaults,
    .complete = complete,
    LS_DECODER_FAMILY(keys, design),
};
