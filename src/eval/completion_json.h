/* A completion as JSON: what completions.jsonl and the rows of eval and generate have in common.
 *
 *     {"step": 3, "row": 1, "sample": 0, "prompt": "1+1=", "completion": "2", "answer": "2"
 *
 * The caller appends the members that it alone has, and the closing brace. */
#ifndef LS_EVAL_COMPLETION_JSON_H
#define LS_EVAL_COMPLETION_JSON_H

#include "data/dataset.h"

typedef struct ls_completion_json {
    int64_t step;              /* of the run, from 1; 0 leaves the member out                */
    const ls_example *example; /* its line is "row"                                          */
    bool has_answer;           /* whether "answer" is a member; null for a row that has none */
    int32_t sample;
    const int32_t *ids; /* (n_ids) */
    int64_t n_ids;
} ls_completion_json;

/* Appends to `out`; `text` is overwritten with the decoded completion. */
void ls_completion_json_begin(ls_str *out, const ls_completion_json *completion,
                              const ls_tokenizer *tokenizer, ls_str *text);

#endif
