/* Reading the footer.  Everything in it is checked here, once: the readers of pages may believe the
 * tree and the byte ranges of chunks. */
#include "formats/parquet/file.h"

#include <string.h>

#include "base/mem.h"
#include "formats/parquet/thrift.h"

#define TRAILER 8 /* length and magic */
#define MOST_FOOTER_BYTES ((size_t)64 << 20)
#define MOST_DEPTH 32
#define MOST_NODES 100000

typedef struct reading {
    ls_parquet_footer *out;
    ls_thrift t;
    int64_t n_chunk_room, n_group_room;
} reading;

static leash_status fail_footer(const reading *r, const char *what)
{
    return ls_fail(LEASH_FORMAT, "%s: the Parquet footer is damaged: %s", r->out->name, what);
}

/* Only the kind decides about values; TIMESTAMP and the like are numbers either way. */
static void read_logical_type(reading *r, const ls_thrift_field *field, ls_parquet_node *node)
{
    ls_thrift *t = &r->t;
    for (ls_thrift_field f = ls_thrift_enter(t, field); ls_thrift_next(t, &f);) {
        if (node->meaning == LS_PARQUET_PLAIN && f.id == 2)
            node->meaning = LS_PARQUET_MAP;
        else if (node->meaning == LS_PARQUET_PLAIN && f.id == 3)
            node->meaning = LS_PARQUET_LIST;
        ls_thrift_skip(t, &f);
    }
}

static leash_status read_node(reading *r, ls_parquet_node *node)
{
    ls_thrift *t = &r->t;
    ls_thrift_field element = ls_thrift_element(LS_THRIFT_STRUCT);
    int64_t type = LS_PARQUET_GROUP, repetition = 0, n_children = 0, width = 0, meaning = -1;
    int64_t scale = 0;
    *node = (ls_parquet_node){.name = "", .meaning = LS_PARQUET_PLAIN};
    for (ls_thrift_field f = ls_thrift_enter(t, &element); ls_thrift_next(t, &f);) {
        switch (f.id) {
        case 1: type = ls_thrift_int(t, &f); break;
        case 2: width = ls_thrift_int(t, &f); break;
        case 3: repetition = ls_thrift_int(t, &f); break;
        case 4: node->name = (const char *)ls_thrift_binary(t, &f, &node->n_name); break;
        case 5: n_children = ls_thrift_int(t, &f); break;
        case 6: meaning = ls_thrift_int(t, &f); break;
        case 7: scale = ls_thrift_int(t, &f); break;
        case 10: read_logical_type(r, &f, node); break;
        default: ls_thrift_skip(t, &f);
        }
    }
    if (t->is_bad)
        return fail_footer(r, "a schema element cannot be read");
    if (type < 0 || type > LS_PARQUET_GROUP || repetition < 0 || repetition > 2 || n_children < 0 ||
        n_children > MOST_NODES || scale < 0 || scale > 100 ||
        (type == LS_PARQUET_FIXED && (width < 1 || width > 1 << 20)) ||
        (type != LS_PARQUET_GROUP && n_children > 0))
        return fail_footer(r, "a schema element makes no sense");
    if (!ls_is_utf8(node->name, node->n_name) || memchr(node->name, 0, node->n_name))
        return fail_footer(r, "the name of a column is no UTF-8");
    node->type = (ls_parquet_type)type;
    node->width = (int32_t)width;
    node->is_optional = repetition == 1;
    node->is_repeated = repetition == 2;
    node->n_children = (int32_t)n_children;
    node->scale = (int32_t)scale;
    if (meaning >= 0 && meaning < 64)
        node->meaning = (int32_t)meaning;
    return LEASH_OK;
}

/* Levels, leaves and ends below node i; returns through *next the node after them. */
static leash_status link_node(reading *r, int32_t i, int depth, int32_t *next)
{
    ls_parquet_footer *out = r->out;
    ls_parquet_node *node = &out->nodes[i];
    if (depth > MOST_DEPTH)
        return fail_footer(r, "the schema is nested too deeply");
    node->leaf = out->n_leaves;
    int32_t at = i + 1;
    if (node->n_children == 0) {
        if (node->type == LS_PARQUET_GROUP)
            return fail_footer(r, "a group has no columns");
        out->n_leaves++;
    }
    for (int32_t c = 0; c < node->n_children; c++) {
        if (at >= out->n_nodes)
            return fail_footer(r, "the schema ends early");
        ls_parquet_node *child = &out->nodes[at];
        child->max_def = node->max_def + (child->is_optional || child->is_repeated);
        child->max_rep = node->max_rep + child->is_repeated;
        LS_TRY(link_node(r, at, depth + 1, &at));
    }
    node->end = *next = at;
    return LEASH_OK;
}

