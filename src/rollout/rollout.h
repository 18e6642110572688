/* The rollout engine: many completions at once over a paged KV cache.
 *
 * Continuous batching: `slots` sequences are alive; each engine step runs one forward over the
 * next token of every alive sequence and over chunks of prompts that are still being read,
 * samples, retires finished ones and starts waiting ones.  The G samples of a group share the
 * pages of their prompt (reference counts; the partly filled last page is copied before it is
 * written).  The log-probability recorded with a token is the one training computes, bit for bit
 * (row contract), so the results do not depend on the order of arrival, the number of slots,
 * chunking, or threads; randomness is named by (seed, purpose, step, prompt id, sample,
 * position in the completion).
 *
 * The engine borrows the model; memory comes from its own arena at ls_engine_new and is reused
 * by every run. */
#ifndef LS_ROLLOUT_ROLLOUT_H
#define LS_ROLLOUT_ROLLOUT_H

#include "base/rng.h"
#include "config/option.h"
#include "model/model.h"

typedef struct ls_sampling_options {
    double temperature; /* 0 = greedy (evaluation only: logp is then that of temperature 1) */
    int64_t top_k;      /* 0: off */
    double top_p;       /* 1: off */
    double min_p;       /* 0: off */
    int64_t max_completion_length;
} ls_sampling_options;
extern const ls_option_table ls_sampling_option_table;

typedef struct ls_engine_options {
    int64_t rollout_slots; /* sequences alive at once                       */
    int64_t prefill_chunk; /* rows of prompt in one forward                 */
} ls_engine_options;
extern const ls_option_table ls_engine_option_table;

typedef struct ls_prompt {
    const int32_t *ids;
    int32_t n_ids;
    uint32_t prompt_id; /* names the randomness: dataset row or position in the step */
    int32_t n_samples;
} ls_prompt;

typedef enum ls_finish { LS_FINISH_STOP, LS_FINISH_LENGTH } ls_finish;

typedef struct ls_completion {
    int64_t prompt;     /* index into the request's prompts */
    int32_t sample;     /* 0 .. n_samples-1                 */
    int32_t n_tokens;   /* including the stop token         */
    const int32_t *ids; /* (n_tokens)                       */
    const float *logp;  /* full softmax at the sampling temperature: what training computes */
    /* log of the probability mass that top-k, top-p and min-p kept, 0 without them; the sampler's
     * own log-probability is logp - log_kept */
    const float *log_kept;
    const float *entropy;
    ls_finish finish;
} ls_completion;

typedef struct ls_rollout_request {
    const ls_prompt *prompts;
    int64_t n_prompts;
    ls_sampling_options sampling;
    uint64_t seed;
    uint32_t purpose, step;  /* LS_RNG_SAMPLE or LS_RNG_EVAL; training step */
    const int32_t *stop_ids; /* any of them ends a completion */
    int32_t n_stop_ids;
    bool (*should_stop)(void); /* NULL: never; true ends the run with LEASH_INTERRUPTED */
    /* after engine steps; NULL: none */
    void (*on_progress)(void *user, int64_t done, int64_t total, int64_t tokens);
    /* each token as it is drawn; NULL: none.  Several completions take turns. */
    void (*on_token)(void *user, int64_t prompt, int32_t sample, int32_t id);
    void *user;
} ls_rollout_request;

typedef struct ls_rollout {
    ls_completion *completions; /* sorted by (prompt, sample): n = sum of n_samples */
    int64_t n_completions;
    int64_t n_tokens;         /* generated                    */
    int64_t n_prefill_tokens; /* prompt rows computed         */
    int64_t n_steps;          /* forwards                     */
    double seconds;
} ls_rollout;

typedef struct ls_engine ls_engine;
/* max_length: the longest prompt + completion any request may need.  A dry arena measures.
 * Errors: LEASH_USAGE when it exceeds the model's max_position_embeddings. */
leash_status ls_engine_new(ls_engine **out, ls_model *model, ls_arena *arena,
                           const ls_engine_options *options, int64_t max_length) LEASH_MUST_USE;
/* Results live in `results` (an arena of the caller, step lifetime).  Errors: LEASH_DATA for a
 * prompt that is empty or leaves no room for one token (prompt index, lengths and limit named),
 * LEASH_NUMERIC when a log-probability is not finite (prompt, sample, position named). */
leash_status ls_engine_run(ls_engine *engine, const ls_rollout_request *request, ls_arena *results,
                           ls_rollout *out) LEASH_MUST_USE;
/* For the plan: takes from `results` what the longest results of `n_completions` completions
 * would take.  Errors: none; the status is for callers that pass it on. */
leash_status ls_engine_measure(const ls_engine *engine, ls_arena *results, int64_t n_completions,
                               int64_t max_completion_length) LEASH_MUST_USE;

/* One token from scaled logits z (V) and their probabilities p (V), which greedy does not read:
 * applies top-k, top-p, min-p, draws with `u` in [0,1) along ids in ascending order; greedy with
 * temperature 0 takes the lowest id of the maxima.  log_kept out.  scratch_ids: V ints. */
int32_t ls_sample_token(const float *z, const float *p, int64_t V,
                        const ls_sampling_options *options, double u, float *log_kept,
                        int32_t *scratch_ids);

#endif
