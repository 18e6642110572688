/* A tokenizer's files: tokenizer.json, whose content decides the kind, tokenizer_config.json, which
 * names the beginning and the end, and generation_config.json, which may name more ends. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "formats/json_brief.h"
#include "text/kind.h"

#define MOST_STOP_IDS 64

static bool has_type(const json_t *root, const char *section, const char *type)
{
    const char *found = json_string_value(json_object_get(json_object_get(root, section), "type"));
    return type ? found && strcmp(found, type) == 0 : !found;
}

/* The kind of a file in the form in which byte and char tokenizers are written: special tokens
 * behind a vocabulary without merges, one pre-tokenizer at the most, one decoder.  NULL: it is a
 * pipeline. */
static const ls_tokenizer_kind *own_kind(const json_t *root, const ls_vocab *vocab)
{
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    if (vocab->n_merges || vocab->scores || !has_type(root, "normalizer", NULL) ||
        !has_type(root, "post_processor", NULL) ||
        json_array_size(json_object_get(root, "added_tokens")) == 0)
        return NULL;
    if (has_type(root, "pre_tokenizer", NULL) && has_type(root, "decoder", "Fuse"))
        return &ls_char_kind;
    if (has_type(root, "pre_tokenizer", "ByteLevel") && has_type(root, "decoder", "ByteLevel") &&
        json_is_false(json_object_get(pre, "use_regex")) &&
        json_is_false(json_object_get(pre, "add_prefix_space")) && vocab->n_tokens == 256)
        return &ls_byte_kind;
    return NULL;
}

static bool is_pair(const json_t *entry)
{
    return json_array_size(entry) == 2 && json_is_string(json_array_get(entry, 0)) &&
           json_is_string(json_array_get(entry, 1));
}

/* What the reader of the vocabulary did not understand is still there: says which entry it is. */
static leash_status fail_vocab(const json_t *vocab, const json_t *merges, const char *file)
{
    char found[LS_JSON_BRIEF];
    size_t i;
    const json_t *entry;
    json_array_foreach(merges, i, entry)
    {
        if (!json_is_string(entry) && !is_pair(entry))
            return ls_fail(LEASH_FORMAT,
                           "%s: model.merges[%zu] is %s; expected \"a b\" or [\"a\", \"b\"]", file,
                           i, ls_json_brief(found, entry));
    }
    json_array_foreach(vocab, i, entry)
    {
        if (json_array_size(entry) != 2 || !json_is_string(json_array_get(entry, 0)) ||
            !json_is_number(json_array_get(entry, 1)))
            return ls_fail(LEASH_FORMAT,
                           "%s: model.vocab[%zu] is %s; a list has entries [token, score]", file, i,
                           ls_json_brief(found, entry));
    }
    return ls_fail(LEASH_FORMAT, "%s: model.vocab must be an object {token: id}", file);
}

static leash_status check_model(const json_t *root, const char *file)
{
    const char *version = json_string_value(json_object_get(root, "version"));
    if (!version || strcmp(version, "1.0") != 0)
        return ls_fail(LEASH_UNSUPPORTED, "%s: version must be the string \"1.0\"", file);
    const json_t *model = json_object_get(root, "model");
    const json_t *merges = json_object_get(model, "merges");
    const char *type = json_string_value(json_object_get(model, "type"));
    if (!type && json_object_get(model, "type"))
        return ls_fail(LEASH_FORMAT, "%s: model.type must be a text", file);
    /* Old files of BPE models have no type. */
    if (type ? strcmp(type, "BPE") != 0 && strcmp(type, "Unigram") != 0 : !merges)
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: model.type is \"%s\"; expected \"BPE\" or \"Unigram\"", file,
                       type ? type : "");
    /* The reader of the vocabulary has emptied both. */
    if (!json_is_object(json_object_get(model, "vocab")) ||
        json_object_size(json_object_get(model, "vocab")) || json_array_size(merges))
        return fail_vocab(json_object_get(model, "vocab"), merges, file);
    return LEASH_OK;
}

static leash_status read_tokenizer(ls_tokenizer **out, const char *json, size_t n, const char *file)
{
    ls_vocab vocab;
    ls_str rest = LS_STR_INIT;
    json_t *root = NULL;
    ls_pipeline *pipeline = NULL;
    leash_status status;
    LS_TRY_OUT(ls_vocab_read(&vocab, &rest, json, n, file));
    LS_TRY_OUT(ls_json_object(&root, rest.data, rest.len, file));
    LS_TRY_OUT(check_model(root, file));
    const ls_tokenizer_kind *kind = own_kind(root, &vocab);
    if (kind) {
        status = ls_tokenizer_read_own(out, kind, json, n, file);
        goto out;
    }
    LS_TRY_OUT(ls_pipeline_read(&pipeline, &vocab, root, file));
    ls_str_append_n(&pipeline->json, json, n);
    *out = ls_tokenizer_of_pipeline(pipeline);
out:
    ls_vocab_release(&vocab);
    ls_str_release(&rest);
    json_decref(root);
    return status;
}

