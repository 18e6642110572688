/* Finding the answer in a completion. */
#ifndef LS_REWARD_EXTRACT_H
#define LS_REWARD_EXTRACT_H

#include "reward/reward.h"

typedef struct ls_answer {
    ls_span text;       /* trimmed; meaningful when found                       */
    ls_extract route;   /* where; LS_EXTRACT_COUNT when nowhere                 */
    const char *reason; /* NULL when found, else why not, for the verdict       */
} ls_answer;

/* What follows the last </think>.  is_open: a <think> was never closed; the span is then the whole
 * text. */
ls_span ls_extract_after_thinking(ls_span completion, bool *is_open);
ls_answer ls_extract_answer(ls_extract how, ls_span completion);
/* The last number of a text: sign, digits with , and . between them, exponent, /denominator.  Empty
 * when there is none. */
ls_span ls_extract_last_number(ls_span text);

/* Fills a verdict; `extracted` is cut at a character's boundary. */
void ls_verdict_set(ls_verdict *verdict, ls_verdict_kind kind, ls_answer answer,
                    const char *reason);

#endif
