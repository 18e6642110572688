/* Ragged sequences in one block of memory, packed for the model without padding. */
#include "train/sequences.h"

#include <math.h>
#include <string.h>

void ls_sequences_init(ls_sequences *s, ls_arena *arena, int64_t max_seqs, int64_t max_tokens)
{
    memset(s, 0, sizeof *s);
    s->max_seqs = max_seqs;
    s->max_tokens = s->max_targets = max_tokens;
    size_t seqs = (size_t)max_seqs, tokens = (size_t)max_tokens;
    s->start = ls_arena_alloc(arena, (seqs + 1) * sizeof *s->start);
    s->target_start = ls_arena_alloc(arena, (seqs + 1) * sizeof *s->target_start);
    s->ids = ls_arena_ints(arena, max_tokens);
    s->target_pos = ls_arena_ints(arena, max_tokens);
    s->example = ls_arena_alloc(arena, seqs * sizeof *s->example);
    s->line = ls_arena_alloc(arena, seqs * sizeof *s->line);
    s->sample = ls_arena_ints(arena, max_seqs);
    s->group = ls_arena_ints(arena, max_seqs);
    s->n_prompt = ls_arena_ints(arena, max_seqs);
    s->flags = ls_arena_alloc(arena, seqs);
    s->reward = ls_arena_alloc(arena, seqs * sizeof *s->reward);
    s->advantage = ls_arena_alloc(arena, seqs * sizeof *s->advantage);
    s->label = ls_arena_alloc(arena, seqs * sizeof *s->label);
    s->margin = ls_arena_alloc(arena, seqs * sizeof *s->margin);
    float **streams[] = {&s->old_logp,        &s->old_entropy, &s->sampler_logp, &s->ref_logp,
                         &s->token_advantage, &s->anchor,      &s->weight,       &s->logp,
                         &s->entropy,         &s->dlogp,       &s->dentropy};
    for (size_t i = 0; i < LS_COUNT(streams); i++)
        *streams[i] = ls_arena_alloc(arena, tokens * sizeof(float));
    s->argmax = ls_arena_ints(arena, max_tokens);
    if (!arena->is_dry)
        ls_sequences_clear(s);
}

void ls_sequences_take_values(ls_sequences *s, ls_arena *arena)
{
    float **streams[] = {&s->value, &s->dvalue, &s->old_value, &s->ret, &s->step_label};
    for (size_t i = 0; i < LS_COUNT(streams); i++)
        *streams[i] = ls_arena_floats(arena, s->max_targets);
}

void ls_sequences_take_ids(ls_sequences *s, ls_arena *arena, int64_t n_ids)
{
    int64_t n = s->max_targets * n_ids;
    s->n_ids = n_ids;
    s->teacher_ids = ls_arena_ints(arena, n);
    s->teacher_logp = ls_arena_floats(arena, n);
    s->ids_logp = ls_arena_floats(arena, n);
    s->dids = ls_arena_floats(arena, n);
}

void ls_sequences_clear(ls_sequences *s)
{
    s->n_seqs = s->n_targets = s->n_groups = 0;
    s->baseline = 0;
    s->start[0] = s->target_start[0] = 0;
}

static int64_t add_sequence(ls_sequences *s, int64_t n_ids)
{
    int64_t i = s->n_seqs++;
    LS_ASSERT(s->n_seqs <= s->max_seqs);
    s->start[i + 1] = s->start[i] + n_ids;
    LS_ASSERT(s->start[i + 1] <= s->max_tokens);
    s->target_start[i + 1] = s->target_start[i];
    s->example[i] = NULL;
    s->line[i] = 0;
    s->sample[i] = s->group[i] = s->n_prompt[i] = 0;
    s->flags[i] = 0;
    s->reward[i] = s->advantage[i] = 0;
    s->label[i] = 1;
    s->margin[i] = 0;
    return i;
}

static void add_target(ls_sequences *s, int64_t i, int64_t position)
{
    s->target_pos[s->n_targets++] = (int32_t)position;
    s->target_start[i + 1] = s->n_targets;
}

int64_t ls_sequences_add(ls_sequences *s, const int32_t *ids, int64_t n_ids, const uint8_t *mask)
{
    int64_t i = add_sequence(s, n_ids);
    memcpy(s->ids + s->start[i], ids, (size_t)n_ids * sizeof *ids);
    for (int64_t t = 1; t < n_ids; t++)
        if (mask[t])
            add_target(s, i, t);
    return i;
}

int64_t ls_sequences_add_scored(ls_sequences *s, const ls_model_config *scorer,
                                const int32_t *prompt, int64_t n_prompt, const int32_t *ids,
                                int64_t n_ids)
{
    while (scorer->has_pad_token && n_ids > 0 && ids[n_ids - 1] == scorer->pad_token_id)
        n_ids--;
    int64_t i = add_sequence(s, n_prompt + n_ids);
    memcpy(s->ids + s->start[i], prompt, (size_t)n_prompt * sizeof *ids);
    if (n_ids > 0)
        memcpy(s->ids + s->start[i] + n_prompt, ids, (size_t)n_ids * sizeof *ids);
    add_target(s, i, n_prompt + n_ids - 1);
    return i;
}

