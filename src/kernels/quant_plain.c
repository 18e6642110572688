/* Types that store each value by itself: floats of 8 to 64 bits. */
#include "kernels/quant_rows.h"

#include "kernels/quant.h"
#include "kernels/quant_inline.h"

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float ls_float_of_f16(uint16_t bits)
{
    return float_of_half(bits);
}

/* The mantissa is cut to 10 bits (fewer below 2^-14), ties to even; a carry runs into the exponent
 * and so gives the next power of two, or infinity. */
uint16_t ls_f16_of_float(float value)
{
    uint32_t bits = bits_of_float(value), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u) /* a quiet NaN with what fits of its payload */
        return (uint16_t)(sign | 0x7e00u | (rest >> 13 & 0x3ffu));
    if (rest >= 0x47800000u) /* 65536 and more */
        return (uint16_t)(sign | 0x7c00u);
    if (rest < 0x33000000u) /* below half of the smallest subnormal */
        return (uint16_t)sign;
    uint32_t exponent = rest >> 23, mantissa = rest, shift = 13;
    if (exponent < 113) { /* subnormal: the implicit one becomes a digit */
        mantissa = (rest & 0x7fffffu) | 0x800000u;
        shift = 126 - exponent;
    } else {
        mantissa = rest - (112u << 23);
    }
    uint32_t half = 1u << (shift - 1), tail = mantissa & ((1u << shift) - 1);
    uint32_t kept = mantissa >> shift;
    kept += tail > half || (tail == half && (kept & 1));
    return (uint16_t)(sign | kept);
}

float ls_float_of_bf16(uint16_t bits)
{
    return float_of_bits((uint32_t)bits << 16);
}

static uint32_t bf16_bits(uint32_t bits)
{
    uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    return (bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16 | 64u) : rounded;
}

uint16_t ls_bf16_of_float(float value)
{
    return (uint16_t)bf16_bits(bits_of_float(value));
}

void ls_f32_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    if (n > 0)
        memcpy(out, in, (size_t)n * sizeof *out);
}

void ls_f32_from_float(void *restrict out, const float *restrict in, int64_t n)
{
    if (n > 0)
        memcpy(out, in, (size_t)n * sizeof *in);
}

void ls_f16_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *bytes = in;
    for (int64_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, bytes + 2 * i, sizeof h);
        out[i] = float_of_half(h);
    }
}

void ls_f16_from_float(void *restrict out, const float *restrict in, int64_t n)
{
    unsigned char *bytes = out;
    for (int64_t i = 0; i < n; i++) {
        uint16_t h = ls_f16_of_float(in[i]);
        memcpy(bytes + 2 * i, &h, sizeof h);
    }
}

void ls_bf16_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *bytes = in;
    for (int64_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, bytes + 2 * i, sizeof h);
        out[i] = float_of_bits((uint32_t)h << 16);
    }
}

void ls_bf16_from_float(void *restrict out, const float *restrict in, int64_t n)
{
    unsigned char *bytes = out;
    for (int64_t i = 0; i < n; i++) {
        uint16_t h = (uint16_t)bf16_bits(bits_of_float(in[i]));
        memcpy(bytes + 2 * i, &h, sizeof h);
    }
}

void ls_f64_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *bytes = in;
    for (int64_t i = 0; i < n; i++) {
        double value;
        memcpy(&value, bytes + 8 * i, sizeof value);
        out[i] = (float)value;
    }
}

/* Sign, 5 bits of exponent, 2 of mantissa: the upper byte of a half. */
void ls_f8_e5m2_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *bytes = in;
    for (int64_t i = 0; i < n; i++)
        out[i] = float_of_half((uint32_t)bytes[i] << 8);
}

/* Sign, 4 bits of exponent with bias 7, 3 of mantissa; no infinities, 0x7f and 0xff are NaN. */
static float float_of_e4m3(uint32_t b)
{
    uint32_t sign = (b & 0x80u) << 24, exponent = b >> 3 & 15u, mantissa = b & 7u;
    if ((b & 0x7fu) == 0x7fu)
        return float_of_bits(sign | 0x7fc00000u);
    if (exponent > 0)
        return float_of_bits(sign | (exponent + 120u) << 23 | mantissa << 20);
    float magnitude = (float)mantissa * 0x1p-9f;
    return sign ? -magnitude : magnitude;
}

void ls_f8_e4m3_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *bytes = in;
    float values[256];
    for (uint32_t b = 0; b < 256; b++)
        values[b] = float_of_e4m3(b);
    for (int64_t i = 0; i < n; i++)
        out[i] = values[bytes[i]];
}
