/* The arrays of a tokenizer for a GGUF file.
 *
 * What GGUF leaves to the program that reads it (how text is cut, how scores become merges) is
 * checked here against what the tokenizer does, so that a file that is written gives the same ids.
 * */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "text/gguf_pre.h"
#include "text/kind.h"
#include "text/spm_merges.h"
#include "text/tokenizer_gguf.h"
#include "text/vocab_table.h"

#define SPACE_SIGN "\xe2\x96\x81"
#define SPECIAL_SCORE (-1000.0f) /* of tokens that are matched as a whole, as others write it */

/* Names of tokens that mean something to a program even where a file does not call them special. */
static bool looks_special(const char *text, size_t n)
{
    static const char *const edges[][2] = {
        {"<|", "|>"}, {"<\xef\xbd\x9c", "\xef\xbd\x9c>"}, {"<unused", ">"}};
    for (size_t i = 0; i < LS_COUNT(edges); i++) {
        size_t a = strlen(edges[i][0]), b = strlen(edges[i][1]);
        if (n > a + b && memcmp(text, edges[i][0], a) == 0 &&
            memcmp(text + n - b, edges[i][1], b) == 0)
            return true;
    }
    return false;
}

static bool is_byte_token(const ls_bpe *bpe, int32_t id)
{
    for (int byte = 0; !bpe->is_byte_level && byte < 256; byte++)
        if (bpe->symbols[byte] == id)
            return true;
    return false;
}

static void find_types(ls_gguf_tokenizer *g, const ls_pipeline *p)
{
    size_t n = 0;
    for (int64_t id = 0; id < g->n_tokens; id++) {
        bool has_token = ls_vocab_token(&p->bpe.vocab, (int32_t)id, &n) != NULL;
        g->types[id] = !has_token                            ? LS_GGUF_UNUSED
                       : is_byte_token(&p->bpe, (int32_t)id) ? LS_GGUF_BYTE
                                                             : LS_GGUF_NORMAL;
    }
    bool is_lost = false;
    for (int32_t i = 0; i < p->added.n; i++) {
        const ls_added_token *token = &p->added.tokens[i];
        const char *text = ls_vocab_token(&p->bpe.vocab, token->id, &n);
        g->types[token->id] =
            token->is_special || looks_special(text, n) ? LS_GGUF_CONTROL : LS_GGUF_USER_DEFINED;
        is_lost |= token->lstrip || token->rstrip || token->single_word;
    }
    if (is_lost)
        ls_warn("a GGUF file cannot say that an added token takes the white space beside it or "
                "needs the edges of a word: programs that read it will find such tokens anywhere");
    if (p->bpe.unk >= 0 && !p->bpe.is_byte_level)
        g->types[p->bpe.unk] = LS_GGUF_UNKNOWN;
}

/* Texts go into one buffer, which may move: their places are set at the end. */
static void add_token(ls_gguf_tokenizer *g, const ls_pipeline *p, int64_t id)
{
    size_t n = 0, before = g->text.len;
    const char *text = ls_vocab_token(&p->bpe.vocab, (int32_t)id, &n);
    if (!text) {
        ls_str_appendf(&g->text, "[PAD%lld]", (long long)id);
    } else if (g->types[id] != LS_GGUF_USER_DEFINED || p->bpe.is_byte_level) {
        ls_str_append_n(&g->text, text, n);
    } else {
        for (size_t i = 0; i < n; i++) {
            bool is_sign = n - i >= 3 && memcmp(text + i, SPACE_SIGN, 3) == 0;
            ls_str_append_char(&g->text, is_sign ? ' ' : text[i]);
            i += is_sign ? 2 : 0;
        }
    }
    g->tokens[id].n = g->text.len - before;
}

static void add_merges(ls_gguf_tokenizer *g, const ls_vocab *v)
{
    const ls_merge **merges = ls_vocab_merges_by_rank(v);
    g->merges = ls_calloc((size_t)v->n_merges + 1, sizeof *g->merges);
    for (int64_t i = 0; i < v->n_merges; i++) {
        size_t n_left = 0, n_right = 0;
        if (!merges[i])
            continue;
        const char *left = ls_vocab_token(v, (int32_t)(merges[i]->pair >> 32), &n_left);
        const char *right = ls_vocab_token(v, (int32_t)(uint32_t)merges[i]->pair, &n_right);
        ls_str_append_n(&g->text, left, n_left);
        ls_str_append_char(&g->text, ' ');
        ls_str_append_n(&g->text, right, n_right);
        g->merges[g->n_merges++].n = n_left + 1 + n_right;
    }
    ls_free(merges);
}

