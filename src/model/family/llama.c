/* Llama: Llama 2 and 3, SmolLM2, TinyLlama and others of model_type "llama".
 *
 *     h = E[ids]
 *     each layer:  h += W_o attention(rope(W_q n), rope(W_k n), W_v n),   n = rmsnorm(h)
 *                  h += W_down (silu(W_gate m) * W_up m),                 m = rmsnorm(h)
 *     hidden = rmsnorm(h);   logits = hidden U^T,  U = E when tied
 *
 * Attention scale 1/sqrt(head_dim), no biases, head_dim may differ from hidden_size / heads.
 * Source: arXiv:2302.13971, 2307.09288; names of weights as in Hugging Face's files. */
#include <math.h>
#include "model/model.h"

typedef struct {
    ls_weight *attention_norm, *q, *k, *v, *o;
    ls_weight *mlp_norm, *gate, *up, *down;
} llama_layer;

typedef struct {
    ls_weight *norm;
    llama_layer *layers;
} llama;

static void declare_layer(ls_model *model, llama_layer *layer, int l)
{
    const ls_model_config *c = &model->config;
    int64_t C = c->hidden_size, F = c->intermediate_size;
    int64_t q_width = c->num_attention_heads * c->head_dim;
    int64_t kv_width = c->num_key_value_heads * c->head_dim;
    /* The two outputs of a layer add up over 2L additions to the residual stream. */
    float output_std = (float)(c->initializer_range / sqrt(2.0 * (double)c->num_hidden_layers));
    layer->attention_norm =
        ls_model_add_weight(model, 1, C, false, "model.layers.%d.input_layernorm.weight", l);
    layer->q =
        ls_model_add_weight(model, q_width, C, true, "model.layers.%d.self_attn.q_proj.weight", l);
    layer->k =
        ls_model_add_weight(model, kv_width, C, true, "model.layers.%d.self_attn.k_proj.weight", l);
    layer->v =
        ls_model_add_weight(model, kv_width, C, true, "model.layers.%d.self_attn.v_proj.weight", l);
    layer->o =
        ls_model_add_weight(model, C, q_width, true, "model.layers.%d.self_attn.o_proj.weight", l);
    layer->o->init_std = output_std;
    layer->mlp_norm = ls_model_add_weight(model, 1, C, false,
                                          "model.layers.%d.post_attention_layernorm.weight", l);
    layer->gate = ls_model_add_weight(model, F, C, true, "model.layers.%d.mlp.gate_proj.weight", l);
    layer->up = ls_model_add_weight(model, F, C, true, "model.layers.%d.mlp.up_proj.weight", l);
    layer->down = ls_model_add_weight(model, C, F, true, "model.layers.%d.mlp.down_proj.weight", l);
    layer->down->init_std = output_std;
}

static void declare(ls_model *model)
{
    const ls_model_config *c = &model->config;
    llama *net = ls_arena_alloc(model->arena, sizeof *net);
    net->layers = ls_arena_alloc(model->arena, (size_t)c->num_hidden_layers * sizeof *net->layers);
    model->layers = net;
    model->embedding = ls_model_add_weight(model, c->vocab_size, c->hidden_size, true,
                                           "model.embed_tokens.weight");
    for (int l = 0; l < c->num_hidden_layers; l++)
        declare_layer(model, &net->layers[l], l);
    net->norm = ls_model_add_weight(model, 1, c->hidden_size, false, "model.norm.weight");
    if (!c->tie_word_embeddings)
        model->head =
            ls_model_add_weight(model, c->vocab_size, c->hidden_size, true, "lm_head.weight");
}

typedef struct {
    const ls_model *model;
    const llama_layer *layer;
    const ls_batch *batch;
} layer_context;

