/* Logits, loss and gradients of a model for tools/check_model.py, which compares with another
 * library.
 *
 *     tool_forward MODEL < ids > numbers
 *
 * MODEL is a Hugging Face folder or a GGUF file.  Input: 32-bit ids of one sequence.  Output, all
 * little-endian: the vocabulary V as 32 bits; logits (n,V) as floats; the mean negative
 * log-probability of ids 1 .. n-1 as a double; for each weight the length of its name, the name,
 * rows and columns as 64 bits, 1 where the file of the model holds the transpose and 0 elsewhere,
 * and d(loss)/d(weight) as floats.  The forward is the one of training, in float; nothing of it is
 * written down here a second time. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "formats/model_files.h"

#define MOST_IDS 4096

typedef struct forward {
    ls_device dev;
    ls_arena run, pass;
    ls_model *model;
    int32_t ids[MOST_IDS], pos[MOST_IDS], rows[MOST_IDS];
    int64_t n;
} forward;

static leash_status load(forward *f, const char *path)
{
    const ls_kernels *k;
    ls_model_files files;
    LS_TRY(ls_kernels_select(&k, NULL));
    LS_TRY(ls_device_init(&f->dev, k, 0));
    LS_TRY(ls_arena_init(&f->run, "model", 0));
    LS_TRY(ls_arena_init(&f->pass, "pass", 0));
    LS_TRY(ls_model_files_open(&files, path));
    leash_status status =
        ls_model_new(&f->model, &files.config, &f->dev, &f->run, LS_MODEL_TRAINED, 1);
    if (status == LEASH_OK)
        status = ls_model_files_load(f->model, &files);
    ls_model_files_close(&files);
    LS_TRY(status);
    ls_model_pack(f->model);
    ls_model_zero_grads(f->model);
    ls_model_use_leaf(f->model, 0);
    return LEASH_OK;
}

static leash_status read_ids(forward *f)
{
    f->n = (int64_t)fread(f->ids, sizeof f->ids[0], MOST_IDS, stdin);
    if (f->n < 2 || f->n > ls_model_context(&f->model->config))
        return ls_fail(LEASH_DATA, "%" PRId64 " ids, expected 2 to the context", f->n);
    for (int32_t i = 0; i < f->n; i++) {
        if (f->ids[i] < 0 || f->ids[i] >= f->model->config.vocab_size)
            return ls_fail(LEASH_DATA, "id %d is not in the vocabulary", (int)f->ids[i]);
        f->pos[i] = f->rows[i] = i;
    }
    return LEASH_OK;
}

static ls_tensor *start(forward *f, ls_tape *tape, bool records, ls_batch_seq *seq)
{
    *seq = (ls_batch_seq){.n_rows = f->n};
    ls_batch batch = {.ids = f->ids, .pos = f->pos, .n_rows = f->n, .seqs = seq, .n_seqs = 1};
    ls_tape_init(tape, &f->dev, &f->pass, records);
    return ls_model_forward(f->model, tape, &batch);
}

static void put_logits(forward *f)
{
    ls_arena_mark mark = ls_arena_get_mark(&f->pass);
    ls_tape tape;
    ls_batch_seq seq;
    int64_t V = f->model->head->rows;
    uint32_t n_vocabulary = (uint32_t)V;
    ls_head_job job = {.hidden = start(f, &tape, false, &seq),
                       .weight = f->model->head,
                       .rows = f->rows,
                       .n = f->n,
                       .temperature = 1.0f};
    float *logits = ls_arena_floats(&f->pass, f->n * V);
    float *lse = ls_arena_floats(&f->pass, f->n), *entropy = ls_arena_floats(&f->pass, f->n);
    ls_op_head_logits(&tape, &job, logits, lse, entropy);
    fwrite(&n_vocabulary, sizeof n_vocabulary, 1, stdout);
    fwrite(logits, sizeof *logits, (size_t)(f->n * V), stdout);
    ls_arena_rewind(&f->pass, mark);
}

static void put_loss(forward *f)
{
    ls_tape tape;
    ls_batch_seq seq;
    int64_t n = f->n - 1;
    float *logp = ls_arena_floats(&f->pass, n), *seeds = ls_arena_floats(&f->pass, n);
    ls_head_job job = {.hidden = start(f, &tape, true, &seq),
                       .weight = f->model->head,
                       .rows = f->rows,
                       .targets = f->ids + 1,
                       .n = n,
                       .temperature = 1.0f,
                       .logp = logp};
    double loss = 0.0;
    ls_op_head_score(&tape, &job);
    for (int64_t i = 0; i < n; i++) {
        seeds[i] = -1.0f / (float)n;
        loss -= (double)logp[i] / (double)n;
    }
    ls_op_head_backward(&tape, &job, seeds, NULL);
    ls_tape_backward(&tape, NULL);
    ls_model_fold_grads(f->model);
    fwrite(&loss, sizeof loss, 1, stdout);
}

static void put_gradients(const ls_model *model)
{
    for (int64_t i = 0; i < model->n_weights; i++) {
        const ls_weight *w = &model->weights[i];
        uint32_t n_name = (uint32_t)strlen(w->name), is_transposed = w->is_stored_transposed;
        fwrite(&n_name, sizeof n_name, 1, stdout);
        fwrite(w->name, 1, n_name, stdout);
        fwrite(&w->rows, sizeof w->rows, 1, stdout);
        fwrite(&w->cols, sizeof w->cols, 1, stdout);
        fwrite(&is_transposed, sizeof is_transposed, 1, stdout);
        fwrite(w->grad, sizeof *w->grad, (size_t)(w->rows * w->cols), stdout);
    }
}

int main(int argc, char **argv)
{
    static forward f;
    if (argc != 2) {
        fprintf(stderr, "usage: tool_forward MODEL < ids > numbers\n");
        return 2;
    }
    leash_status status = load(&f, argv[1]);
    if (status == LEASH_OK)
        status = read_ids(&f);
    if (status == LEASH_OK) {
        put_logits(&f);
        put_loss(&f);
        put_gradients(f.model);
    } else {
        fprintf(stderr, "%s\n", leash_error());
    }
    ls_arena_release(&f.pass);
    ls_arena_release(&f.run);
    ls_device_release(&f.dev);
    return status == LEASH_OK && fflush(stdout) == 0 ? 0 : 1;
}
