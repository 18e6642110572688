/* Claims about base/mem.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"

#define MIB ((size_t)1 << 20)

static void allocations_are_aligned_distinct_and_never_move(void **state)
{
    (void)state;
    ls_arena arena;
    assert_int_equal(ls_arena_init(&arena, "test", 0), LEASH_OK);
    unsigned char *blocks[300];
    for (int i = 0; i < 300; i++) {
        blocks[i] = ls_arena_alloc(&arena, (size_t)i * 131);
        assert_int_equal((uintptr_t)blocks[i] % 64, 0);
        if (i > 0)
            memset(blocks[i], i, (size_t)i * 131);
    }
    unsigned char *large = ls_arena_alloc(&arena, 20 * MIB);
    large[0] = large[20 * MIB - 1] = 1;
    for (int i = 0; i < 300; i++)
        for (size_t k = 0; k < (size_t)i * 131; k++)
            assert_int_equal(blocks[i][k], i & 0xff);
    assert_true(arena.used <= arena.committed && arena.committed <= arena.reserved);
    ls_arena_release(&arena);
    assert_null(arena.base);
}

static void lifetimes_nest_by_mark_and_rewind(void **state)
{
    (void)state;
    ls_arena arena;
    assert_int_equal(ls_arena_init(&arena, "test", 16 * MIB), LEASH_OK);
    int32_t *kept = ls_arena_ints(&arena, 10);
    kept[9] = 5;
    ls_arena_mark mark = ls_arena_get_mark(&arena);
    void *first = ls_arena_alloc(&arena, 3 * MIB);
    size_t peak = arena.peak, committed = arena.committed;
    uint64_t events = ls_memory_events();
    for (int i = 0; i < 3; i++) {
        ls_arena_rewind(&arena, mark);
        assert_ptr_equal(ls_arena_alloc(&arena, 3 * MIB), first);
    }
    assert_int_equal(arena.peak, peak);
    assert_int_equal(arena.committed, committed);
    assert_int_equal(ls_memory_events(), events); /* touched pages are reused, nothing grows */
    assert_int_equal(kept[9], 5);
    ls_arena_release(&arena);
}

