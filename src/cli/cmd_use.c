/* leash generate | eval | score: commands that run a model and print rows. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/cli.h"

static void print_row(void *user, const char *json)
{
    (void)user;
    puts(json);
}

static void draw_progress(void *user, int64_t step, int64_t n_steps, const char *phase, double share)
{
    ls_progress *p = user;
    (void)step;
    (void)n_steps;
    ls_progress_draw(p, (int64_t)(share * 100), 100, phase, 0);
}

/* Settings of a command without arguments of its own. */
static leash_status open_settings(leash_settings **settings, const ls_command *self, int argc, char **argv, bool *is_done)
{
    const char **rest = ls_malloc(((size_t)argc + 1) * sizeof *rest);
    int n_rest;
    leash_status status = ls_cli_settings(settings, self, NULL, argc, argv, rest, &n_rest, is_done);
    if (status == LEASH_OK && !*is_done)
        status = ls_cli_no_arguments(self, n_rest, rest);
    ls_free(rest);
    return status;
}

leash_status ls_cmd_generate(const ls_command *self, int argc, char **argv)
{
    leash_settings *settings = NULL;
    const char *prompt;
    bool is_done = false;
    LS_TRY(ls_cli_take_value(&prompt, &argc, argv, "--prompt"));
    leash_status status = open_settings(&settings, self, argc, argv, &is_done);
    /* one completion of a prompt unless more are asked for */
    if (status == LEASH_OK && !ls_config_is_set(settings->config, "num_generations"))
        status = ls_config_set(settings->config, "num_generations", "1", LS_FROM_DERIVED, "generate");
    if (status == LEASH_OK && !is_done) {
        leash_events events = {.should_stop = ls_cli_should_stop, .on_row = print_row};
        ls_cli_catch_signals();
        status = leash_generate(settings, prompt, &events);
    }
    leash_settings_free(settings);
    return status;
}

leash_status ls_cmd_score(const ls_command *self, int argc, char **argv)
{
    leash_settings *settings = NULL;
    bool is_done = false;
    leash_status status = open_settings(&settings, self, argc, argv, &is_done);
    if (status == LEASH_OK && !is_done) {
        leash_events events = {.should_stop = ls_cli_should_stop, .on_row = print_row};
        ls_cli_catch_signals();
        status = leash_score(settings, &events);
    }
    leash_settings_free(settings);
    return status;
}

leash_status ls_cmd_eval(const ls_command *self, int argc, char **argv)
{
    leash_settings *settings = NULL;
    bool is_done = false, wants_json = ls_cli_take_flag(&argc, argv, "--json"), wants_rows = ls_cli_take_flag(&argc, argv, "--rows");
    leash_status status = open_settings(&settings, self, argc, argv, &is_done);
    if (status == LEASH_OK && !is_done) {
        ls_progress progress;
        leash_eval_report report;
        char *text = NULL, *json = NULL;
        leash_events events = {.user = &progress, .should_stop = ls_cli_should_stop, .on_progress = draw_progress,
                               .on_row = wants_rows ? print_row : NULL};
        ls_cli_catch_signals();
        ls_progress_start(&progress, "eval", 1);
        status = leash_eval(&report, &text, &json, settings, &events);
        ls_progress_end(&progress);
        if (status == LEASH_OK)
            printf("%s%s", wants_json ? json : text, wants_json ? "\n" : "");
        leash_free(text);
        leash_free(json);
    }
    leash_settings_free(settings);
    return status;
}
