/* Claims about base/threads.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/threads.h"

#define MOST 8

typedef struct cover {
    unsigned char *times; /* how often each index was covered */
    int64_t begins[MOST], ends[MOST];
    int n_calls[MOST];
} cover;

static void mark_range(void *context, int64_t begin, int64_t end, int worker)
{
    cover *c = context;
    c->n_calls[worker]++;
    c->begins[worker] = begin;
    c->ends[worker] = end;
    for (int64_t i = begin; i < end; i++)
        c->times[i]++;
}

static void check_cover(ls_pool *pool, int64_t n, int64_t grain)
{
    cover c = {.times = ls_calloc((size_t)n + 1, 1)};
    ls_parallel_for(pool, n, grain, mark_range, &c);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(c.times[i], 1);
    int64_t at = 0, least = INT64_MAX, most = 0;
    for (int w = 0; w < ls_pool_size(pool) && at < n; w++) {
        assert_int_equal(c.n_calls[w], 1); /* at most one range each, in order of the workers */
        assert_int_equal(c.begins[w], at);
        at = c.ends[w];
        assert_true(at == n || at % grain == 0);
        int64_t grains = (at - c.begins[w] - 1) / grain + 1;
        least = grains < least ? grains : least;
        most = grains > most ? grains : most;
    }
    assert_int_equal(at, n);
    assert_true(n == 0 || most - least <= 1); /* balanced */
    ls_free(c.times);
}

static void each_index_is_covered_once_in_balanced_ranges(void **state)
{
    (void)state;
    for (int size = 1; size <= MOST; size++) {
        ls_pool *pool;
        assert_int_equal(ls_pool_new(&pool, size), LEASH_OK);
        assert_int_equal(ls_pool_size(pool), size);
        for (int64_t n = 0; n < 70; n++)
            for (int64_t grain = 1; grain < 20; grain += 5)
                check_cover(pool, n, grain);
        check_cover(pool, 100003, 64);
        check_cover(pool, 100, INT64_MAX);
        ls_pool_free(pool);
    }
}

static void a_null_pool_runs_inline(void **state)
{
    (void)state;
    assert_int_equal(ls_pool_size(NULL), 1);
    check_cover(NULL, 1000, 7);
    ls_pool_free(NULL);
}

typedef struct row_sums {
    const float *x;
    double *sums;
    int64_t width;
} row_sums;

static void sum_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    row_sums *s = context;
    for (int64_t i = begin; i < end; i++) {
        s->sums[i] = 0;
        for (int64_t j = 0; j < s->width; j++)
            s->sums[i] += (double)s->x[i * s->width + j];
    }
}

static void results_do_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    enum { ROWS = 37, WIDTH = 19 };
    float x[ROWS * WIDTH];
    double first[ROWS], sums[ROWS];
    for (int i = 0; i < ROWS * WIDTH; i++)
        x[i] = 1.0f / (float)(i + 1);
    row_sums s = {.x = x, .sums = first, .width = WIDTH};
    ls_parallel_for(NULL, ROWS, 1, sum_rows, &s);
    s.sums = sums;
    for (int size = 1; size <= MOST; size++) {
        ls_pool *pool;
        assert_int_equal(ls_pool_new(&pool, size), LEASH_OK);
        for (int repeat = 0; repeat < 300; repeat++) { /* also a stress of the hand-over */
            memset(sums, 0, sizeof sums);
            ls_parallel_for(pool, ROWS, 1 + repeat % 3, sum_rows, &s);
            assert_memory_equal(sums, first, sizeof sums);
        }
        ls_pool_free(pool);
    }
}

/* Loops of different widths one after the other: workers that sit out some loops must not miss the
 * next. */
static void workers_that_sit_out_come_back(void **state)
{
    (void)state;
    ls_pool *pool;
    assert_int_equal(ls_pool_new(&pool, 4), LEASH_OK);
    unsigned char times[8];
    for (int repeat = 0; repeat < 3000; repeat++) {
        cover c = {.times = memset(times, 0, sizeof times)};
        int64_t n = 1 + (repeat * 7) % 5;
        ls_parallel_for(pool, n, 1, mark_range, &c);
        for (int64_t i = 0; i < n; i++)
            assert_int_equal(times[i], 1);
    }
    ls_pool_free(pool);
}

