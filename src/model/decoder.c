/* The decoder of all families: weights by the design's names, and the forward.  decoder.h tells the
 * formulas. */
#include "model/decoder.h"

#include <math.h>
#include <stdio.h>

typedef struct { /* a matrix or a norm with what goes with it; w NULL: not there, b NULL: no bias */
    ls_weight *w, *b;
} part;

typedef struct {
    part attention_norm, q, k, v, qkv, o, q_norm, k_norm, attention_out_norm;
    part mlp_norm, gate, up, gate_up, down, mlp_out_norm;
    ls_weight *router; /* NULL: no experts */
    ls_expert *experts;
} layer;

typedef struct {
    part norm;
    ls_weight *positions;
    layer *layers;
} decoder;

/* ---- layers ---- */

void ls_layers_set(ls_model_config *c, uint8_t bit, bool is_set)
{
    for (int64_t l = 0; l < c->num_hidden_layers && l < LS_MOST_LAYERS; l++)
        c->layers[l] = (uint8_t)(is_set ? c->layers[l] | bit : c->layers[l] & ~bit);
}

void ls_qwen_complete(ls_model_config *c)
{
    if (!c->use_sliding_window)
        c->sliding_window = 0;
    for (int64_t l = 0; l < c->num_hidden_layers && l < LS_MOST_LAYERS; l++)
        if (!c->has_layer_types && c->sliding_window > 0 && l >= c->max_window_layers)
            c->layers[l] |= LS_LAYER_SLIDING;
}

/* ---- weights ---- */

static part add_norm(ls_model *model, const char *name, int64_t width, const char *prefix)
{
    const ls_decoder_design *d = model->family->design;
    if (name == NULL)
        return (part){0};
    part p = {.w = ls_model_add_weight(model, 1, width, false, "%s%s.weight", prefix, name)};
    if (d->norm == LS_NORM_RMS_PLUS_ONE) {
        p.w->adds_one = true;
        p.w->init_fill = 0.0f;
    }
    if (d->norm == LS_NORM_LAYER) {
        p.b = ls_model_add_weight(model, 1, width, false, "%s%s.bias", prefix, name);
        p.b->init_fill = 0.0f;
    }
    return p;
}

static part add_matrix(ls_model *model, const char *name, int64_t rows, int64_t cols, bool has_bias,
                       const char *prefix)
{
    if (name == NULL)
        return (part){0};
    part p = {.w = ls_model_add_weight(model, rows, cols, true, "%s%s.weight", prefix, name)};
    p.w->is_stored_transposed = model->family->design->is_stored_transposed;
    if (has_bias) {
        p.b = ls_model_add_weight(model, 1, rows, false, "%s%s.bias", prefix, name);
        p.b->init_fill = 0.0f;
    }
    return p;
}

/* The two outputs of a layer add up over 2L additions to the residual stream. */
static part add_output(ls_model *model, const char *name, int64_t rows, int64_t cols, bool has_bias,
                       const char *prefix)
{
    const ls_model_config *c = &model->config;
    part p = add_matrix(model, name, rows, cols, has_bias, prefix);
    p.w->init_std = (float)(c->initializer_range / sqrt(2.0 * (double)c->num_hidden_layers));
    return p;
}

static void declare_attention(ls_model *model, layer *w, const char *prefix)
{
    const ls_model_config *c = &model->config;
    const ls_decoder_design *d = model->family->design;
    int64_t C = c->hidden_size, D = c->head_dim;
    int64_t q_width = c->num_attention_heads * D, kv_width = c->num_key_value_heads * D;
    bool by_key = d->bias == LS_BIAS_BY_KEY && c->attention_bias;
    bool has_bias = d->bias != LS_BIAS_BY_KEY || by_key;
    w->attention_norm = add_norm(model, d->attention_norm, C, prefix);
    w->q = add_matrix(model, d->q, q_width, C, has_bias, prefix);
    w->k = add_matrix(model, d->k, kv_width, C, has_bias, prefix);
    w->v = add_matrix(model, d->v, kv_width, C, has_bias, prefix);
    w->qkv = add_matrix(model, d->qkv, q_width + 2 * kv_width, C, has_bias, prefix);
    w->q_norm = add_norm(model, d->q_norm, d->norms_whole_qk ? q_width : D, prefix);
    w->k_norm = add_norm(model, d->k_norm, d->norms_whole_qk ? kv_width : D, prefix);
    w->o = add_output(model, d->o, C, q_width, by_key || d->bias == LS_BIAS_ALL, prefix);
    w->attention_out_norm = add_norm(model, d->attention_out_norm, C, prefix);
}

