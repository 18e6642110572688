/* The pool of KV pages: fixed memory, a free list, reference counts.
 *
 * A page holds LS_KV_PAGE positions of one sequence for all layers (ls_model_page_floats).
 * Several sequences may hold one page as long as nobody writes to it; a writer asks with
 * ls_pages_own first, which copies a page that others hold too.
 *
 *     float *page = ls_pages_take(&pool);                1 holder, zeroed
 *     ls_pages_share(&pool, page);                       2 holders
 *     mine = ls_pages_own(&pool, page);                  a copy with 1 holder; page has 1 again
 *     ls_pages_drop(&pool, mine);                        free again
 *
 * The pool never waits and never grows: how many pages are enough is the engine's matter, and
 * taking one more than that is a bug. */
#ifndef LS_ROLLOUT_PAGES_H
#define LS_ROLLOUT_PAGES_H

#include "base/mem.h"
#include "kernels/kernels.h"

typedef struct ls_pages {
    ls_device *dev;
    float *data; /* (n_pages, page_floats) */
    int64_t n_pages, page_floats;
    int32_t *holders; /* (n_pages) 0: free */
    int32_t *free;    /* (n_free) numbers of free pages; the last, warm in the caches, goes first */
    int64_t n_free;
} ls_pages;

void ls_pages_init(ls_pages *pool, ls_device *dev, ls_arena *arena, int64_t n_pages,
                   int64_t page_floats);
/* All pages are free again. */
void ls_pages_clear(ls_pages *pool);
/* A page of zeros: slots beyond the last stored position must be finite. */
float *ls_pages_take(ls_pages *pool);
void ls_pages_share(ls_pages *pool, const float *page);
void ls_pages_drop(ls_pages *pool, const float *page);
/* The page that a holder of `page` may write to: itself when nobody else holds it, else a copy
 * that takes its place. */
float *ls_pages_own(ls_pages *pool, float *page);

#endif
