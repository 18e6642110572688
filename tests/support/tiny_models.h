/* For tests over every family: a tiny config of each in which every kind of layer occurs, sequences
 * are longer than the window, and the head size is no quotient of the sizes. */
#ifndef TINY_MODELS_H
#define TINY_MODELS_H

#include <string.h>
#include "model/decoder.h"

static inline ls_model_config tiny_config(const ls_family *family, int64_t max_positions)
{
    ls_model_config c;
    const ls_decoder_design *d = family->design;
    family->defaults(&c);
    c.vocab_size = 61;
    c.num_hidden_layers = 3;
    c.num_attention_heads = 6;
    c.num_key_value_heads = d->interleaves_heads || d->positions ? 6 : 2;
    c.head_dim = 10;
    c.hidden_size = d->interleaves_heads || d->positions ? 60 : 48;
    c.intermediate_size = 37;
    c.max_position_embeddings = max_positions;
    c.initializer_range = 0.2;
    if (d->qkv)
        c.partial_rotary_factor = 0.6;
    if (c.sliding_window > 0)
        c.sliding_window = 9;
    c.use_sliding_window = true; /* where the family has the key */
    c.max_window_layers = 1;
    c.sliding_window_pattern = c.sliding_window_pattern > 0 ? 2 : 0;
    c.no_rope_layer_interval = c.no_rope_layer_interval > 0 ? 2 : 0;
    c.attn_logit_softcapping = c.attn_logit_softcapping > 0 ? 3.0 : 0.0;
    c.final_logit_softcapping = c.final_logit_softcapping > 0 ? 4.0 : 0.0;
    if (c.residual_multiplier > 0) {
        c.embedding_multiplier = 3.0;
        c.attention_multiplier = 0.2;
        c.residual_multiplier = 0.6;
        c.logits_scaling = 1.7;
    }
    if (c.num_experts > 0) {
        c.num_experts = 5;
        c.num_experts_per_tok = 2;
        c.moe_intermediate_size = 19;
    }
    ls_model_config_complete(&c, family);
    return c;
}

#endif
