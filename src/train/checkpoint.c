/* Saving, finding, loading and publishing checkpoints: folders that are whole or absent.
 *
 * A folder is built under a temporary name and takes its place in one rename; where the place is
 * taken, the two are exchanged and the old one is removed under the temporary name.  So a crash
 * leaves whole folders and temporary ones, and nothing else. */
#include "train/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "formats/hf_folder.h"
#include "formats/peft.h"
#include "formats/safetensors.h"
#include "train/manifest.h"
#include "train/rundir.h"

#define CHECKPOINTS "checkpoints"
#define STATE_DIR "leash_state"
#define STATE_NAME STATE_DIR "/state.json"
#define OPTIMIZER_NAME STATE_DIR "/optimizer.safetensors"
#define REFERENCE_NAME STATE_DIR "/reference.safetensors"
#define CRITIC_NAME STATE_DIR "/critic.safetensors"
#define CRITIC_OPTIMIZER_NAME STATE_DIR "/critic_optimizer.safetensors"
#define STEP_PREFIX "step-"
#define FINAL_NAME "final"
#define TEMPORARY_MARK ".tmp."
#define MOST_STEP_DIGITS 18
/* "m." and a weight's name. */
#define MOMENT_NAME (sizeof(((ls_weight *)0)->name) + 2)

/* --- names --- */

static leash_status check_path(const char *path)
{
    if (strlen(path) <= LS_RUN_PATH_MAX)
        return LEASH_OK;
    return ls_fail(LEASH_USAGE, "a path of %zu bytes is too long (at most %d): %.60s...",
                   strlen(path), LS_RUN_PATH_MAX, path);
}

/* DIR/.NAME.tmp.PID */
static char *temporary_path(char out[LS_PATH_MAX], const char *dir, const char *name)
{
    char hidden[128];
    snprintf(hidden, sizeof hidden, ".%s" TEMPORARY_MARK "%ld", name, (long)getpid());
    return ls_path_join(out, dir, hidden);
}

/* The number of "step-N" in its one spelling, -1 for any other name. */
static int64_t step_of_name(const char *name)
{
    if (!ls_starts_with(name, STEP_PREFIX))
        return -1;
    const char *digits = name + strlen(STEP_PREFIX);
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > MOST_STEP_DIGITS || digits[n] != '\0' || (digits[0] == '0' && n > 1))
        return -1;
    return strtoll(digits, NULL, 10);
}

static char *step_path(char out[LS_PATH_MAX], const char *checkpoints, int64_t step)
{
    char name[40];
    snprintf(name, sizeof name, STEP_PREFIX "%lld", (long long)step);
    return ls_path_join(out, checkpoints, name);
}

static int compare_descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* The steps that have a folder, newest first; none when there is no such directory.  Caller frees
 * with ls_free. */
static leash_status find_steps(int64_t **steps, int64_t *n, const char *checkpoints)
{
    char **names;
    int64_t n_names;
    *steps = NULL;
    *n = 0;
    if (!ls_dir_exists(checkpoints))
        return LEASH_OK;
    LS_TRY(ls_dir_list(&names, &n_names, checkpoints));
    *steps = ls_calloc((size_t)n_names + 1, sizeof **steps);
    for (int64_t i = 0; i < n_names; i++) {
        int64_t step = step_of_name(names[i]);
        if (step >= 0)
            (*steps)[(*n)++] = step;
    }
    ls_names_free(names, n_names);
    qsort(*steps, (size_t)*n, sizeof **steps, compare_descending);
    return LEASH_OK;
}

/* --- folders --- */

/* Removes a temporary folder after a failure whose text is to be kept. */
static leash_status discard(const char *folder, leash_status status)
{
    char *text = ls_strdup(leash_error());
    if (ls_dir_remove(folder) != LEASH_OK)
        ls_warn("%s", leash_error());
    ls_fail(status, "%s", text);
    ls_free(text);
    return status;
}

