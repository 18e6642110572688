/* Flat YAML (or JSON) mappings out of libyaml's event stream.
 *
 * The events are read one by one and never expanded, so aliases cost nothing and are refused; a
 * file of more than 1 MiB is not read to its end.  All lines are checked for form before the
 * first value is stored. */
#include "config/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>
#include "base/file.h"
#include "base/mem.h"

#define MOST_BYTES ((size_t)1 << 20)

typedef struct place {
    size_t line, column; /* from 1 */
} place;

/* One "key: value" of the file. */
typedef struct line {
    ls_entry *entry; /* NULL: recipe */
    ls_str value;
    place key, at; /* at: of the value */
} line;

typedef struct reader {
    yaml_parser_t parser;
    const ls_config *config;
    const char *name;
    ls_origin origin;
    line *lines; /* at most one an entry, and recipe */
    size_t n_lines;
} reader;

static place place_of(yaml_mark_t mark)
{
    return (place){mark.line + 1, mark.column + 1};
}

/* "run.yaml:3:7: <text>", or with a key "run.yaml:3:7: beta: <text>". */
LS_PRINTF(4, 5)
static leash_status fail_at(const reader *r, place at, const char *key, const char *format, ...)
{
    ls_str text = LS_STR_INIT;
    va_list args;
    va_start(args, format);
    ls_str_appendv(&text, format, args);
    va_end(args);
    leash_status status = ls_fail(LEASH_USAGE, "%s:%zu:%zu: %s%s%s", r->name, at.line, at.column,
                                  key, key[0] ? ": " : "", text.data);
    ls_str_release(&text);
    return status;
}

/* libyaml has no line for bytes that it cannot decode, only their offset. */
static leash_status fail_bytes(const reader *r, const char *text, size_t n)
{
    place at = {1, 1};
    size_t end = r->parser.problem_offset < n ? r->parser.problem_offset : n;
    for (size_t i = 0; i < end; i++) {
        at.column++;
        if (text[i] == '\n')
            at = (place){at.line + 1, 1};
    }
    return fail_at(r, at, "", "expected text in UTF-8, found %s", r->parser.problem);
}

static leash_status next_event(reader *r, yaml_event_t *event, const char *text, size_t n)
{
    if (yaml_parser_parse(&r->parser, event))
        return LEASH_OK;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return ls_fail(LEASH_MEMORY, "%s: out of memory", r->name);
    if (r->parser.error == YAML_READER_ERROR)
        return fail_bytes(r, text, n);
    return fail_at(r, place_of(r->parser.problem_mark), "", "malformed YAML: %s",
                   r->parser.problem ? r->parser.problem : "unreadable");
}

/* Anchors and tags change what a value means; a setting is only text. */
static leash_status check_plain(const reader *r, const yaml_event_t *event, const char *key)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    place at = place_of(event->start_mark);
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return fail_at(r, at, key, "aliases are not allowed (*%s): write the value",
                       (const char *)event->data.alias.anchor);
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    default: break;
    }
    if (anchor)
        return fail_at(r, at, key, "anchors are not allowed (&%s): write the value",
                       (const char *)anchor);
    if (tag)
        return fail_at(r, at, key, "tags are not allowed (%s): write the value alone",
                       (const char *)tag);
    return LEASH_OK;
}

/* Appends a scalar's text. */
static leash_status read_scalar(const reader *r, const yaml_event_t *event, const char *key,
                                ls_str *out)
{
    LS_TRY(check_plain(r, event, key));
    const char *text = (const char *)event->data.scalar.value;
    if (strlen(text) != event->data.scalar.length)
        return fail_at(r, place_of(event->start_mark), key, "a value may not hold a NUL byte");
    ls_str_append(out, text);
    return LEASH_OK;
}

/* An unquoted null is an empty text; numbers and switches have no such value. */
static bool is_null(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0);
}

static bool holds_text(const ls_entry *entry)
{
    return !entry || entry->row->type == LS_OPT_STRING || entry->row->type == LS_OPT_PATH ||
           entry->row->type == LS_OPT_CHOICE;
}

