/* exp, log, tanh, erf, sigmoid, sin and cos of one float: the specification that vector versions
 * repeat lane by lane.
 *
 * How to vectorise.  Every line below is one IEEE operation on each lane: * + - / fmaf, integer and
 * bit operations on the float's 32 bits, or a select (a comparison and a blend).  The selects at
 * the end of a function choose between finished values, so a lane may compute garbage (never a
 * trap) and have it replaced.  Nothing is looked up in tables, no branch depends on data, and
 * rounding to an integer is the addition of a constant, so SSE2, AVX2, AVX-512, NEON and a GPU all
 * have the operations.  The rounding mode is nearest-even, denormals are on.
 *
 * Polynomials are minimax fits (Remez) of the stated expression with coefficients rounded to float
 * one after the other; "error" is the relative error of the exact polynomial against the function,
 * where half a unit in the last place is 3e-8 to 6e-8.  They are evaluated by Horner's rule from
 * the highest coefficient. */
#include "base/vmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* 1.5 * 2^23: the sum with a |value| < 2^22 is rounded to an integer, which then stands in the low
 * bits of the sum. */
#define ROUND_F 0x1.8p23f
#define ROUND_D 0x1.8p52

#define LOG2_E 0x1.715476p+0f
/* ln 2 = LN2_HIGH + LN2_LOW to 49 bits. */
#define LN2_HIGH 0x1.62e43p-1f
#define LN2_LOW -0x1.05c61p-29f

#define SQRT_HALF_BITS UINT32_C(0x3f3504f3)
#define MANTISSA_MASK UINT32_C(0x007fffff)
#define SIGN_MASK UINT32_C(0x80000000)
#define LEAST_NORMAL 0x1p-126f

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e^x = 2^n e^r,  n = round(x / ln 2),  |r| <= ln 2 / 2,  e^r = 1 + r + r^2 Q(r),  Q of degree 4,
 * error 3.2e-9.
 *   sum  = x * LOG2_E + ROUND_F          two roundings, no fma
 *   n    = sum - ROUND_F                 exact
 *   r    = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x))     the inner one is exact
 *   y    = fma(r*r, Q(r), r) + 1
 *   y   *= 2^n, as an addition of n << 23 to the bits of y: n is the low end of the bits of sum,
 *          and the shift drops the rest.  For n = 128 y is below 1 and for n = -126 above it, so
 *          the result is normal. */
float ls_expf(float x)
{
    float sum = x * LOG2_E + ROUND_F;
    float n = sum - ROUND_F;
    float r = fmaf(n, -LN2_HIGH, x);
    r = fmaf(n, -LN2_LOW, r);
    float q = 0x1.6ac74ep-10f;
    q = fmaf(q, r, 0x1.123dep-7f);
    q = fmaf(q, r, 0x1.555858p-5f);
    q = fmaf(q, r, 0x1.55548cp-3f);
    q = fmaf(q, r, 0x1.fffffcp-2f);
    float y = fmaf(r * r, q, r) + 1.0f;
    y = float_of(bits_of(y) + (bits_of(sum) << 23));
    y = x > 88.72f ? INFINITY : y;
    y = x < -87.33f ? 0.0f : y;
    return x != x ? x : y;
}

/* x = 2^e m,  m in [sqrt(1/2), sqrt(2)),  f = m - 1,  ln x = e ln 2 + f - f^2/2 + f^3 P(f),  P of
 * degree 8, error 6.1e-9.
 *   d    = bits(x) - SQRT_HALF_BITS      wraps
 *   e    = (float)(d >> 23)              arithmetic shift of a signed lane, exact conversion
 *   f    = float((d & MANTISSA_MASK) + SQRT_HALF_BITS) - 1        exact
 *   z    = f * f
 *   y    = fma(e, LN2_LOW, (f * z) * P(f))
 *   y    = fma(-1/2, z, y);   y = f + y;   y = fma(e, LN2_HIGH, y) */
float ls_logf(float x)
{
    uint32_t d = bits_of(x) - SQRT_HALF_BITS;
    float e = (float)((int32_t)d >> 23);
    float f = float_of((d & MANTISSA_MASK) + SQRT_HALF_BITS) - 1.0f;
    float z = f * f;
    float p = 0x1.b0242ep-5f;
    p = fmaf(p, f, -0x1.be7a68p-4f);
    p = fmaf(p, f, 0x1.f00f4p-4f);
    p = fmaf(p, f, -0x1.010122p-3f);
    p = fmaf(p, f, 0x1.23036cp-3f);
    p = fmaf(p, f, -0x1.552f18p-3f);
    p = fmaf(p, f, 0x1.99a54p-3f);
    p = fmaf(p, f, -0x1.00007p-2f);
    p = fmaf(p, f, 0x1.555548p-2f);
    float y = (f * z) * p;
    y = fmaf(e, LN2_LOW, y);
    y = fmaf(-0.5f, z, y);
    y = f + y;
    y = fmaf(e, LN2_HIGH, y);
    y = x == INFINITY ? x : y;
    y = x < LEAST_NORMAL ? -INFINITY : y;
    y = x <= -LEAST_NORMAL ? NAN : y;
    return x != x ? x : y;
}

/* Odd, so computed for a = |x| and given the sign of x at the end.
 *   a <  0.625   a + a^3 P(a^2),  P of degree 4, error 4.5e-9:   fma(a * z, P(z), a),  z = a * a
 *   a >= 0.625   1 - 2 / (e^(2a) + 1),  which is 1 when e^(2a) is infinite */
