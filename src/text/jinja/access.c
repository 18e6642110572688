/* v.name, v[key] and slices.
 *
 * As in Jinja2, what is not there is an undefined value and not an error, except that an undefined
 * value has nothing at all.  With a dot methods come before keys, in brackets keys before
 * methods. */
#include <string.h>

#include "text/jinja/eval.h"

static bool loop_attribute(ls_jrun *run, const ls_jloop *loop, const char *name, ls_jval *out)
{
    int64_t i = loop->index, n = loop->items->n;
    const struct {
        const char *name;
        ls_jval value;
    } values[] = {{"index", ls_jint(i + 1)},    {"index0", ls_jint(i)},
                  {"revindex", ls_jint(n - i)}, {"revindex0", ls_jint(n - i - 1)},
                  {"first", ls_jbool(i == 0)},  {"last", ls_jbool(i == n - 1)},
                  {"length", ls_jint(n)},       {"depth", ls_jint(1)}, /* loops are not recursive */
                  {"depth0", ls_jint(0)}};
    for (size_t k = 0; k < LS_COUNT(values); k++)
        if (strcmp(values[k].name, name) == 0) {
            *out = values[k].value;
            return true;
        }
    bool is_previous = strcmp(name, "previtem") == 0;
    if (!is_previous && strcmp(name, "nextitem") != 0)
        return false;
    int64_t other = is_previous ? i - 1 : i + 1;
    *out = other >= 0 && other < n
               ? loop->items->items[other]
               : ls_jundefined(run, "there is no %s item", is_previous ? "previous" : "next");
    return true;
}

static bool find_method(ls_jrun *run, ls_jval v, const char *name, ls_jval *out)
{
    const ls_jcallable *callable = ls_jfind_method(v.type, name);
    if (!callable)
        return false;
    ls_jmethod *m = ls_jpool_alloc(&run->pool, sizeof *m);
    *m = (ls_jmethod){v, callable};
    *out = (ls_jval){.type = LS_J_METHOD, .method = m};
    return true;
}

static leash_status find_key(ls_jrun *run, ls_jval v, ls_jval key, bool *is_found, ls_jval *out)
{
    const ls_jval *found = NULL;
    *is_found = false;
    if (v.type == LS_J_DICT || v.type == LS_J_NAMESPACE)
        LS_TRY(ls_jdict_get(run, v.dict, key, &found));
    if (found) {
        *is_found = true;
        *out = *found;
    }
    return LEASH_OK;
}

static leash_status fail_undefined(const ls_jrun *run, ls_jval v)
{
    return ls_jfail(run, "%s", v.text.at);
}

leash_status ls_jattribute(ls_jrun *run, ls_jval v, const char *name, ls_jval *out)
{
    bool is_found;
    if (v.type == LS_J_UNDEFINED)
        return fail_undefined(run, v);
    if (find_method(run, v, name, out))
        return LEASH_OK;
    if (v.type == LS_J_LOOP && loop_attribute(run, v.loop, name, out))
        return LEASH_OK;
    LS_TRY(find_key(run, v, ls_jliteral(name), &is_found, out));
    if (!is_found)
        *out = ls_jundefined(run, "'%s object' has no attribute '%s'", ls_jtype_name(v), name);
    return LEASH_OK;
}

/* The character with an index, which may count from the end. */
static leash_status character(ls_jrun *run, ls_jtext text, int64_t index, ls_jval *out)
{
    ls_jval parts[3] = {ls_jint(index), ls_jnone(), ls_jnone()};
    int64_t n = ls_jchars(text);
    if (index < 0)
        index += n;
    if (index < 0 || index >= n) {
        *out = ls_jundefined(run, "the str has no character %lld", (long long)index);
        return ls_jcharge(run, text.n);
    }
    parts[0] = ls_jint(index);
    parts[1] = ls_jint(index + 1);
    return ls_jslice(run, ls_jstring(text.at, text.n), parts, out);
}

