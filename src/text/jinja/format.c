/* Values as text: Python's str() and repr(), and json.dumps with transformers' defaults. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/mem.h"
#include "text/jinja/ast.h"
#include "text/utf8.h"

/* Python's repr of a float: the shortest digits that read back, an exponent below 1e-4 and from
 * 1e16. */
static leash_status put_float(ls_jrun *run, ls_jbuf *buf, double x, bool is_json)
{
    char digits[40], text[64];
    int precision = 0;
    if (isnan(x))
        return ls_jputs(run, buf, is_json ? "NaN" : "nan");
    if (isinf(x))
        return ls_jputs(run, buf,
                        is_json ? (x < 0 ? "-Infinity" : "Infinity") : (x < 0 ? "-inf" : "inf"));
    do
        snprintf(digits, sizeof digits, "%.*e", precision, x);
    while (strtod(digits, NULL) != x && ++precision < 17);
    int exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) {
        char *e = strchr(digits, 'e');
        snprintf(text, sizeof text, "%.*se%c%02d", (int)(e - digits), digits,
                 exponent < 0 ? '-' : '+', abs(exponent));
    } else {
        int after = precision - exponent;
        snprintf(text, sizeof text, "%.*f", after > 0 ? after : 1, x);
    }
    return ls_jputs(run, buf, text);
}

static bool is_printable(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return false;
    case UTF8PROC_CATEGORY_ZS: return c == ' ';
    default: return true;
    }
}

