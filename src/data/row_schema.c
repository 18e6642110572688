/* Which columns a row is read from: the settings, and the choice of a schema.
 *
 * Schemas are tried in the order of schema.def.  What fits is decided by names alone; row.c looks
 * at the values. */
#include "data/row_reading.h"

#include <assert.h>
#include <string.h>

#include "data/fill.h"

static const ls_schema schemas[] = {
#define LS_SCHEMA_ROW(name, kind, uses, needs, columns, pattern, help) \
    {name, kind, uses, needs, columns, pattern, help},
#include "data/schema.def"
#undef LS_SCHEMA_ROW
};

/* Roles that `columns` may map. */
static const char *const roles[] = {"text",   "messages", "prompt", "completion",
                                    "chosen", "rejected", "label",  "completions",
                                    "labels", "answer",   "tools",  "chat_template_kwargs"};

const ls_schema *ls_schemas(size_t *n)
{
    *n = LS_COUNT(schemas);
    return schemas;
}

/* --- rules --- */

const char *ls_row_mapped(const char *list, const char *role, size_t *n)
{
    size_t length = strlen(role);
    for (const char *p = list; *p;) {
        size_t item = strcspn(p, ",");
        if (item > length && memcmp(p, role, length) == 0 && p[length] == '=') {
            *n = item - length - 1;
            return p + length + 1;
        }
        p += item;
        p += *p == ',';
    }
    return NULL;
}

static leash_status check_role(const char *item, size_t n)
{
    const char *equals = memchr(item, '=', n);
    ls_str role = LS_STR_INIT;
    ls_str_append_n(&role, item, equals ? (size_t)(equals - item) : n);
    bool is_known = false;
    leash_status status = LEASH_OK;
    for (size_t i = 0; i < LS_COUNT(roles); i++)
        is_known |= strcmp(role.data, roles[i]) == 0;
    if (!equals || (size_t)(equals - item) + 1 == n) {
        status = ls_fail(LEASH_USAGE, "columns: expected role=column,role=column, found \"%.*s\"",
                         (int)n, item);
    } else if (!is_known) {
        const char *nearest = ls_nearest_name(role.data, roles, LS_COUNT(roles));
        status = ls_fail(LEASH_USAGE,
                         "columns: there is no role \"%s\"%s%s%s; roles are text, messages, "
                         "prompt, completion, chosen, rejected, label, completions, labels, "
                         "answer, tools, chat_template_kwargs",
                         role.data, nearest ? " (did you mean \"" : "", nearest ? nearest : "",
                         nearest ? "\"?)" : "");
    }
    ls_str_release(&role);
    return status;
}

static leash_status find_schema(const ls_schema **out, const char *name, ls_data_use use)
{
    const char *names[LS_COUNT(schemas)];
    *out = NULL;
    if (strcmp(name, "auto") == 0 || !name[0])
        return LEASH_OK;
    for (size_t i = 0; i < LS_COUNT(schemas); i++) {
        names[i] = schemas[i].name;
        if (strcmp(schemas[i].name, name) == 0)
            *out = &schemas[i];
    }
    if (!*out) {
        const char *nearest = ls_nearest_name(name, names, LS_COUNT(schemas));
        return ls_fail(LEASH_USAGE, "dataset_schema: there is no schema \"%s\"%s%s%s", name,
                       nearest ? " (did you mean \"" : "", nearest ? nearest : "",
                       nearest ? "\"?)" : "");
    }
    /* Prompts can be taken out of every row that has one. */
    bool has_prompt = strstr((*out)->needs, "prompt") != NULL;
    if (use == LS_DATA_ANY || ((*out)->uses & 1u << use) || (use == LS_DATA_PROMPTS && has_prompt))
        return LEASH_OK;
    return ls_fail(LEASH_USAGE, "dataset_schema: rows of schema \"%s\" (%s) cannot serve here",
                   name, (*out)->help);
}

leash_status ls_row_rules_init(ls_row_rules *rules, const ls_data_options *options, ls_data_use use)
{
    *rules = (ls_row_rules){.options = options, .use = use, .columns = LS_STR_INIT};
    for (const char *p = options->columns; *p;) {
        size_t n = strcspn(p, ",");
        LS_TRY(check_role(p, n));
        p += n;
        p += *p == ',';
    }
    LS_TRY(find_schema(&rules->schema, options->dataset_schema, use));
    LS_TRY(ls_fill_check(options->prompt_template, "prompt_template"));
    ls_str_append(&rules->columns, options->columns);
    return LEASH_OK;
}

void ls_row_rules_release(ls_row_rules *rules)
{
    ls_str_release(&rules->columns);
}

/* --- columns --- */

/* Name of the column that a role is read from under a schema: the user's mapping, the schema's, the
 * role itself.  It stays in the row's scratch until the next call. */
static const char *column_of(const ls_row_reading *r, const ls_schema *schema, const char *role)
{
    size_t n;
    ls_str *out = &r->out->column;
    const char *name = ls_row_mapped(r->rules->columns.data, role, &n);
    if (!name)
        name = ls_row_mapped(schema->columns, role, &n);
    ls_str_clear(out);
    ls_str_append_n(out, name ? name : role, name ? n : strlen(role));
    return out->data;
}

