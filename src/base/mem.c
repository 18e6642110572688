/* Arenas over reserved address ranges, the counted heap, and what happens when memory ends.
 *
 * This is the one file that calls malloc.  Under the address sanitizer the unused part of an arena
 * is poisoned, so a use after a rewind or past the end of an allocation is reported as it would be
 * on the heap. */
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/str.h"

#define MIB ((size_t)1 << 20)
#define ALIGNMENT ((size_t)64)
#define DEFAULT_RESERVE ((size_t)256 << 30)
/* Enough for a plan of any model; the thread sanitizer has no room for it. */
#define DRY_RESERVE (LS_HAS_TSAN ? DEFAULT_RESERVE : (size_t)16 << 40)
#define LEAST_RESERVE ((size_t)1 << 30)
#define LEAST_GROWTH MIB
#define MOST_GROWTH (64 * MIB)
#define HUGE_PAGE (2 * MIB)
/* Growths of this size and more ask for huge pages; smaller arenas would waste most of one. */
#define HUGE_GROWTH (8 * MIB)

static _Atomic(uint64_t) n_events;
static _Atomic(ls_memory_handler *) memory_handler;

void ls_memory_set_handler(ls_memory_handler *handler)
{
    atomic_store(&memory_handler, handler);
}

uint64_t ls_memory_events(void)
{
    return atomic_load_explicit(&n_events, memory_order_relaxed);
}

static void count_event(void)
{
    atomic_fetch_add_explicit(&n_events, 1, memory_order_relaxed);
}

/* The text is built on the stack: there may be no memory for anything else. */
LS_NORETURN static void out_of_memory(const char *what, size_t bytes, const char *reason)
{
    char text[512], size[32];
    snprintf(text, sizeof text,
             "out of memory: %s needs %s more (%s); use a smaller batch, shorter sequences or a "
             "machine with more memory",
             what, ls_format_bytes(size, (double)bytes), reason);
    ls_memory_handler *handler = atomic_load(&memory_handler);
    if (handler)
        handler(text);
    else
        fprintf(stderr, "%s\n", text);
    abort();
}

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* --- arenas --- */

/* Reserves addresses without memory, aligned to a huge page; NULL when the address space is limited
 * below that. */
static unsigned char *reserve(size_t bytes)
{
    unsigned char *range = mmap(NULL, bytes + HUGE_PAGE, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED)
        return NULL;
    size_t head = (HUGE_PAGE - (uintptr_t)range % HUGE_PAGE) % HUGE_PAGE;
    if (head > 0)
        munmap(range, head);
    munmap(range + head + bytes, HUGE_PAGE - head);
    return range + head;
}

leash_status ls_arena_init(ls_arena *arena, const char *name, size_t reserve_bytes)
{
    *arena = (ls_arena){.name = name};
    size_t least = reserve_bytes > 0 ? reserve_bytes : LEAST_RESERVE;
    size_t bytes = reserve_bytes > 0 ? reserve_bytes : DEFAULT_RESERVE;
    if (bytes > SIZE_MAX / 2)
        return ls_fail(LEASH_MEMORY, "arena %s: cannot reserve %zu bytes of addresses", name,
                       bytes);
    bytes = round_up(bytes, HUGE_PAGE);
    do { /* a limit on the address space (ulimit -v) may leave less than the default */
        arena->base = reserve(bytes);
        arena->reserved = bytes;
        bytes /= 2;
    } while (arena->base == NULL && bytes >= least);
    if (arena->base == NULL) {
        arena->reserved = 0;
        return ls_fail_errno(LEASH_MEMORY, "arena %s: cannot reserve %zu bytes of addresses", name,
                             least);
    }
    return LEASH_OK;
}

