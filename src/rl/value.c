/* The loss of values, with its sums for the share of explained variance. */
#include "rl/value.h"

#include <math.h>

ls_value_term ls_value_add(ls_value_sums *sums, const ls_objective_options *options,
                           const leash_streams *streams, const float *value, int64_t t)
{
    double v = (double)value[t], ret = (double)streams->ret[t], clipped = v;
    if (streams->old_value && options->cliprange_value > 0) {
        double old = (double)streams->old_value[t], range = options->cliprange_value;
        clipped = v > old + range ? old + range : v < old - range ? old - range : v;
    }
    double error = ret - v, plain = error * error, bound = (clipped - ret) * (clipped - ret);
    bool is_clipped = bound > plain;
    ls_value_term l = {0.5 * (is_clipped ? bound : plain), is_clipped ? 0 : -error};
    sums->n++;
    sums->n_clipped += is_clipped;
    sums->loss += (double)streams->weight[t] * l.value;
    sums->value += v;
    sums->ret += ret;
    sums->ret_sq += ret * ret;
    sums->error += error;
    sums->error_sq += error * error;
    return l;
}