static void set_places(ls_gguf_tokenizer *g)
{
    const char *at = g->text.data;
    for (int64_t id = 0; id < g->n_tokens; at += g->tokens[id++].n)
        g->tokens[id].data = at;
    for (int64_t i = 0; i < g->n_merges; at += g->merges[i++].n)
        g->merges[i].data = at;
}

/* A role of tokenizer_config.json, -1: none. */
static int32_t role(const ls_tokenizer *t, const json_t *config, const char *key)
{
    const json_t *value = json_object_get(config, key);
    if (json_is_object(value))
        value = json_object_get(value, "content");
    return json_is_string(value) ? ls_tokenizer_special_id(t, json_string_value(value)) : -1;
}

static void find_roles(ls_gguf_tokenizer *g, const ls_tokenizer *t)
{
    const ls_pipeline *p = t->pipeline;
    json_t *config = json_loadb(p->config.data, p->config.len, 0, NULL);
    g->bos = p->prefix.n ? p->prefix.ids[0] : role(t, config, "bos_token");
    g->eos = t->eos;
    g->unk = p->bpe.unk >= 0 ? p->bpe.unk : role(t, config, "unk_token");
    g->pad = role(t, config, "pad_token");
    g->adds_bos = p->prefix.n > 0;
    g->adds_eos = p->suffix.n == 1 && p->suffix.ids[0] == t->eos;
    json_decref(config);
}

/* SentencePiece */

static bool is_space_step(const ls_normal_step *step)
{
    return step->type == LS_NORMAL_REPLACE && !step->regex && step->from.len == 1 &&
           step->from.data[0] == ' ' && strcmp(step->to.data, SPACE_SIGN) == 0;
}

/* Whether spaces become signs in a way that GGUF knows. */
static bool find_prefix(ls_gguf_tokenizer *g, const ls_pipeline *p)
{
    const ls_normalizer *n = &p->normalizer;
    const ls_pretokenizer *cuts = &p->pretokenizer;
    bool is_cut = cuts->n_steps > 0;
    if (n->n_steps == 0 && cuts->n_steps == 1 && cuts->steps[0].type == LS_CUT_METASPACE &&
        !cuts->steps[0].splits && strcmp(cuts->steps[0].literal.data, SPACE_SIGN) == 0) {
        g->adds_space_prefix = cuts->steps[0].prepend != LS_PREPEND_NEVER;
        if (cuts->steps[0].prepend == LS_PREPEND_FIRST)
            ls_warn("GGUF has no pre-tokenizer that puts a space before the first word alone: "
                    "behind special tokens a program may put one too");
        return true;
    }
    if (cuts->n_steps == 1 && cuts->steps[0].type == LS_CUT_LITERAL &&
        strcmp(cuts->steps[0].literal.data, " ") == 0)
        is_cut = false; /* there are no spaces left to cut at */
    g->adds_space_prefix = n->n_steps == 2;
    return !is_cut && (n->n_steps == 1 || n->n_steps == 2) &&
           is_space_step(&n->steps[n->n_steps - 1]) &&
           (n->n_steps == 1 || (n->steps[0].type == LS_NORMAL_PREPEND &&
                                strcmp(n->steps[0].to.data, SPACE_SIGN) == 0));
}

static void find_scores(ls_gguf_tokenizer *g, const ls_vocab *v)
{
    const ls_merge **merges = ls_vocab_merges_by_rank(v);
    int32_t n_scored = 0;
    for (int64_t id = 0; id < g->n_tokens; id++)
        g->scores[id] = g->types[id] == LS_GGUF_BYTE     ? 0
                        : g->types[id] != LS_GGUF_NORMAL ? SPECIAL_SCORE
                                                         : 1; /* to be found */
    for (int64_t i = 0; i < v->n_merges; i++)
        if (merges[i] && g->scores[merges[i]->id] > 0)
            g->scores[merges[i]->id] = (float)-++n_scored;
    for (int64_t id = 0; id < g->n_tokens; id++)
        if (g->scores[id] > 0)
            g->scores[id] = (float)-++n_scored;
    ls_free(merges);
}

/* Makes the merges again as a reader would; those of ordinary tokens must come in the same order.
 * */
