/* Architectures of GGUF files, and their metadata as a config.
 *
 * Writers vary in the width of integers and leave out what has a usual value, so only sizes are
 * required.  Two things are not keys but tensors: a head that is not the embedding (output.weight),
 * and biases.  Scaled rotation is gguf_rope.c's. */
#include "formats/gguf_model.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "formats/gguf_rope.h"
#include "model/decoder.h"

static const ls_gguf_arch archs[] = {
    {"llama", "llama", true},       {"llama", "mistral", true},       {"llama", "mixtral", true},
    {"smollm3", "smollm3", true},   {"granite", "granite", true},     {"qwen2", "qwen2", false},
    {"qwen3", "qwen3", false},      {"qwen3moe", "qwen3_moe", false}, {"gemma", "gemma", false},
    {"gemma2", "gemma2", false},    {"gemma3", "gemma3_text", false}, {"phi3", "phi3", false},
    {"olmo2", "olmo2", false},      {"olmoe", "olmoe", false},        {"gpt2", "gpt2", false},
    {"gptneox", "gpt_neox", false},
};

/* "ARCH.suffix" of the file at hand. */
typedef struct {
    const ls_gguf *file;
    const ls_gguf_arch *arch;
    char key[128];
} reader;

static const char *key_of(reader *r, const char *suffix)
{
    snprintf(r->key, sizeof r->key, "%s.%s", r->arch->name, suffix);
    return r->key;
}

static bool has_key(reader *r, const char *suffix)
{
    return ls_gguf_find(r->file, key_of(r, suffix)) != NULL;
}

static bool has_tensor(const ls_gguf *file, const char *name)
{
    return ls_gguf_find_tensor(file, name) != NULL;
}

static leash_status fail_arch(const ls_gguf *file, ls_gguf_text name)
{
    ls_str list = LS_STR_INIT;
    for (size_t i = 0; i < LS_COUNT(archs); i++)
        if (i == 0 || strcmp(archs[i].name, archs[i - 1].name) != 0)
            ls_str_appendf(&list, "%s%s", i > 0 ? ", " : "", archs[i].name);
    leash_status status =
        ls_fail(LEASH_UNSUPPORTED, "%s: general.architecture is '%.*s'; known: %s", file->path,
                (int)(name.n < 40 ? name.n : 40), name.data ? name.data : "", list.data);
    ls_str_release(&list);
    return status;
}

/* Files of architecture "llama" hold several families. */
static const char *family_of_llama(const ls_gguf *file)
{
    int64_t experts = 0, window = 0;
    if (ls_gguf_get_int(&experts, file, "llama.expert_count") == LEASH_OK && experts > 0)
        return "mixtral";
    if (ls_gguf_get_int(&window, file, "llama.attention.sliding_window") == LEASH_OK && window > 0)
        return "mistral";
    return "llama";
}

leash_status ls_gguf_find_arch(const ls_gguf_arch **out, const ls_gguf *file)
{
    ls_gguf_text name = {0}, type = {0};
    LS_TRY(ls_gguf_get_text(&type, file, "general.type"));
    if (type.data && (type.n != 5 || memcmp(type.data, "model", 5) != 0))
        return ls_fail(LEASH_UNSUPPORTED, "%s: general.type is '%.*s', expected a 'model'",
                       file->path, (int)(type.n < 40 ? type.n : 40), type.data);
    LS_TRY(ls_gguf_get_text(&name, file, "general.architecture"));
    for (size_t i = 0; i < LS_COUNT(archs); i++) {
        const ls_gguf_arch *arch = &archs[i];
        if (name.n != strlen(arch->name) || memcmp(name.data, arch->name, name.n) != 0)
            continue;
        if (strcmp(arch->name, "llama") == 0 && strcmp(arch->family, family_of_llama(file)) != 0)
            continue;
        *out = arch;
        return LEASH_OK;
    }
    return fail_arch(file, name);
}

const ls_gguf_arch *ls_gguf_arch_of(const ls_model_config *config)
{
    for (size_t i = 0; i < LS_COUNT(archs); i++)
        if (strcmp(archs[i].family, config->family) == 0)
            return &archs[i];
    return NULL;
}

/* --- numbers --- */

/* A number, or a list of equal ones (some keys may differ by layer; here they may not). */
static leash_status read_size(int64_t *out, reader *r, const char *suffix)
{
    const ls_gguf_value *v = ls_gguf_find(r->file, key_of(r, suffix));
    if (v == NULL || !v->is_array)
        return ls_gguf_get_int(out, r->file, r->key);
    int64_t *list, n;
    LS_TRY(ls_gguf_get_ints(&list, &n, r->file, r->key));
    bool is_same = n > 0;
    for (int64_t i = 1; i < n; i++)
        is_same &= list[i] == list[0];
    if (is_same)
        *out = list[0];
    ls_free(list);
    return is_same ? LEASH_OK
                   : ls_fail(LEASH_UNSUPPORTED, "%s: key '%s' differs from layer to layer",
                             r->file->path, r->key);
}

