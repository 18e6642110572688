/* Memory of a run, making values, comparing them, and what can be iterated. */
#include "text/jinja/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "text/jinja/ast.h"
#include "text/utf8.h"

#define CHUNK_BYTES ((size_t)32 << 10)
#define MOST_MEMORY ((size_t)512 << 20)

struct ls_jchunk {
    struct ls_jchunk *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

void *ls_jpool_alloc(ls_jpool *pool, size_t bytes)
{
    size_t need = (bytes + 15) & ~(size_t)15;
    struct ls_jchunk *c = pool->chunks;
    if (!c || c->size - c->used < need) {
        size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;
        c = ls_malloc(sizeof *c + size);
        pool->total += size;
        c->used = 0;
        c->size = size;
        /* A large block of its own goes behind the one that still has room. */
        if (pool->chunks && need > CHUNK_BYTES) {
            c->next = pool->chunks->next;
            pool->chunks->next = c;
        } else {
            c->next = pool->chunks;
            pool->chunks = c;
        }
    }
    void *p = c->bytes + c->used;
    c->used += need;
    memset(p, 0, need);
    return p;
}

char *ls_jpool_copy(ls_jpool *pool, const char *text, size_t n)
{
    char *copy = ls_jpool_alloc(pool, n + 1);
    if (n)
        memcpy(copy, text, n);
    return copy;
}

void ls_jpool_release(ls_jpool *pool)
{
    for (struct ls_jchunk *c = pool->chunks, *next; c; c = next) {
        next = c->next;
        ls_free(c);
    }
    *pool = (ls_jpool){0};
}

leash_status ls_jfail(const ls_jrun *run, const char *format, ...)
{
    ls_str text = LS_STR_INIT;
    va_list args;
    va_start(args, format);
    ls_str_appendv(&text, format, args);
    va_end(args);
    leash_status status =
        ls_fail(LEASH_DATA, "%s:%d:%d: %s", run->source->name, run->at ? run->at->line : 1,
                run->at ? run->at->column : 1, text.data);
    ls_str_release(&text);
    return status;
}

leash_status ls_jcharge(ls_jrun *run, size_t work)
{
    run->n_steps += (int64_t)(work / 16) + 1;
    if (run->n_steps > LS_JINJA_MOST_STEPS)
        return ls_jfail(run, "the template does not end within %d steps", LS_JINJA_MOST_STEPS);
    if (run->pool.total > MOST_MEMORY)
        return ls_jfail(run, "the template takes more than %d MiB", (int)(MOST_MEMORY >> 20));
    return LEASH_OK;
}

leash_status ls_jenter(ls_jrun *run)
{
    if (++run->depth > LS_JINJA_MOST_NESTED) {
        run->depth--;
        return ls_jfail(run, "the template nests too deeply (calls of macros or data)");
    }
    return LEASH_OK;
}

leash_status ls_jput(ls_jrun *run, ls_jbuf *buf, const char *text, size_t n)
{
    LS_TRY(ls_jcharge(run, n));
    if (n > LS_JINJA_MOST_OUTPUT - buf->n)
        return ls_jfail(run, "the template makes a text of more than %d MiB",
                        LS_JINJA_MOST_OUTPUT >> 20);
    if (buf->n + n > buf->cap) {
        size_t cap = 2 * (buf->n + n) + 32;
        char *data = ls_jpool_alloc(&run->pool, cap);
        if (buf->n)
            memcpy(data, buf->data, buf->n);
        buf->data = data;
        buf->cap = cap;
    }
    if (n)
        memcpy(buf->data + buf->n, text, n);
    buf->n += n;
    return LEASH_OK;
}

leash_status ls_jputs(ls_jrun *run, ls_jbuf *buf, const char *text)
{
    return ls_jput(run, buf, text, strlen(text));
}

leash_status ls_jput_char(ls_jrun *run, ls_jbuf *buf, uint32_t codepoint)
{
    char bytes[5];
    return ls_jput(run, buf, bytes, ls_utf8_put(bytes, codepoint));
}

ls_jval ls_jbool(bool truth)
{
    return (ls_jval){.type = LS_J_BOOL, .truth = truth};
}

ls_jval ls_jint(int64_t integer)
{
    return (ls_jval){.type = LS_J_INT, .integer = integer};
}

ls_jval ls_jfloat(double number)
{
    return (ls_jval){.type = LS_J_FLOAT, .number = number};
}

ls_jval ls_jstring(const char *text, size_t n)
{
    return (ls_jval){.type = LS_J_STRING, .text = {n ? text : "", n}};
}

ls_jval ls_jliteral(const char *text)
{
    return ls_jstring(text, strlen(text));
}

ls_jval ls_jof(const ls_jbuf *buf)
{
    return ls_jstring(buf->data, buf->n);
}

ls_jval ls_jnone(void)
{
    return (ls_jval){.type = LS_J_NONE};
}

ls_jval ls_jundefined(ls_jrun *run, const char *format, ...)
{
    char text[160];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t kept = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    return (ls_jval){.type = LS_J_UNDEFINED, .text = {ls_jpool_copy(&run->pool, text, kept), kept}};
}

ls_jval ls_jlist_new(ls_jrun *run, ls_jtype type, int64_t cap)
{
    ls_jlist *list = ls_jpool_alloc(&run->pool, sizeof *list);
    list->items = ls_jpool_alloc(&run->pool, ls_mul_size((size_t)cap, sizeof *list->items));
    list->cap = cap;
    return (ls_jval){.type = type, .list = list};
}

leash_status ls_jlist_add(ls_jrun *run, ls_jlist *list, ls_jval item)
{
    LS_TRY(ls_jcharge(run, sizeof item));
    if (list->n == list->cap) {
        int64_t cap = 2 * list->cap + 4;
        ls_jval *items = ls_jpool_alloc(&run->pool, (size_t)cap * sizeof *items);
        if (list->n)
            memcpy(items, list->items, (size_t)list->n * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = item;
    return LEASH_OK;
}

ls_jval ls_jdict_new(ls_jrun *run, ls_jtype type)
{
    ls_jdict *dict = ls_jpool_alloc(&run->pool, sizeof *dict);
    return (ls_jval){.type = type, .dict = dict};
}

static bool is_key(ls_jval v)
{
    if (v.type == LS_J_LIST || v.type == LS_J_DICT)
        return false;
    for (int64_t i = 0; v.type == LS_J_TUPLE && i < v.list->n; i++)
        if (v.list->items[i].type == LS_J_LIST || v.list->items[i].type == LS_J_DICT)
            return false;
    return true;
}

leash_status ls_jdict_get(ls_jrun *run, const ls_jdict *dict, ls_jval key, const ls_jval **out)
{
    *out = NULL;
    LS_TRY(ls_jcharge(run, (size_t)dict->n));
    for (int64_t i = 0; i < dict->n; i++) {
        const ls_jval *k = &dict->keys[i];
        bool is_same;
        if (k->type == LS_J_STRING && key.type == LS_J_STRING)
            is_same = k->text.n == key.text.n && memcmp(k->text.at, key.text.at, key.text.n) == 0;
        else
            LS_TRY(ls_jequal(run, *k, key, &is_same));
        if (is_same) {
            *out = &dict->values[i];
            return LEASH_OK;
        }
    }
    return LEASH_OK;
}

static void dict_grow(ls_jrun *run, ls_jdict *dict)
{
    int64_t cap = 2 * dict->cap + 4;
    ls_jval *keys = ls_jpool_alloc(&run->pool, (size_t)cap * sizeof *keys);
    ls_jval *values = ls_jpool_alloc(&run->pool, (size_t)cap * sizeof *values);
    if (dict->n) {
        memcpy(keys, dict->keys, (size_t)dict->n * sizeof *keys);
        memcpy(values, dict->values, (size_t)dict->n * sizeof *values);
    }
    dict->keys = keys;
    dict->values = values;
    dict->cap = cap;
}

leash_status ls_jdict_set(ls_jrun *run, ls_jdict *dict, ls_jval key, ls_jval value)
{
    const ls_jval *old;
    if (!is_key(key))
        return ls_jfail(run, "a %s cannot be the key of a dict", ls_jtype_name(key));
    LS_TRY(ls_jdict_get(run, dict, key, &old));
    if (old) {
        dict->values[old - dict->values] = value;
        return LEASH_OK;
    }
    if (dict->n == dict->cap)
        dict_grow(run, dict);
    dict->keys[dict->n] = key;
    dict->values[dict->n++] = value;
    return LEASH_OK;
}

static leash_status array_of_json(ls_jrun *run, const json_t *json, ls_jval *out)
{
    *out = ls_jlist_new(run, LS_J_LIST, (int64_t)json_array_size(json));
    for (size_t i = 0; i < json_array_size(json); i++) {
        ls_jval item;
        LS_TRY(ls_jval_of_json(run, json_array_get(json, i), &item));
        LS_TRY(ls_jlist_add(run, out->list, item));
    }
    return LEASH_OK;
}

static leash_status object_of_json(ls_jrun *run, const json_t *json, ls_jval *out)
{
    /* jansson's iterators take no const, and change nothing. */
    json_t *object = (json_t *)(uintptr_t)json;
    *out = ls_jdict_new(run, LS_J_DICT);
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        ls_jval value;
        LS_TRY(ls_jval_of_json(run, json_object_iter_value(i), &value));
        LS_TRY(ls_jcharge(run, sizeof value));
        if (out->dict->n == out->dict->cap)
            dict_grow(run, out->dict);
        out->dict->keys[out->dict->n] =
            ls_jstring(json_object_iter_key(i), json_object_iter_key_len(i));
        out->dict->values[out->dict->n++] = value;
    }
    return LEASH_OK;
}

leash_status ls_jval_of_json(ls_jrun *run, const json_t *json, ls_jval *out)
{
    leash_status status = LEASH_OK;
    switch (json ? json_typeof(json) : JSON_NULL) {
    case JSON_NULL: *out = ls_jnone(); break;
    case JSON_TRUE: *out = ls_jbool(true); break;
    case JSON_FALSE: *out = ls_jbool(false); break;
    case JSON_INTEGER: *out = ls_jint(json_integer_value(json)); break;
    case JSON_REAL: *out = ls_jfloat(json_real_value(json)); break;
    case JSON_STRING: *out = ls_jstring(json_string_value(json), json_string_length(json)); break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        LS_TRY(ls_jenter(run));
        status =
            json_is_array(json) ? array_of_json(run, json, out) : object_of_json(run, json, out);
        run->depth--;
        break;
    }
    return status;
}

bool ls_jtruth(ls_jval v)
{
    switch (v.type) {
    case LS_J_UNDEFINED:
    case LS_J_NONE: return false;
    case LS_J_BOOL: return v.truth;
    case LS_J_INT: return v.integer != 0;
    case LS_J_FLOAT: return v.number != 0;
    case LS_J_STRING: return v.text.n > 0;
    case LS_J_LIST:
    case LS_J_TUPLE: return v.list->n > 0;
    case LS_J_DICT: return v.dict->n > 0;
    default: return true;
    }
}

bool ls_jis_integer(ls_jval v, int64_t *out)
{
    *out = v.type == LS_J_BOOL ? v.truth : v.integer;
    return v.type == LS_J_BOOL || v.type == LS_J_INT;
}

bool ls_jis_number(ls_jval v)
{
    return v.type == LS_J_BOOL || v.type == LS_J_INT || v.type == LS_J_FLOAT;
}

double ls_jnumber(ls_jval v)
{
    return v.type == LS_J_FLOAT ? v.number : v.type == LS_J_BOOL ? v.truth : (double)v.integer;
}

const char *ls_jtype_name(ls_jval v)
{
    static const char *const names[] = {[LS_J_UNDEFINED] = "undefined value",
                                        [LS_J_NONE] = "NoneType",
                                        [LS_J_BOOL] = "bool",
                                        [LS_J_INT] = "int",
                                        [LS_J_FLOAT] = "float",
                                        [LS_J_STRING] = "str",
                                        [LS_J_LIST] = "list",
                                        [LS_J_TUPLE] = "tuple",
                                        [LS_J_GENERATOR] = "generator",
                                        [LS_J_DICT] = "dict",
                                        [LS_J_NAMESPACE] = "namespace",
                                        [LS_J_MACRO] = "macro",
                                        [LS_J_METHOD] = "method",
                                        [LS_J_FUNCTION] = "function",
                                        [LS_J_LOOP] = "loop"};
    return names[v.type];
}

static leash_status equal_lists(ls_jrun *run, const ls_jlist *a, const ls_jlist *b, bool *out)
{
    *out = a->n == b->n;
    for (int64_t i = 0; *out && i < a->n; i++)
        LS_TRY(ls_jequal(run, a->items[i], b->items[i], out));
    return LEASH_OK;
}

static leash_status equal_dicts(ls_jrun *run, const ls_jdict *a, const ls_jdict *b, bool *out)
{
    *out = a->n == b->n;
    for (int64_t i = 0; *out && i < a->n; i++) {
        const ls_jval *other;
        LS_TRY(ls_jdict_get(run, b, a->keys[i], &other));
        *out = other != NULL;
        if (other)
            LS_TRY(ls_jequal(run, a->values[i], *other, out));
    }
    return LEASH_OK;
}

static bool equal_numbers(ls_jval a, ls_jval b)
{
    int64_t x, y;
    return ls_jis_integer(a, &x) && ls_jis_integer(b, &y) ? x == y : ls_jnumber(a) == ls_jnumber(b);
}

leash_status ls_jequal(ls_jrun *run, ls_jval a, ls_jval b, bool *out)
{
    leash_status status = LEASH_OK;
    LS_TRY(ls_jcharge(run, 1));
    *out = false;
    if (ls_jis_number(a) && ls_jis_number(b)) {
        *out = equal_numbers(a, b);
        return LEASH_OK;
    }
    if (a.type != b.type)
        return LEASH_OK;
    LS_TRY(ls_jenter(run));
    switch (a.type) {
    case LS_J_UNDEFINED:
    case LS_J_NONE: *out = true; break;
    case LS_J_STRING:
        *out = a.text.n == b.text.n && memcmp(a.text.at, b.text.at, a.text.n) == 0;
        status = ls_jcharge(run, *out ? a.text.n : 0);
        break;
    case LS_J_LIST:
    case LS_J_TUPLE: status = equal_lists(run, a.list, b.list, out); break;
    case LS_J_DICT: status = equal_dicts(run, a.dict, b.dict, out); break;
    default: *out = a.list == b.list; break;
    }
    run->depth--;
    return status;
}

static leash_status compare_lists(ls_jrun *run, const ls_jlist *a, const ls_jlist *b,
                                  const char *what, int *out)
{
    for (int64_t i = 0; i < a->n && i < b->n; i++) {
        bool is_same;
        LS_TRY(ls_jequal(run, a->items[i], b->items[i], &is_same));
        if (!is_same)
            return ls_jcompare(run, a->items[i], b->items[i], what, out);
    }
    *out = a->n < b->n ? -1 : a->n > b->n;
    return LEASH_OK;
}

leash_status ls_jcompare(ls_jrun *run, ls_jval a, ls_jval b, const char *what, int *out)
{
    leash_status status = LEASH_OK;
    int64_t i, j;
    LS_TRY(ls_jcharge(run, 1));
    if (ls_jis_integer(a, &i) && ls_jis_integer(b, &j)) {
        *out = i < j ? -1 : i > j;
    } else if (ls_jis_number(a) && ls_jis_number(b)) {
        double x = ls_jnumber(a), y = ls_jnumber(b);
        *out = x < y ? -1 : x > y;
    } else if (a.type == LS_J_STRING && b.type == LS_J_STRING) {
        /* UTF-8 orders as code points do. */
        size_t n = a.text.n < b.text.n ? a.text.n : b.text.n;
        int order = n ? memcmp(a.text.at, b.text.at, n) : 0;
        LS_TRY(ls_jcharge(run, n));
        *out = order ? order : a.text.n < b.text.n ? -1 : a.text.n > b.text.n;
    } else if (a.type == b.type && (a.type == LS_J_LIST || a.type == LS_J_TUPLE)) {
        LS_TRY(ls_jenter(run));
        status = compare_lists(run, a.list, b.list, what, out);
        run->depth--;
    } else if (a.type == LS_J_UNDEFINED || b.type == LS_J_UNDEFINED) {
        status = ls_jfail(run, "%s", a.type == LS_J_UNDEFINED ? a.text.at : b.text.at);
    } else {
        status = ls_jfail(run, "'%s' is not supported between %s and %s", what, ls_jtype_name(a),
                          ls_jtype_name(b));
    }
    return status;
}

static leash_status list_contains(ls_jrun *run, const ls_jlist *list, ls_jval item, bool *out)
{
    *out = false;
    for (int64_t i = 0; !*out && i < list->n; i++)
        LS_TRY(ls_jequal(run, list->items[i], item, out));
    return LEASH_OK;
}

leash_status ls_jcontains(ls_jrun *run, ls_jval container, ls_jval item, bool *out)
{
    const ls_jval *found;
    ls_jlist *list;
    switch (container.type) {
    case LS_J_STRING:
        if (item.type != LS_J_STRING)
            return ls_jfail(run, "'in' a str needs a str, not %s", ls_jtype_name(item));
        *out = item.text.n == 0 || (container.text.n && memmem(container.text.at, container.text.n,
                                                               item.text.at, item.text.n));
        return ls_jcharge(run, container.text.n);
    case LS_J_DICT:
        if (!is_key(item))
            return ls_jfail(run, "a %s cannot be the key of a dict", ls_jtype_name(item));
        LS_TRY(ls_jdict_get(run, container.dict, item, &found));
        *out = found != NULL;
        return LEASH_OK;
    default: LS_TRY(ls_jiterate(run, container, &list)); return list_contains(run, list, item, out);
    }
}

int64_t ls_jchars(ls_jtext text)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.at[i] & 0xc0) != 0x80;
    return n;
}

