/* leash info: everything that has a row in a table, for people or as JSON. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "data/task.h"
#include "kernels/kernels.h"
#include "reward/reward.h"
#include "rl/advantage.h"
#include "rl/aggregation.h"
#include "rl/objective.h"

typedef struct listing {
    bool is_json;
    int64_t n_lists, n_rows; /* so far; rows of the list that is open */
    ls_str text;
} listing;

/* Opens a list; key: its name in JSON and, where it is one, the setting that chooses from it. */
static void begin(listing *l, const char *title, const char *key, const char *flag)
{
    if (l->is_json)
        ls_str_appendf(&l->text, "%s\"%s\": [", l->n_lists ? "],\n " : "{", key);
    else
        ls_str_appendf(&l->text, "%s%s%s%s%s\n", l->n_lists ? "\n" : "", title, flag ? " (--" : "",
                       flag ? flag : "", flag ? ")" : "");
    l->n_lists++;
    l->n_rows = 0;
}

static void row(listing *l, const char *name, const char *help)
{
    if (l->is_json) {
        ls_str_append(&l->text, l->n_rows++ ? ",\n  {\"name\": " : "\n  {\"name\": ");
        ls_str_append_json(&l->text, name, strlen(name));
        ls_str_append(&l->text, ", \"help\": ");
        ls_str_append_json(&l->text, help, strlen(help));
        ls_str_append_char(&l->text, '}');
        return;
    }
    ls_wrap_help(&l->text, name, help, ls_cli_columns());
}

static void list_recipes(listing *l)
{
    size_t n;
    const ls_recipe *recipes = ls_recipes(&n);
    begin(l, "Recipes", "recipes", "recipe");
    for (size_t i = 0; i < n; i++)
        row(l, recipes[i].name, recipes[i].help);
}

static void list_rl(listing *l)
{
    begin(l, "Objectives", "objectives", "objective");
    for (int64_t i = 0; i < ls_n_objectives; i++)
        row(l, ls_objectives[i]->name, ls_objectives[i]->help);
    begin(l, "Pair losses", "pair_losses", "loss_type");
    for (int64_t i = 0; i < ls_n_pair_losses; i++)
        row(l, ls_pair_losses[i].name, ls_pair_losses[i].help);
    begin(l, "Advantage estimators", "advantage_estimators", "advantage_estimator");
    for (int64_t i = 0; i < ls_n_advantages; i++)
        row(l, ls_advantages[i]->name, ls_advantages[i]->help);
    begin(l, "Aggregations", "aggregations", "aggregation");
    for (int64_t i = 0; i < ls_n_aggregations; i++)
        row(l, ls_aggregations[i].name, ls_aggregations[i].help);
    begin(l, "Rewards", "rewards", "reward");
    for (int64_t i = 0; i < ls_n_rewards; i++)
        row(l, ls_rewards[i]->name, ls_rewards[i]->help);
}

static void list_data_and_models(listing *l)
{
    size_t n;
    const ls_task *const *tasks = ls_tasks(&n);
    begin(l, "Tasks", "tasks", "task");
    for (size_t i = 0; i < n; i++)
        row(l, tasks[i]->name, tasks[i]->help);
    begin(l, "Model shapes", "models", "model");
    for (const char *const *name = ls_model_builtin_names(); *name; name++) {
        ls_model_config c;
        char text[160];
        if (ls_model_config_builtin(&c, *name) != LEASH_OK)
            continue;
        snprintf(text, sizeof text, "%lld layers, width %lld, ffn %lld, %lld heads, %lld kv heads",
                 (long long)c.num_hidden_layers, (long long)c.hidden_size,
                 (long long)c.intermediate_size, (long long)c.num_attention_heads,
                 (long long)c.num_key_value_heads);
        row(l, *name, text);
    }
    const ls_family *const *families = ls_families(&n);
    begin(l, "Model families", "families", NULL);
    for (size_t i = 0; i < n; i++)
        row(l, families[i]->name, families[i]->help);
}

static void list_kernels(listing *l)
{
    const ls_kernels *tables[3];
    int n = ls_kernels_available(tables);
    begin(l, "Kernel tables of this machine", "kernels", "isa");
    for (int i = 0; i < n; i++)
        row(l, tables[i]->name, i + 1 == n ? "used unless another is asked for" : "");
}

leash_status ls_cmd_info(const ls_command *self, int argc, char **argv)
{
    listing l = {.is_json = ls_cli_take_flag(&argc, argv, "--json"), .text = LS_STR_INIT};
    bool is_done;
    LS_TRY(ls_cli_check_flags(&is_done, self, argc, argv));
    if (is_done)
        return LEASH_OK;
    LS_TRY(ls_cli_no_arguments(self, argc, (const char *const *)argv));
    list_recipes(&l);
    list_rl(&l);
    list_data_and_models(&l);
    list_kernels(&l);
    ls_print("%s%s", l.text.data, l.is_json ? "]}\n" : "");
    ls_str_release(&l.text);
    return LEASH_OK;
}
