/* Spans of bytes.  No locale, no terminating NUL, no copy. */
#include "reward/text.h"

#include <string.h>

ls_span ls_span_of(const char *text)
{
    return (ls_span){text, text ? (int64_t)strlen(text) : 0};
}

bool ls_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ls_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool ls_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

ls_span ls_span_cut(ls_span s, int64_t begin, int64_t end)
{
    LS_ASSERT(begin >= 0 && begin <= end && end <= s.n);
    return (ls_span){s.n ? s.at + begin : s.at, end - begin};
}

ls_span ls_span_trim(ls_span s)
{
    int64_t begin = 0, end = s.n;
    while (begin < end && ls_is_space(s.at[begin]))
        begin++;
    while (end > begin && ls_is_space(s.at[end - 1]))
        end--;
    return ls_span_cut(s, begin, end);
}

static bool matches_at(ls_span s, int64_t i, const char *needle, int64_t n)
{
    return memcmp(s.at + i, needle, (size_t)n) == 0;
}

int64_t ls_span_find(ls_span s, const char *needle)
{
    if (s.n == 0)
        return -1;
    const char *found = memmem(s.at, (size_t)s.n, needle, strlen(needle));
    return found ? found - s.at : -1;
}

/* Needles are a few bytes of our own, so comparing wherever the first byte stands stays linear. */
int64_t ls_span_find_last(ls_span s, const char *needle)
{
    int64_t n = (int64_t)strlen(needle), room = s.n - n + 1;
    while (room > 0) {
        const char *found = memrchr(s.at, needle[0], (size_t)room);
        if (!found)
            return -1;
        room = found - s.at;
        if (matches_at(s, room, needle, n))
            return room;
    }
    return -1;
}

int64_t ls_span_find_last_nocase(ls_span s, const char *needle)
{
    int64_t n = (int64_t)strlen(needle);
    for (int64_t i = s.n - n; i >= 0; i--) {
        int64_t k = 0;
        while (k < n && to_lower(s.at[i + k]) == to_lower(needle[k]))
            k++;
        if (k == n)
            return i;
    }
    return -1;
}

int64_t ls_span_count(ls_span s, const char *needle)
{
    int64_t count = 0, n = (int64_t)strlen(needle);
    for (int64_t i = ls_span_find(s, needle); i >= 0; i = ls_span_find(s, needle)) {
        count++;
        s = ls_span_cut(s, i + n, s.n);
    }
    return count;
}

bool ls_span_starts_with(ls_span s, const char *prefix)
{
    int64_t n = (int64_t)strlen(prefix);
    return s.n >= n && n > 0 && matches_at(s, 0, prefix, n);
}

bool ls_span_ends_with(ls_span s, const char *suffix)
{
    int64_t n = (int64_t)strlen(suffix);
    return s.n >= n && n > 0 && matches_at(s, s.n - n, suffix, n);
}

ls_span ls_span_rest_of_line(ls_span s, int64_t begin)
{
    int64_t end = begin;
    while (end < s.n && s.at[end] != '\n')
        end++;
    return ls_span_trim(ls_span_cut(s, begin, end));
}

ls_span ls_span_last_line(ls_span s)
{
    s = ls_span_trim(s);
    int64_t begin = s.n;
    while (begin > 0 && s.at[begin - 1] != '\n')
        begin--;
    return ls_span_trim(ls_span_cut(s, begin, s.n));
}