static leash_status read_schema(reading *r, const ls_thrift_field *field)
{
    ls_parquet_footer *out = r->out;
    int64_t n = ls_thrift_list(&r->t, field, LS_THRIFT_STRUCT);
    if (n < 2 || n > MOST_NODES || out->nodes)
        return fail_footer(r, n == 1 ? "there are no columns" : "the schema cannot be read");
    out->nodes = ls_calloc((size_t)n, sizeof *out->nodes);
    out->n_nodes = (int32_t)n;
    for (int64_t i = 0; i < n; i++)
        LS_TRY(read_node(r, &out->nodes[i]));
    int32_t next = 0;
    out->nodes[0].is_optional = out->nodes[0].is_repeated = false;
    if (out->nodes[0].type != LS_PARQUET_GROUP)
        return fail_footer(r, "the root is no group");
    LS_TRY(link_node(r, 0, 0, &next));
    return next == out->n_nodes ? LEASH_OK : fail_footer(r, "the schema has loose ends");
}

/* ColumnMetaData; false where a needed field is absent. */
static bool read_chunk_meta(reading *r, const ls_thrift_field *field, ls_parquet_chunk *chunk)
{
    ls_thrift *t = &r->t;
    int64_t codec = -1, n_values = -1, size = -1, data = -1, dictionary = -1;
    for (ls_thrift_field f = ls_thrift_enter(t, field); ls_thrift_next(t, &f);) {
        switch (f.id) {
        case 4: codec = ls_thrift_int(t, &f); break;
        case 5: n_values = ls_thrift_int(t, &f); break;
        case 7: size = ls_thrift_int(t, &f); break;
        case 9: data = ls_thrift_int(t, &f); break;
        case 11: dictionary = ls_thrift_int(t, &f); break;
        default: ls_thrift_skip(t, &f);
        }
    }
    /* Some old writers leave 0 where there is no dictionary. */
    int64_t begin = dictionary > 0 && dictionary < data ? dictionary : data;
    int64_t file = (int64_t)r->out->n_bytes;
    if (n_values == 0) /* writers leave no pages, and offsets that mean nothing */
        begin = 4, size = 0;
    if (t->is_bad || codec < 0 || codec > 100 || n_values < 0 || size < 0 || begin < 4 ||
        begin > file - TRAILER || size > file - TRAILER - begin)
        return false;
    *chunk = (ls_parquet_chunk){
        .codec = (int32_t)codec, .n_values = n_values, .begin = begin, .end = begin + size};
    return true;
}

static leash_status read_chunk(reading *r, ls_parquet_chunk *chunk)
{
    ls_thrift *t = &r->t;
    ls_thrift_field element = ls_thrift_element(LS_THRIFT_STRUCT);
    bool has_meta = false, is_elsewhere = false;
    for (ls_thrift_field f = ls_thrift_enter(t, &element); ls_thrift_next(t, &f);) {
        if (f.id == 1)
            is_elsewhere = true;
        if (f.id == 3) {
            has_meta = read_chunk_meta(r, &f, chunk);
            if (!has_meta)
                return fail_footer(r, "a column chunk makes no sense");
        } else {
            ls_thrift_skip(t, &f);
        }
    }
    if (is_elsewhere)
        return ls_fail(LEASH_UNSUPPORTED, "%s: its columns stand in other files", r->out->name);
    return has_meta ? LEASH_OK : fail_footer(r, "a column chunk has no metadata");
}

static leash_status read_chunks(reading *r, const ls_thrift_field *field)
{
    ls_parquet_footer *out = r->out;
    int64_t n = ls_thrift_list(&r->t, field, LS_THRIFT_STRUCT), at = out->n_groups * out->n_leaves;
    if (n != out->n_leaves)
        return fail_footer(r, "a row group has another number of columns than the schema");
    if (at + n > r->n_chunk_room) {
        r->n_chunk_room = 2 * (at + n);
        out->chunks =
            ls_realloc(out->chunks, ls_mul_size((size_t)r->n_chunk_room, sizeof *out->chunks));
    }
    for (int64_t i = 0; i < n; i++)
        LS_TRY(read_chunk(r, &out->chunks[at + i]));
    return LEASH_OK;
}

static leash_status read_group(reading *r)
{
    ls_parquet_footer *out = r->out;
    ls_thrift *t = &r->t;
    ls_thrift_field element = ls_thrift_element(LS_THRIFT_STRUCT);
    int64_t n_rows = -1;
    bool has_chunks = false;
    for (ls_thrift_field f = ls_thrift_enter(t, &element); ls_thrift_next(t, &f);) {
        if (f.id == 1) {
            LS_TRY(read_chunks(r, &f));
            has_chunks = true;
        } else if (f.id == 3) {
            n_rows = ls_thrift_int(t, &f);
        } else {
            ls_thrift_skip(t, &f);
        }
    }
    if (!t->is_bad && n_rows > out->n_rows)
        return fail_footer(r, "row groups have more rows than the file");
    if (t->is_bad || n_rows < 0 || !has_chunks)
        return fail_footer(r, "a row group makes no sense");
    if (out->n_groups == r->n_group_room) {
        r->n_group_room = 2 * r->n_group_room + 4;
        out->group_rows = ls_realloc(out->group_rows,
                                     ls_mul_size((size_t)r->n_group_room, sizeof *out->group_rows));
    }
    out->group_rows[out->n_groups++] = n_rows;
    return LEASH_OK;
}

