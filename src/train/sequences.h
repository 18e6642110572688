/* The sequences of a step, and the streams of their targets.
 *
 * Sequence i is ids[start[i] .. start[i+1]); its targets are the tokens that are scored (trained
 * tokens of a dataset row, sampled tokens of a completion), as positions inside the sequence,
 * ascending and at least 1.  Streams have one element a target.  The last token of a sequence is
 * never an input of the model: nothing is predicted from it.  Where reads_own_row is set (reward
 * models), a target is scored when it has been read, not before it, and every token is an input. */
#ifndef LS_TRAIN_SEQUENCES_H
#define LS_TRAIN_SEQUENCES_H

#include "base/mem.h"
#include "data/dataset.h"
#include "model/model.h"
#include "rl/waist.h"

typedef struct ls_sequences {
    int64_t n_seqs, n_targets, n_groups;
    int64_t max_seqs, max_tokens, max_targets; /* room */
    bool reads_own_row;
    int64_t *start, *target_start; /* (n_seqs + 1) */
    int32_t *ids, *target_pos;
    /* per sequence */
    const ls_example **example; /* its dataset row, lives as long as the step */
    int64_t *line;              /* of that row in its file, for people        */
    int32_t *sample;            /* of its group                         */
    int32_t *group, *n_prompt;
    uint8_t *flags; /* LS_SEQ_ bits                         */
    double *reward, *advantage;
    float *label;    /* 1 desirable, 0 undesirable; pairs: 1 */
    float *margin;   /* of pairs, at the chosen one                  */
    double baseline; /* of all of them: see leash_streams */
    /* per target */
    float *old_logp, *old_entropy, *sampler_logp, *ref_logp, *token_advantage, *anchor, *weight,
        *logp, *entropy, *dlogp, *dentropy;
    int32_t *argmax; /* of the policy, for token accuracy; only rows need it */
    /* per target, after ls_sequences_take_values; else NULL */
    float *value, *dvalue, *old_value, *ret, *step_label;
    /* per target and given token, after ls_sequences_take_ids; else 0 and NULL */
    int64_t n_ids;
    int32_t *teacher_ids;
    float *teacher_logp, *ids_logp, *dids;
} ls_sequences;

/* Room for so many sequences and tokens, from the arena; ls_sequences_clear starts a new step in
 * it. */
void ls_sequences_init(ls_sequences *s, ls_arena *arena, int64_t max_seqs, int64_t max_tokens);
void ls_sequences_clear(ls_sequences *s);
/* Room for what models that score say and are trained on. */
void ls_sequences_take_values(ls_sequences *s, ls_arena *arena);
/* Room for n_ids given tokens of each target: a teacher's. */
void ls_sequences_take_ids(ls_sequences *s, ls_arena *arena, int64_t n_ids);
/* Appends a sequence whose targets are where mask is set (position 0 is never one).  Returns its
 * index; asserts the room. */
int64_t ls_sequences_add(ls_sequences *s, const int32_t *ids, int64_t n_ids, const uint8_t *mask);
/* Appends prompt and completion as a model that scores reads them: without the padding of its file
 * at the end, the last token alone a target. */
int64_t ls_sequences_add_scored(ls_sequences *s, const ls_model_config *scorer,
                                const int32_t *prompt, int64_t n_prompt, const int32_t *ids,
                                int64_t n_ids);
/* The same with every token from n_prompt on a target. */
int64_t ls_sequences_add_completion(ls_sequences *s, const int32_t *prompt, int64_t n_prompt,
                                    const int32_t *ids, int64_t n_ids);
/* Views for objectives: all sequences as streams. */
leash_streams ls_sequences_streams(const ls_sequences *s, bool with_old, bool with_reference);

/* Sequences [first, end) as one packed batch of the model, and the rows and ids that the head
 * scores; in the tape's arena. */
typedef struct ls_packed {
    ls_batch batch;
    int32_t *rows, *targets;    /* (n_targets) */
    int64_t n_targets, target0; /* first target of sequence `first` */
} ls_packed;
void ls_sequences_pack(ls_packed *out, const ls_sequences *s, int64_t first, int64_t end,
                       ls_arena *arena);

/* logp (and entropy, may be NULL) of every target under a model, `chunk` sequences at a time;
 * nothing is recorded. */
void ls_sequences_score(ls_model *model, ls_arena *pass, const ls_sequences *s, double temperature,
                        int64_t chunk, float *logp, float *entropy);
/* The values of all targets under a model that scores, the same way. */
void ls_sequences_value(ls_model *model, ls_arena *pass, const ls_sequences *s, int64_t chunk,
                        float *value);
/* The first target whose number is not finite, -1 when all are. */
int64_t ls_first_not_finite(const float *x, int64_t n);
/* Sequence of a target. */
int64_t ls_sequences_of_target(const ls_sequences *s, int64_t target);

#endif
