/* What a row of a JSONL file or a problem of a task says, before tokens: texts under their roles.
 */
#ifndef LS_DATA_ROW_H
#define LS_DATA_ROW_H

#include <stdbool.h>

#include "base/str.h"
#include "data/jsonl.h"

typedef struct ls_row { /* strings are the row's own */
    ls_str prompt, completion, answer;
    ls_str columns; /* the whole row as one JSON object                              */
    bool is_text;   /* a {"text"} row: the text is in completion, there is no prompt */
    bool has_answer;
    int64_t line;
} ls_row;

void ls_row_init(ls_row *row);
void ls_row_release(ls_row *row);
/* Reads one line.  For training it must hold {"text"} or {"prompt", "completion"}, with
 * prompts_only {"prompt"}. Errors: LEASH_DATA with NAME:LINE, the column, and what was expected. */
leash_status ls_row_read(ls_row *out, const ls_jsonl_row *line, const char *name,
                         bool prompts_only) LEASH_MUST_USE;

#endif
