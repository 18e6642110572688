/* The pool: one slot a worker, woken by a word in its own cache line.
 *
 * A loop of a few microseconds must not pay for a system call, so both sides first look at an
 * atomic word for a while and only then sleep in the kernel (futex).  The order that makes the
 * plain fields of slot.loop safe:
 *
 *     caller: writes slot.loop, then slot.state = WORK (release)
 *     worker: sees WORK (acquire), copies the loop, runs its range, then n_pending -= 1 (release)
 *     caller: sees n_pending == 0 (acquire) and returns; it may write the next loop
 *
 * A worker that gets no range is not woken and does not look at the loop. */
#include "base/threads.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"

#define CACHE_LINE 64
#define MOST_THREADS 256
/* About twice what waking a sleeping processor takes in a virtual machine. */
#define SPIN_SECONDS 100e-6
/* Least time between two moves of a worker. */
#define SECONDS_BETWEEN_MOVES 1e-3
#define PAUSES_PER_YIELD 512

enum {
    IDLE,
    WORK,
    ASLEEP,
    QUIT
}; /* slot.state: the worker moves IDLE -> ASLEEP and WORK -> IDLE, the caller the rest */

#define CALLER_SLEEPS (1u << 31) /* bit of n_pending */

typedef struct loop {
    ls_range_fn *fn;
    void *context;
    int64_t n, grain;
    int n_ranges, caller_cpu;
} loop;

/* The first line is all that goes from the caller to the worker. */
typedef struct slot {
    _Alignas(CACHE_LINE) _Atomic(uint32_t) state;
    int worker;
    loop loop; /* written before the state becomes WORK */
    _Alignas(CACHE_LINE) ls_pool *pool;
    pthread_t thread;
    double last_move;
} slot;

struct ls_pool {
    int n_threads;
    bool is_spinning;     /* false when there are more threads than processors */
    pthread_mutex_t turn; /* held by the caller whose loop runs */
    slot *slots;          /* n_threads; slot 0 is the caller's and unused */
    char padding[CACHE_LINE];
    _Atomic(uint32_t) n_pending; /* ranges of other workers that still run */
    char padding_after[CACHE_LINE];
};

/* The pool whose loop this thread is inside of, and its worker number there. */
static LS_THREAD_LOCAL const ls_pool *inside_pool;
static LS_THREAD_LOCAL int inside_worker;

/* --- waiting --- */

