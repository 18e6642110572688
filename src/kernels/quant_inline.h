/* Reading what blocks are made of: halves, bytes at any address.  For quant*.c alone. */
#ifndef LS_KERNELS_QUANT_INLINE_H
#define LS_KERNELS_QUANT_INLINE_H

#include <stdint.h>
#include <string.h>
#include "base/compiler.h"

LS_ALWAYS_INLINE float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE binary16, all 65536 patterns exact.  Without branches, so that loops become vector code: the
 * digits of the half, read as a float, are the value * 2^-112 (exact also for subnormal ones, which
 * are subnormal floats then); infinities and NaN get the largest exponent on top. */
LS_ALWAYS_INLINE float float_of_half(uint32_t h)
{
    uint32_t sign = (h & 0x8000u) << 16;
    int32_t digits = (int32_t)(h & 0x7fffu) << 13;
    float scaled = float_of_bits((uint32_t)digits) * 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &scaled, sizeof bits);
    uint32_t on_top = digits >= 0x0f800000 ? 0x7f800000u : 0u;
    return float_of_bits(sign | bits | on_top);
}

/* The half at an address of any alignment. */
LS_ALWAYS_INLINE float half_at(const unsigned char *at)
{
    return float_of_half((uint32_t)at[0] | (uint32_t)at[1] << 8);
}

#endif
