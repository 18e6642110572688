/* The adaptive coefficient of the entropy bonus. */
#include "rl/entropy.h"

#include <math.h>

double ls_entropy_bonus(const ls_entropy_controller *c, double coef, double entropy)
{
    return entropy <= c->target ? coef : 0.0;
}

double ls_entropy_adapt(const ls_entropy_controller *c, double coef, double entropy)
{
    if (isnan(entropy))
        return coef;
    coef += entropy <= c->target ? c->delta : -c->delta;
    return fmin(fmax(coef, c->min), c->max);
}
