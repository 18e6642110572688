/* From a row of texts to examples of tokens: tokenising, masks, length policy.  And moving examples
 * from one place to another.
 *
 *     ls_maker m;
 *     LS_TRY(ls_maker_init(&m, input));
 *     LS_TRY(ls_maker_make(&m, &row));       m.n examples in m.made, until the next call
 *     ls_maker_release(&m);
 *
 * m.n is 0 for a row that was dropped, and 2 for a preference row that is read for its labels. */
#ifndef LS_DATA_EXAMPLE_H
#define LS_DATA_EXAMPLE_H

#include "data/dataset.h"
#include "data/row.h"

typedef struct ls_tokens { /* one sequence at work; grown as needed */
    ls_chat_tokens chat;   /* ids and mask                          */
    int64_t cap_mask;
    ls_str prompt, completion;
    bool is_truncated;
} ls_tokens;

typedef struct ls_maker {
    const ls_dataset_input *input;
    int truncation, loss_on;
    ls_str separator; /* of steps */
    ls_tokens sequences[2];
    int32_t *step_end;
    uint8_t *step_label;
    int64_t cap_steps;
    ls_example made[2], rejected;
    int n;
} ls_maker;

/* Errors: LEASH_USAGE for settings that say nothing. */
leash_status ls_maker_init(ls_maker *m, const ls_dataset_input *input) LEASH_MUST_USE;
void ls_maker_release(ls_maker *m);
/* Errors: LEASH_DATA with FILE:LINE. */
leash_status ls_maker_make(ls_maker *m, const ls_row *row) LEASH_MUST_USE;

/* An example is one block of memory with everything that it points to, except `file`. */
size_t ls_example_bytes(const ls_example *e);
/* Copies *from into *to and its block, 8-byte aligned. */
void ls_example_place(ls_example *to, void *block, const ls_example *from);

#endif
