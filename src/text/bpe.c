/* Merging.  Short words: all pairs in an array, the least one found by looking at each.  Long words
 * (whole documents in models without pre-tokenizer): symbols in a linked list and a heap of pairs,
 * n log n.  Both merge the same pairs in the same order. */
#include "text/bpe.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "text/utf8.h"

#define SHORT_WORD 48
#define CACHE_SLOTS 16384u
#define CACHE_BYTES 26
#define CACHE_IDS 9

/* 64 bytes: one line of the processor's cache. */
typedef struct cached {
    unsigned char n_bytes, n_ids; /* n_bytes 0: free */
    char bytes[CACHE_BYTES];
    int32_t ids[CACHE_IDS];
} cached;
static_assert(sizeof(cached) == 64, "one cache line");

typedef struct symbol {
    int32_t id, before, next; /* neighbours' places, -1: none; id -1: merged away */
} symbol;

typedef struct candidate {
    uint64_t key; /* rank << 32 | place of the left symbol: least first */
    int32_t id;   /* of the merged token */
} candidate;

struct ls_bpe_work {
    cached *cache;
    symbol *symbols;
    candidate *heap;
    int64_t cap, n_heap; /* symbols and heap have room for cap and 3 cap */
    ls_ids word;
    ls_str mapped;
};

void ls_ids_reserve(ls_ids *ids, int64_t n_more)
{
    int64_t need = ids->n + n_more;
    if (need <= ids->cap)
        return;
    ids->cap = need > ids->cap * 2 ? need : ids->cap * 2;
    ids->ids = ls_realloc(ids->ids, ls_mul_size((size_t)ids->cap, sizeof *ids->ids));
}

static void push_id(ls_ids *ids, int32_t id)
{
    ls_ids_reserve(ids, 1);
    ids->ids[ids->n++] = id;
}

ls_bpe_work *ls_bpe_work_new(void)
{
    ls_bpe_work *work = ls_calloc(1, sizeof *work);
    work->cache = ls_calloc(CACHE_SLOTS, sizeof *work->cache);
    ls_str_init(&work->mapped);
    return work;
}

void ls_bpe_work_free(ls_bpe_work *work)
{
    if (!work)
        return;
    ls_free(work->cache);
    ls_free(work->symbols);
    ls_free(work->heap);
    ls_free(work->word.ids);
    ls_str_release(&work->mapped);
    ls_free(work);
}

