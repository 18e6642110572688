/* Procedural tasks: endless data with an answer that can be checked, so that everything can be
 * learnt and tested without a file.
 *
 * A problem is a function of (task, arguments, split, seed, index).  Train and test splits cannot
 * overlap: a problem's canonical text is hashed and belongs to the test split exactly when the
 * hash falls in a fixed 1/8 of its range; the generator of a split draws until it hits its own
 * share.  Each task is a file with a descriptor in tasks.def. */
#ifndef LS_DATA_TASK_H
#define LS_DATA_TASK_H

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"
#include "config/option.h"

typedef struct ls_problem {
    ls_str prompt;     /* what the model sees                                  */
    ls_str completion; /* a full correct worked answer, for pretraining and SFT */
    ls_str answer;     /* what the verifier compares with                      */
    ls_str extra;      /* further columns as JSON members, "" or "\"numbers\": [1, 2]" */
} ls_problem;

typedef struct ls_task {
    const char *name, *help;
    const ls_option_table *table; /* the task's own arguments       */
    size_t options_size;          /* bytes of its options struct    */
    const char *verifier;         /* reward that judges its answers */
    const char *alphabet;         /* every character it can produce */
    /* Checks arguments against each other. */
    leash_status (*check)(const void *options);
    /* Draw `index` with its `attempt` (for split rejection); fills cleared strings.  A prompt left
     * empty: this attempt made no problem. */
    void (*generate)(ls_problem *out, const void *options, uint64_t seed, uint64_t index,
                     uint32_t attempt);
} ls_task;

const ls_task *const *ls_tasks(size_t *n);
/* Errors: LEASH_USAGE with the list and the nearest name. */
leash_status ls_task_find(const ls_task **out, const char *name) LEASH_MUST_USE;
/* Parses "digits=2,operators=+-" into a fresh options block (ls_free).  Errors name it. */
leash_status ls_task_parse_args(void **options, const ls_task *task,
                                const char *args) LEASH_MUST_USE;
/* Problem `index` of a split.  Errors: LEASH_DATA when the arguments leave too few problems (1000
 * draws without one for the split). */
leash_status ls_task_problem(ls_problem *out, const ls_task *task, const void *options,
                             bool is_test, uint64_t seed, uint64_t index) LEASH_MUST_USE;
/* Whether a problem belongs to the test split, by its canonical text: the prompt. */
bool ls_task_is_test(const char *prompt, size_t n);
/* For checks of arguments: a text of different characters out of `allowed`. */
leash_status ls_task_check_operators(const char *operators, const char *allowed) LEASH_MUST_USE;
void ls_problem_init(ls_problem *problem);
void ls_problem_release(ls_problem *problem);

#endif
