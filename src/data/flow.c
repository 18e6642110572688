/* Shuffle buffers over feeds. */
#include "data/flow.h"

#include "base/rng.h"
#include "data/feed.h"
#include "data/mix.h"

/* Tells these draws from others named LS_RNG_SHUFFLE. */
#define RNG_SAMPLE_SLOT 2

typedef struct slot {
    ls_example example;
    void *block;
} slot;

typedef struct lane { /* one source */
    ls_feed feed;
    const ls_dataset_part *part;
    uint64_t seed;
    slot *slots;
    int64_t n_slots, n_filled;
    int64_t epoch, n_drawn; /* of this source */
    int pending;            /* next of the maker's examples */
} lane;

struct ls_flow {
    lane *lanes;
    int64_t n_lanes;
    ls_dataset_input input;
    ls_mix mix;
    int64_t next;      /* draw */
    slot held;         /* the draw before */
    size_t slot_bytes; /* of a block      */
    int64_t n_per_epoch;
};

/* --- one source --- */

/* Copies the next example of the feed into a slot; false at the end of the epoch. */
static leash_status read_example(lane *l, const ls_flow *flow, slot *to, bool *has_example)
{
    while (l->pending >= l->feed.maker.n) {
        LS_TRY(ls_feed_next(&l->feed));
        l->pending = 0;
        if (l->feed.is_at_end) {
            *has_example = false;
            return LEASH_OK;
        }
    }
    const ls_example *e = &l->feed.maker.made[l->pending++];
    if (ls_example_bytes(e) > flow->slot_bytes)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: the file has changed since it was measured: the row is "
                       "longer than all were",
                       e->file, (long long)e->line);
    ls_example_place(&to->example, to->block, e);
    *has_example = true;
    return LEASH_OK;
}

static leash_status fill(lane *l, const ls_flow *flow)
{
    bool has_example = true;
    while (l->n_filled < l->n_slots && has_example) {
        LS_TRY(read_example(l, flow, &l->slots[l->n_filled], &has_example));
        l->n_filled += has_example;
    }
    return LEASH_OK;
}

static leash_status begin_epoch(lane *l, const ls_flow *flow, int64_t epoch)
{
    ls_feed_rewind(&l->feed);
    l->feed.maker.n = l->pending = 0;
    l->epoch = epoch;
    l->n_drawn = l->n_filled = 0;
    return fill(l, flow);
}

static void swap(slot *a, slot *b)
{
    slot c = *a;
    *a = *b;
    *b = c;
}

/* Moves the next draw of the source into `out`, whose block goes into the buffer. */
static leash_status draw(lane *l, const ls_flow *flow, slot *out)
{
    if (l->n_drawn == l->part->n_rows)
        LS_TRY(begin_epoch(l, flow, l->epoch + 1));
    if (l->n_filled == 0)
        return ls_fail(
            LEASH_DATA, "%s: has changed since it was measured: %lld rows instead of %lld",
            flow->input.options->dataset, (long long)l->n_drawn, (long long)l->part->n_rows);
    ls_rng_name name = {.seed = l->seed,
                        .purpose = LS_RNG_SHUFFLE,
                        .step = (uint32_t)l->epoch,
                        .prompt = (uint32_t)l->n_drawn,
                        .position = (uint32_t)((uint64_t)l->n_drawn >> 32),
                        .sample = RNG_SAMPLE_SLOT};
    slot *from = &l->slots[ls_rng_below(&name, (uint64_t)l->n_filled)];
    swap(from, out);
    l->n_drawn++;
    bool has_example;
    LS_TRY(read_example(l, flow, from, &has_example));
    if (!has_example)
        swap(from, &l->slots[--l->n_filled]);
    return LEASH_OK;
}

/* --- all sources --- */

static void init_lane(lane *l, const ls_flow_plan *plan, int64_t i)
{
    l->part = &plan->parts[i];
    l->seed = plan->input->seed + (uint64_t)i;
    l->n_slots = plan->n_slots;
    l->slots = ls_arena_alloc(plan->arena, ls_mul_size((size_t)plan->n_slots, sizeof *l->slots));
    for (int64_t k = 0; k < plan->n_slots; k++)
        l->slots[k] = (slot){.block = ls_arena_alloc(plan->arena, plan->example_bytes)};
}

static leash_status seek(ls_flow *flow, int64_t target);

leash_status ls_flow_new(ls_flow **out, const ls_flow_plan *plan)
{
    ls_flow *flow = ls_calloc(1, sizeof *flow);
    flow->input = *plan->input;
    flow->slot_bytes = plan->example_bytes;
    flow->held.block = ls_arena_alloc(plan->arena, plan->example_bytes);
    flow->lanes = ls_calloc((size_t)plan->n_parts, sizeof *flow->lanes);
    leash_status status = LEASH_OK;
    for (int64_t i = 0; i < plan->n_parts && status == LEASH_OK; i++) {
        ls_feed_origin origin = {.files = plan->sources->n ? &plan->sources->items[i] : NULL,
                                 .task = plan->task};
        init_lane(&flow->lanes[i], plan, i);
        status = ls_feed_open(&flow->lanes[i].feed, &flow->input, &origin);
        flow->n_lanes += status == LEASH_OK;
        flow->n_per_epoch += plan->parts[i].per_epoch;
    }
    ls_mix_init(&flow->mix, plan->parts, plan->n_parts, plan->input->seed);
    flow->next = -1; /* nothing is filled yet: the first draw seeks */
    if (status == LEASH_OK)
        *out = flow;
    else
        ls_flow_free(flow);
    return status;
}

void ls_flow_free(ls_flow *flow)
{
    if (!flow)
        return;
    for (int64_t i = 0; i < flow->n_lanes; i++)
        ls_feed_release(&flow->lanes[i].feed);
    ls_mix_release(&flow->mix);
    ls_free(flow->lanes);
    ls_free(flow);
}

static leash_status draw_next(ls_flow *flow)
{
    int64_t part = ls_mix_next(&flow->mix);
    flow->next++;
    return draw(&flow->lanes[part], flow, &flow->held);
}

/* Makes `target` the next draw. */
static leash_status seek(ls_flow *flow, int64_t target)
{
    int64_t epoch = target / flow->n_per_epoch, rest = target % flow->n_per_epoch;
    flow->mix.n_left = 0; /* its next position is the first of an epoch */
    for (int64_t i = 0; i < flow->n_lanes; i++) {
        lane *l = &flow->lanes[i];
        int64_t drawn = epoch * l->part->per_epoch;
        LS_TRY(begin_epoch(l, flow, drawn / l->part->n_rows));
        for (int64_t k = drawn % l->part->n_rows; k > 0; k--)
            LS_TRY(draw(l, flow, &flow->held));
    }
    flow->next = target - rest;
    while (flow->next < target)
        LS_TRY(draw_next(flow));
    return LEASH_OK;
}

leash_status ls_flow_take(ls_flow *flow, int64_t target, ls_arena *arena, const ls_example **out)
{
    bool is_held = flow->next >= 0 && target == flow->next - 1;
    if (!is_held) {
        bool is_near =
            flow->next >= 0 && target >= flow->next && target - flow->next < flow->n_per_epoch;
        if (!is_near)
            LS_TRY(seek(flow, target));
        while (flow->next <= target)
            LS_TRY(draw_next(flow));
    }
    const ls_example *e = &flow->held.example;
    ls_example *copy = ls_arena_alloc(arena, sizeof *copy);
    ls_example_place(copy, ls_arena_alloc(arena, ls_example_bytes(e)), e);
    *out = copy;
    return LEASH_OK;
}
