/* safetensors: strict reader over a memory map, writer in the reference's order.
 *
 * The reader refuses, naming file and tensor: short files, headers over 100,000,000 bytes,
 * malformed or duplicate keys, unknown dtypes, shapes whose product overflows or does not match the
 * bytes, holes, overlaps, trailing bytes, numbers that are not plain non-negative integers, more
 * than 1,000,000 tensors, names over 4096 bytes, more than 8 dimensions. */
#ifndef LS_FORMATS_SAFETENSORS_H
#define LS_FORMATS_SAFETENSORS_H

#include <stdbool.h>
#include "base/err.h"
#include "base/file.h"
#include "kernels/quant.h"

typedef struct ls_st_tensor {
    const char *name;
    char dtype[16];
    int64_t shape[8];
    int32_t rank;
    int64_t n; /* elements */
    const unsigned char *data;
    size_t n_bytes;
} ls_st_tensor;

typedef struct ls_st_file {
    ls_map map;
    ls_st_tensor *tensors; /* sorted by name */
    int64_t n_tensors;
    char *names; /* backing of the names */
} ls_st_file;

leash_status ls_st_open(ls_st_file *file, const char *path) LEASH_MUST_USE;
/* The same over bytes in memory, which stay the caller's; `name` stands for the path in errors. */
leash_status ls_st_parse(ls_st_file *file, const unsigned char *bytes, size_t size,
                         const char *name) LEASH_MUST_USE;
void ls_st_close(ls_st_file *file);
const ls_st_tensor *ls_st_find(const ls_st_file *file, const char *name); /* NULL: none */
/* The stored type of a tensor of F32, F16, BF16, F64, F8_E4M3 or F8_E5M2.  Errors: LEASH_FORMAT for
 * other dtypes. */
leash_status ls_st_float_type(const ls_quant_type **out, const ls_st_tensor *tensor,
                              const char *path) LEASH_MUST_USE;
/* Its values. */
leash_status ls_st_to_float(float *out, const ls_st_tensor *tensor,
                            const char *path) LEASH_MUST_USE;

typedef struct ls_st_source {
    const char *name;
    const float *data; /* written as F32 */
    int64_t shape[2];
    int32_t rank;
} ls_st_source;
/* Writes and fsyncs `path` with metadata {"format": "pt"}. */
leash_status ls_st_write(const char *path, const ls_st_source *sources, int64_t n) LEASH_MUST_USE;
/* The same with values rounded to a type: F32, F16 or BF16. */
leash_status ls_st_write_as(const char *path, const ls_quant_type *type,
                            const ls_st_source *sources, int64_t n) LEASH_MUST_USE;

#endif
