/* Matrices as operands, whatever they are kept as.
 *
 *     data and packed   row-major floats and the layout of the device's gemm: trained weights
 *     packed alone      frozen, one copy in float: products read it in place; rows for dX are
 *                       unpacked block by block
 *     raw alone         frozen, the bytes of the file (BF16, Q4_K, ...): every use makes floats of
 *                       a block of rows and multiplies with those
 *
 * Blocks are rows of W: outputs in the forward, steps of the chain in dX, which goes on from block
 * to block.  So the three give the same bits for the same values, and the block length is not seen
 * in them.  It depends on the width of the matrix alone.  Blocks live in the pass arena. */
#ifndef LS_OPS_WEIGHT_H
#define LS_OPS_WEIGHT_H

#include "ops/tape.h"

/* y (N,out) = x (N,in) W^T, or y += with `accumulate`. */
void ls_weight_multiply(ls_tape *tape, float *y, const float *x, int64_t N, const ls_weight *w,
                        bool accumulate);
/* dx (N,in) = dy (N,out) W, or dx += with `accumulate`. */
void ls_weight_multiply_back(ls_tape *tape, float *dx, const float *dy, int64_t N,
                             const ls_weight *w, bool accumulate);
/* The part of dx that rows first .. end-1 of W give. */
void ls_weight_multiply_back_rows(ls_tape *tape, float *dx, const float *dy, int64_t N,
                                  const ls_weight *w, int64_t first, int64_t end, bool accumulate);
/* dw (out,in) += dy^T x, one chain over the rows. */
void ls_weight_add_grad(ls_tape *tape, float *dw, const float *dy, const float *x, int64_t N,
                        const ls_weight *w);
/* out (end - begin, cols) = rows begin to end of W. */
void ls_weight_rows(ls_device *dev, float *out, const ls_weight *w, int64_t begin, int64_t end);
/* out (rows, cols) = the floats of stored rows. */
void ls_rows_to_float(ls_device *dev, float *out, const ls_quant_type *type, const void *bytes,
                      int64_t rows, int64_t cols);
/* y (N,cols) = W[ids] * scale */
void ls_weight_lookup(ls_device *dev, float *y, const ls_weight *w, const int32_t *ids, int64_t N,
                      float scale);

#endif