static void futex_wait(_Atomic(uint32_t) *word, uint32_t expected)
{
    syscall(SYS_futex, (void *)word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic(uint32_t) *word)
{
    syscall(SYS_futex, (void *)word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Looks at the word until it differs from `value` or the time is up; returns what it saw last.  The
 * yield matters: the thread waited for may be queued behind this one on the same processor, and
 * would else start when the spin has ended. */
static uint32_t spin_while(_Atomic(uint32_t) *word, uint32_t value)
{
    double end = ls_clock_seconds() + SPIN_SECONDS;
    do {
        for (int i = 0; i < PAUSES_PER_YIELD; i++) {
            uint32_t seen = atomic_load_explicit(word, memory_order_acquire);
            if (seen != value)
                return seen;
            LS_CPU_PAUSE();
        }
        sched_yield();
    } while (ls_clock_seconds() < end);
    return value;
}

/* --- one loop --- */

/* Range i of n_ranges: whole grains, the first ranges one grain longer when they do not divide. */
static void run_range(const ls_pool *pool, const loop *l, int i)
{
    int64_t n_grains = (l->n - 1) / l->grain + 1;
    int64_t each = n_grains / l->n_ranges, longer = n_grains % l->n_ranges;
    int64_t first = i * each + (i < longer ? i : longer);
    int64_t last = first + each + (i < longer);
    int64_t end = last == n_grains ? l->n : last * l->grain;
    inside_pool = pool;
    inside_worker = i;
    l->fn(l->context, first * l->grain, end, i);
    inside_pool = NULL;
}

static void finish_range(ls_pool *pool)
{
    uint32_t before = atomic_fetch_sub_explicit(&pool->n_pending, 1, memory_order_acq_rel);
    if (before == (CALLER_SLEEPS | 1))
        futex_wake(&pool->n_pending);
}

static void wait_for_workers(ls_pool *pool)
{
    uint32_t pending = atomic_load_explicit(&pool->n_pending, memory_order_acquire);
    if (pool->is_spinning) {
        double end = ls_clock_seconds() + SPIN_SECONDS;
        while (pending != 0 && ls_clock_seconds() < end)
            pending = spin_while(&pool->n_pending, pending);
    }
    if (pending == 0)
        return;
    pending = atomic_fetch_or_explicit(&pool->n_pending, CALLER_SLEEPS, memory_order_acq_rel) |
              CALLER_SLEEPS;
    while (pending != CALLER_SLEEPS) {
        futex_wait(&pool->n_pending, pending);
        pending = atomic_load_explicit(&pool->n_pending, memory_order_acquire);
    }
}

static void set_state(slot *s, uint32_t state)
{
    if (atomic_exchange_explicit(&s->state, state, memory_order_acq_rel) == ASLEEP)
        futex_wake(&s->state);
}

void ls_parallel_for(ls_pool *pool, int64_t n, int64_t grain, ls_range_fn *fn, void *context)
{
    LS_ASSERT(grain >= 1);
    if (n <= 0)
        return;
    if (inside_pool != NULL || pool == NULL) {
        /* The worker number names this thread in its own pool; in another it is the only one. */
        fn(context, 0, n, inside_pool == pool && pool != NULL ? inside_worker : 0);
        return;
    }
    pthread_mutex_lock(&pool->turn);
    int64_t n_grains = (n - 1) / grain + 1;
    loop l = {.fn = fn,
              .context = context,
              .n = n,
              .grain = grain,
              .n_ranges = n_grains < pool->n_threads ? (int)n_grains : pool->n_threads,
              .caller_cpu = sched_getcpu()};
    atomic_store_explicit(&pool->n_pending, (uint32_t)(l.n_ranges - 1), memory_order_relaxed);
    for (int i = 1; i < l.n_ranges; i++) {
        pool->slots[i].loop = l;
        set_state(&pool->slots[i], WORK);
    }
    run_range(pool, &l, 0);
    wait_for_workers(pool);
    pthread_mutex_unlock(&pool->turn);
}

/* --- workers --- */

static uint32_t wait_for_order(slot *s)
{
    uint32_t state = atomic_load_explicit(&s->state, memory_order_acquire);
    if (state == IDLE && s->pool->is_spinning)
        state = spin_while(&s->state, IDLE);
    if (state == IDLE)
        atomic_compare_exchange_strong_explicit(&s->state, &state, ASLEEP, memory_order_acq_rel,
                                                memory_order_acquire);
    while (state == IDLE || state == ASLEEP) {
        futex_wait(&s->state, ASLEEP);
        state = atomic_load_explicit(&s->state, memory_order_acquire);
    }
    return state;
}

/* Goes to the processor `worker` places behind the caller's, among those that are allowed.  A
 * thread woken by another may be put on that one's processor, and since both yield while they wait,
 * the kernel sees nothing to balance: the loop then takes as long as with one thread.  The mask is
 * set back at once, so the kernel stays free to move the thread. */
static void leave_caller_cpu(slot *s, int caller_cpu)
{
    cpu_set_t allowed, target;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2)
        return; /* more processors than a cpu_set_t has, or nowhere to go */
    int cpu = caller_cpu;
    for (int left = s->worker % CPU_COUNT(&allowed); left > 0; left--)
        do
            cpu = (cpu + 1) % CPU_SETSIZE;
        while (!CPU_ISSET((size_t)cpu, &allowed));
    CPU_ZERO(&target);
    CPU_SET((size_t)cpu, &target);
    if (sched_setaffinity(0, sizeof target, &target) == 0)
        sched_setaffinity(0, sizeof allowed, &allowed);
}

static void spread(slot *s, int caller_cpu)
{
    if (!s->pool->is_spinning || caller_cpu < 0 || sched_getcpu() != caller_cpu)
        return;
    double now = ls_clock_seconds();
    if (now - s->last_move < SECONDS_BETWEEN_MOVES)
        return;
    s->last_move = now;
    leave_caller_cpu(s, caller_cpu);
}

static void *run_worker(void *argument)
{
    slot *s = argument;
    while (wait_for_order(s) == WORK) {
        loop l = s->loop;
        /* Before the range is finished: afterwards the caller may already order the next one. */
        atomic_store_explicit(&s->state, IDLE, memory_order_relaxed);
        run_range(s->pool, &l, s->worker);
        finish_range(s->pool);
        spread(s, l.caller_cpu);
    }
    return NULL;
}

/* Signals belong to the threads of the program around us, so workers start with all of them
 * blocked. */
static leash_status start_worker(slot *s)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&s->thread, NULL, run_worker, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0)
        return LEASH_OK;
    char reason[128];
    return ls_fail(LEASH_FAILED,
                   "cannot start thread %d of %d: %s (use fewer threads or raise ulimit -u)",
                   s->worker + 1, s->pool->n_threads, strerror_r(error, reason, sizeof reason));
}

/* --- life --- */

/* Ends workers 1 to n_started - 1 and gives everything back. */
static void free_started(ls_pool *pool, int n_started)
{
    for (int i = 1; i < n_started; i++)
        set_state(&pool->slots[i], QUIT);
    for (int i = 1; i < n_started; i++)
        pthread_join(pool->slots[i].thread, NULL);
    pthread_mutex_destroy(&pool->turn);
    ls_free(pool->slots);
    ls_free(pool);
}

leash_status ls_pool_new(ls_pool **out, int n_threads)
{
    *out = NULL;
    if (n_threads < 0 || n_threads > MOST_THREADS)
        return ls_fail(LEASH_USAGE, "expected 0 (all processors) to %d threads, found %d",
                       MOST_THREADS, n_threads);
    int n_cpus = ls_cpu_count();
    if (n_threads == 0)
        n_threads = n_cpus < MOST_THREADS ? n_cpus : MOST_THREADS;
    ls_pool *pool = ls_calloc(1, sizeof *pool);
    pool->n_threads = n_threads;
    pool->is_spinning = n_threads <= n_cpus;
    pool->slots = ls_calloc_lines((size_t)n_threads, sizeof *pool->slots);
    pthread_mutex_init(&pool->turn, NULL);
    for (int i = 1; i < n_threads; i++) {
        slot *s = &pool->slots[i];
        s->pool = pool;
        s->worker = i;
        leash_status status = start_worker(s);
        if (status != LEASH_OK) {
            free_started(pool, i);
            return status;
        }
    }
    *out = pool;
    return LEASH_OK;
}

void ls_pool_free(ls_pool *pool)
{
    if (pool)
        free_started(pool, pool->n_threads);
}

int ls_pool_size(const ls_pool *pool)
{
    return pool ? pool->n_threads : 1;
}
