/* The head: scores and gradients against the formula in double; chunks, kept logits and left-out
 * rows, exact. */
#include "op_check.h"

enum { ROWS = 600, C_MOST = 17, V_MOST = 40 };

typedef struct {
    double hidden[ROWS * C_MOST], w[V_MOST * C_MOST];
    double logp[ROWS], entropy[ROWS], dlogp[ROWS], dentropy[ROWS];
    int32_t rows[ROWS], targets[ROWS];
    int64_t n, C, V;
    double temperature, softcap; /* softcap 0: none */
} problem;

static double loss(void *context)
{
    problem *p = context;
    double sum = 0.0, z[V_MOST];
    for (int64_t i = 0; i < p->n; i++) {
        double total = 0.0, mean = 0.0;
        for (int64_t v = 0; v < p->V; v++) {
            z[v] = 0.0;
            for (int64_t c = 0; c < p->C; c++)
                z[v] += p->hidden[p->rows[i] * p->C + c] * p->w[v * p->C + c];
            if (p->softcap > 0.0)
                z[v] = p->softcap * tanh(z[v] / p->softcap);
            z[v] /= p->temperature;
            total += exp(z[v]);
            mean += exp(z[v]) * z[v];
        }
        p->logp[i] = z[p->targets[i]] - log(total);
        p->entropy[i] = log(total) - mean / total;
        sum += p->dlogp[i] * p->logp[i] + p->dentropy[i] * p->entropy[i];
    }
    return sum;
}

typedef struct { /* a job with its arrays; hidden has n_hidden rows */
    op_bench b;
    ls_weight w;
    ls_head_job job;
    float logp[ROWS], entropy[ROWS], dlogp[ROWS], dentropy[ROWS];
    int32_t rows[ROWS], targets[ROWS], argmax[ROWS];
} head_case;

/* Every second row is scored. */
static void open_case(head_case *h, const ls_kernels *k, int n_threads, int64_t n, int64_t C,
                      int64_t V, const float *hidden, const float *w)
{
    op_bench_open(&h->b, k, n_threads);
    h->w = bench_weight(&h->b, w, V, C);
    for (int64_t i = 0; i < n; i++) {
        h->rows[i] = (int32_t)(2 * i);
        h->targets[i] = (int32_t)(i * 5 % V);
    }
    h->job = (ls_head_job){.hidden = bench_tensor(&h->b, hidden, 2 * n, C),
                           .weight = &h->w,
                           .rows = h->rows,
                           .targets = h->targets,
                           .n = n,
                           .temperature = 0.7f,
                           .logp = h->logp,
                           .entropy = h->entropy,
                           .argmax = h->argmax};
    fill_normal(h->dlogp, n, 3, 1.0f);
    fill_normal(h->dentropy, n, 4, 1.0f);
}

static void check_shape(int64_t n, int64_t C, int64_t V, float softcap)
{
    static problem p;
    static head_case h;
    static float hidden[ROWS * C_MOST], w[V_MOST * C_MOST];
    static double dhidden[ROWS * C_MOST], dw[V_MOST * C_MOST];
    fill_normal(hidden, 2 * n * C, 1, 1.0f);
    fill_normal(w, V * C, 2, 0.5f);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        open_case(&h, tables[t], 1, n, C, V, hidden, w);
        h.w.softcap = softcap;
        if (t == 0) {
            p.n = n, p.C = C, p.V = V, p.temperature = (double)0.7f, p.softcap = (double)softcap;
            to_double(p.hidden, hidden, 2 * n * C);
            to_double(p.w, w, V * C);
            to_double(p.dlogp, h.dlogp, n);
            to_double(p.dentropy, h.dentropy, n);
            memcpy(p.rows, h.rows, sizeof p.rows);
            memcpy(p.targets, h.targets, sizeof p.targets);
            central_differences(dhidden, p.hidden, 2 * n * C, loss, &p);
            central_differences(dw, p.w, V * C, loss, &p);
            loss(&p);
        }
        ls_op_head_score(&h.b.tape, &h.job);
        check_forward(h.logp, p.logp, n);
        if (V > 1)
            check_forward(h.entropy, p.entropy, n);
        ls_op_head_backward(&h.b.tape, &h.job, h.dlogp, h.dentropy);
        if (V > 1) { /* with one word everything is 0 up to rounding */
            check_gradient(h.job.hidden->grad, dhidden, 2 * n * C);
            check_gradient(h.w.grad, dw, V * C);
        }
        op_bench_close(&h.b);
    }
}

