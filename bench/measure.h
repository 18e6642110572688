/* What the benchmarks share: medians, and whether a round had the processors for itself. */
#ifndef LS_BENCH_MEASURE_H
#define LS_BENCH_MEASURE_H

#include <stdlib.h>
#include <sys/resource.h>

static inline int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return values[n / 2];
}

/* How often somebody else was given a processor of ours; a round that changes it is not clean. */
static inline long count_interruptions(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

#endif
