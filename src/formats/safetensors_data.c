/* Values of safetensors: conversion to float, and the writer. */
#include "formats/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE binary16; all 65536 patterns have an exact float. */
static float float_of_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023;
    if (exponent == 31)
        return float_of_bits(sign | 0x7f800000u | mantissa << 13);
    if (exponent > 0)
        return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    float magnitude = (float)mantissa * 0x1p-24f;
    return sign ? -magnitude : magnitude;
}

leash_status ls_st_to_float(float *out, const ls_st_tensor *tensor, const char *path)
{
    /* Data may stand at any byte: values are copied out one by one. */
    const unsigned char *in = tensor->data;
    int64_t n = tensor->n;
    if (strcmp(tensor->dtype, "F32") == 0) {
        if (n > 0)
            memcpy(out, in, (size_t)n * sizeof *out);
    } else if (strcmp(tensor->dtype, "BF16") == 0) {
        for (int64_t i = 0; i < n; i++) {
            uint16_t bits;
            memcpy(&bits, in + 2 * i, sizeof bits);
            out[i] = float_of_bits((uint32_t)bits << 16);
        }
    } else if (strcmp(tensor->dtype, "F16") == 0) {
        for (int64_t i = 0; i < n; i++) {
            uint16_t bits;
            memcpy(&bits, in + 2 * i, sizeof bits);
            out[i] = float_of_half(bits);
        }
    } else if (strcmp(tensor->dtype, "F64") == 0) {
        for (int64_t i = 0; i < n; i++) {
            double value;
            memcpy(&value, in + 8 * i, sizeof value);
            out[i] = (float)value;
        }
    } else {
        return ls_fail(LEASH_FORMAT,
                       "%s: tensor '%s' is stored as %s; expected F32, BF16, F16 or F64", path,
                       tensor->name, tensor->dtype);
    }
    return LEASH_OK;
}

static int compare_sources(const void *a, const void *b)
{
    const ls_st_source *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static size_t source_bytes(const ls_st_source *source)
{
    size_t n = sizeof(float);
    for (int32_t i = 0; i < source->rank; i++)
        n = ls_mul_size(n, (size_t)source->shape[i]);
    return n;
}

/* Names ascending, compact JSON, spaces up to a multiple of 8: byte for byte what the reference
 * writes. */
static void build_header(ls_str *json, const ls_st_source *const *sorted, int64_t n)
{
    size_t offset = 0;
    ls_str_append(json, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (int64_t i = 0; i < n; i++) {
        const ls_st_source *source = sorted[i];
        ls_str_append_char(json, ',');
        ls_str_append_json(json, source->name, strlen(source->name));
        ls_str_append(json, ":{\"dtype\":\"F32\",\"shape\":[");
        for (int32_t j = 0; j < source->rank; j++)
            ls_str_appendf(json, "%s%lld", j > 0 ? "," : "", (long long)source->shape[j]);
        size_t end = offset + source_bytes(source);
        ls_str_appendf(json, "],\"data_offsets\":[%zu,%zu]}", offset, end);
        offset = end;
    }
    ls_str_append_char(json, '}');
    while (json->len % 8 != 0)
        ls_str_append_char(json, ' ');
}

leash_status ls_st_write(const char *path, const ls_st_source *sources, int64_t n)
{
    const ls_st_source **sorted = ls_calloc((size_t)n + 1, sizeof *sorted);
    ls_piece *pieces = ls_calloc((size_t)n + 2, sizeof *pieces);
    for (int64_t i = 0; i < n; i++)
        sorted[i] = &sources[i];
    qsort(sorted, (size_t)n, sizeof *sorted, compare_sources);
    ls_str header = LS_STR_INIT;
    build_header(&header, sorted, n);
    uint64_t length = header.len; /* this machine is little-endian, as the format is */
    pieces[0] = (ls_piece){&length, sizeof length};
    pieces[1] = (ls_piece){header.data, header.len};
    for (int64_t i = 0; i < n; i++)
        pieces[i + 2] = (ls_piece){sorted[i]->data, source_bytes(sorted[i])};
    leash_status status = ls_file_write_pieces_synced(path, pieces, n + 2);
    ls_str_release(&header);
    ls_free(pieces);
    ls_free(sorted);
    return status;
}
