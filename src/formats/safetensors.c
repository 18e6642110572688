/* The strict reader of safetensors.
 *
 *     8 bytes   N, little-endian          N bytes   JSON: name -> {"dtype", "shape",
 *               "data_offsets": [begin, end]}
 *     the rest  the tensors, one after the other without holes
 *
 * A file comes from anywhere, so nothing in it is believed: sizes are checked before they are added
 * or multiplied, and the only memory taken is in proportion to the header that is really there.  A
 * file cut by somebody after it was opened is beyond this.
 * Source: huggingface/safetensors, safetensors/src/tensor.rs; stricter about duplicate keys and
 * numbers. */
#include "formats/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "formats/json_brief.h"

#define MOST_HEADER_BYTES 100000000u
#define MOST_TENSORS 1000000
#define MOST_NAME_BYTES 4096
#define MOST_RANK 8
#define MOST_DEPTH 4

static const struct {
    const char *name;
    int bits;
} dtypes[] = {
    {"BOOL", 8}, {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},   {"F8_E5M2", 8},     {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"I16", 16}, {"F8_E5M2FNUZ", 8}, {"U16", 16},    {"F16", 16},    {"BF16", 16},
    {"I32", 32}, {"U32", 32},        {"F32", 32},    {"C64", 64},    {"F64", 64},
    {"I64", 64}, {"U64", 64},
};

static int dtype_bits(const char *name)
{
    for (size_t i = 0; i < LS_COUNT(dtypes); i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return dtypes[i].bits;
    return 0;
}

/* What the JSON library lets pass: deep nesting, and "-0" as an integer. */
static leash_status scan_header(const char *json, size_t n, const char *path)
{
    int depth = 0;
    bool is_in_string = false;
    for (size_t i = 0; i < n; i++) {
        char c = json[i];
        if (is_in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                is_in_string = false;
            continue;
        }
        if (c == '"')
            is_in_string = true;
        else if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        else if (c == '-')
            return ls_fail(LEASH_FORMAT,
                           "%s: negative number at byte %zu of the header; shapes and offsets are "
                           "0 or more",
                           path, i);
        if (depth > MOST_DEPTH)
            return ls_fail(LEASH_FORMAT, "%s: header nested deeper than %d", path, MOST_DEPTH);
    }
    return LEASH_OK;
}

static leash_status check_metadata(json_t *metadata, const char *path)
{
    if (!json_is_object(metadata))
        return ls_fail(LEASH_FORMAT, "%s: __metadata__ is no object", path);
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return ls_fail(LEASH_FORMAT, "%s: __metadata__ '%.100s' is no string", path, key);
    }
    return LEASH_OK;
}

static leash_status read_shape(ls_st_tensor *t, json_t *shape, const char *path)
{
    char found[LS_JSON_BRIEF];
    if (!json_is_array(shape))
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s': shape is %s, expected a list of sizes", path,
                       t->name, ls_json_brief(found, shape));
    if (json_array_size(shape) > MOST_RANK)
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s' has %zu dimensions, at most %d are supported",
                       path, t->name, json_array_size(shape), MOST_RANK);
    t->rank = (int32_t)json_array_size(shape);
    t->n = 1;
    for (int32_t i = 0; i < t->rank; i++) {
        json_t *value = json_array_get(shape, (size_t)i);
        int64_t size = json_is_integer(value) ? json_integer_value(value) : -1;
        if (size < 0)
            return ls_fail(LEASH_FORMAT, "%s: tensor '%s': shape[%d] is %s, expected a size", path,
                           t->name, i, ls_json_brief(found, value));
        if (size != 0 && t->n > INT64_MAX / size)
            return ls_fail(LEASH_FORMAT, "%s: tensor '%s': the product of its shape overflows",
                           path, t->name);
        t->shape[i] = size;
        t->n *= size;
    }
    return LEASH_OK;
}

/* Takes begin and end relative to the data and checks that they lie in it. */
static leash_status read_offsets(ls_st_tensor *t, json_t *offsets, const unsigned char *data,
                                 size_t n_data, const char *path)
{
    json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    char found[LS_JSON_BRIEF];
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s': data_offsets is %s, expected two integers",
                       path, t->name, ls_json_brief(found, offsets));
    json_int_t from = json_integer_value(begin), to = json_integer_value(end);
    if (from < 0 || to < from || (uint64_t)to > n_data)
        return ls_fail(LEASH_FORMAT,
                       "%s: tensor '%s' lies at bytes %lld to %lld of %zu bytes of data; the file "
                       "may be cut short",
                       path, t->name, (long long)from, (long long)to, n_data);
    t->data = data + from;
    t->n_bytes = (size_t)(to - from);
    return LEASH_OK;
}

static leash_status read_tensor(ls_st_tensor *t, json_t *entry, const unsigned char *data,
                                size_t n_data, const char *path)
{
    char found[LS_JSON_BRIEF];
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype)
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s': dtype is %s, expected a name such as F32",
                       path, t->name, ls_json_brief(found, json_object_get(entry, "dtype")));
    int bits = dtype_bits(dtype);
    if (bits == 0)
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s' has the unknown dtype '%.40s'", path, t->name,
                       dtype);
    memcpy(t->dtype, dtype, strlen(dtype) + 1);
    LS_TRY(read_shape(t, json_object_get(entry, "shape"), path));
    LS_TRY(read_offsets(t, json_object_get(entry, "data_offsets"), data, n_data, path));
    if (t->n > INT64_MAX / bits || t->n * bits % 8 != 0 ||
        (uint64_t)(t->n * bits / 8) != t->n_bytes)
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s' has %lld elements of %s but %zu bytes", path,
                       t->name, (long long)t->n, t->dtype, t->n_bytes);
    return LEASH_OK;
}