/* A token name in tokenizer_config.json is a string or {"content": string}. */
static leash_status read_role(int32_t *id, const ls_tokenizer *t, const json_t *config,
                              const char *key, const char *file)
{
    const json_t *value = json_object_get(config, key);
    if (json_is_object(value))
        value = json_object_get(value, "content");
    char found[LS_JSON_BRIEF];
    if (!json_is_string(value))
        return ls_fail(LEASH_FORMAT, "%s: %s must name a token: it is %s", file, key,
                       ls_json_brief(found, json_object_get(config, key)));
    *id = ls_tokenizer_special_id(t, json_string_value(value));
    if (*id < 0)
        return ls_fail(LEASH_FORMAT, "%s: %s is \"%s\", which is not among the %s", file, key,
                       json_string_value(value), t->pipeline ? "tokens" : "added_tokens");
    return LEASH_OK;
}

/* The post-processor decides about a beginning, and the configuration may overrule it. */
static leash_status read_pipeline_bos(ls_tokenizer *t, const json_t *config, const char *file)
{
    const json_t *adds = json_object_get(config, "add_bos_token");
    ls_affix *prefix = &t->pipeline->prefix;
    if (json_is_false(adds) && prefix->n) {
        ls_info("%s: add_bos_token is false, so the post_processor's beginning is "
                "left out",
                file);
        prefix->n = 0;
    }
    if (json_is_true(adds) && prefix->n == 0) {
        ls_info("%s: add_bos_token is true, so bos_token is put before a text", file);
        LS_TRY(read_role(&prefix->ids[0], t, config, "bos_token", file));
        prefix->n = 1;
    }
    if (prefix->n > 1)
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: the post_processor of tokenizer.json puts %d tokens "
                       "before a text; "
                       "one at the most is supported",
                       file, prefix->n);
    t->bos = prefix->n ? prefix->ids[0] : -1;
    return LEASH_OK;
}

/* Where tokenizer_config.json names no end, generation_config.json may. */
static leash_status read_config(ls_tokenizer *t, const json_t *config, const char *file)
{
    const json_t *eos = json_object_get(config, "eos_token");
    if (!t->n_stop || (eos && !json_is_null(eos)))
        LS_TRY(read_role(&t->eos, t, config, "eos_token", file));
    else
        t->eos = t->stop_ids[0];
    if (t->pipeline)
        return read_pipeline_bos(t, config, file);
    if (json_is_true(json_object_get(config, "add_bos_token")))
        return read_role(&t->bos, t, config, "bos_token", file);
    return LEASH_OK;
}

/* eos_token_id is an id or a list of ids. */
static leash_status read_generation(ls_tokenizer *t, const json_t *generation, const char *file)
{
    const json_t *value = json_object_get(generation, "eos_token_id");
    size_t n = json_is_array(value) ? json_array_size(value) : value && !json_is_null(value);
    if (n > MOST_STOP_IDS)
        return ls_fail(LEASH_FORMAT, "%s: eos_token_id has %zu ids, more than %d", file, n,
                       MOST_STOP_IDS);
    char found[LS_JSON_BRIEF];
    t->stop_ids = ls_calloc(n + 1, sizeof *t->stop_ids);
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) >= ls_tokenizer_vocab_size(t))
            return ls_fail(LEASH_FORMAT, "%s: eos_token_id: expected ids below %d, found %s", file,
                           (int)ls_tokenizer_vocab_size(t), ls_json_brief(found, id));
        t->stop_ids[t->n_stop++] = (int32_t)json_integer_value(id);
    }
    return LEASH_OK;
}

/* The tokenizer's own end goes first, and no id stands twice. */
static void order_stop_ids(ls_tokenizer *t)
{
    int32_t ordered[MOST_STOP_IDS + 1] = {t->eos}, n = 1;
    for (int32_t i = 0; i < t->n_stop; i++) {
        int32_t j = 0;
        while (j < n && ordered[j] != t->stop_ids[i])
            j++;
        if (j == n)
            ordered[n++] = t->stop_ids[i];
    }
    if (t->stop_ids) /* has room for one more than generation_config.json lists */
        memcpy(t->stop_ids, ordered, (size_t)n * sizeof *ordered);
    t->n_stop = t->stop_ids ? n : 0;
}

