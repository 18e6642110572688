/* Methods of strings, dicts, lists and loops, by Python's names.
 *
 * What would change an object is refused, as the sandbox of transformers does; str.format is
 * refused because it reaches attributes. */
#include <string.h>

#include "text/jinja/eval.h"
#include "text/utf8.h"

static leash_status put_part(ls_jrun *run, ls_jlist *out, const char *begin, const char *end)
{
    return ls_jlist_add(run, out, ls_jstring(begin, (size_t)(end - begin)));
}

/* White space between words; what is left after `most` splits stays as it is. */
static leash_status split_space(ls_jrun *run, ls_jtext text, int64_t most, ls_jlist *out)
{
    text = ls_jstrip(text, NULL, true, false);
    while (text.n) {
        size_t n = 0, length;
        while (most != 0 && n < text.n && !ls_jis_space(ls_utf8_at(text.at + n, &length)))
            n += length;
        if (most == 0)
            n = text.n;
        LS_TRY(put_part(run, out, text.at, text.at + n));
        most--;
        text = ls_jstrip((ls_jtext){text.at + n, text.n - n}, NULL, true, false);
    }
    return LEASH_OK;
}

static leash_status split_text(ls_jrun *run, ls_jtext text, ls_jtext by, int64_t most,
                               ls_jlist *out)
{
    const char *at = text.at, *end = at + text.n, *found;
    for (; most != 0 && (found = memmem(at, (size_t)(end - at), by.at, by.n)); most--) {
        LS_TRY(put_part(run, out, at, found));
        at = found + by.n;
    }
    return put_part(run, out, at, end);
}

/* The parts from the end, in the end turned round. */
static leash_status split_back(ls_jrun *run, ls_jtext text, ls_jtext by, int64_t most,
                               ls_jlist *out)
{
    const char *end = text.at + text.n;
    for (const char *at = end; most != 0 && at - text.at >= (int64_t)by.n;) {
        if (memcmp(at - by.n, by.at, by.n) != 0) {
            at--;
            continue;
        }
        LS_TRY(put_part(run, out, at, end));
        end = at -= by.n;
        most--;
    }
    LS_TRY(put_part(run, out, text.at, end));
    for (int64_t i = 0, j = out->n - 1; i < j; i++, j--) {
        ls_jval swap = out->items[i];
        out->items[i] = out->items[j];
        out->items[j] = swap;
    }
    return LEASH_OK;
}

static leash_status split_any(ls_jrun *run, ls_jval self, const ls_jbound *args, bool is_back,
                              ls_jval *out)
{
    ls_jtext by;
    int64_t most;
    *out = ls_jlist_new(run, LS_J_LIST, 0);
    LS_TRY(ls_jcharge(run, self.text.n));
    LS_TRY(ls_jarg_int(run, args, 1, -1, &most));
    if (!args->is_given[0] || args->slots[0].type == LS_J_NONE)
        return is_back && most >= 0 ? ls_jfail(run, "rsplit: a limit needs a separator here")
                                    : split_space(run, self.text, most, out->list);
    LS_TRY(ls_jarg_text(run, args, 0, NULL, &by));
    if (by.n == 0)
        return ls_jfail(run, "split: the separator is empty");
    return is_back ? split_back(run, self.text, by, most, out->list)
                   : split_text(run, self.text, by, most, out->list);
}

static leash_status split(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    return split_any(run, self, args, false, out);
}

static leash_status rsplit(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    return split_any(run, self, args, true, out);
}

static leash_status split_lines(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    bool keeps = ls_jarg_bool(args, 0, false);
    const char *begin = self.text.at, *end = begin + self.text.n;
    *out = ls_jlist_new(run, LS_J_LIST, 0);
    LS_TRY(ls_jcharge(run, self.text.n));
    while (begin < end) {
        const char *stop = begin;
        while (stop < end && !(*stop >= '\n' && *stop <= '\r'))
            stop++;
        const char *next = stop + (stop < end);
        next += stop < end && *stop == '\r' && next < end && *next == '\n';
        LS_TRY(put_part(run, out->list, begin, keeps ? next : stop));
        begin = next;
    }
    return LEASH_OK;
}

