/* What filters and methods do with strings alike: stripping, replacing, case, joining. */
#include <string.h>

#include <utf8proc.h>

#include "text/jinja/callable.h"
#include "text/utf8.h"

bool ls_jis_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* `set` NULL: white space. */
static bool is_in(const char *at, size_t length, const ls_jtext *set)
{
    size_t other;
    if (!set)
        return ls_jis_space(ls_utf8_at(at, &other));
    for (size_t i = 0; i < set->n; i += other) {
        ls_utf8_at(set->at + i, &other);
        if (other == length && memcmp(set->at + i, at, length) == 0)
            return true;
    }
    return false;
}

ls_jtext ls_jstrip(ls_jtext text, const ls_jtext *set, bool left, bool right)
{
    size_t length;
    while (left && text.n) {
        ls_utf8_at(text.at, &length);
        if (!is_in(text.at, length, set))
            break;
        text.at += length;
        text.n -= length;
    }
    while (right && text.n) {
        size_t last = text.n - 1;
        while (last && ((unsigned char)text.at[last] & 0xc0) == 0x80)
            last--;
        if (!is_in(text.at + last, text.n - last, set))
            break;
        text.n = last;
    }
    return text;
}

/* An empty `from` stands before, between and behind all characters. */
static leash_status replace_nothing(ls_jrun *run, ls_jtext text, ls_jtext to, int64_t most,
                                    ls_jbuf *buf)
{
    size_t length = 0, i = 0;
    for (; i < text.n && most != 0; i += length, most--) {
        ls_utf8_at(text.at + i, &length);
        LS_TRY(ls_jput(run, buf, to.at, to.n));
        LS_TRY(ls_jput(run, buf, text.at + i, length));
    }
    if (i < text.n)
        return ls_jput(run, buf, text.at + i, text.n - i);
    return most != 0 ? ls_jput(run, buf, to.at, to.n) : LEASH_OK;
}

leash_status ls_jreplace(ls_jrun *run, ls_jtext text, ls_jtext from, ls_jtext to, int64_t most,
                         ls_jval *out)
{
    ls_jbuf buf = {0};
    const char *at = text.at, *end = text.at + text.n;
    if (from.n == 0) {
        LS_TRY(replace_nothing(run, text, to, most, &buf));
        *out = ls_jof(&buf);
        return LEASH_OK;
    }
    while (most != 0 && at < end) {
        const char *found = memmem(at, (size_t)(end - at), from.at, from.n);
        if (!found)
            break;
        LS_TRY(ls_jput(run, &buf, at, (size_t)(found - at)));
        LS_TRY(ls_jput(run, &buf, to.at, to.n));
        at = found + from.n;
        most--;
    }
    LS_TRY(ls_jput(run, &buf, at, (size_t)(end - at)));
    *out = ls_jof(&buf);
    return LEASH_OK;
}

static bool has_case(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT;
}

/* Character by character, plus the one common letter whose capital is two. */
leash_status ls_jchange_case(ls_jrun *run, ls_jtext text, ls_jcase how, ls_jval *out)
{
    ls_jbuf buf = {0};
    bool begins = true;
    size_t length;
    for (size_t i = 0; i < text.n; i += length) {
        utf8proc_int32_t c = (utf8proc_int32_t)ls_utf8_at(text.at + i, &length);
        bool is_upper = how == LS_J_UPPER || (how != LS_J_LOWER && begins);
        if (c == 0xdf && is_upper) {
            LS_TRY(ls_jputs(run, &buf, how == LS_J_UPPER ? "SS" : "Ss"));
        } else {
            utf8proc_int32_t changed = how == LS_J_UPPER ? utf8proc_toupper(c)
                                       : is_upper        ? utf8proc_totitle(c)
                                                         : utf8proc_tolower(c);
            LS_TRY(ls_jput_char(run, &buf, (uint32_t)changed));
        }
        begins = how == LS_J_TITLE ? !has_case((uint32_t)c) : false;
    }
    *out = ls_jof(&buf);
    return LEASH_OK;
}

leash_status ls_jjoin(ls_jrun *run, ls_jtext separator, const ls_jlist *list, bool takes_any,
                      ls_jval *out)
{
    ls_jbuf buf = {0};
    for (int64_t i = 0; i < list->n; i++) {
        if (i)
            LS_TRY(ls_jput(run, &buf, separator.at, separator.n));
        if (!takes_any && list->items[i].type != LS_J_STRING)
            return ls_jfail(run, "join: element %lld is a %s, not a str", (long long)i,
                            ls_jtype_name(list->items[i]));
        LS_TRY(ls_jput_str(run, &buf, list->items[i]));
    }
    *out = ls_jof(&buf);
    return LEASH_OK;
}
