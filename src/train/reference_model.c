/* The reference policy of a run: which weights it has, its log-probabilities of what is trained on,
 * and its moves.
 *
 * It is ref_model, or the model as it was before the run: a second copy, the model under an adapter
 * (at no memory), or with precompute_ref_log_probs the policy itself before it has moved.  What was
 * made before the first step lies in a table, the targets of each dataset row one after the other;
 * a resumed run makes the table again before it loads its checkpoint. */
#include "train/run.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

static bool tokenizers_agree(const ls_tokenizer *a, const ls_tokenizer *b)
{
    int32_t n = ls_tokenizer_vocab_size(a);
    if (n != ls_tokenizer_vocab_size(b) || ls_tokenizer_eos(a) != ls_tokenizer_eos(b))
        return false;
    for (int32_t id = 0; id < n; id++)
        if (strcmp(ls_tokenizer_piece(a, id), ls_tokenizer_piece(b, id)) != 0)
            return false;
    return true;
}

/* The weights that no checkpoint holds and a resume must find as they were: the model under an
 * adapter, and the reference. */
static void hash_frozen(ls_run *run, const ls_model *underneath)
{
    uint64_t hash = 0;
    if (run->is_dry)
        return;
    const ls_model *reference = run->reference;
    if (!reference && run->o->reference.precompute_ref_log_probs)
        reference = run->model;
    if (underneath)
        hash = ls_model_hash(underneath);
    if (reference && reference != underneath) {
        uint64_t own = ls_model_hash(reference);
        hash = underneath ? ls_hash64_more(hash, &own, sizeof own) : own;
    }
    if (run->reward_model) {
        uint64_t own = ls_model_hash(run->reward_model);
        hash = ls_hash64_more(hash, &own, sizeof own);
    }
    if (run->teacher) {
        uint64_t own = ls_model_hash(run->teacher);
        hash = ls_hash64_more(hash, &own, sizeof own);
    }
    run->state.reference_hash = hash;
}

leash_status ls_run_open_named(ls_run *run, ls_model_source *out, const char *key, const char *path)
{
    const ls_model_source *policy = &run->source;
    LS_TRY(ls_model_source_open(out, key, path, run->o));
    if (!tokenizers_agree(out->tokenizer, policy->tokenizer))
        return ls_fail(LEASH_USAGE,
                       "%s: its tokenizer is not the policy's: both must give the "
                       "same ids to the same text",
                       key);
    if (out->config.vocab_size != policy->config.vocab_size)
        return ls_fail(LEASH_USAGE, "%s: its vocabulary has %lld ids, the policy's %lld", key,
                       (long long)out->config.vocab_size, (long long)policy->config.vocab_size);
    if (ls_model_context(&out->config) < run->max_length)
        return ls_fail(LEASH_USAGE,
                       "%s: its context is %lld tokens, sequences have up to %lld: lower "
                       "max_completion_length or max_length, or take another model",
                       key, (long long)ls_model_context(&out->config), (long long)run->max_length);
    return LEASH_OK;
}

static leash_status open_reference(ls_run *run)
{
    LS_TRY(ls_run_open_named(run, &run->reference_source, "ref_model", run->o->model.ref_model));
    return ls_model_source_want_head(&run->reference_source, "ref_model", LS_HEAD_TOKENS);
}

/* A reference that moves is one of the policy's weights. */
static leash_status check_movable(const ls_run *run)
{
    const ls_model *a = run->reference, *b = run->model;
    bool is_same = a->n_weights == b->n_weights && a->n_params == b->n_params && a->data && b->data;
    for (int64_t i = 0; is_same && i < a->n_weights; i++)
        is_same = strcmp(a->weights[i].name, b->weights[i].name) == 0 &&
                  a->weights[i].rows == b->weights[i].rows &&
                  a->weights[i].cols == b->weights[i].cols;
    if (is_same && !a->adapter)
        return LEASH_OK;
    return ls_fail(LEASH_USAGE, "sync_ref_model mixes the weights of policy and reference, but "
                                "ref_model has another shape or an adapter: set one of them");
}

/* Room for the table: n_trained also counts first tokens, which are no targets. */
static leash_status take_table(ls_run *run)
{
    if (run->data.mix)
        return ls_fail(LEASH_USAGE, "precompute_ref_log_probs scores the rows of one dataset, but "
                                    "dataset names a mixture: leave it out");
    ls_arena *arena = &run->arena[LS_ROLE_REFERENCE];
    run->known_start =
        ls_arena_alloc(arena, (size_t)(run->data.n_rows + 1) * sizeof *run->known_start);
    run->known_logp = ls_arena_floats(arena, run->data.n_trained);
    return LEASH_OK;
}

static leash_status make_model(ls_run *run)
{
    const ls_model_source *source = &run->source;
    if (run->o->model.ref_model[0]) {
        LS_TRY(open_reference(run));
        source = &run->reference_source;
    }
    bool moves = run->reference_moves.kind != LS_REFERENCE_FROZEN;
    LS_TRY(ls_model_source_make(&run->reference, source, &run->dev, &run->arena[LS_ROLE_REFERENCE],
                                moves ? LS_MODEL_FROZEN : ls_adapter_frozen_use(&run->o->adapter),
                                1, (uint64_t)run->o->train.seed));
    return moves ? check_movable(run) : LEASH_OK;
}

