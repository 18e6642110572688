/* Reading tokenizer.json as a pipeline: the model's flags, the post-processor, and the sections
 * that have their own modules.  Errors name file, section and construct. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "text/part.h"
#include "text/pipeline.h"

static leash_status read_flag(bool *out, const json_t *model, const char *key, const char *file)
{
    const json_t *value = json_object_get(model, key);
    if (value && !json_is_null(value) && !json_is_boolean(value))
        return ls_fail(LEASH_FORMAT, "%s: model.%s must be true or false", file, key);
    *out = json_is_true(value);
    return LEASH_OK;
}

/* Keys that change ids in ways that are not supported must be null, 0, or "". */
static leash_status check_neutral(const json_t *model, const char *file)
{
    static const char *const keys[] = {"dropout", "continuing_subword_prefix",
                                       "end_of_word_suffix"};
    for (size_t i = 0; i < LS_COUNT(keys); i++) {
        const json_t *value = json_object_get(model, keys[i]);
        if (value && !json_is_null(value) &&
            !(json_is_string(value) && json_string_length(value) == 0) &&
            !(json_is_number(value) && json_number_value(value) == 0))
            return ls_fail(LEASH_UNSUPPORTED, "%s: model.%s is set, which is not supported", file,
                           keys[i]);
    }
    return LEASH_OK;
}

/* Every key of an object must be among `known`, which ends with NULL. */
static leash_status check_keys(const json_t *object, const char *prefix, const char *const *known,
                               const char *file)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return ls_fail(LEASH_UNSUPPORTED, "%s: the key %s%s is not known", file, prefix, key);
    }
    return LEASH_OK;
}

static leash_status read_bpe(ls_bpe *bpe, const json_t *model, const char *file)
{
    static const char *const known[] = {"type",
                                        "vocab",
                                        "merges",
                                        "unk_token",
                                        "fuse_unk",
                                        "byte_fallback",
                                        "ignore_merges",
                                        "dropout",
                                        "continuing_subword_prefix",
                                        "end_of_word_suffix",
                                        NULL};
    LS_TRY(check_keys(model, "model.", known, file));
    LS_TRY(check_neutral(model, file));
    LS_TRY(read_flag(&bpe->fuses_unk, model, "fuse_unk", file));
    LS_TRY(read_flag(&bpe->byte_fallback, model, "byte_fallback", file));
    LS_TRY(read_flag(&bpe->ignores_merges, model, "ignore_merges", file));
    bpe->unk = -1;
    const json_t *unk = json_object_get(model, "unk_token");
    if (!unk || json_is_null(unk))
        return LEASH_OK;
    if (!json_is_string(unk))
        return ls_fail(LEASH_FORMAT, "%s: model.unk_token must be a token", file);
    bpe->unk = ls_vocab_find(&bpe->vocab, json_string_value(unk), json_string_length(unk));
    if (bpe->unk < 0)
        return ls_fail(LEASH_FORMAT, "%s: model.unk_token is \"%s\", which is not in model.vocab",
                       file, json_string_value(unk));
    return LEASH_OK;
}

/* Whether ordinary text has such bytes: no control characters, and of UTF-8 no bytes that it never
 * has or that begin characters of planes 4 to 13, which are empty. */
static bool is_ordinary(int byte)
{
    if (byte < 0x20 || byte == 0x7f)
        return byte == '\t' || byte == '\n' || byte == '\r';
    return byte != 0xc0 && byte != 0xc1 && byte != 0xf1 && byte != 0xf2 && byte < 0xf4;
}

/* Tells what the vocabulary cannot express; texts lose it without a word later on. */
static void warn_of_gaps(const ls_bpe *bpe, const char *file)
{
    int n_missing = 0;
    for (int byte = 0; byte < 256; byte++)
        n_missing += bpe->symbols[byte] < 0 && is_ordinary(byte);
    if (bpe->unk >= 0 || n_missing == 0)
        return;
    if (bpe->is_byte_level)
        ls_warn("%s: the vocabulary has no token for %d bytes of ordinary text; they are left out "
                "of texts, as in the Hugging Face library",
                file, n_missing);
    else
        ls_warn("%s: there is no unk token; characters without a token are left "
                "out of texts, as "
                "in the Hugging Face library",
                file);
}

