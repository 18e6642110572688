/* The tree of pieces and the search for the best path. */
#include "text/unigram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

#define UNK_PENALTY 10.0

struct ls_best_end { /* the best way to a place of the text */
    double score;
    int32_t start, id; /* start of its last piece, -1: no way is known yet */
};

struct ls_unigram_span {
    int32_t start, end, id;
};

/* The tree */

typedef struct entry {
    const char *text;
    size_t n;
    int32_t id;
} entry;

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* The entries under a node: all that begin with its bytes. */
typedef struct range {
    int32_t begin, end, depth;
} range;

static int32_t add_node(ls_unigram *u, range **ranges, range r, unsigned char byte)
{
    if (u->n_nodes == u->cap) {
        u->cap = u->cap ? u->cap * 2 : 1024;
        u->nodes = ls_realloc(u->nodes, ls_mul_size((size_t)u->cap, sizeof *u->nodes));
        u->bytes = ls_realloc(u->bytes, (size_t)u->cap);
        *ranges = ls_realloc(*ranges, ls_mul_size((size_t)u->cap, sizeof **ranges));
    }
    u->nodes[u->n_nodes] = (ls_piece_node){0, -1, 0};
    u->bytes[u->n_nodes] = byte;
    (*ranges)[u->n_nodes] = r;
    return u->n_nodes++;
}

/* Gives a node its piece and its children, which go behind all nodes there are. */
static void expand(ls_unigram *u, range **ranges, const entry *entries, int32_t node)
{
    range r = (*ranges)[node];
    if (r.begin < r.end && entries[r.begin].n == (size_t)r.depth)
        u->nodes[node].token = entries[r.begin++].id;
    int32_t first = u->n_nodes;
    while (r.begin < r.end) {
        unsigned char byte = (unsigned char)entries[r.begin].text[r.depth];
        int32_t end = r.begin + 1;
        while (end < r.end && (unsigned char)entries[end].text[r.depth] == byte)
            end++;
        add_node(u, ranges, (range){r.begin, end, r.depth + 1}, byte);
        r.begin = end;
    }
    u->nodes[node].first = first;
    u->nodes[node].n_children = (int16_t)(u->n_nodes - first);
}

static void build_tree(ls_unigram *u)
{
    const ls_vocab *v = u->vocab;
    entry *entries = ls_calloc((size_t)v->n_ids + 1, sizeof *entries);
    range *ranges = NULL;
    int32_t n = 0;
    for (int32_t id = 0; id < v->n_ids; id++) {
        entry e = {.id = id};
        e.text = ls_vocab_token(v, id, &e.n);
        if (e.text && e.n)
            entries[n++] = e;
    }
    qsort(entries, (size_t)n, sizeof *entries, compare_entries);
    add_node(u, &ranges, (range){0, n, 0}, 0);
    for (int32_t node = 0; node < u->n_nodes; node++)
        expand(u, &ranges, entries, node);
    ls_free(ranges);
    ls_free(entries);
}

void ls_unigram_init(ls_unigram *u, const ls_vocab *vocab, int32_t unk, bool byte_fallback)
{
    *u = (ls_unigram){
        .vocab = vocab, .n_pieces = vocab->n_ids, .unk = unk, .byte_fallback = byte_fallback};
    for (int byte = 0; byte < 256; byte++) {
        char text[8];
        int n = snprintf(text, sizeof text, "<0x%02X>", (unsigned)byte);
        u->symbols[byte] = ls_vocab_find(vocab, text, (size_t)n);
    }
    double least = 0;
    for (int32_t id = 0; id < vocab->n_ids; id++)
        least = id == 0 || vocab->scores[id] < least ? vocab->scores[id] : least;
    u->unk_score = least - UNK_PENALTY;
    build_tree(u);
}

void ls_unigram_release(ls_unigram *u)
{
    ls_free(u->nodes);
    ls_free(u->bytes);
}

void ls_unigram_work_release(ls_unigram_work *work)
{
    ls_free(work->ends);
    ls_free(work->spans);
}

/* The child by a byte, -1: none. */
static inline int32_t child_of(const ls_unigram *u, int32_t node, unsigned char byte)
{
    const ls_piece_node *n = &u->nodes[node];
    if (n->n_children == 0)
        return -1;
    const unsigned char *bytes = u->bytes + n->first;
    if (n->n_children == 256)
        return n->first + byte;
    const unsigned char *found = memchr(bytes, byte, (size_t)n->n_children);
    return found ? n->first + (int32_t)(found - bytes) : -1;
}

/* The best path */