static ls_tensor *forward_layer(ls_tape *tape, ls_tensor *x, void *context)
{
    const layer_context *ctx = context;
    const ls_model_config *c = &ctx->model->config;
    const llama_layer *w = ctx->layer;
    float eps = (float)c->rms_norm_eps;
    ls_attention_config attention = {.H = c->num_attention_heads,
                                     .G = c->num_key_value_heads,
                                     .D = c->head_dim,
                                     .scale = (float)(1.0 / sqrt((double)c->head_dim)),
                                     .rope = &ctx->model->rope};

    ls_tensor *n = ls_op_rmsnorm(tape, x, w->attention_norm, eps);
    ls_tensor *q = ls_op_linear(tape, n, w->q);
    ls_tensor *k = ls_op_linear(tape, n, w->k);
    ls_tensor *v = ls_op_linear(tape, n, w->v);
    ls_tensor *a = ls_op_attention(tape, q, k, v, ctx->batch, &attention);
    x = ls_op_add(tape, x, ls_op_linear(tape, a, w->o));

    ls_tensor *m = ls_op_rmsnorm(tape, x, w->mlp_norm, eps);
    ls_tensor *gate = ls_op_linear(tape, m, w->gate);
    ls_tensor *up = ls_op_linear(tape, m, w->up);
    ls_tensor *f = ls_op_swiglu(tape, gate, up);
    return ls_op_add(tape, x, ls_op_linear(tape, f, w->down));
}

static ls_tensor *forward(ls_model *model, ls_tape *tape, const ls_batch *batch)
{
    const llama *net = model->layers;
    tape->layer = -1;
    ls_tensor *x = ls_op_embed(tape, model->embedding, batch->ids, batch->n_rows, 1.0f);
    for (int32_t l = 0; l < model->config.num_hidden_layers; l++) {
        layer_context context = {.model = model, .layer = &net->layers[l], .batch = batch};
        tape->layer = l;
        x = ls_op_block(tape, x, forward_layer, &context, sizeof context);
    }
    tape->layer = -1;
    return ls_op_rmsnorm(tape, x, net->norm, (float)model->config.rms_norm_eps);
}

static leash_status check(const ls_model_config *c)
{
    const struct {
        const char *key;
        int64_t value, most;
    } sizes[] = {
        {"vocab_size", c->vocab_size, INT32_MAX},
        {"hidden_size", c->hidden_size, 1 << 20},
        {"intermediate_size", c->intermediate_size, 1 << 22},
        {"num_hidden_layers", c->num_hidden_layers, 1 << 12},
        {"num_attention_heads", c->num_attention_heads, 1 << 12},
        {"num_key_value_heads", c->num_key_value_heads, 1 << 12},
        {"head_dim", c->head_dim, 1 << 12},
        {"max_position_embeddings", c->max_position_embeddings, 1 << 24},
    };
    for (size_t i = 0; i < LS_COUNT(sizes); i++)
        if (sizes[i].value < 1 || sizes[i].value > sizes[i].most)
            return ls_fail(LEASH_FORMAT, "model: %s is %lld, expected 1 to %lld", sizes[i].key,
                           (long long)sizes[i].value, (long long)sizes[i].most);
    if (c->num_attention_heads % c->num_key_value_heads != 0)
        return ls_fail(LEASH_FORMAT,
                       "model: num_attention_heads %lld is no multiple of num_key_value_heads %lld",
                       (long long)c->num_attention_heads, (long long)c->num_key_value_heads);
    if (c->head_dim % 2 != 0)
        return ls_fail(LEASH_FORMAT,
                       "model: head_dim is %lld, but rotary positions need an even one",
                       (long long)c->head_dim);
    if (!(c->rope_theta > 0.0) || !isfinite(c->rope_theta))
        return ls_fail(LEASH_FORMAT, "model: rope_theta is %g, expected a positive number",
                       c->rope_theta);
    if (!(c->rms_norm_eps >= 0.0) || !isfinite(c->rms_norm_eps))
        return ls_fail(LEASH_FORMAT, "model: rms_norm_eps is %g, expected 0 or more",
                       c->rms_norm_eps);
    return LEASH_OK;
}

extern const ls_family ls_family_llama;
const ls_family ls_family_llama = {
    .name = "llama",
    .architecture = "LlamaForCausalLM",
    .help = "Llama 2 and 3, SmolLM2, TinyLlama: RMSNorm, rotary positions, SwiGLU",
    .declare = declare,
    .forward = forward,
    .check = check,
};