static bool is_own_symbol(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

uint32_t ls_byte_symbol(unsigned char byte)
{
    /* The others in order: 0x00-0x20, 0x7f-0xa0, 0xad. */
    return is_own_symbol(byte) ? byte
           : byte <= 0x20      ? 256u + byte
           : byte <= 0xa0      ? 256u + 33u + (byte - 0x7fu)
                               : 256u + 33u + 34u;
}

int ls_byte_of_symbol(uint32_t codepoint)
{
    if (codepoint < 256)
        return is_own_symbol(codepoint) ? (int)codepoint : -1;
    uint32_t i = codepoint - 256;
    return i < 33 ? (int)i : i < 67 ? (int)(i - 33 + 0x7f) : i == 67 ? 0xad : -1;
}

/* Whether "\u2581" (E2 96 81) stands at a place. */
static bool is_space_sign(const char *at)
{
    return memcmp(at, "\xe2\x96\x81", 3) == 0;
}

/* The last bytes of left parts that merge with a right one that begins with the sign. */
static void find_reaching(ls_bpe *bpe)
{
    const ls_vocab *v = &bpe->vocab;
    for (uint64_t i = 0; i < v->n_merge_slots; i++) {
        if (v->merges[i].pair == UINT64_MAX)
            continue;
        size_t n_left = 0, n_right = 0;
        const char *left = ls_vocab_token(v, (int32_t)(v->merges[i].pair >> 32), &n_left);
        const char *right = ls_vocab_token(v, (int32_t)(uint32_t)v->merges[i].pair, &n_right);
        if (n_right >= 3 && is_space_sign(right) && n_left > 0 &&
            (n_left < 3 || !is_space_sign(left + n_left - 3)))
            bpe->reaches_across[(unsigned char)left[n_left - 1]] = true;
    }
}

void ls_bpe_finish(ls_bpe *bpe)
{
    bool has_all_bytes = true;
    for (int byte = 0; byte < 256; byte++) {
        char text[8];
        size_t n = bpe->is_byte_level
                       ? ls_utf8_put(text, ls_byte_symbol((unsigned char)byte))
                       : (size_t)snprintf(text, sizeof text, "<0x%02X>", (unsigned)byte);
        bpe->symbols[byte] = ls_vocab_find(&bpe->vocab, text, n);
        has_all_bytes &= bpe->symbols[byte] >= 0;
    }
    for (int c = 0; c < 128; c++) {
        char text = (char)c;
        bpe->ascii[c] = ls_vocab_find(&bpe->vocab, &text, 1);
    }
    /* An unk could fuse with one behind the cut, and ignore_merges looks at whole words. */
    bpe->cuts_at_space_sign = !bpe->is_byte_level && bpe->byte_fallback && has_all_bytes &&
                              !bpe->ignores_merges &&
                              ls_vocab_find(&bpe->vocab, "\xe2\x96\x81", 3) >= 0;
    if (bpe->cuts_at_space_sign)
        find_reaching(bpe);
}

/* Symbols.  What has no token in any way is left out, as in the Hugging Face library; a warning at
 * loading tells of it. */

static void byte_symbols(const ls_bpe *bpe, ls_ids *out, const char *word, size_t n)
{
    bool was_unk = false;
    for (size_t i = 0; i < n; i++) {
        int32_t id = bpe->symbols[(unsigned char)word[i]];
        bool is_unk = id < 0;
        if (is_unk && (bpe->unk < 0 || (was_unk && bpe->fuses_unk)))
            continue;
        out->ids[out->n++] = is_unk ? bpe->unk : id;
        was_unk = is_unk;
    }
}

/* The bytes of a character as tokens: all or none. */
static bool push_bytes(const ls_bpe *bpe, ls_ids *out, const char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bpe->symbols[(unsigned char)at[i]] < 0)
            return false;
    for (size_t i = 0; i < n; i++)
        push_id(out, bpe->symbols[(unsigned char)at[i]]);
    return true;
}

/* An unk waits for the next character that is none: it may fuse with those between, and byte tokens
 * go before it, as in the Hugging Face library. */
static void char_symbols(const ls_bpe *bpe, ls_ids *out, const char *word, size_t n)
{
    bool has_unk = false;
    for (size_t i = 0, length; i < n; i += length) {
        uint32_t c = ls_utf8_at(word + i, &length);
        int32_t id = c < 0x80 ? bpe->ascii[c] : ls_vocab_find(&bpe->vocab, word + i, length);
        if (id >= 0) {
            if (has_unk)
                push_id(out, bpe->unk);
            has_unk = false;
            push_id(out, id);
        } else if (!bpe->byte_fallback || !push_bytes(bpe, out, word + i, length)) {
            if (has_unk && !bpe->fuses_unk)
                push_id(out, bpe->unk);
            has_unk = bpe->unk >= 0;
        }
    }
    if (has_unk)
        push_id(out, bpe->unk);
}

/* Merging */

typedef struct pair_state {
    int32_t rank, id; /* rank INT32_MAX: no merge */
} pair_state;

static pair_state find_pair(const ls_bpe *bpe, int32_t left, int32_t right)
{
    const ls_merge *merge = ls_vocab_merge(&bpe->vocab, left, right);
    return merge ? (pair_state){merge->rank, merge->id} : (pair_state){INT32_MAX, -1};
}

