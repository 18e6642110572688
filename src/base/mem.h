/* Memory by lifetime: arenas for everything with a size, a counted heap for the small rest.
 *
 * An arena reserves a range of addresses once and backs it with memory as it grows, so pointers
 * never move and pages that were touched once are reused by every later step.  Lifetimes nest by
 * mark and rewind:
 *
 *     ls_arena_mark m = ls_arena_get_mark(&pass);   ... allocate ...   ls_arena_rewind(&pass, m);
 *
 * A dry arena never commits memory ahead: with the null kernel backend, which touches no array, it
 * measures how much a step will need.  Structs that the host writes into it (tensors, records, page
 * tables) cost the pages they touch.  `peak` is what the plan prints and what the tests compare
 * with.
 *
 * Nothing here returns NULL: when the kernel refuses memory the handler set by
 * ls_memory_set_handler is called with a text (the program prints it and ends with code 1), and
 * after it, abort. */
#ifndef LS_BASE_MEM_H
#define LS_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

typedef struct ls_arena {
    const char *name;    /* shown in the plan and in errors; borrowed, a literal          */
    unsigned char *base; /* start of the reserved range                                   */
    size_t reserved;     /* bytes of address space                                        */
    size_t committed;    /* bytes backed by memory, grows in whole chunks, never shrinks  */
    size_t used, peak;   /* bytes handed out now, and at the most                         */
    bool is_dry;         /* memory only under what is touched                             */
} ls_arena;

typedef size_t ls_arena_mark;

/* reserve_bytes 0 takes a default of 256 GiB of addresses.  Errors: LEASH_MEMORY. */
leash_status ls_arena_init(ls_arena *arena, const char *name, size_t reserve_bytes) LEASH_MUST_USE;
leash_status ls_arena_init_dry(ls_arena *arena, const char *name) LEASH_MUST_USE;
void ls_arena_release(ls_arena *arena);
/* 64-byte aligned, contents undefined.  bytes 0 gives a valid pointer. */
void *ls_arena_alloc(ls_arena *arena, size_t bytes);
/* zeroed, in a dry arena without using memory */
void *ls_arena_zalloc(ls_arena *arena, size_t bytes);
float *ls_arena_floats(ls_arena *arena, int64_t count);
int32_t *ls_arena_ints(ls_arena *arena, int64_t count);
char *ls_arena_strdup(ls_arena *arena, const char *text);
ls_arena_mark ls_arena_get_mark(const ls_arena *arena);
void ls_arena_rewind(ls_arena *arena, ls_arena_mark mark);
/* Puts memory behind the first `bytes` now, page by page, so that neither growth nor the end of
 * memory happens in a step. */
leash_status ls_arena_commit(ls_arena *arena, size_t bytes) LEASH_MUST_USE;

/* The heap.  Every call is counted; the pointers go to ls_free (NULL is allowed). */
void *ls_malloc(size_t bytes);
void *ls_calloc(size_t count, size_t size);
/* The same at a multiple of 64 bytes, for structs that fill whole cache lines. */
void *ls_calloc_lines(size_t count, size_t size);
void *ls_realloc(void *old, size_t bytes);
char *ls_strdup(const char *text);
void ls_free(void *pointer);
/* Calls of malloc, calloc and realloc, plus arena growths, since the start of the process. */
uint64_t ls_memory_events(void);
/* a*b; aborts with both values when it overflows (sizes that come from files are checked
 * before). */
size_t ls_mul_size(size_t a, size_t b);
/* Peak resident set of this process in bytes, from the kernel. */
int64_t ls_memory_peak_rss(void);

typedef void ls_memory_handler(const char *text);
void ls_memory_set_handler(ls_memory_handler *handler);

#endif
