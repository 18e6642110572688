/* Continuing a run: its newest whole checkpoint, if settings, data and reference are those that it
 * was made with. */
#include "train/run.h"

#include <string.h>

#include "base/log.h"

static bool is_free(const char *key, size_t n)
{
    for (const char *const *free_key = ls_run_free_keys; *free_key; free_key++)
        if (strlen(*free_key) == n && strncmp(*free_key, key, n) == 0)
            return true;
    return false;
}

/* Bytes of "key: value" in a line of a resolved configuration, without the origin; 0: no
 * setting. */
static size_t setting_length(const char *line)
{
    size_t n = strcspn(line, "\n");
    if (line[0] == '#' || !memchr(line, ':', n))
        return 0;
    for (size_t i = n; i > 2; i--)
        if (strncmp(line + i - 3, "  #", 3) == 0)
            return i - 3;
    return n;
}

/* The line of a key ("key:" of n bytes), NULL when there is none. */
static const char *find_setting(const char *yaml, const char *key, size_t n)
{
    for (const char *line = yaml; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, key, n) == 0)
            return line;
    return NULL;
}

/* Names the first setting that differs from the run's config.yaml. */
static leash_status fail_settings(const ls_run *run)
{
    ls_str now = LS_STR_INIT, then = LS_STR_INIT;
    char path[LS_PATH_MAX];
    leash_status status = ls_file_read(&then, ls_path_join(path, run->dir.path, "config.yaml"));
    const char *end =
        "a resumed run must have the same settings; choose a new --output_dir to change them";
    ls_config_dump_yaml(run->config, &now);
    for (const char *line = now.data; status == LEASH_OK && *line;
         line += strcspn(line, "\n"), line += *line == '\n') {
        size_t n = setting_length(line), n_key = strcspn(line, ":");
        const char *old =
            n > 0 && !is_free(line, n_key) ? find_setting(then.data, line, n_key + 1) : NULL;
        if (old && (setting_length(old) != n || strncmp(old, line, n) != 0))
            status = ls_fail(LEASH_USAGE, "%s has '%.*s', now it is '%.*s': %s", path,
                             (int)setting_length(old), old, (int)n, line, end);
    }
    if (status == LEASH_OK)
        status =
            ls_fail(LEASH_USAGE,
                    "%s: an update had another number of sequences (per_device_train_batch_size * "
                    "gradient_accumulation_steps, now %lld): %s",
                    path, (long long)ls_update_sequences(run->o), end);
    ls_str_release(&now);
    ls_str_release(&then);
    return status;
}

/* A run that died between its last checkpoint and final/ still has that to do. */
static bool is_complete(const ls_run *run)
{
    char final[LS_PATH_MAX];
    return run->state.step >= run->n_steps &&
           ls_dir_exists(ls_path_join(final, run->dir.path, "final"));
}

/* One of the models that a run reads and does not train; one hash stands for all of them. */
static leash_status fail_frozen(const ls_run *run, const char *checkpoint)
{
    const ls_model_options *model = &run->o->model;
    ls_str paths = LS_STR_INIT;
    bool has_reference = run->reference || run->known_logp;
    ls_str_append(&paths, model->ref_model[0] ? model->ref_model : model->model);
    if (run->reward_model)
        ls_str_appendf(&paths, " or of %s", run->o->reward.reward_model);
    if (run->teacher)
        ls_str_appendf(&paths, " or of %s", model->teacher_model);
    leash_status status = ls_fail(
        LEASH_DATA,
        "%s had another %s: the weights of %s have changed since; restore them, or choose a new "
        "--output_dir",
        checkpoint,
        run->reward_model || run->teacher ? "frozen model"
        : has_reference                   ? "reference model"
                                          : "model under its adapter",
        paths.data);
    ls_str_release(&paths);
    return status;
}

ls_checkpoint_beside ls_run_beside(ls_run *run)
{
    return (ls_checkpoint_beside){.reference = ls_run_moving_reference(run),
                                  .critic = run->critic,
                                  .critic_optimizer = &run->critic_optimizer};
}

leash_status ls_run_resume(ls_run *run, const char *checkpoint)
{
    const ls_train_state now = run->state;
    ls_checkpoint_beside beside = ls_run_beside(run);
    LS_TRY(ls_checkpoint_load(checkpoint, &run->state, run->model, &run->optimizer, &beside));
    if (run->state.config_hash != now.config_hash)
        return fail_settings(run);
    if (run->state.data_hash != now.data_hash)
        return ls_fail(LEASH_DATA,
                       "%s was trained on other data: %s%s%s has changed since; restore it, or "
                       "choose a new --output_dir",
                       checkpoint, run->data.name, run->held_out.n_rows ? " or " : "",
                       run->held_out.name);
    if (run->state.reference_hash != now.reference_hash)
        return fail_frozen(run, checkpoint);
    if (is_complete(run))
        return ls_fail(LEASH_USAGE,
                       "the run in %s is complete (step %lld of %lld): nothing is left to do",
                       run->dir.path, (long long)run->state.step, (long long)run->n_steps);
    ls_model_pack(run->model);
    if (beside.reference)
        ls_model_pack(beside.reference);
    if (beside.critic)
        ls_model_pack(beside.critic);
    ls_info("resuming %s at step %lld", run->dir.path, (long long)run->state.step);
    return ls_rundir_cut(&run->dir, run->state.metrics_bytes, run->state.completions_bytes);
}
