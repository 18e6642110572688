/* Scaled rotation in GGUF files, both ways.
 *
 *     linear, yarn             keys rope.scaling.*
 *     Llama 3                  tensor rope_freqs.weight: divisors of the frequencies
 *     longrope (Phi-3)         tensors rope_factors_long.weight and rope_factors_short.weight */
#include "formats/gguf_rope.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *key_of(char key[128], const ls_gguf_arch *arch, const char *suffix)
{
    snprintf(key, 128, "%s.%s", arch->name, suffix);
    return key;
}

/* The values of a vector of 1 to LS_MOST_ROPE_FACTORS floats. */
static leash_status read_vector(double *out, int64_t *n, const ls_gguf *file, const char *name)
{
    const ls_gguf_tensor *t = ls_gguf_find_tensor(file, name);
    if (t == NULL || t->rank != 1 || t->n < 1 || t->n > LS_MOST_ROPE_FACTORS || t->type == NULL ||
        t->type->block_n != 1)
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s' is missing or no vector of 1 to %d floats",
                       file->path, name, LS_MOST_ROPE_FACTORS);
    float values[LS_MOST_ROPE_FACTORS];
    t->type->to_float(values, t->data, t->n);
    for (int64_t i = 0; i < t->n; i++)
        out[i] = (double)values[i];
    *n = t->n;
    return LEASH_OK;
}

/* Llama 3's formula with its published numbers: which divisor a frequency has. */
static double llama3_divisor(const ls_rope_scaling *s, double frequency)
{
    double original = (double)s->original_max_position_embeddings;
    double length = 6.283185307179586 / frequency;
    if (length < original / s->high_freq_factor)
        return 1.0;
    if (length > original / s->low_freq_factor)
        return s->factor;
    double share =
        (original / length - s->low_freq_factor) / (s->high_freq_factor - s->low_freq_factor);
    return 1.0 / ((1.0 - share) / s->factor + share);
}

/* Divisors of the frequencies: recognised as Llama 3's rule, so that a saved model says so, or else
 * kept as they are. */
static leash_status read_divisors(ls_model_config *c, const ls_gguf *file)
{
    ls_rope_scaling *s = &c->rope_scaling;
    LS_TRY(read_vector(s->long_factor, &s->n_factors, file, "rope_freqs.weight"));
    int64_t n = s->n_factors;
    ls_rope_scaling llama3 = {.type = LS_ROPE_LLAMA3,
                              .factor = s->long_factor[n - 1],
                              .low_freq_factor = 1.0,
                              .high_freq_factor = 4.0,
                              .original_max_position_embeddings = 8192};
    bool is_llama3 = true;
    for (int64_t i = 0; i < n; i++) {
        double frequency = pow(c->rope_theta, -(double)i / (double)n);
        double expected = llama3_divisor(&llama3, frequency);
        is_llama3 &= fabs(s->long_factor[i] - expected) <= 1e-4 * expected;
        s->short_factor[i] = s->long_factor[i];
    }
    if (is_llama3) {
        *s = llama3;
        return LEASH_OK;
    }
    s->type = LS_ROPE_LONGROPE;
    s->factor = s->attention_factor = 1.0;
    s->original_max_position_embeddings = c->max_position_embeddings;
    return LEASH_OK;
}

static leash_status read_longrope(ls_model_config *c, const ls_gguf *file)
{
    ls_rope_scaling *s = &c->rope_scaling;
    int64_t n_short = 0;
    LS_TRY(read_vector(s->long_factor, &s->n_factors, file, "rope_factors_long.weight"));
    LS_TRY(read_vector(s->short_factor, &n_short, file, "rope_factors_short.weight"));
    if (n_short != s->n_factors)
        return ls_fail(LEASH_FORMAT,
                       "%s: tensors 'rope_factors_long.weight' and 'rope_factors_short.weight' "
                       "differ in length",
                       file->path);
    s->type = LS_ROPE_LONGROPE;
    s->factor = 0.0; /* from the two lengths */
    if (s->attention_factor == 0.0)
        s->attention_factor = 1.0;
    return LEASH_OK;
}

static bool is_text(ls_gguf_text text, const char *name)
{
    return text.n == strlen(name) && memcmp(text.data, name, text.n) == 0;
}

leash_status ls_gguf_read_rope(ls_model_config *c, const ls_gguf *file, const ls_gguf_arch *arch)
{
    char key[128];
    ls_rope_scaling *s = &c->rope_scaling;
    int64_t width = 0, head = c->head_dim ? c->head_dim : c->hidden_size / c->num_attention_heads;
    LS_TRY(ls_gguf_get_int(&width, file, key_of(key, arch, "rope.dimension_count")));
    if (width > 0 && head > 0)
        c->partial_rotary_factor = width == head ? 0.0 : (double)width / (double)head;
    LS_TRY(ls_gguf_get_int(&s->original_max_position_embeddings, file,
                           key_of(key, arch, "rope.scaling.original_context_length")));
    LS_TRY(ls_gguf_get_float(&s->factor, file, key_of(key, arch, "rope.scaling.factor")));
    LS_TRY(ls_gguf_get_float(&s->attention_factor, file,
                             key_of(key, arch, "rope.scaling.attn_factor")));
    LS_TRY(
        ls_gguf_get_float(&s->beta_fast, file, key_of(key, arch, "rope.scaling.yarn_beta_fast")));
    LS_TRY(
        ls_gguf_get_float(&s->beta_slow, file, key_of(key, arch, "rope.scaling.yarn_beta_slow")));
    if (ls_gguf_find_tensor(file, "rope_factors_long.weight"))
        return read_longrope(c, file);
    if (ls_gguf_find_tensor(file, "rope_freqs.weight"))
        return read_divisors(c, file);
    ls_gguf_text type = {0};
    LS_TRY(ls_gguf_get_text(&type, file, key_of(key, arch, "rope.scaling.type")));
    if (type.data == NULL || is_text(type, "none")) {
        *s = (ls_rope_scaling){0};
    } else if (is_text(type, "linear")) {
        s->type = LS_ROPE_LINEAR;
    } else if (is_text(type, "yarn")) {
        s->type = LS_ROPE_YARN;
        if (s->attention_factor != 0.0) /* there it multiplies the usual one */
            s->attention_factor *= s->factor > 1.0 ? 0.1 * log(s->factor) + 1.0 : 1.0;
    } else {
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: key '%s' is '%.*s'; none, linear, yarn and longrope are known",
                       file->path, key, (int)(type.n < 40 ? type.n : 40), type.data);
    }
    return LEASH_OK;
}

