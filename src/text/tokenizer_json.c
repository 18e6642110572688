/* tokenizer.json and tokenizer_config.json of byte and char tokenizers: writing both, reading the
 * first.
 *
 * Both kinds are written as a BPE without merges, with specials as added tokens, so that the
 * `tokenizers` library gives the same ids (tests/golden/tokenizer).  One difference stays: that
 * library turns text which spells a special into the special, here text never becomes one.
 *
 * Reading is strict: what would change ids and is not understood is refused by its key; only
 * `truncation` and `padding` are ignored, as they describe batches.  An added token takes the next
 * free id in file order, as in the library. */
#include <string.h>

#include "base/mem.h"
#include "text/kind.h"
#include "text/tokenizer.h"

/* Writing */

static void write_added_tokens(const ls_tokenizer *t, ls_str *out)
{
    ls_str_append(out, "  \"added_tokens\": [");
    for (int32_t i = 0; i < t->n_special; i++) {
        const char *text = t->pieces[t->n_ordinary + i];
        ls_str_appendf(out, "%s\n    {\"id\": %d, \"content\": ", i ? "," : "",
                       (int)(t->n_ordinary + i));
        ls_str_append_json(out, text, strlen(text));
        ls_str_append(out, ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
                           "\"normalized\": false, \"special\": true}");
    }
    ls_str_append(out, "\n  ],\n");
}

static void write_model(const ls_tokenizer *t, ls_str *out)
{
    ls_str_append(out, "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n"
                       "    \"unk_token\": null,\n    \"continuing_subword_prefix\": null,\n"
                       "    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n"
                       "    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n"
                       "    \"vocab\": {");
    ls_str symbol = LS_STR_INIT;
    for (int32_t id = 0; id < t->n_ordinary; id++) {
        ls_str_clear(&symbol);
        t->kind->symbol(t, id, &symbol);
        ls_str_append(out, id ? ",\n      " : "\n      ");
        ls_str_append_json(out, symbol.data, symbol.len);
        ls_str_appendf(out, ": %d", (int)id);
    }
    ls_str_release(&symbol);
    ls_str_append(out, "\n    },\n    \"merges\": []\n  }\n");
}

void ls_tokenizer_write_own(const ls_tokenizer *t, ls_str *out)
{
    ls_str_append(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  "
                       "\"padding\": null,\n");
    write_added_tokens(t, out);
    ls_str_appendf(out,
                   "  \"normalizer\": null,\n  \"pre_tokenizer\": %s,\n"
                   "  \"post_processor\": null,\n  \"decoder\": %s,\n",
                   t->kind->pre_tokenizer, t->kind->decoder);
    write_model(t, out);
    ls_str_append(out, "}\n");
}

void ls_tokenizer_write_own_config(const ls_tokenizer *t, ls_str *out)
{
    const char *eos = t->pieces[t->eos];
    ls_str_append(out, "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n"
                       "  \"clean_up_tokenization_spaces\": false,\n");
    if (t->bos >= 0) {
        ls_str_append(out, "  \"add_bos_token\": true,\n  \"bos_token\": ");
        ls_str_append_json(out, t->pieces[t->bos], strlen(t->pieces[t->bos]));
        ls_str_append(out, ",\n");
    }
    ls_str_append(out, "  \"eos_token\": ");
    ls_str_append_json(out, eos, strlen(eos));
    ls_str_append(out, "\n}\n");
}

/* Reading.  `file` in all of these is the path for messages. */

leash_status ls_json_object(json_t **out, const char *json, size_t n, const char *file)
{
    json_error_t error;
    json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!root)
        return ls_fail(LEASH_FORMAT, "%s:%d:%d: malformed JSON: %s", file, error.line, error.column,
                       error.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return ls_fail(LEASH_FORMAT, "%s: expected one JSON object", file);
    }
    *out = root;
    return LEASH_OK;
}

/* Values that switch nothing on, whatever the key: null, false, "", 0, []. */
static bool is_neutral(const json_t *value)
{
    return !value || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_number(value) && json_number_value(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0);
}

static bool is_one_of(const char *key, const char *const *keys)
{
    for (; *keys; keys++)
        if (strcmp(key, *keys) == 0)
            return true;
    return false;
}