leash_status ls_tokenizer_read_configs(ls_tokenizer *t, const ls_tokenizer_text *text)
{
    char path[LS_PATH_MAX];
    json_t *config = NULL, *generation = NULL;
    leash_status status;
    if (text->generation) {
        ls_path_join(path, text->dir, "generation_config.json");
        LS_TRY_OUT(ls_json_object(&generation, text->generation, text->n_generation, path));
        LS_TRY_OUT(read_generation(t, generation, path));
        ls_str_append_n(&t->generation, text->generation, text->n_generation);
    }
    ls_path_join(path, text->dir, "tokenizer_config.json");
    LS_TRY_OUT(ls_json_object(&config, text->config, text->n_config, path));
    LS_TRY_OUT(read_config(t, config, path));
    order_stop_ids(t);
    if (t->pipeline)
        ls_str_append_n(&t->pipeline->config, text->config, text->n_config);
out:
    json_decref(config);
    json_decref(generation);
    return status;
}

leash_status ls_tokenizer_load_text(ls_tokenizer **out, const ls_tokenizer_text *text)
{
    char path[LS_PATH_MAX];
    ls_tokenizer *t = NULL;
    LS_TRY(read_tokenizer(&t, text->json, text->n_json,
                          ls_path_join(path, text->dir, "tokenizer.json")));
    leash_status status = ls_tokenizer_read_configs(t, text);
    if (status != LEASH_OK) {
        ls_tokenizer_free(t);
        return status;
    }
    *out = t;
    return LEASH_OK;
}

/* Appends generation_config.json; where there is none and config.json has a list of ends, a file
 * with that.  A single end there is often the default of a class that means nothing. */
static leash_status read_generation_file(ls_str *out, const char *dir)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    json_t *config = NULL;
    leash_status status = LEASH_OK;
    if (ls_file_exists(ls_path_join(path, dir, "generation_config.json")))
        return ls_file_read(out, path);
    if (!ls_file_exists(ls_path_join(path, dir, "config.json")))
        return LEASH_OK;
    LS_TRY_OUT(ls_file_read(&text, path));
    LS_TRY_OUT(ls_json_object(&config, text.data, text.len, path));
    const json_t *ends = json_object_get(config, "eos_token_id");
    if (json_is_array(ends)) {
        char *list = json_dumps(ends, 0);
        ls_str_appendf(out, "{\n  \"eos_token_id\": %s\n}\n", list ? list : "[]");
        free(list); /* jansson's */
    }
out:
    ls_str_release(&text);
    json_decref(config);
    return status;
}

leash_status ls_tokenizer_load(ls_tokenizer **out, const char *dir)
{
    char path[LS_PATH_MAX];
    ls_str json = LS_STR_INIT, config = LS_STR_INIT, generation = LS_STR_INIT;
    leash_status status;
    LS_TRY_OUT(ls_file_read(&json, ls_path_join(path, dir, "tokenizer.json")));
    LS_TRY_OUT(ls_file_read(&config, ls_path_join(path, dir, "tokenizer_config.json")));
    LS_TRY_OUT(read_generation_file(&generation, dir));
    status = ls_tokenizer_load_text(
        out, &(ls_tokenizer_text){.json = json.data,
                                  .n_json = json.len,
                                  .config = config.data,
                                  .n_config = config.len,
                                  .generation = generation.len ? generation.data : NULL,
                                  .n_generation = generation.len,
                                  .dir = dir});
out:
    ls_str_release(&json);
    ls_str_release(&config);
    ls_str_release(&generation);
    return status;
}

leash_status ls_tokenizer_save(const ls_tokenizer *t, const char *dir)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    leash_status status;
    if (t->pipeline)
        ls_pipeline_write_json(t->pipeline, &text);
    else
        ls_tokenizer_write_own(t, &text);
    LS_TRY_OUT(
        ls_file_write_atomic(ls_path_join(path, dir, "tokenizer.json"), text.data, text.len));
    ls_str_clear(&text);
    if (t->pipeline)
        ls_str_append_n(&text, t->pipeline->config.data, t->pipeline->config.len);
    else
        ls_tokenizer_write_own_config(t, &text);
    LS_TRY_OUT(ls_file_write_atomic(ls_path_join(path, dir, "tokenizer_config.json"), text.data,
                                    text.len));
    if (t->generation.len)
        LS_TRY_OUT(ls_file_write_atomic(ls_path_join(path, dir, "generation_config.json"),
                                        t->generation.data, t->generation.len));
out:
    ls_str_release(&text);
    return status;
}