int64_t ls_sequences_add_completion(ls_sequences *s, const int32_t *prompt, int64_t n_prompt,
                                    const int32_t *ids, int64_t n_ids)
{
    int64_t i = add_sequence(s, n_prompt + n_ids);
    memcpy(s->ids + s->start[i], prompt, (size_t)n_prompt * sizeof *ids);
    if (n_ids > 0)
        memcpy(s->ids + s->start[i] + n_prompt, ids, (size_t)n_ids * sizeof *ids);
    s->n_prompt[i] = (int32_t)n_prompt;
    for (int64_t t = n_prompt; t < n_prompt + n_ids; t++)
        add_target(s, i, t);
    return i;
}

leash_streams ls_sequences_streams(const ls_sequences *s, bool with_old, bool with_reference)
{
    leash_streams streams = {.n_tokens = s->n_targets,
                             .n_seqs = s->n_seqs,
                             .n_groups = s->n_groups,
                             .seq_start = s->target_start,
                             .group = s->group,
                             .flags = s->flags,
                             .old_logp = with_old ? s->old_logp : NULL,
                             .ref_logp = with_reference ? s->ref_logp : NULL,
                             .advantage = with_old ? s->token_advantage : NULL,
                             .sampler_logp = with_old ? s->sampler_logp : NULL,
                             .weight = s->weight};
    return streams;
}

void ls_sequences_pack(ls_packed *out, const ls_sequences *s, int64_t first, int64_t end,
                       ls_arena *arena)
{
    int64_t n_seqs = end - first, unread = s->reads_own_row ? 0 : 1,
            n_rows = s->start[end] - s->start[first] - n_seqs * unread;
    int32_t *ids = ls_arena_ints(arena, n_rows), *pos = ls_arena_ints(arena, n_rows);
    ls_batch_seq *seqs = ls_arena_alloc(arena, (size_t)n_seqs * sizeof *seqs);
    out->target0 = s->target_start[first];
    out->n_targets = s->target_start[end] - out->target0;
    out->rows = ls_arena_ints(arena, out->n_targets);
    out->targets = ls_arena_ints(arena, out->n_targets);
    int64_t row = 0, target = 0;
    for (int64_t i = first; i < end; i++) {
        int64_t n = s->start[i + 1] - s->start[i] - unread;
        const int32_t *source = s->ids + s->start[i];
        seqs[i - first] = (ls_batch_seq){.row0 = row, .n_rows = n};
        for (int64_t t = s->target_start[i]; t < s->target_start[i + 1]; t++, target++) {
            out->rows[target] = (int32_t)(row + s->target_pos[t] - unread);
            out->targets[target] = source[s->target_pos[t]];
        }
        for (int64_t t = 0; t < n; t++, row++) {
            ids[row] = source[t];
            pos[row] = (int32_t)t;
        }
    }
    out->batch =
        (ls_batch){.ids = ids, .pos = pos, .n_rows = n_rows, .seqs = seqs, .n_seqs = n_seqs};
}

/* Sequences first to end - 1 through the model, without a record. */
static ls_tensor *forward(ls_model *model, ls_tape *tape, ls_packed *packed, const ls_sequences *s,
                          int64_t first, int64_t end, ls_arena *pass)
{
    ls_sequences_pack(packed, s, first, end, pass);
    ls_tape_init(tape, model->dev, pass, false);
    return ls_model_forward(model, tape, &packed->batch);
}

void ls_sequences_score(ls_model *model, ls_arena *pass, const ls_sequences *s, double temperature,
                        int64_t chunk, float *logp, float *entropy)
{
    for (int64_t first = 0; first < s->n_seqs; first += chunk) {
        int64_t end = first + chunk < s->n_seqs ? first + chunk : s->n_seqs;
        ls_arena_mark mark = ls_arena_get_mark(pass);
        ls_packed packed;
        ls_tape tape;
        ls_tensor *hidden = forward(model, &tape, &packed, s, first, end, pass);
        ls_head_job job = {.hidden = hidden,
                           .weight = model->head,
                           .rows = packed.rows,
                           .targets = packed.targets,
                           .n = packed.n_targets,
                           .temperature = (float)temperature,
                           .logp = logp + packed.target0,
                           .entropy = entropy ? entropy + packed.target0 : NULL};
        ls_op_head_score(&tape, &job);
        ls_arena_rewind(pass, mark);
    }
}

void ls_sequences_value(ls_model *model, ls_arena *pass, const ls_sequences *s, int64_t chunk,
                        float *value)
{
    for (int64_t first = 0; first < s->n_seqs; first += chunk) {
        int64_t end = first + chunk < s->n_seqs ? first + chunk : s->n_seqs;
        ls_arena_mark mark = ls_arena_get_mark(pass);
        ls_packed packed;
        ls_tape tape;
        ls_tensor *hidden = forward(model, &tape, &packed, s, first, end, pass);
        ls_value_job job = {.hidden = hidden,
                            .weight = model->score,
                            .bias = model->score_bias,
                            .rows = packed.rows,
                            .n = packed.n_targets,
                            .value = value + packed.target0};
        ls_op_value(&tape, &job);
        ls_arena_rewind(pass, mark);
    }
}

int64_t ls_first_not_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return i;
    return -1;
}

int64_t ls_sequences_of_target(const ls_sequences *s, int64_t target)
{
    int64_t i = 0;
    while (s->target_start[i + 1] <= target)
        i++;
    return i;
}
