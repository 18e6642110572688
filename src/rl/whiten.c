/* Whitening in one pass over the values, weighted by how many tokens have each. */
#include "rl/whiten.h"

#include <math.h>

#define EQUAL_SPREAD 1e-6

void ls_whitening_add(ls_whitening *w, double x, double count)
{
    if (count == 0)
        return;
    w->min = w->n == 0 ? x : fmin(w->min, x);
    w->max = w->n == 0 ? x : fmax(w->max, x);
    double d = x - w->mean;
    w->n += count;
    w->mean += d * count / w->n;
    w->squares += count * d * (x - w->mean);
}

double ls_whitening_apply(const ls_whitening *w, double x, double epsilon)
{
    if (w->n < 2 || w->max - w->min < EQUAL_SPREAD * fmax(1.0, fabs(w->mean)))
        return 0.0;
    return (x - w->mean) / sqrt(w->squares / (w->n - 1) + epsilon * epsilon);
}