const json_t *ls_row_value(const ls_row_reading *r, const ls_schema *schema, const char *role)
{
    const json_t *value = ls_find_path(r->record->object, column_of(r, schema, role));
    return value && !json_is_null(value) ? value : NULL;
}

bool ls_row_has_role(const ls_row_reading *r, const ls_schema *schema, const char *role)
{
    if (strcmp(role, "prompt") == 0 && r->rules->options->prompt_template[0])
        return true;
    return ls_row_value(r, schema, role) != NULL;
}

/* Whether all that a schema needs is there. */
static bool fits(const ls_row_reading *r, const ls_schema *schema)
{
    ls_str *role = &r->out->role;
    for (const char *p = schema->needs; *p;) {
        size_t n = strcspn(p, " ");
        ls_str_clear(role);
        ls_str_append_n(role, p, n);
        if (!ls_row_has_role(r, schema, role->data))
            return false;
        p += n;
        p += *p == ' ';
    }
    return true;
}

static bool serves(const ls_row_reading *r, const ls_schema *schema)
{
    return r->rules->use == LS_DATA_ANY || (schema->uses & 1u << r->rules->use);
}

static void append_columns(ls_str *out, const json_t *object)
{
    const char *name;
    json_t *value;
    size_t n = out->len;
    json_object_foreach((json_t *)object, name, value) ls_str_appendf(
        out, "%s\"%s\"%s", out->len > n ? ", " : "", name, json_is_null(value) ? " (null)" : "");
    if (out->len == n)
        ls_str_append(out, "no columns");
}

/* {"prompt", "completion"}, by the names of the file. */
static void append_needs(const ls_row_reading *r, const ls_schema *schema, ls_str *out)
{
    ls_str *role = &r->out->role;
    ls_str_append(out, "{");
    for (const char *p = schema->needs; *p;) {
        size_t n = strcspn(p, " ");
        ls_str_clear(role);
        ls_str_append_n(role, p, n);
        ls_str_appendf(out, "%s\"%s\"", p > schema->needs ? ", " : "",
                       column_of(r, schema, role->data));
        p += n;
        p += *p == ' ';
    }
    ls_str_append(out, "}");
}

/* What a row that serves nothing here is for, when it would serve something else.  A bare prompt
 * says nothing: most often the column with the completion is missing. */
static const char *other_use(const ls_row_reading *r)
{
    static const char *const commands[] = {
        "; such rows are for leash sft", "; such rows are for leash grpo",
        "; such rows are for leash dpo", "; such rows are for leash kto", ""};
    static_assert(LS_COUNT(commands) == LS_DATA_ANY, "one entry a use");
    for (size_t i = 0; i < LS_COUNT(schemas); i++)
        for (size_t use = 0; use < LS_COUNT(commands); use++)
            if (schemas[i].kind != LS_ROW_PROMPT && (schemas[i].uses & 1u << use) &&
                fits(r, &schemas[i]))
                return commands[use];
    return "";
}

static leash_status fail_no_schema(const ls_row_reading *r, const ls_schema *named)
{
    static const char *const uses[] = {"training",      "rollouts", "preference pairs",
                                       "labelled rows", "steps",    "anything"};
    ls_str found = LS_STR_INIT, expected = LS_STR_INIT;
    append_columns(&found, r->record->object);
    for (size_t i = 0; i < LS_COUNT(schemas); i++) {
        if (named ? &schemas[i] != named : !serves(r, &schemas[i]))
            continue;
        ls_str_append(&expected, expected.len ? ", or " : "");
        append_needs(r, &schemas[i], &expected);
    }
    leash_status status =
        ls_fail(LEASH_DATA,
                "%s:%lld: no schema for %s fits: found %s; expected %s%s; other names are mapped "
                "with columns, as in prompt=question",
                r->file, (long long)r->record->number, uses[r->rules->use], found.data,
                expected.data, named ? "" : other_use(r));
    ls_str_release(&found);
    ls_str_release(&expected);
    return status;
}

/* Two schemas that would train on different things. */
static leash_status check_ambiguity(const ls_row_reading *r)
{
    static const char *const rivals[] = {"text", "messages", "completion"};
    const char *first = NULL;
    if (r->rules->use != LS_DATA_SEQUENCES)
        return LEASH_OK;
    for (size_t i = 0; i < LS_COUNT(rivals); i++) {
        if (!ls_row_has_role(r, r->schema, rivals[i]))
            continue;
        if (first)
            return ls_fail(LEASH_DATA,
                           "%s:%lld: the row has both \"%s\" and \"%s\"; say which is meant with "
                           "dataset_schema: text, messages or prompt_completion",
                           r->file, (long long)r->record->number, first, rivals[i]);
        first = rivals[i];
    }
    return LEASH_OK;
}

leash_status ls_row_choose_schema(ls_row_reading *r)
{
    r->schema = r->rules->schema;
    if (r->schema)
        return fits(r, r->schema) ? LEASH_OK : fail_no_schema(r, r->schema);
    for (size_t i = 0; i < LS_COUNT(schemas) && !r->schema; i++)
        if (serves(r, &schemas[i]) && fits(r, &schemas[i]))
            r->schema = &schemas[i];
    return r->schema ? check_ambiguity(r) : fail_no_schema(r, NULL);
}