/* Gives a finished folder its name. */
static leash_status put_folder(const char *temporary, const char *target)
{
    if (!ls_dir_exists(target))
        return ls_path_rename(temporary, target);
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, target, RENAME_EXCHANGE) != 0)
        return ls_fail_path("replace", target, errno);
    LS_TRY(ls_parent_sync(target));
    return ls_dir_remove(temporary);
}

/* Removes a folder so that a crash does not leave a half of it under its name. */
static leash_status remove_folder(const char *dir, const char *name)
{
    char path[LS_PATH_MAX], temporary[LS_PATH_MAX];
    temporary_path(temporary, dir, name);
    LS_TRY(ls_dir_remove(temporary));
    LS_TRY(ls_path_rename(ls_path_join(path, dir, name), temporary));
    return ls_dir_remove(temporary);
}

static leash_status make_empty_folder(const char *path)
{
    LS_TRY(ls_dir_remove(path));
    return ls_dir_make(path);
}

/* --- moments --- */

typedef char moment_name[MOMENT_NAME];

static leash_status save_moments(const ls_optimizer *optimizer, const ls_model *model,
                                 const char *path)
{
    size_t n = ls_mul_size((size_t)model->n_trained, 2);
    ls_st_source *sources = ls_calloc(n, sizeof *sources);
    moment_name *names = ls_calloc(n, sizeof *names);
    for (size_t i = 0; i < n; i++) {
        const ls_weight *w = &model->trained[i / 2];
        bool is_v = i % 2;
        snprintf(names[i], sizeof names[i], "%c.%s", is_v ? 'v' : 'm', w->name);
        sources[i] = (ls_st_source){.name = names[i],
                                    .data = (is_v ? optimizer->v : optimizer->m) + w->offset,
                                    .shape = {w->rows, w->cols},
                                    .rank = 2};
    }
    leash_status status = ls_st_write(path, sources, (int64_t)n);
    ls_free(names);
    ls_free(sources);
    return status;
}

/* `name` is the weight's, or that of a moment of it. */
static leash_status find_values(const ls_st_tensor **out, const ls_st_file *file, const char *name,
                                const ls_weight *w, const char *path)
{
    *out = ls_st_find(file, name);
    if (!*out)
        return ls_fail(LEASH_FORMAT, "%s: %s is missing; the checkpoint is of another model", path,
                       name);
    const int64_t *shape = (*out)->shape;
    if ((*out)->rank != 2 || shape[0] != w->rows || shape[1] != w->cols ||
        strcmp((*out)->dtype, "F32") != 0)
        return ls_fail(
            LEASH_FORMAT,
            "%s: %s is no F32 tensor of shape (%lld, %lld); the checkpoint is of another "
            "model",
            path, name, (long long)w->rows, (long long)w->cols);
    return LEASH_OK;
}

static leash_status find_moment(const ls_st_tensor **out, const ls_st_file *file, char kind,
                                const ls_weight *w, const char *path)
{
    moment_name name;
    snprintf(name, sizeof name, "%c.%s", kind, w->name);
    return find_values(out, file, name, w, path);
}

static leash_status check_count(const ls_st_file *file, int64_t n, const char *path)
{
    if (file->n_tensors == n)
        return LEASH_OK;
    return ls_fail(LEASH_FORMAT,
                   "%s: %lld tensors, expected %lld; the checkpoint is of another model", path,
                   (long long)file->n_tensors, (long long)n);
}

/* With to_check alone nothing is changed. */
static leash_status load_moments(ls_optimizer *optimizer, const ls_model *model,
                                 const ls_st_file *file, const char *path, bool to_check)
{
    LS_TRY(check_count(file, 2 * model->n_trained, path));
    for (int64_t i = 0; i < model->n_trained; i++) {
        const ls_weight *w = &model->trained[i];
        const ls_st_tensor *m, *v;
        LS_TRY(find_moment(&m, file, 'm', w, path));
        LS_TRY(find_moment(&v, file, 'v', w, path));
        if (to_check)
            continue;
        LS_TRY(ls_st_to_float(optimizer->m + w->offset, m, path));
        LS_TRY(ls_st_to_float(optimizer->v + w->offset, v, path));
    }
    return LEASH_OK;
}