static void scores_and_gradients_equal_the_formula(void **state)
{
    (void)state;
    check_shape(1, 3, 2, 0.0f);
    check_shape(1, 1, 1, 0.0f);
    check_shape(2, 17, 33, 0.0f);
    check_shape(7, 3, 17, 0.0f);
    check_shape(5, 17, 40, 0.0f);
    check_shape(7, 16, 32, 0.0f);
}

static void a_soft_cap_bends_logits_and_their_gradients(void **state)
{
    (void)state;
    check_shape(2, 17, 33, 1.5f);
    check_shape(7, 3, 17, 0.5f);
}

typedef struct {
    float *hidden_grad, *w_grad;
    float logp[ROWS], entropy[ROWS];
    int32_t argmax[ROWS];
} exact_result;

/* Scores and walks back, in `n_jobs` jobs that cut the rows, and keeps copies of all results in the
 * run arena. */
static exact_result run_in_jobs(head_case *h, int n_jobs, bool is_kept)
{
    exact_result r;
    ls_head_job jobs[8];
    int64_t n = h->job.n;
    for (int j = 0; j < n_jobs; j++) {
        int64_t begin = n * j / n_jobs, end = n * (j + 1) / n_jobs;
        jobs[j] = h->job;
        jobs[j].rows += begin, jobs[j].targets += begin, jobs[j].n = end - begin;
        jobs[j].logp += begin, jobs[j].entropy += begin, jobs[j].argmax += begin;
        ls_op_head_score(&h->b.tape, &jobs[j]);
        assert_int_equal(jobs[j].kept != NULL, is_kept);
    }
    for (int j = 0; j < n_jobs; j++) {
        int64_t begin = n * j / n_jobs;
        ls_op_head_backward(&h->b.tape, &jobs[j], h->dlogp + begin, h->dentropy + begin);
    }
    r.hidden_grad = h->job.hidden->grad;
    r.w_grad = h->w.grad;
    memcpy(r.logp, h->logp, sizeof r.logp);
    memcpy(r.entropy, h->entropy, sizeof r.entropy);
    memcpy(r.argmax, h->argmax, sizeof r.argmax);
    return r;
}

/* 500 rows of 20000 words: more than LS_HEAD_BYTES in one job, less in each of two or five. */
static void neither_chunks_nor_kept_logits_show_in_the_bits(void **state)
{
    (void)state;
    enum { n = 500, C = 3, V = 20000 };
    static head_case whole, cut;
    static float hidden[2 * n * C], w[V * C];
    fill_normal(hidden, 2 * n * C, 1, 1.0f);
    fill_normal(w, V * C, 2, 0.5f);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    const ls_kernels *fastest = tables[n_tables - 1];
    open_case(&whole, fastest, 1, n, C, V, hidden, w);
    exact_result a = run_in_jobs(&whole, 1, false);
    for (int n_jobs = 2; n_jobs <= 5; n_jobs += 3) {
        open_case(&cut, fastest, n_jobs, n, C, V, hidden, w);
        exact_result b = run_in_jobs(&cut, n_jobs, true);
        assert_memory_equal(a.logp, b.logp, n * sizeof(float));
        assert_memory_equal(a.entropy, b.entropy, n * sizeof(float));
        assert_memory_equal(a.argmax, b.argmax, n * sizeof(int32_t));
        assert_memory_equal(a.hidden_grad, b.hidden_grad, 2 * n * C * sizeof(float));
        assert_memory_equal(a.w_grad, b.w_grad, V * C * sizeof(float));
        op_bench_close(&cut.b);
    }
    op_bench_close(&whole.b);
}