/* Every key of `object` must be in `known`, or in `neutral` with a neutral value. */
static leash_status check_keys(const json_t *object, const char *prefix, const char *const *known,
                               const char *const *neutral, const char *file)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (is_one_of(key, known))
            continue;
        if (!is_one_of(key, neutral))
            return ls_fail(LEASH_UNSUPPORTED, "%s: the key %s%s is not known", file, prefix, key);
        if (!is_neutral(value))
            return ls_fail(LEASH_UNSUPPORTED, "%s: %s%s is set, which is not supported", file,
                           prefix, key);
    }
    return LEASH_OK;
}

static leash_status check_layout(const json_t *root, const char *file)
{
    static const char *const known[] = {"version",       "truncation", "padding", "added_tokens",
                                        "pre_tokenizer", "decoder",    "model",   NULL};
    static const char *const neutral[] = {"normalizer", "post_processor", NULL};
    static const char *const model_known[] = {"type", "vocab", NULL};
    static const char *const model_neutral[] = {"dropout",
                                                "unk_token",
                                                "continuing_subword_prefix",
                                                "end_of_word_suffix",
                                                "fuse_unk",
                                                "byte_fallback",
                                                "ignore_merges",
                                                "merges",
                                                NULL};
    LS_TRY(check_keys(root, "", known, neutral, file));
    const json_t *model = json_object_get(root, "model");
    return check_keys(model, "model.", model_known, model_neutral, file);
}

/* One added token; `id` is the one that its place in the file gives it. */
static leash_status check_added_token(const json_t *entry, const json_t *vocab, int32_t id,
                                      const char *file)
{
    const json_t *given = json_object_get(entry, "id");
    const char *content = json_string_value(json_object_get(entry, "content"));
    if (!json_is_integer(given) || !content || !content[0])
        return ls_fail(LEASH_FORMAT,
                       "%s: added_tokens: expected {\"id\": integer, \"content\": text, ...}",
                       file);
    if (json_integer_value(given) != id)
        return ls_fail(LEASH_FORMAT,
                       "%s: added_tokens: \"%s\" has id %lld, but its place in the "
                       "file gives %d",
                       file, content, (long long)json_integer_value(given), (int)id);
    if (!json_is_true(json_object_get(entry, "special")))
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: added_tokens: \"%s\" is not special; only special ones "
                       "are supported",
                       file, content);
    if (json_object_get(vocab, content))
        return ls_fail(LEASH_UNSUPPORTED, "%s: added_tokens: \"%s\" is in model.vocab too", file,
                       content);
    return LEASH_OK;
}

static leash_status read_specials(ls_tokenizer *t, const json_t *root, const char *file)
{
    const json_t *added = json_object_get(root, "added_tokens");
    const json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    size_t n = json_array_size(added);
    if (n > 65536)
        return ls_fail(LEASH_FORMAT, "%s: added_tokens has %zu entries, more than 65536", file, n);
    const char **names = ls_calloc(n, sizeof *names);
    json_t *seen = json_object();
    leash_status status = LEASH_OK;
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(added, i);
        LS_TRY_OUT(check_added_token(entry, vocab, t->n_ordinary + (int32_t)i, file));
        names[i] = json_string_value(json_object_get(entry, "content"));
        if (json_object_get(seen, names[i])) {
            status = ls_fail(LEASH_FORMAT, "%s: added_tokens: \"%s\" stands twice", file, names[i]);
            goto out;
        }
        json_object_set_new(seen, names[i], json_true());
    }
    ls_tokenizer_finish(t, names, (int32_t)n);
out:
    json_decref(seen);
    ls_free(names);
    return status;
}

leash_status ls_tokenizer_read_own(ls_tokenizer **out, const ls_tokenizer_kind *kind,
                                   const char *json, size_t n, const char *file)
{
    json_t *root = NULL;
    leash_status status;
    LS_TRY(ls_json_object(&root, json, n, file));
    ls_tokenizer *t = ls_tokenizer_alloc(kind);
    LS_TRY_OUT(check_layout(root, file));
    LS_TRY_OUT(kind->read_vocab(t, json_object_get(json_object_get(root, "model"), "vocab"), file));
    LS_TRY_OUT(read_specials(t, root, file));
    *out = t;
    t = NULL;
out:
    ls_tokenizer_free(t);
    json_decref(root);
    return status;
}