/* In place; returns the number of ids left. */
static int64_t merge_short(const ls_bpe *bpe, int32_t *ids, int64_t n)
{
    pair_state pairs[SHORT_WORD];
    for (int64_t i = 0; i + 1 < n; i++)
        pairs[i] = find_pair(bpe, ids[i], ids[i + 1]);
    while (n > 1) {
        int64_t best = 0;
        for (int64_t i = 1; i + 1 < n; i++)
            if (pairs[i].rank < pairs[best].rank)
                best = i;
        if (pairs[best].rank == INT32_MAX)
            break;
        ids[best] = pairs[best].id;
        n--;
        memmove(ids + best + 1, ids + best + 2, (size_t)(n - best - 1) * sizeof *ids);
        if (best + 1 < n)
            memmove(pairs + best + 1, pairs + best + 2, (size_t)(n - best - 2) * sizeof *pairs);
        if (best > 0)
            pairs[best - 1] = find_pair(bpe, ids[best - 1], ids[best]);
        if (best + 1 < n)
            pairs[best] = find_pair(bpe, ids[best], ids[best + 1]);
    }
    return n;
}

static void heap_push(ls_bpe_work *w, candidate c)
{
    int64_t i = w->n_heap++;
    for (int64_t up; i > 0 && w->heap[up = (i - 1) / 2].key > c.key; i = up)
        w->heap[i] = w->heap[up];
    w->heap[i] = c;
}

static candidate heap_pop(ls_bpe_work *w)
{
    candidate top = w->heap[0], last = w->heap[--w->n_heap];
    int64_t i = 0;
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= w->n_heap)
            break;
        if (child + 1 < w->n_heap && w->heap[child + 1].key < w->heap[child].key)
            child++;
        if (w->heap[child].key >= last.key)
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return top;
}

static void push_pair(const ls_bpe *bpe, ls_bpe_work *w, int32_t left)
{
    if (left < 0 || w->symbols[left].next < 0)
        return;
    pair_state pair = find_pair(bpe, w->symbols[left].id, w->symbols[w->symbols[left].next].id);
    if (pair.rank != INT32_MAX)
        heap_push(w, (candidate){ls_vocab_pair(pair.rank, left), pair.id});
}

/* A candidate is stale when its symbols have merged since: then the pair at its place does not give
 * the same token any more. */
static bool is_stale(const ls_bpe *bpe, const ls_bpe_work *w, int32_t place, int32_t id)
{
    const symbol *left = &w->symbols[place];
    return left->id < 0 || left->next < 0 ||
           find_pair(bpe, left->id, w->symbols[left->next].id).id != id;
}

static int64_t merge_long(const ls_bpe *bpe, ls_bpe_work *w, int32_t *ids, int64_t n)
{
    if (n > w->cap) {
        w->cap = n + n / 2;
        w->symbols = ls_realloc(w->symbols, ls_mul_size((size_t)w->cap, sizeof *w->symbols));
        /* n pairs at the start, two more for each of n-1 merges */
        w->heap = ls_realloc(w->heap, ls_mul_size((size_t)w->cap * 3, sizeof *w->heap));
    }
    w->n_heap = 0;
    for (int32_t i = 0; i < n; i++)
        w->symbols[i] = (symbol){ids[i], i - 1, i + 1 < n ? i + 1 : -1};
    for (int32_t i = 0; i + 1 < n; i++)
        push_pair(bpe, w, i);
    while (w->n_heap) {
        candidate c = heap_pop(w);
        int32_t place = (int32_t)(uint32_t)c.key;
        if (is_stale(bpe, w, place, c.id))
            continue;
        symbol *left = &w->symbols[place], *right = &w->symbols[left->next];
        left->id = c.id;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0)
            w->symbols[left->next].before = place;
        push_pair(bpe, w, left->before);
        push_pair(bpe, w, place);
    }
    int64_t n_out = 0;
    for (int32_t i = 0; i >= 0; i = w->symbols[i].next)
        ids[n_out++] = w->symbols[i].id;
    return n_out;
}

