/* Filters on lists, dicts and what else can be iterated. */
#include <string.h>

#include "text/jinja/callable.h"

static ls_jval absent(void)
{
    return (ls_jval){.type = LS_J_UNDEFINED, .text = {"", 0}};
}

/* "a.b.0": attributes of attributes; numbers are indexes.  A `default_value` that is not undefined
 * stands for what is missing. */
static leash_status get_path(ls_jrun *run, ls_jval v, ls_jval path, ls_jval default_value,
                             ls_jval *out)
{
    *out = v;
    if (path.type == LS_J_INT)
        return ls_jitem(run, v, path, out);
    if (path.type != LS_J_STRING)
        return ls_jfail(run, "the attribute must be a str, not %s", ls_jtype_name(path));
    for (size_t begin = 0, end; begin <= path.text.n; begin = end + 1) {
        for (end = begin; end < path.text.n && path.text.at[end] != '.';)
            end++;
        ls_jval part = ls_jstring(path.text.at + begin, end - begin);
        int64_t index;
        if (ls_parse_int64(ls_jpool_copy(&run->pool, part.text.at, part.text.n), &index) &&
            part.text.at[0] != '-')
            part = ls_jint(index);
        LS_TRY(ls_jitem(run, *out, part, out));
        if (out->type == LS_J_UNDEFINED && default_value.type != LS_J_UNDEFINED)
            *out = default_value;
    }
    return LEASH_OK;
}

static const ls_jval *keyword(const ls_jbound *args, const char *name)
{
    for (int64_t i = 0; i < args->all.n_keywords; i++)
        if (strcmp(args->all.keywords[i].name, name) == 0)
            return &args->all.keywords[i].value;
    return NULL;
}

static ls_jargs rest_of(const ls_jbound *args, int64_t n)
{
    ls_jargs rest = args->all;
    rest.values += n;
    rest.n -= n;
    return rest;
}

static leash_status map_attribute(ls_jrun *run, const ls_jlist *items, const ls_jbound *args,
                                  ls_jlist *out)
{
    const ls_jval *path = keyword(args, "attribute"), *missing = keyword(args, "default");
    for (int64_t i = 0; i < items->n; i++) {
        ls_jval v;
        LS_TRY(get_path(run, items->items[i], *path, missing ? *missing : absent(), &v));
        LS_TRY(ls_jlist_add(run, out, v));
    }
    return LEASH_OK;
}

static leash_status map(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jlist *items;
    *out = ls_jlist_new(run, LS_J_GENERATOR, 0);
    if (!ls_jtruth(v))
        return LEASH_OK;
    LS_TRY(ls_jiterate(run, v, &items));
    if (args->all.n == 0 && keyword(args, "attribute"))
        return map_attribute(run, items, args, out->list);
    if (args->all.n == 0 || args->all.values[0].type != LS_J_STRING)
        return ls_jfail(run, "map: needs the name of a filter, or attribute=NAME");
    const ls_jcallable *filter = ls_jfind_filter(args->all.values[0].text);
    if (!filter)
        return ls_jfail(run, "map: there is no filter '%.*s'", (int)args->all.values[0].text.n,
                        args->all.values[0].text.at);
    ls_jargs rest = rest_of(args, 1);
    for (int64_t i = 0; i < items->n; i++) {
        ls_jval mapped;
        LS_TRY(ls_jcharge(run, 0));
        LS_TRY(ls_jenter(run));
        LS_TRY(ls_japply(run, filter, items->items[i], &rest, &mapped));
        run->depth--;
        LS_TRY(ls_jlist_add(run, out->list, mapped));
    }
    return LEASH_OK;
}

/* select, reject and their attr forms: n_path 1 where the first argument is an attribute. */
static leash_status choose(ls_jrun *run, ls_jval v, const ls_jbound *args, int n_path, bool keeps,
                           ls_jval *out)
{
    const ls_jcallable *test = NULL;
    ls_jlist *items;
    *out = ls_jlist_new(run, LS_J_GENERATOR, 0);
    if (!ls_jtruth(v))
        return LEASH_OK;
    if (args->all.n > n_path) {
        ls_jval name = args->all.values[n_path];
        if (name.type == LS_J_STRING)
            test = ls_jfind_test(name.text);
        if (!test)
            return ls_jfail(run, "there is no such test: %.*s",
                            name.type == LS_J_STRING ? (int)name.text.n : 0,
                            name.type == LS_J_STRING ? name.text.at : "");
    }
    ls_jargs rest = rest_of(args, n_path + (test != NULL));
    LS_TRY(ls_jiterate(run, v, &items));
    for (int64_t i = 0; i < items->n; i++) {
        ls_jval subject = items->items[i], result;
        LS_TRY(ls_jcharge(run, 0));
        if (n_path)
            LS_TRY(get_path(run, subject, args->all.values[0], absent(), &subject));
        result = subject;
        if (test)
            LS_TRY(ls_japply(run, test, subject, &rest, &result));
        if (ls_jtruth(result) == keeps)
            LS_TRY(ls_jlist_add(run, out->list, items->items[i]));
    }
    return LEASH_OK;
}

