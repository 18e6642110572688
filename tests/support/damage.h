/* Damaged files made from good ones: a table names each damage, what is done to which file, and
 * what the reader must say about it.
 *
 *     {"dtype_unknown", "a.safetensors", SWAP("\"F32\"", "\"F33\""), LEASH_FORMAT,
 *      "tensor 'a' has the unknown dtype 'F33'"},
 *
 * refuse_damages gives the good folder to the reader first, which must take it, then each damage,
 * and tells how many were refused.  An error must name the damaged file by its path, and hold the
 * text of the table.  A text that begins with '/' or ": " comes right behind the folder's path,
 * where the fault shows in another file than the damaged one, or in none ("/model.safetensors does
 * not fit"). */
#ifndef LS_TESTS_DAMAGE_H
#define LS_TESTS_DAMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#ifndef assert_ok
#define assert_ok(call)                               \
    do {                                              \
        if ((call) != LEASH_OK)                       \
            fail_msg("%s: %s", #call, leash_error()); \
    } while (0)
#endif

typedef enum damage_how {
    DAMAGE_SWAP,   /* the first `from` becomes `to`; the header of a safetensors file, where it is,
                    * keeps a true length                                             */
    DAMAGE_POKE,   /* `to` is written over what stands `at` bytes after the first `from`; without
                    * `from` over byte `at`, from the end where negative                 */
    DAMAGE_CUT,    /* the file ends at byte `at`, from the end where negative         */
    DAMAGE_WHOLE,  /* the file is `to`                                                */
    DAMAGE_ADD,    /* `to` comes behind the last byte                                 */
    DAMAGE_REPEAT, /* the first `from` becomes `at` times `to`                        */
    DAMAGE_GONE    /* there is no such file                                           */
} damage_how;

typedef struct damage_edit {
    damage_how how;
    int64_t at;
    const char *from;
    size_t n_from;
    const char *to;
    size_t n_to;
} damage_edit;

#define LITERAL(text) text, sizeof(text) - 1
#define SWAP(from, to)                             \
    {                                              \
        DAMAGE_SWAP, 0, LITERAL(from), LITERAL(to) \
    }
#define POKE(from, at, to)                          \
    {                                               \
        DAMAGE_POKE, at, LITERAL(from), LITERAL(to) \
    }
#define POKE_AT(at, to)                       \
    {                                         \
        DAMAGE_POKE, at, NULL, 0, LITERAL(to) \
    }
#define CUT(at)                          \
    {                                    \
        DAMAGE_CUT, at, NULL, 0, NULL, 0 \
    }
#define WHOLE(to)                             \
    {                                         \
        DAMAGE_WHOLE, 0, NULL, 0, LITERAL(to) \
    }
#define ADD(to)                             \
    {                                       \
        DAMAGE_ADD, 0, NULL, 0, LITERAL(to) \
    }
#define REPEAT(from, n, to)                          \
    {                                                \
        DAMAGE_REPEAT, n, LITERAL(from), LITERAL(to) \
    }
#define GONE                             \
    {                                    \
        DAMAGE_GONE, 0, NULL, 0, NULL, 0 \
    }

typedef struct damage {
    const char *what, *file;
    damage_edit edit;
    leash_status status;
    const char *message; /* a part of it */
} damage;

typedef struct damage_kind {
    const char *name, *dir; /* what is damaged, and the folder of the good files */
    /* Reads as a user's command would; `file` is the one that was damaged. */
    leash_status (*read)(const char *dir, const char *file);
    const damage *rows;
    size_t n;
} damage_kind;

/* --- one edit --- */

static inline size_t damage_place(const damage *d, const ls_str *good)
{
    const damage_edit *e = &d->edit;
    if (!e->from)
        return (size_t)(e->at >= 0 ? e->at : (int64_t)good->len + e->at);
    const char *found = memmem(good->data, good->len, e->from, e->n_from);
    if (!found)
        fail_msg("%s: %s has no '%s'", d->what, d->file, e->from);
    size_t place = (size_t)(found - good->data);
    return e->how == DAMAGE_POKE ? place + e->n_from + (size_t)e->at : place;
}

/* The 8 bytes before the header of a safetensors file. */
static inline void damage_fix_length(ls_str *bytes, int64_t n_more)
{
    uint64_t n;
    memcpy(&n, bytes->data, sizeof n);
    n += (uint64_t)n_more;
    memcpy(bytes->data, &n, sizeof n);
}

static inline void damage_swap(ls_str *out, const damage *d, const ls_str *good)
{
    const damage_edit *e = &d->edit;
    size_t place = damage_place(d, good);
    ls_str_append_n(out, good->data, place);
    for (int64_t i = 0; i < (e->how == DAMAGE_REPEAT ? e->at : 1); i++)
        ls_str_append_n(out, e->to, e->n_to);
    ls_str_append_n(out, good->data + place + e->n_from, good->len - place - e->n_from);
    if (ls_ends_with(d->file, ".safetensors"))
        damage_fix_length(out, (int64_t)out->len - (int64_t)good->len);
}

static inline void damage_make(ls_str *out, const damage *d, const ls_str *good)
{
    const damage_edit *e = &d->edit;
    switch (e->how) {
    case DAMAGE_SWAP:
    case DAMAGE_REPEAT: damage_swap(out, d, good); break;
    case DAMAGE_POKE:
        ls_str_append_n(out, good->data, good->len);
        assert_true(damage_place(d, good) + e->n_to <= good->len);
        memcpy(out->data + damage_place(d, good), e->to, e->n_to);
        break;
    case DAMAGE_CUT: ls_str_append_n(out, good->data, damage_place(d, good)); break;
    case DAMAGE_ADD: ls_str_append_n(out, good->data, good->len); /* fall through */
    case DAMAGE_WHOLE: ls_str_append_n(out, e->to, e->n_to); break;
    case DAMAGE_GONE: return;
    }
    if (out->len == good->len && memcmp(out->data, good->data, good->len) == 0)
        fail_msg("%s: %s is as it was", d->what, d->file);
}

/* --- the table --- */

/* Whether `dir` stands in the error with the text right behind it. */
static inline bool damage_follows(const char *dir, const char *text)
{
    for (const char *at = leash_error(); (at = strstr(at, dir)) != NULL; at++)
        if (ls_starts_with(at + strlen(dir), text))
            return true;
    return false;
}

static inline bool damage_is_told(const damage *d, const char *dir)
{
    char path[LS_PATH_MAX];
    if (ls_starts_with(d->message, "/") || ls_starts_with(d->message, ": "))
        return damage_follows(dir, d->message);
    return strstr(leash_error(), ls_path_join(path, dir, d->file)) &&
           strstr(leash_error(), d->message);
}

/* Whether it was refused as the table says; what went wrong is printed. */
static inline bool damage_is_refused(const damage_kind *k, const damage *d)
{
    char path[LS_PATH_MAX];
    ls_str good = LS_STR_INIT, bad = LS_STR_INIT;
    assert_ok(ls_file_read(&good, ls_path_join(path, k->dir, d->file)));
    damage_make(&bad, d, &good);
    assert_int_equal(unlink(path), 0);
    if (d->edit.how != DAMAGE_GONE)
        assert_ok(ls_file_write_synced(path, bad.data, bad.len));
    ls_error_clear();
    leash_status status = k->read(k->dir, d->file);
    bool is_refused = status == d->status && status != LEASH_OK && damage_is_told(d, k->dir);
    if (!is_refused)
        print_error("%s: %s: expected %s with \"%s\"\n    found    %s: %s\n", k->name, d->what,
                    leash_status_name(d->status), d->message, leash_status_name(status),
                    leash_error());
    (void)unlink(path);
    assert_ok(ls_file_write_synced(path, good.data, good.len));
    ls_str_release(&good);
    ls_str_release(&bad);
    return is_refused;
}

static inline void refuse_damages(const damage_kind *k)
{
    size_t n_refused = 0;
    for (size_t i = 0; i < k->n; i++) {
        if (k->read(k->dir, k->rows[i].file) != LEASH_OK)
            fail_msg("%s: %s is good and was refused: %s", k->name, k->rows[i].file, leash_error());
        n_refused += damage_is_refused(k, &k->rows[i]);
    }
    print_message("%s: %zu of %zu damages refused\n", k->name, n_refused, k->n);
    assert_int_equal(n_refused, k->n);
}

/* --- good files --- */

static inline void damage_write(const char *dir, const char *file, const char *bytes, size_t n)
{
    char path[LS_PATH_MAX];
    assert_ok(ls_file_write_synced(ls_path_join(path, dir, file), bytes, n));
}

static inline void damage_write_text(const char *dir, const char *file, const char *text)
{
    damage_write(dir, file, text, strlen(text));
}

static inline void damage_copy(const char *dir, const char *file, const char *from)
{
    ls_str bytes = LS_STR_INIT;
    assert_ok(ls_file_read(&bytes, from));
    damage_write(dir, file, bytes.data, bytes.len);
    ls_str_release(&bytes);
}

#endif