static leash_status strip_sides(ls_jrun *run, ls_jval self, const ls_jbound *args, bool left,
                                bool right, ls_jval *out)
{
    ls_jtext set = {0};
    bool has_set = args->is_given[0] && args->slots[0].type != LS_J_NONE;
    if (has_set)
        LS_TRY(ls_jarg_text(run, args, 0, NULL, &set));
    LS_TRY(ls_jcharge(run, self.text.n));
    set = ls_jstrip(self.text, has_set ? &set : NULL, left, right);
    *out = ls_jstring(set.at, set.n);
    return LEASH_OK;
}

static leash_status strip(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    return strip_sides(run, self, args, true, true, out);
}

static leash_status lstrip(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    return strip_sides(run, self, args, true, false, out);
}

static leash_status rstrip(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    return strip_sides(run, self, args, false, true, out);
}

static bool has_affix(ls_jtext text, ls_jtext affix, bool is_start)
{
    return affix.n <= text.n &&
           (affix.n == 0 ||
            memcmp(is_start ? text.at : text.at + text.n - affix.n, affix.at, affix.n) == 0);
}

/* One string, or any of a tuple of them. */
static leash_status test_affix(ls_jrun *run, ls_jval self, const ls_jbound *args, bool is_start,
                               ls_jval *out)
{
    ls_jval affix = args->slots[0];
    *out = ls_jbool(false);
    if (affix.type == LS_J_STRING) {
        out->truth = has_affix(self.text, affix.text, is_start);
        return LEASH_OK;
    }
    if (affix.type != LS_J_TUPLE)
        return ls_jfail(run, "startswith and endswith take a str or a tuple, not %s",
                        ls_jtype_name(affix));
    for (int64_t i = 0; i < affix.list->n; i++)
        out->truth |= affix.list->items[i].type == LS_J_STRING &&
                      has_affix(self.text, affix.list->items[i].text, is_start);
    return ls_jcharge(run, (size_t)affix.list->n);
}

static leash_status starts_with(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    return test_affix(run, self, args, true, out);
}

static leash_status ends_with(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    return test_affix(run, self, args, false, out);
}

static leash_status remove_prefix(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    ls_jtext affix;
    LS_TRY(ls_jarg_text(run, args, 0, NULL, &affix));
    size_t n = has_affix(self.text, affix, true) ? affix.n : 0;
    *out = ls_jstring(self.text.at + n, self.text.n - n);
    return LEASH_OK;
}

static leash_status remove_suffix(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    ls_jtext affix;
    LS_TRY(ls_jarg_text(run, args, 0, NULL, &affix));
    *out =
        ls_jstring(self.text.at, self.text.n - (has_affix(self.text, affix, false) ? affix.n : 0));
    return LEASH_OK;
}

static leash_status replace(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    ls_jtext from, to;
    int64_t most;
    LS_TRY(ls_jarg_text(run, args, 0, NULL, &from));
    LS_TRY(ls_jarg_text(run, args, 1, NULL, &to));
    LS_TRY(ls_jarg_int(run, args, 2, -1, &most));
    return ls_jreplace(run, self.text, from, to, most, out);
}

static leash_status lower(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return ls_jchange_case(run, self.text, LS_J_LOWER, out);
}

static leash_status upper(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return ls_jchange_case(run, self.text, LS_J_UPPER, out);
}

static leash_status capitalize(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return ls_jchange_case(run, self.text, LS_J_CAPITALIZE, out);
}

static leash_status title(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return ls_jchange_case(run, self.text, LS_J_TITLE, out);
}