static leash_status select_items(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    return choose(run, v, args, 0, true, out);
}

static leash_status reject_items(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    return choose(run, v, args, 0, false, out);
}

static leash_status select_attr(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    return choose(run, v, args, 1, true, out);
}

static leash_status reject_attr(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    return choose(run, v, args, 1, false, out);
}

static leash_status length(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    *out = ls_jint(0);
    return ls_jlength(run, v, &out->integer);
}

static leash_status to_list(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    *out = (ls_jval){.type = LS_J_LIST};
    return ls_jiterate(run, v, &out->list);
}

static leash_status end_item(ls_jrun *run, ls_jval v, bool is_first, ls_jval *out)
{
    ls_jlist *items;
    if (v.type == LS_J_GENERATOR && !is_first)
        return ls_jfail(run, "last: a generator cannot be read from its end (use |list first)");
    if (v.type == LS_J_GENERATOR && v.list->n) { /* takes one and leaves the others */
        *out = v.list->items[0];
        v.list->items++;
        v.list->n--;
        v.list->cap = v.list->n;
        return LEASH_OK;
    }
    LS_TRY(ls_jiterate(run, v, &items));
    *out = items->n ? items->items[is_first ? 0 : items->n - 1]
                    : ls_jundefined(run, "the sequence is empty, there is no %s item",
                                    is_first ? "first" : "last");
    return LEASH_OK;
}

static leash_status first(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return end_item(run, v, true, out);
}

static leash_status last(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return end_item(run, v, false, out);
}

static leash_status reverse(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jlist *items;
    const ls_jval backwards[3] = {ls_jnone(), ls_jnone(), ls_jint(-1)};
    (void)args;
    if (v.type == LS_J_STRING)
        return ls_jslice(run, v, backwards, out);
    LS_TRY(ls_jiterate(run, v, &items));
    *out = ls_jlist_new(run, LS_J_GENERATOR, items->n);
    for (int64_t i = items->n; i-- > 0;)
        LS_TRY(ls_jlist_add(run, out->list, items->items[i]));
    return LEASH_OK;
}

static leash_status join(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jlist *items;
    ls_jtext separator = {"", 0};
    if (args->is_given[0])
        LS_TRY(ls_jto_string(run, args->slots[0], &separator));
    LS_TRY(ls_jiterate(run, v, &items));
    if (args->is_given[1] && args->slots[1].type != LS_J_NONE) {
        ls_jlist *parts = ls_jlist_new(run, LS_J_LIST, 0).list;
        for (int64_t i = 0; i < items->n; i++) {
            ls_jval part;
            LS_TRY(get_path(run, items->items[i], args->slots[1], absent(), &part));
            LS_TRY(ls_jlist_add(run, parts, part));
        }
        items = parts;
    }
    return ls_jjoin(run, separator, items, true, out);
}

static leash_status pair(ls_jrun *run, ls_jval a, ls_jval b, ls_jval *out)
{
    *out = ls_jlist_new(run, LS_J_TUPLE, 2);
    LS_TRY(ls_jlist_add(run, out->list, a));
    return ls_jlist_add(run, out->list, b);
}

static leash_status add_pairs(ls_jrun *run, const ls_jdict *dict, ls_jlist *out)
{
    for (int64_t i = 0; i < dict->n; i++) {
        ls_jval both;
        LS_TRY(pair(run, dict->keys[i], dict->values[i], &both));
        LS_TRY(ls_jlist_add(run, out, both));
    }
    return LEASH_OK;
}

static leash_status items_of(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    *out = ls_jlist_new(run, LS_J_GENERATOR, 0);
    if (v.type == LS_J_UNDEFINED)
        return LEASH_OK;
    if (v.type != LS_J_DICT)
        return ls_jfail(run, "items: needs a dict, not %s", ls_jtype_name(v));
    return add_pairs(run, v.dict, out->list);
}

/* What the order is decided by: the value or an attribute of it, strings in lower case unless case
 * counts. */
static leash_status sort_key(ls_jrun *run, ls_jval v, ls_jval path, bool is_case_sensitive,
                             ls_jval *out)
{
    *out = v;
    if (path.type != LS_J_NONE)
        LS_TRY(get_path(run, v, path, absent(), out));
    if (out->type == LS_J_STRING && !is_case_sensitive)
        return ls_jchange_case(run, out->text, LS_J_LOWER, out);
    return LEASH_OK;
}

/* Stable, also backwards. */
static leash_status sort_items(ls_jrun *run, ls_jlist *items, ls_jval path, bool is_case_sensitive,
                               bool is_reverse, ls_jval *out)
{
    ls_jval *keys = ls_jpool_alloc(&run->pool, (size_t)items->n * sizeof *keys);
    *out = ls_jlist_new(run, LS_J_LIST, items->n);
    for (int64_t i = 0; i < items->n; i++) {
        ls_jval key;
        int64_t j = i;
        LS_TRY(sort_key(run, items->items[i], path, is_case_sensitive, &key));
        for (; j > 0; j--) {
            int order;
            LS_TRY(ls_jcompare(run, key, keys[j - 1], "<", &order));
            if (is_reverse ? order <= 0 : order >= 0)
                break;
            keys[j] = keys[j - 1];
            out->list->items[j] = out->list->items[j - 1];
        }
        keys[j] = key;
        out->list->items[j] = items->items[i];
        out->list->n++;
    }
    return LEASH_OK;
}