leash_status ls_jitem(ls_jrun *run, ls_jval v, ls_jval key, ls_jval *out)
{
    bool is_found;
    int64_t i;
    if (v.type == LS_J_UNDEFINED)
        return fail_undefined(run, v);
    if (ls_jis_integer(key, &i) && v.type == LS_J_STRING)
        return character(run, v.text, i, out);
    if (ls_jis_integer(key, &i) && (v.type == LS_J_LIST || v.type == LS_J_TUPLE)) {
        i += i < 0 ? v.list->n : 0;
        *out = i >= 0 && i < v.list->n ? v.list->items[i]
                                       : ls_jundefined(run, "the %s has no element %lld",
                                                       ls_jtype_name(v), (long long)i);
        return LEASH_OK;
    }
    LS_TRY(find_key(run, v, key, &is_found, out));
    if (is_found)
        return LEASH_OK;
    if (key.type == LS_J_STRING) {
        const char *name = ls_jpool_copy(&run->pool, key.text.at, key.text.n);
        if (strlen(name) == key.text.n)
            return v.type == LS_J_DICT && !ls_jfind_method(v.type, name)
                       ? (*out = ls_jundefined(run, "'dict object' has no attribute '%s'", name),
                          LEASH_OK)
                       : ls_jattribute(run, v, name, out);
    }
    *out = ls_jundefined(run, "'%s object' has no such element", ls_jtype_name(v));
    return LEASH_OK;
}

/* Python's slice.indices(): start, stop and step for a sequence of n. */
static leash_status slice_bounds(ls_jrun *run, const ls_jval part[3], int64_t n, int64_t out[3])
{
    int64_t step = 1;
    for (int i = 0; i < 3; i++)
        if (part[i].type != LS_J_NONE && !ls_jis_integer(part[i], &out[i]))
            return ls_jfail(run, "the parts of a slice are integers or none, not %s",
                            ls_jtype_name(part[i]));
    if (part[2].type != LS_J_NONE)
        step = out[2];
    if (step == 0)
        return ls_jfail(run, "the step of a slice cannot be zero");
    for (int i = 0; i < 2; i++) {
        int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
        if (part[i].type == LS_J_NONE) {
            out[i] = (i == 0) == (step > 0) ? low : high;
            continue;
        }
        if (out[i] < 0)
            out[i] = out[i] < -n ? low : out[i] + n;
        out[i] = out[i] < low ? low : out[i] > high ? high : out[i];
    }
    out[2] = step;
    return LEASH_OK;
}

static leash_status slice_text(ls_jrun *run, ls_jtext text, const int64_t bounds[3], int64_t n,
                               ls_jval *out)
{
    int64_t start = bounds[0], stop = bounds[1], step = bounds[2];
    ls_jbuf buf = {0};
    if (step == 1) {
        size_t at[2] = {0, 0};
        for (int k = 0; k < 2; k++) {
            int64_t want = k ? (stop > start ? stop : start) : start;
            size_t i = 0;
            for (int64_t c = 0; c < want && i < text.n; c++)
                for (i++; i < text.n && ((unsigned char)text.at[i] & 0xc0) == 0x80;)
                    i++;
            at[k] = i;
        }
        *out = ls_jstring(text.at + at[0], at[1] - at[0]);
        return ls_jcharge(run, text.n);
    }
    ls_jlist *all;
    LS_TRY(ls_jiterate(run, ls_jstring(text.at, text.n), &all));
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
        LS_TRY(ls_jput(run, &buf, all->items[i].text.at, all->items[i].text.n));
        if (step > n || step < -n)
            break;
    }
    *out = ls_jof(&buf);
    return LEASH_OK;
}

leash_status ls_jslice(ls_jrun *run, ls_jval v, const ls_jval part[3], ls_jval *out)
{
    int64_t n, b[3] = {0};
    if (v.type == LS_J_UNDEFINED)
        return fail_undefined(run, v);
    if (v.type != LS_J_STRING && v.type != LS_J_LIST && v.type != LS_J_TUPLE) {
        *out = ls_jundefined(run, "a %s cannot be sliced", ls_jtype_name(v));
        return LEASH_OK;
    }
    LS_TRY(ls_jlength(run, v, &n));
    LS_TRY(slice_bounds(run, part, n, b));
    if (v.type == LS_J_STRING)
        return slice_text(run, v.text, b, n, out);
    *out = ls_jlist_new(run, v.type, 0);
    for (int64_t i = b[0]; b[2] > 0 ? i < b[1] : i > b[1]; i += b[2]) {
        LS_TRY(ls_jlist_add(run, out->list, v.list->items[i]));
        if (b[2] > n || b[2] < -n) /* so that i does not overflow */
            break;
    }
    return LEASH_OK;
}
