/* leash info: everything that has a row in a table. */
#include <stdio.h>

#include "cli/cli.h"
#include "data/task.h"
#include "kernels/kernels.h"
#include "reward/reward.h"
#include "rl/advantage.h"
#include "rl/aggregation.h"
#include "rl/objective.h"

static void row(const char *name, const char *help)
{
    ls_str text = LS_STR_INIT;
    ls_wrap_help(&text, name, help, ls_cli_columns());
    fputs(text.data, stdout);
    ls_str_release(&text);
}

static void list_recipes(void)
{
    size_t n;
    const ls_recipe *recipes = ls_recipes(&n);
    puts("Recipes (--recipe)");
    for (size_t i = 0; i < n; i++)
        row(recipes[i].name, recipes[i].help);
}

static void list_rl(void)
{
    puts("\nObjectives (--objective)");
    for (int64_t i = 0; i < ls_n_objectives; i++)
        row(ls_objectives[i]->name, ls_objectives[i]->help);
    puts("\nAdvantage estimators (--advantage_estimator)");
    for (int64_t i = 0; i < ls_n_advantages; i++)
        row(ls_advantages[i]->name, ls_advantages[i]->help);
    puts("\nAggregations (--aggregation)");
    for (int64_t i = 0; i < ls_n_aggregations; i++)
        row(ls_aggregations[i].name, ls_aggregations[i].help);
    puts("\nRewards (--reward)");
    for (int64_t i = 0; i < ls_n_rewards; i++)
        row(ls_rewards[i]->name, ls_rewards[i]->help);
}

static void list_data_and_models(void)
{
    size_t n;
    const ls_task *const *tasks = ls_tasks(&n);
    puts("\nTasks (--task)");
    for (size_t i = 0; i < n; i++)
        row(tasks[i]->name, tasks[i]->help);
    puts("\nModel shapes (--model)");
    for (const char *const *name = ls_model_builtin_names(); *name; name++) {
        ls_model_config c;
        char text[160];
        if (ls_model_config_builtin(&c, *name) == LEASH_OK) {
            snprintf(text, sizeof text, "%lld layers, width %lld, ffn %lld, %lld heads, %lld kv heads", (long long)c.num_hidden_layers,
                     (long long)c.hidden_size, (long long)c.intermediate_size, (long long)c.num_attention_heads,
                     (long long)c.num_key_value_heads);
            row(*name, text);
        }
    }
    const ls_family *const *families = ls_families(&n);
    puts("\nModel families");
    for (size_t i = 0; i < n; i++)
        row(families[i]->name, families[i]->help);
}

static void list_kernels(void)
{
    const ls_kernels *tables[3];
    int n = ls_kernels_available(tables);
    puts("\nKernel tables of this machine (--isa)");
    for (int i = 0; i < n; i++)
        row(tables[i]->name, i + 1 == n ? "used unless another is asked for" : "");
}

leash_status ls_cmd_info(const ls_command *self, int argc, char **argv)
{
    if (ls_cli_take_flag(&argc, argv, "--help") || ls_cli_take_flag(&argc, argv, "-h")) {
        printf("leash %s\n\n%s\n", self->name, self->help);
        return LEASH_OK;
    }
    LS_TRY(ls_cli_no_arguments(self, argc, (const char *const *)argv));
    list_recipes();
    list_rl();
    list_data_and_models();
    list_kernels();
    return LEASH_OK;
}
