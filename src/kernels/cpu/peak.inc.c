/* Body of the peak loops: 12 chains of 16 lanes hide the latency of fma on every processor so
 * far (4 or 5 cycles, 2 a cycle).  The sums end in a volatile, so that the compiler keeps them. */
#define PEAK_CHAINS (TILE_ROWS * TILE_VECS > 12 ? 12 : TILE_ROWS * TILE_VECS)

static volatile float sink;
/* Written through this, so that the compiler cannot see that chains or lanes are alike. */
static float *volatile seeds_in = (float[16 * PEAK_CHAINS]){0};

static double run_chains(int64_t rounds)
{
    float *seeds = seeds_in;
    vf sum[PEAK_CHAINS], x = v_set1(0.999f), y = v_set1(0.001f), total = v_set1(0);
    LS_UNROLL
    for (int i = 0; i < PEAK_CHAINS; i++)
        sum[i] = v_load(seeds + 16 * i);
    for (int64_t n = 0; n < rounds; n++) {
        LS_UNROLL
        for (int i = 0; i < PEAK_CHAINS; i++)
            sum[i] = v_fma(sum[i], x, y);
    }
    LS_UNROLL
    for (int i = 0; i < PEAK_CHAINS; i++)
        total = v_add(total, sum[i]);
    sink = v_add_lanes(total);
    return (double)rounds * PEAK_CHAINS * 16 * 2;
}
