/* Tokens are sorted by score, which they mostly are already; only cuts of tokens with equal scores
 * are sorted among each other. */
#include "text/spm_merges.h"

#include <stdlib.h>

#include "base/mem.h"
#include "text/utf8.h"
#include "text/vocab_table.h"

typedef struct scored {
    double score;
    int32_t id;
} scored;

typedef struct cut {
    int32_t n_left, n_right; /* characters */
    int32_t left, right, merged, order;
} cut;

typedef struct cuts {
    cut *at;
    int64_t n, cap;
} cuts;

static int compare_scores(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int compare_cuts(const void *a, const void *b)
{
    const cut *x = a, *y = b;
    if (x->n_left != y->n_left)
        return x->n_left > y->n_left ? -1 : 1;
    if (x->n_right != y->n_right)
        return x->n_right > y->n_right ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void add_cut(cuts *c, cut one)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        c->at = ls_realloc(c->at, ls_mul_size((size_t)c->cap, sizeof *c->at));
    }
    one.order = (int32_t)c->n;
    c->at[c->n++] = one;
}

static void cut_token(cuts *c, const ls_vocab *v, int32_t id)
{
    size_t n = 0, length;
    int32_t n_chars = 0, n_left = 0;
    const char *text = ls_vocab_token(v, id, &n);
    for (size_t i = 0; i < n; i += length, n_chars++)
        ls_utf8_at(text + i, &length);
    for (size_t i = 0; i < n; i += length, n_left++) {
        ls_utf8_at(text + i, &length);
        if (i == 0)
            continue;
        int32_t left = ls_vocab_find(v, text, i);
        int32_t right = left < 0 ? -1 : ls_vocab_find(v, text + i, n - i);
        if (right >= 0)
            add_cut(c, (cut){n_left, n_chars - n_left, left, right, id, 0});
    }
}

void ls_spm_merges(ls_vocab *v, const double *scores)
{
    scored *tokens = ls_calloc((size_t)v->n_ids + 1, sizeof *tokens);
    cuts c = {0};
    int32_t n = 0;
    bool is_sorted = true;
    for (int32_t id = 0; id < v->n_ids; id++) {
        if (v->places[id].length < 0)
            continue;
        tokens[n++] = (scored){scores[id], id};
        is_sorted &= n < 2 || tokens[n - 2].score >= scores[id];
    }
    if (!is_sorted)
        qsort(tokens, (size_t)n, sizeof *tokens, compare_scores);
    for (int32_t i = 0; i < n; i++) {
        cut_token(&c, v, tokens[i].id);
        if (i + 1 < n && tokens[i + 1].score == tokens[i].score)
            continue;
        if (c.n > 1)
            qsort(c.at, (size_t)c.n, sizeof *c.at, compare_cuts);
        for (int64_t j = 0; j < c.n; j++)
            ls_vocab_add_merge(v, c.at[j].left, c.at[j].right, c.at[j].merged);
        c.n = 0;
    }
    ls_free(c.at);
    ls_free(tokens);
}
