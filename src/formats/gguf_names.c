/* GGUF's names of weights, from the roles that a family's design gives to its own names. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/gguf_model.h"
#include "model/decoder.h"

typedef struct {
    const char *gguf;
    size_t offset; /* of the family's name in its design */
    bool is_norm;
} role;

#define ROLE(field, name)                                          \
    {                                                              \
        .gguf = name, .offset = offsetof(ls_decoder_design, field) \
    }
#define NORM(field, name)                                                           \
    {                                                                               \
        .gguf = name, .offset = offsetof(ls_decoder_design, field), .is_norm = true \
    }

static const role outer_roles[] = {
    ROLE(embedding, "token_embd"),
    ROLE(positions, "position_embd"),
    NORM(final_norm, "output_norm"),
    ROLE(head, "output"),
};

static const role layer_roles[] = {
    NORM(attention_norm, "attn_norm"),
    ROLE(q, "attn_q"),
    ROLE(k, "attn_k"),
    ROLE(v, "attn_v"),
    ROLE(qkv, "attn_qkv"),
    ROLE(o, "attn_output"),
    NORM(q_norm, "attn_q_norm"),
    NORM(k_norm, "attn_k_norm"),
    NORM(attention_out_norm, "post_attention_norm"),
    NORM(mlp_norm, "ffn_norm"),
    ROLE(gate, "ffn_gate"),
    ROLE(up, "ffn_up"),
    ROLE(gate_up, "ffn_up"),
    ROLE(down, "ffn_down"),
    NORM(mlp_out_norm, "post_ffw_norm"),
    ROLE(router, "ffn_gate_inp"),
};

static const char *own_name(const ls_decoder_design *design, const role *r)
{
    const char *name;
    memcpy(&name, (const char *)design + r->offset, sizeof name);
    return name;
}

/* Whether the first n bytes of text are name. */
static bool is_name(const char *text, size_t n, const char *name)
{
    return name && strlen(name) == n && memcmp(text, name, n) == 0;
}

typedef struct { /* a name of ours, taken apart */
    const role *role;
    const char *suffix; /* ".weight", ".bias" */
    long layer;         /* -1: in none */
    long expert;        /* -1: none */
} parts;

static const role *find_role(const ls_decoder_design *design, const role *roles, size_t n_roles,
                             const char *text, size_t n)
{
    for (size_t i = 0; i < n_roles; i++)
        if (is_name(text, n, own_name(design, &roles[i])))
            return &roles[i];
    return NULL;
}

/* The number after "PREFIX.", up to the next dot; *rest comes after that. */
static bool take_number(long *out, const char **rest, const char *text, const char *prefix)
{
    if (prefix == NULL || !ls_starts_with(text, prefix))
        return false;
    const char *digits = text + strlen(prefix);
    char *end;
    if (digits[0] != '.' || digits[1] < '0' || digits[1] > '9')
        return false;
    *out = strtol(digits + 1, &end, 10);
    *rest = end + 1;
    return *end == '.';
}

/* gate, up and down, of which experts have the last part of the name. */
static const role *find_expert_role(const ls_decoder_design *design, const char *text, size_t n)
{
    for (size_t i = 0; i < LS_COUNT(layer_roles); i++) {
        const char *name = own_name(design, &layer_roles[i]);
        const char *dot = name ? strrchr(name, '.') : NULL;
        if (ls_starts_with(layer_roles[i].gguf, "ffn_") && dot && is_name(text, n, dot + 1))
            return &layer_roles[i];
    }
    return NULL;
}

