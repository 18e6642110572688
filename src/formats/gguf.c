/* The strict reader of GGUF.
 *
 *     "GGUF"  u32 version  i64 n_tensors  i64 n_kv
 *     n_kv times       string key, i32 type, value          (string: u64 length, bytes)
 *     n_tensors times  string name, u32 n_dims, i64 sizes, fastest first, i32 type, u64 offset
 *     zeros up to general.alignment, then the data: each tensor at its offset, padded
 *
 * Everything in a file may be a lie, so each length is compared with the bytes that are left before
 * it is used, and products are checked before they are formed. */
#include "formats/gguf.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "formats/gguf_types.h"

#define MOST_VALUES 65536
#define MOST_TENSORS 65536
#define MOST_KEY_BYTES 65535
#define MOST_NAME_BYTES 63
#define MOST_ITEMS ((int64_t)1 << 30)
#define MOST_STRINGS ((int64_t)1 << 22)
#define MOST_ALIGNMENT 65536
#define DEFAULT_ALIGNMENT 32
/* Bytes that a value and a tensor take at the least: an upper limit for believable counts. */
#define LEAST_VALUE_BYTES 14
#define LEAST_TENSOR_BYTES 25

typedef struct {
    const unsigned char *bytes;
    size_t size, at;
    const char *path;
} cursor;

static size_t left_in(const cursor *c)
{
    return c->size - c->at;
}

static leash_status fail_short(const cursor *c, const char *what)
{
    return ls_fail(LEASH_FORMAT,
                   "%s: ends at byte %zu inside of %s; the file is cut short or damaged", c->path,
                   c->size, what);
}

/* Little-endian, as this machine is. */
static leash_status take(void *out, size_t n, cursor *c, const char *what)
{
    if (left_in(c) < n)
        return fail_short(c, what);
    memcpy(out, c->bytes + c->at, n);
    c->at += n;
    return LEASH_OK;
}

static leash_status take_text(ls_gguf_text *out, cursor *c, const char *what)
{
    uint64_t n = 0;
    LS_TRY(take(&n, sizeof n, c, what));
    if (n > left_in(c))
        return ls_fail(LEASH_FORMAT,
                       "%s: byte %zu: %s of %llu bytes, but only %zu are left; the file is cut "
                       "short or damaged",
                       c->path, c->at, what, (unsigned long long)n, left_in(c));
    *out = (ls_gguf_text){(const char *)c->bytes + c->at, (size_t)n};
    c->at += (size_t)n;
    return LEASH_OK;
}

/* A key or a tensor's name, as a string of its own. */
static leash_status take_name(char **out, cursor *c, size_t most, const char *what)
{
    ls_gguf_text text = {0};
    LS_TRY(take_text(&text, c, what));
    if (text.n == 0 || text.n > most || memchr(text.data, '\0', text.n) ||
        !ls_is_utf8(text.data, text.n))
        return ls_fail(LEASH_FORMAT, "%s: byte %zu: %s is empty, over %zu bytes or no text: '%.*s'",
                       c->path, c->at - text.n, what, most, (int)(text.n < 60 ? text.n : 60),
                       text.data);
    *out = ls_malloc(text.n + 1);
    memcpy(*out, text.data, text.n);
    (*out)[text.n] = '\0';
    return LEASH_OK;
}

/* --- values --- */

static leash_status check_bools(const ls_gguf_value *v, const cursor *c)
{
    for (int64_t i = 0; v->kind == LS_GGUF_BOOL && i < v->n; i++)
        if (v->data[i] > 1)
            return ls_fail(LEASH_FORMAT, "%s: key '%.100s': %d is neither true nor false", c->path,
                           v->key, (int)v->data[i]);
    return LEASH_OK;
}

/* Walks over the items, which begin at the cursor. */
static leash_status take_items(ls_gguf_value *v, cursor *c)
{
    size_t size = ls_gguf_kind_bytes(v->kind);
    v->data = c->bytes + c->at;
    int64_t most = v->kind == LS_GGUF_STRING ? MOST_STRINGS : MOST_ITEMS;
    size_t least = v->kind == LS_GGUF_STRING ? 8 : size;
    if (v->n < 0 || v->n > most || (uint64_t)v->n > left_in(c) / least)
        return ls_fail(LEASH_FORMAT,
                       "%s: key '%.100s': a list of %lld values, but %zu bytes are left (at most "
                       "%lld values are read)",
                       c->path, v->key, (long long)v->n, left_in(c), (long long)most);
    if (v->kind != LS_GGUF_STRING) {
        c->at += (size_t)v->n * size;
        return check_bools(v, c);
    }
    ls_gguf_text text = {0};
    for (int64_t i = 0; i < v->n; i++) {
        leash_status status = take_text(&text, c, "a string");
        if (status != LEASH_OK)
            return ls_fail_in(status, "key '%.100s', string %lld", v->key, (long long)i);
    }
    return LEASH_OK;
}

