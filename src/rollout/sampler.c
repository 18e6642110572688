/* One token from a row of logits: greedy, or an inverse CDF along ids in ascending order, over
 * all ids or over a truncated set.
 *
 *     p_v = exp(z_v - lse)            the full softmax at the sampling temperature; the caller's
 *     top-k   the k first in rank: most likely first, of equals the lower id first
 *     top-p   of those, the shortest run of first ranks whose mass is at least top_p of theirs
 *     min-p   of those, the ones with p_v >= min_p * max p, compared as z_v >= max z + log(min_p)
 *     token   the first kept id whose running sum of p exceeds u * (mass of the kept set)
 *
 * The order of the rules, and that top-p counts mass after top-k, is Hugging Face
 * transformers'.  Sums are in double, in rank order for top-p and in id order for the draw.  The
 * result is a function of the arguments alone. Rank is never sorted out further than needed: a
 * heap gives up the first ranks one by one, and the last of them is a threshold against which
 * one walk in id order tells who is kept. */
#include "rollout/rollout.h"

#include <math.h>
#include "base/vmath.h"

/* Ids as a heap whose top is first in rank; what is taken off collects behind it, the first at
 * the end. */
typedef struct {
    const float *z;
    int32_t *ids;
    int64_t n;
} rank_heap;

static bool ranks_before(const float *z, int32_t a, int32_t b)
{
    return z[a] > z[b] || (z[a] == z[b] && a < b);
}

static void sift_down(rank_heap *heap, int64_t i)
{
    int32_t id = heap->ids[i];
    for (int64_t child; (child = 2 * i + 1) < heap->n; i = child) {
        if (child + 1 < heap->n && ranks_before(heap->z, heap->ids[child + 1], heap->ids[child]))
            child++;
        if (!ranks_before(heap->z, heap->ids[child], id))
            break;
        heap->ids[i] = heap->ids[child];
    }
    heap->ids[i] = id;
}

static void build_heap(rank_heap *heap, const float *z, int64_t V, int32_t *ids)
{
    *heap = (rank_heap){.z = z, .ids = ids, .n = V};
    for (int64_t v = 0; v < V; v++)
        ids[v] = (int32_t)v;
    for (int64_t i = V / 2 - 1; i >= 0; i--)
        sift_down(heap, i);
}

static int32_t take_first(rank_heap *heap)
{
    int32_t first = heap->ids[0];
    heap->ids[0] = heap->ids[--heap->n];
    heap->ids[heap->n] = first;
    if (heap->n > 0)
        sift_down(heap, 0);
    return first;
}

/* The id that is last in rank among those top-k and top-p keep. */
static int32_t find_last_kept(const float *z, const float *p, int64_t V,
                              const ls_sampling_options *options, int32_t *ids)
{
    rank_heap heap;
    build_heap(&heap, z, V, ids);
    int64_t k = options->top_k > 0 && options->top_k < V ? options->top_k : V;
    int32_t last = 0;
    double total = 1.0, mass = 0;
    if (k < V) {
        total = 0;
        for (int64_t i = 0; i < k; i++) {
            last = take_first(&heap);
            total += p[last];
        }
    }
    if (options->top_p >= 1.0)
        return last;
    for (int64_t i = 0; i < k && (i == 0 || mass < options->top_p * total); i++) {
        last = i < V - heap.n ? ids[V - 1 - i] : take_first(&heap);
        mass += p[last];
    }
    return last;
}

static int32_t find_greatest(const float *z, int64_t V)
{
    int64_t best = 0;
    for (int64_t v = 1; v < V; v++)
        if (z[v] > z[best])
            best = v;
    return (int32_t)best;
}

/* All ids.  The last id with a probability is taken when rounding leaves u above the sum. */
static int32_t draw_from_all(const float *p, int64_t V, double u)
{
    double sum = 0;
    int64_t last = 0;
    for (int64_t v = 0; v < V; v++) {
        if (p[v] > 0.0f)
            last = v;
        sum += p[v];
        if (sum > u)
            break;
    }
    return (int32_t)last;
}

/* n kept ids in ascending order. */
static int32_t draw_from_kept(const int32_t *ids, const float *p, int64_t n, double mass, double u)
{
    double sum = 0;
    int64_t last = 0;
    for (int64_t i = 0; i < n; i++) {
        if (p[ids[i]] > 0.0f)
            last = i;
        sum += p[ids[i]];
        if (sum > u * mass)
            break;
    }
    return ids[last];
}

int32_t ls_sample_token(const float *z, const float *p, int64_t V,
                        const ls_sampling_options *options, double u, float *log_kept,
                        int32_t *scratch_ids)
{
    *log_kept = 0.0f;
    if (options->temperature == 0.0)
        return find_greatest(z, V);
    bool has_rank_rule = options->top_p < 1.0 || (options->top_k > 0 && options->top_k < V);
    if (!has_rank_rule && options->min_p == 0.0)
        return draw_from_all(p, V, u);

    int32_t last = has_rank_rule ? find_last_kept(z, p, V, options, scratch_ids) : -1;
    float least = z[find_greatest(z, V)] + ls_logf((float)options->min_p);
    double mass = 0;
    int64_t n = 0;
    for (int32_t v = 0; v < V; v++) {
        if ((last >= 0 && v != last && !ranks_before(z, v, last)) || z[v] < least)
            continue;
        mass += p[v];
        scratch_ids[n++] = v;
    }
    if (n < V)
        *log_kept = fminf(ls_logf((float)mass), 0.0f);
    return draw_from_kept(scratch_ids, p, n, mass, u);
}
