/* The growable byte string and two small comparisons.
 *
 * Escapes are in str_escape.c, numbers in str_number.c, nearest names in str_nearest.c. */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/err.h"
#include "base/mem.h"

#define LEAST_CAPACITY ((size_t)32)

/* The shared content of strings that own nothing yet (cap 0); never written. */
char ls_str_empty[1];

void ls_str_init(ls_str *s)
{
    *s = (ls_str)LS_STR_INIT;
}

void ls_str_release(ls_str *s)
{
    if (s->cap > 0)
        ls_free(s->data);
    ls_str_init(s);
}

void ls_str_clear(ls_str *s)
{
    s->len = 0;
    if (s->cap > 0)
        s->data[0] = '\0';
}

/* The final NUL has room as well. */
void ls_str_reserve(ls_str *s, size_t n)
{
    LS_ASSERT(n < SIZE_MAX / 4 && s->len < SIZE_MAX / 4);
    size_t need = s->len + n + 1;
    if (need <= s->cap)
        return;
    size_t cap = s->cap + s->cap / 2;
    cap = cap > need ? cap : need;
    cap = cap > LEAST_CAPACITY ? cap : LEAST_CAPACITY;
    char *old = s->cap > 0 ? s->data : NULL;
    s->data = ls_realloc(old, cap);
    s->cap = cap;
}

void ls_str_append_n(ls_str *s, const char *bytes, size_t n)
{
    if (n == 0)
        return;
    /* A string may be appended to itself: its bytes may move while room is made. */
    uintptr_t at = (uintptr_t)bytes, data = (uintptr_t)s->data;
    if (at >= data && at < data + s->cap) {
        size_t offset = at - data;
        ls_str_reserve(s, n);
        bytes = s->data + offset;
    } else {
        ls_str_reserve(s, n);
    }
    memmove(s->data + s->len, bytes, n);
    s->len += n;
    s->data[s->len] = '\0';
}

void ls_str_append(ls_str *s, const char *text)
{
    ls_str_append_n(s, text, strlen(text));
}

void ls_str_append_char(ls_str *s, char c)
{
    ls_str_append_n(s, &c, 1);
}

void ls_str_appendv(ls_str *s, const char *format, va_list args)
{
    char small[256];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, format, args);
    LS_ASSERT(n >= 0);
    if ((size_t)n < sizeof small) {
        ls_str_append_n(s, small, (size_t)n);
    } else {
        char *large = ls_malloc((size_t)n + 1); /* not in place: arguments may point into s */
        vsnprintf(large, (size_t)n + 1, format, again);
        ls_str_append_n(s, large, (size_t)n);
        ls_free(large);
    }
    va_end(again);
}

void ls_str_appendf(ls_str *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ls_str_appendv(s, format, args);
    va_end(args);
}

char *ls_str_steal(ls_str *s)
{
    char *data = s->cap > 0 ? s->data : ls_strdup("");
    ls_str_init(s);
    return data;
}

bool ls_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool ls_ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), n_suffix = strlen(suffix);
    return n >= n_suffix && memcmp(text + n - n_suffix, suffix, n_suffix) == 0;
}