static bool scores_tell_merges(const ls_gguf_tokenizer *g, const ls_vocab *v, int32_t n_model)
{
    ls_vocab made;
    double *scores = ls_calloc((size_t)v->n_ids + 1, sizeof *scores);
    ls_vocab_init(&made, v->text.len * 2);
    for (int32_t id = 0; id < n_model; id++) {
        size_t n = 0;
        const char *text = ls_vocab_token(v, id, &n);
        if (text)
            (void)ls_vocab_add(&made, text, n, id);
        scores[id] = g->types[id] == LS_GGUF_NORMAL ? (double)g->scores[id] : 0;
    }
    ls_spm_merges(&made, scores);
    const ls_merge **a = ls_vocab_merges_by_rank(v), **b = ls_vocab_merges_by_rank(&made);
    bool is_same = v->n_merges == made.n_merges;
    for (int64_t i = 0; is_same && i < made.n_merges; i++) {
        is_same = a[i] && b[i] &&
                  ls_vocab_merge(v, (int32_t)(b[i]->pair >> 32), (int32_t)(uint32_t)b[i]->pair);
        if (is_same && g->types[a[i]->id] == LS_GGUF_NORMAL)
            is_same = a[i]->id == b[i]->id;
    }
    ls_free(a);
    ls_free(b);
    ls_free(scores);
    ls_vocab_release(&made);
    return is_same;
}

static leash_status make_spm(ls_gguf_tokenizer *g, const ls_pipeline *p)
{
    g->model = "llama";
    g->pre = "default";
    if (!p->bpe.byte_fallback || p->bpe.unk < 0 || p->bpe.ignores_merges || !find_prefix(g, p))
        return ls_fail(LEASH_UNSUPPORTED,
                       "the tokenizer cannot be put into a GGUF file: neither byte-level BPE nor "
                       "SentencePiece's BPE with byte_fallback");
    g->scores = ls_calloc((size_t)g->n_tokens, sizeof *g->scores);
    find_scores(g, &p->bpe.vocab);
    if (!scores_tell_merges(g, &p->bpe.vocab, p->n_model_ids))
        return ls_fail(LEASH_UNSUPPORTED,
                       "the tokenizer cannot be put into a GGUF file: its merges "
                       "do not follow from scores of its tokens");
    return LEASH_OK;
}

static leash_status make_gpt2(ls_gguf_tokenizer *g, const ls_pipeline *p)
{
    const ls_gguf_pre *pre = NULL;
    LS_TRY(ls_gguf_pre_match(&pre, p));
    if (!pre)
        return ls_fail(LEASH_UNSUPPORTED,
                       "the tokenizer cannot be put into a GGUF file: GGUF has no "
                       "name for its pre_tokenizer and normalizer");
    g->model = "gpt2";
    g->pre = pre->name;
    return LEASH_OK;
}

static leash_status make(ls_gguf_tokenizer *g, const ls_tokenizer *t, int64_t n_rows)
{
    const ls_pipeline *p = t->pipeline;
    if (!p || p->is_unigram)
        return ls_fail(LEASH_UNSUPPORTED,
                       "a tokenizer of kind %s cannot be put into a GGUF file; BPE tokenizers can",
                       p ? "unigram" : t->kind->name);
    g->n_tokens = p->bpe.vocab.n_ids > n_rows ? p->bpe.vocab.n_ids : n_rows;
    g->tokens = ls_calloc((size_t)g->n_tokens, sizeof *g->tokens);
    g->types = ls_calloc((size_t)g->n_tokens, sizeof *g->types);
    find_types(g, p);
    LS_TRY(p->bpe.is_byte_level ? make_gpt2(g, p) : make_spm(g, p));
    find_roles(g, t);
    for (int64_t id = 0; id < g->n_tokens; id++)
        add_token(g, p, id);
    if (p->bpe.is_byte_level)
        add_merges(g, &p->bpe.vocab);
    set_places(g);
    return LEASH_OK;
}

leash_status ls_gguf_tokenizer_make(ls_gguf_tokenizer *out, const ls_tokenizer *t, int64_t n_rows)
{
    *out = (ls_gguf_tokenizer){.text = LS_STR_INIT};
    leash_status status = make(out, t, n_rows);
    if (status != LEASH_OK)
        ls_gguf_tokenizer_release(out);
    return status;
}

void ls_gguf_tokenizer_release(ls_gguf_tokenizer *g)
{
    ls_free(g->tokens);
    ls_free(g->types);
    ls_free(g->scores);
    ls_free(g->merges);
    ls_str_release(&g->text);
}
