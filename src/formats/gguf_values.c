/* Sizes and names of GGUF's types, and values by key. */
#include <assert.h>
#include <string.h>
#include "base/mem.h"
#include "formats/gguf.h"
#include "formats/gguf_types.h"

static const ls_gguf_type types[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},
    {3, "Q4_1", 32, 20},      {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},
    {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},      {10, "Q2_K", 256, 84},
    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},  {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},  {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},   {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},    {42, "Q2_0", 64, 18},
};

static const struct {
    const char *name;
    size_t bytes;
} kinds[] = {
    [LS_GGUF_U8] = {"u8", 1},       [LS_GGUF_I8] = {"i8", 1},     [LS_GGUF_U16] = {"u16", 2},
    [LS_GGUF_I16] = {"i16", 2},     [LS_GGUF_U32] = {"u32", 4},   [LS_GGUF_I32] = {"i32", 4},
    [LS_GGUF_F32] = {"f32", 4},     [LS_GGUF_BOOL] = {"bool", 1}, [LS_GGUF_STRING] = {"string", 0},
    [LS_GGUF_ARRAY] = {"array", 0}, [LS_GGUF_U64] = {"u64", 8},   [LS_GGUF_I64] = {"i64", 8},
    [LS_GGUF_F64] = {"f64", 8},
};
static_assert(LS_COUNT(kinds) == LS_GGUF_F64 + 1, "a row for every kind");

const ls_gguf_type *ls_gguf_type_find(int32_t id)
{
    for (size_t i = 0; i < LS_COUNT(types); i++)
        if (types[i].id == id)
            return &types[i];
    return NULL;
}

size_t ls_gguf_kind_bytes(ls_gguf_kind kind)
{
    return kinds[kind].bytes;
}

const char *ls_gguf_kind_name(ls_gguf_kind kind)
{
    return kinds[kind].name;
}

static leash_status fail_kind(const ls_gguf *file, const ls_gguf_value *v, const char *expected)
{
    return ls_fail(LEASH_FORMAT, "%s: key '%.100s' is %s%s, expected %s", file->path, v->key,
                   v->is_array ? "a list of " : "", kinds[v->kind].name, expected);
}

static uint64_t word_at(const unsigned char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

/* An integer of any width; false when it is none, or beyond int64. */
static bool int_at(int64_t *out, const ls_gguf_value *v, int64_t i)
{
    size_t bytes = kinds[v->kind].bytes;
    uint64_t bits = 0;
    if (bytes == 0 || v->kind == LS_GGUF_F32 || v->kind == LS_GGUF_F64)
        return false;
    memcpy(&bits, v->data + (size_t)i * bytes, bytes);
    switch (v->kind) {
    case LS_GGUF_I8: *out = (int8_t)bits; break;
    case LS_GGUF_I16: *out = (int16_t)bits; break;
    case LS_GGUF_I32: *out = (int32_t)bits; break;
    default: *out = (int64_t)bits; break;
    }
    return v->kind != LS_GGUF_U64 || bits <= INT64_MAX;
}

static bool float_at(double *out, const ls_gguf_value *v, int64_t i)
{
    if (v->kind == LS_GGUF_F32) {
        float value;
        memcpy(&value, v->data + 4 * i, sizeof value);
        *out = (double)value;
        return true;
    }
    if (v->kind == LS_GGUF_F64)
        memcpy(out, v->data + 8 * i, sizeof *out);
    return v->kind == LS_GGUF_F64;
}

leash_status ls_gguf_get_int(int64_t *out, const ls_gguf *file, const char *key)
{
    const ls_gguf_value *v = ls_gguf_find(file, key);
    if (v && (v->is_array || v->kind == LS_GGUF_BOOL || !int_at(out, v, 0)))
        return fail_kind(file, v, "an integer");
    return LEASH_OK;
}

leash_status ls_gguf_get_float(double *out, const ls_gguf *file, const char *key)
{
    const ls_gguf_value *v = ls_gguf_find(file, key);
    if (v && (v->is_array || !float_at(out, v, 0)))
        return fail_kind(file, v, "a float");
    return LEASH_OK;
}

leash_status ls_gguf_get_bool(bool *out, const ls_gguf *file, const char *key)
{
    const ls_gguf_value *v = ls_gguf_find(file, key);
    if (v == NULL)
        return LEASH_OK;
    if (v->is_array || v->kind != LS_GGUF_BOOL)
        return fail_kind(file, v, "a boolean");
    *out = v->data[0] != 0;
    return LEASH_OK;
}

leash_status ls_gguf_get_text(ls_gguf_text *out, const ls_gguf *file, const char *key)
{
    const ls_gguf_value *v = ls_gguf_find(file, key);
    if (v == NULL)
        return LEASH_OK;
    if (v->is_array || v->kind != LS_GGUF_STRING)
        return fail_kind(file, v, "a string");
    *out = (ls_gguf_text){(const char *)v->data + 8, (size_t)word_at(v->data)};
    return LEASH_OK;
}

leash_status ls_gguf_get_texts(ls_gguf_text **out, int64_t *n, const ls_gguf *file, const char *key)
{
    *out = NULL;
    *n = 0;
    const ls_gguf_value *v = ls_gguf_find(file, key);
    if (v == NULL)
        return LEASH_OK;
    if (!v->is_array || v->kind != LS_GGUF_STRING)
        return fail_kind(file, v, "a list of strings");
    *out = ls_calloc((size_t)v->n + 1, sizeof **out);
    *n = v->n;
    const unsigned char *at = v->data;
    for (int64_t i = 0; i < v->n; i++) {
        (*out)[i] = (ls_gguf_text){(const char *)at + 8, (size_t)word_at(at)};
        at += 8 + (*out)[i].n;
    }
    return LEASH_OK;
}

leash_status ls_gguf_get_ints(int64_t **out, int64_t *n, const ls_gguf *file, const char *key)
{
    *out = NULL;
    *n = 0;
    const ls_gguf_value *v = ls_gguf_find(file, key);
    if (v == NULL)
        return LEASH_OK;
    if (!v->is_array)
        return fail_kind(file, v, "a list of integers");
    int64_t *list = ls_calloc((size_t)v->n + 1, sizeof *list);
    for (int64_t i = 0; i < v->n; i++)
        if (!int_at(&list[i], v, i)) {
            ls_free(list);
            return fail_kind(file, v, "a list of integers");
        }
    *out = list;
    *n = v->n;
    return LEASH_OK;
}

leash_status ls_gguf_get_floats(float **out, int64_t *n, const ls_gguf *file, const char *key)
{
    *out = NULL;
    *n = 0;
    const ls_gguf_value *v = ls_gguf_find(file, key);
    if (v == NULL)
        return LEASH_OK;
    if (!v->is_array || (v->kind != LS_GGUF_F32 && v->kind != LS_GGUF_F64))
        return fail_kind(file, v, "a list of floats");
    *out = ls_calloc((size_t)v->n + 1, sizeof **out);
    *n = v->n;
    for (int64_t i = 0; i < v->n; i++) {
        double value = 0.0;
        float_at(&value, v, i);
        (*out)[i] = (float)value;
    }
    return LEASH_OK;
}