static leash_status check_byte_level(const ls_bpe *bpe, const char *file)
{
    for (int byte = 0; bpe->is_byte_level && bpe->byte_fallback && byte < 256; byte++)
        if (bpe->symbols[byte] < 0)
            return ls_fail(LEASH_UNSUPPORTED,
                           "%s: model.byte_fallback with a ByteLevel pre_tokenizer needs the "
                           "symbols of all bytes, and that of 0x%02x is not in model.vocab",
                           file, (unsigned)byte);
    return LEASH_OK;
}

static leash_status read_unigram(ls_pipeline *p, const json_t *model, const char *file)
{
    static const char *const known[] = {"type", "vocab", "unk_id", "byte_fallback", NULL};
    const json_t *unk = json_object_get(model, "unk_id");
    bool byte_fallback = false;
    LS_TRY(check_keys(model, "model.", known, file));
    LS_TRY(read_flag(&byte_fallback, model, "byte_fallback", file));
    if (unk && !json_is_null(unk) &&
        (!json_is_integer(unk) || json_integer_value(unk) < 0 ||
         json_integer_value(unk) >= p->bpe.vocab.n_ids))
        return ls_fail(LEASH_FORMAT, "%s: model.unk_id must be the place of a token in model.vocab",
                       file);
    if (!p->bpe.vocab.scores)
        return ls_fail(LEASH_FORMAT, "%s: model.vocab must be a list [[token, score], ...]", file);
    if (p->pretokenizer.is_byte_level)
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: model.type \"Unigram\" with a ByteLevel pre_tokenizer is not supported",
                       file);
    p->is_unigram = true;
    p->bpe.unk = json_is_integer(unk) ? (int32_t)json_integer_value(unk) : -1;
    ls_unigram_init(&p->unigram, &p->bpe.vocab, p->bpe.unk, byte_fallback);
    return LEASH_OK;
}

static leash_status read_model(ls_pipeline *p, const json_t *model, const char *file)
{
    const char *type = json_string_value(json_object_get(model, "type"));
    if (type && strcmp(type, "Unigram") == 0)
        return read_unigram(p, model, file);
    if (p->bpe.vocab.scores)
        return ls_fail(LEASH_FORMAT, "%s: model.vocab must be an object {token: id}", file);
    LS_TRY(read_bpe(&p->bpe, model, file));
    p->bpe.is_byte_level = p->pretokenizer.is_byte_level;
    ls_bpe_finish(&p->bpe);
    LS_TRY(check_byte_level(&p->bpe, file));
    warn_of_gaps(&p->bpe, file);
    return LEASH_OK;
}

/* TemplateProcessing: "single" is a list of special tokens around the sequence A. */
static leash_status read_special(ls_affix *out, const ls_part *part, const ls_vocab *vocab,
                                 const json_t *special)
{
    const char *name = json_string_value(json_object_get(special, "id"));
    const json_t *entry =
        name ? json_object_get(json_object_get(part->json, "special_tokens"), name) : NULL;
    const json_t *ids = json_object_get(entry, "ids");
    if (!json_is_array(ids))
        return ls_part_wrong(part, "special_tokens", "the ids of each token of the template");
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);
        size_t n;
        if (out->n == LS_MOST_AFFIX || !json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX ||
            !ls_vocab_token(vocab, (int32_t)json_integer_value(id), &n))
            return ls_part_wrong(part, "special_tokens", "up to 8 ids that tokens have");
        out->ids[out->n++] = (int32_t)json_integer_value(id);
    }
    return LEASH_OK;
}

