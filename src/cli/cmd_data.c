/* leash data show: the data doctor. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "train/assets.h"

typedef struct look { /* what to show */
    int64_t first, count;
    bool wants_json;
} look;

static leash_status open_tokenizer(ls_model_source *source, const leash_settings *settings)
{
    /* rows can be looked at without a model: then as the tiny shape would see them */
    const char *model = settings->options.model.model;
    return ls_model_source_open(source, "model", model[0] ? model : "tiny", &settings->options);
}

static leash_status show(const leash_settings *settings, const look *l)
{
    const ls_run_options *o = &settings->options;
    ls_model_source source;
    ls_dataset set;
    if (!o->data.dataset[0] == !o->data.task[0])
        return ls_fail(LEASH_USAGE, "give one of --dataset (a file or a folder) and --task");
    LS_TRY(open_tokenizer(&source, settings));
    ls_data_options data = o->data;
    data.shuffle_dataset = false;
    ls_dataset_input input = {.options = &data,
                              .tokenizer = source.tokenizer,
                              .chat = source.chat,
                              .use = ls_run_has_rollouts(o) ? LS_DATA_PROMPTS : LS_DATA_ANY,
                              .seed = (uint64_t)o->train.seed};
    leash_status status = ls_dataset_load(&set, &input);
    if (status == LEASH_OK) {
        ls_str text = LS_STR_INIT;
        bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
        ls_show what = {l->first - 1, l->wants_json ? 0 : l->count, colour, ls_cli_columns()};
        status = ls_dataset_show(&set, source.tokenizer, &what, &text);
        ls_dataset_summary(&set, l->wants_json, &text);
        if (status == LEASH_OK)
            ls_print("%s%s", text.data, l->wants_json ? "\n" : "");
        ls_str_release(&text);
        ls_dataset_release(&set);
    }
    ls_model_source_close(&source);
    return status;
}

static leash_status parse_look(look *l, int *argc, char **argv)
{
    const char *first, *count;
    *l = (look){.first = 1, .count = 3, .wants_json = ls_cli_take_flag(argc, argv, "--json")};
    LS_TRY(ls_cli_take_value(&first, argc, argv, "--first"));
    LS_TRY(ls_cli_take_value(&count, argc, argv, "--rows"));
    if (first && (!ls_parse_int64(first, &l->first) || l->first < 1))
        return ls_fail(LEASH_USAGE, "--first: expected the number of a row, from 1, found '%s'",
                       first);
    if (count && (!ls_parse_int64(count, &l->count) || l->count < 0))
        return ls_fail(LEASH_USAGE, "--rows: expected a number of rows, found '%s'", count);
    return LEASH_OK;
}

leash_status ls_cmd_data(const ls_command *self, int argc, char **argv)
{
    ls_invocation inv = {0};
    look l;
    leash_status status = parse_look(&l, &argc, argv);
    if (status == LEASH_OK)
        status = ls_cli_open(&inv, self, NULL, argc, argv);
    if (status == LEASH_OK && !inv.is_done) {
        if (inv.n_rest != 1 || strcmp(inv.rest[0], "show") != 0)
            status = ls_fail(LEASH_USAGE, "leash data show [--first N] [--rows N] [--json] "
                                          "--dataset FILE | --task NAME");
        else
            status = show(inv.settings, &l);
    }
    ls_cli_close(&inv);
    return status;
}
