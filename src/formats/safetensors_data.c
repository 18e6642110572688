/* Values of safetensors: conversion to float, and the writer. */
#include "formats/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

leash_status ls_st_to_float(float *out, const ls_st_tensor *tensor, const char *path)
{
    const ls_quant_type *type;
    LS_TRY(ls_st_float_type(&type, tensor, path));
    type->to_float(out, tensor->data, tensor->n);
    return LEASH_OK;
}

leash_status ls_st_float_type(const ls_quant_type **out, const ls_st_tensor *tensor,
                              const char *path)
{
    *out = ls_quant_find(tensor->dtype);
    if (*out == NULL)
        return ls_fail(LEASH_FORMAT,
                       "%s: tensor '%s' is stored as %s; expected a float type (F32, BF16, F16, "
                       "F64, F8_E4M3 or F8_E5M2)",
                       path, tensor->name, tensor->dtype);
    return LEASH_OK;
}

static int compare_sources(const void *a, const void *b)
{
    const ls_st_source *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int64_t source_values(const ls_st_source *source)
{
    size_t n = 1;
    for (int32_t i = 0; i < source->rank; i++)
        n = ls_mul_size(n, (size_t)source->shape[i]);
    return (int64_t)n;
}

/* Names ascending, compact JSON, spaces up to a multiple of 8: byte for byte what the reference
 * writes. */
static void build_header(ls_str *json, const ls_quant_type *type, const ls_st_source *const *sorted,
                         int64_t n)
{
    size_t offset = 0;
    ls_str_append(json, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (int64_t i = 0; i < n; i++) {
        const ls_st_source *source = sorted[i];
        ls_str_append_char(json, ',');
        ls_str_append_json(json, source->name, strlen(source->name));
        ls_str_appendf(json, ":{\"dtype\":\"%s\",\"shape\":[", type->name);
        for (int32_t j = 0; j < source->rank; j++)
            ls_str_appendf(json, "%s%lld", j > 0 ? "," : "", (long long)source->shape[j]);
        size_t end = offset + ls_quant_bytes(type, source_values(source));
        ls_str_appendf(json, "],\"data_offsets\":[%zu,%zu]}", offset, end);
        offset = end;
    }
    ls_str_append_char(json, '}');
    while (json->len % 8 != 0)
        ls_str_append_char(json, ' ');
}

leash_status ls_st_write_as(const char *path, const ls_quant_type *type,
                            const ls_st_source *sources, int64_t n)
{
    const ls_st_source **sorted = ls_calloc((size_t)n + 1, sizeof *sorted);
    ls_piece *pieces = ls_calloc((size_t)n + 2, sizeof *pieces);
    void **converted = ls_calloc((size_t)n + 1, sizeof *converted);
    for (int64_t i = 0; i < n; i++)
        sorted[i] = &sources[i];
    qsort(sorted, (size_t)n, sizeof *sorted, compare_sources);
    ls_str header = LS_STR_INIT;
    build_header(&header, type, sorted, n);
    uint64_t length = header.len; /* this machine is little-endian, as the format is */
    pieces[0] = (ls_piece){&length, sizeof length};
    pieces[1] = (ls_piece){header.data, header.len};
    for (int64_t i = 0; i < n; i++) {
        int64_t n_values = source_values(sorted[i]);
        size_t bytes = ls_quant_bytes(type, n_values);
        pieces[i + 2] = (ls_piece){sorted[i]->data, bytes};
        if (type->ggml_id == 0) /* floats are written from where they are */
            continue;
        converted[i] = ls_malloc(bytes + 1);
        type->from_float(converted[i], sorted[i]->data, n_values);
        pieces[i + 2].data = converted[i];
    }
    leash_status status = ls_file_write_pieces_synced(path, pieces, n + 2);
    for (int64_t i = 0; i < n; i++)
        ls_free(converted[i]);
    ls_free(converted);
    ls_str_release(&header);
    ls_free(pieces);
    ls_free(sorted);
    return status;
}

leash_status ls_st_write(const char *path, const ls_st_source *sources, int64_t n)
{
    return ls_st_write_as(path, ls_quant_find("F32"), sources, n);
}
