/* Rewards that a program can check: text in, verdict out.
 *
 *     ls_reward_options options = LS_REWARD_OPTIONS_INIT;
 *     ls_reward_input input = {.completion = ls_span_of(text), .gold = ls_span_of("72")};
 *     ls_verdict verdict;
 *     ls_reward_judge(&verdict, ls_reward_find("number"), &options, &input, LS_STRICT);
 *
 * A verdict is one of three.  "Cannot judge" (the gold answer is unusable) is not a score: it is
 * left out of sums and of statistics.  An answer that is missing or unreadable is wrong, with a
 * reason that says so.
 *
 * Strict asks for the answer where the prompt told the model to put it; lenient also accepts the
 * last number of the text and similar liberties, and is never lower than strict.  Train on one,
 * report both: the difference is format.
 *
 * Judging is deterministic, takes time linear in the text whatever its bytes, allocates nothing and
 * runs nothing.
 *
 * To add a reward: one file here that ends with its descriptor, one row in rewards.def. */
#ifndef LS_REWARD_REWARD_H
#define LS_REWARD_REWARD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

typedef struct ls_span { /* borrowed bytes, not terminated */
    const char *at;
    int64_t n;
} ls_span;
ls_span ls_span_of(const char *text); /* NULL gives an empty span */

typedef enum ls_verdict_kind {
    LS_VERDICT_OK,
    LS_VERDICT_WRONG,
    LS_VERDICT_CANNOT_JUDGE
} ls_verdict_kind;
typedef enum ls_strictness { LS_STRICT, LS_LENIENT } ls_strictness;

/* Where the answer is looked for.  Only the text after the last </think> counts; a <think> that is
 * never closed has no answer.
 *  name           where, always the last occurrence */
#define LS_EXTRACT_LIST(X)                                                                         \
    X(LS_EXTRACT_AUTO, "auto", "the first of answer-tag, boxed, hash, answer-line that occurs")    \
    X(LS_EXTRACT_TAG, "answer-tag", "<answer> ... </answer>")                                      \
    X(LS_EXTRACT_BOXED, "boxed", "\\boxed{...} or \\fbox{...}, braces balanced")                   \
    X(LS_EXTRACT_HASH, "hash", "the rest of the line after ####")                                  \
    X(LS_EXTRACT_LINE, "answer-line", "the rest of the line after Answer:, in the last 300 bytes") \
    X(LS_EXTRACT_EQUALS, "equals", "the rest of the line after =")                                 \
    X(LS_EXTRACT_WHOLE, "whole", "the whole completion")                                           \
    X(LS_EXTRACT_NUMBER, "last-number", "the last number in the text")
typedef enum ls_extract {
#define LS_EXTRACT_ENUM(id, name, help) id,
    LS_EXTRACT_LIST(LS_EXTRACT_ENUM)
#undef LS_EXTRACT_ENUM
        LS_EXTRACT_COUNT
} ls_extract;
extern const char *const ls_extract_names[LS_EXTRACT_COUNT];

typedef struct ls_verdict {
    ls_verdict_kind kind;
    double score;        /* 1 or 0 here; 0 when it cannot be judged                      */
    ls_extract route;    /* where the answer was found; LS_EXTRACT_COUNT: nowhere        */
    char extracted[128]; /* the answer as found, cut, for people; "" when none           */
    char reason[96];     /* "equal", "no answer found", "the gold answer is no number" .. */
} ls_verdict;

typedef struct ls_reward_options {
    ls_extract extract;      /* auto                                                     */
    const char *format_tags; /* tags a completion must have in this order: "think,answer" */
} ls_reward_options;
#define LS_REWARD_OPTIONS_INIT                                    \
    {                                                             \
        .extract = LS_EXTRACT_AUTO, .format_tags = "think,answer" \
    }

typedef struct ls_reward_input {
    ls_span prompt, completion;
    ls_span gold;           /* the right answer; for countdown the target                */
    const int64_t *numbers; /* countdown: the numbers that may be used, each once        */
    int64_t n_numbers;
    const double *model_score; /* of the reward model; NULL: none was run */
} ls_reward_input;

/* Fills the verdict.  Members that do not use an input ignore it. */
typedef void ls_reward_fn(ls_verdict *verdict, const ls_reward_options *options,
                          const ls_reward_input *input, ls_strictness strictness);

typedef struct ls_reward {
    const char *name, *help;
    bool is_gate; /* by default a condition for the others (format), not an addend */
    ls_reward_fn *judge;
} ls_reward;

#define LS_REWARD_ROW(symbol, name) extern const ls_reward symbol;
#include "reward/rewards.def"
#undef LS_REWARD_ROW
extern const ls_reward *const ls_rewards[];
extern const int64_t ls_n_rewards;
const ls_reward *ls_reward_find(const char *name); /* NULL when there is none */

void ls_reward_judge(ls_verdict *verdict, const ls_reward *reward, const ls_reward_options *options,
                     const ls_reward_input *input, ls_strictness strictness);

typedef struct ls_reward_part { /* one of several rewards of a completion */
    ls_verdict_kind kind;
    double score, weight;
    bool is_gate; /* 0 for the whole completion unless it is ok; adds nothing */
} ls_reward_part;
/* Sum of weight * score over what could be judged, 0 when a gate is wrong, NaN when no addend could
 * be judged. */
double ls_reward_combine(const ls_reward_part *parts, int64_t n_parts);

#endif
