/* A pool of threads for loops over independent rows or columns.
 *
 * ls_parallel_for cuts [0, n) into at most one contiguous range per worker, each but the last a
 * multiple of `grain`; the cut depends on n, grain and the pool's size alone.  Worker 0 is the
 * caller.  No result may depend on the cut: a worker writes only what belongs to its own range.
 * Calls from inside a worker run inline, with that worker's number when the pool is the same and 0
 * when it is another; callers in several threads take turns.  Workers look for the next loop for
 * 0.1 ms (not when there are more of them than processors) and then sleep, so that an idle pool
 * costs nothing and an over-subscribed machine does not stall. */
#ifndef LS_BASE_THREADS_H
#define LS_BASE_THREADS_H

#include <stdint.h>
#include "base/err.h"

typedef struct ls_pool ls_pool;
typedef void ls_range_fn(void *context, int64_t begin, int64_t end, int worker);

/* Processors this process may use: affinity mask and cgroup quota. */
int ls_cpu_count(void);
/* The processors that control groups (version 1 and 2) leave to the process whose /proc/.../cgroup
 * is given; 0 for no limit.  ls_cpu_count calls it with "/proc/self/cgroup" and
 * "/sys/fs/cgroup". */
int ls_cpu_quota(const char *cgroup_file, const char *sysfs_root);
/* n_threads 0 takes ls_cpu_count(), at the most 256.  Errors: LEASH_FAILED when a thread cannot be
 * started. */
leash_status ls_pool_new(ls_pool **out, int n_threads) LEASH_MUST_USE;
void ls_pool_free(ls_pool *pool);
int ls_pool_size(const ls_pool *pool); /* 1 for NULL */
/* A NULL pool runs inline. */
void ls_parallel_for(ls_pool *pool, int64_t n, int64_t grain, ls_range_fn *fn, void *context);

#endif