leash_status ls_arena_init_dry(ls_arena *arena, const char *name)
{
    if (ls_arena_init(arena, name, DRY_RESERVE) != LEASH_OK)
        LS_TRY(ls_arena_init(arena, name, 0));
    arena->is_dry = true;
    /* Memory comes by itself, in small pages, under the few structs that hosts write. */
    madvise(arena->base, arena->reserved, MADV_NOHUGEPAGE);
    if (mprotect(arena->base, arena->reserved, PROT_READ | PROT_WRITE) == 0)
        return LEASH_OK;
    leash_status status = ls_fail_errno(
        LEASH_MEMORY, "arena %s: cannot map %zu bytes for a dry run", name, arena->reserved);
    ls_arena_release(arena);
    return status;
}

void ls_arena_release(ls_arena *arena)
{
    if (arena->base) {
        LS_UNPOISON(arena->base, arena->committed);
        munmap(arena->base, arena->reserved);
    }
    *arena = (ls_arena){.name = arena->name};
}

/* Makes the addresses up to `end` usable; memory comes with the first touch.  Returns 0 or an
 * errno. */
static int open_up_to(ls_arena *arena, size_t end)
{
    end = end < arena->reserved ? end : arena->reserved;
    unsigned char *start = arena->base + arena->committed;
    size_t added = end - arena->committed;
    count_event();
    if (mprotect(start, added, PROT_READ | PROT_WRITE) != 0)
        return errno;
    if (added >= HUGE_GROWTH)
        madvise(start, added, MADV_HUGEPAGE); /* a hint: without it pages are small */
    LS_POISON(start, added);
    arena->committed = end;
    return 0;
}

/* In steps that grow, so that an arena that takes a little at a time seldom asks. */
static int grow(ls_arena *arena, size_t bytes)
{
    size_t step = arena->committed;
    step = step < LEAST_GROWTH ? LEAST_GROWTH : step > MOST_GROWTH ? MOST_GROWTH : step;
    size_t end = arena->committed + step;
    return open_up_to(arena, round_up(end > bytes ? end : bytes, LEAST_GROWTH));
}

/* Keeps what the pages hold; a kernel that is out of memory ends the process here and not in a
 * step. */
LS_NO_ASAN static void touch_pages(unsigned char *start, size_t bytes, size_t page)
{
    for (size_t i = 0; i < bytes; i += page) {
        volatile unsigned char *byte = start + i;
        *byte = *byte;
    }
}

/* Puts memory behind the first `bytes`, a multiple of the page.  Returns 0 or an errno. */
static int populate(ls_arena *arena, size_t bytes, size_t page)
{
#ifdef MADV_POPULATE_WRITE
    while (madvise(arena->base, bytes, MADV_POPULATE_WRITE) != 0) {
        if (errno == EINVAL) { /* before Linux 5.14 */
            touch_pages(arena->base, bytes, page);
            return 0;
        }
        if (errno != EINTR)
            return errno;
    }
#else
    touch_pages(arena->base, bytes, page);
#endif
    return 0;
}

leash_status ls_arena_commit(ls_arena *arena, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (arena->is_dry || bytes == 0)
        return LEASH_OK;
    if (bytes > arena->reserved)
        return ls_fail(LEASH_MEMORY, "arena %s: %zu bytes wanted, but only %zu are reserved",
                       arena->name, bytes, arena->reserved);
    bytes = round_up(bytes, page);
    int error = bytes > arena->committed ? open_up_to(arena, bytes) : 0;
    if (error == 0)
        error = populate(arena, bytes, page);
    if (error == 0)
        return LEASH_OK;
    errno = error;
    return ls_fail_errno(LEASH_MEMORY, "arena %s: cannot get %zu bytes of memory", arena->name,
                         bytes);
}

void *ls_arena_alloc(ls_arena *arena, size_t bytes)
{
    size_t start = arena->used;
    if (bytes > SIZE_MAX / 2 - start)
        out_of_memory(arena->name, bytes, "more than there are addresses");
    size_t end = start + round_up(bytes, ALIGNMENT);
    if (end > arena->reserved)
        out_of_memory(arena->name, bytes, "more than its reserved addresses");
    if (!arena->is_dry && end > arena->committed) {
        int error = grow(arena, end);
        if (error != 0)
            out_of_memory(arena->name, bytes, strerror(error));
    }
    arena->used = end;
    if (end > arena->peak)
        arena->peak = end;
    if (!arena->is_dry) /* poison has memory of its own, an eighth of the bytes */
        LS_UNPOISON(arena->base + start, bytes);
    return arena->base + start;
}

