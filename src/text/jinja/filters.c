/* Filters on single values: texts, numbers, defaults, JSON.  Those on lists stand in
 * filters_list.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja/callable.h"
#include "text/utf8.h"

static leash_status to_string(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jtext text;
    (void)args;
    LS_TRY(ls_jto_string(run, v, &text));
    *out = ls_jstring(text.at, text.n);
    return LEASH_OK;
}

/* Nothing is escaped, so nothing has to be marked as safe. */
static leash_status safe(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    return to_string(run, v, args, out);
}

static leash_status escape(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    ls_jtext text;
    ls_jbuf buf = {0};
    (void)args;
    LS_TRY(ls_jto_string(run, v, &text));
    for (size_t i = 0; i < text.n; i++) {
        const char *found = text.at[i] ? strchr(from, text.at[i]) : NULL;
        if (found)
            LS_TRY(ls_jputs(run, &buf, to[found - from]));
        else
            LS_TRY(ls_jput(run, &buf, text.at + i, 1));
    }
    *out = ls_jof(&buf);
    return LEASH_OK;
}

static leash_status trim(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jtext text, set = {0};
    bool has_set = args->is_given[0] && args->slots[0].type != LS_J_NONE;
    LS_TRY(ls_jto_string(run, v, &text));
    if (has_set)
        LS_TRY(ls_jarg_text(run, args, 0, NULL, &set));
    text = ls_jstrip(text, has_set ? &set : NULL, true, true);
    *out = ls_jstring(text.at, text.n);
    return ls_jcharge(run, text.n);
}

static leash_status change_case(ls_jrun *run, ls_jval v, ls_jcase how, ls_jval *out)
{
    ls_jtext text;
    LS_TRY(ls_jto_string(run, v, &text));
    return ls_jchange_case(run, text, how, out);
}

static leash_status upper(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return change_case(run, v, LS_J_UPPER, out);
}

static leash_status lower(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return change_case(run, v, LS_J_LOWER, out);
}

static leash_status capitalize(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return change_case(run, v, LS_J_CAPITALIZE, out);
}

/* Words begin behind white space, a hyphen or an opening bracket, unlike those of str.title(). */
static leash_status title(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jtext text;
    ls_jbuf buf = {0};
    size_t length;
    (void)args;
    LS_TRY(ls_jto_string(run, v, &text));
    for (size_t i = 0, begin = 0; i <= text.n; i += length) {
        uint32_t c = i < text.n ? ls_utf8_at(text.at + i, &length) : (length = 1, ' ');
        if (!ls_jis_space(c) && !(c < 0x80 && c && strchr("-({[<", (char)c)))
            continue;
        ls_jval word;
        LS_TRY(
            ls_jchange_case(run, (ls_jtext){text.at + begin, i - begin}, LS_J_CAPITALIZE, &word));
        LS_TRY(ls_jput(run, &buf, word.text.at, word.text.n));
        if (i < text.n)
            LS_TRY(ls_jput(run, &buf, text.at + i, length));
        begin = i + length;
    }
    *out = ls_jof(&buf);
    return LEASH_OK;
}

static leash_status replace(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jtext text, from, to;
    int64_t most = -1;
    LS_TRY(ls_jto_string(run, v, &text));
    LS_TRY(ls_jto_string(run, args->slots[0], &from));
    LS_TRY(ls_jto_string(run, args->slots[1], &to));
    if (args->is_given[2] && args->slots[2].type != LS_J_NONE)
        LS_TRY(ls_jarg_int(run, args, 2, -1, &most));
    return ls_jreplace(run, text, from, to, most, out);
}

static leash_status default_value(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)run;
    bool is_used = v.type == LS_J_UNDEFINED || (ls_jarg_bool(args, 1, false) && !ls_jtruth(v));
    *out = !is_used ? v : args->is_given[0] ? args->slots[0] : ls_jliteral("");
    return LEASH_OK;
}

static leash_status put_times(ls_jrun *run, ls_jbuf *buf, const char *text, int64_t times)
{
    for (int64_t i = 0; i < times; i++)
        LS_TRY(ls_jputs(run, buf, text));
    return LEASH_OK;
}