static int32_t whole_word(const ls_bpe *bpe, ls_bpe_work *w, const char *word, size_t n)
{
    if (!bpe->is_byte_level)
        return ls_vocab_find(&bpe->vocab, word, n);
    ls_str_clear(&w->mapped);
    for (size_t i = 0; i < n; i++) {
        char utf8[5];
        ls_str_append_n(&w->mapped, utf8,
                        ls_utf8_put(utf8, ls_byte_symbol((unsigned char)word[i])));
    }
    return ls_vocab_find(&bpe->vocab, w->mapped.data, w->mapped.len);
}

static leash_status encode_word(const ls_bpe *bpe, ls_bpe_work *w, ls_ids *out, const char *word,
                                size_t n)
{
    if (bpe->ignores_merges) {
        int32_t id = whole_word(bpe, w, word, n);
        if (id >= 0) {
            push_id(out, id);
            return LEASH_OK;
        }
    }
    if (n > INT32_MAX / 4)
        return ls_fail(LEASH_DATA, "a word of %zu bytes is too long for the tokenizer", n);
    w->word.n = 0;
    ls_ids_reserve(&w->word, (int64_t)n);
    if (bpe->is_byte_level)
        byte_symbols(bpe, &w->word, word, n);
    else
        char_symbols(bpe, &w->word, word, n);
    w->word.n = w->word.n <= SHORT_WORD ? merge_short(bpe, w->word.ids, w->word.n)
                                        : merge_long(bpe, w, w->word.ids, w->word.n);
    if (w->word.n == 0)
        return LEASH_OK;
    ls_ids_reserve(out, w->word.n);
    memcpy(out->ids + out->n, w->word.ids, (size_t)w->word.n * sizeof *out->ids);
    out->n += w->word.n;
    return LEASH_OK;
}

static leash_status encode_cached(const ls_bpe *bpe, ls_bpe_work *w, ls_ids *out, const char *word,
                                  size_t n)
{
    if (n > CACHE_BYTES)
        return encode_word(bpe, w, out, word, n);
    cached *slot = &w->cache[ls_hash64(word, n) & (CACHE_SLOTS - 1)];
    ls_ids_reserve(out, CACHE_IDS);
    if (slot->n_bytes == n && memcmp(slot->bytes, word, n) == 0) {
        memcpy(out->ids + out->n, slot->ids, sizeof slot->ids);
        out->n += slot->n_ids;
        return LEASH_OK;
    }
    int64_t before = out->n;
    LS_TRY(encode_word(bpe, w, out, word, n));
    if (out->n - before <= CACHE_IDS) {
        slot->n_bytes = (unsigned char)n;
        slot->n_ids = (unsigned char)(out->n - before);
        memcpy(slot->bytes, word, n);
        memcpy(slot->ids, out->ids + before, (size_t)(out->n - before) * sizeof *out->ids);
    }
    return LEASH_OK;
}

leash_status ls_bpe_encode(const ls_bpe *bpe, ls_bpe_work *work, ls_ids *out, const char *word,
                           size_t n)
{
    if (!bpe->cuts_at_space_sign)
        return encode_cached(bpe, work, out, word, n);
    size_t begin = 0;
    for (const char *at = word + 1; n >= 3 && at + 3 <= word + n; at++) {
        at = memchr(at, 0xe2, (size_t)(word + n - at));
        if (!at || at + 3 > word + n)
            break;
        size_t here = (size_t)(at - word);
        if (!is_space_sign(at) || bpe->reaches_across[(unsigned char)at[-1]] ||
            (here >= 3 && is_space_sign(at - 3)))
            continue;
        LS_TRY(encode_cached(bpe, work, out, word + begin, here - begin));
        begin = here;
    }
    return encode_cached(bpe, work, out, word + begin, n - begin);
}
