/* Pair losses: what a chosen and a rejected completion of one prompt say about the policy.
 *
 *     ls_pair p = {.chosen = sum logp, .rejected = ..., .ref_chosen = ..., ...};
 *     ls_pair_complete(&p, options);
 *     ls_pair_term l = loss->run(options, &p);
 *
 * With c = chosen - ref_chosen, r = rejected - ref_rejected (sums over completion tokens) a loss is
 * a function of the scores f'(e^c), f'(e^r) of an f-divergence, which are c and r for the reverse
 * KL (arXiv:2309.16240), or of the log-probabilities themselves where it needs no reference.  Its
 * derivatives are those by the two scores, or by the two log-probabilities.
 *
 * The objective "preference" (rl/objective/preference.c) runs a weighted sum of such losses.
 * beta is the loss's own temperature, in the unit that the loss says: losses on sums and losses on
 * means of tokens differ by the length of a completion.
 *
 * To add a loss: one function in rl/pair/, one row in pair_loss.def. */
#ifndef LS_RL_PAIR_H
#define LS_RL_PAIR_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct ls_objective_options;

typedef struct ls_pair {
    /* Given.  Log-probabilities are sums; 0 for the reference where there is none. */
    double chosen, rejected, ref_chosen, ref_rejected;
    double n_chosen, n_rejected; /* completion tokens, at least 1                          */
    double label;                /* probability that the chosen one is the better, 1       */
    double margin;               /* by how much the chosen one is to win, 0                */
    double shift;                /* weight of the rejected score, 1 (DPO-Shift)            */
    /* Made by ls_pair_complete. */
    double c, r;                         /* log ratios                                       */
    double chosen_score, rejected_score; /* f' of their exponentials                       */
    double chosen_slope, rejected_slope; /* derivative of the score by the log ratio       */
} ls_pair;

typedef struct ls_pair_term {
    double value, chosen, rejected; /* the loss; its derivatives by score or log-probability */
} ls_pair_term;

typedef ls_pair_term ls_pair_fn(const struct ls_objective_options *options, const ls_pair *p);

typedef enum ls_pair_kind {
    LS_PAIR_SCORES,         /* of the scores: every f-divergence                              */
    LS_PAIR_RATIOS,         /* of the scores, which must be log ratios                        */
    LS_PAIR_LOGPS,          /* of the log-probabilities: no reference                         */
    LS_PAIR_SORTED,         /* of c - r, after sorting each part of it over the step (AOT)    */
    LS_PAIR_SORTED_UNPAIRED /* of c and r, each sorted over the step                          */
} ls_pair_kind;

typedef struct ls_pair_loss {
    const char *name, *help, *source;
    ls_pair_kind kind;
    bool has_mean_reward; /* beta belongs to means over tokens: logged rewards are means too */
    ls_pair_fn *run;
} ls_pair_loss;

extern const ls_pair_loss ls_pair_losses[];
extern const int64_t ls_n_pair_losses;
const ls_pair_loss *ls_pair_loss_find(const char *name); /* NULL when there is none */

typedef enum ls_f_divergence {
    LS_F_REVERSE_KL, /* f' = log t = c                                       */
    LS_F_FORWARD_KL, /* f' = 1 - 1/t                                         */
    LS_F_JS,         /* f' = log 2t/(1 + t)                                  */
    LS_F_ALPHA,      /* f' = (t^(a - 1) - 1) / (a - 1); reverse KL at a = 1  */
    LS_F_SQUARED,    /* f = (log t)^2 / 2, f' = log t / t  (arXiv:2602.06788) */
    LS_F_COUNT
} ls_f_divergence;

#define LS_PAIR_LOSSES_MAX 8

typedef struct ls_pair_options {
    int64_t n_losses; /* 0: sigmoid alone */
    const ls_pair_loss *loss[LS_PAIR_LOSSES_MAX];
    double loss_weight[LS_PAIR_LOSSES_MAX];
    bool reference_free;    /* the reference counts as 0 everywhere                              */
    double label_smoothing; /* share of labels taken to be wrong, in [0, 0.5)                    */
    ls_f_divergence f_divergence;
    double f_alpha;       /* of LS_F_ALPHA                                                       */
    double ld_alpha;      /* weight of tokens past the length of the shorter completion, 1       */
    bool use_weighting;   /* WPO: pairs that the policy would write itself weigh more            */
    double discopop_tau;  /* 0.05                                                                */
    double simpo_gamma;   /* margin of simpo and alphapo, in units of the reward                 */
    double alphapo_alpha; /* of alphapo                                                          */
    double dpop_lambda;   /* of dpop, 50                                                         */
    double dpo_shift;     /* factor of the rejected score, in (0, 1]; 1: none                    */
    double xpo_alpha;     /* optimism of XPO, 0                                                  */
} ls_pair_options;

#define LS_PAIR_OPTIONS_INIT                                                       \
    {                                                                              \
        .f_alpha = 0.5, .ld_alpha = 1.0, .discopop_tau = 0.05, .simpo_gamma = 0.5, \
        .alphapo_alpha = 0.25, .dpop_lambda = 50.0, .dpo_shift = 1.0               \
    }

/* The loss_type and loss_weights settings: names and numbers with commas between them; weights may
 * be "" for 1 each.  Errors: LEASH_USAGE naming the key. */
leash_status ls_pair_options_parse(ls_pair_options *options, const char *loss_type,
                                   const char *loss_weights) LEASH_MUST_USE;
/* Refuses combinations that cannot mean what they say.  LEASH_USAGE naming the option. */
leash_status ls_pair_options_check(const struct ls_objective_options *options) LEASH_MUST_USE;
/* Whether a loss compares with the reference, or sorts over the step. */
bool ls_pair_needs_reference(const ls_pair_options *options);
bool ls_pair_sorts(const ls_pair_options *options);

/* Fills what is made from what is given. */
void ls_pair_complete(ls_pair *p, const ls_pair_options *options);
/* -(q log sigmoid(x) + (1 - q) log sigmoid(-x)), and its derivative by x. */
double ls_pair_cross_entropy(double *slope, double x, double q);

#define LS_PAIR_LOSS_ROW(name, kind, has_mean_reward, run, help, source) ls_pair_fn run;
#include "rl/pair_loss.def"
#undef LS_PAIR_LOSS_ROW

#endif