/* Rows without seeds, among them rows of NaN, leave no trace: the same bits as a job without
 * them. */
static void rows_without_seeds_are_not_computed(void **state)
{
    (void)state;
    enum { n = 300, C = 5, V = 23 };
    static head_case all, few;
    static float hidden[2 * n * C], w[V * C];
    fill_normal(hidden, 2 * n * C, 1, 1.0f);
    fill_normal(w, V * C, 2, 0.5f);
    open_case(&all, &ls_kernels_ref, 1, n, C, V, hidden, w);
    open_case(&few, &ls_kernels_ref, 1, n, C, V, hidden, w);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i % 3 == 1) {
            all.dlogp[i] = 0.0f, all.dentropy[i] = -0.0f;
            all.job.hidden->data[all.rows[i] * C] = NAN;
            continue;
        }
        few.rows[kept] = all.rows[i], few.targets[kept] = all.targets[i];
        few.dlogp[kept] = all.dlogp[i], few.dentropy[kept++] = all.dentropy[i];
    }
    few.job.n = kept;
    exact_result a = run_in_jobs(&all, 1, true), b = run_in_jobs(&few, 1, true);
    assert_memory_equal(a.hidden_grad, b.hidden_grad, 2 * n * C * sizeof(float));
    assert_memory_equal(a.w_grad, b.w_grad, V * C * sizeof(float));
    op_bench_close(&few.b);
    op_bench_close(&all.b);
}

static void logits_for_sampling_have_the_bits_of_the_scores(void **state)
{
    (void)state;
    enum { n = 9, C = 5, V = 23 };
    static head_case h;
    float hidden[2 * n * C], w[V * C], logits[n * V], lse[n], entropy[n];
    fill_normal(hidden, 2 * n * C, 1, 1.0f);
    fill_normal(w, V * C, 2, 0.5f);
    open_case(&h, &ls_kernels_ref, 1, n, C, V, hidden, w);
    ls_op_head_score(&h.b.tape, &h.job);
    ls_op_head_logits(&h.b.tape, &h.job, logits, lse, entropy);
    for (int i = 0; i < n; i++) {
        float logp = logits[i * V + h.targets[i]] - lse[i];
        assert_memory_equal(&logp, &h.logp[i], sizeof logp);
        assert_memory_equal(&entropy[i], &h.entropy[i], sizeof logp);
        for (int v = 0; v < V; v++)
            assert_true(logits[i * V + v] <= logits[i * V + h.argmax[i]]);
    }
    op_bench_close(&h.b);
}

static void equal_logits_choose_the_lowest_id(void **state)
{
    (void)state;
    static head_case h;
    const float hidden[2] = {1, 1}, w[4] = {1, 2, 2, 1};
    open_case(&h, &ls_kernels_ref, 1, 1, 1, 4, hidden, w);
    ls_op_head_score(&h.b.tape, &h.job);
    assert_int_equal(h.argmax[0], 1);
    op_bench_close(&h.b);
}

static void frozen_head_and_frozen_body_get_no_gradient(void **state)
{
    (void)state;
    static head_case h;
    const float hidden[2] = {1, 1}, w[4] = {1, 2, 2, 1};
    open_case(&h, &ls_kernels_ref, 1, 1, 1, 4, hidden, w);
    h.w.grad = NULL;
    h.job.hidden->needs_grad = false;
    ls_op_head_score(&h.b.tape, &h.job);
    ls_op_head_backward(&h.b.tape, &h.job, h.dlogp, NULL);
    assert_null(h.job.hidden->grad);
    op_bench_close(&h.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_and_gradients_equal_the_formula),
        cmocka_unit_test(a_soft_cap_bends_logits_and_their_gradients),
        cmocka_unit_test(neither_chunks_nor_kept_logits_show_in_the_bits),
        cmocka_unit_test(rows_without_seeds_are_not_computed),
        cmocka_unit_test(logits_for_sampling_have_the_bits_of_the_scores),
        cmocka_unit_test(equal_logits_choose_the_lowest_id),
        cmocka_unit_test(frozen_head_and_frozen_body_get_no_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
