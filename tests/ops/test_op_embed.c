/* ls_op_embed against its formula in double. */
#include "op_check.h"

enum { V = 11 };

static void rows_and_gradients_follow_the_ids(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 3, 17, 33};
    const int32_t ids[7] = {3, 0, 3, 10, 3, 9, 0};
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++)
        for (size_t c = 0; c < LS_COUNT(widths); c++)
            for (int64_t n = 1; n <= 7; n++) {
                int64_t C = widths[c];
                float table[V * 33], dy[7 * 33];
                double y[7 * 33], dtable[V * 33] = {0};
                fill_normal(table, V * C, 1, 1.0f);
                fill_normal(dy, n * C, 2, 1.0f);
                for (int64_t i = 0; i < n * C; i++) {
                    int64_t at = ids[i / C] * C + i % C;
                    y[i] = 1.5 * (double)table[at];
                    dtable[at] += 1.5 * (double)dy[i];
                }
                op_bench b;
                op_bench_open(&b, tables[t], 1);
                ls_weight w = bench_weight(&b, table, V, C);
                ls_tensor *out = ls_op_embed(&b.tape, &w, ids, n, 1.5f);
                check_forward(out->data, y, n * C);
                bench_backward(&b, out, dy);
                check_gradient(w.grad, dtable, V * C);
                op_bench_close(&b);
            }
}

static void frozen_table_records_nothing(void **state)
{
    (void)state;
    op_bench b;
    op_bench_open(&b, &ls_kernels_ref, 1);
    float table[4] = {1, 2, 3, 4};
    const int32_t ids[1] = {1};
    ls_weight w = bench_weight(&b, table, 2, 2);
    w.grad = NULL;
    ls_tensor *out = ls_op_embed(&b.tape, &w, ids, 1, 1.0f);
    assert_false(out->needs_grad);
    assert_null(b.tape.last);
    op_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_gradients_follow_the_ids),
        cmocka_unit_test(frozen_table_records_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