typedef struct nest {
    ls_pool *same, *other;
    atomic_int n_inner, n_wrong;
    int outer_worker[MOST];
} nest;

static void inner_same(void *context, int64_t begin, int64_t end, int worker)
{
    nest *n = context;
    if (begin != 0 || end != 1000 || n->outer_worker[worker] != worker)
        n->n_wrong++;
    n->n_inner++;
}

static void inner_other(void *context, int64_t begin, int64_t end, int worker)
{
    nest *n = context;
    if (begin != 0 || end != 1000 || worker != 0)
        n->n_wrong++;
    n->n_inner++;
}

static void outer(void *context, int64_t begin, int64_t end, int worker)
{
    nest *n = context;
    (void)begin, (void)end;
    n->outer_worker[worker] = worker;
    ls_parallel_for(n->same, 1000, 1, inner_same, n);
    ls_parallel_for(n->other, 1000, 1, inner_other, n);
    ls_parallel_for(NULL, 1000, 1, inner_other, n);
}

static void calls_from_inside_a_worker_run_inline_with_its_number(void **state)
{
    (void)state;
    nest n = {0};
    memset(n.outer_worker, 0xff, sizeof n.outer_worker);
    assert_int_equal(ls_pool_new(&n.same, 4), LEASH_OK);
    assert_int_equal(ls_pool_new(&n.other, 2), LEASH_OK);
    ls_parallel_for(n.same, 4, 1, outer, &n);
    assert_int_equal(n.n_inner, 12);
    assert_int_equal(n.n_wrong, 0);
    check_cover(n.same, 100, 1); /* and the pool works as before */
    ls_pool_free(n.same);
    ls_pool_free(n.other);
}

static void *loop_from_thread(void *argument)
{
    enum { N = 64 };
    unsigned char times[N];
    for (int repeat = 0; repeat < 200; repeat++) {
        cover c = {.times = memset(times, 0, sizeof times)};
        ls_parallel_for(argument, N, 1, mark_range, &c);
        for (int i = 0; i < N; i++)
            if (times[i] != 1)
                return argument;
    }
    return NULL;
}

static void callers_in_several_threads_take_turns(void **state)
{
    (void)state;
    ls_pool *pool;
    pthread_t threads[3];
    assert_int_equal(ls_pool_new(&pool, 3), LEASH_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, loop_from_thread, pool), 0);
    for (int i = 0; i < 3; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    ls_pool_free(pool);
}

typedef struct places {
    int caller, worker;
    bool joins; /* the worker goes to the caller's processor */
} places;

static void note_place(void *context, int64_t begin, int64_t end, int worker)
{
    (void)begin, (void)end;
    places *p = context;
    if (worker == 0)
        return;
    cpu_set_t allowed, target;
    if (p->joins && sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        CPU_ZERO(&target);
        CPU_SET((size_t)p->caller, &target);
        assert_int_equal(sched_setaffinity(0, sizeof target, &target), 0);
        assert_int_equal(sched_setaffinity(0, sizeof allowed, &allowed), 0);
    }
    p->worker = sched_getcpu();
}

static void a_worker_leaves_the_processor_of_the_caller(void **state)
{
    (void)state;
    if (ls_cpu_count() < 2)
        return; /* there is no other */
    ls_pool *pool;
    assert_int_equal(ls_pool_new(&pool, 2), LEASH_OK);
    places p = {.caller = sched_getcpu(), .joins = true};
    ls_parallel_for(pool, 2, 1, note_place, &p);
    /* The kernel may move the caller meanwhile, so more than one loop may be needed. */
    p.joins = false;
    int n_loops = 0;
    do {
        ls_parallel_for(pool, 2, 1, note_place, &p);
        p.caller = sched_getcpu();
    } while (p.worker == p.caller && ++n_loops < 1000000);
    assert_int_not_equal(p.worker, p.caller);
    ls_pool_free(pool);
}

