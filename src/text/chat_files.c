/* Where chat templates come from: model folders, single files, the program itself. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/chat_parts.h"
#include "chat_templates_data.h"

#define EXTRA_FOLDER "additional_chat_templates"

static leash_status read_json(json_t **out, const char *path)
{
    ls_str text = LS_STR_INIT;
    json_error_t error;
    *out = NULL;
    if (!ls_file_exists(path))
        return LEASH_OK;
    leash_status status = ls_file_read(&text, path);
    if (status == LEASH_OK) {
        *out = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
        if (!*out)
            status = ls_fail(LEASH_FORMAT, "%s:%d: %s", path, error.line, error.text);
    }
    ls_str_release(&text);
    return status;
}

static leash_status add_file(ls_chat_template *t, const char *name, const char *path)
{
    ls_str text = LS_STR_INIT;
    leash_status status = ls_file_read(&text, path);
    if (status == LEASH_OK)
        status = ls_chat_template_add(t, name, text.data, text.len, path);
    ls_str_release(&text);
    return status;
}

/* "chat_template" of a JSON file: a text, or a list of {"name", "template"}. */
static leash_status add_json(ls_chat_template *t, const json_t *value, const char *path)
{
    size_t i;
    const json_t *row;
    if (!value || json_is_null(value))
        return LEASH_OK;
    if (json_is_string(value))
        return ls_chat_template_add(t, "default", json_string_value(value),
                                    json_string_length(value), path);
    json_array_foreach(value, i, row)
    {
        const json_t *name = json_object_get(row, "name"), *text = json_object_get(row, "template");
        if (!json_is_string(name) || !json_is_string(text))
            return ls_fail(LEASH_FORMAT,
                           "%s: chat_template[%zu]: expected \"name\" and "
                           "\"template\" with texts",
                           path, i);
        LS_TRY(ls_chat_template_add(t, json_string_value(name), json_string_value(text),
                                    json_string_length(text), path));
    }
    return json_is_array(value) ? LEASH_OK
                                : ls_fail(LEASH_FORMAT,
                                          "%s: chat_template: expected a text or a "
                                          "list of named ones",
                                          path);
}

/* Special tokens are texts or objects with "content". */
static void add_specials(ls_chat_template *t, json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        const json_t *text = json_is_object(value) ? json_object_get(value, "content") : value;
        size_t n = strlen(key);
        if (n > 6 && strcmp(key + n - 6, "_token") == 0 && json_is_string(text) &&
            !json_object_get(t->specials, key))
            ls_chat_template_set_special(t, key, json_string_value(text));
    }
}

static leash_status add_extra(ls_chat_template *t, const char *dir)
{
    char folder[LS_PATH_MAX], path[LS_PATH_MAX];
    char **names;
    int64_t n;
    leash_status status = LEASH_OK;
    ls_path_join(folder, dir, EXTRA_FOLDER);
    if (!ls_dir_exists(folder))
        return LEASH_OK;
    LS_TRY(ls_dir_list(&names, &n, folder));
    for (int64_t i = 0; i < n && status == LEASH_OK; i++) {
        if (!ls_ends_with(names[i], ".jinja"))
            continue;
        ls_path_join(path, folder, names[i]);
        names[i][strlen(names[i]) - strlen(".jinja")] = 0;
        status = add_file(t, names[i], path);
    }
    ls_names_free(names, n);
    return status;
}

static leash_status load_into(ls_chat_template *t, const char *dir)
{
    static const char *const files[] = {"tokenizer_config.json", "chat_template.json",
                                        "special_tokens_map.json"};
    char path[LS_PATH_MAX];
    ls_path_join(path, dir, "chat_template.jinja");
    if (ls_file_exists(path))
        LS_TRY(add_file(t, "default", path));
    bool has_file = t->n_named > 0;
    LS_TRY(add_extra(t, dir));
    for (size_t i = 0; i < LS_COUNT(files); i++) {
        json_t *json;
        ls_path_join(path, dir, files[i]);
        LS_TRY(read_json(&json, path));
        add_specials(t, json);
        leash_status status = LEASH_OK;
        if (!has_file && (i == 0 || t->n_named == 0))
            status = add_json(t, json_object_get(json, "chat_template"), path);
        json_decref(json);
        LS_TRY(status);
    }
    return LEASH_OK;
}