static leash_status read_groups(reading *r, const ls_thrift_field *field)
{
    int64_t n = ls_thrift_list(&r->t, field, LS_THRIFT_STRUCT), sum = 0;
    if (!r->out->nodes || r->out->n_groups > 0)
        return fail_footer(r, "row groups stand before the schema");
    for (int64_t i = 0; i < n; i++) {
        LS_TRY(read_group(r));
        if (r->out->group_rows[i] > r->out->n_rows - sum)
            return fail_footer(r, "row groups have more rows than the file");
        sum += r->out->group_rows[i];
    }
    if (sum != r->out->n_rows)
        return fail_footer(r, "row groups have fewer rows than the file");
    return LEASH_OK;
}

static leash_status read_metadata(reading *r)
{
    ls_thrift *t = &r->t;
    bool has_groups = false;
    r->out->n_rows = -1;
    for (ls_thrift_field f = ls_thrift_begin(t); ls_thrift_next(t, &f);) {
        if (f.id == 2) {
            LS_TRY(read_schema(r, &f));
        } else if (f.id == 3) {
            r->out->n_rows = ls_thrift_int(t, &f);
        } else if (f.id == 4) {
            LS_TRY(read_groups(r, &f));
            has_groups = true;
        } else {
            ls_thrift_skip(t, &f);
        }
    }
    if (t->is_bad || !r->out->nodes || r->out->n_rows < 0 || !has_groups)
        return fail_footer(r, "schema, rows or row groups are missing");
    return LEASH_OK;
}

static leash_status find_metadata(ls_thrift *t, const ls_parquet_footer *f)
{
    size_t n = f->n_bytes;
    const unsigned char *end = f->bytes + n;
    if (n >= 4 && memcmp(end - 4, "PARE", 4) == 0)
        return ls_fail(LEASH_UNSUPPORTED, "%s: the Parquet file is encrypted", f->name);
    if (n < 4 + TRAILER || memcmp(f->bytes, "PAR1", 4) != 0)
        return ls_fail(LEASH_FORMAT, "%s: no Parquet file: it does not begin with PAR1", f->name);
    if (memcmp(end - 4, "PAR1", 4) != 0)
        return ls_fail(LEASH_FORMAT,
                       "%s: the Parquet file does not end with PAR1: it is cut off; fetch it again",
                       f->name);
    size_t size =
        (size_t)end[-8] | (size_t)end[-7] << 8 | (size_t)end[-6] << 16 | (size_t)end[-5] << 24;
    if (size > n - 4 - TRAILER || size > MOST_FOOTER_BYTES)
        return ls_fail(LEASH_FORMAT,
                       "%s: the Parquet footer claims %zu bytes, the file has %zu (at most %zu are "
                       "read)",
                       f->name, size, n, MOST_FOOTER_BYTES);
    *t = (ls_thrift){.at = end - TRAILER - size, .end = end - TRAILER};
    return LEASH_OK;
}

leash_status ls_parquet_footer_read(ls_parquet_footer *out, const unsigned char *bytes, size_t n,
                                    const char *name)
{
    *out = (ls_parquet_footer){.name = name, .bytes = bytes, .n_bytes = n};
    reading r = {.out = out};
    leash_status status = find_metadata(&r.t, out);
    if (status == LEASH_OK)
        status = read_metadata(&r);
    if (status != LEASH_OK)
        ls_parquet_footer_release(out);
    return status;
}

void ls_parquet_footer_release(ls_parquet_footer *footer)
{
    ls_free(footer->nodes);
    ls_free(footer->group_rows);
    ls_free(footer->chunks);
    *footer = (ls_parquet_footer){0};
}

void ls_parquet_leaf_path(const ls_parquet_footer *footer, int32_t leaf, ls_str *out)
{
    /* From the root down: the child whose leaves include this one is the last that begins at or
     * before it. */
    int32_t i = 0;
    while (footer->nodes[i].n_children > 0) {
        int32_t child = i + 1;
        while (footer->nodes[child].end < footer->nodes[i].end &&
               footer->nodes[footer->nodes[child].end].leaf <= leaf)
            child = footer->nodes[child].end;
        if (i > 0)
            ls_str_append_char(out, '.');
        ls_str_append_n(out, footer->nodes[child].name, footer->nodes[child].n_name);
        i = child;
    }
}