/* --- models beside: a reference that moves, a critic --- */

static leash_status save_model(const ls_model *model, const char *path)
{
    ls_st_source *sources = ls_calloc((size_t)model->n_weights, sizeof *sources);
    for (int64_t i = 0; i < model->n_weights; i++) {
        const ls_weight *w = &model->weights[i];
        sources[i] = (ls_st_source){
            .name = w->name, .data = w->data, .shape = {w->rows, w->cols}, .rank = 2};
    }
    leash_status status = ls_st_write(path, sources, model->n_weights);
    ls_free(sources);
    return status;
}

static leash_status load_model(ls_model *model, const ls_st_file *file, const char *path,
                               bool to_check)
{
    LS_TRY(check_count(file, model->n_weights, path));
    for (int64_t i = 0; i < model->n_weights; i++) {
        ls_weight *w = &model->weights[i];
        const ls_st_tensor *values;
        LS_TRY(find_values(&values, file, w->name, w, path));
        if (!to_check)
            LS_TRY(ls_st_to_float(w->data, values, path));
    }
    return LEASH_OK;
}

static leash_status save_beside(const ls_checkpoint_beside *beside, const char *folder)
{
    char card[LS_PATH_MAX];
    if (beside->card)
        LS_TRY(ls_file_write_synced(ls_path_join(card, folder, "README.md"), beside->card,
                                    strlen(beside->card)));
    char path[LS_PATH_MAX];
    if (beside->reference)
        LS_TRY(save_model(beside->reference, ls_path_join(path, folder, REFERENCE_NAME)));
    if (!beside->critic)
        return LEASH_OK;
    LS_TRY(save_model(beside->critic, ls_path_join(path, folder, CRITIC_NAME)));
    return save_moments(beside->critic_optimizer, beside->critic,
                        ls_path_join(path, folder, CRITIC_OPTIMIZER_NAME));
}

static leash_status load_model_file(ls_model *model, const char *checkpoint, const char *name,
                                    bool to_check)
{
    char path[LS_PATH_MAX];
    ls_st_file file;
    LS_TRY(ls_st_open(&file, ls_path_join(path, checkpoint, name)));
    leash_status status = load_model(model, &file, path, to_check);
    ls_st_close(&file);
    return status;
}

static leash_status load_moments_file(ls_optimizer *optimizer, const ls_model *model,
                                      const char *checkpoint, const char *name, bool to_check)
{
    char path[LS_PATH_MAX];
    ls_st_file file;
    LS_TRY(ls_st_open(&file, ls_path_join(path, checkpoint, name)));
    leash_status status = load_moments(optimizer, model, &file, path, to_check);
    ls_st_close(&file);
    return status;
}

static leash_status load_beside(const ls_checkpoint_beside *beside, const char *checkpoint,
                                bool to_check)
{
    if (beside->reference)
        LS_TRY(load_model_file(beside->reference, checkpoint, REFERENCE_NAME, to_check));
    if (!beside->critic)
        return LEASH_OK;
    LS_TRY(load_model_file(beside->critic, checkpoint, CRITIC_NAME, to_check));
    return load_moments_file(beside->critic_optimizer, beside->critic, checkpoint,
                             CRITIC_OPTIMIZER_NAME, to_check);
}

/* --- saving --- */

static leash_status write_state(const ls_train_state *state, const char *folder)
{
    char path[LS_PATH_MAX];
    ls_str json = LS_STR_INIT;
    ls_train_state_json(state, &json);
    leash_status status =
        ls_file_write_synced(ls_path_join(path, folder, STATE_NAME), json.data, json.len);
    ls_str_release(&json);
    return status;
}

