/* AdamW in PyTorch's order over what a model trains, with one global norm for clipping.
 *
 *     norm = sqrt(sum g^2) over all gradients, chunks in fixed order
 *     scale = min(1, max_grad_norm / (norm + 1e-6))
 *     w *= 1 - lr wd (2-D weights alone);  m, v;  w -= lr mhat / (sqrt(vhat) + eps)
 * A gradient that is not finite leaves everything as it is and names the weight.  lr = 0 is legal:
 * moments move, weights do not.  The change of the weights is measured block by block against a
 * small copy, never against a second model. */
#ifndef LS_TRAIN_OPTIMIZER_H
#define LS_TRAIN_OPTIMIZER_H

#include "model/model.h"

typedef struct ls_optimizer_options {
    double adam_beta1, adam_beta2, adam_epsilon, weight_decay;
    double max_grad_norm; /* 0: no clipping */
} ls_optimizer_options;

typedef struct ls_optimizer {
    float *m, *v;    /* (n_trained_params) in the run arena           */
    float *before;   /* the weights of one block before their update  */
    int64_t updates; /* done so far                                   */
    ls_optimizer_options options;
} ls_optimizer;

typedef struct ls_update_report {
    double grad_norm;   /* before clipping                              */
    double change_norm; /* L2 norm of the change of what is trained     */
    double param_norm;  /* L2 norm of what is trained, after            */
} ls_update_report;

void ls_optimizer_init(ls_optimizer *optimizer, const ls_model *model, ls_arena *arena,
                       const ls_optimizer_options *options);
/* Expects folded gradients in leaf 0.  Repacks the weights.  Errors: LEASH_NUMERIC "gradient of
 * NAME is not finite (...)" and "gradients are too large (...)", with nothing changed; "weight NAME
 * is not finite (...)" after a step that was too long. */
leash_status ls_optimizer_update(ls_optimizer *optimizer, ls_model *model, double learning_rate,
                                 ls_update_report *report) LEASH_MUST_USE;

#endif
