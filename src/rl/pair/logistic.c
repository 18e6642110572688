/* Losses of the margin D = chosen score - rejected score.  s is the logistic function.
 *
 *     sigmoid        -(q log s(beta D) + (1 - q) log s(-beta D))
 *     sigmoid_norm   the same with D = chosen score / n_chosen - rejected score / n_rejected
 *     robust         (-(1 - e) log s(beta D) + e log s(-beta D)) / (1 - 2 e)
 *     hinge          max(0, 1 - beta D)
 *     exo_pair       p (log p - log(1 - e)) + (1 - p)(log(1 - p) - log e),  p = s(beta D)
 *     discopop       -(1 - m) log s(beta D) + m e^(-beta D),                m = s(beta D / tau)
 * q = label (1 - e) + (1 - label) e, e = label_smoothing: with hard labels 1 - e, which is cDPO.
 * TRL's sigmoid ignores label_smoothing.  D also takes the pair's margin off, and counts the
 * rejected score dpo_shift times (DPO-Shift, arXiv:2502.07599); both are neutral by default.
 * Units: beta per nat; e and q are probabilities. */
#include "rl/pair.h"

#include <math.h>
#include "rl/logistic.h"
#include "rl/objective.h"

static double margin_of(const ls_pair *p)
{
    return p->chosen_score - p->shift * p->rejected_score;
}

/* The term of a loss of beta D with the given slope by beta D. */
static ls_pair_term term_of(double value, double slope, double beta, double shift)
{
    return (ls_pair_term){value, slope * beta, -slope * beta * shift};
}

static double smoothed(const ls_objective_options *o, const ls_pair *p)
{
    double e = o->pair.label_smoothing;
    return p->label * (1 - e) + (1 - p->label) * e;
}

double ls_pair_cross_entropy(double *slope, double x, double q)
{
    *slope = ls_sigmoid(x) - q;
    return -(q * ls_log_sigmoid(x) + (1 - q) * ls_log_sigmoid(-x));
}

ls_pair_term ls_pair_sigmoid(const ls_objective_options *o, const ls_pair *p)
{
    double slope,
        value = ls_pair_cross_entropy(&slope, o->beta * margin_of(p) - p->margin, smoothed(o, p));
    return term_of(value, slope, o->beta, p->shift);
}

ls_pair_term ls_pair_sigmoid_norm(const ls_objective_options *o, const ls_pair *p)
{
    double x = o->beta * (p->chosen_score / p->n_chosen - p->rejected_score / p->n_rejected);
    double slope, value = ls_pair_cross_entropy(&slope, x - p->margin, smoothed(o, p));
    return (ls_pair_term){value, slope * o->beta / p->n_chosen, -slope * o->beta / p->n_rejected};
}

ls_pair_term ls_pair_robust(const ls_objective_options *o, const ls_pair *p)
{
    double e = o->pair.label_smoothing, x = o->beta * margin_of(p);
    double value = (-(1 - e) * ls_log_sigmoid(x) + e * ls_log_sigmoid(-x)) / (1 - 2 * e);
    double slope = (-(1 - e) * ls_sigmoid(-x) - e * ls_sigmoid(x)) / (1 - 2 * e);
    return term_of(value, slope, o->beta, p->shift);
}

ls_pair_term ls_pair_hinge(const ls_objective_options *o, const ls_pair *p)
{
    double x = 1 - o->beta * margin_of(p);
    if (x <= 0) /* a NaN goes through */
        return (ls_pair_term){0};
    return term_of(x, -1, o->beta, p->shift);
}

ls_pair_term ls_pair_exo(const ls_objective_options *o, const ls_pair *p)
{
    double e = o->pair.label_smoothing, x = o->beta * margin_of(p);
    double good = ls_sigmoid(x), bad = ls_sigmoid(-x);
    double a = ls_log_sigmoid(x) - log1p(-e), b = ls_log_sigmoid(-x) - log(e);
    return term_of(good * a + bad * b, good * bad * (a - b), o->beta, p->shift);
}

ls_pair_term ls_pair_discopop(const ls_objective_options *o, const ls_pair *p)
{
    double x = o->beta * margin_of(p), tau = o->pair.discopop_tau, m = ls_sigmoid(x / tau);
    double logistic = -ls_log_sigmoid(x), exponential = exp(-x);
    double dm = m * ls_sigmoid(-x / tau) / tau;
    double slope = -ls_sigmoid(-x) * (1 - m) - exponential * m + dm * (exponential - logistic);
    return term_of(logistic * (1 - m) + exponential * m, slope, o->beta, p->shift);
}
