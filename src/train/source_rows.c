/* Source of SFT and pretraining: the next rows of the dataset.
 *
 * Without packing a step takes as many rows as an update has sequences.  With packing it takes as
 * many packed rows of max_length tokens, each filled with the rows drawn until the next one does
 * not fit; sequences inside of a packed row do not see each other. */
#include "train/run.h"

static const ls_example *draw(ls_run *run, int64_t *row)
{
    *row = ls_dataset_order(&run->data, run->o->data.shuffle_dataset, (uint64_t)run->o->train.seed,
                            run->state.draws);
    return &run->data.rows[*row];
}

static void add_row(ls_run *run, const ls_example *example, int64_t row)
{
    int64_t i = ls_sequences_add(&run->sequences, example->ids, example->n_tokens, example->mask);
    run->sequences.row[i] = row;
    run->sequences.line[i] = example->line;
    run->sequences.n_prompt[i] = example->n_prompt;
    run->state.draws++;
}

/* Fills one packed row. */
static void take_packed_row(ls_run *run)
{
    int64_t left = run->max_length, row;
    const ls_example *example = draw(run, &row);
    do {
        add_row(run, example, row);
        left -= example->n_tokens;
        example = draw(run, &row);
    } while (example->n_tokens <= left && run->sequences.n_seqs < run->sequences.max_seqs);
}

leash_status ls_run_take_rows(ls_run *run, ls_metrics *metrics)
{
    ls_sequences_clear(&run->sequences);
    for (int64_t i = 0, n = ls_step_sequences(run->o); i < n; i++) {
        if (run->o->data.packing) {
            take_packed_row(run);
        } else {
            int64_t row;
            const ls_example *example = draw(run, &row);
            add_row(run, example, row);
        }
    }
    ls_metrics_set(metrics, "epoch", (double)run->state.draws / (double)run->data.n_rows);
    run->state.tokens += run->sequences.start[run->sequences.n_seqs];
    run->state.episodes += run->sequences.n_seqs;
    return LEASH_OK;
}