static void zero_threads_means_all_processors(void **state)
{
    (void)state;
    ls_pool *pool;
    int n = ls_cpu_count();
    assert_true(n >= 1);
    assert_int_equal(ls_pool_new(&pool, 0), LEASH_OK);
    assert_int_equal(ls_pool_size(pool), n < 256 ? n : 256);
    ls_pool_free(pool);
    assert_int_equal(ls_pool_new(&pool, 257), LEASH_USAGE);
    assert_int_equal(ls_pool_new(&pool, -1), LEASH_USAGE);
    assert_null(pool);
}

/* --- quotas of control groups, from a made-up /sys/fs/cgroup --- */

static char root[] = "/tmp/leash_test_threads.XXXXXX";

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return ls_dir_remove(root) == LEASH_OK ? 0 : -1;
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[LS_PATH_MAX], file[LS_PATH_MAX];
    ls_path_join(path, root, dir);
    assert_int_equal(ls_dir_make(path), LEASH_OK);
    assert_int_equal(ls_file_write_synced(ls_path_join(file, path, name), text, strlen(text)),
                     LEASH_OK);
}

static int quota_of(const char *cgroup_text)
{
    char path[LS_PATH_MAX];
    put("", "cgroup", cgroup_text);
    return ls_cpu_quota(ls_path_join(path, root, "cgroup"), root);
}

static void quotas_of_version_2_are_the_least_up_to_the_mount(void **state)
{
    (void)state;
    put("a/b", "cpu.max", "350000 100000\n");
    put("a", "cpu.max", "max 100000\n");
    assert_int_equal(quota_of("0::/a/b\n"), 4); /* 3.5 rounded up */
    assert_int_equal(quota_of("0::/a\n"), 0);
    assert_int_equal(quota_of("0::/seen/outside/only\n"), 0);
    put("a", "cpu.max", "50000 100000\n");
    assert_int_equal(quota_of("0::/a/b\n"), 1);
    put("", "cpu.max", "200000 100000\n"); /* the mount of a container is its own group */
    assert_int_equal(quota_of("0::/seen/outside/only\n"), 2);
    assert_int_equal(quota_of("0::/\n"), 2);
    put("", "cpu.max", "max\n");
    assert_int_equal(quota_of("0::/\n"), 0);
}

static void quotas_of_version_1_come_from_the_cpu_controller(void **state)
{
    (void)state;
    put("cpu,cpuacct/j", "cpu.cfs_quota_us", "150000\n");
    put("cpu,cpuacct/j", "cpu.cfs_period_us", "50000\n");
    put("cpu,cpuacct", "cpu.cfs_quota_us", "-1\n");
    put("cpu,cpuacct", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota_of("5:cpuset:/j\n4:cpu,cpuacct:/j\n1:name=systemd:/\n"), 3);
    assert_int_equal(quota_of("4:cpu,cpuacct:/\n"), 0);
    assert_int_equal(quota_of("5:cpuset:/j\n"), 0);
    assert_int_equal(quota_of("nonsense\n::\n4:cpu\n"), 0);
    assert_int_equal(quota_of(""), 0);
    assert_int_equal(ls_cpu_quota("/no/such/file", "/no/such/mount"), 0);
    assert_string_equal(leash_error(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_index_is_covered_once_in_balanced_ranges),
        cmocka_unit_test(a_null_pool_runs_inline),
        cmocka_unit_test(results_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(workers_that_sit_out_come_back),
        cmocka_unit_test(calls_from_inside_a_worker_run_inline_with_its_number),
        cmocka_unit_test(callers_in_several_threads_take_turns),
        cmocka_unit_test(a_worker_leaves_the_processor_of_the_caller),
        cmocka_unit_test(zero_threads_means_all_processors),
        cmocka_unit_test(quotas_of_version_2_are_the_least_up_to_the_mount),
        cmocka_unit_test(quotas_of_version_1_come_from_the_cpu_controller),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
