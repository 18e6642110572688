/* leash pretrain | sft | dpo | kto | reward | prm | grpo | ppo |
 * distill: one run with a recipe. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"

/* Some figures, the most important first; they are shown in one line. */
#define NOTE_ROOM ((size_t)256)

typedef struct training {
    ls_progress progress;
    double accuracy; /* last held-out accuracy, NAN: none yet */
    ls_str note;     /* reused by every step                  */
} training;

static double number(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void add_figure(ls_str *out, const char *name, double value, const char *format)
{
    if (isnan(value))
        return;
    char text[48];
    snprintf(text, sizeof text, format, value);
    ls_str_appendf(out, "%s%s %s", out->len ? "  " : "", name, text);
}

static void on_step(void *user, int64_t step, int64_t n_steps, const char *metrics)
{
    training *t = user;
    json_t *row = json_loads(metrics, 0, NULL);
    ls_str *note = &t->note;
    ls_str_clear(note);
    if (!isnan(number(row, "eval/accuracy")))
        t->accuracy = number(row, "eval/accuracy");
    if (!isnan(number(row, "reward"))) {
        add_figure(note, "reward", number(row, "reward"), "%.3f");
        add_figure(note, "kl", number(row, "kl/seq_k1"), "%.3f");
    } else {
        add_figure(note, "loss", number(row, "loss"), "%.4f");
        add_figure(note, "margin", number(row, "rewards/margins"), "%.3f");
        add_figure(note, "right", 100 * number(row, "rewards/accuracies"), "%.0f%%");
        add_figure(note, "margin", number(row, "margin"), "%.3f");
        add_figure(note, "right", 100 * number(row, "accuracy"), "%.0f%%");
        add_figure(note, "right", 100 * number(row, "step_accuracy"), "%.0f%%");
    }
    add_figure(note, "acc", 100 * t->accuracy, "%.1f%%");
    add_figure(note, "len", number(row, "completions/mean_length"), "%.1f");
    double rollout = number(row, "tokens_per_second/rollout");
    add_figure(note, "tok/s", isnan(rollout) ? number(row, "tokens_per_second/train") : rollout,
               "%.0f");
    ls_progress_step(&t->progress, step, n_steps, note->data);
    json_decref(row);
}

static void on_progress(void *user, int64_t step, int64_t n_steps, const char *phase, double share)
{
    training *t = user;
    ls_progress_draw(&t->progress, step, n_steps, ls_cli_should_stop() ? "stopping" : phase, share);
}

static leash_status run(leash_settings *settings, const char *label)
{
    const ls_log_options *log = &settings->options.log;
    bool is_asked = ls_config_is_set(settings->config, "logging_steps");
    training t = {.accuracy = NAN, .note = LS_STR_INIT};
    leash_events events = {.user = &t,
                           .should_stop = ls_cli_should_stop,
                           .on_step = on_step,
                           .on_progress = on_progress};
    ls_str_reserve(&t.note, NOTE_ROOM);
    ls_cli_catch_signals();
    ls_progress_start(&t.progress, label, true, is_asked ? log->logging_steps : 0);
    leash_status status = leash_train(settings, &events);
    ls_progress_end(&t.progress);
    ls_str_release(&t.note);
    if (status == LEASH_OK)
        ls_print("%s/final\n", log->output_dir);
    return status;
}

leash_status ls_cli_train(const ls_command *self, const char *recipe, int argc, char **argv)
{
    ls_invocation inv;
    leash_status status = ls_cli_open_plain(&inv, self, recipe, argc, argv);
    if (status == LEASH_OK && !inv.is_done)
        status = run(inv.settings, self->name);
    ls_cli_close(&inv);
    return status;
}

leash_status ls_cmd_pretrain(const ls_command *self, int argc, char **argv)
{
    return ls_cli_train(self, "pretrain", argc, argv);
}

leash_status ls_cmd_sft(const ls_command *self, int argc, char **argv)
{
    return ls_cli_train(self, "sft", argc, argv);
}

leash_status ls_cmd_dpo(const ls_command *self, int argc, char **argv)
{
    return ls_cli_train(self, "dpo", argc, argv);
}

leash_status ls_cmd_kto(const ls_command *self, int argc, char **argv)
{
    return ls_cli_train(self, "kto", argc, argv);
}

leash_status ls_cmd_prm(const ls_command *self, int argc, char **argv)
{
    return ls_cli_train(self, "prm", argc, argv);
}

leash_status ls_cmd_grpo(const ls_command *self, int argc, char **argv)
{
    return ls_cli_train(self, "grpo", argc, argv);
}

leash_status ls_cmd_ppo(const ls_command *self, int argc, char **argv)
{
    return ls_cli_train(self, "ppo", argc, argv);
}

leash_status ls_cmd_distill(const ls_command *self, int argc, char **argv)
{
    return ls_cli_train(self, "distill", argc, argv);
}