static leash_status find(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    ls_jtext part, text = self.text;
    LS_TRY(ls_jarg_text(run, args, 0, NULL, &part));
    const char *at = part.n ? memmem(text.at, text.n, part.at, part.n) : text.at;
    *out = ls_jint(at ? ls_jchars((ls_jtext){text.at, (size_t)(at - text.at)}) : -1);
    return ls_jcharge(run, text.n);
}

static leash_status count_text(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    ls_jtext part;
    const char *at = self.text.at, *end = at + self.text.n;
    LS_TRY(ls_jarg_text(run, args, 0, NULL, &part));
    *out = ls_jint(part.n ? 0 : ls_jchars(self.text) + 1);
    while (part.n && (at = memmem(at, (size_t)(end - at), part.at, part.n))) {
        out->integer++;
        at += part.n;
    }
    return ls_jcharge(run, self.text.n);
}

static leash_status join(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    ls_jlist *items;
    LS_TRY(ls_jiterate(run, args->slots[0], &items));
    return ls_jjoin(run, self.text, items, false, out);
}

static leash_status is_digit(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    *out = ls_jbool(self.text.n > 0);
    for (size_t i = 0; i < self.text.n; i++)
        out->truth &= self.text.at[i] >= '0' && self.text.at[i] <= '9';
    return ls_jcharge(run, self.text.n);
}

static leash_status is_space(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    *out = ls_jbool(self.text.n > 0 && ls_jstrip(self.text, NULL, true, false).n == 0);
    return ls_jcharge(run, self.text.n);
}

static leash_status test_by(ls_jrun *run, ls_jval self, const char *name, ls_jval *out)
{
    const ls_jargs none = {0};
    return ls_japply(run, ls_jfind_test((ls_jtext){name, strlen(name)}), self, &none, out);
}

static leash_status is_lower(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return test_by(run, self, "lower", out);
}

static leash_status is_upper(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return test_by(run, self, "upper", out);
}

static leash_status refuse_format(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)self;
    (void)args;
    (void)out;
    return ls_jfail(run, "str.format is not supported (use ~ to concatenate)");
}

static leash_status refuse_change(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    (void)out;
    return ls_jfail(run, "a template cannot change a %s (a namespace can be changed)",
                    ls_jtype_name(self));
}

static leash_status get(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    const ls_jval *found;
    LS_TRY(ls_jdict_get(run, self.dict, args->slots[0], &found));
    *out = found ? *found : args->is_given[1] ? args->slots[1] : ls_jnone();
    return LEASH_OK;
}

static leash_status items(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    *out = ls_jlist_new(run, LS_J_LIST, self.dict->n);
    for (int64_t i = 0; i < self.dict->n; i++) {
        ls_jval pair = ls_jlist_new(run, LS_J_TUPLE, 2);
        LS_TRY(ls_jlist_add(run, pair.list, self.dict->keys[i]));
        LS_TRY(ls_jlist_add(run, pair.list, self.dict->values[i]));
        LS_TRY(ls_jlist_add(run, out->list, pair));
    }
    return LEASH_OK;
}

static leash_status part_of_dict(ls_jrun *run, const ls_jdict *dict, const ls_jval *part,
                                 ls_jval *out)
{
    *out = ls_jlist_new(run, LS_J_LIST, dict->n);
    for (int64_t i = 0; i < dict->n; i++)
        LS_TRY(ls_jlist_add(run, out->list, part[i]));
    return LEASH_OK;
}

static leash_status keys(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return part_of_dict(run, self.dict, self.dict->keys, out);
}

static leash_status values(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return part_of_dict(run, self.dict, self.dict->values, out);
}

/* What never changes need not be copied. */
static leash_status copy(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)run;
    (void)args;
    *out = self;
    return LEASH_OK;
}

