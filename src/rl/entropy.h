/* The controller of the entropy bonus: it acts only while the policy has too little entropy.
 *
 *     bonus of a step    coef while H <= target, else 0              H: mean entropy of its rollout
 *     after the step     coef + delta where H <= target, else coef - delta, kept in [min, max]
 *
 * Source: arXiv:2505.22312 (Skywork-OR1) sec. 4; delta 0.005 and [0, 1] are those of TRL. */
#ifndef LS_RL_ENTROPY_H
#define LS_RL_ENTROPY_H

typedef struct ls_entropy_controller {
    double target;   /* nats a token                    */
    double delta;    /* change of the coefficient a step */
    double min, max; /* of the coefficient              */
} ls_entropy_controller;

/* An entropy that is NaN gives no bonus and leaves the coefficient alone. */
double ls_entropy_bonus(const ls_entropy_controller *c, double coef, double entropy);
double ls_entropy_adapt(const ls_entropy_controller *c, double coef, double entropy);

#endif
