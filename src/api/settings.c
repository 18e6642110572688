/* Settings: defaults, recipe, files, keys. */
#include "api/settings.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/task.h"

const char *leash_version(void)
{
    return LEASH_VERSION;
}

void leash_free(void *pointer)
{
    ls_free(pointer);
}

leash_status leash_settings_new(leash_settings **out, const char *recipe)
{
    leash_settings *s = ls_calloc(1, sizeof *s);
    s->config = ls_config_new();
    ls_str_init(&s->yaml);
    ls_run_options_bind(s->config, &s->options);
    leash_status status = recipe ? ls_config_load_recipe(s->config, recipe) : LEASH_OK;
    if (status != LEASH_OK) {
        leash_settings_free(s);
        return status;
    }
    *out = s;
    return LEASH_OK;
}

void leash_settings_free(leash_settings *s)
{
    if (!s)
        return;
    ls_config_free(s->config);
    ls_str_release(&s->yaml);
    ls_free(s);
}

leash_status leash_settings_set(leash_settings *s, const char *key, const char *value)
{
    return ls_config_set(s->config, key, value, LS_FROM_FLAG, "leash_settings_set");
}

leash_status leash_settings_load(leash_settings *s, const char *path)
{
    return ls_config_load_file(s->config, path);
}

const char *leash_settings_yaml(leash_settings *s)
{
    ls_str_clear(&s->yaml);
    ls_config_dump_yaml(s->config, &s->yaml);
    return s->yaml.data;
}

/* The task's verifier; beside a reward model it looks on. */
static leash_status derive_reward(leash_settings *s)
{
    const ls_run_options *o = &s->options;
    bool has_model = o->reward.reward_model[0];
    const ls_task *task;
    if (!o->data.task[0])
        return has_model
                   ? ls_config_set(s->config, "reward", "model", LS_FROM_DERIVED, "reward_model")
                   : LEASH_OK;
    char names[64];
    LS_TRY(ls_task_find(&task, o->data.task));
    snprintf(names, sizeof names, "%s%s", task->verifier, has_model ? ",model" : "");
    LS_TRY(ls_config_set(s->config, "reward", names, LS_FROM_DERIVED, "task"));
    if (!has_model || ls_config_is_set(s->config, "reward_weights"))
        return LEASH_OK;
    return ls_config_set(s->config, "reward_weights", "0,1", LS_FROM_DERIVED, "reward_model");
}

leash_status ls_settings_derive(leash_settings *s, const char *command)
{
    const ls_run_options *o = &s->options;
    if (!ls_config_is_set(s->config, "reward"))
        LS_TRY(derive_reward(s));
    if (!o->log.output_dir[0]) {
        char path[LS_PATH_MAX];
        LS_TRY(ls_config_set(s->config, "output_dir", ls_path_join(path, "runs", command),
                             LS_FROM_DERIVED, "command"));
    }
    if (strcmp(command, "generate") == 0 && !ls_config_is_set(s->config, "num_generations"))
        LS_TRY(ls_config_set(s->config, "num_generations", "1", LS_FROM_DERIVED, "command"));
    return LEASH_OK;
}
