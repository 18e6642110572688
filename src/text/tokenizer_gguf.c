/* Reading a GGUF tokenizer: its arrays give the vocabulary, its other values the rest of a
 * tokenizer.json, which goes the way of any other.
 *
 * Tokens behind the last ordinary one are only added tokens, as in the folders of such models;
 * those between ordinary ones stand in the vocabulary too, since added tokens have no ids of their
 * own choice. */
#include "text/tokenizer_gguf.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "text/gguf_pre.h"
#include "text/kind.h"
#include "text/spm_merges.h"
#include "text/vocab_table.h"

#define KEY "tokenizer.ggml."
#define SPACE_SIGN "\xe2\x96\x81"

typedef struct reading {
    const ls_gguf *file;
    const char *path;
    ls_gguf_text *tokens;
    int64_t *types; /* NULL: all are normal */
    float *scores;
    int64_t n_tokens, n_in_vocab; /* ids from n_in_vocab on are only added */
    bool is_spm, adds_bos, adds_eos, adds_space;
    int64_t bos, eos, unk, pad; /* -1: none */
    const ls_gguf_pre *pre;     /* gpt2 */
    ls_vocab vocab;
    ls_str json, config, generation;
} reading;

static int64_t type_of(const reading *r, int64_t id)
{
    return r->types ? r->types[id] : LS_GGUF_NORMAL;
}

static bool is_added(const reading *r, int64_t id)
{
    int64_t type = type_of(r, id);
    return type == LS_GGUF_UNKNOWN || type == LS_GGUF_CONTROL || type == LS_GGUF_USER_DEFINED;
}

/* A token's text as tokenizer.json has it. */
static void put_token(const reading *r, ls_str *out, int64_t id)
{
    const ls_gguf_text *token = &r->tokens[id];
    if (!r->is_spm || type_of(r, id) != LS_GGUF_USER_DEFINED) {
        ls_str_append_n(out, token->data, token->n);
        return;
    }
    for (size_t i = 0; i < token->n; i++) {
        if (token->data[i] == ' ')
            ls_str_append(out, SPACE_SIGN);
        else
            ls_str_append_char(out, token->data[i]);
    }
}

static void put_token_json(const reading *r, ls_str *out, int64_t id)
{
    ls_str text = LS_STR_INIT;
    put_token(r, &text, id);
    ls_str_append_json(out, text.data, text.len);
    ls_str_release(&text);
}

/* Values */

/* An added token without a place in the vocabulary gets the next free id, so there must be no id
 * without a token before it.  User-defined pieces of SentencePiece are merged as others are. */
static void find_vocab(reading *r)
{
    bool has_hole = false;
    for (int64_t id = 0; id < r->n_tokens; id++) {
        bool is_hole = type_of(r, id) == LS_GGUF_UNUSED || r->tokens[id].n == 0;
        bool is_piece = !is_added(r, id) || (r->is_spm && type_of(r, id) == LS_GGUF_USER_DEFINED);
        if (has_hole || (!is_hole && is_piece))
            r->n_in_vocab = id + 1;
        has_hole |= is_hole;
    }
}

static leash_status read_arrays(reading *r)
{
    int64_t n_types = 0, n_scores = 0;
    LS_TRY(ls_gguf_get_texts(&r->tokens, &r->n_tokens, r->file, KEY "tokens"));
    LS_TRY(ls_gguf_get_ints(&r->types, &n_types, r->file, KEY "token_type"));
    LS_TRY(ls_gguf_get_floats(&r->scores, &n_scores, r->file, KEY "scores"));
    if (r->n_tokens == 0 || r->n_tokens > INT32_MAX / 8)
        return ls_fail(LEASH_FORMAT, "%s: " KEY "tokens: expected a list of texts", r->path);
    if (n_types == 0) {
        ls_free(r->types);
        r->types = NULL;
    }
    if ((n_types && n_types != r->n_tokens) || (r->is_spm && n_scores != r->n_tokens))
        return ls_fail(LEASH_FORMAT, "%s: " KEY "%s has %lld values for %lld tokens", r->path,
                       n_types && n_types != r->n_tokens ? "token_type" : "scores",
                       (long long)(n_types && n_types != r->n_tokens ? n_types : n_scores),
                       (long long)r->n_tokens);
    find_vocab(r);
    return LEASH_OK;
}

