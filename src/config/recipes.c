/* Recipes: the files of recipes/, which cmake/embed.cmake has turned into the table
 * ls_recipe_data. */
#include "config/state.h"

#include <string.h>
#include "base/mem.h"
#include "recipes_data.h"

const ls_recipe *ls_recipes(size_t *n)
{
    *n = LS_COUNT(ls_recipe_data);
    return ls_recipe_data;
}

static leash_status fail_recipe(const char *name, const char *where)
{
    ls_str found = LS_STR_INIT, list = LS_STR_INIT;
    const char **names = ls_malloc(ls_mul_size(LS_COUNT(ls_recipe_data), sizeof *names));
    for (size_t i = 0; i < LS_COUNT(ls_recipe_data); i++) {
        names[i] = ls_recipe_data[i].name;
        ls_str_appendf(&list, "%s%s", i ? ", " : "", names[i]);
    }
    const char *nearest = ls_nearest_name(name, names, (int64_t)LS_COUNT(ls_recipe_data));
    ls_append_found(&found, name);
    leash_status status = ls_fail(
        LEASH_USAGE, "%s: %s is none of %s%s%s%s", where ? where : "recipe", found.data, list.data,
        nearest ? " (did you mean '" : "", nearest ? nearest : "", nearest ? "'?)" : "");
    ls_free(names);
    ls_str_release(&found);
    ls_str_release(&list);
    return status;
}

static const ls_recipe *find_recipe(const char *name)
{
    for (size_t i = 0; i < LS_COUNT(ls_recipe_data); i++)
        if (strcmp(ls_recipe_data[i].name, name) == 0)
            return &ls_recipe_data[i];
    return NULL;
}

leash_status ls_config_use_recipe(ls_config *config, const char *name, ls_origin origin,
                                  const char *where)
{
    const ls_recipe *recipe = find_recipe(name);
    if (!recipe)
        return fail_recipe(name, where);
    if (origin < config->recipe_origin)
        return LEASH_OK;
    ls_config_forget_recipe(config);
    config->recipe_origin = origin;
    ls_str label = LS_STR_INIT;
    ls_str_appendf(&label, "recipe %s", name);
    leash_status status =
        ls_config_load_text(config, recipe->text, recipe->n, label.data, LS_FROM_RECIPE);
    ls_str_release(&label);
    return status;
}

leash_status ls_config_load_recipe(ls_config *config, const char *name)
{
    return ls_config_use_recipe(config, name, LS_FROM_RECIPE, NULL);
}
