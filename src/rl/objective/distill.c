/* Distillation: a divergence of the student from a teacher at given tokens of each position
 * (rl/divergence.h).
 *
 *     l_t = D_beta(T_t, S_t)       beta 0: forward KL, 1: reverse KL, between: Jensen-Shannon (GKD)
 *     dl_t/d(logp of given token k) = what rl/divergence.h says; the head spreads it over the
 *     logits
 *
 * The given tokens are the teacher's most likely ones, or the student's (reverse KL), or the whole
 * vocabulary; all others are one bucket.  Both sides have the run's temperature.
 * On-policy distillation is the same on completions of the student, whose sampling is not
 * differentiated.  Learning from sampled tokens alone is ppo-clip or reinforce on
 * ls_distill_advantages.   Unit: nats per token.   Source: arXiv:2306.13649, 2305.02301; TRL. */
#include <math.h>
#include "base/mem.h"
#include "rl/divergence.h"
#include "rl/objective.h"

#define FEW_IDS 512 /* up to so many need no memory of the heap */

static int64_t argmax(const float *x, int64_t n)
{
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++)
        best = x[k] > x[best] ? k : best;
    return best;
}

static void count(ls_distill_sums *s, const float *student, const float *teacher, int64_t n,
                  bool is_all)
{
    s->n++;
    s->forward += ls_divergence_compute(NULL, student, teacher, n, is_all, 0);
    s->reverse += ls_divergence_compute(NULL, student, teacher, n, is_all, 1);
    s->jsd += ls_divergence_compute(NULL, student, teacher, n, is_all, 0.5);
    s->teacher_tail += is_all ? 0 : ls_divergence_tail(teacher, n);
    s->n_agree += argmax(student, n) == argmax(teacher, n);
}

static void run_view(ls_objective_sums *sums, const ls_objective_options *options,
                     const leash_streams *streams, const leash_scores *scores,
                     const leash_seeds *seeds)
{
    int64_t n = streams->n_ids;
    double few[FEW_IDS], *many = NULL;
    if (n > FEW_IDS)
        many = ls_malloc(ls_mul_size((size_t)n, sizeof *many));
    double *dlogp = many ? many : few;
    for (int64_t t = 0; t < streams->n_tokens; t++) {
        double weight = (double)streams->weight[t];
        if (weight == 0)
            continue;
        const float *student = scores->ids_logp + t * n, *teacher = streams->teacher_logp + t * n;
        sums->policy_loss += weight * ls_divergence_compute(dlogp, student, teacher, n,
                                                            streams->ids_are_all, options->beta);
        for (int64_t k = 0; k < n; k++)
            seeds->dids[t * n + k] = (float)(weight * dlogp[k]);
        count(&sums->distill, student, teacher, n, streams->ids_are_all);
    }
    ls_free(many);
}

static leash_status check(const ls_objective_options *options)
{
    if (!(options->beta >= 0 && options->beta <= 1))
        return ls_fail(LEASH_USAGE,
                       "beta is %g; with objective distill it lies between 0 (forward "
                       "KL) and 1 (reverse KL)",
                       options->beta);
    return LEASH_OK;
}

const ls_objective ls_objective_distill = {
    .name = "distill",
    .help = "divergence from a teacher at given tokens: forward KL, reverse KL or between (GKD)",
    .source = "arXiv:2306.13649",
    .needs = LS_NEED_TEACHER,
    .owns_beta = true,
    .run_view = run_view,
    .check = check,
};
