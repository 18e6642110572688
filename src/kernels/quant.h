/* Number types as files store them: one table of how many elements and bytes a block has, and how a
 * run of elements becomes floats and back.
 *
 * The table holds the plain types of safetensors and GGUF and the block types of GGUF.  A row of a
 * matrix is a whole number of blocks, and rows lie one after the other, so any range of rows is
 * converted by one call:
 *
 *     const ls_quant_type *type = ls_quant_find("Q4_K");
 *     type->to_float(tile, bytes + first_row * ls_quant_bytes(type, cols), n_rows * cols);
 *
 * Values are bit for bit those of the `gguf` package and of ggml: the products are formed in float,
 * left to right, without fused multiply-adds; where a scale is NaN the result is a NaN.  Converting
 * is a function of the block alone, so threads may split a matrix anywhere between blocks.  The
 * bytes may stand at any address.
 * Source: ggml-org/ggml, src/ggml-quants.c and ggml-common.h; gguf-py, gguf/quants.py. */
#ifndef LS_KERNELS_QUANT_H
#define LS_KERNELS_QUANT_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define LS_QUANT_MOST_BLOCK 256 /* elements of the largest block */

typedef struct ls_quant_type {
    const char *name; /* "F32", "Q4_K", "F8_E4M3" */
    int32_t ggml_id;  /* number in a GGUF file; -1: GGUF has no such type */
    int32_t block_n, block_bytes;
    /* n is a multiple of block_n. */
    void (*to_float)(float *out, const void *in, int64_t n);
    /* The quantisation of the reference; NULL: this type is read only.  Values that are not finite
     * are stored as they are by the plain types and make a block of zeros in the others. */
    void (*from_float)(void *out, const float *in, int64_t n);
} ls_quant_type;

/* All types; *n their number. */
const ls_quant_type *ls_quant_types(size_t *n);
/* By name or by GGUF number; NULL: no such type here. */
const ls_quant_type *ls_quant_find(const char *name);
const ls_quant_type *ls_quant_find_ggml(int64_t id);
/* Bytes of n elements, n a multiple of block_n. */
size_t ls_quant_bytes(const ls_quant_type *type, int64_t n);

/* Single values. */
float ls_float_of_f16(uint16_t bits);
uint16_t ls_f16_of_float(float value); /* nearest, ties to even */
float ls_float_of_bf16(uint16_t bits);
uint16_t ls_bf16_of_float(float value); /* nearest, ties to even; a NaN stays one */

#endif
