/* Tokenizers without their kinds and files: construction, ids, pieces, growing arrays of ids.
 *
 * The byte and char kinds have specials after the ordinary ids, and text never becomes one. */
#include "text/tokenizer.h"

#include <string.h>

#include "base/mem.h"
#include "text/kind.h"

static const ls_tokenizer_kind *const kinds[] = {&ls_byte_kind, &ls_char_kind};

const ls_tokenizer_kind *const *ls_tokenizer_kinds(size_t *n)
{
    *n = LS_COUNT(kinds);
    return kinds;
}

ls_tokenizer *ls_tokenizer_alloc(const ls_tokenizer_kind *kind)
{
    ls_tokenizer *t = ls_calloc(1, sizeof *t);
    t->kind = kind;
    t->bos = t->eos = -1;
    ls_str_init(&t->generation);
    return t;
}

/* An ordinary piece is its own text when that is printable, else <0xNN> for each of its bytes. */
static char *make_piece(const ls_tokenizer *t, int32_t id)
{
    ls_str bytes = LS_STR_INIT, piece = LS_STR_INIT;
    t->kind->append(t, id, &bytes);
    unsigned char first = (unsigned char)bytes.data[0];
    bool is_printable = bytes.len > 1 || (first >= 0x20 && first < 0x7f);
    for (size_t i = 0; i < bytes.len; i++) {
        if (is_printable)
            ls_str_append_char(&piece, bytes.data[i]);
        else
            ls_str_appendf(&piece, "<0x%02X>", (unsigned char)bytes.data[i]);
    }
    ls_str_release(&bytes);
    return ls_str_steal(&piece);
}

void ls_tokenizer_finish(ls_tokenizer *t, const char *const *specials, int32_t n_special)
{
    t->n_special = n_special;
    t->pieces = ls_calloc((size_t)ls_tokenizer_vocab_size(t), sizeof *t->pieces);
    for (int32_t id = 0; id < t->n_ordinary; id++)
        t->pieces[id] = make_piece(t, id);
    for (int32_t i = 0; i < n_special; i++)
        t->pieces[t->n_ordinary + i] = ls_strdup(specials[i]);
}

int32_t ls_tokenizer_special_id(const ls_tokenizer *t, const char *text)
{
    if (t->pipeline)
        return ls_vocab_find(&t->pipeline->bpe.vocab, text, strlen(text));
    for (int32_t id = t->n_ordinary; id < ls_tokenizer_vocab_size(t); id++)
        if (strcmp(t->pieces[id], text) == 0)
            return id;
    return -1;
}

ls_tokenizer *ls_tokenizer_of_pipeline(ls_pipeline *pipeline)
{
    ls_tokenizer *t = ls_tokenizer_alloc(NULL);
    t->pipeline = pipeline;
    t->n_ordinary = pipeline->bpe.vocab.n_ids;
    return t;
}

static leash_status find_kind(const ls_tokenizer_kind **out, const char *name, size_t n)
{
    ls_str list = LS_STR_INIT;
    for (size_t i = 0; i < LS_COUNT(kinds); i++) {
        if (strlen(kinds[i]->name) == n && memcmp(kinds[i]->name, name, n) == 0) {
            *out = kinds[i];
            ls_str_release(&list);
            return LEASH_OK;
        }
        ls_str_appendf(&list, "%s%s (%s)", i ? ", " : "", kinds[i]->name, kinds[i]->help);
    }
    leash_status status =
        ls_fail(LEASH_USAGE, "there is no tokenizer \"%.*s\"; expected one of: %s", (int)n, name,
                list.data);
    ls_str_release(&list);
    return status;
}

leash_status ls_tokenizer_new(ls_tokenizer **out, const char *kind)
{
    size_t n = strcspn(kind, ":");
    const ls_tokenizer_kind *found = NULL;
    LS_TRY(find_kind(&found, kind, n));
    ls_tokenizer *t = ls_tokenizer_alloc(found);
    leash_status status = found->create(t, kind[n] == ':' ? kind + n + 1 : "");
    if (status != LEASH_OK) {
        ls_tokenizer_free(t);
        return status;
    }
    static const char *const specials[] = {"<|eos|>"};
    ls_tokenizer_finish(t, specials, LS_COUNT(specials));
    t->eos = t->n_ordinary;
    *out = t;
    return LEASH_OK;
}