leash_status ls_chat_template_load(ls_chat_template **out, const char *dir)
{
    ls_chat_template *t = ls_chat_template_alloc();
    leash_status status = load_into(t, dir);
    *out = NULL;
    if (status == LEASH_OK && t->n_named)
        *out = t;
    else
        ls_chat_template_free(t);
    return status;
}

const ls_chat_builtin *ls_chat_builtins(size_t *n)
{
    *n = LS_COUNT(ls_chat_template_data);
    return ls_chat_template_data;
}

static const ls_chat_builtin *find_builtin(const char *name)
{
    for (size_t i = 0; i < LS_COUNT(ls_chat_template_data); i++)
        if (strcmp(ls_chat_template_data[i].name, name) == 0)
            return &ls_chat_template_data[i];
    return NULL;
}

static leash_status fail_builtin(const char *name)
{
    ls_str list = LS_STR_INIT;
    const char *names[LS_COUNT(ls_chat_template_data)];
    for (size_t i = 0; i < LS_COUNT(names); i++) {
        names[i] = ls_chat_template_data[i].name;
        ls_str_appendf(&list, "%s%s", i ? ", " : "", names[i]);
    }
    const char *nearest = ls_nearest_name(name, names, (int64_t)LS_COUNT(names));
    leash_status status =
        ls_fail(LEASH_USAGE,
                "'%s' is no chat template: expected a file, a model folder, or one of "
                "%s%s%s%s",
                name, list.data, nearest ? " (did you mean '" : "", nearest ? nearest : "",
                nearest ? "'?)" : "");
    ls_str_release(&list);
    return status;
}

leash_status ls_chat_template_builtin(ls_chat_template **out, const char *name)
{
    const ls_chat_builtin *b = find_builtin(name);
    return b ? ls_chat_template_parse(out, b->text, b->n, name) : fail_builtin(name);
}

leash_status ls_chat_template_open(ls_chat_template **out, const char *where)
{
    ls_str text = LS_STR_INIT;
    if (find_builtin(where))
        return ls_chat_template_builtin(out, where);
    if (ls_dir_exists(where)) {
        LS_TRY(ls_chat_template_load(out, where));
        return *out ? LEASH_OK
                    : ls_fail(LEASH_DATA,
                              "%s: the folder has no chat template (chat_template.jinja, "
                              "or \"chat_template\" in tokenizer_config.json)",
                              where);
    }
    if (!ls_file_exists(where))
        return fail_builtin(where);
    leash_status status = ls_file_read(&text, where);
    if (status == LEASH_OK)
        status = ls_chat_template_parse(out, text.data, text.len, where);
    ls_str_release(&text);
    return status;
}

leash_status ls_chat_template_save(const ls_chat_template *t, const char *dir)
{
    char path[LS_PATH_MAX], folder[LS_PATH_MAX], file[256];
    ls_path_join(folder, dir, EXTRA_FOLDER);
    for (int64_t i = 0; i < t->n_named; i++) {
        const ls_chat_named *named = &t->named[i];
        if (strcmp(named->name, "default") == 0) {
            ls_path_join(path, dir, "chat_template.jinja");
        } else {
            if (strchr(named->name, '/') || strlen(named->name) + 7 > sizeof file)
                return ls_fail(LEASH_DATA, "the chat template \"%s\" has a name that is no file's",
                               named->name);
            LS_TRY(ls_dir_make(folder));
            snprintf(file, sizeof file, "%s.jinja", named->name);
            ls_path_join(path, folder, file);
        }
        LS_TRY(ls_file_write_synced(path, named->text.data, named->text.len));
    }
    return LEASH_OK;
}
