/* Inside of the engine: who is alive, who waits, and the arrays of one step.  engine.c owns the
 * life and the order of a step, schedule.c decides who runs in it.
 *
 * A prompt becomes a group when there is a free slot that no earlier group is waiting for; its
 * ids are read in chunks.  The hidden row of the last one is kept, so that each of its samples
 * can draw its first token from the same bits whenever a slot comes free. Groups are started in
 * request order.
 *
 * Pages cannot run out.  Let P = pages of a sequence of max_length.  A group is admitted while the
 * samples that wait are fewer than the free slots, and slots are given in the order of groups, so
 * every group but the newest has a free slot promised to each waiting sample.  A slot accounts for
 * at most P pages: a running one for its own and for a share of its prompt's, a promised one for
 * its group's.  The newest group may have more samples waiting than slots are free.  While none of
 * its samples runs, it still has one slot promised; while one runs, that one accounts for the whole
 * pages of the prompt, and the group's last, partly filled page is one more.  Together n_slots * P
 * + 1, which is the size of the pool. */
#ifndef LS_ROLLOUT_ENGINE_H
#define LS_ROLLOUT_ENGINE_H

#include "rollout/pages.h"
#include "rollout/rollout.h"

typedef struct ls_slot { /* a completion that is written */
    bool is_alive;
    int64_t prompt;     /* index in the request */
    int64_t completion; /* index in the results */
    int32_t sample, n_prompt, n_tokens;
    int32_t most_tokens;              /* length at which it is cut              */
    int32_t *ids;                     /* (max_length) drawn so far              */
    float *logp, *log_kept, *entropy; /* (max_length) of them                   */
    float **pages;                    /* (pages of max_length) n_pages are held */
    int64_t n_pages;
} ls_slot;

typedef struct ls_group { /* a prompt with samples that have not begun */
    int64_t prompt, first_completion;
    int32_t n_read;   /* ids whose keys and values are in pages, this step's included */
    int32_t n_begun;  /* samples */
    int64_t last_row; /* of the batch, when it holds the last id of the prompt; else -1 */
    float **pages;    /* as in a slot */
    int64_t n_pages;
} ls_group;

typedef struct ls_draw { /* one token to sample: from row `row` of some scored rows, for a slot */
    int32_t row, slot;
} ls_draw;

struct ls_engine {
    ls_model *model;
    ls_arena *arena; /* where the engine lies; above it the memory of a step */
    ls_pages pages;
    int64_t n_slots, chunk, max_length;
    ls_slot *slots;      /* (n_slots) */
    int32_t *free_slots; /* (n_free) */
    int64_t n_free;
    ls_group *groups; /* (n_slots) a ring from first_group, in request order */
    int64_t first_group, n_groups;
    ls_tensor last_hidden; /* (n_slots, C) of the groups, by place in the ring   */
    float *probs;          /* (n_slots, V) of the rows that are drawn from       */
    int32_t *scratch_ids;  /* (n_slots, V) of the sampler                        */

    /* the running request */
    const ls_rollout_request *request;
    int64_t next_prompt, next_completion, n_waiting; /* samples of groups that have not begun */

    /* the step: rows of running slots, one each, then rows of prompts */
    ls_batch batch;
    ls_batch_seq *seqs; /* (n_slots) */
    int32_t *ids, *pos; /* (n_slots + chunk) */
    int32_t *rows;      /* (n_slots) rows to score */
    ls_draw *draws;     /* (n_slots) */
    int64_t n_running;  /* slots in the batch, one row each */
};

void ls_schedule_begin(ls_engine *engine, const ls_rollout_request *request);
/* Admits groups and fills engine->batch; draws of the running slots stand in engine->draws. */
void ls_schedule_batch(ls_engine *engine);
/* After the forward: keeps the last hidden rows of prompts that are read. */
void ls_schedule_keep_hidden(ls_engine *engine, const ls_tensor *hidden);
/* Gives free slots to samples of prompts that are read: fills engine->rows (of last_hidden) and
 * engine->draws, returns the number of draws. */
int64_t ls_schedule_start(ls_engine *engine, int64_t *n_rows);
/* The slot's completion has ended: gives slot and pages back. */
void ls_schedule_retire(ls_engine *engine, ls_slot *slot);

#endif