static void zeroed_memory_is_zero_after_reuse(void **state)
{
    (void)state;
    ls_arena arena;
    assert_int_equal(ls_arena_init(&arena, "test", MIB), LEASH_OK);
    memset(ls_arena_alloc(&arena, 1000), 0xff, 1000);
    ls_arena_rewind(&arena, 0);
    const unsigned char *p = ls_arena_zalloc(&arena, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    assert_string_equal(ls_arena_strdup(&arena, "text"), "text");
    assert_non_null(ls_arena_zalloc(&arena, 0));
    assert_non_null(ls_arena_floats(&arena, 0));
    ls_arena_release(&arena);
}

static void commit_ahead_leaves_no_growth_for_later(void **state)
{
    (void)state;
    ls_arena arena;
    assert_int_equal(ls_arena_init(&arena, "test", 64 * MIB), LEASH_OK);
    uint64_t events = ls_memory_events();
    assert_int_equal(ls_arena_commit(&arena, 40 * MIB), LEASH_OK);
    assert_int_equal(ls_memory_events(), events + 1);
    assert_int_equal(arena.used, 0);
    for (int i = 0; i < 40; i++)
        memset(ls_arena_alloc(&arena, MIB), 1, MIB);
    assert_int_equal(ls_memory_events(), events + 1);
    assert_int_equal(ls_arena_commit(&arena, 65 * MIB), LEASH_MEMORY);
    assert_non_null(strstr(leash_error(), "arena test"));
    ls_arena_release(&arena);
}

/* Pages of the first `bytes` that have memory. */
static size_t count_resident(const ls_arena *arena, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (bytes + page - 1) / page, n_resident = 0;
    unsigned char *is_resident = calloc(n, 1);
    assert_int_equal(mincore(arena->base, n * page, is_resident), 0);
    for (size_t i = 0; i < n; i++)
        n_resident += is_resident[i] & 1;
    free(is_resident);
    return n_resident;
}

static void committed_memory_is_there_and_keeps_its_content(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = 5 * MIB + 1, n = (bytes + page - 1) / page;
    ls_arena arena;
    assert_int_equal(ls_arena_init(&arena, "test", 64 * MIB), LEASH_OK);
    char *text = ls_arena_strdup(&arena, "text");
    (void)ls_arena_alloc(&arena, 2 * MIB);
    assert_true(count_resident(&arena, 2 * MIB) < 2 * MIB / page);
    assert_int_equal(ls_arena_commit(&arena, bytes), LEASH_OK);
    assert_int_equal(count_resident(&arena, bytes), n);
    assert_int_equal(arena.committed, n * page);
    assert_string_equal(text, "text");
    ls_arena_release(&arena);
}

static void a_reservation_that_is_too_large_is_an_error(void **state)
{
    (void)state;
    ls_arena arena;
    assert_int_equal(ls_arena_init(&arena, "huge", SIZE_MAX), LEASH_MEMORY);
    assert_int_equal(ls_arena_init(&arena, "huge", (size_t)1 << 60), LEASH_MEMORY);
    assert_non_null(strstr(leash_error(), "arena huge"));
    ls_arena_release(&arena); /* allowed after a failed init */
}

/* The same calls on a dry and a real arena need the same number of bytes. */
static void a_dry_arena_measures_what_a_real_one_needs(void **state)
{
    (void)state;
    ls_arena arenas[2];
    assert_int_equal(ls_arena_init(&arenas[0], "real", 0), LEASH_OK);
    assert_int_equal(ls_arena_init_dry(&arenas[1], "dry"), LEASH_OK);
    for (int a = 0; a < 2; a++) {
        ls_arena_floats(&arenas[a], 1001);
        ls_arena_mark mark = ls_arena_get_mark(&arenas[a]);
        ls_arena_zalloc(&arenas[a], 3 * MIB + 1);
        ls_arena_rewind(&arenas[a], mark);
        ls_arena_strdup(&arenas[a], "name");
    }
    assert_int_equal(arenas[0].used, arenas[1].used);
    assert_int_equal(arenas[0].peak, arenas[1].peak);
    assert_int_equal(arenas[1].committed, 0);
    assert_int_equal(ls_arena_commit(&arenas[1], MIB), LEASH_OK);
    assert_int_equal(arenas[1].committed, 0);
    for (int i = 0; i < 100; i++) /* far past the memory of the machine */
        assert_non_null(ls_arena_alloc(&arenas[1], (size_t)1 << 31));
    assert_int_equal(arenas[1].peak, arenas[0].used + ((size_t)100 << 31));
    ls_arena_release(&arenas[0]);
    ls_arena_release(&arenas[1]);
}

/* Host structs live in dry arenas too, among arrays of any size that cost nothing. */
static void dry_memory_can_be_written_and_is_zeroed_sparsely(void **state)
{
    (void)state;
    ls_arena arena;
    assert_int_equal(ls_arena_init_dry(&arena, "dry"), LEASH_OK);
    int64_t rss = ls_memory_peak_rss();
    for (size_t bytes = 1; bytes < 100000; bytes = 3 * bytes + 1) {
        ls_arena_rewind(&arena, 0);
        ls_arena_alloc(&arena, 64);
        memset(ls_arena_alloc(&arena, bytes), 0xff, bytes);
        ls_arena_rewind(&arena, 64);
        const unsigned char *p = ls_arena_zalloc(&arena, bytes);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(p[i], 0);
    }
    ls_arena_zalloc(&arena, (size_t)100 << 30);
    assert_string_equal(ls_arena_strdup(&arena, "name"), "name");
    assert_true(ls_memory_peak_rss() < rss + (int64_t)(64 * MIB));
    assert_int_equal(arena.committed, 0);
    ls_arena_release(&arena);
}

static void the_heap_counts_its_calls(void **state)
{
    (void)state;
    uint64_t events = ls_memory_events();
    char *a = ls_malloc(0), *b = ls_calloc(3, 5), *c = ls_strdup("abc");
    assert_true(a != NULL && b != NULL);
    for (int i = 0; i < 15; i++)
        assert_int_equal(b[i], 0);
    assert_string_equal(c, "abc");
    a = ls_realloc(a, 100);
    ls_free(a);
    ls_free(b);
    ls_free(c);
    ls_free(NULL);
    assert_int_equal(ls_memory_events(), events + 4);
}

static void peak_rss_grows_with_touched_memory(void **state)
{
    (void)state;
    ls_arena arena;
    int64_t before = ls_memory_peak_rss();
    assert_true(before > 0);
    assert_int_equal(ls_arena_init(&arena, "test", 0), LEASH_OK);
    size_t bytes = (size_t)before + 64 * MIB; /* more than what may have been given back before */
    memset(ls_arena_alloc(&arena, bytes), 1, bytes);
    assert_true(ls_memory_peak_rss() >= (int64_t)bytes);
    ls_arena_release(&arena);
    assert_true(ls_memory_peak_rss() >= (int64_t)bytes);
}

/* --- what ends the process, run in a child that writes to a pipe --- */

static int message_end;

static void say(const char *text)
{
    size_t n = strlen(text);
    if (write(message_end, text, n) != (ssize_t)n)
        _exit(9);
    _exit(1); /* as the program does */
}

static int run_child(char said[512], void (*body)(void))
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        message_end = ends[1];
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        body();
        _exit(0);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], said, 511);
    said[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    return status;
}

