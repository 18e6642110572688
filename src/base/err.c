/* The text of the last error of each thread, and what a failed assert does.
 *
 * Texts are built in a second buffer first, because arguments may point into the old text. */
#include "base/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_SIZE 4096

static LS_THREAD_LOCAL char last_error[ERROR_SIZE];

/* Drops a UTF-8 sequence that the cut at the buffer's end has left incomplete. */
static void trim_cut_sequence(char *text, size_t n)
{
    size_t start = n;
    while (start > 0 && n - start < 4) {
        unsigned char c = (unsigned char)text[--start];
        if ((c & 0xc0u) == 0x80u)
            continue;
        size_t want = c >= 0xf0u ? 4 : c >= 0xe0u ? 3 : c >= 0xc0u ? 2 : 1;
        if (n - start < want)
            text[start] = '\0';
        return;
    }
}

/* Terminals act on control characters, so none may come through from a file's content: C0, DEL, and
 * C1 (U+0080 to U+009F, in UTF-8 c2 80 to c2 9f). */
static void hide_control_characters(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)p[0], next = (unsigned char)p[1];
        if (c < 0x20u || c == 0x7fu)
            *p = '?';
        else if (c == 0xc2u && next >= 0x80u && next < 0xa0u)
            p[0] = p[1] = '?';
    }
}

/* Stores the first ERROR_SIZE - 1 bytes of `text`, whose full length is `n`. */
static void store_error(char text[ERROR_SIZE], size_t n)
{
    if (n >= ERROR_SIZE)
        trim_cut_sequence(text, ERROR_SIZE - 1);
    hide_control_characters(text);
    memcpy(last_error, text, strlen(text) + 1);
}

/* Appends to the n bytes in `text`, of which those past ERROR_SIZE - 1 are lost; returns the new
 * full length. */
LS_PRINTF(3, 0)
static size_t append_error_v(char text[ERROR_SIZE], size_t n, const char *format, va_list args)
{
    size_t at = n < ERROR_SIZE ? n : ERROR_SIZE - 1;
    int added = vsnprintf(text + at, ERROR_SIZE - at, format, args);
    return added < 0 ? n : n + (size_t)added;
}

LS_PRINTF(3, 4)
static size_t append_error(char text[ERROR_SIZE], size_t n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    n = append_error_v(text, n, format, args);
    va_end(args);
    return n;
}

leash_status ls_fail(leash_status status, const char *format, ...)
{
    char text[ERROR_SIZE] = "";
    va_list args;
    va_start(args, format);
    size_t n = append_error_v(text, 0, format, args);
    va_end(args);
    store_error(text, n);
    return status;
}

leash_status ls_fail_in(leash_status status, const char *format, ...)
{
    char text[ERROR_SIZE] = "";
    va_list args;
    va_start(args, format);
    size_t n = append_error_v(text, 0, format, args);
    va_end(args);
    n = append_error(text, n, ": %s", last_error);
    store_error(text, n);
    return status;
}

leash_status ls_fail_errno(leash_status status, const char *format, ...)
{
    char text[ERROR_SIZE] = "", reason[256];
    int error = errno;
    va_list args;
    va_start(args, format);
    size_t n = append_error_v(text, 0, format, args);
    va_end(args);
    n = append_error(text, n, ": %s", strerror_r(error, reason, sizeof reason));
    store_error(text, n);
    errno = error;
    return status;
}

void ls_error_clear(void)
{
    last_error[0] = '\0';
}

const char *leash_error(void)
{
    return last_error;
}

void ls_assert_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

void ls_assert_eq_failed(const char *a, const char *b, int64_t x, int64_t y, const char *file,
                         int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s == %s (%" PRId64 " and %" PRId64 ")\n", file, line,
            a, b, x, y);
    abort();
}