static void set_divisors(ls_gguf_factors *out, const ls_model_config *c)
{
    int64_t head = c->head_dim;
    double part = c->partial_rotary_factor > 0.0 ? c->partial_rotary_factor : 1.0;
    out->n_tensors = 1;
    out->n = (int64_t)((double)head * part) / 2;
    out->names[0] = "rope_freqs.weight";
    for (int64_t i = 0; i < out->n; i++) {
        double frequency = pow(c->rope_theta, -(double)i / (double)out->n);
        out->values[0][i] = (float)llama3_divisor(&c->rope_scaling, frequency);
    }
}

void ls_gguf_rope_factors(ls_gguf_factors *out, const ls_model_config *c)
{
    const ls_rope_scaling *s = &c->rope_scaling;
    *out = (ls_gguf_factors){0};
    if (s->type == LS_ROPE_LLAMA3) {
        set_divisors(out, c);
    } else if (s->type == LS_ROPE_LONGROPE) {
        out->n_tensors = 2;
        out->n = s->n_factors;
        out->names[0] = "rope_factors_long.weight";
        out->names[1] = "rope_factors_short.weight";
        for (int64_t i = 0; i < s->n_factors; i++) {
            out->values[0][i] = (float)s->long_factor[i];
            out->values[1][i] = (float)s->short_factor[i];
        }
    }
}

/* The magnitude that goes with longer rotation, which transformers derives from the two lengths
 * where the config does not say it. */
static double longrope_magnitude(const ls_model_config *c)
{
    const ls_rope_scaling *s = &c->rope_scaling;
    double original = (double)s->original_max_position_embeddings;
    double factor = s->factor > 0.0 || original <= 0.0
                        ? s->factor
                        : (double)c->max_position_embeddings / original;
    if (s->attention_factor > 0.0)
        return s->attention_factor;
    return factor > 1.0 ? sqrt(1.0 + log(factor) / log(original)) : 1.0;
}

leash_status ls_gguf_put_rope(ls_gguf_keys *keys, const ls_model_config *c,
                              const ls_gguf_arch *arch)
{
    char key[128];
    const ls_rope_scaling *s = &c->rope_scaling;
    double part = c->partial_rotary_factor > 0.0 ? c->partial_rotary_factor : 1.0;
    ls_gguf_put_u32(keys, key_of(key, arch, "rope.dimension_count"),
                    (uint32_t)((double)c->head_dim * part));
    ls_gguf_put_f32(keys, key_of(key, arch, "rope.freq_base"), (float)c->rope_theta);
    if (c->rope_local_base_freq > 0.0)
        ls_gguf_put_f32(keys, key_of(key, arch, "rope.freq_base_swa"),
                        (float)c->rope_local_base_freq);
    if (s->original_max_position_embeddings > 0 && s->type != LS_ROPE_LLAMA3)
        ls_gguf_put_u32(keys, key_of(key, arch, "rope.scaling.original_context_length"),
                        (uint32_t)s->original_max_position_embeddings);
    switch (s->type) {
    case LS_ROPE_DEFAULT:
    case LS_ROPE_LLAMA3: return LEASH_OK;
    case LS_ROPE_LINEAR:
        ls_gguf_put_text(keys, key_of(key, arch, "rope.scaling.type"), "linear");
        ls_gguf_put_f32(keys, key_of(key, arch, "rope.scaling.factor"), (float)s->factor);
        return LEASH_OK;
    case LS_ROPE_LONGROPE:
        ls_gguf_put_f32(keys, key_of(key, arch, "rope.scaling.attn_factor"),
                        (float)longrope_magnitude(c));
        return LEASH_OK;
    case LS_ROPE_YARN:
        if (s->attention_factor > 0.0 || s->mscale > 0.0 || s->beta_fast > 0.0 ||
            s->beta_slow > 0.0)
            break;
        ls_gguf_put_text(keys, key_of(key, arch, "rope.scaling.type"), "yarn");
        ls_gguf_put_f32(keys, key_of(key, arch, "rope.scaling.factor"), (float)s->factor);
        return LEASH_OK;
    case LS_ROPE_DYNAMIC: break;
    }
    return ls_fail(LEASH_UNSUPPORTED,
                   "GGUF cannot say this scaling of rotation (dynamic, or yarn with numbers of its "
                   "own)");
}
