/* exp, log, tanh, erf, sin and cos in float: our own polynomials, so that every instruction set
 * gives the same bits.
 *
 * The scalar functions here are the specification; vector forms in kernels/ repeat the same
 * operations in the same order.  Only IEEE operations (+, -, *, /, sqrt, fma, rounding to integer,
 * exponent bits) appear, so the bits are fixed.  Accuracy: at most 2 units in the last place over
 * the stated range (tests/unit/base/test_vmath.c prints the worst). */
#ifndef LS_BASE_VMATH_H
#define LS_BASE_VMATH_H

/* e^x.  x > 88.72 gives inf, x < -87.33 gives 0 (no denormal results), NaN stays NaN. */
float ls_expf(float x);
/* ln x.  x = 0 gives -inf, x < 0 NaN; denormal inputs count as 0. */
float ls_logf(float x);
float ls_tanhf(float x);
/* The error function, 2/sqrt(pi) times the integral of e^-t^2 from 0 to x. */
float ls_erff(float x);
/* 1 / (1 + e^-x); 0 for x < -87.33. */
float ls_sigmoidf(float x);
/* sin and cos of an angle in radians, |angle| < 2^20, reduced in double. */
void ls_sincosf(float *sine, float *cosine, double angle);

#endif
