/* Encoding: the walk of pipeline.h. */
#include "text/pipeline.h"

#include <string.h>

#include "base/mem.h"
#include "text/part.h"

struct ls_work {
    ls_bpe_work *bpe;
    ls_unigram_work unigram;
    ls_regex_match *match;
    ls_str repaired, normal, spare;
    ls_str buffers[LS_MOST_PARTS];
};

static ls_work *work_new(void)
{
    ls_work *work = ls_calloc(1, sizeof *work);
    work->bpe = ls_bpe_work_new();
    work->match = ls_regex_match_new();
    ls_str_init(&work->repaired);
    ls_str_init(&work->normal);
    ls_str_init(&work->spare);
    for (size_t i = 0; i < LS_COUNT(work->buffers); i++)
        ls_str_init(&work->buffers[i]);
    return work;
}

static void work_free(ls_work *work)
{
    if (!work)
        return;
    ls_bpe_work_free(work->bpe);
    ls_unigram_work_release(&work->unigram);
    ls_regex_match_free(work->match);
    ls_str_release(&work->repaired);
    ls_str_release(&work->normal);
    ls_str_release(&work->spare);
    for (size_t i = 0; i < LS_COUNT(work->buffers); i++)
        ls_str_release(&work->buffers[i]);
    ls_free(work);
}

/* A work that no other thread uses; *slot is where it goes back, -1: it is to be freed. */
static ls_work *borrow(ls_pipeline *p, int *slot)
{
    for (int i = 0; i < LS_N_WORKS; i++)
        if (!atomic_flag_test_and_set_explicit(&p->is_used[i], memory_order_acquire)) {
            if (!p->works[i])
                p->works[i] = work_new();
            *slot = i;
            return p->works[i];
        }
    *slot = -1;
    return work_new();
}

static void give_back(ls_pipeline *p, ls_work *work, int slot)
{
    if (slot < 0)
        work_free(work);
    else
        atomic_flag_clear_explicit(&p->is_used[slot], memory_order_release);
}

typedef struct encoding {
    ls_pipeline *p;
    ls_work *work;
    ls_ids *out;
    bool takes_specials;
} encoding;

static leash_status take_word(void *user, const char *word, size_t n)
{
    encoding *e = user;
    if (e->p->is_unigram)
        return ls_unigram_encode(&e->p->unigram, &e->work->unigram, e->out, word, n);
    return ls_bpe_encode(&e->p->bpe, e->work->bpe, e->out, word, n);
}

static leash_status encode_normal(encoding *e, const char *text, size_t n, bool is_start)
{
    ls_cutting cutting = {.pretokenizer = &e->p->pretokenizer,
                          .match = e->work->match,
                          .buffers = e->work->buffers,
                          .sink = take_word,
                          .user = e};
    ls_added_walk walk;
    ls_added_walk_init(&walk, &e->p->added, &e->p->added.normalized, text, n, e->takes_specials);
    while (ls_added_walk_next(&walk)) {
        if (walk.id >= 0) {
            ls_ids_reserve(e->out, 1);
            e->out->ids[e->out->n++] = walk.id;
        } else {
            LS_TRY(ls_pretokenize(&cutting, text + walk.begin, walk.end - walk.begin,
                                  is_start && walk.begin == 0));
        }
    }
    return LEASH_OK;
}

static leash_status encode_text(encoding *e, const char *text, size_t n)
{
    ls_work *work = e->work;
    ls_added_walk walk;
    ls_added_walk_init(&walk, &e->p->added, &e->p->added.raw, text, n, e->takes_specials);
    while (ls_added_walk_next(&walk)) {
        const char *piece = text + walk.begin;
        size_t n_piece = walk.end - walk.begin;
        if (walk.id >= 0) {
            ls_ids_reserve(e->out, 1);
            e->out->ids[e->out->n++] = walk.id;
            continue;
        }
        if (e->p->normalizer.n_steps) {
            LS_TRY(ls_normalizer_run(&e->p->normalizer, &work->normal, &work->spare, work->match,
                                     piece, n_piece));
            piece = work->normal.data;
            n_piece = work->normal.len;
        }
        LS_TRY(encode_normal(e, piece, n_piece, walk.begin == 0));
    }
    return LEASH_OK;
}

static void push_affix(ls_ids *out, const ls_affix *affix)
{
    ls_ids_reserve(out, affix->n);
    for (int i = 0; i < affix->n; i++)
        out->ids[out->n++] = affix->ids[i];
}

leash_status ls_pipeline_encode(ls_pipeline *p, ls_ids *out, const char *text, size_t n,
                                unsigned flags)
{
    int slot;
    ls_work *work = borrow(p, &slot);
    encoding e = {p, work, out, (flags & LS_ENCODE_SPECIALS) != 0};
    int64_t before = out->n;
    if (flags & LS_ENCODE_AFFIXES)
        push_affix(out, &p->prefix);
    if (ls_utf8_valid_length(text, n) < n) {
        int64_t n_replaced = 0;
        ls_str_clear(&work->repaired);
        ls_utf8_repair(&work->repaired, text, n, true, &n_replaced);
        text = work->repaired.data;
        n = work->repaired.len;
    }
    leash_status status = encode_text(&e, text, n);
    if (flags & LS_ENCODE_AFFIXES)
        push_affix(out, &p->suffix);
    if (status != LEASH_OK)
        out->n = before;
    give_back(p, work, slot);
    return status;
}

void ls_pipeline_free(ls_pipeline *p)
{
    if (!p)
        return;
    for (int i = 0; i < LS_N_WORKS; i++)
        work_free(p->works[i]);
    ls_vocab_release(&p->bpe.vocab);
    ls_unigram_release(&p->unigram);
    ls_added_tokens_release(&p->added);
    ls_normalizer_release(&p->normalizer);
    ls_pretokenizer_release(&p->pretokenizer);
    ls_decoding_release(&p->decoding);
    ls_str_release(&p->json);
    ls_str_release(&p->json_head);
    ls_str_release(&p->config);
    ls_free(p);
}