static int compare_places(const void *a, const void *b)
{
    const ls_st_tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const ls_st_tensor *)a)->name, ((const ls_st_tensor *)b)->name);
}

/* Every byte belongs to exactly one tensor. */
static leash_status check_places(const ls_st_file *file, const unsigned char *data, size_t n_data,
                                 const char *path)
{
    const unsigned char *expected = data;
    for (int64_t i = 0; i < file->n_tensors; i++) {
        const ls_st_tensor *t = &file->tensors[i];
        if (t->data != expected)
            return ls_fail(LEASH_FORMAT, "%s: tensor '%s' begins at byte %lld of the data, %s %lld",
                           path, t->name, (long long)(t->data - data),
                           t->data < expected ? "inside of another that ends at"
                                              : "after a hole from",
                           (long long)(expected - data));
        expected += t->n_bytes;
    }
    if ((size_t)(expected - data) != n_data)
        return ls_fail(LEASH_FORMAT, "%s: %zu bytes of data, but the tensors end at %lld", path,
                       n_data, (long long)(expected - data));
    return LEASH_OK;
}

/* Copies the names into one buffer, so that they outlive the JSON tree. */
static leash_status take_names(ls_st_file *file, json_t *header, const char *path)
{
    size_t n_tensors = 0, n_bytes = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry)
    {
        if (strlen(name) > MOST_NAME_BYTES)
            return ls_fail(LEASH_FORMAT, "%s: tensor name over %d bytes: '%.60s...'", path,
                           MOST_NAME_BYTES, name);
        n_bytes += strlen(name) + 1;
        n_tensors++;
    }
    if (n_tensors > MOST_TENSORS)
        return ls_fail(LEASH_FORMAT, "%s: %zu tensors, at most %d are supported", path, n_tensors,
                       MOST_TENSORS);
    file->tensors = ls_calloc(n_tensors + 1, sizeof *file->tensors);
    file->names = ls_malloc(n_bytes + 1);
    return LEASH_OK;
}

static leash_status read_entries(ls_st_file *file, json_t *header, const unsigned char *data,
                                 size_t n_data, const char *path)
{
    LS_TRY(take_names(file, header, path));
    char *next_name = file->names;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) {
            LS_TRY(check_metadata(entry, path));
            continue;
        }
        ls_st_tensor *t = &file->tensors[file->n_tensors++];
        size_t length = strlen(name) + 1;
        memcpy(next_name, name, length);
        t->name = next_name;
        next_name += length;
        if (!json_is_object(entry))
            return ls_fail(LEASH_FORMAT,
                           "%s: entry '%s' is no object with dtype, shape and data_offsets", path,
                           t->name);
        LS_TRY(read_tensor(t, entry, data, n_data, path));
    }
    qsort(file->tensors, (size_t)file->n_tensors, sizeof *file->tensors, compare_places);
    LS_TRY(check_places(file, data, n_data, path));
    qsort(file->tensors, (size_t)file->n_tensors, sizeof *file->tensors, compare_names);
    return LEASH_OK;
}

static leash_status parse(ls_st_file *file, const unsigned char *bytes, size_t size,
                          const char *path)
{
    if (size < 8)
        return ls_fail(LEASH_FORMAT, "%s: %zu bytes are no safetensors file", path, size);
    uint64_t n_header = 0;
    for (int i = 0; i < 8; i++)
        n_header |= (uint64_t)bytes[i] << (8 * i);
    if (n_header > MOST_HEADER_BYTES || n_header > size - 8)
        return ls_fail(LEASH_FORMAT,
                       "%s: header of %llu bytes in a file of %zu (at most %u); the file is cut "
                       "short or no safetensors file",
                       path, (unsigned long long)n_header, size, MOST_HEADER_BYTES);
    const char *json = (const char *)bytes + 8;
    LS_TRY(scan_header(json, (size_t)n_header, path));
    json_error_t error;
    json_t *header = json_loadb(json, (size_t)n_header, JSON_REJECT_DUPLICATES, &error);
    if (header == NULL)
        return ls_fail(LEASH_FORMAT, "%s: header is no valid JSON: %s at byte %d", path, error.text,
                       error.position);
    leash_status status;
    if (json_is_object(header))
        status =
            read_entries(file, header, bytes + 8 + n_header, size - 8 - (size_t)n_header, path);
    else
        status = ls_fail(LEASH_FORMAT, "%s: header is no JSON object", path);
    json_decref(header);
    return status;
}

leash_status ls_st_parse(ls_st_file *file, const unsigned char *bytes, size_t size,
                         const char *name)
{
    *file = (ls_st_file){0};
    leash_status status = parse(file, bytes, size, name);
    if (status != LEASH_OK)
        ls_st_close(file);
    return status;
}

leash_status ls_st_open(ls_st_file *file, const char *path)
{
    *file = (ls_st_file){0};
    LS_TRY(ls_map_open(&file->map, path));
    leash_status status = parse(file, file->map.data, file->map.size, path);
    if (status != LEASH_OK)
        ls_st_close(file);
    return status;
}

void ls_st_close(ls_st_file *file)
{
    ls_free(file->tensors);
    ls_free(file->names);
    if (file->map.data)
        ls_map_close(&file->map);
    *file = (ls_st_file){0};
}

const ls_st_tensor *ls_st_find(const ls_st_file *file, const char *name)
{
    ls_st_tensor key = {.name = name};
    return bsearch(&key, file->tensors, (size_t)file->n_tensors, sizeof key, compare_names);
}