static leash_status take_kind(ls_gguf_kind *out, cursor *c, const char *key)
{
    int32_t kind = 0;
    LS_TRY(take(&kind, sizeof kind, c, "the type of a value"));
    if (kind < LS_GGUF_U8 || kind > LS_GGUF_F64)
        return ls_fail(LEASH_FORMAT, "%s: key '%.100s' has the unknown type %d", c->path, key,
                       (int)kind);
    *out = (ls_gguf_kind)kind;
    return LEASH_OK;
}

static leash_status take_value(ls_gguf_value *v, cursor *c)
{
    LS_TRY(take_name(&v->key, c, MOST_KEY_BYTES, "a key"));
    LS_TRY(take_kind(&v->kind, c, v->key));
    v->n = 1;
    v->is_array = v->kind == LS_GGUF_ARRAY;
    if (v->is_array) {
        LS_TRY(take_kind(&v->kind, c, v->key));
        if (v->kind == LS_GGUF_ARRAY)
            return ls_fail(LEASH_FORMAT, "%s: key '%.100s' is a list of lists", c->path, v->key);
        uint64_t n = 0;
        LS_TRY(take(&n, sizeof n, c, "the length of a list"));
        v->n = n > INT64_MAX ? INT64_MAX : (int64_t)n;
    }
    return take_items(v, c);
}

static int compare_values(const void *a, const void *b)
{
    return strcmp(((const ls_gguf_value *)a)->key, ((const ls_gguf_value *)b)->key);
}

/* Sorted by key.  *n counts those that were begun, so that they are freed after an error too. */
static leash_status take_values(ls_gguf_value **out, int64_t *n, int64_t n_values, cursor *c)
{
    *out = ls_calloc((size_t)n_values + 1, sizeof **out);
    while (*n < n_values)
        LS_TRY(take_value(&(*out)[(*n)++], c));
    qsort(*out, (size_t)n_values, sizeof **out, compare_values);
    for (int64_t i = 1; i < n_values; i++)
        if (strcmp((*out)[i - 1].key, (*out)[i].key) == 0)
            return ls_fail(LEASH_FORMAT, "%s: key '%.100s' stands there twice", c->path,
                           (*out)[i].key);
    return LEASH_OK;
}

/* --- tensors --- */

/* Elements and bytes; `sizes` are the file's, fastest first. */
static leash_status measure(ls_gguf_tensor *t, const int64_t *sizes, const cursor *c)
{
    const ls_gguf_type *type = ls_gguf_type_find(t->type_id);
    if (type == NULL)
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s' has the unknown type %d", c->path, t->name,
                       (int)t->type_id);
    t->type_name = type->name;
    t->type = ls_quant_find_ggml(t->type_id);
    t->n = 1;
    bool is_empty = false;
    for (int32_t i = 0; i < t->rank; i++) {
        if (sizes[i] < 0)
            return ls_fail(LEASH_FORMAT, "%s: tensor '%s': size %d is %lld", c->path, t->name,
                           (int)i, (long long)sizes[i]);
        is_empty |= sizes[i] == 0;
        /* An empty tensor of large sizes is refused too: what is claimed must be countable. */
        int64_t size = sizes[i] == 0 ? 1 : sizes[i];
        if (t->n > INT64_MAX / 8 / size)
            return ls_fail(LEASH_FORMAT, "%s: tensor '%s': the product of its sizes overflows",
                           c->path, t->name);
        t->n *= size;
        t->shape[t->rank - 1 - i] = sizes[i];
    }
    int64_t width = t->rank > 0 ? sizes[0] : 1;
    if (width % type->block_n != 0)
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s': rows of %lld are no whole blocks of %s (%d)",
                       c->path, t->name, (long long)width, type->name, (int)type->block_n);
    t->n = is_empty ? 0 : t->n;
    if (t->n / type->block_n > INT64_MAX / 2 / type->block_bytes)
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s': its bytes overflow", c->path, t->name);
    t->n_bytes = (size_t)(t->n / type->block_n) * (size_t)type->block_bytes;
    return LEASH_OK;
}