static leash_status indent(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jtext text;
    ls_jbuf margin = {0}, buf = {0};
    bool first = ls_jarg_bool(args, 1, false), blank = ls_jarg_bool(args, 2, false);
    if (v.type != LS_J_STRING)
        return ls_jfail(run, "indent: needs a str, not %s", ls_jtype_name(v));
    text = v.text;
    if (args->is_given[0] && args->slots[0].type == LS_J_STRING) {
        LS_TRY(ls_jput(run, &margin, args->slots[0].text.at, args->slots[0].text.n));
    } else {
        int64_t width;
        LS_TRY(ls_jarg_int(run, args, 0, 4, &width));
        LS_TRY(put_times(run, &margin, " ", width));
    }
    if (first)
        LS_TRY(ls_jput(run, &buf, margin.data, margin.n));
    for (size_t begin = 0, i = 0; i <= text.n; i++) {
        if (i < text.n && text.at[i] != '\n')
            continue;
        if (begin) /* not the first line */
            LS_TRY(ls_jputs(run, &buf, "\n"));
        if (begin && (blank || i > begin))
            LS_TRY(ls_jput(run, &buf, margin.data, margin.n));
        LS_TRY(ls_jput(run, &buf, text.at + begin, i - begin));
        begin = i + 1;
    }
    *out = ls_jof(&buf);
    return LEASH_OK;
}

/* Text as a number in Python's notation: spaces around, no inf or nan. */
static bool parse_number(ls_jrun *run, ls_jtext text, ls_jval *out)
{
    text = ls_jstrip(text, NULL, true, true);
    const char *copy = ls_jpool_copy(&run->pool, text.at, text.n);
    if (strlen(copy) != text.n || (text.n && strpbrk(copy, "xXpP")))
        return false;
    *out = ls_jint(0);
    if (ls_parse_int64(copy, &out->integer))
        return true;
    out->type = LS_J_FLOAT;
    return ls_parse_double(copy, &out->number);
}

static leash_status to_int(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jval number = v;
    bool is_number = ls_jis_number(v);
    if (v.type == LS_J_UNDEFINED)
        return ls_jfail(run, "%s", v.text.at);
    if (args->is_given[1] && !(args->slots[1].type == LS_J_INT && args->slots[1].integer == 10))
        return ls_jfail(run, "int: only base 10 is supported");
    if (v.type == LS_J_STRING)
        is_number = parse_number(run, v.text, &number);
    if (is_number && number.type == LS_J_FLOAT) {
        is_number = fabs(number.number) < 9.2e18;
        number = ls_jint(is_number ? (int64_t)number.number : 0);
    }
    if (is_number)
        *out = ls_jint(number.type == LS_J_BOOL ? number.truth : number.integer);
    else
        *out = args->is_given[0] ? args->slots[0] : ls_jint(0);
    return LEASH_OK;
}

static leash_status to_float(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jval number = v;
    bool is_number = ls_jis_number(v);
    if (v.type == LS_J_UNDEFINED)
        return ls_jfail(run, "%s", v.text.at);
    if (v.type == LS_J_STRING)
        is_number = parse_number(run, v.text, &number);
    if (is_number)
        *out = ls_jfloat(ls_jnumber(number));
    else
        *out = args->is_given[0] ? args->slots[0] : ls_jfloat(0);
    return LEASH_OK;
}

static leash_status absolute(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    int64_t i;
    (void)args;
    if (!ls_jis_number(v))
        return ls_jfail(run, "abs: needs a number, not %s", ls_jtype_name(v));
    if (!ls_jis_integer(v, &i)) {
        *out = ls_jfloat(fabs(v.number));
        return LEASH_OK;
    }
    if (i == INT64_MIN)
        return ls_jfail(run, "the result does not fit 64 bits");
    *out = ls_jint(i < 0 ? -i : i);
    return LEASH_OK;
}