static leash_status put_repr_char(ls_jrun *run, ls_jbuf *buf, uint32_t c, char quote)
{
    char text[16];
    if (c == (uint32_t)quote || c == '\\')
        snprintf(text, sizeof text, "\\%c", (char)c);
    else if (c == '\n' || c == '\r' || c == '\t')
        snprintf(text, sizeof text, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    else if (is_printable(c))
        return ls_jput_char(run, buf, c);
    else
        snprintf(text, sizeof text,
                 c < 0x100     ? "\\x%02x"
                 : c < 0x10000 ? "\\u%04x"
                               : "\\U%08x",
                 (unsigned)c);
    return ls_jputs(run, buf, text);
}

static leash_status put_repr_text(ls_jrun *run, ls_jbuf *buf, ls_jtext t)
{
    bool has_single = t.n && memchr(t.at, '\'', t.n), has_double = t.n && memchr(t.at, '"', t.n);
    char quote = has_single && !has_double ? '"' : '\'';
    size_t length;
    LS_TRY(ls_jput(run, buf, &quote, 1));
    for (size_t i = 0; i < t.n; i += length)
        LS_TRY(put_repr_char(run, buf, ls_utf8_at(t.at + i, &length), quote));
    return ls_jput(run, buf, &quote, 1);
}

static leash_status put_repr_list(ls_jrun *run, ls_jbuf *buf, ls_jval v)
{
    bool is_tuple = v.type == LS_J_TUPLE;
    LS_TRY(ls_jputs(run, buf, is_tuple ? "(" : "["));
    for (int64_t i = 0; i < v.list->n; i++) {
        if (i)
            LS_TRY(ls_jputs(run, buf, ", "));
        LS_TRY(ls_jput_repr(run, buf, v.list->items[i]));
    }
    return ls_jputs(run, buf, !is_tuple ? "]" : v.list->n == 1 ? ",)" : ")");
}

static leash_status put_repr_dict(ls_jrun *run, ls_jbuf *buf, const ls_jdict *d)
{
    LS_TRY(ls_jputs(run, buf, "{"));
    for (int64_t i = 0; i < d->n; i++) {
        if (i)
            LS_TRY(ls_jputs(run, buf, ", "));
        LS_TRY(ls_jput_repr(run, buf, d->keys[i]));
        LS_TRY(ls_jputs(run, buf, ": "));
        LS_TRY(ls_jput_repr(run, buf, d->values[i]));
    }
    return ls_jputs(run, buf, "}");
}

static leash_status put_scalar(ls_jrun *run, ls_jbuf *buf, ls_jval v)
{
    char text[32];
    switch (v.type) {
    case LS_J_UNDEFINED: return LEASH_OK;
    case LS_J_NONE: return ls_jputs(run, buf, "None");
    case LS_J_BOOL: return ls_jputs(run, buf, v.truth ? "True" : "False");
    case LS_J_FLOAT: return put_float(run, buf, v.number, false);
    case LS_J_INT:
        snprintf(text, sizeof text, "%lld", (long long)v.integer);
        return ls_jputs(run, buf, text);
    default: return ls_jfail(run, "a value of type %s cannot be printed", ls_jtype_name(v));
    }
}

leash_status ls_jput_repr(ls_jrun *run, ls_jbuf *buf, ls_jval v)
{
    leash_status status;
    LS_TRY(ls_jenter(run));
    switch (v.type) {
    case LS_J_UNDEFINED: status = ls_jputs(run, buf, "Undefined"); break;
    case LS_J_STRING: status = put_repr_text(run, buf, v.text); break;
    case LS_J_LIST:
    case LS_J_TUPLE: status = put_repr_list(run, buf, v); break;
    case LS_J_DICT: status = put_repr_dict(run, buf, v.dict); break;
    default: status = put_scalar(run, buf, v); break;
    }
    run->depth--;
    return status;
}

leash_status ls_jput_str(ls_jrun *run, ls_jbuf *buf, ls_jval v)
{
    if (v.type == LS_J_STRING)
        return ls_jput(run, buf, v.text.at, v.text.n);
    return v.type == LS_J_UNDEFINED ? LEASH_OK : ls_jput_repr(run, buf, v);
}

leash_status ls_jto_string(ls_jrun *run, ls_jval v, ls_jtext *out)
{
    ls_jbuf buf = {0};
    if (v.type == LS_J_STRING) {
        *out = v.text;
        return LEASH_OK;
    }
    LS_TRY(ls_jput_str(run, &buf, v));
    *out = ls_jof(&buf).text;
    return LEASH_OK;
}

static leash_status put_json_char(ls_jrun *run, ls_jbuf *buf, uint32_t c, bool ensure_ascii)
{
    static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
    char text[16];
    const char *found = c && c < 0x80 ? strchr(from, (char)c) : NULL;
    if (found)
        snprintf(text, sizeof text, "\\%c", to[found - from]);
    else if (c < 0x20 || (ensure_ascii && c > 0x7e && c < 0x10000))
        snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
    else if (ensure_ascii && c >= 0x10000)
        snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                 0xdc00 + ((c - 0x10000) & 0x3ff));
    else
        return ls_jput_char(run, buf, c);
    return ls_jputs(run, buf, text);
}

static leash_status put_json_text(ls_jrun *run, ls_jbuf *buf, ls_jtext t, bool ensure_ascii)
{
    size_t length;
    LS_TRY(ls_jputs(run, buf, "\""));
    for (size_t i = 0; i < t.n; i += length)
        LS_TRY(put_json_char(run, buf, ls_utf8_at(t.at + i, &length), ensure_ascii));
    return ls_jputs(run, buf, "\"");
}

static leash_status put_json(ls_jrun *run, ls_jbuf *buf, ls_jval v, const ls_jjson_style *style,
                             int level) LEASH_MUST_USE;

static leash_status new_line(ls_jrun *run, ls_jbuf *buf, const ls_jjson_style *style, int level)
{
    if (!style->has_indent)
        return LEASH_OK;
    LS_TRY(ls_jputs(run, buf, "\n"));
    for (int i = 0; i < level; i++)
        LS_TRY(ls_jput(run, buf, style->indent.at, style->indent.n));
    return LEASH_OK;
}

/* Keys that are no strings become strings, as json.dumps makes them. */
static leash_status put_json_key(ls_jrun *run, ls_jbuf *buf, ls_jval key,
                                 const ls_jjson_style *style)
{
    if (key.type == LS_J_STRING)
        return put_json_text(run, buf, key.text, style->ensure_ascii);
    if (key.type != LS_J_NONE && !ls_jis_number(key))
        return ls_jfail(run, "tojson: a %s cannot be a key in JSON", ls_jtype_name(key));
    LS_TRY(ls_jputs(run, buf, "\""));
    LS_TRY(put_json(run, buf, key, style, 0));
    return ls_jputs(run, buf, "\"");
}