float ls_tanhf(float x)
{
    float a = float_of(bits_of(x) & ~SIGN_MASK);
    float z = a * a;
    float p = -0x1.750ce4p-8f;
    p = fmaf(p, z, 0x1.51f8cep-6f);
    p = fmaf(p, z, -0x1.b835a4p-5f);
    p = fmaf(p, z, 0x1.1106f6p-3f);
    p = fmaf(p, z, -0x1.555532p-2f);
    float small = fmaf(a * z, p, a);
    float large = 1.0f - 2.0f / (ls_expf(a + a) + 1.0f);
    float y = a < 0.625f ? small : large;
    y = float_of(bits_of(y) | (bits_of(x) & SIGN_MASK));
    return x != x ? x : y;
}

/* Odd, as tanh; a = |x|.
 *   a <  0.875   a + a P(a^2),  P of degree 6, error 8.6e-10:    fma(a, P(z), a),  z = a * a
 *   a >= 0.875   1 - e^Q(b),  b = min(a, 4), Q of degree 6 fits log(erfc), error 1.9e-9; for b = 4
 *                e^Q(b) is below half a unit in the last place of 1 */
float ls_erff(float x)
{
    float a = float_of(bits_of(x) & ~SIGN_MASK);
    float z = a * a;
    float p = 0x1.49fd24p-14f;
    p = fmaf(p, z, -0x1.a4d098p-11f);
    p = fmaf(p, z, 0x1.54318ap-8f);
    p = fmaf(p, z, -0x1.b7ff9p-6f);
    p = fmaf(p, z, 0x1.ce2d5cp-4f);
    p = fmaf(p, z, -0x1.81274p-2f);
    p = fmaf(p, z, 0x1.06eba8p-3f);
    float small = fmaf(a, p, a);
    float b = a > 4.0f ? 4.0f : a;
    float q = 0x1.a58312p-13f;
    q = fmaf(q, b, -0x1.954f1ep-9f);
    q = fmaf(q, b, 0x1.6f54dap-6f);
    q = fmaf(q, b, -0x1.ab5334p-4f);
    q = fmaf(q, b, -0x1.46026ep-1f);
    q = fmaf(q, b, -0x1.20c06cp+0f);
    q = fmaf(q, b, -0x1.181dcp-13f);
    float large = 1.0f - ls_expf(q);
    float y = a < 0.875f ? small : large;
    y = float_of(bits_of(y) | (bits_of(x) & SIGN_MASK));
    return x != x ? x : y;
}

/* With e = e^-|x| <= 1, so that nothing overflows:   x >= 0   1 / (1 + e)      x < 0   e / (1 + e)
 *   d     = 1 + e                        rounded
 *   lost  = e - (d - 1)                  exact: 1 + e = d + lost
 *   y     = (1 or e) / d
 *   w     = y or 1 - y                   about 1 / d
 *   y     = fma(-lost * w, y, y)         which puts the lost part back, to first order  */
float ls_sigmoidf(float x)
{
    float e = ls_expf(float_of(bits_of(x) | SIGN_MASK));
    float d = 1.0f + e;
    float lost = e - (d - 1.0f);
    float y = (x < 0.0f ? e : 1.0f) / d;
    float w = x < 0.0f ? 1.0f - y : y;
    y = fmaf(-lost * w, y, y);
    return x != x ? x : y;
}

/* angle = k pi/2 + r,  k = round(angle * 2/pi),  |r| <= pi/4, in double; then in float, with x = r
 * and z = x^2:
 *   sin r = x + x^3 S(z)          S of degree 2, error 4.0e-9:    fma(x * z, S(z), x)
 *   cos r = 1 - z/2 + z^2 C(z)    C of degree 2, error 1.2e-10:   fma(z * z, C(z), fma(-1/2, z, 1))
 * k mod 4 swaps the two (odd k) and sets the signs (sin: bit 1 of k, cos: bit 1 of k + 1).  pi/2 is
 * the sum of two doubles (106 bits), so r is good to 2^-53 of pi/4 over the stated range. */
void ls_sincosf(float *sine, float *cosine, double angle)
{
    double sum = angle * 0x1.45f306dc9c883p-1 + ROUND_D;
    double k = sum - ROUND_D;
    double r = fma(k, -0x1.921fb54442d18p+0, angle);
    r = fma(k, -0x1.1a62633145c07p-54, r);
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    uint32_t quadrant = (uint32_t)bits;

    float x = (float)r;
    float z = x * x;
    float s = -0x1.9953fep-13f;
    s = fmaf(s, z, 0x1.110778p-7f);
    s = fmaf(s, z, -0x1.555546p-3f);
    s = fmaf(x * z, s, x);
    float c = 0x1.99e80cp-16f;
    c = fmaf(c, z, -0x1.6c0c28p-10f);
    c = fmaf(c, z, 0x1.55554ap-5f);
    c = fmaf(z * z, c, fmaf(-0.5f, z, 1.0f));

    float for_sine = (quadrant & 1) ? c : s;
    float for_cosine = (quadrant & 1) ? s : c;
    *sine = float_of(bits_of(for_sine) ^ ((quadrant & 2) << 30));
    *cosine = float_of(bits_of(for_cosine) ^ (((quadrant + 1) & 2) << 30));
}
