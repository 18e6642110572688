/* leash_train and leash_plan over train/run.h. */
#include <string.h>

#include "api/settings.h"
#include "base/mem.h"
#include "train/run.h"

/* Of one step's metrics. */
#define JSON_ROOM ((size_t)1 << 14)

typedef struct forward { /* events of the public interface behind the loop's hooks */
    const leash_events *events;
    ls_str json; /* reused by every step */
} forward;

static void on_step(void *user, const ls_run *run, const ls_metrics *metrics)
{
    forward *f = user;
    if (!f->events->on_step)
        return;
    ls_str_clear(&f->json);
    ls_metrics_json(metrics, &f->json);
    f->events->on_step(f->events->user, run->state.step, run->n_steps, f->json.data);
}

static void on_progress(void *user, const ls_run *run, const char *phase, double share)
{
    const forward *f = user;
    if (f->events->on_progress)
        f->events->on_progress(f->events->user, run->state.step, run->n_steps, phase, share);
}

leash_status leash_train(leash_settings *settings, const leash_events *events)
{
    static const leash_events none = {0};
    forward f = {.events = events ? events : &none, .json = LS_STR_INIT};
    ls_train_hooks hooks = {.user = &f,
                            .should_stop = f.events->should_stop,
                            .on_step = on_step,
                            .on_progress = on_progress};
    LS_TRY(ls_settings_derive(settings, "train"));
    ls_str_reserve(&f.json, JSON_ROOM);
    leash_status status = ls_run_train(settings->config, &settings->options, &hooks);
    ls_str_release(&f.json);
    return status;
}

/* Memory that is no arena: the program, its libraries, stacks, scratch of the kernels, small heap
 * blocks.  Measured: 7.2e6 to 7.4e6 with 1 and 2 threads and models of 200 thousand and 1 million
 * parameters. */
#define PROGRAM_BYTES (7.3e6)

static void plan_text(ls_str *out, const ls_run_cost *c, double total)
{
    char a[32], b[32];
    ls_str_appendf(out, "model        %s parameters, sequences of up to %lld tokens\n",
                   ls_format_count(a, (double)c->n_params), (long long)c->max_length);
    if (c->n_trained_params != c->n_params)
        ls_str_appendf(out, "adapter      %s parameters are trained\n",
                       ls_format_count(a, (double)c->n_trained_params));
    ls_str_appendf(out, "run          %lld steps of %lld sequences, %lld update%s each\n\n",
                   (long long)c->n_steps, (long long)c->step_sequences, (long long)c->step_updates,
                   c->step_updates == 1 ? "" : "s");
    ls_str_append(out, "memory\n");
    for (int role = 0; role < LS_ROLE_COUNT; role++)
        ls_str_appendf(out, "  %-12s %12s\n", ls_role_names[role],
                       ls_format_bytes(a, (double)c->bytes[role]));
    ls_str_appendf(out, "  %-12s %12s\n  %-12s %12s\n", "data",
                   ls_format_bytes(a, (double)c->data_bytes), "program",
                   ls_format_bytes(b, PROGRAM_BYTES));
    ls_str_appendf(out, "  %-12s %12s\n\n", "total", ls_format_bytes(a, total));
    ls_str_append(out, "FLOPs of a step with sequences of full length\n");
    ls_str_appendf(out, "  %-12s %12s\n  %-12s %12s\n", "rollout",
                   ls_format_count(a, c->rollout_flops), "reference",
                   ls_format_count(b, c->reference_flops));
    if (c->reward_flops > 0)
        ls_str_appendf(out, "  %-12s %12s\n", "reward_model", ls_format_count(a, c->reward_flops));
    if (c->teacher_flops > 0)
        ls_str_appendf(out, "  %-12s %12s\n", "teacher", ls_format_count(a, c->teacher_flops));
    if (c->critic_flops > 0)
        ls_str_appendf(out, "  %-12s %12s\n", "critic", ls_format_count(a, c->critic_flops));
    ls_str_appendf(out, "  %-12s %12s\n", "training", ls_format_count(a, c->train_flops));
}

static void plan_json(ls_str *out, const ls_run_cost *c, double total)
{
    ls_str_appendf(out,
                   "{\"parameters\": %lld, \"trained_parameters\": %lld, \"steps\": %lld, "
                   "\"step_sequences\": %lld, "
                   "\"step_updates\": %lld, \"max_length\": %lld",
                   (long long)c->n_params, (long long)c->n_trained_params, (long long)c->n_steps,
                   (long long)c->step_sequences, (long long)c->step_updates,
                   (long long)c->max_length);
    ls_str_append(out, ", \"bytes\": {");
    for (int role = 0; role < LS_ROLE_COUNT; role++)
        ls_str_appendf(out, "\"%s\": %zu, ", ls_role_names[role], c->bytes[role]);
    ls_str_appendf(out, "\"data\": %zu, \"program\": %.0f, \"total\": %.0f}", c->data_bytes,
                   PROGRAM_BYTES, total);
    ls_str_appendf(out,
                   ", \"flops\": {\"rollout\": %.6g, \"reference\": %.6g, \"reward_model\": %.6g, "
                   "\"critic\": %.6g, \"teacher\": %.6g, \"training\": %.6g}}",
                   c->rollout_flops, c->reference_flops, c->reward_flops, c->critic_flops,
                   c->teacher_flops, c->train_flops);
}

leash_status leash_plan(char **text, char **json, leash_settings *settings)
{
    LS_TRY(ls_settings_derive(settings, "plan"));
    ls_run_cost cost;
    LS_TRY(ls_run_measure(&cost, settings->config, &settings->options));
    double total = PROGRAM_BYTES + (double)cost.data_bytes;
    for (int role = 0; role < LS_ROLE_COUNT; role++)
        total += (double)cost.bytes[role];
    ls_str s = LS_STR_INIT;
    if (text) {
        plan_text(&s, &cost, total);
        *text = ls_str_steal(&s);
    }
    if (json) {
        plan_json(&s, &cost, total);
        *json = ls_str_steal(&s);
    }
    ls_str_release(&s);
    return LEASH_OK;
}