static void declare_experts(ls_model *model, layer *w, const char *prefix)
{
    const ls_model_config *c = &model->config;
    const ls_decoder_design *d = model->family->design;
    int64_t C = c->hidden_size, F = c->moe_intermediate_size;
    w->router = add_matrix(model, d->router, c->num_experts, C, false, prefix).w;
    w->experts = ls_arena_alloc(model->arena, (size_t)c->num_experts * sizeof *w->experts);
    w->router->takes_lora = false;
    for (int e = 0; e < c->num_experts; e++) {
        char inner[96];
        snprintf(inner, sizeof inner, "%s%s.%d.", prefix, d->experts, e);
        ls_expert *expert = &w->experts[e];
        expert->gate = add_matrix(model, "gate_proj", F, C, false, inner).w;
        expert->up = add_matrix(model, "up_proj", F, C, false, inner).w;
        expert->down = add_output(model, "down_proj", C, F, false, inner).w;
        expert->gate->takes_lora = expert->up->takes_lora = expert->down->takes_lora = false;
    }
}

static void declare_mlp(ls_model *model, layer *w, const char *prefix, bool has_experts)
{
    const ls_model_config *c = &model->config;
    const ls_decoder_design *d = model->family->design;
    int64_t C = c->hidden_size, F = c->intermediate_size;
    bool has_bias = d->bias == LS_BIAS_ALL || (d->bias == LS_BIAS_BY_KEY && c->mlp_bias);
    w->mlp_norm = add_norm(model, d->mlp_norm, C, prefix);
    if (has_experts) {
        declare_experts(model, w, prefix);
        return;
    }
    w->gate = add_matrix(model, d->gate, F, C, has_bias, prefix);
    w->up = add_matrix(model, d->up, F, C, has_bias, prefix);
    w->gate_up = add_matrix(model, d->gate_up, 2 * F, C, has_bias, prefix);
    w->down = add_output(model, d->down, C, F, has_bias, prefix);
    w->mlp_out_norm = add_norm(model, d->mlp_out_norm, C, prefix);
}

static ls_weight *add_table(ls_model *model, const char *name, int64_t rows)
{
    ls_weight *w =
        ls_model_add_weight(model, rows, model->config.hidden_size, true, "%s.weight", name);
    w->takes_lora = false;
    return w;
}

static void build_rope(ls_model *model)
{
    const ls_model_config *c = &model->config;
    ls_rope_build(&model->rope, model, c->rope_theta, &c->rope_scaling);
    model->local_rope = model->rope;
    if (c->rope_local_base_freq > 0)
        ls_rope_build(&model->local_rope, model, c->rope_local_base_freq, NULL);
}

/* Scores of sequences, or of tokens; "classifier" in families that name it so. */
static void declare_score(ls_model *model)
{
    const ls_model_config *c = &model->config;
    const char *name = "score", *of_tokens = model->family->design->token_score;
    if (c->head == LS_HEAD_TOKEN_SCORES && of_tokens)
        name = of_tokens;
    model->score = add_table(model, name, c->num_labels);
    if (c->head == LS_HEAD_TOKEN_SCORES) {
        model->score_bias = ls_model_add_weight(model, 1, c->num_labels, false, "%s.bias", name);
        model->score_bias->init_fill = 0.0f;
    }
}

void ls_decoder_declare(ls_model *model)
{
    const ls_model_config *c = &model->config;
    const ls_decoder_design *d = model->family->design;
    decoder *net = ls_arena_zalloc(model->arena, sizeof *net);
    net->layers = ls_arena_zalloc(model->arena, (size_t)c->num_hidden_layers * sizeof *net->layers);
    model->layers = net;
    model->embedding = add_table(model, d->embedding, c->vocab_size);
    if (d->positions)
        net->positions = add_table(model, d->positions, c->max_position_embeddings);
    else
        build_rope(model);
    for (int l = 0; l < c->num_hidden_layers; l++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "%s.%d.", d->layers, l);
        declare_attention(model, &net->layers[l], prefix);
        declare_mlp(model, &net->layers[l], prefix, c->layers[l] & LS_LAYER_EXPERTS);
    }
    net->norm = add_norm(model, d->final_norm, c->hidden_size, "");
    if (c->head != LS_HEAD_TOKENS) {
        declare_score(model);
        return;
    }
    if (!c->tie_word_embeddings)
        model->head = add_table(model, d->head, c->vocab_size);
    ls_weight *head = c->tie_word_embeddings ? model->embedding : model->head;
    head->softcap = (float)c->final_logit_softcapping;
}