/* An id that is absent, or beyond the tokens, is none. */
static leash_status read_id(int64_t *out, const reading *r, const char *key, int64_t if_absent)
{
    *out = if_absent;
    LS_TRY(ls_gguf_get_int(out, r->file, key));
    if (*out < 0 || *out >= r->n_tokens)
        *out = -1;
    return LEASH_OK;
}

static leash_status read_pre(reading *r)
{
    ls_gguf_text name = {"default", 7};
    LS_TRY(ls_gguf_get_text(&name, r->file, KEY "pre"));
    r->pre = ls_gguf_pre_find(name.data, name.n);
    if (!r->pre)
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: " KEY
                       "pre is \"%.*s\", a pre-tokenizer that is not known here; take the "
                       "model's Hugging Face folder",
                       r->path, (int)name.n, name.data);
    if (strcmp(r->pre->name, "default") == 0)
        ls_warn("%s: " KEY
                "pre does not say how text is cut into words; llama.cpp's guess is taken, "
                "which may give other tokens than the model was trained with",
                r->path);
    return LEASH_OK;
}

static leash_status read_values(reading *r)
{
    ls_gguf_text model = {"", 0};
    LS_TRY(ls_gguf_get_text(&model, r->file, KEY "model"));
    r->is_spm = model.n == 5 && memcmp(model.data, "llama", 5) == 0;
    if (!r->is_spm && !(model.n == 4 && memcmp(model.data, "gpt2", 4) == 0))
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: " KEY "model is \"%.*s\"; supported are gpt2 and llama", r->path,
                       (int)model.n, model.data);
    LS_TRY(read_arrays(r));
    if (!r->is_spm)
        LS_TRY(read_pre(r));
    LS_TRY(read_id(&r->bos, r, KEY "bos_token_id", r->is_spm ? 1 : 11));
    LS_TRY(read_id(&r->eos, r, KEY "eos_token_id", r->is_spm ? 2 : 11));
    LS_TRY(read_id(&r->unk, r, KEY "unknown_token_id", r->is_spm ? 0 : -1));
    LS_TRY(read_id(&r->pad, r, KEY "padding_token_id", -1));
    r->adds_bos = r->is_spm || r->pre->adds_bos;
    r->adds_space = r->is_spm;
    LS_TRY(ls_gguf_get_bool(&r->adds_bos, r->file, KEY "add_bos_token"));
    LS_TRY(ls_gguf_get_bool(&r->adds_eos, r->file, KEY "add_eos_token"));
    LS_TRY(ls_gguf_get_bool(&r->adds_space, r->file, KEY "add_space_prefix"));
    r->adds_bos &= r->bos >= 0;
    r->adds_eos &= r->eos >= 0;
    if (r->eos < 0)
        return ls_fail(LEASH_FORMAT,
                       "%s: " KEY "eos_token_id names no token; expected an id below %lld", r->path,
                       (long long)r->n_tokens);
    return LEASH_OK;
}

/* The vocabulary */