static leash_status sorted_keys(ls_jrun *run, const ls_jdict *d, int64_t **out)
{
    int64_t *order = *out = ls_jpool_alloc(&run->pool, (size_t)d->n * sizeof *order);
    for (int64_t i = 0; i < d->n; i++) {
        int64_t j = i;
        for (; j > 0; j--) {
            int cmp;
            LS_TRY(ls_jcompare(run, d->keys[order[j - 1]], d->keys[i], "<", &cmp));
            if (cmp <= 0)
                break;
            order[j] = order[j - 1];
        }
        order[j] = i;
    }
    return LEASH_OK;
}

static leash_status put_json_dict(ls_jrun *run, ls_jbuf *buf, const ls_jdict *d,
                                  const ls_jjson_style *style, int level)
{
    int64_t *order = NULL;
    if (d->n == 0)
        return ls_jputs(run, buf, "{}");
    if (style->sort_keys)
        LS_TRY(sorted_keys(run, d, &order));
    LS_TRY(ls_jputs(run, buf, "{"));
    for (int64_t i = 0; i < d->n; i++) {
        int64_t k = order ? order[i] : i;
        if (i)
            LS_TRY(ls_jput(run, buf, style->item.at, style->item.n));
        LS_TRY(new_line(run, buf, style, level + 1));
        LS_TRY(put_json_key(run, buf, d->keys[k], style));
        LS_TRY(ls_jput(run, buf, style->key.at, style->key.n));
        LS_TRY(put_json(run, buf, d->values[k], style, level + 1));
    }
    LS_TRY(new_line(run, buf, style, level));
    return ls_jputs(run, buf, "}");
}

static leash_status put_json_list(ls_jrun *run, ls_jbuf *buf, const ls_jlist *list,
                                  const ls_jjson_style *style, int level)
{
    if (list->n == 0)
        return ls_jputs(run, buf, "[]");
    LS_TRY(ls_jputs(run, buf, "["));
    for (int64_t i = 0; i < list->n; i++) {
        if (i)
            LS_TRY(ls_jput(run, buf, style->item.at, style->item.n));
        LS_TRY(new_line(run, buf, style, level + 1));
        LS_TRY(put_json(run, buf, list->items[i], style, level + 1));
    }
    LS_TRY(new_line(run, buf, style, level));
    return ls_jputs(run, buf, "]");
}

static leash_status put_json(ls_jrun *run, ls_jbuf *buf, ls_jval v, const ls_jjson_style *style,
                             int level)
{
    leash_status status;
    LS_TRY(ls_jenter(run));
    switch (v.type) {
    case LS_J_NONE: status = ls_jputs(run, buf, "null"); break;
    case LS_J_BOOL: status = ls_jputs(run, buf, v.truth ? "true" : "false"); break;
    case LS_J_FLOAT: status = put_float(run, buf, v.number, true); break;
    case LS_J_INT: status = ls_jput_repr(run, buf, v); break;
    case LS_J_STRING: status = put_json_text(run, buf, v.text, style->ensure_ascii); break;
    case LS_J_LIST:
    case LS_J_TUPLE: status = put_json_list(run, buf, v.list, style, level); break;
    case LS_J_DICT: status = put_json_dict(run, buf, v.dict, style, level); break;
    case LS_J_UNDEFINED: status = ls_jfail(run, "tojson: %s", v.text.at); break;
    default:
        status = ls_jfail(run, "tojson: a value of type %s is no JSON", ls_jtype_name(v));
        break;
    }
    run->depth--;
    return status;
}

leash_status ls_jput_json(ls_jrun *run, ls_jbuf *buf, ls_jval v, const ls_jjson_style *style)
{
    return put_json(run, buf, v, style, 0);
}