/* The offset counts from the place of the data, which is known when all headers are read. */
static leash_status take_tensor(ls_gguf_tensor *t, uint64_t *offset, cursor *c)
{
    uint32_t rank = 0;
    int64_t sizes[4];
    LS_TRY(take_name(&t->name, c, MOST_NAME_BYTES, "a tensor's name"));
    LS_TRY(take(&rank, sizeof rank, c, "a tensor's number of dimensions"));
    if (rank > 4)
        return ls_fail(LEASH_FORMAT, "%s: tensor '%s' has %u dimensions, at most 4 are possible",
                       c->path, t->name, rank);
    t->rank = (int32_t)rank;
    LS_TRY(take(sizes, rank * sizeof *sizes, c, "a tensor's sizes"));
    LS_TRY(take(&t->type_id, sizeof t->type_id, c, "a tensor's type"));
    LS_TRY(take(offset, sizeof *offset, c, "a tensor's offset"));
    return measure(t, sizes, c);
}

static size_t round_up(size_t n, size_t alignment)
{
    return (n + alignment - 1) & ~(alignment - 1);
}

/* Tensors follow each other in the order of their headers, each padded to the alignment. */
static leash_status place_tensors(ls_gguf_tensor *tensors, const uint64_t *offsets, int64_t n,
                                  size_t alignment, const cursor *c)
{
    size_t start = round_up(c->at, alignment), expected = 0;
    for (int64_t i = 0; i < n; i++) {
        ls_gguf_tensor *t = &tensors[i];
        if (offsets[i] != expected)
            return ls_fail(LEASH_FORMAT, "%s: tensor '%s' has offset %llu, expected %zu", c->path,
                           t->name, (unsigned long long)offsets[i], expected);
        if (t->n_bytes > 0 && (start > c->size || expected > c->size - start ||
                               t->n_bytes > c->size - start - expected))
            return ls_fail(LEASH_FORMAT,
                           "%s: tensor '%s' needs %zu bytes from %zu on, but the file ends at %zu; "
                           "it is cut short",
                           c->path, t->name, t->n_bytes, start + expected, c->size);
        t->data = t->n_bytes > 0 ? c->bytes + start + expected : c->bytes;
        expected += round_up(t->n_bytes, alignment);
    }
    return LEASH_OK;
}

static int compare_tensors(const void *a, const void *b)
{
    return strcmp(((const ls_gguf_tensor *)a)->name, ((const ls_gguf_tensor *)b)->name);
}

static leash_status sort_tensors(ls_gguf *file)
{
    qsort(file->tensors, (size_t)file->n_tensors, sizeof *file->tensors, compare_tensors);
    for (int64_t i = 1; i < file->n_tensors; i++)
        if (strcmp(file->tensors[i - 1].name, file->tensors[i].name) == 0)
            return ls_fail(LEASH_FORMAT, "%s: tensor '%s' stands there twice", file->path,
                           file->tensors[i].name);
    return LEASH_OK;
}

/* Appends the tensors of one part, which starts at the cursor. */
static leash_status take_tensors(ls_gguf *file, int64_t n, size_t alignment, cursor *c)
{
    file->tensors =
        ls_realloc(file->tensors, (size_t)(file->n_tensors + n + 1) * sizeof *file->tensors);
    ls_gguf_tensor *first = file->tensors + file->n_tensors;
    memset(first, 0, (size_t)n * sizeof *first);
    uint64_t *offsets = ls_calloc((size_t)n + 1, sizeof *offsets);
    leash_status status = LEASH_OK;
    for (int64_t i = 0; i < n && status == LEASH_OK; i++) {
        file->n_tensors++;
        status = take_tensor(&first[i], &offsets[i], c);
    }
    if (status == LEASH_OK)
        status = place_tensors(first, offsets, n, alignment, c);
    ls_free(offsets);
    return status;
}

/* --- a file --- */

static leash_status take_version(uint32_t *version, cursor *c)
{
    unsigned char magic[4];
    LS_TRY(take(magic, sizeof magic, c, "the magic \"GGUF\""));
    if (memcmp(magic, "GGUF", 4) != 0)
        return ls_fail(LEASH_FORMAT, "%s: is no GGUF file (it begins with %02x %02x %02x %02x)",
                       c->path, magic[0], magic[1], magic[2], magic[3]);
    LS_TRY(take(version, sizeof *version, c, "the version"));
    if ((*version & 0xffffu) == 0)
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: was written for a big-endian machine; convert it to little-endian",
                       c->path);
    if (*version != 2 && *version != 3)
        return ls_fail(LEASH_UNSUPPORTED, "%s: GGUF version %u; versions 2 and 3 are read", c->path,
                       *version);
    return LEASH_OK;
}