static leash_status read_merges(reading *r)
{
    ls_gguf_text *merges = NULL;
    int64_t n = 0;
    leash_status status = ls_gguf_get_texts(&merges, &n, r->file, KEY "merges");
    ls_str merged = LS_STR_INIT;
    for (int64_t i = 0; status == LEASH_OK && i < n; i++) {
        /* A part of one space is the only one that begins with it. */
        const char *text = merges[i].data;
        size_t size = merges[i].n;
        const char *space = size > 1 ? memchr(text + 1, ' ', size - 1) : NULL;
        size_t n_left = space ? (size_t)(space - text) : 0;
        int32_t left = -1, right = -1, both = -1;
        if (space) {
            ls_str_clear(&merged);
            ls_str_append_n(&merged, text, n_left);
            ls_str_append_n(&merged, space + 1, size - n_left - 1);
            left = ls_vocab_find(&r->vocab, text, n_left);
            right = ls_vocab_find(&r->vocab, space + 1, size - n_left - 1);
            both = ls_vocab_find(&r->vocab, merged.data, merged.len);
        }
        if (left < 0 || right < 0 || both < 0)
            status =
                ls_fail(LEASH_FORMAT,
                        "%s: " KEY "merges[%lld] is \"%.*s\"; expected two tokens that make one",
                        r->path, (long long)i, (int)size, text);
        else if (!ls_vocab_merge(&r->vocab, left, right)) /* llama.cpp keeps the first rank */
            ls_vocab_add_merge(&r->vocab, left, right, both);
    }
    ls_str_release(&merged);
    ls_free(merges);
    return status;
}

/* Only ordinary pieces have scores that mean something; SentencePiece gives the others 0. */
static void make_spm_merges(reading *r)
{
    double *scores = ls_calloc((size_t)r->n_tokens, sizeof *scores);
    for (int64_t id = 0; id < r->n_tokens; id++)
        scores[id] = type_of(r, id) == LS_GGUF_NORMAL ? (double)r->scores[id] : 0;
    ls_spm_merges(&r->vocab, scores);
    ls_free(scores);
}

static leash_status make_vocab(reading *r)
{
    ls_str text = LS_STR_INIT;
    leash_status status = LEASH_OK;
    ls_vocab_init(&r->vocab, (size_t)r->n_tokens * 48);
    for (int64_t id = 0; status == LEASH_OK && id < r->n_in_vocab; id++) {
        ls_str_clear(&text);
        put_token(r, &text, id);
        if (type_of(r, id) == LS_GGUF_UNUSED || text.len == 0)
            continue;
        if (!ls_is_utf8(text.data, text.len))
            status = ls_fail(LEASH_FORMAT, "%s: " KEY "tokens[%lld] is no UTF-8", r->path,
                             (long long)id);
        else if (!ls_vocab_add(&r->vocab, text.data, text.len, (int32_t)id))
            status = ls_fail(LEASH_FORMAT, "%s: " KEY "tokens[%lld] \"%s\" stands twice", r->path,
                             (long long)id, text.data);
    }
    ls_str_release(&text);
    LS_TRY(status);
    if (!r->is_spm)
        return read_merges(r);
    make_spm_merges(r);
    return LEASH_OK;
}

/* The rest of tokenizer.json */

static void put_added_tokens(reading *r)
{
    bool is_first = true;
    ls_str_append(&r->json, "\"added_tokens\":[");
    for (int64_t id = 0; id < r->n_tokens; id++) {
        if (!is_added(r, id) || r->tokens[id].n == 0)
            continue;
        ls_str_appendf(&r->json, "%s\n{\"id\":%lld,\"content\":", is_first ? "" : ",",
                       (long long)id);
        put_token_json(r, &r->json, id);
        ls_str_appendf(&r->json,
                       ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                       "\"normalized\":false,\"special\":%s}",
                       type_of(r, id) == LS_GGUF_USER_DEFINED ? "false" : "true");
        is_first = false;
    }
    ls_str_append(&r->json, "],\n");
}

static void put_affix(reading *r, const char *before, int64_t id, const char *type)
{
    ls_str_appendf(&r->json, "%s{\"SpecialToken\":{\"id\":", before);
    put_token_json(r, &r->json, id);
    ls_str_appendf(&r->json, ",\"type_id\":%s}}", type);
}

static void put_sequence(reading *r, const char *name, const char *type)
{
    if (r->adds_bos)
        put_affix(r, "", r->bos, type);
    ls_str_appendf(&r->json, "%s{\"Sequence\":{\"id\":\"%s\",\"type_id\":%s}}",
                   r->adds_bos ? "," : "", name, type);
    if (r->adds_eos)
        put_affix(r, ",", r->eos, type);
}

