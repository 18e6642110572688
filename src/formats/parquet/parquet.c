/* Rows out of columns (Dremel's record assembly).
 *
 * Each leaf is a stream of levels.  Walking down the schema, a node is absent when the definition
 * level of the first leaf below it is less than the node's own, and a repeated node goes on while
 * the next repetition level is its own or a deeper one.  Leaves that contradict each other show as
 * a leaf that is not at the start of a row when the next one begins. */
#include "formats/parquet/parquet.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "formats/parquet/column.h"

/* What a row may cost, so that runs and dictionaries cannot blow it up without end. */
#define MOST_ROW_BYTES ((int64_t)64 << 20)
#define VALUE_BYTES 32
#define NANOSECONDS_OF_DAY 86400000000000
#define JULIAN_DAY_OF_1970 2440588

struct ls_parquet {
    ls_map map; /* empty for bytes in memory */
    char *name;
    ls_parquet_footer footer;
    ls_column *columns; /* (n_leaves) */
    int64_t group, in_group;
    int64_t budget; /* bytes left of the row at work */
};

bool ls_is_parquet(const unsigned char *bytes, size_t n)
{
    return n >= 4 && memcmp(bytes, "PAR1", 4) == 0;
}

leash_status ls_parquet_open_memory(ls_parquet **out, const unsigned char *bytes, size_t n,
                                    const char *name)
{
    ls_parquet *file = ls_calloc(1, sizeof *file);
    file->name = ls_strdup(name);
    leash_status status = ls_parquet_footer_read(&file->footer, bytes, n, file->name);
    if (status != LEASH_OK) {
        ls_parquet_free(file);
        return status;
    }
    const ls_parquet_footer *footer = &file->footer;
    file->columns = ls_calloc((size_t)footer->n_leaves, sizeof *file->columns);
    for (int32_t i = 1, leaf = 0; i < footer->n_nodes; i++)
        if (footer->nodes[i].n_children == 0) {
            ls_column_init(&file->columns[leaf], footer, &footer->nodes[i], leaf);
            leaf++;
        }
    file->group = -1;
    *out = file;
    return LEASH_OK;
}

leash_status ls_parquet_open(ls_parquet **out, const char *path)
{
    ls_map map;
    LS_TRY(ls_map_open(&map, path));
    leash_status status = ls_parquet_open_memory(out, map.data, map.size, path);
    if (status == LEASH_OK)
        (*out)->map = map;
    else
        ls_map_close(&map);
    return status;
}

void ls_parquet_free(ls_parquet *file)
{
    if (!file)
        return;
    for (int32_t i = 0; file->columns && i < file->footer.n_leaves; i++)
        ls_column_release(&file->columns[i]);
    ls_free(file->columns);
    ls_parquet_footer_release(&file->footer);
    if (file->map.data)
        ls_map_close(&file->map);
    ls_free(file->name);
    ls_free(file);
}

int64_t ls_parquet_n_rows(const ls_parquet *file)
{
    return file->footer.n_rows;
}

static leash_status spend(ls_parquet *file, int64_t bytes)
{
    file->budget -= bytes + VALUE_BYTES;
    if (file->budget >= 0)
        return LEASH_OK;
    return ls_fail(LEASH_FORMAT, "%s: row group %lld: a row of more than %lld MiB", file->name,
                   (long long)file->group + 1, (long long)(MOST_ROW_BYTES >> 20));
}

static uint64_t little_endian(const ls_raw *raw)
{
    uint64_t value = 0;
    for (size_t i = 0; i < raw->n && i < 8; i++)
        value |= (uint64_t)raw->bytes[i] << (8 * i);
    return value;
}

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* Two's complement, most significant byte first. */
static double big_endian(const ls_raw *raw)
{
    double value = raw->n && raw->bytes[0] & 0x80 ? -1 : 0;
    for (size_t i = 0; i < raw->n; i++)
        value = value * 256 + raw->bytes[i];
    return value;
}