/* The elements of a list of scalars, joined with commas. */
static leash_status read_list(reader *r, const char *key, ls_str *out, const char *text, size_t n)
{
    for (int64_t i = 0;; i++) {
        yaml_event_t event;
        LS_TRY(next_event(r, &event, text, n));
        place at = place_of(event.start_mark);
        yaml_event_type_t type = event.type;
        size_t old_len = out->len + (i > 0);
        leash_status status = LEASH_OK;
        if (type == YAML_SCALAR_EVENT) {
            if (i > 0)
                ls_str_append_char(out, ',');
            status = read_scalar(r, &event, key, out);
        } else if (type != YAML_SEQUENCE_END_EVENT) {
            status = check_plain(r, &event, key);
            if (status == LEASH_OK)
                status = fail_at(r, at, key, "nested lists and maps are not allowed");
        }
        yaml_event_delete(&event);
        if (status != LEASH_OK || type == YAML_SEQUENCE_END_EVENT)
            return status;
        if (strchr(out->data + old_len, ','))
            return fail_at(r, at, key, "an element of a list may not hold a comma");
    }
}

static const char *line_key(const line *l)
{
    return l->entry ? l->entry->row->key : "recipe";
}

static leash_status read_value(reader *r, line *l, const char *text, size_t n)
{
    yaml_event_t event;
    LS_TRY(next_event(r, &event, text, n));
    l->at = place_of(event.start_mark);
    const char *key = line_key(l);
    leash_status status = check_plain(r, &event, key);
    yaml_event_type_t type = event.type;
    if (status == LEASH_OK && type == YAML_SCALAR_EVENT) {
        if (!(is_null(&event) && holds_text(l->entry)))
            status = read_scalar(r, &event, key, &l->value);
    } else if (status == LEASH_OK && type != YAML_SEQUENCE_START_EVENT) {
        status = fail_at(r, l->at, key, "expected one value, found a map: keys are flat");
    }
    yaml_event_delete(&event);
    if (status == LEASH_OK && type == YAML_SEQUENCE_START_EVENT)
        status = read_list(r, key, &l->value, text, n);
    return status;
}

/* Finds what a key stands for and opens its line. */
static leash_status open_line(reader *r, const char *key, place at)
{
    ls_str where = LS_STR_INIT;
    ls_entry *entry = ls_config_find(r->config, key);
    leash_status status = LEASH_OK;
    if (!entry && strcmp(key, "recipe") != 0) {
        ls_str_appendf(&where, "%s:%zu:%zu", r->name, at.line, at.column);
        status = ls_config_fail_key(r->config, where.data, key);
    }
    for (size_t i = 0; i < r->n_lines && status == LEASH_OK; i++)
        if (r->lines[i].entry == entry)
            status = fail_at(r, at, "", "duplicate key '%s', first given in line %zu", key,
                             r->lines[i].key.line);
    if (status == LEASH_OK && !entry && r->origin == LS_FROM_RECIPE)
        status = fail_at(r, at, "", "a recipe may not build on another recipe");
    if (status == LEASH_OK)
        r->lines[r->n_lines++] = (line){.entry = entry, .value = LS_STR_INIT, .key = at};
    ls_str_release(&where);
    return status;
}

/* Reads up to the end of the map. */
static leash_status read_map(reader *r, const char *text, size_t n)
{
    for (;;) {
        yaml_event_t event;
        LS_TRY(next_event(r, &event, text, n));
        yaml_event_type_t type = event.type;
        place at = place_of(event.start_mark);
        ls_str key = LS_STR_INIT;
        leash_status status = LEASH_OK;
        if (type == YAML_SCALAR_EVENT) {
            status = read_scalar(r, &event, "", &key);
            if (status == LEASH_OK)
                status = open_line(r, key.data, at);
        } else if (type != YAML_MAPPING_END_EVENT) {
            status = fail_at(r, at, "", "expected a key, found a list, a map or an alias");
        }
        yaml_event_delete(&event);
        ls_str_release(&key);
        if (status != LEASH_OK || type == YAML_MAPPING_END_EVENT)
            return status;
        LS_TRY(read_value(r, &r->lines[r->n_lines - 1], text, n));
    }
}