static leash_status read_sizes(ls_model_config *c, reader *r)
{
    const struct {
        const char *suffix;
        int64_t *out;
        bool is_required;
    } sizes[] = {
        {"embedding_length", &c->hidden_size, true},
        {"block_count", &c->num_hidden_layers, true},
        {"attention.head_count", &c->num_attention_heads, true},
        {"feed_forward_length", &c->intermediate_size, false},
        {"attention.head_count_kv", &c->num_key_value_heads, false},
        {"attention.key_length", &c->head_dim, false},
        {"context_length", &c->max_position_embeddings, false},
        {"attention.sliding_window", &c->sliding_window, false},
        {"expert_count", &c->num_experts, false},
        {"expert_used_count", &c->num_experts_per_tok, false},
        {"expert_feed_forward_length", &c->moe_intermediate_size, false},
    };
    c->num_key_value_heads = c->head_dim = c->sliding_window = 0;
    for (size_t i = 0; i < LS_COUNT(sizes); i++) {
        if (sizes[i].is_required && !has_key(r, sizes[i].suffix))
            return ls_fail(LEASH_FORMAT, "%s: key '%s' is missing", r->file->path,
                           key_of(r, sizes[i].suffix));
        LS_TRY(read_size(sizes[i].out, r, sizes[i].suffix));
    }
    if (c->num_hidden_layers < 1 || c->num_hidden_layers > LS_MOST_LAYERS ||
        c->num_attention_heads < 1 || c->hidden_size < 1)
        return ls_fail(
            LEASH_FORMAT, "%s: %lld layers of %lld heads and width %lld; expected 1 to %d layers",
            r->file->path, (long long)c->num_hidden_layers, (long long)c->num_attention_heads,
            (long long)c->hidden_size, LS_MOST_LAYERS);
    int64_t value_length = c->head_dim;
    LS_TRY(read_size(&value_length, r, "attention.value_length"));
    if (value_length != c->head_dim)
        return ls_fail(LEASH_UNSUPPORTED, "%s: key '%s' is %lld, but keys have %lld", r->file->path,
                       r->key, (long long)value_length, (long long)c->head_dim);
    return LEASH_OK;
}

/* Keys are floats of what was written in decimal: 1e-5 and not 9.999999747378752e-06. */
static leash_status read_decimal(double *out, const ls_gguf *file, const char *key)
{
    char text[32];
    double value = *out;
    LS_TRY(ls_gguf_get_float(&value, file, key));
    if (ls_gguf_find(file, key) == NULL)
        return LEASH_OK;
    if (!ls_parse_double(ls_format_float(text, (float)value), out))
        return ls_fail(LEASH_FORMAT, "%s: key '%s' is %g", file->path, key, value);
    return LEASH_OK;
}

static leash_status read_floats(ls_model_config *c, reader *r)
{
    const struct {
        const char *suffix;
        double *out;
    } floats[] = {
        {"attention.layer_norm_rms_epsilon", &c->rms_norm_eps},
        {"attention.layer_norm_epsilon", &c->rms_norm_eps},
        {"rope.freq_base", &c->rope_theta},
        {"rope.freq_base_swa", &c->rope_local_base_freq},
        {"attn_logit_softcapping", &c->attn_logit_softcapping},
        {"final_logit_softcapping", &c->final_logit_softcapping},
        {"embedding_scale", &c->embedding_multiplier},
        {"residual_scale", &c->residual_multiplier},
        {"attention.scale", &c->attention_multiplier},
        {"logit_scale", &c->logits_scaling},
    };
    for (size_t i = 0; i < LS_COUNT(floats); i++)
        LS_TRY(read_decimal(floats[i].out, r->file, key_of(r, floats[i].suffix)));
    LS_TRY(ls_gguf_get_bool(&c->norm_topk_prob, r->file, key_of(r, "expert_weights_norm")));
    return ls_gguf_get_bool(&c->use_parallel_residual, r->file, key_of(r, "use_parallel_residual"));
}

static leash_status read_token(int32_t *out, const ls_gguf *file, const char *key)
{
    int64_t id = *out;
    LS_TRY(ls_gguf_get_int(&id, file, key));
    if (id < -1 || id > INT32_MAX)
        return ls_fail(LEASH_FORMAT, "%s: key '%s' is %lld, which is no token id", file->path, key,
                       (long long)id);
    *out = (int32_t)id;
    return LEASH_OK;
}

