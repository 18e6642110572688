/* FLOPs and bytes of the calls whose counts need a formula; the same for every table, so that a
 * dry run on the null table predicts what the others will report.  Attention counts the causal
 * part only, keys and values once a (row block) call. */
#include "kernels/cpu/cpu.h"

void ls_count_gemm(ls_device *dev, const ls_gemm_args *a)
{
    double m = (double)a->M, n = (double)a->N, k = (double)a->K;
    ls_count(dev, 2 * m * n * k, m * k + k * n + m * n * (a->accumulate ? 2 : 1));
}

int64_t ls_count_rows(const ls_attention_seq *seqs, int64_t n_seqs)
{
    int64_t rows = 0;
    for (int64_t s = 0; s < n_seqs; s++)
        rows += seqs[s].n_rows;
    return rows;
}

/* (query, key) pairs of one head, and positions that are read. */
static void count_pairs(double *pairs, double *positions, const ls_attention_seq *seqs,
                        int64_t n_seqs, int64_t window)
{
    *pairs = 0;
    *positions = 0;
    for (int64_t s = 0; s < n_seqs; s++) {
        int64_t first = seqs[s].pos0 + 1, last = seqs[s].pos0 + seqs[s].n_rows;
        *positions += (double)last;
        int64_t growing =
            window > 0 && last > window ? (window >= first ? window : first - 1) : last;
        *pairs += (double)(first + growing) * (double)(growing - first + 1) / 2;
        *pairs += (double)(last - growing) * (double)window;
    }
}

void ls_count_attention(ls_device *dev, const ls_attention_args *a)
{
    double pairs, positions, rows = (double)ls_count_rows(a->seqs, a->n_seqs);
    count_pairs(&pairs, &positions, a->seqs, a->n_seqs, a->window);
    double heads = (double)a->H, width = (double)a->D;
    ls_count(dev, 4 * pairs * heads * width,
             2 * rows * heads * width + 2 * positions * (double)a->G * width);
}

void ls_count_attention_bwd(ls_device *dev, const ls_attention_bwd_args *a)
{
    double pairs, positions, rows = (double)ls_count_rows(a->seqs, a->n_seqs);
    count_pairs(&pairs, &positions, a->seqs, a->n_seqs, a->window);
    double heads = (double)a->H, width = (double)a->D;
    ls_count(dev, 10 * pairs * heads * width,
             5 * rows * heads * width + 6 * positions * (double)a->G * width);
}