static leash_status sort(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jlist *items;
    LS_TRY(ls_jiterate(run, v, &items));
    return sort_items(run, items, args->is_given[2] ? args->slots[2] : ls_jnone(),
                      ls_jarg_bool(args, 1, false), ls_jarg_bool(args, 0, false), out);
}

static leash_status dict_sort(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jtext by;
    LS_TRY(ls_jarg_text(run, args, 1, "key", &by));
    bool is_value = by.n == 5 && memcmp(by.at, "value", 5) == 0;
    if (v.type != LS_J_DICT || !(is_value || (by.n == 3 && memcmp(by.at, "key", 3) == 0)))
        return ls_jfail(run, "dictsort: sorts a dict by \"key\" or \"value\"");
    ls_jlist *pairs = ls_jlist_new(run, LS_J_LIST, v.dict->n).list;
    LS_TRY(add_pairs(run, v.dict, pairs));
    return sort_items(run, pairs, ls_jint(is_value), ls_jarg_bool(args, 0, false),
                      ls_jarg_bool(args, 2, false), out);
}

static leash_status unique(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jlist *items, *seen = ls_jlist_new(run, LS_J_LIST, 0).list;
    LS_TRY(ls_jiterate(run, v, &items));
    *out = ls_jlist_new(run, LS_J_GENERATOR, 0);
    for (int64_t i = 0; i < items->n; i++) {
        ls_jval key;
        bool is_known = false;
        LS_TRY(sort_key(run, items->items[i], args->is_given[1] ? args->slots[1] : ls_jnone(),
                        ls_jarg_bool(args, 0, false), &key));
        for (int64_t j = 0; j < seen->n && !is_known; j++)
            LS_TRY(ls_jequal(run, seen->items[j], key, &is_known));
        if (is_known)
            continue;
        LS_TRY(ls_jlist_add(run, seen, key));
        LS_TRY(ls_jlist_add(run, out->list, items->items[i]));
    }
    return LEASH_OK;
}

static leash_status extreme(ls_jrun *run, ls_jval v, const ls_jbound *args, int sign, ls_jval *out)
{
    ls_jlist *items;
    ls_jval best = ls_jnone(), path = args->is_given[1] ? args->slots[1] : ls_jnone();
    LS_TRY(ls_jiterate(run, v, &items));
    *out = ls_jundefined(run, "the sequence is empty");
    for (int64_t i = 0; i < items->n; i++) {
        ls_jval key;
        int order = sign;
        LS_TRY(sort_key(run, items->items[i], path, ls_jarg_bool(args, 0, false), &key));
        if (i)
            LS_TRY(ls_jcompare(run, key, best, sign < 0 ? "<" : ">", &order));
        if (i == 0 || (sign < 0 ? order < 0 : order > 0)) {
            best = key;
            *out = items->items[i];
        }
    }
    return LEASH_OK;
}

static leash_status smallest(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    return extreme(run, v, args, -1, out);
}

static leash_status largest(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    return extreme(run, v, args, 1, out);
}

static leash_status sum(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jlist *items;
    LS_TRY(ls_jiterate(run, v, &items));
    *out = args->is_given[1] ? args->slots[1] : ls_jint(0);
    for (int64_t i = 0; i < items->n; i++) {
        ls_jval item = items->items[i];
        if (args->is_given[0] && args->slots[0].type != LS_J_NONE)
            LS_TRY(get_path(run, item, args->slots[0], absent(), &item));
        LS_TRY(ls_jarithmetic(run, '+', *out, item, out));
    }
    return LEASH_OK;
}

const ls_jcallable ls_jlist_filters[] = {
    {"count", length, "", 0},
    {"dictsort", dict_sort, "case_sensitive,by,reverse", 0},
    {"first", first, "", 0},
    {"items", items_of, "", 0},
    {"join", join, "d,attribute", 0},
    {"last", last, "", 0},
    {"length", length, "", 0},
    {"list", to_list, "", 0},
    {"map", map, "*", 0},
    {"max", largest, "case_sensitive,attribute", 0},
    {"min", smallest, "case_sensitive,attribute", 0},
    {"reject", reject_items, "*", 0},
    {"rejectattr", reject_attr, "*", 1},
    {"reverse", reverse, "", 0},
    {"select", select_items, "*", 0},
    {"selectattr", select_attr, "*", 1},
    {"sort", sort, "reverse,case_sensitive,attribute", 0},
    {"sum", sum, "attribute,start", 0},
    {"unique", unique, "case_sensitive,attribute", 0},
};
const size_t ls_jn_list_filters = LS_COUNT(ls_jlist_filters);