/* Zeroes without backing: pages inside the range are given back to the kernel, which supplies zeros
 * on the next touch; only the ends that share a page with neighbours are written. */
static void zero_sparse(unsigned char *start, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t head = (page - (uintptr_t)start % page) % page;
    if (bytes < head + page) {
        memset(start, 0, bytes);
        return;
    }
    size_t middle = (bytes - head) / page * page;
    memset(start, 0, head);
    madvise(start + head, middle, MADV_DONTNEED);
    memset(start + head + middle, 0, bytes - head - middle);
}

void *ls_arena_zalloc(ls_arena *arena, size_t bytes)
{
    void *p = ls_arena_alloc(arena, bytes);
    if (arena->is_dry)
        zero_sparse(p, bytes);
    else if (bytes > 0)
        memset(p, 0, bytes);
    return p;
}

float *ls_arena_floats(ls_arena *arena, int64_t count)
{
    LS_ASSERT(count >= 0);
    return ls_arena_alloc(arena, ls_mul_size((size_t)count, sizeof(float)));
}

int32_t *ls_arena_ints(ls_arena *arena, int64_t count)
{
    LS_ASSERT(count >= 0);
    return ls_arena_alloc(arena, ls_mul_size((size_t)count, sizeof(int32_t)));
}

char *ls_arena_strdup(ls_arena *arena, const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(ls_arena_alloc(arena, bytes), text, bytes);
}

ls_arena_mark ls_arena_get_mark(const ls_arena *arena)
{
    return arena->used;
}

void ls_arena_rewind(ls_arena *arena, ls_arena_mark mark)
{
    LS_ASSERT(mark <= arena->used);
    if (!arena->is_dry)
        LS_POISON(arena->base + mark, arena->used - mark);
    arena->used = mark;
}

/* --- heap --- */

void *ls_malloc(size_t bytes)
{
    count_event();
    void *p = malloc(bytes > 0 ? bytes : 1);
    if (p == NULL)
        out_of_memory("the heap", bytes, "malloc refused");
    return p;
}

void *ls_calloc(size_t count, size_t size)
{
    count_event();
    size_t bytes = ls_mul_size(count, size);
    void *p = calloc(1, bytes > 0 ? bytes : 1);
    if (p == NULL)
        out_of_memory("the heap", bytes, "calloc refused");
    return p;
}

void *ls_calloc_lines(size_t count, size_t size)
{
    count_event();
    LS_ASSERT(size > 0 && size % 64 == 0);
    size_t bytes = ls_mul_size(count, size);
    void *p = aligned_alloc(64, bytes);
    if (p == NULL)
        out_of_memory("the heap", bytes, "aligned_alloc refused");
    return memset(p, 0, bytes);
}

void *ls_realloc(void *old, size_t bytes)
{
    count_event();
    void *p = realloc(old, bytes > 0 ? bytes : 1);
    if (p == NULL)
        out_of_memory("the heap", bytes, "realloc refused");
    return p;
}

char *ls_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(ls_malloc(bytes), text, bytes);
}

void ls_free(void *pointer)
{
    free(pointer);
}

size_t ls_mul_size(size_t a, size_t b)
{
    if (b != 0 && a > SIZE_MAX / b) {
        fprintf(stderr, "size overflow: %zu * %zu\n", a, b);
        abort();
    }
    return a * b;
}

/* VmHWM belongs to this program image; getrusage also remembers the process before its exec. */
int64_t ls_memory_peak_rss(void)
{
    int64_t kib = 0;
    FILE *file = fopen("/proc/self/status", "re");
    if (file) {
        char line[256];
        while (fgets(line, sizeof line, file) && sscanf(line, "VmHWM: %" SCNd64 " kB", &kib) != 1)
            continue;
        fclose(file);
    }
    if (kib == 0) {
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        kib = usage.ru_maxrss;
    }
    return kib * 1024;
}