static leash_status take_count(int64_t *out, cursor *c, int64_t most, size_t least_bytes,
                               const char *what)
{
    LS_TRY(take(out, sizeof *out, c, what));
    if (*out < 0 || *out > most || (uint64_t)*out > left_in(c) / least_bytes)
        return ls_fail(LEASH_FORMAT, "%s: %s is %lld, in a file of %zu bytes (at most %lld)",
                       c->path, what, (long long)*out, c->size, (long long)most);
    return LEASH_OK;
}

static leash_status find_alignment(size_t *out, const ls_gguf *values)
{
    int64_t alignment = DEFAULT_ALIGNMENT;
    LS_TRY(ls_gguf_get_int(&alignment, values, "general.alignment"));
    if (alignment < 1 || alignment > MOST_ALIGNMENT || (alignment & (alignment - 1)) != 0)
        return ls_fail(LEASH_FORMAT,
                       "%s: key 'general.alignment' is %lld, expected a power of two up to %d",
                       values->path, (long long)alignment, MOST_ALIGNMENT);
    *out = (size_t)alignment;
    return LEASH_OK;
}

static void free_values(ls_gguf *file)
{
    for (int64_t i = 0; i < file->n_values; i++)
        ls_free(file->values[i].key);
    ls_free(file->values);
    file->values = NULL;
    file->n_values = 0;
}

/* Reads one part: its values into `values` (an ls_gguf of which only path and values are used), its
 * tensors behind those of `file`.  The two may be the same. */
static leash_status parse_part(ls_gguf *file, ls_gguf *values, cursor *c)
{
    int64_t n_tensors = 0, n_values = 0;
    size_t alignment = 0;
    LS_TRY(take_version(&file->version, c));
    LS_TRY(take_count(&n_tensors, c, MOST_TENSORS, LEAST_TENSOR_BYTES, "the number of tensors"));
    LS_TRY(take_count(&n_values, c, MOST_VALUES, LEAST_VALUE_BYTES, "the number of keys"));
    LS_TRY(take_values(&values->values, &values->n_values, n_values, c));
    LS_TRY(find_alignment(&alignment, values));
    return take_tensors(file, n_tensors, alignment, c);
}

static leash_status read_split(int64_t *no, int64_t *count, const ls_gguf *values)
{
    *no = 0;
    *count = 1;
    LS_TRY(ls_gguf_get_int(no, values, "split.no"));
    return ls_gguf_get_int(count, values, "split.count");
}

leash_status ls_gguf_parse(ls_gguf *file, const unsigned char *bytes, size_t size, const char *name)
{
    *file = (ls_gguf){.path = ls_strdup(name)};
    cursor c = {.bytes = bytes, .size = size, .path = name};
    int64_t no, count;
    leash_status status;
    LS_TRY_OUT(parse_part(file, file, &c));
    LS_TRY_OUT(read_split(&no, &count, file));
    if (count > 1)
        status = ls_fail(LEASH_FORMAT, "%s: is part %lld of %lld of a split file", name,
                         (long long)no + 1, (long long)count);
    else
        status = sort_tensors(file);
out:
    if (status != LEASH_OK)
        ls_gguf_close(file);
    return status;
}

/* The tail that names of split files have, "-00001-of-00003.gguf". */
#define TAIL_FORMAT "-%05d-of-%05d.gguf"
#define TAIL_BYTES 20
#define MOST_PARTS 99999

static leash_status map_part(ls_gguf *file, cursor *c, const char *path)
{
    file->maps = ls_realloc(file->maps, (size_t)(file->n_maps + 1) * sizeof *file->maps);
    ls_map *map = &file->maps[file->n_maps];
    LS_TRY(ls_map_open(map, path));
    file->n_maps++;
    *c = (cursor){.bytes = map->data, .size = map->size, .path = path};
    return LEASH_OK;
}

static leash_status check_part(const ls_gguf *values, int64_t i, int64_t n_parts)
{
    int64_t no, count;
    LS_TRY(read_split(&no, &count, values));
    if (no != i || count != n_parts)
        return ls_fail(LEASH_FORMAT, "%s: says that it is part %lld of %lld, expected %lld of %lld",
                       values->path, (long long)no + 1, (long long)count, (long long)i + 1,
                       (long long)n_parts);
    return LEASH_OK;
}