static leash_status write_folder(const char *folder, const ls_train_state *state,
                                 const ls_model *model, const ls_optimizer *optimizer,
                                 const ls_checkpoint_beside *beside, const ls_tokenizer *tokenizer,
                                 const ls_chat_template *chat)
{
    char path[LS_PATH_MAX];
    LS_TRY(make_empty_folder(folder));
    LS_TRY(model->adapter ? ls_peft_save(model, folder) : ls_hf_save(model, folder));
    LS_TRY(ls_tokenizer_save(tokenizer, folder));
    if (chat)
        LS_TRY(ls_chat_template_save(chat, folder));
    LS_TRY(ls_dir_make(ls_path_join(path, folder, STATE_DIR)));
    LS_TRY(write_state(state, folder));
    LS_TRY(save_moments(optimizer, model, ls_path_join(path, folder, OPTIMIZER_NAME)));
    if (beside)
        LS_TRY(save_beside(beside, folder));
    LS_TRY(ls_dir_sync(ls_path_join(path, folder, STATE_DIR)));
    LS_TRY(ls_manifest_write(folder));
    return ls_dir_sync(folder);
}

/* Removes what is older than the newest `keep` up to `step`.  Newer folders are damaged ones that
 * the run has not reached again. */
static leash_status prune(const char *checkpoints, int64_t step, int64_t keep)
{
    int64_t *steps, n, n_kept = 0;
    char name[40];
    leash_status status = find_steps(&steps, &n, checkpoints);
    for (int64_t i = 0; i < n && status == LEASH_OK; i++) {
        if (steps[i] > step || n_kept++ < keep)
            continue;
        snprintf(name, sizeof name, STEP_PREFIX "%lld", (long long)steps[i]);
        status = remove_folder(checkpoints, name);
    }
    ls_free(steps);
    return status;
}

static leash_status make_checkpoints_folder(const char *checkpoints)
{
    if (ls_dir_exists(checkpoints))
        return LEASH_OK;
    LS_TRY(ls_dir_make(checkpoints));
    return ls_parent_sync(checkpoints);
}

leash_status ls_checkpoint_save(const char *run_dir, const ls_train_state *state,
                                const ls_model *model, const ls_optimizer *optimizer,
                                const ls_checkpoint_beside *beside, const ls_tokenizer *tokenizer,
                                const ls_chat_template *chat, int64_t keep)
{
    LS_ASSERT(keep >= 1 && state->step >= 0);
    LS_ASSERT_EQ(state->updates, optimizer->updates);
    char checkpoints[LS_PATH_MAX], temporary[LS_PATH_MAX], target[LS_PATH_MAX], name[40];
    LS_TRY(check_path(run_dir));
    ls_path_join(checkpoints, run_dir, CHECKPOINTS);
    snprintf(name, sizeof name, STEP_PREFIX "%lld", (long long)state->step);
    temporary_path(temporary, checkpoints, name);
    leash_status status = ls_rundir_sync_lines(run_dir);
    if (status == LEASH_OK)
        status = make_checkpoints_folder(checkpoints);
    if (status == LEASH_OK)
        status = write_folder(temporary, state, model, optimizer, beside, tokenizer, chat);
    if (status == LEASH_OK)
        status = put_folder(temporary, step_path(target, checkpoints, state->step));
    if (status != LEASH_OK)
        return ls_fail_in(discard(temporary, status), "the checkpoint of step %lld was not saved",
                          (long long)state->step);
    if (prune(checkpoints, state->step, keep) != LEASH_OK) {
        ls_warn("older checkpoints were not removed: %s", leash_error());
        ls_error_clear();
    }
    return LEASH_OK;
}

/* --- finding and loading --- */

