/* Reference-counted pages; see pages.h. */
#include "rollout/pages.h"

void ls_pages_init(ls_pages *pool, ls_device *dev, ls_arena *arena, int64_t n_pages,
                   int64_t page_floats)
{
    LS_ASSERT(n_pages <= INT32_MAX);
    *pool = (ls_pages){.dev = dev, .n_pages = n_pages, .page_floats = page_floats};
    pool->data = ls_arena_alloc(
        arena, ls_mul_size(ls_mul_size((size_t)n_pages, (size_t)page_floats), sizeof(float)));
    pool->holders = ls_arena_ints(arena, n_pages);
    pool->free = ls_arena_ints(arena, n_pages);
    ls_pages_clear(pool);
}

void ls_pages_clear(ls_pages *pool)
{
    for (int64_t i = 0; i < pool->n_pages; i++) {
        pool->holders[i] = 0;
        pool->free[i] = (int32_t)(pool->n_pages - 1 - i);
    }
    pool->n_free = pool->n_pages;
}

static int64_t number_of(const ls_pages *pool, const float *page)
{
    int64_t number = (page - pool->data) / pool->page_floats;
    LS_ASSERT(page >= pool->data && number < pool->n_pages);
    LS_ASSERT(pool->holders[number] > 0);
    return number;
}

static float *take_undefined(ls_pages *pool)
{
    LS_ASSERT(pool->n_free > 0);
    int32_t number = pool->free[--pool->n_free];
    pool->holders[number] = 1;
    return pool->data + number * pool->page_floats;
}

float *ls_pages_take(ls_pages *pool)
{
    float *page = take_undefined(pool);
    pool->dev->k->zero(pool->dev, page, pool->page_floats);
    return page;
}

void ls_pages_share(ls_pages *pool, const float *page)
{
    pool->holders[number_of(pool, page)]++;
}

void ls_pages_drop(ls_pages *pool, const float *page)
{
    int64_t number = number_of(pool, page);
    if (--pool->holders[number] == 0)
        pool->free[pool->n_free++] = (int32_t)number;
}

float *ls_pages_own(ls_pages *pool, float *page)
{
    if (pool->holders[number_of(pool, page)] == 1)
        return page;
    float *copy = take_undefined(pool);
    pool->dev->k->copy(pool->dev, copy, page, pool->page_floats);
    ls_pages_drop(pool, page);
    return copy;
}
