/* Matrix products: the reference against sums in double, every table against the reference bit
 * for bit, and the row contract that rollouts and training rest on. */
#include "kernel_fixture.h"

#include <math.h>

/* --- the reference --- */

static void gemm_multiplies_a_hand_computed_example(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {7, 8, 9, 10, 11, 12};
    float c[] = {1, 1, 1, 1};
    ls_gemm_args args = {
        .c = c, .a = a, .b = b, .M = 2, .N = 2, .K = 3, .a_row = 3, .a_k = 1, .ldb = 2, .ldc = 2};
    dev.k->gemm(&dev, &args);
    const float product[] = {58, 64, 139, 154};
    assert_memory_equal(c, product, sizeof c);
    args.accumulate = true;
    dev.k->gemm(&dev, &args);
    const float twice[] = {116, 128, 278, 308};
    assert_memory_equal(c, twice, sizeof c);
    ls_device_release(&dev);
}

static void reference_is_close_to_sums_in_double(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    int64_t M = 7, N = 9, K = 300;
    float *a = random_floats(M * K, -1, 1), *b = random_floats(K * N, -1, 1), *c = guarded(M * N);
    dev.k->gemm(&dev, &(ls_gemm_args){.c = c,
                                      .a = a,
                                      .b = b,
                                      .M = M,
                                      .N = N,
                                      .K = K,
                                      .a_row = K,
                                      .a_k = 1,
                                      .ldb = N,
                                      .ldc = N});
    for (int64_t i = 0; i < M; i++) {
        for (int64_t j = 0; j < N; j++) {
            double sum = 0, size = 0;
            for (int64_t k = 0; k < K; k++) {
                sum += (double)a[i * K + k] * b[k * N + j];
                size += fabs((double)a[i * K + k] * b[k * N + j]);
            }
            /* At the most K roundings of half a unit (2^-24) each. */
            assert_close(c[i * N + j], sum, (double)K * 0x1p-24, size);
        }
    }
    ls_free(a), ls_free(b), ls_free(c);
    ls_device_release(&dev);
}

/* --- every table --- */

typedef struct gemm_case {
    ls_gemm_args args; /* of the reference, b unpacked (K,N) with ldb */
    float *w;          /* (N,K): the weight whose transpose is b, when packing is tested */
    float *start, *expected;
    int64_t c_floats;
} gemm_case;

static void check_gemm(ls_device *dev, void *context)
{
    const gemm_case *t = context;
    ls_gemm_args args = t->args;
    args.c = clone(t->start, t->c_floats);
    dev->k->gemm(dev, &args);
    assert_same_bits(args.c, t->expected, t->c_floats);
    if (t->w) {
        int64_t n_packed = (int64_t)(dev->k->pack_bytes(args.N, args.K) / sizeof(float));
        float *packed = guarded(n_packed);
        dev->k->pack(dev, packed, t->w, args.N, args.K);
        assert_guard(packed, n_packed);
        if (t->c_floats > 0)
            memcpy(args.c, t->start, (size_t)t->c_floats * sizeof(float));
        args.b = packed;
        args.b_packed = true;
        args.ldb = 0;
        dev->k->gemm(dev, &args);
        assert_same_bits(args.c, t->expected, t->c_floats);
        int64_t begin = between(0, args.N), end = between(begin, args.N),
                n = (end - begin) * args.K;
        float *rows = guarded(n);
        dev->k->unpack(dev, rows, packed, args.N, args.K, begin, end);
        assert_guard(rows, n);
        assert_same_bits(rows, t->w + begin * args.K, n);
        ls_free(rows), ls_free(packed);
    }
    ls_free(args.c);
}

/* All tables on an M x N x K product whose rows stand `pad` floats further apart than they must. */
static void compare_gemm(int64_t M, int64_t N, int64_t K, int64_t pad, bool a_transposed,
                         bool accumulate)
{
    ls_device ref = ref_device();
    int64_t a_row = a_transposed ? 1 : K + pad, a_k = a_transposed ? M + pad : 1, ldb = N + pad,
            ldc = N + pad;
    gemm_case t = {.c_floats = M * ldc};
    float *a = random_floats(a_transposed ? K * a_k : M * a_row, -1, 1),
          *b = random_floats(K * ldb, -1, 1);
    t.w = guarded(N * K);
    for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < K; k++)
            t.w[n * K + k] = b[k * ldb + n];
    t.start = random_floats(t.c_floats, -1, 1);
    t.expected = clone(t.start, t.c_floats);
    t.args = (ls_gemm_args){.c = t.expected,
                            .a = a,
                            .b = b,
                            .M = M,
                            .N = N,
                            .K = K,
                            .a_row = a_row,
                            .a_k = a_k,
                            .ldb = ldb,
                            .ldc = ldc,
                            .accumulate = accumulate};
    ref.k->gemm(&ref, &t.args);
    for_each_device(check_gemm, &t);
    ls_free(a), ls_free(b), ls_free(t.w), ls_free(t.start), ls_free(t.expected);
    ls_device_release(&ref);
}

static void every_table_gives_the_reference_bits_at_small_sizes(void **state)
{
    (void)state;
    for (int64_t M = 0; M <= 14; M++)
        compare_gemm(M, 1 + M * 5, 3 + M, 0, M % 2 == 1, M % 3 == 0);
    const int64_t widths[] = {0,  1,  15, 16, 17, 31,  32,  33,  47,
                              48, 49, 63, 64, 65, 127, 128, 129, 160};
    for (size_t i = 0; i < LS_COUNT(widths); i++) {
        compare_gemm(1, widths[i], 19, 0, false, false);
        compare_gemm(3, widths[i], 5, 3, false, true);
        compare_gemm(13, widths[i], 7, 1, true, true);
    }
}

