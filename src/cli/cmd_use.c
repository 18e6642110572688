/* leash generate | eval | score: commands that run a model and print rows. */
#include "cli/cli.h"
#include "cli/progress.h"

static void print_row(void *user, const char *json)
{
    (void)user;
    ls_print_row(json);
}

static void draw_progress(void *user, int64_t step, int64_t n_steps, const char *phase,
                          double share)
{
    ls_progress *p = user;
    (void)step;
    (void)n_steps;
    ls_progress_draw(p, (int64_t)(share * 100), 100, phase, 0);
}

leash_status ls_cmd_generate(const ls_command *self, int argc, char **argv)
{
    ls_invocation inv;
    const char *prompt;
    LS_TRY(ls_cli_take_value(&prompt, &argc, argv, "--prompt"));
    leash_status status = ls_cli_open_plain(&inv, self, NULL, argc, argv);
    if (status == LEASH_OK && !inv.is_done) {
        leash_events events = {.should_stop = ls_cli_should_stop, .on_row = print_row};
        ls_cli_catch_signals();
        status = leash_generate(inv.settings, prompt, &events);
    }
    ls_cli_close(&inv);
    return status;
}

leash_status ls_cmd_score(const ls_command *self, int argc, char **argv)
{
    ls_invocation inv;
    leash_status status = ls_cli_open_plain(&inv, self, NULL, argc, argv);
    if (status == LEASH_OK && !inv.is_done) {
        leash_events events = {.should_stop = ls_cli_should_stop, .on_row = print_row};
        ls_cli_catch_signals();
        status = leash_score(inv.settings, &events);
    }
    ls_cli_close(&inv);
    return status;
}

static leash_status eval(leash_settings *settings, bool wants_json, bool wants_rows)
{
    ls_progress progress;
    leash_eval_report report;
    char *text = NULL, *json = NULL;
    leash_events events = {.user = &progress,
                           .should_stop = ls_cli_should_stop,
                           .on_progress = draw_progress,
                           .on_row = wants_rows ? print_row : NULL};
    ls_cli_catch_signals();
    ls_progress_start(&progress, "eval", false, 0);
    leash_status status = leash_eval(&report, &text, &json, settings, &events);
    ls_progress_end(&progress);
    if (status == LEASH_OK)
        ls_print("%s%s", wants_json ? json : text, wants_json ? "\n" : "");
    leash_free(text);
    leash_free(json);
    return status;
}

leash_status ls_cmd_eval(const ls_command *self, int argc, char **argv)
{
    ls_invocation inv;
    bool wants_json = ls_cli_take_flag(&argc, argv, "--json");
    bool wants_rows = ls_cli_take_flag(&argc, argv, "--rows");
    leash_status status = ls_cli_open_plain(&inv, self, NULL, argc, argv);
    if (status == LEASH_OK && !inv.is_done)
        status = eval(inv.settings, wants_json, wants_rows);
    ls_cli_close(&inv);
    return status;
}
