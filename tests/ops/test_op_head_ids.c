/* The head at given tokens besides the target, and the most likely tokens of a row. */
#include "op_check.h"

enum { ROWS = 24, C_MOST = 17, V_MOST = 40, K_MOST = 9 };

typedef struct {
    double hidden[2 * ROWS * C_MOST], w[V_MOST * C_MOST];
    double logp[ROWS], ids_logp[ROWS * K_MOST], dlogp[ROWS], dids[ROWS * K_MOST];
    const int32_t *targets, *ids;
    int64_t n, C, V, K;
} problem;

static double loss(void *context)
{
    problem *p = context;
    double sum = 0.0, z[V_MOST];
    for (int64_t i = 0; i < p->n; i++) {
        double total = 0.0;
        for (int64_t v = 0; v < p->V; v++) {
            z[v] = 0.0;
            for (int64_t c = 0; c < p->C; c++)
                z[v] += p->hidden[2 * i * p->C + c] * p->w[v * p->C + c];
            z[v] /= (double)0.7f;
            total += exp(z[v]);
        }
        p->logp[i] = z[p->targets[i]] - log(total);
        sum += p->dlogp[i] * p->logp[i];
        for (int64_t k = i * p->K; k < (i + 1) * p->K; k++) {
            p->ids_logp[k] = z[p->ids[k]] - log(total);
            sum += p->dids[k] * p->ids_logp[k];
        }
    }
    return sum;
}

typedef struct { /* a job with its arrays; every second row of hidden is scored */
    op_bench b;
    ls_weight w;
    ls_head_job job;
    float logp[ROWS], ids_logp[ROWS * K_MOST], dlogp[ROWS], dids[ROWS * K_MOST];
    int32_t rows[ROWS], targets[ROWS], ids[ROWS * K_MOST];
} ids_case;

static float hidden[2 * ROWS * C_MOST], weights[V_MOST * C_MOST];

static void open_case(ids_case *h, const ls_kernels *k, int n_threads, int64_t n, int64_t C,
                      int64_t V, int64_t K)
{
    op_bench_open(&h->b, k, n_threads);
    fill_normal(hidden, 2 * n * C, 1, 1.0f);
    fill_normal(weights, V * C, 2, 0.5f);
    h->w = bench_weight(&h->b, weights, V, C);
    for (int64_t i = 0; i < n; i++) {
        h->rows[i] = (int32_t)(2 * i);
        h->targets[i] = (int32_t)(i * 5 % V);
        for (int64_t j = 0; j < K; j++) /* the target among them in some rows */
            h->ids[i * K + j] = (int32_t)((i * 5 + j * 3 + i % 2) % V);
    }
    h->job = (ls_head_job){.hidden = bench_tensor(&h->b, hidden, 2 * n, C),
                           .weight = &h->w,
                           .rows = h->rows,
                           .targets = h->targets,
                           .n = n,
                           .temperature = 0.7f,
                           .logp = h->logp,
                           .ids = h->ids,
                           .n_ids = K,
                           .ids_logp = h->ids_logp};
    fill_normal(h->dlogp, n, 3, 1.0f);
    fill_normal(h->dids, n * K, 4, 1.0f);
}

static void check_shape(int64_t n, int64_t C, int64_t V, int64_t K)
{
    static problem p;
    static ids_case h;
    static double dhidden[2 * ROWS * C_MOST], dw[V_MOST * C_MOST];
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        open_case(&h, tables[t], 1, n, C, V, K);
        p.n = n, p.C = C, p.V = V, p.K = K, p.targets = h.targets, p.ids = h.ids;
        to_double(p.hidden, hidden, 2 * n * C);
        to_double(p.w, weights, V * C);
        to_double(p.dlogp, h.dlogp, n);
        to_double(p.dids, h.dids, n * K);
        central_differences(dhidden, p.hidden, 2 * n * C, loss, &p);
        central_differences(dw, p.w, V * C, loss, &p);
        loss(&p);
        ls_op_head_score(&h.b.tape, &h.job);
        check_forward(h.logp, p.logp, n);
        check_forward(h.ids_logp, p.ids_logp, n * K);
        ls_op_head_backward_ids(&h.b.tape, &h.job, h.dlogp, NULL, h.dids);
        check_gradient(h.job.hidden->grad, dhidden, 2 * n * C);
        check_gradient(h.w.grad, dw, V * C);
        op_bench_close(&h.b);
    }
}