leash_status ls_run_build_reference(ls_run *run)
{
    const ls_run_options *o = run->o;
    ls_model *underneath = run->source.has_adapter ? ls_lora_underneath(run->model) : NULL;
    run->reference_moves = ls_reference_settings_resolve(&o->reference);
    if (underneath && o->reference.sync_ref_model)
        return ls_fail(LEASH_USAGE, "sync_ref_model needs a reference of its own, but that of an "
                                    "adapter is the model without it: leave it out");
    if (run->plan.needs & LS_NEED_REF_LOGP) {
        if (o->reference.precompute_ref_log_probs)
            LS_TRY(take_table(run));
        if (underneath && !o->model.ref_model[0])
            run->reference = underneath;
        else if (o->model.ref_model[0] || !o->reference.precompute_ref_log_probs)
            LS_TRY(make_model(run));
    }
    hash_frozen(run, underneath);
    return LEASH_OK;
}

/* --- scores --- */

leash_status ls_run_score(ls_run *run, ls_model *model, const ls_sequences *s, float *logp)
{
    ls_sequences_score(model, &run->arena[LS_ROLE_PASS], s, run->updater.temperature,
                       ls_micro_sequences(run->o), logp, NULL);
    int64_t bad = ls_first_not_finite(logp, s->n_targets);
    if (bad < 0)
        return LEASH_OK;
    bool is_named = model == run->reference && run->o->model.ref_model[0];
    return ls_fail(LEASH_NUMERIC,
                   "%s: its log-probability of a completion of dataset row %lld is not finite; "
                   "look for such numbers in its file%s",
                   is_named ? "ref_model" : "model",
                   (long long)s->line[ls_sequences_of_target(s, bad)],
                   model == run->model ? ", or lower learning_rate" : "");
}

/* The targets of sequences [first, end) from the table, or into it. */
static void copy_known(const ls_run *run, ls_sequences *s, int64_t first, int64_t end, int64_t row,
                       bool to_table)
{
    float *known = run->known_logp + run->known_start[row],
          *logp = s->ref_logp + s->target_start[first];
    size_t n = (size_t)(s->target_start[end] - s->target_start[first]);
    memcpy(to_table ? known : logp, to_table ? logp : known, n * sizeof *logp);
}

/* The rows of the dataset that [first_draw ..) took. */
static void copy_rows(const ls_run *run, ls_sequences *s, int64_t first_draw, bool to_table)
{
    int64_t members = ls_row_sequences(run->o);
    for (int64_t i = 0; i < s->n_seqs; i += members, first_draw++)
        copy_known(run, s, i, i + members, ls_dataset_order(&run->data, first_draw), to_table);
}

leash_status ls_run_score_reference(ls_run *run, ls_sequences *s, ls_metrics *metrics)
{
    double started = ls_clock_seconds();
    if (run->known_logp)
        copy_rows(run, s, run->state.draws - s->n_seqs / ls_row_sequences(run->o), false);
    else
        LS_TRY(ls_run_score(run, run->reference, s, s->ref_logp));
    ls_metrics_set(metrics, "time/reference_s", ls_clock_seconds() - started);
    return LEASH_OK;
}

static int64_t count_targets(const ls_example *e)
{
    int64_t n = 0;
    for (; e; e = e->rejected)
        for (int32_t t = 1; t < e->n_tokens; t++)
            n += e->mask[t];
    return n;
}

leash_status ls_run_precompute_reference(ls_run *run)
{
    if (!run->known_logp)
        return LEASH_OK;
    const ls_dataset *data = &run->data;
    run->known_start[0] = 0;
    for (int64_t i = 0; i < data->n_rows; i++)
        run->known_start[i + 1] = run->known_start[i] + count_targets(&data->rows[i]);
    int64_t step = ls_step_sequences(run->o) / ls_row_sequences(run->o), n = run->n_steps * step;
    n = n < data->n_rows ? n : data->n_rows; /* the first epoch takes each row once */
    ls_sequences *s = &run->sequences;
    for (int64_t first = 0; first < n; first += step) {
        ls_sequences_clear(s);
        for (int64_t draw = first; draw < first + step && draw < n; draw++)
            ls_run_add_example(run, &data->rows[ls_dataset_order(data, draw)]);
        LS_TRY(ls_run_score(run, run->reference ? run->reference : run->model, s, s->ref_logp));
        copy_rows(run, s, first, true);
        if (run->hooks.on_progress)
            run->hooks.on_progress(run->hooks.user, run, "reference", (double)first / (double)n);
        if (run->hooks.should_stop && run->hooks.should_stop())
            return ls_fail(LEASH_INTERRUPTED,
                           "stopped while the reference scored the dataset: nothing was trained");
    }
    return LEASH_OK;
}

/* --- moves --- */

ls_model *ls_run_moving_reference(const ls_run *run)
{
    return run->reference_moves.kind != LS_REFERENCE_FROZEN ? run->reference : NULL;
}

void ls_run_move_reference(ls_run *run)
{
    if (!ls_run_moving_reference(run) ||
        !ls_reference_is_due(&run->reference_moves, run->state.updates))
        return;
    ls_reference_move(run->reference->data, run->model->data, run->model->n_params,
                      &run->reference_moves);
    ls_model_pack(run->reference);
}