static leash_status read_template(ls_pipeline *p, const ls_part *part)
{
    const json_t *single = json_object_get(part->json, "single");
    ls_affix *affix = &p->prefix;
    LS_TRY(ls_part_keys(part, "single", "pair", "special_tokens", NULL));
    if (!json_is_array(single) || p->prefix.n || p->suffix.n)
        return ls_part_wrong(part, "single", "one list of special tokens and a sequence");
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i);
        const json_t *special = json_object_get(item, "SpecialToken");
        if (special) {
            LS_TRY(read_special(affix, part, &p->bpe.vocab, special));
        } else {
            if (!json_object_get(item, "Sequence") || affix == &p->suffix)
                return ls_part_wrong(part, "single", "special tokens and one sequence");
            affix = &p->suffix;
        }
    }
    return LEASH_OK;
}

leash_status ls_affixes_read(ls_pipeline *p, const json_t *json, const char *file)
{
    ls_part_list list;
    LS_TRY(ls_part_list_read(&list, json, "post_processor", "processors", file));
    for (int i = 0; i < list.n; i++) {
        const ls_part *part = &list.parts[i];
        if (ls_part_is(part, "ByteLevel")) /* trims offsets, which are not kept */
            LS_TRY(ls_part_keys(part, "add_prefix_space", "trim_offsets", "use_regex", NULL));
        else if (ls_part_is(part, "TemplateProcessing"))
            LS_TRY(read_template(p, part));
        else
            return ls_part_unsupported(part, "TemplateProcessing, ByteLevel, Sequence");
    }
    return LEASH_OK;
}

/* Tokens that are looked for in normalized text are normalized themselves. */
static leash_status index_added(ls_pipeline *p)
{
    ls_str normal = LS_STR_INIT, spare = LS_STR_INIT;
    ls_regex_match *match = ls_regex_match_new();
    leash_status status = LEASH_OK;
    for (int32_t i = 0; i < p->added.n && status == LEASH_OK; i++) {
        size_t n = 0;
        const char *text = ls_vocab_token(&p->bpe.vocab, p->added.tokens[i].id, &n);
        if (p->added.tokens[i].is_normalized) {
            status = ls_normalizer_run(&p->normalizer, &normal, &spare, match, text, n);
            text = normal.data;
            n = normal.len;
        }
        if (status == LEASH_OK)
            ls_added_tokens_index(&p->added, i, text, n);
    }
    ls_regex_match_free(match);
    ls_str_release(&normal);
    ls_str_release(&spare);
    return status;
}

leash_status ls_pipeline_read(ls_pipeline **out, ls_vocab *vocab, const json_t *rest,
                              const char *file)
{
    static const char *const known[] = {
        "version",       "truncation", "padding",        "added_tokens", "normalizer",
        "pre_tokenizer", "decoder",    "post_processor", "model",        NULL};
    ls_pipeline *p = ls_calloc(1, sizeof *p);
    leash_status status;
    for (int i = 0; i < LS_N_WORKS; i++)
        atomic_flag_clear(&p->is_used[i]);
    ls_str_init(&p->json);
    ls_str_init(&p->config);
    ls_str_init(&p->json_head);
    ls_str_init(&p->decoding.strip);
    p->bpe.vocab = *vocab;
    p->n_model_ids = vocab->n_ids;
    *vocab = (ls_vocab){.text = LS_STR_INIT};
    LS_TRY_OUT(check_keys(rest, "", known, file));
    LS_TRY_OUT(ls_normalizer_read(&p->normalizer, json_object_get(rest, "normalizer"), file));
    LS_TRY_OUT(
        ls_pretokenizer_read(&p->pretokenizer, json_object_get(rest, "pre_tokenizer"), file));
    LS_TRY_OUT(read_model(p, json_object_get(rest, "model"), file));
    LS_TRY_OUT(ls_added_tokens_read(&p->added, &p->bpe.vocab, json_object_get(rest, "added_tokens"),
                                    file));
    LS_TRY_OUT(index_added(p));
    LS_TRY_OUT(ls_affixes_read(p, json_object_get(rest, "post_processor"), file));
    LS_TRY_OUT(ls_decoding_read(&p->decoding, json_object_get(rest, "decoder"), file));
    *out = p;
    p = NULL;
out:
    ls_pipeline_free(p);
    return status;
}