static void scores_and_gradients_equal_the_formula(void **state)
{
    (void)state;
    check_shape(1, 3, 2, 1);
    check_shape(5, 17, 33, 4);
    check_shape(7, 16, 40, 9);
    check_shape(3, 5, 9, 9);
}

static void no_bit_depends_on_the_cut(void **state)
{
    (void)state;
    enum { N = ROWS, C = 11, V = 31, K = 5 };
    static ids_case whole, cut;
    open_case(&whole, &ls_kernels_ref, 1, N, C, V, K);
    ls_op_head_score(&whole.b.tape, &whole.job);
    ls_op_head_backward_ids(&whole.b.tape, &whole.job, NULL, NULL, whole.dids);
    open_case(&cut, &ls_kernels_ref, 2, N, C, V, K);
    for (int64_t first = 0, n = 9; first < N; first += n) {
        ls_head_job job = cut.job;
        n = N - first < n ? N - first : n;
        job.rows += first, job.targets += first, job.n = n, job.logp += first;
        job.ids += first * K, job.ids_logp += first * K;
        ls_op_head_score(&cut.b.tape, &job);
        ls_op_head_backward_ids(&cut.b.tape, &job, NULL, NULL, cut.dids + first * K);
    }
    assert_memory_equal(whole.ids_logp, cut.ids_logp, N * K * sizeof(float));
    assert_memory_equal(whole.w.grad, cut.w.grad, V * C * sizeof(float));
    assert_memory_equal(whole.job.hidden->grad, cut.job.hidden->grad, 2 * N * C * sizeof(float));
    op_bench_close(&whole.b);
    op_bench_close(&cut.b);
}

/* Against the scores of all tokens, sorted by looking for the best again and again. */
static void the_best_tokens_come_best_first(void **state)
{
    (void)state;
    enum { N = 7, C = 3, V = 37, K = 9 };
    static ids_case h;
    int32_t ids[N * V];
    float logp[N * V], logits[N * V], lse[N], entropy[N];
    open_case(&h, &ls_kernels_ref, 1, N, C, V, K);
    /* Columns 4 and 20 are equal: the lower one comes first. */
    memcpy(h.w.data + 20 * C, h.w.data + 4 * C, C * sizeof(float));
    h.b.dev.k->pack(&h.b.dev, h.w.packed, h.w.data, V, C);
    ls_op_head_logits(&h.b.tape, &h.job, logits, lse, entropy);
    static const int64_t sizes[] = {1, 2, K, V};
    for (size_t s = 0; s < LS_COUNT(sizes); s++) {
        ls_op_head_top(&h.b.tape, &h.job, sizes[s], ids, logp);
        for (int64_t i = 0; i < N; i++) {
            bool is_taken[V] = {false};
            for (int64_t k = 0; k < sizes[s]; k++) {
                int32_t best = -1;
                for (int32_t v = 0; v < V; v++)
                    if (!is_taken[v] && (best < 0 || logits[i * V + v] > logits[i * V + best]))
                        best = v;
                is_taken[best] = true;
                float expected = logits[i * V + best] - lse[i];
                assert_int_equal(ids[i * sizes[s] + k], best);
                assert_memory_equal(&logp[i * sizes[s] + k], &expected, sizeof expected);
            }
        }
    }
    op_bench_close(&h.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_and_gradients_equal_the_formula),
        cmocka_unit_test(no_bit_depends_on_the_cut),
        cmocka_unit_test(the_best_tokens_come_best_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
