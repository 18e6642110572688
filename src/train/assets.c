/* Finding and opening models, tokenizers and the device. */
#include "train/assets.h"

#include <string.h>

#include "base/file.h"
#include "data/task.h"
#include "hub/hub.h"
#include "text/tokenizer_gguf.h"
#include "train/checkpoint.h"
#include "train/manifest.h"

static bool is_model_folder(const char *path)
{
    char config[LS_PATH_MAX];
    return ls_file_exists(ls_path_join(config, path, "config.json")) || ls_peft_is_folder(path);
}

/* A run directory stands for its final model, or for its newest checkpoint while it is
 * unfinished. */
static leash_status resolve_folder(char out[LS_PATH_MAX], const char *key, const char *path)
{
    char pulled[LS_PATH_MAX];
    if (ls_hub_is_spec(path)) {
        LS_TRY(ls_hub_resolve(pulled, path));
        path = pulled;
    }
    if (!ls_dir_exists(path) && !ls_file_exists(path))
        return ls_fail(LEASH_USAGE,
                       "--%s: '%s' is neither a folder nor a GGUF file nor a built-in shape (tiny, "
                       "1m, 15m, 135m)",
                       key, path);
    if (ls_file_exists(path) && !ls_path_is_gguf(path))
        return ls_fail(LEASH_USAGE, "--%s: '%s' is a file, but no GGUF file", key, path);
    if (is_model_folder(path) || ls_path_is_gguf(path)) {
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

/* A folder with the model itself. */
static leash_status open_base(ls_model_source *out, const char *key, const char *model,
                              const ls_run_options *options)
{
    LS_TRY(check_manifest(out->path));
    if (options->model.tokenizer[0] && strcmp(key, "model") == 0)
        return ls_fail(LEASH_USAGE, "--tokenizer: '%s' brings its own tokenizer: leave the key out",
                       model);
    LS_TRY(ls_model_files_open(&out->files, out->path));
    out->config = out->files.config;
    if (out->files.is_gguf)
        LS_TRY(ls_tokenizer_load_gguf(&out->tokenizer, &out->files.gguf));
    else
        LS_TRY(ls_tokenizer_load(&out->tokenizer, out->path));
    if (out->config.vocab_size < ls_tokenizer_vocab_size(out->tokenizer))
        return ls_fail(LEASH_FORMAT, "%s: the tokenizer has %d ids, the model only %lld", out->path,
                       (int)ls_tokenizer_vocab_size(out->tokenizer),
                       (long long)out->config.vocab_size);
    return LEASH_OK;
}

static leash_status read_adapter(ls_model_source *out)
{
    LS_TRY(check_manifest(out->adapter_path));
    LS_TRY(ls_peft_read_config(&out->adapter, out->adapter_path));
    out->has_adapter = true;
    return LEASH_OK;
}

/* From an adapter to the model that it names. */
static leash_status resolve_base(ls_model_source *out)
{
    const char *base = out->adapter.base_model;
    if (base[0] && strlen(base) < LS_PATH_MAX &&
        resolve_folder(out->path, "model", base) == LEASH_OK && !ls_peft_is_folder(out->path))
        return LEASH_OK;
    return ls_fail(LEASH_USAGE,
                   "%s/adapter_config.json: base_model_name_or_path is '%s', which is no model "
                   "here: give --model the model and --adapter this folder",
                   out->adapter_path, base);
}

static leash_status open_folder(ls_model_source *out, const char *key, const char *model,
                                const ls_run_options *options)
{
    const char *adapter = strcmp(key, "model") == 0 ? options->adapter.adapter : "";
    LS_TRY(resolve_folder(out->path, key, model));
    bool is_adapter = ls_peft_is_folder(out->path);
    if (is_adapter && adapter[0])
        return ls_fail(LEASH_USAGE,
                       "--model: '%s' is an adapter already: with --adapter give the "
                       "model itself",
                       model);
    if (is_adapter) {
        memcpy(out->adapter_path, out->path, sizeof out->path);
        LS_TRY(read_adapter(out));
        LS_TRY(resolve_base(out));
    } else if (adapter[0]) {
        LS_TRY(resolve_folder(out->adapter_path, "adapter", adapter));
        if (!ls_peft_is_folder(out->adapter_path))
            return ls_fail(LEASH_USAGE,
                           "--adapter: '%s' is no adapter folder: there is no "
                           "adapter_config.json in it",
                           out->adapter_path);
        LS_TRY(read_adapter(out));
    }
    return open_base(out, key, model, options);
}

/* The option's template, else the one that comes with the model; none is no error. */
static leash_status open_chat(ls_model_source *out, const ls_run_options *options)
{
    leash_status status = LEASH_OK;
    const char *named = options->data.chat_template;
    if (named[0]) {
        LS_TRY(ls_chat_template_open(&out->chat, named));
    } else if (out->files.is_gguf) {
        ls_gguf_text text;
        if (ls_gguf_find(&out->files.gguf, "tokenizer.chat_template")) {
            status = ls_gguf_get_text(&text, &out->files.gguf, "tokenizer.chat_template");
            if (status == LEASH_OK)
                status = ls_chat_template_parse(&out->chat, text.data, text.n, out->path);
        }
    } else if (!out->is_builtin) {
        status = ls_chat_template_load(&out->chat, out->path);
    }
    if (status != LEASH_OK)
        return ls_fail_in(status, "the model's chat template cannot be used (name another with "
                                  "--chat_template)");
    if (out->chat)
        ls_chat_template_set_specials_of(out->chat, out->tokenizer);
    return LEASH_OK;
}

leash_status ls_model_source_open(ls_model_source *out, const char *key, const char *model,
                                  const ls_run_options *options)
{
    memset(out, 0, sizeof *out);
    out->is_builtin = is_builtin_name(model) && !ls_dir_exists(model);
    leash_status status;
    out->frozen_use = ls_adapter_frozen_use(&options->adapter);
    if (out->is_builtin && options->adapter.adapter[0] && strcmp(key, "model") == 0) {
        status = ls_fail(LEASH_USAGE,
                         "--adapter: '%s' has random weights: an adapter needs the "
                         "model that it was trained on",
                         model);
    } else if (out->is_builtin) {
        snprintf(out->path, sizeof out->path, "%s", model);
        status = open_builtin(out, options);
    } else {
        status = open_folder(out, key, model, options);
    }
    if (status == LEASH_OK)
        status = open_chat(out, options);
    if (status != LEASH_OK)
        ls_model_source_close(out);
    return status;
}

void ls_model_source_close(ls_model_source *source)
{
    ls_model_files_close(&source->files);
    ls_tokenizer_free(source->tokenizer);
    ls_chat_template_free(source->chat);
    source->tokenizer = NULL;
    source->chat = NULL;
    ls_peft_config_release(&source->adapter);
    source->has_adapter = false;
}

leash_status ls_model_source_want_head(ls_model_source *source, const char *key, ls_head_kind head)
{
    static const char *const kinds[] = {"writes text", "scores sequences", "scores steps"};
    ls_model_config *c = &source->config;
    if (c->head == head)
        return LEASH_OK;
    if (c->head != LS_HEAD_TOKENS)
        return ls_fail(LEASH_USAGE, "--%s: '%s' is a model that %s, but one that %s is needed", key,
                       source->path, kinds[c->head], kinds[head]);
    if (source->has_adapter)
        return ls_fail(LEASH_USAGE,
                       "--%s: '%s' is an adapter, on which no score can stand: write it into its "
                       "model first (leash convert)",
                       key, source->adapter_path);
    c->head = head;
    c->num_labels = head == LS_HEAD_SCORE ? 1 : 2;
    return LEASH_OK;
}

leash_status ls_model_source_want_score(const ls_model_source *source, const char *key)
{
    if (source->config.head == LS_HEAD_SCORE)
        return LEASH_OK;
    return ls_fail(LEASH_USAGE,
                   "--%s: '%s' does not score sequences: train a reward model with leash reward, "
                   "or take one whose class ends with ForSequenceClassification",
                   key, source->path);
}

leash_status ls_model_source_add_adapter(ls_model_source *source, const ls_run_options *options)
{
    if (!options->adapter.use_peft || source->has_adapter)
        return LEASH_OK;
    if (source->is_builtin)
        return ls_fail(LEASH_USAGE,
                       "use_peft: '%s' has random weights, which an adapter cannot make a model: "
                       "give --model a folder, or train the whole model",
                       source->path);
    LS_TRY(ls_adapter_make_spec(&source->adapter.spec, &options->adapter));
    source->has_adapter = true;
    return LEASH_OK;
}

static leash_status attach_adapter(ls_model *model, const ls_model_source *source, int64_t n_leaves)
{
    char where[LS_PATH_MAX + 32];
    snprintf(where, sizeof where, "%s", "lora_target_modules");
    if (source->adapter_path[0])
        snprintf(where, sizeof where, "%s/adapter_config.json", source->adapter_path);
    LS_TRY(ls_lora_attach(model, &source->adapter.spec, where, n_leaves));
    model->adapter->base_model = source->path;
    return LEASH_OK;
}

static leash_status load_adapter(ls_model *model, const ls_model_source *source, uint64_t seed)
{
    if (source->adapter_path[0])
        return ls_peft_load_weights(model, source->adapter_path);
    ls_lora_init_weights(model, seed);
    return LEASH_OK;
}

leash_status ls_model_source_make(ls_model **out, const ls_model_source *source, ls_device *dev,
                                  ls_arena *arena, ls_model_use use, int64_t n_leaves,
                                  uint64_t seed)
{
    bool trains_adapter = source->has_adapter && use == LS_MODEL_TRAINED;
    if (trains_adapter)
        use = source->frozen_use;
    if (use == LS_MODEL_STORED && source->is_builtin)
        use = LS_MODEL_PACKED;
    if (use == LS_MODEL_STORED)
        LS_TRY(ls_model_files_new_stored(out, &source->config, dev, arena, &source->files));
    else
        LS_TRY(ls_model_new(out, &source->config, dev, arena, use, n_leaves));
    if (source->has_adapter)
        LS_TRY(attach_adapter(*out, source, trains_adapter ? n_leaves : 0));
    /* The plan of a folder without weights is wanted too; of others the tables are compared. */
    if (source->is_builtin)
        ls_model_init_weights(*out, seed);
    else
        LS_TRY(ls_model_files_load(*out, &source->files));
    if ((*out)->has_new_head)
        ls_model_init_score(*out, seed);
    if (source->has_adapter)
        LS_TRY(load_adapter(*out, source, seed));
    if (!dev->k->is_null)
        ls_model_pack(*out);
    return LEASH_OK;
}

leash_status ls_device_open(ls_device *dev, const ls_system_options *options, bool is_dry)
{
    const ls_kernels *k;
    LS_TRY(ls_kernels_select(&k, is_dry ? "null" : options->isa));
    return ls_device_init(dev, k, is_dry ? 1 : (int)options->threads);
}
