/* Labels from judges; sources: arXiv:2212.08073 sec. 4, 2309.00267. */
#include "rl/judge.h"

#include "rl/logistic.h"

double ls_judge_option(double logp_a, double logp_b)
{
    return ls_sigmoid(logp_a - logp_b);
}

double ls_judge_clamp(double p, double low, double high)
{
    return p < low ? low : p > high ? high : p;
}

ls_judgement ls_judge_swap(double p_12, double p_21)
{
    return (ls_judgement){(p_12 + 1 - p_21) / 2, (p_12 > 0.5) == (p_21 < 0.5) && p_12 != 0.5};
}

double ls_judge_swap_logits(double logit_12, double logit_21)
{
    return ls_sigmoid((logit_12 - logit_21) / 2);
}

double ls_judge_expected_score(const double *p, int n)
{
    double sum = 0, total = 0;
    for (int i = 0; i < n; i++) {
        sum += p[i] * i;
        total += p[i];
    }
    return n > 1 && total > 0 ? 2 * sum / (total * (n - 1)) - 1 : 0;
}
