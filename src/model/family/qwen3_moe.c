/* Qwen3-MoE: Qwen3 with a mixture of experts in place of the feed-forward part of most layers.
 *
 * A layer l has experts unless mlp_only_layers names it or l+1 is no multiple of
 * decoder_sparse_step.  The balancing loss of the router (output_router_logits) is not computed.
 *
 * Source: arXiv:2505.09388. */
#include "model/decoder.h"

static void defaults(ls_model_config *c)
{
    *c = (ls_model_config){.family = "qwen3_moe",
                           .num_key_value_heads = 4,
                           .max_position_embeddings = 32768,
                           .rope_theta = 10000.0,
                           .rms_norm_eps = 1e-6,
                           .initializer_range = 0.02,
                           .sliding_window = 4096,
                           .num_experts = 128,
                           .num_experts_per_tok = 8,
                           .moe_intermediate_size = 768,
                           .decoder_sparse_step = 1,
                           .router_aux_loss_coef = 0.001,
                           .bos_token_id = -1,
                           .eos_token_id = -1};
}

static void complete(ls_model_config *c)
{
    if (!c->use_sliding_window)
        c->sliding_window = 0;
    ls_layers_set(c, LS_LAYER_SLIDING, c->sliding_window > 0);
    ls_layers_set(c, LS_LAYER_EXPERTS, false);
    for (int64_t l = 0; l < c->num_hidden_layers && l < LS_MOST_LAYERS; l++) {
        bool is_step = c->decoder_sparse_step > 0 && (l + 1) % c->decoder_sparse_step == 0;
        if (c->num_experts > 0 && is_step && !(c->layers[l] & LS_LAYER_DENSE))
            c->layers[l] |= LS_LAYER_EXPERTS;
    }
}

static const ls_config_key keys[] = {
    LS_LLAMA_KEYS,
    LS_CONFIG(ACTIVATION, "hidden_act", hidden_act),
    LS_CONFIG(BOOL, "attention_bias", attention_bias),
    LS_CONFIG(BOOL, "use_sliding_window", use_sliding_window),
    LS_CONFIG_OR_NULL(INT, "sliding_window", sliding_window),
    LS_CONFIG(INT, "num_local_experts", num_experts),
    LS_CONFIG(INT, "num_experts", num_experts),
    LS_CONFIG(INT, "num_experts_per_tok", num_experts_per_tok),
    LS_CONFIG(INT, "moe_intermediate_size", moe_intermediate_size),
    LS_CONFIG(INT, "decoder_sparse_step", decoder_sparse_step),
    LS_CONFIG(BOOL, "norm_topk_prob", norm_topk_prob),
    LS_CONFIG(NUMBER, "router_aux_loss_coef", router_aux_loss_coef),
};

static const ls_decoder_design design = {
    LS_LLAMA_NAMES,
    LS_NAMES_QK_NORMS,
    .router = "mlp.gate",
    .experts = "mlp.experts",
};

extern const ls_family ls_family_qwen3_moe;
const ls_family ls_family_qwen3_moe = {
    .name = "qwen3_moe",
    .architecture = "Qwen3MoeForCausalLM",
    .help = "Qwen3 mixtures of experts",
    .defaults = defaults,
    .complete = complete,
    LS_DECODER_FAMILY(keys, design),
};
