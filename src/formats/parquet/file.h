/* The footer of a Parquet file: schema, row groups, column chunks.
 *
 *     "PAR1"  column chunks ...  FileMetaData (thrift)  u32 length of it  "PAR1"
 *
 * The schema is a list in depth-first order; a node counts, as max_def, the optional and repeated
 * nodes from the root to itself, and as max_rep the repeated ones.
 * Source: apache/parquet-format, src/main/thrift/parquet.thrift. */
#ifndef LS_FORMATS_PARQUET_FILE_H
#define LS_FORMATS_PARQUET_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

typedef enum ls_parquet_type {
    LS_PARQUET_BOOLEAN,
    LS_PARQUET_INT32,
    LS_PARQUET_INT64,
    LS_PARQUET_INT96,
    LS_PARQUET_FLOAT,
    LS_PARQUET_DOUBLE,
    LS_PARQUET_BYTES,
    LS_PARQUET_FIXED,
    LS_PARQUET_GROUP /* no leaf */
} ls_parquet_type;

typedef enum ls_parquet_meaning { /* ConvertedType, those that change what a value says */
                                  LS_PARQUET_PLAIN = -1,
                                  LS_PARQUET_MAP = 1,
                                  LS_PARQUET_MAP_KEY_VALUE = 2,
                                  LS_PARQUET_LIST = 3,
                                  LS_PARQUET_DECIMAL = 5,
                                  LS_PARQUET_UINT32 = 13,
                                  LS_PARQUET_UINT64 = 14
} ls_parquet_meaning;

typedef struct ls_parquet_node {
    const char *name; /* n_name bytes of the footer, no NUL, UTF-8 */
    size_t n_name;
    ls_parquet_type type;
    int32_t width;                 /* bytes of a LS_PARQUET_FIXED value */
    bool is_optional, is_repeated; /* neither: required                 */
    int32_t meaning, scale;
    int32_t n_children, end; /* nodes [i+1, end) are below node i         */
    int32_t leaf;            /* index of the first leaf at or below       */
    uint32_t max_def, max_rep;
} ls_parquet_node;

typedef struct ls_parquet_chunk { /* one column of a row group */
    int32_t codec;
    int64_t n_values, begin, end; /* bytes of the file that hold its pages */
} ls_parquet_chunk;

typedef struct ls_parquet_footer {
    const char *name; /* of the file, for messages */
    const unsigned char *bytes;
    size_t n_bytes;
    ls_parquet_node *nodes; /* nodes[0] is the root */
    int32_t n_nodes, n_leaves;
    int64_t n_rows, n_groups;
    int64_t *group_rows;      /* (n_groups)           */
    ls_parquet_chunk *chunks; /* (n_groups, n_leaves) */
} ls_parquet_footer;

/* Bytes are borrowed and must outlive the footer. */
leash_status ls_parquet_footer_read(ls_parquet_footer *out, const unsigned char *bytes, size_t n,
                                    const char *name) LEASH_MUST_USE;
void ls_parquet_footer_release(ls_parquet_footer *footer);
/* Appends "messages.list.element.content". */
void ls_parquet_leaf_path(const ls_parquet_footer *footer, int32_t leaf, ls_str *out);

#endif