leash_status ls_checkpoint_verify(const char *checkpoint)
{
    ls_manifest manifest;
    LS_TRY(check_path(checkpoint));
    LS_TRY(ls_manifest_read(&manifest, checkpoint));
    leash_status status = ls_manifest_check(&manifest, checkpoint);
    ls_manifest_release(&manifest);
    return status;
}

leash_status ls_checkpoint_count(int64_t *n, const char *run_dir)
{
    char checkpoints[LS_PATH_MAX];
    int64_t *steps;
    LS_TRY(check_path(run_dir));
    LS_TRY(find_steps(&steps, n, ls_path_join(checkpoints, run_dir, CHECKPOINTS)));
    ls_free(steps);
    return LEASH_OK;
}

leash_status ls_checkpoint_latest(char path[LS_PATH_MAX], const char *run_dir)
{
    char checkpoints[LS_PATH_MAX];
    int64_t *steps, n;
    LS_TRY(check_path(run_dir));
    LS_TRY(find_steps(&steps, &n, ls_path_join(checkpoints, run_dir, CHECKPOINTS)));
    ls_str reasons = LS_STR_INIT;
    leash_status status = LEASH_DATA;
    for (int64_t i = 0; i < n && status != LEASH_OK; i++) {
        if (ls_checkpoint_verify(step_path(path, checkpoints, steps[i])) == LEASH_OK) {
            status = LEASH_OK;
        } else {
            ls_warn("a checkpoint is passed over: %s", leash_error());
            ls_str_appendf(&reasons, "; %s", leash_error());
        }
    }
    if (status == LEASH_OK)
        ls_error_clear();
    else
        ls_fail(status, "%s: no whole checkpoint in %lld folders %s/" STEP_PREFIX "N%s", run_dir,
                (long long)n, CHECKPOINTS, reasons.data);
    ls_str_release(&reasons);
    ls_free(steps);
    return status;
}

static leash_status read_state(ls_train_state *out, const char *checkpoint)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    leash_status status = ls_file_read(&text, ls_path_join(path, checkpoint, STATE_NAME));
    if (status == LEASH_OK)
        status = ls_train_state_parse(out, text.data, text.len, path);
    ls_str_release(&text);
    return status;
}

/* All files are checked before anything is changed. */
static leash_status load_files(const char *checkpoint, ls_model *model, ls_optimizer *optimizer,
                               const ls_checkpoint_beside *beside)
{
    LS_TRY(load_moments_file(optimizer, model, checkpoint, OPTIMIZER_NAME, true));
    LS_TRY(load_beside(beside, checkpoint, true));
    LS_TRY(model->adapter ? ls_peft_load_weights(model, checkpoint)
                          : ls_hf_load_weights(model, checkpoint));
    LS_TRY(load_moments_file(optimizer, model, checkpoint, OPTIMIZER_NAME, false));
    return load_beside(beside, checkpoint, false);
}

leash_status ls_checkpoint_load(const char *checkpoint, ls_train_state *state, ls_model *model,
                                ls_optimizer *optimizer, const ls_checkpoint_beside *beside)
{
    static const ls_checkpoint_beside nothing = {0};
    ls_train_state loaded;
    beside = beside ? beside : &nothing;
    LS_TRY(ls_checkpoint_verify(checkpoint));
    LS_TRY(read_state(&loaded, checkpoint));
    LS_TRY(load_files(checkpoint, model, optimizer, beside));
    optimizer->updates = loaded.updates;
    if (beside->critic)
        beside->critic_optimizer->updates = loaded.updates;
    *state = loaded;
    return LEASH_OK;
}

/* --- publishing --- */

/* Puts a file of one folder into another, as a second name of the same bytes or, where that cannot
 * be, as a copy. */
static leash_status link_or_copy(const char *from_dir, const char *to_dir, const char *name)
{
    char from[LS_PATH_MAX], to[LS_PATH_MAX];
    ls_path_join(from, from_dir, name);
    ls_path_join(to, to_dir, name);
    if (link(from, to) == 0)
        return LEASH_OK;
    ls_map map;
    LS_TRY(ls_map_open(&map, from));
    leash_status status = ls_file_write_synced(to, map.data, map.size);
    ls_map_close(&map);
    return status;
}

