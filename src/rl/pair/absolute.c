/* Losses that say where each log ratio is to be, not only their difference: they hold the
 * likelihood of the chosen completion.  c and r are the log ratios, s the logistic function.
 *
 *     ipo         (c / n_chosen - r / n_rejected - 1 / (2 beta))^2        on scores; as TRL has it
 *     ipo_sum     (c - r - 1 / (2 beta))^2                                as in the paper
 *     sppo_hard   (c - 1 / (2 beta))^2 + (r + 1 / (2 beta))^2
 *     nca_pair    -log s(beta c) - log s(-beta c) / 2 - log s(-beta r) / 2
 *     bco_pair    -log s(beta c) - log s(-beta r)
 *     apo_zero    1 - s(beta c) + s(beta r)
 *     apo_down    s(beta c) + 1 - s(beta (c - r))
 *     dpop        -log s(beta (c - r - dpop_lambda max(0, -c)))
 * ipo_sum alone is a function of the difference; it stands beside its normalised form.  Its optimum
 * is c - r = (p - 1/2) / beta for a preference of probability p.
 * Unit of beta: per nat; ipo's target 1 / (2 beta) is in nats per token. */
#include <math.h>
#include "rl/logistic.h"
#include "rl/objective.h"
#include "rl/pair.h"

ls_pair_term ls_pair_ipo(const ls_objective_options *o, const ls_pair *p)
{
    double x = p->chosen_score / p->n_chosen - p->rejected_score / p->n_rejected - 0.5 / o->beta;
    return (ls_pair_term){x * x, 2 * x / p->n_chosen, -2 * x / p->n_rejected};
}

ls_pair_term ls_pair_ipo_sum(const ls_objective_options *o, const ls_pair *p)
{
    double x = p->chosen_score - p->rejected_score - 0.5 / o->beta;
    return (ls_pair_term){x * x, 2 * x, -2 * x};
}

ls_pair_term ls_pair_sppo(const ls_objective_options *o, const ls_pair *p)
{
    double a = p->c - 0.5 / o->beta, b = p->r + 0.5 / o->beta;
    return (ls_pair_term){a * a + b * b, 2 * a, 2 * b};
}

ls_pair_term ls_pair_nca(const ls_objective_options *o, const ls_pair *p)
{
    double a = o->beta * p->c, b = o->beta * p->r;
    double value = -ls_log_sigmoid(a) - 0.5 * ls_log_sigmoid(-a) - 0.5 * ls_log_sigmoid(-b);
    return (ls_pair_term){value, o->beta * (-ls_sigmoid(-a) + 0.5 * ls_sigmoid(a)),
                          o->beta * 0.5 * ls_sigmoid(b)};
}

ls_pair_term ls_pair_bco(const ls_objective_options *o, const ls_pair *p)
{
    double a = o->beta * p->c, b = o->beta * p->r;
    return (ls_pair_term){-ls_log_sigmoid(a) - ls_log_sigmoid(-b), -o->beta * ls_sigmoid(-a),
                          o->beta * ls_sigmoid(b)};
}

/* The derivative of the logistic function. */
static double bump(double x)
{
    return ls_sigmoid(x) * ls_sigmoid(-x);
}

ls_pair_term ls_pair_apo_zero(const ls_objective_options *o, const ls_pair *p)
{
    double a = o->beta * p->c, b = o->beta * p->r;
    return (ls_pair_term){ls_sigmoid(-a) + ls_sigmoid(b), -o->beta * bump(a), o->beta * bump(b)};
}

ls_pair_term ls_pair_apo_down(const ls_objective_options *o, const ls_pair *p)
{
    double a = o->beta * p->c, d = o->beta * (p->c - p->r);
    return (ls_pair_term){ls_sigmoid(a) + ls_sigmoid(-d), o->beta * (bump(a) - bump(d)),
                          o->beta * bump(d)};
}

ls_pair_term ls_pair_dpop(const ls_objective_options *o, const ls_pair *p)
{
    double lambda = p->c < 0 ? o->pair.dpop_lambda : 0;
    double x = o->beta * (p->c - p->r + lambda * p->c), slope = -o->beta * ls_sigmoid(-x);
    return (ls_pair_term){-ls_log_sigmoid(x), slope * (1 + lambda), -slope};
}
