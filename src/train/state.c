/* state.json: one key a row of state.def, nothing else. */
#include "train/state.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define STATE_FORMAT 1
#define HASH_DIGITS 16

typedef enum { INT, REAL, HASH } field_kind;

typedef struct {
    const char *name;
    size_t offset;
    field_kind kind;
} field_row;

static const field_row fields[] = {
#define LS_STATE(kind, name) {#name, offsetof(ls_train_state, name), kind},
#include "train/state.def"
#undef LS_STATE
};

#define LS_STATE(kind, name) +sizeof(((ls_train_state *)0)->name)
static_assert(sizeof(ls_train_state) == 0
#include "train/state.def"
              ,
              "every field of ls_train_state needs a row in state.def");
#undef LS_STATE

void ls_train_state_json(const ls_train_state *state, ls_str *out)
{
    char number[32];
    ls_str_appendf(out, "{\n  \"format\": %d", STATE_FORMAT);
    for (size_t i = 0; i < LS_COUNT(fields); i++) {
        const void *field = (const char *)state + fields[i].offset;
        ls_str_appendf(out, ",\n  \"%s\": ", fields[i].name);
        switch (fields[i].kind) {
        case INT: ls_str_appendf(out, "%lld", (long long)*(const int64_t *)field); break;
        case REAL:
            LS_ASSERT(isfinite(*(const double *)field));
            ls_str_append(out, ls_format_double(number, *(const double *)field));
            break;
        case HASH:
            ls_str_appendf(out, "\"%016llx\"", (unsigned long long)*(const uint64_t *)field);
            break;
        }
    }
    ls_str_append(out, "\n}\n");
}

static bool read_hash(uint64_t *out, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || strlen(text) != HASH_DIGITS || strspn(text, "0123456789abcdef") != HASH_DIGITS)
        return false;
    *out = strtoull(text, NULL, 16);
    return true;
}

static leash_status read_field(ls_train_state *out, const field_row *row, const json_t *object,
                               const char *name)
{
    static const char *const wanted[] = {"a whole number", "a number", "a hash of 16 hex digits"};
    void *field = (char *)out + row->offset;
    const json_t *value = json_object_get(object, row->name);
    bool is_read = false;
    if (!value)
        return ls_fail(LEASH_FORMAT, "%s: '%s' is missing", name, row->name);
    switch (row->kind) {
    case INT:
        is_read = json_is_integer(value);
        *(int64_t *)field = json_integer_value(value);
        break;
    case REAL:
        is_read = json_is_number(value);
        *(double *)field = json_number_value(value);
        break;
    case HASH: is_read = read_hash(field, value); break;
    }
    if (!is_read)
        return ls_fail(LEASH_FORMAT, "%s: '%s' is not %s", name, row->name, wanted[row->kind]);
    return LEASH_OK;
}

static leash_status read_state(ls_train_state *out, json_t *object, const char *name)
{
    if (!json_is_object(object))
        return ls_fail(LEASH_FORMAT, "%s: no JSON object", name);
    const json_t *format = json_object_get(object, "format");
    if (!json_is_integer(format) || json_integer_value(format) != STATE_FORMAT)
        return ls_fail(LEASH_FORMAT, "%s: 'format' is not %d; another version of leash wrote it",
                       name, STATE_FORMAT);
    ls_train_state state = {0};
    for (size_t i = 0; i < LS_COUNT(fields); i++)
        LS_TRY(read_field(&state, &fields[i], object, name));
    if (json_object_size(object) != LS_COUNT(fields) + 1)
        return ls_fail(LEASH_FORMAT,
                       "%s: %zu keys, expected %zu; another version of leash wrote it", name,
                       json_object_size(object), LS_COUNT(fields) + 1);
    *out = state;
    return LEASH_OK;
}

leash_status ls_train_state_parse(ls_train_state *out, const char *text, size_t n, const char *name)
{
    json_error_t error;
    json_t *object = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        return ls_fail(LEASH_FORMAT, "%s:%d: no valid JSON: %s", name, error.line, error.text);
    leash_status status = read_state(out, object, name);
    json_decref(object);
    return status;
}