/* ---- forward ---- */

typedef struct {
    const ls_model *model;
    const layer *layer;
    const ls_batch *batch;
    int64_t l;
} layer_context;

static ls_tensor *norm(const ls_model *model, ls_tape *tape, ls_tensor *x, const part *p)
{
    float eps = (float)model->config.rms_norm_eps;
    if (p->w == NULL)
        return x;
    return p->b ? ls_op_layernorm(tape, x, p->w, p->b, eps) : ls_op_rmsnorm(tape, x, p->w, eps);
}

static ls_tensor *multiply(ls_tape *tape, ls_tensor *x, const part *p)
{
    ls_tensor *y = ls_op_linear(tape, x, p->w);
    return p->b ? ls_op_bias(tape, y, p->b) : y;
}

static ls_tensor *scaled(ls_tape *tape, ls_tensor *x, double scale)
{
    return scale == 0.0 || scale == 1.0 ? x : ls_op_scale(tape, x, (float)scale);
}

static ls_attention_config attention_config(const layer_context *ctx)
{
    const ls_model_config *c = &ctx->model->config;
    int bits = c->layers[ctx->l];
    bool is_sliding = bits & LS_LAYER_SLIDING;
    bool is_rotated = !ctx->model->family->design->positions && !(bits & LS_LAYER_NO_ROPE);
    double scale = 1.0 / sqrt((double)c->head_dim);
    if (c->query_pre_attn_scalar > 0)
        scale = 1.0 / sqrt((double)c->query_pre_attn_scalar);
    if (c->attention_multiplier > 0)
        scale = c->attention_multiplier;
    if (c->scale_attn_by_inverse_layer_idx)
        scale /= (double)(ctx->l + 1);
    const ls_rope_table *rope = is_sliding ? &ctx->model->local_rope : &ctx->model->rope;
    return (ls_attention_config){.H = c->num_attention_heads,
                                 .G = c->num_key_value_heads,
                                 .D = c->head_dim,
                                 .window = is_sliding ? c->sliding_window : 0,
                                 .scale = (float)scale,
                                 .softcap = (float)c->attn_logit_softcapping,
                                 .rope = is_rotated ? rope : NULL};
}

typedef struct {
    ls_tensor *q, *k, *v;
} projections;

static projections project(const layer_context *ctx, ls_tape *tape, ls_tensor *a)
{
    const ls_model_config *c = &ctx->model->config;
    const layer *w = ctx->layer;
    int64_t H = c->num_attention_heads, G = c->num_key_value_heads, D = c->head_dim;
    projections p;
    if (w->qkv.w == NULL) {
        p.q = multiply(tape, a, &w->q);
        p.k = multiply(tape, a, &w->k);
        p.v = multiply(tape, a, &w->v);
        return p;
    }
    ls_tensor *all = multiply(tape, a, &w->qkv);
    if (ctx->model->family->design->interleaves_heads) {
        p.q = ls_op_columns(tape, all, H, 0, D);
        p.k = ls_op_columns(tape, all, H, D, D);
        p.v = ls_op_columns(tape, all, H, 2 * D, D);
        return p;
    }
    p.q = ls_op_columns(tape, all, 1, 0, H * D);
    p.k = ls_op_columns(tape, all, 1, H * D, G * D);
    p.v = ls_op_columns(tape, all, 1, (H + G) * D, G * D);
    return p;
}

/* a: the normed input of the layer; returns what is added to the residual stream. */
static ls_tensor *attend(const layer_context *ctx, ls_tape *tape, ls_tensor *a)
{
    const ls_model *model = ctx->model;
    const layer *w = ctx->layer;
    ls_attention_config config = attention_config(ctx);
    projections p = project(ctx, tape, a);
    ls_tensor *q = norm(model, tape, p.q, &w->q_norm), *k = norm(model, tape, p.k, &w->k_norm);
    ls_tensor *o = ls_op_attention(tape, q, k, p.v, ctx->batch, &config);
    o = norm(model, tape, multiply(tape, o, &w->o), &w->attention_out_norm);
    return scaled(tape, o, model->config.residual_multiplier);
}