static leash_status characters(ls_jrun *run, ls_jtext text, ls_jlist **out)
{
    size_t length;
    LS_TRY(ls_jcharge(run, text.n));
    *out = ls_jlist_new(run, LS_J_LIST, 0).list;
    for (size_t i = 0; i < text.n; i += length) {
        ls_utf8_at(text.at + i, &length);
        LS_TRY(ls_jlist_add(run, *out, ls_jstring(text.at + i, length)));
    }
    return LEASH_OK;
}

leash_status ls_jiterate(ls_jrun *run, ls_jval v, ls_jlist **out)
{
    switch (v.type) {
    case LS_J_LIST:
    case LS_J_TUPLE: *out = v.list; return LEASH_OK;
    case LS_J_GENERATOR:
        *out = ls_jlist_new(run, LS_J_LIST, 0).list;
        **out = *v.list;
        v.list->n = v.list->cap = 0;
        return LEASH_OK;
    case LS_J_UNDEFINED: *out = ls_jlist_new(run, LS_J_LIST, 0).list; return LEASH_OK;
    case LS_J_STRING: return characters(run, v.text, out);
    case LS_J_DICT:
        *out = ls_jlist_new(run, LS_J_LIST, 0).list;
        for (int64_t i = 0; i < v.dict->n; i++)
            LS_TRY(ls_jlist_add(run, *out, v.dict->keys[i]));
        return LEASH_OK;
    default: return ls_jfail(run, "a value of type %s cannot be iterated", ls_jtype_name(v));
    }
}

leash_status ls_jlength(ls_jrun *run, ls_jval v, int64_t *out)
{
    switch (v.type) {
    case LS_J_LIST:
    case LS_J_TUPLE: *out = v.list->n; return LEASH_OK;
    case LS_J_DICT: *out = v.dict->n; return LEASH_OK;
    case LS_J_UNDEFINED: *out = 0; return LEASH_OK;
    case LS_J_STRING: *out = ls_jchars(v.text); return ls_jcharge(run, v.text.n);
    default: return ls_jfail(run, "a value of type %s has no length", ls_jtype_name(v));
    }
}