static leash_status list_index(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    bool is_same = false;
    int64_t i = 0;
    for (; i < self.list->n && !is_same; i++)
        LS_TRY(ls_jequal(run, self.list->items[i], args->slots[0], &is_same));
    *out = ls_jint(i - 1);
    return is_same ? LEASH_OK : ls_jfail(run, "index: the value is not in the list");
}

static leash_status list_count(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    *out = ls_jint(0);
    for (int64_t i = 0; i < self.list->n; i++) {
        bool is_same;
        LS_TRY(ls_jequal(run, self.list->items[i], args->slots[0], &is_same));
        out->integer += is_same;
    }
    return LEASH_OK;
}

static leash_status cycle(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)run;
    *out = args->all.values[self.loop->index % args->all.n];
    return LEASH_OK;
}

static const ls_jcallable string_methods[] = {
    {"capitalize", capitalize, "", 0},
    {"count", count_text, "sub", 1},
    {"endswith", ends_with, "suffix", 1},
    {"find", find, "sub", 1},
    {"format", refuse_format, "*", 0},
    {"isdigit", is_digit, "", 0},
    {"islower", is_lower, "", 0},
    {"isspace", is_space, "", 0},
    {"isupper", is_upper, "", 0},
    {"join", join, "iterable", 1},
    {"lower", lower, "", 0},
    {"lstrip", lstrip, "chars", 0},
    {"removeprefix", remove_prefix, "prefix", 1},
    {"removesuffix", remove_suffix, "suffix", 1},
    {"replace", replace, "old,new,count", 2},
    {"rsplit", rsplit, "sep,maxsplit", 0},
    {"rstrip", rstrip, "chars", 0},
    {"split", split, "sep,maxsplit", 0},
    {"splitlines", split_lines, "keepends", 0},
    {"startswith", starts_with, "prefix", 1},
    {"strip", strip, "chars", 0},
    {"title", title, "", 0},
    {"upper", upper, "", 0},
};
static const ls_jcallable dict_methods[] = {
    {"clear", refuse_change, "*", 0},
    {"copy", copy, "", 0},
    {"get", get, "key,default", 1},
    {"items", items, "", 0},
    {"keys", keys, "", 0},
    {"pop", refuse_change, "*", 0},
    {"popitem", refuse_change, "*", 0},
    {"setdefault", refuse_change, "*", 0},
    {"update", refuse_change, "*", 0},
    {"values", values, "", 0},
};
static const ls_jcallable list_methods[] = {
    {"append", refuse_change, "*", 0},
    {"clear", refuse_change, "*", 0},
    {"copy", copy, "", 0},
    {"count", list_count, "value", 1},
    {"extend", refuse_change, "*", 0},
    {"index", list_index, "value", 1},
    {"insert", refuse_change, "*", 0},
    {"pop", refuse_change, "*", 0},
    {"remove", refuse_change, "*", 0},
    {"reverse", refuse_change, "*", 0},
    {"sort", refuse_change, "*", 0},
};
static const ls_jcallable tuple_methods[] = {
    {"count", list_count, "value", 1},
    {"index", list_index, "value", 1},
};
static const ls_jcallable loop_methods[] = {
    {"cycle", cycle, "*", 1},
};

const ls_jcallable *ls_jfind_method(ls_jtype type, const char *name)
{
    static const struct {
        const ls_jcallable *methods;
        size_t n;
    } tables[] = {[LS_J_STRING] = {string_methods, LS_COUNT(string_methods)},
                  [LS_J_LIST] = {list_methods, LS_COUNT(list_methods)},
                  [LS_J_TUPLE] = {tuple_methods, LS_COUNT(tuple_methods)},
                  [LS_J_DICT] = {dict_methods, LS_COUNT(dict_methods)},
                  [LS_J_LOOP] = {loop_methods, LS_COUNT(loop_methods)}};
    for (size_t i = 0; i < tables[type].n; i++)
        if (strcmp(tables[type].methods[i].name, name) == 0)
            return &tables[type].methods[i];
    return NULL;
}
