/* What a row of a file or a problem of a task says, before tokens: texts or messages under their
 * roles.
 *
 * Which schema a row follows is decided by its columns and by what it is read for: the first row of
 * schema.def that serves the use and whose columns are there.  Where two that say different
 * things fit (a row with "text" and "messages"), nothing is guessed: dataset_schema or columns must
 * tell. */
#ifndef LS_DATA_ROW_H
#define LS_DATA_ROW_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "data/dataset.h"
#include "data/reader.h"

typedef enum ls_row_kind {
    LS_ROW_TEXT,       /* completion alone, or a conversation         */
    LS_ROW_COMPLETION, /* prompt, completion                          */
    LS_ROW_PROMPT,     /* prompt; completion "" or as the file has it */
    LS_ROW_PAIR,       /* prompt, completion (the chosen one), rejected */
    LS_ROW_LABELLED,   /* prompt, completion, label                   */
    LS_ROW_STEPS       /* prompt, steps, labels                       */
} ls_row_kind;

enum {
    LS_FOR_TRAINING = 1 << LS_DATA_SEQUENCES,
    LS_FOR_PROMPTS = 1 << LS_DATA_PROMPTS,
    LS_FOR_PAIRS = 1 << LS_DATA_PAIRS,
    LS_FOR_LABELS = 1 << LS_DATA_LABELS,
    LS_FOR_STEPS = 1 << LS_DATA_STEPS
};

typedef struct ls_schema {
    const char *name;
    ls_row_kind kind;
    unsigned uses;
    const char *needs, *columns, *pattern, *help;
} ls_schema;
const ls_schema *ls_schemas(size_t *n);

/* A text, or messages: a JSON array of {"role", "content", ...} that is the row's own. */
typedef struct ls_field {
    ls_str text;
    json_t *messages; /* NULL: a text */
} ls_field;

typedef struct ls_row {
    ls_row_kind kind;
    ls_field prompt, completion, rejected;
    ls_str answer;
    bool has_answer, label;
    double margin;
    json_t *steps, *labels;  /* arrays of texts and of truth values, of one length */
    json_t *tools, *kwargs;  /* for the chat template; NULL: none                  */
    ls_str columns;          /* the whole row as one JSON object, for LS_ROW_PROMPT alone */
    const char *text_column; /* "text", "completion": for messages */
    const char *file;
    int64_t line;
    ls_str role, column; /* scratch of the reader */
} ls_row;

typedef struct ls_row_rules {
    const ls_data_options *options;
    ls_data_use use;
    const ls_schema *schema; /* NULL: found by the columns  */
    ls_str columns;          /* the setting, in the form of schema.def */
} ls_row_rules;

/* Checks the settings columns, dataset_schema, prompt_template, system_prompt.  Errors:
 * LEASH_USAGE. */
leash_status ls_row_rules_init(ls_row_rules *rules, const ls_data_options *options,
                               ls_data_use use) LEASH_MUST_USE;
void ls_row_rules_release(ls_row_rules *rules);

void ls_row_init(ls_row *row);
void ls_row_release(ls_row *row);
/* Reads one record of `file`.  Errors: LEASH_DATA with FILE:LINE, the column, what was expected and
 * what was found. */
leash_status ls_row_read(ls_row *out, const ls_row_rules *rules, const ls_record *record,
                         const char *file) LEASH_MUST_USE;
/* Empties a row for the next one. */
void ls_row_clear(ls_row *row);

#endif
