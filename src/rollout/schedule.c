/* Who runs in a step: admission of prompts, the packed batch, the beginning and the end of
 * samples.  Numbers are not touched here; see engine.h for the rules. */
#include "rollout/engine.h"

/* The i-th in request order. */
static ls_group *group_at(ls_engine *engine, int64_t i)
{
    return &engine->groups[(engine->first_group + i) % engine->n_slots];
}

void ls_schedule_begin(ls_engine *engine, const ls_rollout_request *request)
{
    engine->request = request;
    engine->next_prompt = engine->next_completion = engine->n_waiting = 0;
    engine->first_group = engine->n_groups = 0;
    engine->n_running = 0;
    engine->n_free = engine->n_slots;
    for (int64_t i = 0; i < engine->n_slots; i++) {
        engine->free_slots[i] = (int32_t)(engine->n_slots - 1 - i);
        engine->slots[i].is_alive = false;
    }
    ls_pages_clear(&engine->pages);
}

/* --- batch --- */

static void admit(ls_engine *engine)
{
    const ls_rollout_request *request = engine->request;
    while (engine->n_waiting < engine->n_free && engine->next_prompt < request->n_prompts) {
        const ls_prompt *prompt = &request->prompts[engine->next_prompt];
        if (prompt->n_samples > 0) {
            LS_ASSERT(engine->n_groups < engine->n_slots);
            ls_group *group = group_at(engine, engine->n_groups++);
            group->prompt = engine->next_prompt;
            group->first_completion = engine->next_completion;
            group->n_read = group->n_begun = 0;
            group->last_row = -1;
            group->n_pages = (prompt->n_ids + LS_KV_PAGE - 1) / LS_KV_PAGE;
            for (int64_t p = 0; p < group->n_pages; p++)
                group->pages[p] = ls_pages_take(&engine->pages);
        }
        engine->n_waiting += prompt->n_samples;
        engine->next_completion += prompt->n_samples;
        engine->next_prompt++;
    }
}

static void add_rows(ls_engine *engine, const int32_t *ids, int64_t n, int64_t pos0,
                     float *const *pages)
{
    ls_batch *batch = &engine->batch;
    engine->seqs[batch->n_seqs++] =
        (ls_batch_seq){.row0 = batch->n_rows, .n_rows = n, .pos0 = pos0, .pages = pages};
    for (int64_t i = 0; i < n; i++, batch->n_rows++) {
        engine->ids[batch->n_rows] = ids[i];
        engine->pos[batch->n_rows] = (int32_t)(pos0 + i);
    }
}

/* The last token of a slot, whose keys and values go into a page that is the slot's alone. */
static void add_running(ls_engine *engine, int64_t s)
{
    ls_slot *slot = &engine->slots[s];
    int64_t pos = slot->n_prompt + slot->n_tokens - 1, page = pos / LS_KV_PAGE;
    if (page == slot->n_pages)
        slot->pages[slot->n_pages++] = ls_pages_take(&engine->pages);
    else
        slot->pages[page] = ls_pages_own(&engine->pages, slot->pages[page]);
    engine->draws[engine->n_running] =
        (ls_draw){.row = (int32_t)engine->n_running, .slot = (int32_t)s};
    engine->rows[engine->n_running] = (int32_t)engine->n_running;
    engine->n_running++;
    add_rows(engine, &slot->ids[slot->n_tokens - 1], 1, pos, slot->pages);
}

void ls_schedule_batch(ls_engine *engine)
{
    engine->batch = (ls_batch){.ids = engine->ids, .pos = engine->pos, .seqs = engine->seqs};
    engine->n_running = 0;
    for (int64_t s = 0; s < engine->n_slots; s++)
        if (engine->slots[s].is_alive)
            add_running(engine, s);
    admit(engine);
    int64_t budget = engine->chunk;
    for (int64_t i = 0; i < engine->n_groups && budget > 0; i++) {
        ls_group *group = group_at(engine, i);
        const ls_prompt *prompt = &engine->request->prompts[group->prompt];
        int64_t left = prompt->n_ids - group->n_read, n = left < budget ? left : budget;
        if (n == 0)
            continue;
        add_rows(engine, prompt->ids + group->n_read, n, group->n_read, group->pages);
        group->n_read += (int32_t)n;
        if (n == left)
            group->last_row = engine->batch.n_rows - 1;
        budget -= n;
    }
}

void ls_schedule_keep_hidden(ls_engine *engine, const ls_tensor *hidden)
{
    ls_device *dev = engine->model->dev;
    int64_t C = hidden->cols;
    for (int64_t i = 0; i < engine->n_groups; i++) {
        ls_group *group = group_at(engine, i);
        if (group->last_row < 0)
            continue;
        int64_t place = group - engine->groups;
        dev->k->copy(dev, engine->last_hidden.data + place * C, hidden->data + group->last_row * C,
                     C);
        group->last_row = -1;
    }
}

/* --- samples --- */

static void begin_sample(ls_engine *engine, ls_group *group, int32_t row, ls_draw *draw)
{
    const ls_prompt *prompt = &engine->request->prompts[group->prompt];
    int64_t most = engine->request->sampling.max_completion_length,
            room = engine->max_length - prompt->n_ids;
    *draw = (ls_draw){.row = row, .slot = engine->free_slots[--engine->n_free]};
    ls_slot *slot = &engine->slots[draw->slot];
    slot->is_alive = true;
    slot->prompt = group->prompt;
    slot->completion = group->first_completion + group->n_begun;
    slot->sample = group->n_begun++;
    slot->n_prompt = prompt->n_ids;
    slot->n_tokens = 0;
    slot->most_tokens = (int32_t)(most < room ? most : room);
    slot->n_pages = group->n_pages;
    for (int64_t p = 0; p < group->n_pages; p++) {
        slot->pages[p] = group->pages[p];
        ls_pages_share(&engine->pages, slot->pages[p]);
    }
    engine->n_waiting--;
}

static void drop_pages(ls_engine *engine, float **pages, int64_t n)
{
    for (int64_t p = 0; p < n; p++)
        ls_pages_drop(&engine->pages, pages[p]);
}

int64_t ls_schedule_start(ls_engine *engine, int64_t *n_rows)
{
    int64_t n_draws = 0;
    *n_rows = 0;
    while (engine->n_groups > 0 && engine->n_free > 0) {
        ls_group *group = group_at(engine, 0);
        const ls_prompt *prompt = &engine->request->prompts[group->prompt];
        if (group->n_read < prompt->n_ids)
            break;
        int32_t row = (int32_t)(*n_rows)++;
        engine->rows[row] = (int32_t)(group - engine->groups);
        while (group->n_begun < prompt->n_samples && engine->n_free > 0)
            begin_sample(engine, group, row, &engine->draws[n_draws++]);
        if (group->n_begun < prompt->n_samples)
            break;
        drop_pages(engine, group->pages, group->n_pages);
        engine->first_group = (engine->first_group + 1) % engine->n_slots;
        engine->n_groups--;
    }
    return n_draws;
}

void ls_schedule_retire(ls_engine *engine, ls_slot *slot)
{
    drop_pages(engine, slot->pages, slot->n_pages);
    slot->is_alive = false;
    engine->free_slots[engine->n_free++] = (int32_t)(slot - engine->slots);
}
