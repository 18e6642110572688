/* leash_convert: a model as a Hugging Face folder or a GGUF file, whatever it came as.
 *
 * A folder is built beside its place and renamed into it, a GGUF file likewise, so what stands at
 * the path is whole. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/session.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "formats/gguf_adapter.h"
#include "formats/hf_folder.h"
#include "train/export.h"

static bool is_folder_type(const ls_quant_type *type)
{
    return strcmp(type->name, "F32") == 0 || strcmp(type->name, "F16") == 0 ||
           strcmp(type->name, "BF16") == 0;
}

static leash_status find_type(const ls_quant_type **out, const char *name, bool is_gguf)
{
    const char *expected = is_gguf ? "F32, F16, BF16, Q8_0, Q4_0 or Q4_1" : "F32, F16 or BF16";
    *out = ls_quant_find(name);
    if (*out && (*out)->from_float && (is_gguf ? (*out)->ggml_id >= 0 : is_folder_type(*out)))
        return LEASH_OK;
    return ls_fail(LEASH_USAGE, "dtype: found '%s', expected %s for a %s", name, expected,
                   is_gguf ? "GGUF file" : "folder (a path that ends in .gguf is a GGUF file)");
}

static leash_status check_place(const char *path, bool is_gguf, bool may_overwrite)
{
    bool is_dir = ls_dir_exists(path), is_file = ls_file_exists(path);
    if (is_gguf ? is_dir : is_file)
        return ls_fail(LEASH_USAGE, "%s: there is a %s of that name already", path,
                       is_dir ? "folder" : "file");
    if (!is_dir && !is_file)
        return LEASH_OK;
    if (may_overwrite)
        return LEASH_OK;
    return ls_fail(LEASH_USAGE, "%s exists: give another path, or --overwrite to replace it", path);
}

/* Everything but the weights comes from the source as it was. */
static leash_status write_folder(const ls_session *s, const char *dir, const ls_quant_type *type)
{
    LS_TRY(ls_hf_save_as(s->model, dir, type));
    LS_TRY(ls_tokenizer_save(s->source.tokenizer, dir));
    return s->source.chat ? ls_chat_template_save(s->source.chat, dir) : LEASH_OK;
}

static leash_status save_folder(const ls_session *s, const char *path, const ls_quant_type *type)
{
    char temporary[LS_PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.tmp.%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof temporary)
        return ls_fail(LEASH_USAGE, "the path is too long: %.60s...", path);
    LS_TRY(ls_dir_remove(temporary));
    LS_TRY(ls_dir_make(temporary));
    leash_status status = write_folder(s, temporary, type);
    if (status == LEASH_OK && ls_dir_exists(path))
        status = ls_dir_remove(path);
    if (status == LEASH_OK)
        status = ls_path_rename(temporary, path);
    if (status == LEASH_OK)
        return LEASH_OK;
    char *text = ls_strdup(leash_error());
    if (ls_dir_remove(temporary) != LEASH_OK)
        ls_warn("%s", leash_error());
    status = ls_fail(status, "%s", text);
    ls_free(text);
    return status;
}

static leash_status save_gguf(const ls_session *s, const char *path, const ls_quant_type *type)
{
    const char *chat = NULL;
    char *owned = NULL;
    size_t n;
    if (s->source.chat) {
        chat = ls_chat_template_text(s->source.chat, &n);
        owned = ls_malloc(n + 1);
        memcpy(owned, chat, n);
        owned[n] = 0;
    }
    leash_status status = ls_export_gguf(s->model, s->source.tokenizer, owned, path, type);
    ls_free(owned);
    return status;
}

/* Opens the model with float weights of its own, an adapter merged into them unless it is what is
 * wanted. */
static leash_status open_model(ls_session *s, const leash_settings *settings, bool adapter_alone)
{
    const ls_run_options *o = &settings->options;
    if (!o->model.model[0])
        return ls_fail(LEASH_USAGE,
                       "no model: give --model a folder, a GGUF file or a run directory");
    LS_TRY(ls_arena_init(&s->run, "run", 0));
    LS_TRY(ls_device_open(&s->dev, &o->system, false));
    LS_TRY(ls_model_source_open(&s->source, "model", o->model.model, o));
    if (adapter_alone && !s->source.has_adapter)
        return ls_fail(LEASH_USAGE,
                       "%s is no adapter: give --adapter a folder with adapter_config.json",
                       o->model.model);
    LS_TRY(ls_model_source_make(&s->model, &s->source, &s->dev, &s->run, LS_MODEL_FROZEN, 1,
                                (uint64_t)o->train.seed));
    if (s->source.has_adapter && !adapter_alone)
        ls_lora_merge(s->model);
    return LEASH_OK;
}

leash_status leash_convert(leash_settings *settings, const char *path, const char *dtype,
                           bool adapter_alone)
{
    bool is_gguf = ls_ends_with(path, ".gguf");
    const ls_quant_type *type;
    if (adapter_alone && (!is_gguf || dtype))
        return ls_fail(LEASH_USAGE, "an adapter alone is written as a GGUF file in F32: give a "
                                    "path that ends in .gguf, and no dtype");
    LS_TRY(find_type(&type, dtype ? dtype : "F32", is_gguf));
    LS_TRY(check_place(path, is_gguf, settings->options.log.overwrite));
    ls_session session;
    memset(&session, 0, sizeof session);
    leash_status status = open_model(&session, settings, adapter_alone);
    if (status == LEASH_OK) {
        if (adapter_alone)
            status = ls_gguf_save_adapter(session.model, path);
        else if (is_gguf)
            status = save_gguf(&session, path, type);
        else
            status = save_folder(&session, path, type);
    }
    ls_session_close(&session);
    return status;
}
