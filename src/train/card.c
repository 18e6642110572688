/* The model card of a checkpoint. */
#include "train/card.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"

/* "YAML string" in quotes: JSON's are YAML's too. */
static void append_entry(ls_str *out, const char *key, const char *text)
{
    ls_str_appendf(out, "%s: ", key);
    ls_str_append_json(out, text, strlen(text));
    ls_str_append_char(out, '\n');
}

static bool is_free(const char *key)
{
    for (const char *const *free_key = ls_run_free_keys; *free_key; free_key++)
        if (strcmp(*free_key, key) == 0)
            return true;
    return false;
}

/* A cell of a table: what would end it is escaped. */
static void append_cell(ls_str *out, const char *text)
{
    ls_str_append(out, " `");
    for (; *text; text++) {
        if (*text == '|')
            ls_str_append_char(out, '\\');
        ls_str_append_char(out, *text == '\n' || *text == '`' ? ' ' : *text);
    }
    ls_str_append(out, "` |");
}

/* The settings that are not the defaults and decide the result. */
static void append_settings(ls_str *out, const ls_config *config)
{
    ls_str keys = LS_STR_INIT, value = LS_STR_INIT;
    char *rest = NULL;
    ls_config_keys(config, &keys);
    ls_str_append(out, "| setting | value |\n|---|---|\n");
    for (char *key = strtok_r(keys.data, " \n", &rest); key; key = strtok_r(NULL, " \n", &rest)) {
        key += 2; /* -- */
        if (!ls_config_is_set(config, key) || is_free(key))
            continue;
        ls_str_clear(&value);
        ls_config_value(config, key, &value);
        ls_str_append_char(out, '|');
        append_cell(out, key);
        append_cell(out, value.data);
        ls_str_append_char(out, '\n');
    }
    ls_str_release(&value);
    ls_str_release(&keys);
}

static void append_header(ls_str *out, const ls_run *run)
{
    bool is_adapter = run->model->adapter != NULL;
    ls_str_append(out, "---\n");
    append_entry(out, "library_name", is_adapter ? "peft" : "transformers");
    if (!run->source.is_builtin)
        append_entry(out, "base_model", run->o->model.model);
    ls_str_append(out, "tags:\n- leash\n");
    if (is_adapter)
        ls_str_append(out, "- lora\n");
    ls_str_append(out, "---\n\n");
}

void ls_run_card(ls_str *out, const ls_run *run)
{
    const ls_train_state *s = &run->state;
    const char *data = run->o->data.dataset[0] ? run->o->data.dataset : run->o->data.task;
    char tokens[32];
    append_header(out, run);
    ls_str_appendf(out, "# Trained with leash %s\n\n", LEASH_VERSION);
    ls_str_appendf(out, "Objective `%s`, from `%s`, on `%s`: step %lld of %lld, %s tokens",
                   run->o->rl.objective, run->o->model.model, data, (long long)s->step,
                   (long long)run->n_steps, ls_format_count(tokens, (double)s->tokens));
    if (ls_run_has_rollouts(run->o))
        ls_str_appendf(out, ", %lld sampled completions", (long long)s->episodes);
    ls_str_append(out, ".\n\n");
    append_settings(out, run->config);
    ls_str_append(out, "\n`manifest.json` has the size and the XXH3 hash of every file. The same "
                       "settings give the same weights, bit for bit.\n");
}