static void put_special(reading *r, const char *before, int64_t id)
{
    ls_str_append(&r->json, before);
    put_token_json(r, &r->json, id);
    ls_str_append(&r->json, ":{\"id\":");
    put_token_json(r, &r->json, id);
    ls_str_appendf(&r->json, ",\"ids\":[%lld],\"tokens\":[", (long long)id);
    put_token_json(r, &r->json, id);
    ls_str_append(&r->json, "]}");
}

static void put_post_processor(reading *r)
{
    ls_str_append(&r->json, "\"post_processor\":");
    if (!r->adds_bos && !r->adds_eos) {
        ls_str_append(&r->json, "null,\n");
        return;
    }
    ls_str_append(&r->json, "{\"type\":\"TemplateProcessing\",\"single\":[");
    put_sequence(r, "A", "0");
    ls_str_append(&r->json, "],\"pair\":[");
    put_sequence(r, "A", "0");
    ls_str_append(&r->json, ",");
    put_sequence(r, "B", "1");
    ls_str_append(&r->json, "],\"special_tokens\":{");
    if (r->adds_bos)
        put_special(r, "", r->bos);
    if (r->adds_eos && !(r->adds_bos && r->bos == r->eos))
        put_special(r, r->adds_bos ? "," : "", r->eos);
    ls_str_append(&r->json, "}},\n");
}

static void put_spm(reading *r)
{
    ls_str_appendf(&r->json,
                   "\"normalizer\":%s{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
                   "\"content\":\"" SPACE_SIGN "\"}%s,\n\"pre_tokenizer\":null,\n",
                   r->adds_space ? "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
                                   "\"prepend\":\"" SPACE_SIGN "\"},"
                                 : "",
                   r->adds_space ? "]}" : "");
    put_post_processor(r);
    ls_str_appendf(&r->json,
                   "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","
                   "\"pattern\":{\"String\":\"" SPACE_SIGN "\"},\"content\":\" \"},"
                   "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}%s]},\n",
                   r->adds_space ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}"
                                 : "");
}

static void put_byte_level(reading *r)
{
    ls_str_appendf(&r->json, "\"normalizer\":%s,\n\"pre_tokenizer\":%s,\n", r->pre->normalizer,
                   r->pre->pre_tokenizer);
    put_post_processor(r);
    ls_str_append(&r->json, "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
                            "\"trim_offsets\":true,\"use_regex\":true},\n");
}