static leash_status round_number(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    int64_t precision;
    ls_jtext method;
    char text[400];
    LS_TRY(ls_jarg_int(run, args, 0, 0, &precision));
    LS_TRY(ls_jarg_text(run, args, 1, "common", &method));
    if (!ls_jis_number(v) || precision < 0 || precision > 30)
        return ls_jfail(run, "round: needs a number, and a precision from 0 to 30");
    bool is_ceil = method.n == 4 && memcmp(method.at, "ceil", 4) == 0;
    bool is_floor = method.n == 5 && memcmp(method.at, "floor", 5) == 0;
    if (is_ceil || is_floor) {
        double scale = pow(10, (double)precision), x = ls_jnumber(v) * scale;
        *out = ls_jfloat((is_ceil ? ceil(x) : floor(x)) / scale);
    } else if (v.type != LS_J_FLOAT || !isfinite(v.number)) {
        *out = v;
    } else {
        /* printf rounds the exact binary value, half to even: so does Python. */
        snprintf(text, sizeof text, "%.*f", (int)precision, v.number);
        *out = ls_jfloat(strtod(text, NULL));
    }
    return LEASH_OK;
}

static leash_status separators(ls_jrun *run, ls_jval v, ls_jjson_style *style)
{
    bool is_pair = (v.type == LS_J_TUPLE || v.type == LS_J_LIST) && v.list->n == 2 &&
                   v.list->items[0].type == LS_J_STRING && v.list->items[1].type == LS_J_STRING;
    if (!is_pair)
        return ls_jfail(run, "tojson: separators are two strings");
    style->item = v.list->items[0].text;
    style->key = v.list->items[1].text;
    return LEASH_OK;
}

/* transformers' own: json.dumps(x, ensure_ascii=False). */
static leash_status to_json(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jbuf buf = {0}, margin = {0};
    ls_jjson_style style = {.ensure_ascii = ls_jarg_bool(args, 0, false),
                            .sort_keys = ls_jarg_bool(args, 3, false),
                            .item = {", ", 2},
                            .key = {": ", 2}};
    if (args->is_given[1] && args->slots[1].type != LS_J_NONE) {
        style.has_indent = true;
        style.item.n = 1;
        if (args->slots[1].type == LS_J_STRING) {
            style.indent = args->slots[1].text;
        } else {
            int64_t width;
            LS_TRY(ls_jarg_int(run, args, 1, 0, &width));
            LS_TRY(put_times(run, &margin, " ", width));
            style.indent = (ls_jtext){margin.data, margin.n};
        }
    }
    if (args->is_given[2] && args->slots[2].type != LS_J_NONE)
        LS_TRY(separators(run, args->slots[2], &style));
    LS_TRY(ls_jput_json(run, &buf, v, &style));
    *out = ls_jof(&buf);
    return LEASH_OK;
}

static leash_status word_count(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    ls_jtext text;
    int64_t n = 0;
    size_t length;
    bool was_word = false;
    (void)args;
    LS_TRY(ls_jto_string(run, v, &text));
    LS_TRY(ls_jcharge(run, text.n));
    for (size_t i = 0; i < text.n; i += length) {
        bool is_word = !ls_jis_space(ls_utf8_at(text.at + i, &length));
        n += is_word && !was_word;
        was_word = is_word;
    }
    *out = ls_jint(n);
    return LEASH_OK;
}

const ls_jcallable *ls_jfind_filter(ls_jtext name)
{
    static const ls_jcallable filters[] = {
        {"abs", absolute, "", 0},
        {"capitalize", capitalize, "", 0},
        {"d", default_value, "default_value,boolean", 0},
        {"default", default_value, "default_value,boolean", 0},
        {"e", escape, "", 0},
        {"escape", escape, "", 0},
        {"float", to_float, "default", 0},
        {"indent", indent, "width,first,blank", 0},
        {"int", to_int, "default,base", 0},
        {"lower", lower, "", 0},
        {"replace", replace, "old,new,count", 2},
        {"round", round_number, "precision,method", 0},
        {"safe", safe, "", 0},
        {"string", to_string, "", 0},
        {"title", title, "", 0},
        {"tojson", to_json, "ensure_ascii,indent,separators,sort_keys", 0},
        {"trim", trim, "chars", 0},
        {"upper", upper, "", 0},
        {"wordcount", word_count, "", 0},
    };
    for (size_t i = 0; i < LS_COUNT(filters) + ls_jn_list_filters; i++) {
        const ls_jcallable *f =
            i < LS_COUNT(filters) ? &filters[i] : &ls_jlist_filters[i - LS_COUNT(filters)];
        if (strlen(f->name) == name.n && memcmp(f->name, name.at, name.n) == 0)
            return f;
    }
    return NULL;
}