static leash_status open_part(ls_gguf *file, const char *path, int64_t i, int64_t n_parts)
{
    cursor c;
    ls_gguf values = {.path = ls_strdup(path)};
    leash_status status = map_part(file, &c, path);
    if (status == LEASH_OK)
        status = parse_part(file, i == 0 ? file : &values, &c);
    if (status == LEASH_OK)
        status = check_part(i == 0 ? file : &values, i, n_parts);
    free_values(&values);
    ls_free(values.path);
    return status;
}

/* Whether a path ends like a part; gives the number of parts. */
static bool is_part_name(int *n_parts, const char *path)
{
    size_t n = strlen(path);
    int i;
    char again[32];
    if (n < TAIL_BYTES || sscanf(path + n - TAIL_BYTES, "-%5d-of-%5d.gguf", &i, n_parts) != 2)
        return false;
    snprintf(again, sizeof again, TAIL_FORMAT, i, *n_parts);
    return i >= 1 && *n_parts >= i && *n_parts <= MOST_PARTS &&
           strcmp(again, path + n - TAIL_BYTES) == 0;
}

static leash_status open_parts(ls_gguf *file, const char *path, int n_parts)
{
    char name[LS_PATH_MAX + TAIL_BYTES];
    size_t stem = strlen(path) - TAIL_BYTES;
    for (int i = 0; i < n_parts; i++) {
        snprintf(name, sizeof name, "%.*s" TAIL_FORMAT, (int)stem, path, i + 1, n_parts);
        if (i == 0)
            file->path = ls_strdup(name);
        LS_TRY(open_part(file, name, i, n_parts));
    }
    int64_t n_tensors = file->n_tensors;
    LS_TRY(ls_gguf_get_int(&n_tensors, file, "split.tensors.count"));
    if (n_tensors != file->n_tensors)
        return ls_fail(LEASH_FORMAT,
                       "%s: key 'split.tensors.count' is %lld, but the parts have %lld", file->path,
                       (long long)n_tensors, (long long)file->n_tensors);
    return sort_tensors(file);
}

static leash_status open_one(ls_gguf *file, const char *path)
{
    file->path = ls_strdup(path);
    int64_t no, count;
    cursor c;
    LS_TRY(map_part(file, &c, path));
    LS_TRY(parse_part(file, file, &c));
    LS_TRY(read_split(&no, &count, file));
    if (count > 1)
        return ls_fail(LEASH_FORMAT,
                       "%s: is part %lld of %lld; give the file its name back, which ends in "
                       "-%05lld-of-%05lld.gguf, beside the others",
                       path, (long long)no + 1, (long long)count, (long long)no + 1,
                       (long long)count);
    return sort_tensors(file);
}

leash_status ls_gguf_open(ls_gguf *file, const char *path)
{
    *file = (ls_gguf){0};
    int n_parts;
    leash_status status;
    if (strlen(path) >= LS_PATH_MAX)
        status = ls_fail(LEASH_IO, "a path of %zu bytes is too long", strlen(path));
    else if (is_part_name(&n_parts, path) && n_parts > 1)
        status = open_parts(file, path, n_parts);
    else
        status = open_one(file, path);
    if (status != LEASH_OK)
        ls_gguf_close(file);
    return status;
}

void ls_gguf_close(ls_gguf *file)
{
    free_values(file);
    for (int64_t i = 0; i < file->n_tensors; i++)
        ls_free(file->tensors[i].name);
    ls_free(file->tensors);
    for (int64_t i = 0; i < file->n_maps; i++)
        ls_map_close(&file->maps[i]);
    ls_free(file->maps);
    ls_free(file->path);
    *file = (ls_gguf){0};
}

const ls_gguf_tensor *ls_gguf_find_tensor(const ls_gguf *file, const char *name)
{
    ls_gguf_tensor key = {.name = (char *)(uintptr_t)name};
    return file->n_tensors == 0
               ? NULL
               : bsearch(&key, file->tensors, (size_t)file->n_tensors, sizeof key, compare_tensors);
}

const ls_gguf_value *ls_gguf_find(const ls_gguf *file, const char *key)
{
    ls_gguf_value wanted = {.key = (char *)(uintptr_t)key};
    return file->n_values == 0 ? NULL
                               : bsearch(&wanted, file->values, (size_t)file->n_values,
                                         sizeof wanted, compare_values);
}
