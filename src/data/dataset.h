/* Rows of text become rows of tokens with a mask.
 *
 * A dataset is a list of examples in memory.  For training (SFT, pretraining) an example is ids
 * plus a mask of the tokens that are trained (mask[i] = 1: token i is a target; token 0 of a
 * sequence never is).  For rollouts an example is a prompt and what the verifier needs (answer and
 * other columns).  Sources: JSONL files and procedural tasks; both give the same struct.
 *
 * Schemas of a JSONL row (TRL's columns):  {"text": ...}, {"prompt": ..., "completion": ...},
 * {"prompt": ..., "answer": ...} with any further columns kept as text for
 * rewards.  completion_only_loss: unset means true for prompt-completion, false for text. */
#ifndef LS_DATA_DATASET_H
#define LS_DATA_DATASET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mem.h"
#include "config/option.h"
#include "text/tokenizer.h"

typedef struct ls_example {
    const char *prompt;     /* "" for text rows */
    const char *completion; /* "" for prompt-only rows, the text of text rows */
    const char *answer;     /* gold answer for verifiers, NULL when there is none */
    const char *columns;    /* the whole row as one JSON object, for rewards and dumps */
    int64_t line;           /* 1-based line in the file, or index + 1 of a task */
    const int32_t *ids;     /* prompt + completion (+ eos), n_tokens */
    const uint8_t *mask;    /* n_tokens; 1 = trained target */
    int32_t n_tokens;
    int32_t n_prompt; /* tokens of the prompt, with bos when the tokenizer has one */
    bool is_truncated;
} ls_example;

typedef struct ls_dataset {
    ls_arena arena; /* owns all texts and ids */
    ls_example *rows;
    int64_t n_rows;
    char name[256]; /* path or task name, for messages */
    uint64_t hash;  /* XXH3 over ids and masks, and with prompts_only over the columns */
    int64_t n_tokens, n_trained;
    int64_t n_dropped, n_truncated;
    int32_t max_tokens, max_prompt;
} ls_dataset;

/* Options of the Data section; keys are the fields' names, and dataset_split for split. */
typedef struct ls_data_options {
    const char *dataset;              /* path of a JSONL file, "" with a task */
    const char *task;                 /* "arithmetic", ... a row of tasks.def, "" with a file */
    const char *task_args;            /* "key=value,key=value" for the task's own option table */
    const char *split;                /* train | test: of the task */
    int64_t dataset_num_rows;         /* 0: all of a file, a default for tasks */
    int64_t max_length;               /* tokens of prompt + completion */
    bool packing;                     /* several sequences in a row of max_length tokens */
    const char *completion_only_loss; /* auto | true | false */
    const char *truncation;           /* error | keep_start | drop */
    bool shuffle_dataset;
} ls_data_options;
extern const ls_option_table ls_data_option_table;

/* Reads, tokenises, masks, checks.  Either a dataset or a task is named, not both.  eos is
 * appended to completions and texts; prompt and completion are tokenised apart and joined as
 * ids.  prompts_only: rows are prompts for rollouts, which must leave room for a token and are
 * never cut.  `seed` decides the problems of a task.
 * Errors name file, line and column: malformed
 * JSON, wrong or missing columns, characters the tokenizer lacks, a row without a trained token,
 * an empty dataset, a row longer than max_length (truncation = error).  After an error there is
 * nothing to release. */
leash_status ls_dataset_load(ls_dataset *out, const ls_data_options *options,
                             const ls_tokenizer *tokenizer, bool prompts_only,
                             uint64_t seed) LEASH_MUST_USE;
/* The same from JSON Lines in memory; `name` stands for the path in messages. */
typedef struct ls_dataset_text {
    const char *name, *text;
    size_t n;
} ls_dataset_text;
leash_status ls_dataset_load_text(ls_dataset *out, const ls_dataset_text *source,
                                  const ls_data_options *options, const ls_tokenizer *tokenizer,
                                  bool prompts_only) LEASH_MUST_USE;
void ls_dataset_release(ls_dataset *dataset);

/* Order of rows: index of the n-th row drawn since the start of the run (epochs are shuffled by
 * seed and epoch, or in file order). */
int64_t ls_dataset_order(const ls_dataset *dataset, bool shuffle, uint64_t seed, int64_t draw);

/* Rows rendered for people: trained tokens marked, specials visible, counts per row. `colour` uses
 * ANSI, else [[ ]] marks. */
void ls_dataset_show(const ls_dataset *dataset, const ls_tokenizer *tokenizer, int64_t first,
                     int64_t count, bool colour, int columns, ls_str *out);
/* Totals: rows, tokens, trained share, length quantiles, truncated, dropped; as text lines or as
 * one JSON object. */
void ls_dataset_summary(const ls_dataset *dataset, bool json, ls_str *out);

/* Best-fit-decreasing over the given rows: bins of at most max_length tokens; bins in order of
 * their first row so that the order of sequences in a step stays the order drawn.  bin[i] = bin of
 * order[i]. Returns the number of bins. */
int64_t ls_pack(const int32_t *lengths, int64_t n, int32_t max_length, int32_t *bin);

#endif