static void depth_zero_gives_zero_or_the_old_values(void **state)
{
    (void)state;
    compare_gemm(5, 37, 0, 0, false, false);
    compare_gemm(5, 37, 0, 0, false, true);
    compare_gemm(30, 70, 1, 0, true, true);
}

static void every_table_gives_the_reference_bits_across_blocks(void **state)
{
    (void)state;
    compare_gemm(25, 50, 1000, 0, false, false); /* several blocks of K */
    compare_gemm(260, 33, 400, 5, false, true);  /* several groups of rows */
    compare_gemm(250, 40, 390, 0, true, true);   /* the same for a transposed A */
    compare_gemm(65, 200, 130, 0, true, false);
    /* B in blocks of columns and of K: rows 1024 floats apart, which all tables copy. */
    compare_gemm(90, 301, 800, 723, false, true);
    compare_gemm(131, 601, 390, 423, true, true);
    compare_gemm(90, 20, 300, 1004, true, false);
    compare_gemm(5, 4100, 20, 0, false, false);
}

static void every_table_gives_the_reference_bits_at_random_sizes(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++)
        compare_gemm(between(1, 70), between(1, 150), between(1, 90), between(0, 9), between(0, 1),
                     between(0, 1));
}

/* --- the row contract --- */

typedef struct row_case {
    const float *x, *w; /* (M,K), (N,K) */
    int64_t M, N, K;
} row_case;

static void check_rows(ls_device *dev, void *context)
{
    const row_case *t = context;
    float *packed = ls_malloc(dev->k->pack_bytes(t->N, t->K) + 1), *whole = guarded(t->M * t->N);
    dev->k->pack(dev, packed, t->w, t->N, t->K);
    ls_gemm_args args = {.c = whole,
                         .a = t->x,
                         .b = packed,
                         .M = t->M,
                         .N = t->N,
                         .K = t->K,
                         .a_row = t->K,
                         .a_k = 1,
                         .ldc = t->N,
                         .b_packed = true};
    dev->k->gemm(dev, &args);
    const int64_t chunks[] = {1, 2, 3, 7, 12, 29};
    for (size_t c = 0; c < LS_COUNT(chunks); c++) {
        args.c = guarded(t->M * t->N);
        float *out = args.c;
        for (int64_t i = 0; i < t->M; i += chunks[c]) {
            args.M = t->M - i < chunks[c] ? t->M - i : chunks[c];
            args.a = t->x + i * t->K;
            args.c = out + i * t->N;
            dev->k->gemm(dev, &args);
        }
        assert_same_bits(out, whole, t->M * t->N);
        ls_free(out);
    }
    ls_free(packed), ls_free(whole);
}

static void a_row_has_the_same_bits_alone_in_a_batch_and_in_chunks(void **state)
{
    (void)state;
    row_case t = {.M = 61, .N = 81, .K = 450};
    float *x = random_floats(t.M * t.K, -1, 1), *w = random_floats(t.N * t.K, -1, 1);
    t.x = x, t.w = w;
    for_each_device(check_rows, &t);
    ls_free(x), ls_free(w);
}

/* dW (out,in) += dY^T X over `rows` tokens, at once and cut anywhere. */
typedef struct chain_case {
    const float *dy, *x, *start;
    int64_t rows, out, in;
} chain_case;

static void check_chain(ls_device *dev, void *context)
{
    const chain_case *t = context;
    float *whole = clone(t->start, t->out * t->in), *parts = clone(t->start, t->out * t->in);
    ls_gemm_args args = {.c = whole,
                         .a = t->dy,
                         .b = t->x,
                         .M = t->out,
                         .N = t->in,
                         .K = t->rows,
                         .a_row = 1,
                         .a_k = t->out,
                         .ldb = t->in,
                         .ldc = t->in,
                         .accumulate = true};
    dev->k->gemm(dev, &args);
    args.c = parts;
    for (int64_t i = 0; i < t->rows; i += args.K) {
        args.K = between(1, t->rows - i);
        args.a = t->dy + i * t->out;
        args.b = t->x + i * t->in;
        dev->k->gemm(dev, &args);
    }
    assert_same_bits(parts, whole, t->out * t->in);
    ls_free(whole), ls_free(parts);
}

static void weight_gradients_do_not_depend_on_where_a_batch_is_cut(void **state)
{
    (void)state;
    chain_case t = {.rows = 500, .out = 44, .in = 52};
    float *dy = random_floats(t.rows * t.out, -1, 1), *x = random_floats(t.rows * t.in, -1, 1);
    float *start = random_floats(t.out * t.in, -1, 1);
    t.dy = dy, t.x = x, t.start = start;
    for_each_device(check_chain, &t);
    ls_free(dy), ls_free(x), ls_free(start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_multiplies_a_hand_computed_example),
        cmocka_unit_test(reference_is_close_to_sums_in_double),
        cmocka_unit_test(every_table_gives_the_reference_bits_at_small_sizes),
        cmocka_unit_test(depth_zero_gives_zero_or_the_old_values),
        cmocka_unit_test(every_table_gives_the_reference_bits_across_blocks),
        cmocka_unit_test(every_table_gives_the_reference_bits_at_random_sizes),
        cmocka_unit_test(a_row_has_the_same_bits_alone_in_a_batch_and_in_chunks),
        cmocka_unit_test(weight_gradients_do_not_depend_on_where_a_batch_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
