/* Packing by best fit, longest first: each sequence goes into the bin with the least room that
 * still takes it.
 *
 * Bins wait in one list per amount of room, and a bitmap tells which lists are not empty, so the
 * search is over max_length / 64 words and not over bins.  Sequences of one length are taken in
 * order, bins of one room last in first out: the result is a function of the lengths alone. */
#include "data/dataset.h"

#define NONE (-1)

typedef struct bins {
    int32_t *first;     /* (max_length + 1) by room: a bin, NONE */
    uint64_t *has_room; /* bitmap over rooms                     */
    int32_t *next;      /* (n) by bin: another with as much room */
    int32_t *room;      /* (n) by bin                            */
    int32_t n_bins, max_length;
} bins;

static int64_t n_words(int32_t max_length)
{
    return (int64_t)max_length / 64 + 1;
}

static void bins_init(bins *b, int64_t n, int32_t max_length)
{
    size_t rooms = (size_t)max_length + 1;
    *b = (bins){.first = ls_malloc(ls_mul_size(rooms, sizeof *b->first)),
                .has_room = ls_calloc((size_t)n_words(max_length), sizeof *b->has_room),
                .next = ls_malloc(ls_mul_size((size_t)n, sizeof *b->next)),
                .room = ls_malloc(ls_mul_size((size_t)n, sizeof *b->room)),
                .max_length = max_length};
    for (size_t i = 0; i < rooms; i++)
        b->first[i] = NONE;
}

static void bins_release(bins *b)
{
    ls_free(b->first);
    ls_free(b->has_room);
    ls_free(b->next);
    ls_free(b->room);
}

static void list_bin(bins *b, int32_t bin)
{
    int32_t room = b->room[bin];
    b->next[bin] = b->first[room];
    b->first[room] = bin;
    b->has_room[room / 64] |= (uint64_t)1 << (room % 64);
}

/* Takes the bin with the least room >= length off its list; a new one when there is none. */
static int32_t take_bin(bins *b, int32_t length)
{
    int64_t word = length / 64;
    uint64_t bits = b->has_room[word] & (UINT64_MAX << (length % 64));
    while (bits == 0 && ++word < n_words(b->max_length))
        bits = b->has_room[word];
    if (bits == 0) {
        b->room[b->n_bins] = b->max_length;
        return b->n_bins++;
    }
    int64_t room = word * 64;
    for (; !(bits & 1); bits >>= 1)
        room++;
    int32_t bin = b->first[room];
    b->first[room] = b->next[bin];
    if (b->first[room] == NONE)
        b->has_room[room / 64] &= ~((uint64_t)1 << (room % 64));
    return bin;
}

/* Indexes by falling length, equal lengths in order: a counting sort. */
static int64_t *sort_by_length(const int32_t *lengths, int64_t n, int32_t max_length)
{
    int64_t *start = ls_calloc((size_t)max_length + 2, sizeof *start);
    int64_t *sorted = ls_malloc(ls_mul_size((size_t)n, sizeof *sorted));
    for (int64_t i = 0; i < n; i++) {
        LS_ASSERT(lengths[i] >= 0 && lengths[i] <= max_length);
        start[max_length - lengths[i] + 1]++;
    }
    for (int32_t i = 1; i <= max_length; i++)
        start[i] += start[i - 1];
    for (int64_t i = 0; i < n; i++)
        sorted[start[max_length - lengths[i]]++] = i;
    ls_free(start);
    return sorted;
}

int64_t ls_pack(const int32_t *lengths, int64_t n, int32_t max_length, int32_t *bin)
{
    LS_ASSERT(max_length > 0 && n >= 0 && n <= INT32_MAX);
    int64_t *sorted = sort_by_length(lengths, n, max_length);
    bins b;
    bins_init(&b, n, max_length);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = sorted[i];
        bin[row] = take_bin(&b, lengths[row]);
        b.room[bin[row]] -= lengths[row];
        list_bin(&b, bin[row]);
    }
    /* Number the bins by their first row. */
    int32_t n_named = 0, *name = b.next;
    for (int32_t i = 0; i < b.n_bins; i++)
        name[i] = NONE;
    for (int64_t i = 0; i < n; i++) {
        if (name[bin[i]] == NONE)
            name[bin[i]] = n_named++;
        bin[i] = name[bin[i]];
    }
    bins_release(&b);
    ls_free(sorted);
    return n_named;
}
