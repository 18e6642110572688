/* The FMA peak of all threads of a device at this moment. */
#include "kernels/peak.h"

#include <string.h>
#include "base/clock.h"
#include "kernels/cpu/cpu.h"

typedef struct peak_job {
    double (*run)(int64_t rounds);
    int64_t rounds;
    double flops; /* of one worker */
} peak_job;

static void run_peak(void *context, int64_t begin, int64_t end, int worker)
{
    (void)begin, (void)end;
    peak_job *p = context;
    double flops = p->run(p->rounds);
    if (worker == 0)
        p->flops = flops;
}

double ls_peak_rate(const ls_device *dev)
{
    peak_job job = {.rounds = 120000};
    if (strcmp(dev->k->name, "avx512") == 0)
        job.run = ls_cpu_peak_avx512;
    else if (strcmp(dev->k->name, "avx2") == 0)
        job.run = ls_cpu_peak_avx2;
    else
        return 0;
    int n_threads = ls_pool_size(dev->pool);
    double start = ls_clock_seconds();
    ls_parallel_for(dev->pool, n_threads, 1, run_peak, &job);
    return job.flops * n_threads / (ls_clock_seconds() - start);
}
