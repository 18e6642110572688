/* Finding and opening models, tokenizers and the device. */
#include "train/assets.h"

#include <string.h>

#include "base/file.h"
#include "data/task.h"
#include "formats/hf_folder.h"
#include "train/checkpoint.h"
#include "train/manifest.h"

static bool is_model_folder(const char *path)
{
    char config[LS_PATH_MAX];
    return ls_file_exists(ls_path_join(config, path, "config.json"));
}

/* A run directory stands for its final model, or for its newest checkpoint while it is
 * unfinished. */
static leash_status resolve_folder(char out[LS_PATH_MAX], const char *key, const char *path)
{
    if (!ls_dir_exists(path))
        return ls_fail(LEASH_USAGE,
                       "--%s: '%s' is neither a folder nor a built-in shape (tiny, 1m, 15m, 135m)",
                       key, path);
    if (is_model_folder(path)) {
        snprintf(out, LS_PATH_MAX, "%s", path);
        return LEASH_OK;
    }
    if (is_model_folder(ls_path_join(out, path, "final")))
        return LEASH_OK;
    if (ls_checkpoint_latest(out, path) == LEASH_OK)
        return LEASH_OK;
    return ls_fail(LEASH_IO,
                   "%s: no config.json, no final/ and no whole checkpoint in it: a model folder or "
                   "a run directory is expected",
                   path);
}

static bool is_builtin_name(const char *name)
{
    for (const char *const *p = ls_model_builtin_names(); *p; p++)
        if (strcmp(*p, name) == 0)
            return true;
    return false;
}

static leash_status open_builtin(ls_model_source *out, const ls_run_options *options)
{
    const char *kind = options->model.tokenizer;
    ls_str text = LS_STR_INIT;
    leash_status status = ls_model_config_builtin(&out->config, out->path);
    if (status == LEASH_OK && (!kind[0] || strcmp(kind, "task") == 0)) {
        const ls_task *task;
        if (options->data.task[0]) {
            status = ls_task_find(&task, options->data.task);
            if (status == LEASH_OK)
                ls_str_appendf(&text, "char:%s", task->alphabet);
        } else {
            ls_str_append(&text, "byte");
        }
    } else {
        ls_str_append(&text, kind);
    }
    if (status == LEASH_OK)
        status = ls_tokenizer_new(&out->tokenizer, text.data);
    ls_str_release(&text);
    LS_TRY(status);
    out->config.vocab_size = ls_tokenizer_vocab_size(out->tokenizer);
    out->config.max_position_embeddings = options->model.max_position_embeddings;
    out->config.bos_token_id = ls_tokenizer_bos(out->tokenizer);
    out->config.eos_token_id = ls_tokenizer_eos(out->tokenizer);
    return LEASH_OK;
}

/* A folder that leash wrote says what must be in it. */
static leash_status check_manifest(const char *path)
{
    char manifest[LS_PATH_MAX], text[LS_PATH_MAX];
    if (!ls_file_exists(ls_path_join(manifest, path, LS_MANIFEST_NAME)))
        return LEASH_OK;
    leash_status status = ls_checkpoint_verify(path);
    if (status == LEASH_OK)
        return LEASH_OK;
    snprintf(text, sizeof text, "%s", leash_error());
    return ls_fail(
        status,
        "%s; train again or take another checkpoint (to use the folder as it is, remove %s)", text,
        manifest);
}

static leash_status open_folder(ls_model_source *out, const char *key, const char *model,
                                const ls_run_options *options)
{
    LS_TRY(resolve_folder(out->path, key, model));
    LS_TRY(check_manifest(out->path));
    if (options->model.tokenizer[0] && strcmp(key, "model") == 0)
        return ls_fail(LEASH_USAGE, "--tokenizer: '%s' brings its own tokenizer: leave the key out",
                       model);
    LS_TRY(ls_hf_read_config(&out->config, out->path));
    LS_TRY(ls_tokenizer_load(&out->tokenizer, out->path));
    if (out->config.vocab_size < ls_tokenizer_vocab_size(out->tokenizer))
        return ls_fail(LEASH_FORMAT, "%s: the tokenizer has %d ids, the model only %lld", out->path,
                       (int)ls_tokenizer_vocab_size(out->tokenizer),
                       (long long)out->config.vocab_size);
    return LEASH_OK;
}

leash_status ls_model_source_open(ls_model_source *out, const char *key, const char *model,
                                  const ls_run_options *options)
{
    memset(out, 0, sizeof *out);
    out->is_builtin = is_builtin_name(model) && !ls_dir_exists(model);
    leash_status status;
    if (out->is_builtin) {
        snprintf(out->path, sizeof out->path, "%s", model);
        status = open_builtin(out, options);
    } else {
        status = open_folder(out, key, model, options);
    }
    if (status != LEASH_OK)
        ls_model_source_close(out);
    return status;
}

void ls_model_source_close(ls_model_source *source)
{
    ls_tokenizer_free(source->tokenizer);
    source->tokenizer = NULL;
}

leash_status ls_model_source_make(ls_model **out, const ls_model_source *source, ls_device *dev,
                                  ls_arena *arena, ls_model_use use, int64_t n_leaves,
                                  uint64_t seed)
{
    LS_TRY(ls_model_new(out, &source->config, dev, arena, use, n_leaves));
    if (dev->k->is_null)
        return LEASH_OK;
    if (source->is_builtin)
        ls_model_init_weights(*out, seed);
    else
        LS_TRY(ls_hf_load_weights(*out, source->path));
    ls_model_pack(*out);
    return LEASH_OK;
}

leash_status ls_device_open(ls_device *dev, const ls_system_options *options, bool is_dry)
{
    const ls_kernels *k;
    LS_TRY(ls_kernels_select(&k, is_dry ? "null" : options->isa));
    return ls_device_init(dev, k, is_dry ? 1 : (int)options->threads);
}