static bool take_apart(parts *out, const ls_decoder_design *design, const char *name)
{
    *out = (parts){.layer = -1, .expert = -1, .suffix = strrchr(name, '.')};
    if (out->suffix == NULL)
        return false;
    const char *rest = name;
    if (!take_number(&out->layer, &rest, name, design->layers)) {
        out->layer = -1;
        out->role = find_role(design, outer_roles, LS_COUNT(outer_roles), name,
                              (size_t)(out->suffix - name));
    } else if (rest > out->suffix) {
        return false;
    } else if (take_number(&out->expert, &rest, rest, design->experts)) {
        out->role = rest > out->suffix
                        ? NULL
                        : find_expert_role(design, rest, (size_t)(out->suffix - rest));
    } else {
        out->expert = -1;
        out->role = find_role(design, layer_roles, LS_COUNT(layer_roles), rest,
                              (size_t)(out->suffix - rest));
    }
    return out->role != NULL;
}

bool ls_gguf_name(char out[64], int64_t *expert, const ls_family *family, const char *name)
{
    parts p;
    if (!take_apart(&p, family->design, name))
        return false;
    *expert = p.expert;
    int n;
    if (p.layer < 0)
        n = snprintf(out, 64, "%s%s", p.role->gguf, p.suffix);
    else
        n = snprintf(out, 64, "blk.%ld.%s%s%s", p.layer, p.role->gguf, p.expert < 0 ? "" : "_exps",
                     p.suffix);
    return n > 0 && n < 64;
}

ls_row_order ls_gguf_row_order(int64_t *heads, const ls_gguf_arch *arch,
                               const ls_model_config *config, const ls_family *family,
                               const char *name)
{
    parts p;
    const ls_decoder_design *design = family->design;
    *heads = config->num_attention_heads;
    if (!take_apart(&p, design, name))
        return LS_ROWS_AS_THEY_ARE;
    bool is_k = p.role->offset == offsetof(ls_decoder_design, k);
    if (arch->is_in_pairs && (is_k || p.role->offset == offsetof(ls_decoder_design, q))) {
        if (is_k)
            *heads = config->num_key_value_heads;
        return LS_ROWS_IN_PAIRS;
    }
    if (design->interleaves_heads && p.role->offset == offsetof(ls_decoder_design, qkv))
        return LS_ROWS_BY_KIND;
    return LS_ROWS_AS_THEY_ARE;
}

float ls_gguf_added(const ls_family *family, const char *name)
{
    parts p;
    return family->design->norm == LS_NORM_RMS_PLUS_ONE && take_apart(&p, family->design, name) &&
                   p.role->is_norm
               ? 1.0f
               : 0.0f;
}

bool ls_gguf_find_weight(ls_stored *out, const ls_gguf_tensor **tensor, const ls_gguf *file,
                         const ls_gguf_arch *arch, const ls_model_config *config,
                         const ls_weight *w)
{
    char name[64];
    int64_t expert;
    const ls_family *family;
    if (ls_family_find(&family, config->family) != LEASH_OK ||
        !ls_gguf_name(name, &expert, family, w->name))
        return false;
    const ls_gguf_tensor *t = ls_gguf_find_tensor(file, name);
    if (t == NULL)
        return false;
    *tensor = t;
    *out = (ls_stored){.name = t->name,
                       .path = file->path,
                       .type_name = t->type_name,
                       .type = t->type,
                       .data = t->data,
                       .rank = t->rank,
                       .added = ls_gguf_added(family, w->name)};
    memcpy(out->shape, t->shape, sizeof out->shape);
    out->order = ls_gguf_row_order(&out->heads, arch, config, family, w->name);
    if (expert >= 0 && t->rank == 3 && expert < t->shape[0]) { /* one of (E, rows, cols) */
        out->data += (size_t)expert * (t->n_bytes / (size_t)t->shape[0]);
        out->shape[0] = t->shape[1];
        out->shape[1] = t->shape[2];
        out->rank = 2;
    }
    return true;
}

bool ls_gguf_is_ignored(const char *name)
{
    static const char *const names[] = {"rope_freqs.weight", "rope_factors_long.weight",
                                        "rope_factors_short.weight"};
    for (size_t i = 0; i < LS_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return ls_ends_with(name, ".attn_rot_embd") || ls_ends_with(name, ".attn_rot_embd.weight");
}