static leash_status link_files(const char *folder, const char *checkpoint,
                               const ls_manifest *manifest)
{
    char path[LS_PATH_MAX];
    LS_TRY(ls_manifest_check(manifest, checkpoint));
    LS_TRY(make_empty_folder(folder));
    LS_TRY(ls_dir_make(ls_path_join(path, folder, STATE_DIR)));
    for (int64_t i = 0; i < manifest->n_files; i++)
        LS_TRY(link_or_copy(checkpoint, folder, manifest->files[i].name));
    LS_TRY(link_or_copy(checkpoint, folder, LS_MANIFEST_NAME));
    LS_TRY(ls_dir_sync(path));
    return ls_dir_sync(folder);
}

leash_status ls_checkpoint_publish(const char *run_dir, const char *checkpoint)
{
    char temporary[LS_PATH_MAX], target[LS_PATH_MAX];
    ls_manifest manifest;
    LS_TRY(check_path(run_dir));
    LS_TRY(check_path(checkpoint));
    LS_TRY(ls_manifest_read(&manifest, checkpoint));
    temporary_path(temporary, run_dir, FINAL_NAME);
    leash_status status = link_files(temporary, checkpoint, &manifest);
    ls_manifest_release(&manifest);
    if (status == LEASH_OK)
        status = put_folder(temporary, ls_path_join(target, run_dir, FINAL_NAME));
    if (status != LEASH_OK)
        return ls_fail_in(discard(temporary, status), "%s/" FINAL_NAME " was not made", run_dir);
    return LEASH_OK;
}

/* --- removing --- */

/* Removes what dead writers left in a directory: folders ".PREFIX...tmp.PID". */
static leash_status remove_temporary(const char *dir, const char *prefix)
{
    char **names, path[LS_PATH_MAX];
    int64_t n;
    leash_status status = LEASH_OK;
    if (!ls_dir_exists(dir))
        return LEASH_OK;
    LS_TRY(ls_dir_list(&names, &n, dir));
    for (int64_t i = 0; i < n && status == LEASH_OK; i++)
        if (names[i][0] == '.' && ls_starts_with(names[i] + 1, prefix) &&
            strstr(names[i], TEMPORARY_MARK))
            status = ls_dir_remove(ls_path_join(path, dir, names[i]));
    ls_names_free(names, n);
    return status;
}

leash_status ls_checkpoint_clean(const char *run_dir)
{
    char checkpoints[LS_PATH_MAX];
    LS_TRY(check_path(run_dir));
    LS_TRY(remove_temporary(ls_path_join(checkpoints, run_dir, CHECKPOINTS), STEP_PREFIX));
    return remove_temporary(run_dir, FINAL_NAME);
}

/* Only a folder with a manifest is ours. */
static leash_status remove_final(const char *run_dir)
{
    char folder[LS_PATH_MAX], manifest[LS_PATH_MAX];
    ls_path_join(folder, run_dir, FINAL_NAME);
    if (!ls_file_exists(ls_path_join(manifest, folder, LS_MANIFEST_NAME)))
        return LEASH_OK;
    return remove_folder(run_dir, FINAL_NAME);
}

leash_status ls_checkpoint_remove_all(const char *run_dir)
{
    char checkpoints[LS_PATH_MAX];
    LS_TRY(ls_checkpoint_clean(run_dir));
    LS_TRY(remove_final(run_dir));
    ls_path_join(checkpoints, run_dir, CHECKPOINTS);
    LS_TRY(prune(checkpoints, INT64_MAX, 0));
    if (rmdir(checkpoints) != 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST)
        return ls_fail_path("remove directory", checkpoints, errno);
    return LEASH_OK;
}