/* Absent ids are llama.cpp's: 1 and 2 for SentencePiece vocabularies. */
static leash_status read_tokens(ls_model_config *c, const ls_gguf *file)
{
    ls_gguf_text model = {0};
    LS_TRY(ls_gguf_get_text(&model, file, "tokenizer.ggml.model"));
    bool is_sentencepiece = model.n == 5 && memcmp(model.data, "llama", 5) == 0;
    c->bos_token_id = is_sentencepiece ? 1 : -1;
    c->eos_token_id = is_sentencepiece ? 2 : -1;
    LS_TRY(read_token(&c->bos_token_id, file, "tokenizer.ggml.bos_token_id"));
    return read_token(&c->eos_token_id, file, "tokenizer.ggml.eos_token_id");
}

/* --- layers --- */

/* A list of booleans by layer (true: sliding), or the number of layers in a period. */
static leash_status read_window_pattern(ls_model_config *c, reader *r)
{
    const ls_gguf_value *v = ls_gguf_find(r->file, key_of(r, "attention.sliding_window_pattern"));
    if (v == NULL || !v->is_array)
        return ls_gguf_get_int(&c->sliding_window_pattern, r->file, r->key);
    int64_t *list, n;
    LS_TRY(ls_gguf_get_ints(&list, &n, r->file, r->key));
    for (int64_t i = 0; i < n && i < c->num_hidden_layers; i++)
        c->layers[i] |= list[i] ? LS_LAYER_SLIDING : 0;
    ls_free(list);
    if (n < c->num_hidden_layers)
        return ls_fail(LEASH_FORMAT, "%s: key '%s' has %lld values for %lld layers", r->file->path,
                       r->key, (long long)n, (long long)c->num_hidden_layers);
    c->has_layer_types = true;
    return LEASH_OK;
}

/* --- a config --- */

/* What the file tells by having a tensor. */
static leash_status read_from_tensors(ls_model_config *c, const ls_gguf *file,
                                      const ls_family *family)
{
    const ls_gguf_tensor *embedding = ls_gguf_find_tensor(file, "token_embd.weight");
    if (embedding == NULL || embedding->rank != 2)
        return ls_fail(LEASH_FORMAT, "%s: tensor 'token_embd.weight' is missing or no matrix",
                       file->path);
    c->vocab_size = embedding->shape[0];
    c->tie_word_embeddings = !has_tensor(file, "output.weight");
    bool is_by_key = family->design->bias == LS_BIAS_BY_KEY;
    c->attention_bias = is_by_key && has_tensor(file, "blk.0.attn_output.bias");
    c->mlp_bias = is_by_key && has_tensor(file, "blk.0.ffn_down.bias");
    return LEASH_OK;
}

int64_t ls_gguf_gemma_scalar(const ls_model_config *c)
{
    bool is_27b = (strcmp(c->family, "gemma2") == 0 && c->num_hidden_layers == 46) ||
                  (strcmp(c->family, "gemma3_text") == 0 && c->num_hidden_layers == 62);
    return is_27b || c->head_dim == 0 ? c->hidden_size / c->num_attention_heads : c->head_dim;
}

static leash_status read_config(ls_model_config *c, const ls_gguf *file)
{
    reader r = {.file = file};
    LS_TRY(ls_gguf_find_arch(&r.arch, file));
    const ls_family *family;
    LS_TRY(ls_family_find(&family, r.arch->family));
    family->defaults(c);
    snprintf(c->family, sizeof c->family, "%s", family->name);
    LS_TRY(read_sizes(c, &r));
    LS_TRY(read_floats(c, &r));
    LS_TRY(read_tokens(c, file));
    LS_TRY(read_window_pattern(c, &r));
    LS_TRY(ls_gguf_read_rope(c, file, r.arch));
    LS_TRY(read_from_tensors(c, file, family));
    if (strcmp(r.arch->name, "qwen3moe") == 0)
        c->norm_topk_prob = true; /* llama.cpp always does it, and the files do not say it */
    if (c->query_pre_attn_scalar != 0)
        c->query_pre_attn_scalar = ls_gguf_gemma_scalar(c);
    ls_model_config_complete(c, family);
    return family->check(c);
}

leash_status ls_gguf_read_config(ls_model_config *out, const ls_gguf *file)
{
    leash_status status = read_config(out, file);
    if (status != LEASH_OK && !ls_starts_with(leash_error(), file->path))
        return ls_fail_in(status, "%s", file->path);
    return status;
}
