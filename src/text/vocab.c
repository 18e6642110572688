/* Two open-addressing hash tables with linear probing: tokens by XXH3, merges by the pair of ids.
 * Both grow by doubling and are never more than half full. */
#include "text/vocab.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "text/vocab_table.h"

void ls_vocab_release(ls_vocab *v)
{
    ls_str_release(&v->text);
    ls_free(v->places);
    ls_free(v->slots);
    ls_free(v->merges);
    ls_free(v->scores);
}

static void place_token(ls_vocab *v, ls_vocab_slot slot, uint64_t hash)
{
    uint64_t i = hash & (v->n_slots - 1);
    while (v->slots[i].id >= 0)
        i = (i + 1) & (v->n_slots - 1);
    v->slots[i] = slot;
}

static void resize_tokens(ls_vocab *v, uint64_t n_slots)
{
    ls_free(v->slots);
    v->n_slots = n_slots;
    v->slots = ls_malloc(ls_mul_size((size_t)n_slots, sizeof *v->slots));
    memset(v->slots, 0xff, (size_t)n_slots * sizeof *v->slots);
    for (int32_t id = 0; id < v->n_ids; id++) {
        if (v->places[id].length < 0)
            continue;
        uint64_t hash = ls_hash64(v->text.data + v->places[id].start, (size_t)v->places[id].length);
        place_token(v, (ls_vocab_slot){(uint32_t)(hash >> 32), id}, hash);
    }
}

static void place_merge(ls_vocab *v, ls_merge merge)
{
    uint64_t i = ls_vocab_pair_hash(merge.pair) & (v->n_merge_slots - 1);
    while (v->merges[i].pair != UINT64_MAX && v->merges[i].pair != merge.pair)
        i = (i + 1) & (v->n_merge_slots - 1);
    v->merges[i] = merge;
}

static void resize_merges(ls_vocab *v, uint64_t n_slots)
{
    ls_merge *old = v->merges;
    uint64_t n_old = old ? v->n_merge_slots : 0;
    v->n_merge_slots = n_slots;
    v->merges = ls_malloc(ls_mul_size((size_t)n_slots, sizeof *v->merges));
    memset(v->merges, 0xff, (size_t)n_slots * sizeof *v->merges);
    for (uint64_t i = 0; i < n_old; i++)
        if (old[i].pair != UINT64_MAX)
            place_merge(v, old[i]);
    ls_free(old);
}

void ls_vocab_init(ls_vocab *v, size_t n_json)
{
    *v = (ls_vocab){.text = LS_STR_INIT};
    /* Tokens and merges take about 30 bytes of a file each. */
    uint64_t n_slots = 64;
    while (n_slots < n_json / 32)
        n_slots *= 2;
    ls_str_reserve(&v->text, n_json / 8);
    resize_tokens(v, n_slots);
    resize_merges(v, n_slots);
}

/* The slot of a token, or the free one where it would go. */
static ls_vocab_slot *find_slot(const ls_vocab *v, const char *token, size_t n, uint64_t hash)
{
    uint64_t mask = v->n_slots - 1, i = hash & mask;
    for (; v->slots[i].id >= 0; i = (i + 1) & mask) {
        int32_t id = v->slots[i].id;
        if (v->slots[i].hash == (uint32_t)(hash >> 32) && (size_t)v->places[id].length == n &&
            memcmp(v->text.data + v->places[id].start, token, n) == 0)
            break;
    }
    return &v->slots[i];
}

int32_t ls_vocab_find(const ls_vocab *v, const char *token, size_t n)
{
    return find_slot(v, token, n, ls_hash64(token, n))->id;
}

static void grow_ids(ls_vocab *v, int32_t id)
{
    if (id >= v->cap_ids) {
        v->cap_ids = id + id / 2 + 256;
        v->places = ls_realloc(v->places, ls_mul_size((size_t)v->cap_ids, sizeof *v->places));
    }
    for (; v->n_ids <= id; v->n_ids++)
        v->places[v->n_ids].length = -1;
}

bool ls_vocab_add(ls_vocab *v, const char *token, size_t n, int32_t id)
{
    if (2 * ((uint64_t)v->n_tokens + 1) > v->n_slots)
        resize_tokens(v, v->n_slots * 2);
    uint64_t hash = ls_hash64(token, n);
    ls_vocab_slot *slot = find_slot(v, token, n, hash);
    if (slot->id >= 0 || (id < v->n_ids && v->places[id].length >= 0))
        return false;
    grow_ids(v, id);
    v->places[id].start = (uint32_t)v->text.len;
    v->places[id].length = (int32_t)n;
    ls_str_append_n(&v->text, token, n);
    ls_str_append_char(&v->text, 0);
    v->n_tokens++;
    *slot = (ls_vocab_slot){(uint32_t)(hash >> 32), id};
    return true;
}

void ls_vocab_add_merge(ls_vocab *v, int32_t left, int32_t right, int32_t id)
{
    if (2 * ((uint64_t)v->n_merges + 1) > v->n_merge_slots)
        resize_merges(v, v->n_merge_slots * 2);
    place_merge(v, (ls_merge){ls_vocab_pair(left, right), (int32_t)v->n_merges, id});
    v->n_merges++;
}

const ls_merge **ls_vocab_merges_by_rank(const ls_vocab *v)
{
    const ls_merge **merges = ls_calloc((size_t)v->n_merges + 1, sizeof *merges);
    for (uint64_t i = 0; i < v->n_merge_slots; i++)
        if (v->merges[i].pair != UINT64_MAX)
            merges[v->merges[i].rank] = &v->merges[i];
    return merges;
}