static ls_tensor *activate(const ls_model_config *c, ls_tape *tape, ls_tensor *gate, ls_tensor *up)
{
    if (c->hidden_act == LS_SILU)
        return ls_op_swiglu(tape, gate, up);
    return ls_op_gelu(tape, gate, up, c->hidden_act == LS_GELU_EXACT);
}

/* The same for the feed-forward part. */
static ls_tensor *feed_forward(const layer_context *ctx, ls_tape *tape, ls_tensor *m)
{
    const ls_model_config *c = &ctx->model->config;
    const layer *w = ctx->layer;
    ls_tensor *gate, *up = NULL;
    if (w->router) {
        ls_experts_config config = {.router = w->router,
                                    .experts = w->experts,
                                    .E = c->num_experts,
                                    .K = c->num_experts_per_tok,
                                    .F = c->moe_intermediate_size,
                                    .renormalises = c->norm_topk_prob};
        return ls_op_experts(tape, m, &config);
    }
    if (w->gate_up.w) {
        ls_tensor *both = multiply(tape, m, &w->gate_up);
        gate = ls_op_columns(tape, both, 1, 0, c->intermediate_size);
        up = ls_op_columns(tape, both, 1, c->intermediate_size, c->intermediate_size);
    } else if (w->gate.w) {
        gate = multiply(tape, m, &w->gate);
        up = multiply(tape, m, &w->up);
    } else {
        gate = multiply(tape, m, &w->up);
    }
    ls_tensor *f = multiply(tape, activate(c, tape, gate, up), &w->down);
    return scaled(tape, norm(ctx->model, tape, f, &w->mlp_out_norm), c->residual_multiplier);
}

static ls_tensor *forward_layer(ls_tape *tape, ls_tensor *x, void *context)
{
    const layer_context *ctx = context;
    const ls_model *model = ctx->model;
    const layer *w = ctx->layer;
    ls_tensor *a = norm(model, tape, x, &w->attention_norm);
    if (model->config.use_parallel_residual) {
        /* Both norms before both branches: the order that ls_op_add asks for. */
        ls_tensor *m = norm(model, tape, x, &w->mlp_norm);
        ls_tensor *attended = attend(ctx, tape, a), *fed = feed_forward(ctx, tape, m);
        return ls_op_add(tape, x, ls_op_add(tape, attended, fed));
    }
    x = ls_op_add(tape, x, attend(ctx, tape, a));
    return ls_op_add(tape, x, feed_forward(ctx, tape, norm(model, tape, x, &w->mlp_norm)));
}

ls_tensor *ls_decoder_forward(ls_model *model, ls_tape *tape, const ls_batch *batch)
{
    const ls_model_config *c = &model->config;
    const decoder *net = model->layers;
    float scale = c->embedding_multiplier > 0 ? (float)c->embedding_multiplier : 1.0f;
    tape->layer = -1;
    ls_tensor *x = ls_op_embed(tape, model->embedding, batch->ids, batch->n_rows, scale);
    if (net->positions)
        x = ls_op_add(tape, x, ls_op_embed(tape, net->positions, batch->pos, batch->n_rows, 1.0f));
    for (int32_t l = 0; l < c->num_hidden_layers; l++) {
        layer_context context = {.model = model, .layer = &net->layers[l], .batch = batch, .l = l};
        tape->layer = l;
        x = ls_op_block(tape, x, forward_layer, &context, sizeof context);
    }
    tape->layer = -1;
    x = norm(model, tape, x, &net->norm);
    return c->logits_scaling > 0 ? scaled(tape, x, 1.0 / c->logits_scaling) : x;
}

/* ---- what can be computed ---- */

