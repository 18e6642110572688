/* Divergences of a student from its teacher at one position, over K given tokens and what is left.
 *
 *     ls_divergence d = ls_divergence_compute(dlogp, student_logp, teacher_logp, K, is_all, beta);
 *
 * T and S are the probabilities of the K tokens and, unless they are the whole vocabulary, of one
 * bucket for all others, 1 - sum (a lower bound of the divergence over the vocabulary):
 *     beta 0       forward KL   sum T (log T - log S)
 *     beta 1       reverse KL   sum S (log S - log T)
 *     0 < beta < 1 beta KL(T || M) + (1 - beta) KL(S || M),  M = beta T + (1 - beta) S
 * The generalised Jensen-Shannon divergence goes to 0 at both ends, so there is a jump to the KLs.
 * The bucket's probability is at least 1e-8.  Source: arXiv:2306.13649. */
#ifndef LS_RL_DIVERGENCE_H
#define LS_RL_DIVERGENCE_H

#include <stdbool.h>
#include <stdint.h>

/* The loss; dlogp (n): its derivative by the student's log-probability of each given token, the
 * bucket following them; NULL: not wanted. */
double ls_divergence_compute(double *dlogp, const float *student, const float *teacher, int64_t n,
                             bool is_all, double beta);
/* The teacher's probability outside of the given tokens, at least 0. */
double ls_divergence_tail(const float *logp, int64_t n);

/* Learning from sampled tokens instead: A_t = log T(y_t) - logp_t, kept within +-clip (0: any),
 * each token judged by itself and not centred.  teacher, logp, advantage (n). */
void ls_distill_advantages(float *advantage, const float *teacher, const float *logp, int64_t n,
                           double clip);
/* IW-OPD's weights: A_t times 1 + (1 - sum_{s<t} |A_s| / sum_s |A_s|) / 2, in place; a sequence. */
void ls_distill_weigh_early(float *advantage, int64_t n);
/* MiniLLM's returns: R_t = (A_t + gamma A_{t+1} + gamma^2 ...) over the number of tokens that it
 * sums (their discounted count), in place; a sequence.  gamma 0: the advantages themselves. */
void ls_distill_returns(float *advantage, int64_t n, double gamma);

#endif
