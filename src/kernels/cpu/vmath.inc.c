/* Sixteen lanes of base/vmath.c: the same operations with the same constants in the same order.
 * Explained there; exp, sigmoid, tanh and erf are compared over the range of float by
 * tests/ops/test_kernels_elementwise.c and test_kernels_activation.c, log over the sums of
 * attention by test_kernels_attention.c. */

LS_ALWAYS_INLINE vf v_exp(vf x)
{
    const vf round = v_set1(0x1.8p23f), log2_e = v_set1(0x1.715476p+0f);
    vf sum = v_add(v_mul(x, log2_e), round);
    vf n = v_sub(sum, round);
    vf r = v_fma(n, v_set1(-0x1.62e43p-1f), x);
    r = v_fma(n, v_set1(0x1.05c61p-29f), r);
    vf q = v_set1(0x1.6ac74ep-10f);
    q = v_fma(q, r, v_set1(0x1.123dep-7f));
    q = v_fma(q, r, v_set1(0x1.555858p-5f));
    q = v_fma(q, r, v_set1(0x1.55548cp-3f));
    q = v_fma(q, r, v_set1(0x1.fffffcp-2f));
    vf y = v_add(v_fma(v_mul(r, r), q, r), v_set1(1.0f));
    y = v_add_exponent(y, sum);
    y = v_if_greater(x, v_set1(88.72f), v_set1(INFINITY), y);
    y = v_if_greater(v_set1(-87.33f), x, v_set1(0.0f), y);
    return v_nan_or(x, y);
}

LS_ALWAYS_INLINE vf v_sigmoid(vf x)
{
    const vf one = v_set1(1.0f), zero = v_set1(0.0f);
    vf e = v_exp(v_minus_abs(x));
    vf d = v_add(one, e);
    vf lost = v_sub(e, v_sub(d, one));
    vf y = v_div(v_if_greater(zero, x, e, one), d);
    vf w = v_if_greater(zero, x, v_sub(one, y), y);
    y = v_fma(v_mul(v_neg(lost), w), y, y);
    return v_nan_or(x, y);
}

LS_ALWAYS_INLINE vf v_tanh(vf x)
{
    const vf one = v_set1(1.0f);
    vf a = v_neg(v_minus_abs(x)), z = v_mul(a, a);
    vf p = v_set1(-0x1.750ce4p-8f);
    p = v_fma(p, z, v_set1(0x1.51f8cep-6f));
    p = v_fma(p, z, v_set1(-0x1.b835a4p-5f));
    p = v_fma(p, z, v_set1(0x1.1106f6p-3f));
    p = v_fma(p, z, v_set1(-0x1.555532p-2f));
    vf small = v_fma(v_mul(a, z), p, a);
    vf large = v_sub(one, v_div(v_set1(2.0f), v_add(v_exp(v_add(a, a)), one)));
    vf y = v_if_greater(v_set1(0.625f), a, small, large);
    return v_nan_or(x, v_with_sign(y, x));
}

LS_ALWAYS_INLINE vf v_erf(vf x)
{
    vf a = v_neg(v_minus_abs(x)), z = v_mul(a, a);
    vf p = v_set1(0x1.49fd24p-14f);
    p = v_fma(p, z, v_set1(-0x1.a4d098p-11f));
    p = v_fma(p, z, v_set1(0x1.54318ap-8f));
    p = v_fma(p, z, v_set1(-0x1.b7ff9p-6f));
    p = v_fma(p, z, v_set1(0x1.ce2d5cp-4f));
    p = v_fma(p, z, v_set1(-0x1.81274p-2f));
    p = v_fma(p, z, v_set1(0x1.06eba8p-3f));
    vf small = v_fma(a, p, a);
    vf b = v_if_greater(a, v_set1(4.0f), v_set1(4.0f), a);
    vf q = v_set1(0x1.a58312p-13f);
    q = v_fma(q, b, v_set1(-0x1.954f1ep-9f));
    q = v_fma(q, b, v_set1(0x1.6f54dap-6f));
    q = v_fma(q, b, v_set1(-0x1.ab5334p-4f));
    q = v_fma(q, b, v_set1(-0x1.46026ep-1f));
    q = v_fma(q, b, v_set1(-0x1.20c06cp+0f));
    q = v_fma(q, b, v_set1(-0x1.181dcp-13f));
    vf large = v_sub(v_set1(1.0f), v_exp(q));
    vf y = v_if_greater(v_set1(0.875f), a, small, large);
    return v_nan_or(x, v_with_sign(y, x));
}

LS_ALWAYS_INLINE vf v_log(vf x)
{
    vf e, m;
    v_split(&e, &m, x);
    vf f = v_sub(m, v_set1(1.0f)), z = v_mul(f, f);
    vf p = v_set1(0x1.b0242ep-5f);
    p = v_fma(p, f, v_set1(-0x1.be7a68p-4f));
    p = v_fma(p, f, v_set1(0x1.f00f4p-4f));
    p = v_fma(p, f, v_set1(-0x1.010122p-3f));
    p = v_fma(p, f, v_set1(0x1.23036cp-3f));
    p = v_fma(p, f, v_set1(-0x1.552f18p-3f));
    p = v_fma(p, f, v_set1(0x1.99a54p-3f));
    p = v_fma(p, f, v_set1(-0x1.00007p-2f));
    p = v_fma(p, f, v_set1(0x1.555548p-2f));
    vf y = v_mul(v_mul(f, z), p);
    y = v_fma(e, v_set1(-0x1.05c61p-29f), y);
    y = v_fma(v_set1(-0.5f), z, y);
    y = v_add(f, y);
    y = v_fma(e, v_set1(0x1.62e43p-1f), y);
    y = v_if_greater(x, v_set1(0x1.fffffep127f), x, y);
    y = v_if_greater(v_set1(0x1p-126f), x, v_set1(-INFINITY), y);
    y = v_if_greater(v_set1(-0x1.fffffcp-127f), x, v_set1(NAN), y);
    return v_nan_or(x, y);
}
