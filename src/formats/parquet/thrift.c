/* The cursor over Thrift's compact protocol. */
#include "formats/parquet/thrift.h"

#define MOST_DEPTH 32

bool ls_read_varint(const unsigned char **at, const unsigned char *end, uint64_t *out)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (*at == end)
            return false;
        unsigned char byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

int64_t ls_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static uint64_t varint(ls_thrift *t)
{
    uint64_t value = 0;
    if (t->is_bad || !ls_read_varint(&t->at, t->end, &value)) {
        t->is_bad = true;
        return 0;
    }
    return value;
}

static unsigned char byte(ls_thrift *t)
{
    if (t->is_bad || t->at == t->end) {
        t->is_bad = true;
        return 0;
    }
    return *t->at++;
}

static void advance(ls_thrift *t, uint64_t n)
{
    if (n > (uint64_t)(t->end - t->at))
        t->is_bad = true;
    else
        t->at += n;
}

ls_thrift_field ls_thrift_begin(ls_thrift *t)
{
    if (++t->depth > MOST_DEPTH)
        t->is_bad = true;
    return (ls_thrift_field){0};
}

bool ls_thrift_next(ls_thrift *t, ls_thrift_field *field)
{
    unsigned char header = byte(t);
    if (t->is_bad || header == 0) {
        t->depth--;
        return false;
    }
    field->type = header & 15;
    int64_t id = header >> 4 ? (int64_t)field->id + (header >> 4) : ls_unzigzag(varint(t));
    if (id < INT16_MIN || id > INT16_MAX || field->type > LS_THRIFT_STRUCT)
        t->is_bad = true;
    field->id = t->is_bad ? 0 : (int32_t)id;
    return true; /* what is bad shows at the next read */
}

int64_t ls_thrift_int(ls_thrift *t, const ls_thrift_field *field)
{
    if (field->type < LS_THRIFT_I16 || field->type > LS_THRIFT_I64)
        t->is_bad = true;
    return ls_unzigzag(varint(t));
}

bool ls_thrift_bool(ls_thrift *t, const ls_thrift_field *field)
{
    if (field->type != LS_THRIFT_TRUE && field->type != LS_THRIFT_FALSE)
        t->is_bad = true;
    return field->type == LS_THRIFT_TRUE;
}

const unsigned char *ls_thrift_binary(ls_thrift *t, const ls_thrift_field *field, size_t *n)
{
    if (field->type != LS_THRIFT_BINARY)
        t->is_bad = true;
    uint64_t length = varint(t);
    const unsigned char *start = t->at;
    advance(t, length);
    *n = t->is_bad ? 0 : (size_t)length;
    return start;
}

/* Header of a list: how many elements of which type. */
static int64_t list_header(ls_thrift *t, int *type)
{
    unsigned char header = byte(t);
    uint64_t n = header >> 4 == 15 ? varint(t) : header >> 4;
    *type = header & 15;
    if (n > (uint64_t)(t->end - t->at))
        t->is_bad = true;
    return t->is_bad ? 0 : (int64_t)n;
}

int64_t ls_thrift_list(ls_thrift *t, const ls_thrift_field *field, int type)
{
    int found;
    if (field->type != LS_THRIFT_LIST)
        t->is_bad = true;
    int64_t n = list_header(t, &found);
    if (n > 0 && found != type)
        t->is_bad = true;
    return t->is_bad ? 0 : n;
}

ls_thrift_field ls_thrift_enter(ls_thrift *t, const ls_thrift_field *field)
{
    if (field->type != LS_THRIFT_STRUCT)
        t->is_bad = true;
    return ls_thrift_begin(t);
}

static void skip_value(ls_thrift *t, int type);

/* In lists and maps a truth value takes a byte, in a struct it stands in the header. */
static void skip_element(ls_thrift *t, int type)
{
    if (type == LS_THRIFT_TRUE || type == LS_THRIFT_FALSE)
        advance(t, 1);
    else
        skip_value(t, type);
}

static void skip_list(ls_thrift *t)
{
    int type;
    int64_t n = list_header(t, &type);
    for (int64_t i = 0; i < n && !t->is_bad; i++)
        skip_element(t, type);
}

static void skip_map(ls_thrift *t)
{
    uint64_t n = varint(t);
    if (n == 0)
        return;
    unsigned char types = byte(t);
    if (n > (uint64_t)(t->end - t->at))
        t->is_bad = true;
    for (uint64_t i = 0; i < n && !t->is_bad; i++) {
        skip_element(t, types >> 4);
        skip_element(t, types & 15);
    }
}

static void skip_struct(ls_thrift *t)
{
    for (ls_thrift_field f = ls_thrift_begin(t); ls_thrift_next(t, &f);)
        skip_value(t, f.type);
}

static void skip_value(ls_thrift *t, int type)
{
    if (++t->depth > MOST_DEPTH)
        t->is_bad = true;
    if (!t->is_bad) {
        switch (type) {
        case LS_THRIFT_TRUE:
        case LS_THRIFT_FALSE: break;
        case LS_THRIFT_BYTE: advance(t, 1); break;
        case LS_THRIFT_I16:
        case LS_THRIFT_I32:
        case LS_THRIFT_I64: (void)varint(t); break;
        case LS_THRIFT_DOUBLE: advance(t, 8); break;
        case LS_THRIFT_BINARY: advance(t, varint(t)); break;
        case LS_THRIFT_LIST:
        case LS_THRIFT_SET: skip_list(t); break;
        case LS_THRIFT_MAP: skip_map(t); break;
        case LS_THRIFT_STRUCT: skip_struct(t); break;
        default: t->is_bad = true;
        }
    }
    t->depth--;
}

void ls_thrift_skip(ls_thrift *t, const ls_thrift_field *field)
{
    skip_value(t, field->type);
}