void ls_tokenizer_free(ls_tokenizer *t)
{
    if (!t)
        return;
    for (int32_t id = 0; t->pieces && id < ls_tokenizer_vocab_size(t); id++)
        ls_free(t->pieces[id]);
    ls_free(t->pieces);
    ls_free(t->entries);
    ls_free(t->codepoints);
    ls_free(t->stop_ids);
    ls_str_release(&t->generation);
    ls_pipeline_free(t->pipeline);
    ls_free(t);
}

int32_t ls_tokenizer_vocab_size(const ls_tokenizer *t)
{
    return t->n_ordinary + t->n_special;
}

int32_t ls_tokenizer_bos(const ls_tokenizer *t)
{
    return t->bos;
}

int32_t ls_tokenizer_eos(const ls_tokenizer *t)
{
    return t->eos;
}

int32_t ls_tokenizer_stop_ids(const ls_tokenizer *t, const int32_t **ids)
{
    *ids = t->n_stop ? t->stop_ids : &t->eos;
    return t->n_stop ? t->n_stop : t->eos >= 0;
}

leash_status ls_tokenizer_encode_as(const ls_tokenizer *t, unsigned flags, const char *text,
                                    size_t n_bytes, int32_t **ids, int64_t *n, int64_t *cap)
{
    ls_ids out = {*ids, *n, *cap};
    leash_status status = LEASH_OK;
    if (t->pipeline) {
        status = ls_pipeline_encode(t->pipeline, &out, text, n_bytes, flags);
    } else if (n_bytes) {
        /* These kinds make no more ids than bytes. */
        int64_t n_new = 0;
        ls_ids_reserve(&out, (int64_t)n_bytes);
        status = t->kind->encode(t, out.ids + out.n, &n_new, text, n_bytes);
        if (status == LEASH_OK)
            out.n += n_new;
    }
    *ids = out.ids;
    *n = out.n;
    *cap = out.cap;
    return status;
}

leash_status ls_tokenizer_encode(const ls_tokenizer *t, const char *text, size_t n_bytes,
                                 int32_t **ids, int64_t *n, int64_t *cap)
{
    return ls_tokenizer_encode_as(t, 0, text, n_bytes, ids, n, cap);
}

bool ls_tokenizer_is_special(const ls_tokenizer *t, int32_t id)
{
    if (id < 0 || id >= ls_tokenizer_vocab_size(t))
        return false;
    return t->pipeline ? t->pipeline->added.is_special[id] : id >= t->n_ordinary;
}

void ls_tokenizer_decode(const ls_tokenizer *t, const int32_t *ids, int64_t n, bool with_specials,
                         ls_str *out)
{
    if (t->pipeline) {
        ls_decoder d;
        ls_decoder_init(&d, t, with_specials);
        d.is_whole = true;
        for (int64_t i = 0; i < n; i++)
            ls_decoder_push(&d, ids[i], out);
        ls_decoder_finish(&d, out);
        ls_decoder_release(&d);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] >= 0 && ids[i] < t->n_ordinary)
            t->kind->append(t, ids[i], out);
        else if (with_specials && ls_tokenizer_is_special(t, ids[i]))
            ls_str_append(out, t->pieces[ids[i]]);
    }
}

const char *ls_tokenizer_piece(const ls_tokenizer *t, int32_t id)
{
    size_t n_bytes;
    if (!t->pipeline)
        return id >= 0 && id < ls_tokenizer_vocab_size(t) ? t->pieces[id] : "";
    const char *token = ls_vocab_token(&t->pipeline->bpe.vocab, id, &n_bytes);
    return token ? token : "";
}

void ls_tokenizer_describe(const ls_tokenizer *t, ls_str *out)
{
    ls_str_appendf(out, "%s, %d tokens",
                   t->pipeline ? t->pipeline->is_unigram ? "unigram" : "bpe" : t->kind->name,
                   (int)ls_tokenizer_vocab_size(t));
}
