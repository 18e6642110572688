/* Models that score beside a run: the reward model of rollouts.
 *
 * It reads the ids of prompt and completion as the policy wrote them, so both have one tokenizer,
 * and gives its score at the last token that is no padding, as it was trained
 * (train/source_completions.c).  Its weights are frozen; a score is a function of one completion
 * alone. */
#include "train/run.h"

#include <math.h>
#include <string.h>

leash_status ls_run_build_reward_model(ls_run *run)
{
    const ls_run_options *o = run->o;
    if (!ls_reward_plan_has_model(&run->rewards))
        return LEASH_OK;
    LS_TRY(ls_run_open_named(run, &run->reward_source, "reward_model", o->reward.reward_model));
    LS_TRY(ls_model_source_want_score(&run->reward_source, "reward_model"));
    return ls_model_source_make(&run->reward_model, &run->reward_source, &run->dev,
                                &run->arena[LS_ROLE_REWARD], ls_adapter_frozen_use(&o->adapter), 1,
                                (uint64_t)o->train.seed);
}

/* Room for a chunk of completions of the greatest length, in the arena of passes. */
static void take_chunk(ls_sequences *s, ls_run *run)
{
    ls_arena *pass = &run->arena[LS_ROLE_PASS];
    int64_t n = ls_micro_sequences(run->o);
    ls_sequences_init(s, pass, n, n * run->max_length);
    s->reads_own_row = true;
}

void ls_run_measure_reward_model(ls_run *run)
{
    ls_sequences s;
    take_chunk(&s, run);
}

leash_status ls_run_score_completions(ls_run *run, const ls_rollout *rollout,
                                      const ls_prompt *prompts, double *score)
{
    ls_arena *pass = &run->arena[LS_ROLE_PASS];
    ls_arena_mark mark = ls_arena_get_mark(pass);
    const ls_model_config *config = &run->reward_model->config;
    ls_sequences s;
    take_chunk(&s, run);
    for (int64_t first = 0; first < rollout->n_completions; first += s.n_seqs) {
        ls_sequences_clear(&s);
        for (int64_t i = first; i < rollout->n_completions && s.n_seqs < s.max_seqs; i++) {
            const ls_completion *c = &rollout->completions[i];
            const ls_prompt *prompt = &prompts[c->prompt];
            ls_sequences_add_scored(&s, config, prompt->ids, prompt->n_ids, c->ids, c->n_tokens);
        }
        ls_sequences_value(run->reward_model, pass, &s, s.n_seqs, s.logp);
        for (int64_t i = 0; i < s.n_seqs; i++)
            score[first + i] = (double)s.logp[i];
        if (ls_first_not_finite(s.logp, s.n_seqs) >= 0) {
            ls_arena_rewind(pass, mark);
            return ls_fail(LEASH_NUMERIC, "reward_model: its score of a completion is not finite; "
                                          "look for such numbers in its file");
        }
    }
    ls_arena_rewind(pass, mark);
    return LEASH_OK;
}
