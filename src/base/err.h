/* Errors of the world: a status, and a text that tells cause and remedy.
 *
 * Where the cause is known:   return ls_fail(LEASH_FORMAT, "%s: %s has %lld values, the model needs
 *                             %lld", ...);
 * On the way up:              LS_TRY(ls_file_read(&text, path));
 * To add where it happened:   return ls_fail_in(status, "recipe %s", name);      -> "recipe grpo:
 *                             <old text>"
 *
 * The text is stored per thread, cut at 4095 bytes, with control characters shown as '?'.  Asserts
 * are for bugs alone: they print the expression and both values, then abort. */
#ifndef LS_BASE_ERR_H
#define LS_BASE_ERR_H

#include <stdint.h>
#include "leash/status.h"
#include "base/compiler.h"

leash_status ls_fail(leash_status status, const char *format, ...) LS_PRINTF(2, 3);
/* Puts "context: " before the text of the last error and returns `status` unchanged. */
leash_status ls_fail_in(leash_status status, const char *format, ...) LS_PRINTF(2, 3);
/* As ls_fail, and appends ": " and the text of errno. */
leash_status ls_fail_errno(leash_status status, const char *format, ...) LS_PRINTF(2, 3);
void ls_error_clear(void);

#define LS_TRY(call)                         \
    do {                                     \
        leash_status ls_try_status = (call); \
        if (ls_try_status != LEASH_OK)       \
            return ls_try_status;            \
    } while (0)
/* The same inside a function that cleans up at `out:` and returns the variable `status`. */
#define LS_TRY_OUT(call)        \
    do {                        \
        status = (call);        \
        if (status != LEASH_OK) \
            goto out;           \
    } while (0)

LS_NORETURN void ls_assert_failed(const char *expression, const char *file, int line);
LS_NORETURN void ls_assert_eq_failed(const char *a, const char *b, int64_t x, int64_t y,
                                     const char *file, int line);

#define LS_ASSERT(expression)                                  \
    do {                                                       \
        if (LS_UNLIKELY(!(expression)))                        \
            ls_assert_failed(#expression, __FILE__, __LINE__); \
    } while (0)
#define LS_ASSERT_EQ(a, b)                                               \
    do {                                                                 \
        int64_t ls_x = (int64_t)(a), ls_y = (int64_t)(b);                \
        if (LS_UNLIKELY(ls_x != ls_y))                                   \
            ls_assert_eq_failed(#a, #b, ls_x, ls_y, __FILE__, __LINE__); \
    } while (0)

#endif
