/* What a model file says about its model: the numbers of a config.json (or of a GGUF's metadata),
 * under Hugging Face's names and with their meaning.
 *
 * What is the same for every model of a family (kind of norm, biases that are always there, fused
 * matrices) is not here but in the family's design (decoder.h).  A field that is zero means "as in
 * Llama", so a literal need only name what differs.  The way from a file to a usable config is
 *     ls_family_find(&family, model_type);  family->defaults(&config);   (the class's defaults)
 *     fill in what the file has (family->keys tells the names in a config.json);
 *     ls_model_config_complete(&config, family);                         (what follows from it)
 *     family->check(&config)
 *
 * Layers differ in a few respects, kept as bits of `layers[l]`. */
#ifndef LS_MODEL_CONFIG_H
#define LS_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define LS_MOST_LAYERS 512
/* Longest list of rotary factors (half of the rotated part of a head). */
#define LS_MOST_ROPE_FACTORS 256

enum { /* bits of layers[l] */
       LS_LAYER_SLIDING =
           1, /* sees sliding_window tokens; rotates by the local base if there is one */
       LS_LAYER_NO_ROPE = 2, /* attends without positions */
       LS_LAYER_EXPERTS = 4, /* its feed-forward part is a mixture of experts */
       LS_LAYER_DENSE = 8,   /* named in mlp_only_layers: never one           */
};

typedef enum ls_activation { LS_SILU, LS_GELU_TANH, LS_GELU_EXACT } ls_activation;

typedef enum ls_rope_type {
    LS_ROPE_DEFAULT,
    LS_ROPE_LINEAR,
    LS_ROPE_DYNAMIC,
    LS_ROPE_LLAMA3,
    LS_ROPE_YARN,
    LS_ROPE_LONGROPE,
} ls_rope_type;

typedef struct ls_rope_scaling { /* rope_scaling / rope_parameters; 0: absent */
    ls_rope_type type;
    double factor, low_freq_factor, high_freq_factor;
    double attention_factor, beta_fast, beta_slow, mscale, mscale_all_dim;
    bool keeps_fractions; /* yarn: truncate is false */
    int64_t original_max_position_embeddings;
    int64_t n_factors; /* longrope: length of both lists */
    double short_factor[LS_MOST_ROPE_FACTORS], long_factor[LS_MOST_ROPE_FACTORS];
} ls_rope_scaling;

/* What stands on the last hidden states. */
typedef enum ls_head_kind {
    LS_HEAD_TOKENS,       /* logits of the next token                                         */
    LS_HEAD_SCORE,        /* class ...ForSequenceClassification: a score, without bias        */
    LS_HEAD_TOKEN_SCORES, /* class ...ForTokenClassification: scores of single tokens, biased */
} ls_head_kind;

typedef struct ls_model_config {
    char family[32]; /* model_type: "llama" */
    ls_head_kind head;
    int64_t num_labels;   /* of a score: 1, or 2 whose log-odds it is; else 0 */
    int32_t pad_token_id; /* where has_pad_token */
    bool has_pad_token;
    int64_t vocab_size, hidden_size, intermediate_size, num_hidden_layers;
    int64_t num_attention_heads, num_key_value_heads, head_dim;
    int64_t max_position_embeddings;
    double rope_theta, rms_norm_eps; /* rms_norm_eps: of LayerNorm too */
    double initializer_range;
    bool tie_word_embeddings;
    int32_t bos_token_id, eos_token_id; /* -1: none */

    ls_activation hidden_act;
    bool attention_bias; /* of q, k, v and o, where the family has the key */
    bool mlp_bias;

    /* positions */
    ls_rope_scaling rope_scaling;
    double partial_rotary_factor; /* rotated part of a head; 0: 1                       */
    double rope_local_base_freq;  /* of sliding layers, unscaled; 0: as the other layers */
    int64_t longest_sequence;     /* longrope: short factors up to the original length,
                                   * long ones beyond; 0: the original length             */

    /* layers */
    uint8_t layers[LS_MOST_LAYERS];
    bool has_layer_types;           /* `layers` was read from a list, not to be derived      */
    bool has_no_rope_layers;        /* the same for LS_LAYER_NO_ROPE                          */
    int64_t sliding_window;         /* tokens seen, the current one included; 0: all          */
    bool use_sliding_window;        /* qwen2, qwen3                                           */
    int64_t max_window_layers;      /* qwen2, qwen3: layers from this one on slide            */
    int64_t sliding_window_pattern; /* gemma3: every so manieth layer sees all            */
    int64_t no_rope_layer_interval; /* smollm3: every so manieth layer has no positions   */

    /* scales; 0: 1 */
    double embedding_multiplier, residual_multiplier, logits_scaling; /* logits are divided */
    double attention_multiplier;          /* scale of scores; 0: 1/sqrt(head_dim) */
    int64_t query_pre_attn_scalar;        /* gemma: scale of scores is its -1/2 power; 0: none */
    bool scale_attn_by_inverse_layer_idx; /* gpt2 */
    double attn_logit_softcapping, final_logit_softcapping; /* 0: none */
    bool use_parallel_residual; /* gpt_neox: both branches read the layer's input */

    /* mixture of experts; num_experts 0: none */
    int64_t num_experts, num_experts_per_tok, moe_intermediate_size, decoder_sparse_step;
    bool norm_topk_prob;
    double router_aux_loss_coef;
} ls_model_config;

typedef enum ls_config_kind {
    LS_CONFIG_INT,
    LS_CONFIG_NUMBER,
    LS_CONFIG_BOOL,
    LS_CONFIG_TOKEN,
    LS_CONFIG_ACTIVATION,
    LS_CONFIG_FALSE, /* no field: only false, null or absence can be computed here */
    LS_CONFIG_TRUE,  /* no field: only true, null or absence                       */
} ls_config_kind;

typedef struct ls_config_key { /* one key of a family's config.json */
    const char *name;
    ls_config_kind kind;
    size_t offset;    /* of the field in ls_model_config                              */
    bool is_required; /* a size that has no default                                   */
    bool is_nullable; /* null means none, which the field says by 0; elsewhere null is as absence */
} ls_config_key;

#define LS_CONFIG(k, key, field)                                                       \
    {                                                                                  \
        .name = key, .kind = LS_CONFIG_##k, .offset = offsetof(ls_model_config, field) \
    }
#define LS_CONFIG_SIZE(key, field)                                                      \
    {                                                                                   \
        .name = key, .kind = LS_CONFIG_INT, .offset = offsetof(ls_model_config, field), \
        .is_required = true                                                             \
    }
#define LS_CONFIG_OR_NULL(k, key, field)                                                \
    {                                                                                   \
        .name = key, .kind = LS_CONFIG_##k, .offset = offsetof(ls_model_config, field), \
        .is_nullable = true                                                             \
    }

#endif
