/* Losses of the log-probabilities themselves: no reference model.  u = chosen / n_chosen and
 * v = rejected / n_rejected are means over tokens, s the logistic function, e label_smoothing.
 *
 *     sft       -u
 *     simpo     -(1 - e) log s(x) - e log s(-x),   x = beta (u - v) - simpo_gamma
 *     alphapo   the same with beta (R(u) - R(v)) - simpo_gamma,   R(u) = (1 - e^(-alpha u)) / alpha
 *     orpo      -beta log s(o),   o = (u - v) - (log(1 - e^u) - log(1 - e^v))
 * ORPO is the mixture of sft and orpo, beta its lambda.  TRL's ORPO takes the likelihood over
 * prompt and completion; here it is that of the completion.  TRL's sft is the mean over the tokens
 * of all chosen completions of a device batch; here it is the mean over pairs of the mean over
 * tokens. CPO is sigmoid with reference_free, and sft.  At alpha 0, R(u) = u.
 * u is kept below -1e-7 in orpo.   Units: beta per nat per token; simpo_gamma in units of beta u.
 * */
#include <math.h>
#include "rl/logistic.h"
#include "rl/objective.h"
#include "rl/pair.h"

#define MEAN_LOGP_MAX (-1e-7)

ls_pair_term ls_pair_sft(const ls_objective_options *o, const ls_pair *p)
{
    (void)o;
    return (ls_pair_term){-p->chosen / p->n_chosen, -1 / p->n_chosen, 0};
}

ls_pair_term ls_pair_simpo(const ls_objective_options *o, const ls_pair *p)
{
    double x = o->beta * (p->chosen / p->n_chosen - p->rejected / p->n_rejected);
    double slope,
        value = ls_pair_cross_entropy(&slope, x - o->pair.simpo_gamma, 1 - o->pair.label_smoothing);
    return (ls_pair_term){value, slope * o->beta / p->n_chosen, -slope * o->beta / p->n_rejected};
}

static double alpha_reward(double *slope, double u, double alpha)
{
    *slope = exp(-alpha * u);
    return alpha == 0 ? u : -expm1(-alpha * u) / alpha;
}

ls_pair_term ls_pair_alphapo(const ls_objective_options *o, const ls_pair *p)
{
    double du, dv, slope, alpha = o->pair.alphapo_alpha;
    double x = o->beta * (alpha_reward(&du, p->chosen / p->n_chosen, alpha) -
                          alpha_reward(&dv, p->rejected / p->n_rejected, alpha));
    double value =
        ls_pair_cross_entropy(&slope, x - o->pair.simpo_gamma, 1 - o->pair.label_smoothing);
    return (ls_pair_term){value, slope * o->beta * du / p->n_chosen,
                          -slope * o->beta * dv / p->n_rejected};
}

/* log(e^u / (1 - e^u)) and its derivative 1 / (1 - e^u), 0 where u is clamped. */
static double log_odds(double *slope, double u)
{
    bool is_clamped = u > MEAN_LOGP_MAX;
    if (is_clamped)
        u = MEAN_LOGP_MAX;
    double rest = -expm1(u);
    *slope = is_clamped ? 0 : 1 / rest;
    return u - (u < -M_LN2 ? log1p(-exp(u)) : log(rest));
}

ls_pair_term ls_pair_orpo(const ls_objective_options *o, const ls_pair *p)
{
    double du, dv, odds = log_odds(&du, p->chosen / p->n_chosen);
    odds -= log_odds(&dv, p->rejected / p->n_rejected);
    double slope = -o->beta * ls_sigmoid(-odds);
    return (ls_pair_term){-o->beta * ls_log_sigmoid(odds), slope * du / p->n_chosen,
                          -slope * dv / p->n_rejected};
}