static leash_status check_sizes(const ls_model_config *c)
{
    const struct {
        const char *key;
        int64_t value, most;
    } sizes[] = {
        {"vocab_size", c->vocab_size, INT32_MAX},
        {"hidden_size", c->hidden_size, 1 << 20},
        {"intermediate_size", c->intermediate_size, 1 << 22},
        {"num_hidden_layers", c->num_hidden_layers, LS_MOST_LAYERS},
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
    return LEASH_OK;
}

static leash_status check_numbers(const ls_model_config *c)
{
    const struct {
        const char *key;
        double value;
    } numbers[] = {
        {"rms_norm_eps", c->rms_norm_eps},
        {"embedding_multiplier", c->embedding_multiplier},
        {"residual_multiplier", c->residual_multiplier},
        {"logits_scaling", c->logits_scaling},
        {"attention_multiplier", c->attention_multiplier},
        {"query_pre_attn_scalar", (double)c->query_pre_attn_scalar},
        {"attn_logit_softcapping", c->attn_logit_softcapping},
        {"final_logit_softcapping", c->final_logit_softcapping},
        {"sliding_window_pattern", (double)c->sliding_window_pattern},
        {"no_rope_layer_interval", (double)c->no_rope_layer_interval},
        {"max_window_layers", (double)c->max_window_layers},
        {"decoder_sparse_step", (double)c->decoder_sparse_step},
    };
    for (size_t i = 0; i < LS_COUNT(numbers); i++)
        if (!(numbers[i].value >= 0.0) || !isfinite(numbers[i].value))
            return ls_fail(LEASH_FORMAT, "model: %s is %g, expected 0 or more", numbers[i].key,
                           numbers[i].value);
    return LEASH_OK;
}

static leash_status check_score(const ls_model_config *c)
{
    if (c->head == LS_HEAD_TOKENS || c->num_labels == 1 || c->num_labels == 2)
        return LEASH_OK;
    return ls_fail(LEASH_UNSUPPORTED,
                   "model: it has %lld labels; a model that scores has 1 (a reward) or 2 (their "
                   "log-odds)",
                   (long long)c->num_labels);
}

static leash_status check_experts(const ls_model_config *c)
{
    if (c->num_experts == 0)
        return LEASH_OK;
    if (c->num_experts < 1 || c->num_experts > 1 << 10)
        return ls_fail(LEASH_FORMAT, "model: num_experts is %lld, expected 1 to 1024",
                       (long long)c->num_experts);
    if (c->num_experts_per_tok < 1 || c->num_experts_per_tok > c->num_experts)
        return ls_fail(LEASH_FORMAT,
                       "model: num_experts_per_tok is %lld, expected 1 to num_experts (%lld)",
                       (long long)c->num_experts_per_tok, (long long)c->num_experts);
    if (c->moe_intermediate_size < 1 || c->moe_intermediate_size > 1 << 22)
        return ls_fail(LEASH_FORMAT, "model: moe_intermediate_size is %lld, expected 1 to %d",
                       (long long)c->moe_intermediate_size, 1 << 22);
    if (c->hidden_act != LS_SILU)
        return ls_fail(LEASH_UNSUPPORTED, "model: experts with another hidden_act than silu");
    for (int64_t l = 0; l < c->num_hidden_layers; l++)
        if (c->layers[l] & LS_LAYER_EXPERTS || c->decoder_sparse_step > 0)
            return LEASH_OK;
    return ls_fail(LEASH_FORMAT,
                   "model: num_experts is %lld, but no layer has experts: decoder_sparse_step is "
                   "0, expected 1 or more",
                   (long long)c->num_experts);
}

leash_status ls_decoder_check(const ls_model_config *c)
{
    const ls_family *family;
    LS_TRY(ls_family_find(&family, c->family));
    const ls_decoder_design *d = family->design;
    LS_TRY(check_sizes(c));
    LS_TRY(check_numbers(c));
    LS_TRY(check_score(c));
    if (d->interleaves_heads && c->num_key_value_heads != c->num_attention_heads)
        return ls_fail(LEASH_FORMAT, "model: family %s has as many kv heads as heads", c->family);
    if (c->hidden_act == LS_SILU && !d->gate && !d->gate_up)
        return ls_fail(LEASH_UNSUPPORTED, "model: family %s with silu has no gate to work on",
                       c->family);
    LS_TRY(check_experts(c));
    for (int64_t l = 0; l < c->num_hidden_layers; l++)
        if ((c->layers[l] & LS_LAYER_SLIDING) && c->sliding_window < 1)
            return ls_fail(LEASH_FORMAT,
                           "model: layer %lld slides, but sliding_window is %lld, expected 1 or "
                           "more",
                           (long long)l, (long long)c->sliding_window);
    return d->positions ? LEASH_OK : ls_rope_check(c);
}
