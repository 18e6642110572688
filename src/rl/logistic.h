/* The logistic function in double, without overflow on either side. */
#ifndef LS_RL_LOGISTIC_H
#define LS_RL_LOGISTIC_H

#include <math.h>

/* 1 / (1 + e^-x) */
static inline double ls_sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

/* log(1 / (1 + e^-x)); its derivative is ls_sigmoid(-x). */
static inline double ls_log_sigmoid(double x)
{
    return x >= 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

#endif
