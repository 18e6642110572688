/* Sets of named templates and their special strings. */
#include "text/chat_template.h"

#include <string.h>

#include "base/mem.h"
#include "text/chat_parts.h"

ls_chat_template *ls_chat_template_alloc(void)
{
    ls_chat_template *t = ls_calloc(1, sizeof *t);
    t->specials = json_object();
    return t;
}

leash_status ls_chat_template_add(ls_chat_template *t, const char *name, const char *text, size_t n,
                                  const char *path)
{
    ls_jinja *jinja;
    for (int64_t i = 0; i < t->n_named; i++)
        if (strcmp(t->named[i].name, name) == 0)
            return LEASH_OK;
    LS_TRY(ls_jinja_parse(&jinja, text, n, path));
    t->named = ls_realloc(t->named, ls_mul_size((size_t)t->n_named + 1, sizeof *t->named));
    ls_chat_named *added = &t->named[t->n_named++];
    *added = (ls_chat_named){ls_strdup(name), ls_strdup(path), LS_STR_INIT, jinja};
    ls_str_append_n(&added->text, text, n);
    if (strcmp(name, "default") == 0) {
        ls_chat_named first = t->named[0];
        t->named[0] = *added;
        *added = first;
    }
    return LEASH_OK;
}

leash_status ls_chat_template_parse(ls_chat_template **out, const char *text, size_t n,
                                    const char *name)
{
    ls_chat_template *t = ls_chat_template_alloc();
    leash_status status = ls_chat_template_add(t, "default", text, n, name);
    if (status == LEASH_OK)
        *out = t;
    else
        ls_chat_template_free(t);
    return status;
}

void ls_chat_template_free(ls_chat_template *t)
{
    if (!t)
        return;
    for (int64_t i = 0; i < t->n_named; i++) {
        ls_free(t->named[i].name);
        ls_free(t->named[i].path);
        ls_str_release(&t->named[i].text);
        ls_jinja_free(t->named[i].jinja);
    }
    ls_free(t->named);
    json_decref(t->specials);
    ls_free(t);
}

static const ls_chat_named *find(const ls_chat_template *t, const char *name)
{
    for (int64_t i = 0; i < t->n_named; i++)
        if (strcmp(t->named[i].name, name) == 0)
            return &t->named[i];
    return NULL;
}

leash_status ls_chat_template_choose(const ls_chat_named **out, const ls_chat_template *t,
                                     const char *name, bool has_tools)
{
    ls_str list = LS_STR_INIT;
    *out = name ? find(t, name) : has_tools ? find(t, "tool_use") : NULL;
    if (!*out && !name)
        *out = find(t, "default");
    if (*out)
        return LEASH_OK;
    for (int64_t i = 0; i < t->n_named; i++)
        ls_str_appendf(&list, "%s%s", i ? ", " : "", t->named[i].name);
    leash_status status =
        ls_fail(LEASH_USAGE, "%s: there is no chat template \"%s\"; there are: %s",
                t->named[0].path, name ? name : "default", list.data);
    ls_str_release(&list);
    return status;
}

void ls_chat_template_set_special(ls_chat_template *t, const char *name, const char *text)
{
    json_object_set_new(t->specials, name, json_string(text));
}

static void set_special_of(ls_chat_template *t, const char *name, const ls_tokenizer *tokenizer,
                           int32_t id)
{
    if (id >= 0 && !json_object_get(t->specials, name))
        ls_chat_template_set_special(t, name, ls_tokenizer_piece(tokenizer, id));
}

void ls_chat_template_set_specials_of(ls_chat_template *t, const ls_tokenizer *tokenizer)
{
    set_special_of(t, "bos_token", tokenizer, ls_tokenizer_bos(tokenizer));
    set_special_of(t, "eos_token", tokenizer, ls_tokenizer_eos(tokenizer));
}

const char *ls_chat_template_name(const ls_chat_template *t)
{
    return t->named[0].path;
}

const char *ls_chat_template_text(const ls_chat_template *t, size_t *n)
{
    *n = t->named[0].text.len;
    return t->named[0].text.data;
}

bool ls_chat_template_has_generation(const ls_chat_template *t, const char *name)
{
    const ls_chat_named *named = name ? find(t, name) : &t->named[0];
    return named && ls_jinja_has_generation(named->jinja);
}
