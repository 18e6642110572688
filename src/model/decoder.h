/* One decoder with knobs: the families differ in names of weights, in what a layer contains, and in
 * the numbers of their config.
 *
 *     h = E[ids] * embedding scale (+ P[pos])
 *     each layer:  a = norm(h)                        or h itself
 *                  q, k, v = W a (+ b);  q, k = norm(q), norm(k);  rotated
 *                  h += scale * norm(W_o attention(q, k, v))
 *                  h += scale * norm(W_down act(...)) of norm(h)       or both from the same h
 *     hidden = norm(h);   logits = softcap(hidden U^T),  U = E when tied
 *
 * A family's file holds its design and its defaults; what a layer has is told by the names: a NULL
 * name is a part that the family does not have. */
#ifndef LS_MODEL_DECODER_H
#define LS_MODEL_DECODER_H

#include "model/model.h"

typedef enum ls_norm_kind {
    LS_NORM_RMS,          /* gain w     */
    LS_NORM_RMS_PLUS_ONE, /* gain 1 + w */
    LS_NORM_LAYER,        /* LayerNorm with bias */
} ls_norm_kind;

typedef enum ls_bias_rule {
    LS_BIAS_BY_KEY, /* attention_bias: q, k, v and o; mlp_bias: the feed-forward part */
    LS_BIAS_QKV,    /* q, k, v always, nothing else */
    LS_BIAS_ALL,
} ls_bias_rule;

/* Names without ".weight" and ".bias"; those inside a layer without "<layers>.<l>.". */
typedef struct ls_decoder_design {
    const char *embedding, *positions; /* positions: a learned table instead of rotation */
    const char *layers, *final_norm, *head;
    const char *token_score;                    /* of models that score tokens; NULL: "score" */
    const char *attention_norm, *q, *k, *v, *o; /* pre-norm of attention and its matrices */
    const char *qkv;                            /* instead of q, k, v: one matrix         */
    const char *q_norm, *k_norm, *attention_out_norm;
    const char *mlp_norm, *gate, *up, *down; /* gate NULL: up, activation, down        */
    const char *gate_up;                     /* instead of gate and up: one matrix     */
    const char *mlp_out_norm;
    const char *router, *experts; /* of layers with experts: experts.<e>.<name after the dot> */

    ls_norm_kind norm;
    ls_bias_rule bias;
    bool norms_whole_qk;       /* q and k are normed over their whole width, not by head    */
    bool interleaves_heads;    /* rows of qkv: head by head q, k, v; else all q, all k, all v */
    bool is_stored_transposed; /* matrices of layers are stored (in, out)                    */
} ls_decoder_design;

void ls_decoder_declare(ls_model *model);
ls_tensor *ls_decoder_forward(ls_model *model, ls_tape *tape, const ls_batch *batch);
leash_status ls_decoder_check(const ls_model_config *config);

/* The layout of names that most families share, in parts that a family may replace. */
#define LS_NAMES_OUTER                                                                       \
    .embedding = "model.embed_tokens", .layers = "model.layers", .final_norm = "model.norm", \
    .head = "lm_head", .o = "self_attn.o_proj", .down = "mlp.down_proj"
#define LS_NAMES_QKV .q = "self_attn.q_proj", .k = "self_attn.k_proj", .v = "self_attn.v_proj"
#define LS_NAMES_GATE_UP .gate = "mlp.gate_proj", .up = "mlp.up_proj"
#define LS_NAMES_PRE_NORMS \
    .attention_norm = "input_layernorm", .mlp_norm = "post_attention_layernorm"
#define LS_NAMES_QK_NORMS .q_norm = "self_attn.q_norm", .k_norm = "self_attn.k_norm"
#define LS_LLAMA_NAMES LS_NAMES_OUTER, LS_NAMES_QKV, LS_NAMES_GATE_UP, LS_NAMES_PRE_NORMS

/* The keys that most families share. */
#define LS_LLAMA_KEYS                                                                     \
    LS_CONFIG_SIZE("vocab_size", vocab_size), LS_CONFIG_SIZE("hidden_size", hidden_size), \
        LS_CONFIG_SIZE("intermediate_size", intermediate_size),                           \
        LS_CONFIG_SIZE("num_hidden_layers", num_hidden_layers),                           \
        LS_CONFIG_SIZE("num_attention_heads", num_attention_heads),                       \
        LS_CONFIG_OR_NULL(INT, "num_key_value_heads", num_key_value_heads),               \
        LS_CONFIG_OR_NULL(INT, "head_dim", head_dim),                                     \
        LS_CONFIG(INT, "max_position_embeddings", max_position_embeddings),               \
        LS_CONFIG(NUMBER, "rms_norm_eps", rms_norm_eps),                                  \
        LS_CONFIG(NUMBER, "initializer_range", initializer_range),                        \
        LS_CONFIG(BOOL, "tie_word_embeddings", tie_word_embeddings),                      \
        LS_CONFIG(TOKEN, "bos_token_id", bos_token_id),                                   \
        LS_CONFIG(TOKEN, "eos_token_id", eos_token_id)

#define LS_DECODER_FAMILY(family_keys, family_design)                                         \
    .keys = family_keys, .n_keys = sizeof(family_keys) / sizeof(family_keys)[0],              \
    .design = &(family_design), .declare = ls_decoder_declare, .forward = ls_decoder_forward, \
    .check = ls_decoder_check

#define LS_QWEN_WINDOW_KEYS                                       \
    LS_CONFIG(BOOL, "use_sliding_window", use_sliding_window),    \
        LS_CONFIG_OR_NULL(INT, "sliding_window", sliding_window), \
        LS_CONFIG(INT, "max_window_layers", max_window_layers)

#define LS_GEMMA_KEYS                                                                  \
    LS_CONFIG(ACTIVATION, "hidden_activation", hidden_act),                            \
        LS_CONFIG(BOOL, "attention_bias", attention_bias),                             \
        LS_CONFIG(INT, "query_pre_attn_scalar", query_pre_attn_scalar),                \
        LS_CONFIG_OR_NULL(INT, "sliding_window", sliding_window),                      \
        LS_CONFIG_OR_NULL(NUMBER, "attn_logit_softcapping", attn_logit_softcapping),   \
        LS_CONFIG_OR_NULL(NUMBER, "final_logit_softcapping", final_logit_softcapping), \
    {                                                                                  \
        .name = "use_bidirectional_attention", .kind = LS_CONFIG_FALSE                 \
    }

#define LS_GEMMA_NAMES                                                                             \
    LS_NAMES_OUTER, LS_NAMES_QKV, LS_NAMES_GATE_UP,                                                \
        .norm = LS_NORM_RMS_PLUS_ONE, .attention_norm = "input_layernorm",                         \
        .attention_out_norm = "post_attention_layernorm", .mlp_norm = "pre_feedforward_layernorm", \
        .mlp_out_norm = "post_feedforward_layernorm"

/* Sets or clears a bit of all layers. */
void ls_layers_set(ls_model_config *config, uint8_t bit, bool is_set);
/* The sliding layers of Qwen. */
void ls_qwen_complete(ls_model_config *config);

/* cos and sin of the rotary positions of a config, at most ls_model_context of them: with the
 * scaling of its rope_scaling, or plain with another base. */
void ls_rope_build(ls_rope_table *out, ls_model *model, double base,
                   const ls_rope_scaling *scaling);
/* Errors: LEASH_FORMAT for a scaling that lacks a number. */
leash_status ls_rope_check(const ls_model_config *config);
/* Elements of a head that turn. */
int64_t ls_rope_width(const ls_model_config *config);

#endif