/* Without vocabulary and merges, which come last. */
static void make_json(reading *r)
{
    ls_str_append(&r->json, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n");
    put_added_tokens(r);
    if (r->is_spm)
        put_spm(r);
    else
        put_byte_level(r);
    ls_str_append(&r->json, "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":");
    if (r->is_spm && r->unk >= 0)
        put_token_json(r, &r->json, r->unk);
    else
        ls_str_append(&r->json, "null");
    ls_str_appendf(&r->json,
                   ",\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
                   "\"fuse_unk\":%s,\"byte_fallback\":%s,\"ignore_merges\":%s,\n",
                   r->is_spm ? "true" : "false", r->is_spm ? "true" : "false",
                   !r->is_spm && r->pre->ignores_merges ? "true" : "false");
}

/* tokenizer_config.json and generation_config.json */

static void put_role(reading *r, const char *name, int64_t id)
{
    if (id < 0 || r->tokens[id].n == 0)
        return;
    ls_str_appendf(&r->config, "  \"%s\": ", name);
    put_token_json(r, &r->config, id);
    ls_str_append(&r->config, ",\n");
}

static leash_status make_config(reading *r)
{
    ls_gguf_text template = {NULL, 0};
    LS_TRY(ls_gguf_get_text(&template, r->file, "tokenizer.chat_template"));
    ls_str_appendf(&r->config, "{\n  \"add_bos_token\": %s,\n", r->adds_bos ? "true" : "false");
    put_role(r, "bos_token", r->bos);
    put_role(r, "eos_token", r->eos);
    put_role(r, "pad_token", r->pad);
    put_role(r, "unk_token", r->unk);
    if (template.data) {
        ls_str_append(&r->config, "  \"chat_template\": ");
        ls_str_append_json(&r->config, template.data, template.n);
        ls_str_append(&r->config, ",\n");
    }
    ls_str_append(&r->config, "  \"clean_up_tokenization_spaces\": false,\n"
                              "  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n");
    return LEASH_OK;
}

static bool ends_turns(const ls_gguf_text *token)
{
    static const char *const names[] = {
        "<|im_end|>", "<|eot_id|>", "<|eom_id|>",      "<end_of_turn>", "<|end|>", "<|endoftext|>",
        "</s>",       "<|return|>", "<|end_of_text|>", "<|eot|>",       "<EOT>",   "<eos>"};
    for (size_t i = 0; i < LS_COUNT(names); i++)
        if (strlen(names[i]) == token->n && memcmp(names[i], token->data, token->n) == 0)
            return true;
    return false;
}

static leash_status make_generation(reading *r)
{
    int64_t eot, eom;
    LS_TRY(read_id(&eot, r, KEY "eot_token_id", -1));
    LS_TRY(read_id(&eom, r, KEY "eom_token_id", -1));
    ls_str_append(&r->generation, "{\n");
    if (r->bos >= 0)
        ls_str_appendf(&r->generation, "  \"bos_token_id\": %lld,\n", (long long)r->bos);
    ls_str_appendf(&r->generation, "  \"eos_token_id\": [%lld", (long long)r->eos);
    for (int64_t id = 0; id < r->n_tokens; id++)
        if (id != r->eos && (id == eot || id == eom ||
                             (type_of(r, id) == LS_GGUF_CONTROL && ends_turns(&r->tokens[id]))))
            ls_str_appendf(&r->generation, ", %lld", (long long)id);
    ls_str_append(&r->generation, "]\n}\n");
    return LEASH_OK;
}

static leash_status make_tokenizer(ls_tokenizer **out, reading *r)
{
    ls_str whole = LS_STR_INIT;
    json_t *root = NULL;
    ls_pipeline *pipeline = NULL;
    leash_status status;
    make_json(r);
    ls_str_append_n(&whole, r->json.data, r->json.len);
    ls_str_append(&whole, "\"vocab\":{},\"merges\":[]}}");
    LS_TRY_OUT(ls_json_object(&root, whole.data, whole.len, r->path));
    LS_TRY_OUT(ls_pipeline_read(&pipeline, &r->vocab, root, r->path));
    ls_str_append_n(&pipeline->json_head, r->json.data, r->json.len);
    *out = ls_tokenizer_of_pipeline(pipeline);
    status = ls_tokenizer_read_configs(*out, &(ls_tokenizer_text){.config = r->config.data,
                                                                  .n_config = r->config.len,
                                                                  .generation = r->generation.data,
                                                                  .n_generation = r->generation.len,
                                                                  .dir = r->path});
    if (status != LEASH_OK) {
        ls_tokenizer_free(*out);
        *out = NULL;
    }
out:
    ls_str_release(&whole);
    json_decref(root);
    return status;
}

leash_status ls_tokenizer_load_gguf(ls_tokenizer **out, const ls_gguf *file)
{
    reading r = {.file = file,
                 .path = file->path,
                 .vocab = {.text = LS_STR_INIT},
                 .json = LS_STR_INIT,
                 .config = LS_STR_INIT,
                 .generation = LS_STR_INIT};
    leash_status status;
    LS_TRY_OUT(read_values(&r));
    LS_TRY_OUT(make_vocab(&r));
    LS_TRY_OUT(make_config(&r));
    LS_TRY_OUT(make_generation(&r));
    LS_TRY_OUT(make_tokenizer(out, &r));
out:
    ls_free(r.tokens);
    ls_free(r.types);
    ls_free(r.scores);
    ls_vocab_release(&r.vocab);
    ls_str_release(&r.json);
    ls_str_release(&r.config);
    ls_str_release(&r.generation);
    return status;
}
