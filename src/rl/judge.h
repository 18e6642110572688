/* From a judge's answers to labels of pairs. */
#ifndef LS_RL_JUDGE_H
#define LS_RL_JUDGE_H

#include <stdbool.h>

/* P(A) of two options, from the log-probabilities of their tokens at the answer's position. */
double ls_judge_option(double logp_a, double logp_b);
/* Labels after reasoning are nearly 0 or 1 and are kept within [low, high] (0.4, 0.6 in
 * arXiv:2212.08073). */
double ls_judge_clamp(double p, double low, double high);

typedef struct ls_judgement {
    double p;           /* probability that response 1 is the better                         */
    bool is_consistent; /* both orders name the same response                                */
} ls_judgement;
/* p_12: P(the judge names the first slot) with response 1 there, p_21: with response 2 there.  The
 * mean of both orders, in probabilities or in logits; a preference for a slot that adds to the
 * logit goes away exactly in the latter. */
ls_judgement ls_judge_swap(double p_12, double p_21);
double ls_judge_swap_logits(double logit_12, double logit_21);
/* Mean score over the score tokens low, low + 1, ...; p (n) their probabilities, not normalised;
 * rescaled to [-1, 1] (direct RLAIF). */
double ls_judge_expected_score(const double *p, int n);

#endif