static void exceed_the_reservation(void)
{
    ls_arena arena;
    ls_memory_set_handler(say);
    if (ls_arena_init(&arena, "small", MIB) == LEASH_OK)
        ls_arena_alloc(&arena, 5 * MIB);
}

static void exceed_without_handler(void)
{
    ls_arena arena;
    ls_memory_set_handler(NULL);
    if (ls_arena_init(&arena, "small", MIB) == LEASH_OK)
        ls_arena_alloc(&arena, 5 * MIB);
}

static void multiply_too_large(void)
{
    ls_mul_size((size_t)1 << 40, (size_t)1 << 40);
}

static void refused_memory_calls_the_handler_with_a_text(void **state)
{
    (void)state;
    char said[512];
    int status = run_child(said, exceed_the_reservation);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_non_null(strstr(said, "out of memory: small needs 5.0 MiB more"));
    status = run_child(said, exceed_without_handler);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void a_size_that_overflows_aborts(void **state)
{
    (void)state;
    char said[512];
    assert_int_equal(ls_mul_size(6, 7), 42);
    assert_int_equal(ls_mul_size(SIZE_MAX, 0), 0);
    assert_true(ls_mul_size(1, SIZE_MAX) == SIZE_MAX);
    int status = run_child(said, multiply_too_large);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_distinct_and_never_move),
        cmocka_unit_test(lifetimes_nest_by_mark_and_rewind),
        cmocka_unit_test(zeroed_memory_is_zero_after_reuse),
        cmocka_unit_test(commit_ahead_leaves_no_growth_for_later),
        cmocka_unit_test(committed_memory_is_there_and_keeps_its_content),
        cmocka_unit_test(a_reservation_that_is_too_large_is_an_error),
        cmocka_unit_test(a_dry_arena_measures_what_a_real_one_needs),
        cmocka_unit_test(dry_memory_can_be_written_and_is_zeroed_sparsely),
        cmocka_unit_test(the_heap_counts_its_calls),
        cmocka_unit_test(peak_rss_grows_with_touched_memory),
        cmocka_unit_test(refused_memory_calls_the_handler_with_a_text),
        cmocka_unit_test(a_size_that_overflows_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
