/* Thrift's compact protocol, as much of it as Parquet's headers need.
 *
 * A cursor walks over bytes and never leaves them: a read past the end, a number that is too long
 * and nesting deeper than 32 set `is_bad`, after which every read gives zero.  So a caller reads a
 * whole struct and looks at is_bad once.
 *
 *     for (ls_thrift_field f = ls_thrift_begin(t); ls_thrift_next(t, &f);)
 *         switch (f.id) {
 *         case 3: rows = ls_thrift_int(t, &f); break;
 *         default: ls_thrift_skip(t, &f);
 *         }
 *
 * Source: apache/thrift, doc/specs/thrift-compact-protocol.md. */
#ifndef LS_FORMATS_PARQUET_THRIFT_H
#define LS_FORMATS_PARQUET_THRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LS_THRIFT_TRUE = 1,
    LS_THRIFT_FALSE = 2,
    LS_THRIFT_BYTE = 3,
    LS_THRIFT_I16 = 4,
    LS_THRIFT_I32 = 5,
    LS_THRIFT_I64 = 6,
    LS_THRIFT_DOUBLE = 7,
    LS_THRIFT_BINARY = 8,
    LS_THRIFT_LIST = 9,
    LS_THRIFT_SET = 10,
    LS_THRIFT_MAP = 11,
    LS_THRIFT_STRUCT = 12
};

typedef struct ls_thrift {
    const unsigned char *at, *end;
    int depth;
    bool is_bad;
} ls_thrift;

typedef struct ls_thrift_field {
    int type;
    int32_t id;
} ls_thrift_field;

/* Base-128, least bits first; for run lengths of pages as well.  False past the end and for more
 * than 64 bits. */
bool ls_read_varint(const unsigned char **at, const unsigned char *end, uint64_t *out);
int64_t ls_unzigzag(uint64_t value);

/* Enters a struct.  _next takes the header of its next field, and false leaves the struct. */
ls_thrift_field ls_thrift_begin(ls_thrift *t);
bool ls_thrift_next(ls_thrift *t, ls_thrift_field *field);
/* Values of a field of the type that the name says; another type makes the cursor bad. */
int64_t ls_thrift_int(ls_thrift *t, const ls_thrift_field *field);
bool ls_thrift_bool(ls_thrift *t, const ls_thrift_field *field);
/* Borrowed bytes. */
const unsigned char *ls_thrift_binary(ls_thrift *t, const ls_thrift_field *field, size_t *n);
/* Number of elements of a list of `type`; each takes a byte at the least, so it is never more than
 * the bytes that are left. */
int64_t ls_thrift_list(ls_thrift *t, const ls_thrift_field *field, int type);
void ls_thrift_skip(ls_thrift *t, const ls_thrift_field *field);
/* Enters the struct of a field (or of a list's element: a field of type LS_THRIFT_STRUCT). */
ls_thrift_field ls_thrift_enter(ls_thrift *t, const ls_thrift_field *field);
/* An element of a list, as a field. */
static inline ls_thrift_field ls_thrift_element(int type)
{
    return (ls_thrift_field){.type = type};
}

#endif
