/* Generalised advantage estimation, with a critic's value before each token.
 *
 *     r_t     = -beta k1_t (token_cost), the score added at the last token
 *     delta_t = r_t + gamma V_{t+1} - V_t,  A_t = delta_t + gamma lambda A_{t+1},  V after the end
 *     0 what tokens get: (A_t - mean) / sqrt(variance + std_epsilon^2) over all scored tokens
 *
 * Returns, what the critic learns, are those of ls_gae_returns, from the unwhitened A.  Masked
 * tokens (a tool's output) are stepped over.  A completion that was cut ends like one that was not,
 * as in the codes of TRL, verl and OpenRLHF; ls_gae takes the value after the end where there is
 * one. batch->reward already has the KL of the whole completion taken off, as for the other
 * estimators; the score is that plus what its tokens paid.  The sequence's own number is that of
 * its first token. Units: gamma and lambda are shares a token.   Source: arXiv:1506.02438 eq. 16;
 * 2203.02155. */
#include "rl/gae.h"

#include <math.h>
#include "base/mem.h"
#include "rl/whiten.h"

void ls_gae(double *advantage, double *ret, const ls_gae_input *in)
{
    double next_value = in->value_after, next_advantage = 0, rest = in->score;
    for (int64_t t = in->n - 1; t >= 0; t--) {
        advantage[t] = ret[t] = 0;
        if (in->mask && !in->mask[t])
            continue;
        double reward = rest - (in->token_cost ? in->token_cost[t] : 0);
        double value = (double)in->value[t], delta = reward + in->gamma * next_value - value;
        rest = 0;
        next_advantage = delta + in->gamma * in->lambda * next_advantage;
        next_value = value;
        advantage[t] = next_advantage;
        ret[t] = next_advantage + value;
    }
}

static const uint8_t *mask_of(const ls_reward_batch *batch, int64_t first)
{
    return batch->mask ? batch->mask + first : NULL;
}

/* Sequence i into advantage and ret (of its length). */
static void estimate(double *advantage, double *ret, const ls_advantage_options *options,
                     const ls_reward_batch *batch, int64_t i, int64_t first)
{
    ls_gae_input in = {.n = ls_reward_batch_length(batch, i),
                       .score = batch->reward[i],
                       .token_cost = batch->token_cost ? batch->token_cost + first : NULL,
                       .value = batch->value + first,
                       .mask = mask_of(batch, first),
                       .gamma = options->gamma,
                       .lambda = options->lam};
    for (int64_t t = 0; in.token_cost && t < in.n; t++)
        in.score += in.mask && !in.mask[t] ? 0 : in.token_cost[t];
    ls_gae(advantage, ret, &in);
}

/* Two arrays for the longest sequence. */
static double *scratch_new(const ls_reward_batch *batch, int64_t *longest)
{
    *longest = 1;
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        int64_t n = ls_reward_batch_length(batch, i);
        *longest = n > *longest ? n : *longest;
    }
    return ls_malloc(ls_mul_size((size_t)*longest, 2 * sizeof(double)));
}

typedef void visit_fn(void *to, int64_t first, int64_t n, const double *advantage,
                      const double *ret, const uint8_t *mask);

/* Visits all scored sequences. */
static void for_each(const ls_advantage_options *options, const ls_reward_batch *batch,
                     visit_fn *visit, void *to)
{
    int64_t longest, first = 0;
    double *advantage = scratch_new(batch, &longest), *ret = advantage + longest;
    LS_ASSERT(batch->value);
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        int64_t n = ls_reward_batch_length(batch, i);
        if (!isnan(batch->reward[i])) {
            estimate(advantage, ret, options, batch, i, first);
            visit(to, first, n, advantage, ret, mask_of(batch, first));
        }
        first += n;
    }
    ls_free(advantage);
}

static void add_to_whitening(void *to, int64_t first, int64_t n, const double *advantage,
                             const double *ret, const uint8_t *mask)
{
    (void)first, (void)ret;
    for (int64_t t = 0; t < n; t++)
        ls_whitening_add(to, advantage[t], !mask || mask[t] ? 1 : 0);
}

typedef struct output {
    float *x;
    ls_whitening whitening;
    double epsilon;
} output;

static void write_whitened(void *to, int64_t first, int64_t n, const double *advantage,
                           const double *ret, const uint8_t *mask)
{
    output *out = to;
    (void)ret;
    for (int64_t t = 0; t < n; t++) {
        if (!mask || mask[t])
            out->x[first + t] =
                (float)ls_whitening_apply(&out->whitening, advantage[t], out->epsilon);
    }
}

static void write_returns(void *to, int64_t first, int64_t n, const double *advantage,
                          const double *ret, const uint8_t *mask)
{
    output *out = to;
    (void)advantage, (void)mask;
    for (int64_t t = 0; t < n; t++)
        out->x[first + t] = (float)ret[t];
}

static void write_nothing(float *x, const ls_reward_batch *batch)
{
    int64_t n = 0;
    for (int64_t i = 0; i < batch->n_seqs; i++)
        n += ls_reward_batch_length(batch, i);
    for (int64_t t = 0; t < n; t++)
        x[t] = 0;
}

void ls_gae_returns(float *ret, const ls_advantage_options *options, const ls_reward_batch *batch)
{
    output out = {.x = ret};
    write_nothing(ret, batch);
    for_each(options, batch, write_returns, &out);
}

static void run_tokens(float *token_advantage, const ls_advantage_options *options,
                       const ls_reward_batch *batch)
{
    output out = {.x = token_advantage, .epsilon = options->std_epsilon};
    write_nothing(token_advantage, batch);
    for_each(options, batch, add_to_whitening, &out.whitening);
    for_each(options, batch, write_whitened, &out);
}

typedef struct firsts {
    double *advantage;
    const ls_reward_batch *batch;
    int64_t i;
} firsts;

static void write_first(void *to, int64_t first, int64_t n, const double *advantage,
                        const double *ret, const uint8_t *mask)
{
    firsts *out = to;
    (void)first, (void)ret;
    while (isnan(out->batch->reward[out->i]))
        out->i++;
    int64_t t = 0;
    while (mask && t < n && !mask[t])
        t++;
    out->advantage[out->i++] = t < n ? advantage[t] : 0;
}

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    (void)groups;
    firsts out = {.advantage = advantage, .batch = batch};
    for_each(options, batch, write_first, &out);
}

const ls_advantage ls_advantage_gae = {
    .name = "gae",
    .help = "generalised advantage estimation against a critic's values, whitened over the batch's "
            "tokens (PPO)",
    .source = "arXiv:1506.02438",
    .needs_value = true,
    .run = run,
    .run_tokens = run_tokens,
};
