/* Streaming: examples straight from the files, through a shuffle buffer of fixed size.
 *
 * Each source has its reader and its buffer.  A draw takes a slot of the buffer at random (named by
 * seed, epoch and place, so it is the same in every run) and the next example of the file fills the
 * slot.  Rows therefore move little against the order of the file when the buffer is small against
 * it: shuffle a file that is sorted by something beforehand.
 *
 * A draw that is not the next one is found by reading from the start of its epoch. */
#ifndef LS_DATA_FLOW_H
#define LS_DATA_FLOW_H

#include "data/dataset.h"

typedef struct ls_flow ls_flow;

typedef struct ls_flow_plan {
    const ls_dataset_input *input;
    const ls_data_sources *sources; /* borrowed, as `parts` are */
    const char *task;               /* instead of sources; NULL: none */
    const ls_dataset_part *parts;
    int64_t n_parts;
    int64_t n_slots;      /* of each buffer; 1: the order of the file */
    size_t example_bytes; /* of the largest example                   */
    ls_arena *arena;      /* where the buffers go                     */
} ls_flow_plan;

leash_status ls_flow_new(ls_flow **out, const ls_flow_plan *plan) LEASH_MUST_USE;
void ls_flow_free(ls_flow *flow);
leash_status ls_flow_take(ls_flow *flow, int64_t draw, ls_arena *arena,
                          const ls_example **out) LEASH_MUST_USE;

#endif