static void offer(struct ls_best_end *end, double score, int32_t start, int32_t id)
{
    if (end->start < 0 || score > end->score)
        *end = (struct ls_best_end){score, start, id};
}

/* Offers every piece that starts at `at`; whether one of them is the character there. */
static bool offer_pieces(const ls_unigram *u, struct ls_best_end *ends, const char *text, size_t n,
                         size_t at, size_t length)
{
    bool is_covered = false;
    double here = ends[at].score;
    int32_t node = 0;
    for (size_t i = at; i < n; i++) {
        node = child_of(u, node, (unsigned char)text[i]);
        if (node < 0)
            break;
        int32_t id = u->nodes[node].token;
        if (id < 0)
            continue;
        offer(&ends[i + 1], u->vocab->scores[id] + here, (int32_t)at, id);
        is_covered |= i + 1 == at + length;
    }
    return is_covered;
}

static leash_status find_path(const ls_unigram *u, struct ls_best_end *ends, const char *text,
                              size_t n)
{
    for (size_t i = 0; i <= n; i++)
        ends[i] = (struct ls_best_end){0, -1, -1};
    for (size_t at = 0, length; at < n; at += length) {
        ls_utf8_at(text + at, &length);
        if (offer_pieces(u, ends, text, n, at, length))
            continue;
        struct ls_best_end *end = &ends[at + length];
        double score = u->unk_score + ends[at].score;
        if (end->start >= 0 && !(score > end->score))
            continue;
        if (u->unk < 0)
            return ls_fail(LEASH_DATA, "\"%.*s\" has no token and the tokenizer no unk_id",
                           (int)length, text + at);
        *end = (struct ls_best_end){score, (int32_t)at, u->unk};
    }
    return LEASH_OK;
}

static void add_span(ls_unigram_work *w, struct ls_unigram_span span)
{
    if (w->n_spans == w->cap_spans) {
        w->cap_spans = w->cap_spans ? w->cap_spans * 2 : 64;
        w->spans = ls_realloc(w->spans, ls_mul_size((size_t)w->cap_spans, sizeof *w->spans));
    }
    w->spans[w->n_spans++] = span;
}

/* The pieces from the last to the first; neighbours that are unk grow together. */
static void trace_back(const ls_unigram *u, ls_unigram_work *w, size_t n)
{
    w->n_spans = 0;
    for (int32_t end = (int32_t)n; end > 0; end = w->ends[end].start) {
        const struct ls_best_end *last = &w->ends[end];
        bool is_unk = u->unk >= 0 && last->id == u->unk;
        struct ls_unigram_span *after = w->n_spans ? &w->spans[w->n_spans - 1] : NULL;
        if (is_unk && after && after->id == u->unk)
            after->start = last->start;
        else
            add_span(w, (struct ls_unigram_span){last->start, end, last->id});
    }
}

static void push_id(ls_ids *out, int32_t id)
{
    ls_ids_reserve(out, 1);
    out->ids[out->n++] = id;
}

static void push_unk(const ls_unigram *u, ls_ids *out, const char *text, size_t n)
{
    int32_t whole = ls_vocab_find(u->vocab, text, n);
    if (whole >= u->n_pieces)
        whole = -1;
    bool has_bytes = whole < 0 && u->byte_fallback;
    for (size_t i = 0; has_bytes && i < n; i++)
        has_bytes = u->symbols[(unsigned char)text[i]] >= 0;
    for (size_t i = 0; has_bytes && i < n; i++)
        push_id(out, u->symbols[(unsigned char)text[i]]);
    if (!has_bytes)
        push_id(out, whole >= 0 ? whole : u->unk);
}

leash_status ls_unigram_encode(const ls_unigram *u, ls_unigram_work *w, ls_ids *out,
                               const char *text, size_t n)
{
    if (n > INT32_MAX / 4)
        return ls_fail(LEASH_DATA, "a text of %zu bytes is too long for the tokenizer", n);
    if ((int64_t)n + 1 > w->cap) {
        w->cap = (int64_t)n + (int64_t)n / 2 + 64;
        w->ends = ls_realloc(w->ends, ls_mul_size((size_t)w->cap, sizeof *w->ends));
    }
    LS_TRY(find_path(u, w->ends, text, n));
    trace_back(u, w, n);
    for (int64_t i = w->n_spans; i-- > 0;) {
        const struct ls_unigram_span *span = &w->spans[i];
        if (u->unk >= 0 && span->id == u->unk)
            push_unk(u, out, text + span->start, (size_t)(span->end - span->start));
        else
            push_id(out, span->id);
    }
    return LEASH_OK;
}