static json_t *text(const ls_raw *raw)
{
    json_t *value = json_stringn((const char *)raw->bytes, raw->n);
    if (value)
        return value;
    /* No UTF-8: the escaper knows what to put in its place. */
    ls_str quoted = LS_STR_INIT;
    ls_str_append_json(&quoted, (const char *)raw->bytes, raw->n);
    value = json_loadb(quoted.data, quoted.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    ls_str_release(&quoted);
    return value ? value : json_null();
}

static json_t *number(const ls_parquet_node *leaf, const ls_raw *raw)
{
    uint64_t bits = little_endian(raw);
    int64_t value = leaf->type == LS_PARQUET_INT32 ? (int32_t)(uint32_t)bits : (int64_t)bits;
    if (leaf->meaning == LS_PARQUET_DECIMAL)
        return real((double)value / pow(10, leaf->scale));
    if (leaf->meaning == LS_PARQUET_UINT32)
        return json_integer((int64_t)(bits & UINT32_MAX));
    if (leaf->meaning == LS_PARQUET_UINT64 && value < 0)
        return real((double)bits);
    return json_integer(value);
}

static json_t *floating(const ls_raw *raw)
{
    uint64_t bits = little_endian(raw);
    uint32_t low = (uint32_t)bits;
    float single;
    double value;
    memcpy(&single, &low, sizeof single);
    memcpy(&value, &bits, sizeof value);
    return real(raw->n == 4 ? (double)single : value);
}

/* Nanoseconds of the day and a Julian day, as nanoseconds since 1970. */
static json_t *timestamp(const ls_raw *raw)
{
    int64_t nanoseconds = (int64_t)little_endian(raw);
    ls_raw rest = {raw->bytes + 8, 4};
    int64_t day = (int32_t)(uint32_t)little_endian(&rest) - (int64_t)JULIAN_DAY_OF_1970;
    return json_integer((int64_t)((uint64_t)day * NANOSECONDS_OF_DAY + (uint64_t)nanoseconds));
}

static json_t *value_of(const ls_parquet_node *leaf, const ls_raw *raw)
{
    switch (leaf->type) {
    case LS_PARQUET_BOOLEAN: return json_boolean(raw->bytes[0]);
    case LS_PARQUET_INT32:
    case LS_PARQUET_INT64: return number(leaf, raw);
    case LS_PARQUET_INT96: return timestamp(raw);
    case LS_PARQUET_FLOAT:
    case LS_PARQUET_DOUBLE: return floating(raw);
    default:
        if (leaf->meaning == LS_PARQUET_DECIMAL)
            return real(big_endian(raw) / pow(10, leaf->scale));
        return text(raw);
    }
}

static leash_status read_leaf(ls_parquet *file, const ls_parquet_node *leaf, json_t **out)
{
    ls_raw raw;
    LS_TRY(ls_column_take(&file->columns[leaf->leaf], &raw));
    LS_TRY(spend(file, (int64_t)raw.n));
    *out = raw.bytes ? value_of(leaf, &raw) : json_null();
    return LEASH_OK;
}

/* Moves all leaves of an absent node on. */
static leash_status skip_absent(ls_parquet *file, const ls_parquet_node *node)
{
    const ls_parquet_node *nodes = file->footer.nodes;
    int64_t i = node - nodes;
    for (int64_t k = i; k < node->end; k++) {
        if (nodes[k].n_children > 0)
            continue;
        ls_raw raw;
        ls_column *c = &file->columns[nodes[k].leaf];
        LS_TRY(ls_column_peek(c));
        if (c->def >= node->max_def)
            return ls_column_fail(c, "it contradicts its neighbours");
        LS_TRY(ls_column_take(c, &raw));
    }
    return LEASH_OK;
}

static leash_status read_node(ls_parquet *file, const ls_parquet_node *node, json_t **out);

/* Members of a group that is there. */
static leash_status read_members(ls_parquet *file, const ls_parquet_node *group, bool keeps_nulls,
                                 json_t *object)
{
    const ls_parquet_node *nodes = file->footer.nodes;
    for (int32_t i = (int32_t)(group - nodes) + 1; i < group->end; i = nodes[i].end) {
        json_t *value = NULL;
        leash_status status = read_node(file, &nodes[i], &value);
        if (status != LEASH_OK || (json_is_null(value) && !keeps_nulls)) {
            json_decref(value);
            LS_TRY(status);
            continue;
        }
        json_object_setn_new(object, nodes[i].name, nodes[i].n_name, value);
    }
    return LEASH_OK;
}

/* What a repeated node repeats: of `list { repeated list { element } }` the element. */
static const ls_parquet_node *element_of(const ls_parquet_node *node, bool is_in_list)
{
    bool is_wrapper =
        is_in_list && node->n_children == 1 &&
        !(node->n_name == 5 && memcmp(node->name, "array", 5) == 0) &&
        !(node->n_name >= 6 && memcmp(node->name + node->n_name - 6, "_tuple", 6) == 0);
    return is_wrapper ? node + 1 : NULL;
}

static leash_status read_present(ls_parquet *file, const ls_parquet_node *node, json_t **out)
{
    if (node->n_children == 0)
        return read_leaf(file, node, out);
    *out = json_object();
    LS_TRY(spend(file, 0));
    return read_members(file, node, false, *out);
}

/* All repetitions of a repeated node; its list is there. */
static leash_status read_repeated(ls_parquet *file, const ls_parquet_node *node, bool is_in_list,
                                  json_t **out)
{
    ls_column *first = &file->columns[node->leaf];
    const ls_parquet_node *element = element_of(node, is_in_list);
    *out = json_array();
    LS_TRY(ls_column_peek(first));
    if (first->def < node->max_def)
        return skip_absent(file, node);
    do {
        json_t *value = NULL;
        leash_status status =
            element ? read_node(file, element, &value) : read_present(file, node, &value);
        if (status != LEASH_OK) {
            json_decref(value);
            return status;
        }
        json_array_append_new(*out, value);
        LS_TRY(ls_column_peek(first));
    } while (!first->is_at_end && first->rep == node->max_rep);
    return LEASH_OK;
}

static bool is_list(const ls_parquet_node *node)
{
    bool says_so = node->meaning == LS_PARQUET_LIST || node->meaning == LS_PARQUET_MAP ||
                   node->meaning == LS_PARQUET_MAP_KEY_VALUE;
    return says_so && node->n_children == 1 && node[1].is_repeated;
}

/* On an error *out holds what there is so far, or NULL. */
static leash_status read_node(ls_parquet *file, const ls_parquet_node *node, json_t **out)
{
    if (node->is_repeated)
        return read_repeated(file, node, false, out);
    if (node->is_optional && node->n_children > 0) {
        ls_column *first = &file->columns[node->leaf];
        LS_TRY(ls_column_peek(first));
        if (first->def < node->max_def) {
            *out = json_null();
            return skip_absent(file, node);
        }
    }
    if (is_list(node))
        return read_repeated(file, node + 1, node->meaning == LS_PARQUET_LIST, out);
    return read_present(file, node, out);
}

/* Every leaf must be at the start of a row, or at the end after the last one. */
static leash_status check_row_start(ls_parquet *file, bool is_last)
{
    for (int32_t i = 0; i < file->footer.n_leaves; i++) {
        ls_column *c = &file->columns[i];
        LS_TRY(ls_column_peek(c));
        if (is_last ? !c->is_at_end : c->rep != 0)
            return ls_column_fail(c, is_last ? "it has more rows than the row group"
                                             : "it contradicts its neighbours");
    }
    return LEASH_OK;
}

/* Moves to a group with rows; false at the end of the file. */
static leash_status next_group(ls_parquet *file, bool *has_group)
{
    const ls_parquet_footer *footer = &file->footer;
    while (file->group < 0 || file->in_group == footer->group_rows[file->group]) {
        if (file->group >= 0)
            LS_TRY(check_row_start(file, true));
        if (file->group + 1 >= footer->n_groups) {
            *has_group = false;
            return LEASH_OK;
        }
        file->group++;
        file->in_group = 0;
        for (int32_t i = 0; i < footer->n_leaves; i++)
            ls_column_begin(&file->columns[i], file->group);
    }
    *has_group = true;
    return LEASH_OK;
}

leash_status ls_parquet_next(ls_parquet *file, json_t **row)
{
    bool has_group;
    *row = NULL;
    LS_TRY(next_group(file, &has_group));
    if (!has_group)
        return LEASH_OK;
    file->in_group++;
    file->budget = MOST_ROW_BYTES;
    LS_TRY(check_row_start(file, false));
    json_t *object = json_object();
    leash_status status = read_members(file, &file->footer.nodes[0], true, object);
    if (status == LEASH_OK)
        *row = object;
    else
        json_decref(object);
    return status;
}