/* The events around the map.  An empty file is an empty map. */
static leash_status read_stream(reader *r, const char *text, size_t n)
{
    bool has_map = false;
    for (;;) {
        yaml_event_t event;
        LS_TRY(next_event(r, &event, text, n));
        yaml_event_type_t type = event.type;
        place at = place_of(event.start_mark);
        leash_status status = check_plain(r, &event, "");
        yaml_event_delete(&event);
        LS_TRY(status);
        switch (type) {
        case YAML_STREAM_END_EVENT: return LEASH_OK;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT: break;
        case YAML_DOCUMENT_START_EVENT:
            if (has_map)
                return fail_at(r, at, "", "expected one document, found a second");
            break;
        case YAML_MAPPING_START_EVENT:
            has_map = true;
            LS_TRY(read_map(r, text, n));
            break;
        default: return fail_at(r, at, "", "expected lines of key: value");
        }
    }
}

static leash_status use_recipe(const reader *r, ls_config *config)
{
    for (size_t i = 0; i < r->n_lines; i++) {
        const line *l = &r->lines[i];
        if (l->entry)
            continue;
        ls_str where = LS_STR_INIT;
        ls_str_appendf(&where, "%s:%zu:%zu: recipe", r->name, l->at.line, l->at.column);
        leash_status status = ls_config_use_recipe(config, l->value.data, r->origin, where.data);
        ls_str_release(&where);
        return status;
    }
    return LEASH_OK;
}

static leash_status assign_line(const reader *r, ls_config *config, const line *l)
{
    ls_str where = LS_STR_INIT, source = LS_STR_INIT;
    ls_str_appendf(&where, "%s:%zu:%zu: %s", r->name, l->at.line, l->at.column, line_key(l));
    ls_str_append(&source, r->name);
    if (r->origin != LS_FROM_RECIPE)
        ls_str_appendf(&source, ":%zu", l->key.line);
    ls_provenance from = {r->origin, where.data, source.data};
    leash_status status = ls_config_assign(config, l->entry, l->value.data, &from);
    ls_str_release(&where);
    ls_str_release(&source);
    return status;
}

static leash_status assign_lines(const reader *r, ls_config *config)
{
    LS_TRY(use_recipe(r, config));
    for (size_t i = 0; i < r->n_lines; i++)
        if (r->lines[i].entry)
            LS_TRY(assign_line(r, config, &r->lines[i]));
    return LEASH_OK;
}

leash_status ls_config_load_text(ls_config *config, const char *text, size_t n, const char *name,
                                 ls_origin origin)
{
    if (n > MOST_BYTES)
        return ls_fail(LEASH_USAGE, "%s: expected a configuration of at most 1 MiB, found more",
                       name);
    reader r = {.config = config, .name = name, .origin = origin};
    if (!yaml_parser_initialize(&r.parser))
        return ls_fail(LEASH_MEMORY, "%s: out of memory", name);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    r.lines = ls_calloc(config->n_entries + 1, sizeof *r.lines);
    leash_status status = read_stream(&r, text, n);
    if (status == LEASH_OK)
        status = assign_lines(&r, config);
    for (size_t i = 0; i < r.n_lines; i++)
        ls_str_release(&r.lines[i].value);
    ls_free(r.lines);
    yaml_parser_delete(&r.parser);
    return status;
}

/* Never more than one byte past the limit, whatever the file is. */
static leash_status read_limited(ls_str *out, const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return ls_fail_path("read", path, errno);
    char buffer[4096];
    size_t n;
    while (out->len <= MOST_BYTES && (n = fread(buffer, 1, sizeof buffer, file)) > 0)
        ls_str_append_n(out, buffer, n);
    int error = ferror(file) ? errno : 0;
    fclose(file);
    return error ? ls_fail_path("read", path, error) : LEASH_OK;
}

leash_status ls_config_load_file(ls_config *config, const char *path)
{
    ls_str text = LS_STR_INIT;
    leash_status status = read_limited(&text, path);
    if (status == LEASH_OK)
        status = ls_config_load_text(config, text.data, text.len, path, LS_FROM_FILE);
    ls_str_release(&text);
    return status;
}
