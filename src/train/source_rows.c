/* Source of SFT and pretraining: the next rows of the dataset.
 *
 * Without packing a step takes as many rows as an update has sequences.  With packing it takes as
 * many packed rows of max_length tokens, each filled with the rows drawn until the next one does
 * not fit; sequences inside of a packed row do not see each other. */
#include "train/run.h"

static leash_status draw(ls_run *run, const ls_example **out)
{
    return ls_dataset_take(&run->data, run->state.draws, &run->taken, out);
}

static void add_row(ls_run *run, const ls_example *example)
{
    ls_run_add_example(run, example);
    run->state.draws++;
}

/* Fills one packed row. */
static leash_status take_packed_row(ls_run *run)
{
    int64_t left = run->max_length;
    const ls_example *example;
    LS_TRY(draw(run, &example));
    do {
        add_row(run, example);
        left -= example->n_tokens;
        LS_TRY(draw(run, &example));
    } while (example->n_tokens <= left && run->sequences.n_seqs < run->sequences.max_seqs);
    return LEASH_OK;
}

leash_status ls_run_take_rows(ls_run *run, ls_metrics *metrics)
{
    ls_sequences_clear(&run->sequences);
    ls_arena_rewind(&run->taken, 0);
    for (int64_t i = 0, n = ls_step_sequences(run->o); i < n; i++) {
        if (run->o->data.packing) {
            LS_TRY(take_packed_row(run));
        } else {
            const ls_example *example;
            LS_TRY(draw(run, &example));
            add_row(run, example);
        }
    }
    if (ls_run_student_writes(run))
        LS_TRY(ls_run_let_student_write(run, metrics));
    LS_TRY(ls_run_ask_teacher(run, metrics));
    ls_metrics_set(metrics, "epoch", (double)run->state.draws / (double)run->data.n_rows);
    run->state.tokens += run->sequences.start[run->sequences.n_seqs];
    run->state.episodes += run->sequences.n_seqs;
    return LEASH_OK;
}
