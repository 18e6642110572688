/* The waist: the few numbers per token that the two halves of leash exchange.
 *
 * Below it a model turns tokens into scores and is trained by seeds; it knows no algorithm.  Above
 * it everything is plain host C over these arrays; it knows no model, no tensor and no device.
 *
 * Layout.  Tokens of all sequences lie one after the other, ragged, without padding.  Sequence i of
 * a view owns the tokens
 *     seq_start[i] - seq_start[0]  <=  t  <  seq_start[i+1] - seq_start[0]
 * so a view of whole sequences is made by moving pointers (ls_streams_range).  A micro-batch is
 * such a view.  Scores and seeds belong to the view: their index 0 is its first token.
 *
 * Everything is borrowed.  `weight` already holds mask and normaliser of the whole optimiser step
 * (rl/aggregation.h): the loss of the step is the sum over all its tokens of weight times the
 * token's loss, however the step is cut.  A token of weight 0 is masked: nobody reads its other
 * numbers, which may be NaN.
 *
 * Some losses couple sequences (ls_unit of rl/objective.h).  Coupled sequences are neighbours, and
 * a view holds them together: sequences 2i and 2i + 1 are the chosen and the rejected one of a
 * pair, 3i + 2 is the gold one of a triple. */
#ifndef LS_RL_WAIST_H
#define LS_RL_WAIST_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LS_SEQ_TRUNCATED = 1, /* the completion hit its length limit: no end token               */
    LS_SEQ_MASKED = 2,    /* carries no loss, still counts as one of the step's sequences      */
    LS_SEQ_DROPPED = 4,   /* carries no loss and does not count: filtered away                 */
    LS_SEQ_FROM_REFERENCE = 8 /* was drawn from the reference, not from the policy               */
};

typedef struct leash_streams { /* per token, given */
    int64_t n_tokens, n_seqs, n_groups;
    const int64_t *seq_start; /* (n_seqs + 1) ascending                                          */
    const int32_t *group;     /* (n_seqs) in 0 .. n_groups-1; NULL when nothing is grouped       */
    const uint8_t *flags;     /* (n_seqs) of LS_SEQ_ bits; NULL: none set                        */
    const float *old_logp;    /* (n_tokens) under the policy that sampled; NULL: not needed      */
    const float *ref_logp;    /* (n_tokens) under the reference; NULL: no reference              */
    const float *advantage;   /* (n_tokens); NULL: not needed                                    */
    const float *weight;      /* (n_tokens); 0 = masked                                          */
    /* (n_tokens) under the distribution that was sampled from, where that is not the policy's
     * (top_k, top_p, min_p); NULL: it is old_logp */
    const float *sampler_logp;
    const float *anchor; /* (n_tokens) weight of |logp - old_logp| in the loss; NULL: none       */
    /* A critic's. */
    const float
        *old_value;   /* (n_tokens) when the returns were made; NULL: values are not clipped */
    const float *ret; /* (n_tokens) what the value is to become; NULL: not needed           */
    /* Preferences. */
    const float *label;  /* (n_seqs) pairs: probability that the chosen one is the better, read at
                          * the chosen one (NULL: 1); else 1 = desirable, 0 = undesirable         */
    const float *margin; /* (n_seqs) by how much the chosen one is to win, read there; NULL: 0    */
    double baseline;     /* of the step, detached: KTO's KL, BCO's mean reward                    */
    const float *step_label; /* (n_tokens) probability that the step that ends here is right      */
    /* A teacher, at n_ids given tokens of each position. */
    int64_t n_ids;
    bool ids_are_all;          /* the ids are the whole vocabulary: nothing is left besides them  */
    const float *teacher_logp; /* (n_tokens, n_ids)                                               */
} leash_streams;

typedef struct leash_scores { /* per token, from the model */
    const float *logp;        /* (n_tokens) log softmax(logits / temperature) of the taken token */
    const float *entropy;     /* (n_tokens) of that softmax, in nats; NULL: not computed         */
    const float *value;       /* (n_tokens) of the scalar head; NULL: not computed               */
    const float *ids_logp;    /* (n_tokens, n_ids) of the given tokens; NULL: not computed       */
    const float *log_sum_sq;  /* (n_tokens) log of the sum of squared probabilities; NULL: not   */
} leash_scores;

/* Per token, to the model: d(loss of the step) / d(score).  Overwritten; 0 where masked. */
typedef struct leash_seeds {
    float *dlogp;    /* (n_tokens)                                     */
    float *dentropy; /* (n_tokens); may be NULL when entropy_coef is 0 */
    float *dvalue;   /* (n_tokens); may be NULL without a value        */
    float *dids;     /* (n_tokens, n_ids); may be NULL without ids     */
} leash_seeds;

/* The view of sequences [first, end) of `all`. */
leash_streams ls_streams_range(const leash_streams *all, int64_t first, int64_t end);

#endif
