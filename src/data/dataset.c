/* From rows of text to rows of tokens with a mask: reading, length policy, masks, counts.
 *
 * Prompt and completion are tokenised apart, so no token spans their border and a sampled
 * completion continues the very ids that were trained on.  Token 0 is never a target, since
 * nothing predicts it.  Masks come from counts of tokens, never from ids: eos is trained like any
 * other token.  A row without a trained token is an error, as training on it would look like it
 * works. A row lives in one block of the dataset's arena: ids, mask, texts. */
#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "data/jsonl.h"
#include "data/row.h"
#include "data/task.h"

#define TASK_ROWS_TRAIN 10000
#define TASK_ROWS_TEST 1000

typedef enum truncation { TRUNCATION_ERROR, TRUNCATION_KEEP_START, TRUNCATION_DROP } truncation;
typedef enum loss_on { LOSS_AUTO, LOSS_COMPLETION, LOSS_ALL } loss_on;

typedef struct builder {
    ls_dataset *out;
    const ls_data_options *options;
    const ls_tokenizer *tokenizer;
    const char *name; /* before ":LINE" in messages */
    bool prompts_only;
    truncation truncation;
    loss_on loss_on;
    int64_t n_read;
    /* The row at work. */
    int32_t *ids;
    int64_t n, cap, n_prompt;
} builder;

/* Index of `value` in a list that ends with NULL, -1 when it is not there. */
static int find_choice(const char *value, const char *const *choices)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(value, choices[i]) == 0)
            return i;
    return -1;
}

static leash_status builder_init(builder *b, const ls_data_options *options)
{
    static const char *const truncations[] = {"error", "keep_start", "drop", NULL};
    static const char *const losses[] = {"auto", "true", "false", NULL};
    int truncation_index = find_choice(options->truncation, truncations);
    int loss_index = find_choice(options->completion_only_loss, losses);
    if (truncation_index < 0)
        return ls_fail(LEASH_USAGE, "truncation is \"%s\", expected error, keep_start or drop",
                       options->truncation);
    if (loss_index < 0)
        return ls_fail(LEASH_USAGE, "completion_only_loss is \"%s\", expected auto, true or false",
                       options->completion_only_loss);
    if (options->max_length < 2 || options->max_length > INT32_MAX)
        return ls_fail(LEASH_USAGE, "max_length is %lld, expected at least 2",
                       (long long)options->max_length);
    b->options = options;
    b->truncation = (truncation)truncation_index;
    b->loss_on = (loss_on)loss_index;
    return LEASH_OK;
}

static void push(builder *b, int32_t id)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 256;
        b->ids = ls_realloc(b->ids, ls_mul_size((size_t)b->cap, sizeof *b->ids));
    }
    b->ids[b->n++] = id;
}

static leash_status encode(builder *b, const ls_row *row, const ls_str *text, const char *column)
{
    leash_status status =
        ls_tokenizer_encode(b->tokenizer, text->data, text->len, &b->ids, &b->n, &b->cap);
    if (status != LEASH_OK)
        return ls_fail_in(status, "%s:%lld: column \"%s\"", b->name, (long long)row->line, column);
    return LEASH_OK;
}

/* Fills ids and n_prompt. */
static leash_status tokenize(builder *b, const ls_row *row)
{
    b->n = 0;
    if (ls_tokenizer_bos(b->tokenizer) >= 0)
        push(b, ls_tokenizer_bos(b->tokenizer));
    LS_TRY(encode(b, row, &row->prompt, "prompt"));
    b->n_prompt = b->n;
    if (b->prompts_only)
        return LEASH_OK;
    LS_TRY(encode(b, row, &row->completion, row->is_text ? "text" : "completion"));
    push(b, ls_tokenizer_eos(b->tokenizer));
    return LEASH_OK;
}

/* Applies max_length: cuts ids, or sets *is_dropped. */
static leash_status limit_length(builder *b, const ls_row *row, bool *is_dropped,
                                 bool *is_truncated)
{
    long long line = row->line, n = b->n, most = b->options->max_length;
    *is_dropped = *is_truncated = false;
    if (b->prompts_only && n == 0)
        return ls_fail(LEASH_DATA, "%s:%lld: the prompt is empty", b->name, line);
    if (n + b->prompts_only <= most)
        return LEASH_OK;
    if (b->truncation == TRUNCATION_DROP) {
        *is_dropped = true;
        return LEASH_OK;
    }
    if (b->prompts_only)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: the prompt has %lld tokens and leaves no room for a completion in "
                       "max_length = %lld; prompts are never cut: raise max_length, or set "
                       "truncation to drop",
                       b->name, line, n, most);
    if (b->truncation == TRUNCATION_ERROR)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: the row has %lld tokens, max_length is %lld; raise max_length, or "
                       "set truncation to keep_start or drop",
                       b->name, line, n, most);
    b->n = most;
    *is_truncated = true;
    return LEASH_OK;
}

/* Writes the mask and returns how many tokens it trains. */
static int64_t write_mask(const builder *b, const ls_row *row, uint8_t *mask)
{
    bool on_all = row->is_text || b->loss_on == LOSS_ALL;
    int64_t n_trained = 0;
    for (int64_t i = 0; i < b->n; i++) {
        mask[i] = i > 0 && !b->prompts_only && (on_all || i >= b->n_prompt);
        n_trained += mask[i];
    }
    return n_trained;
}

static leash_status check_trained(const builder *b, const ls_row *row, int64_t n_trained,
                                  bool is_truncated)
{
    if (b->prompts_only || n_trained > 0)
        return LEASH_OK;
    if (is_truncated)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: no token of the row is trained: the prompt alone has %lld tokens, "
                       "max_length is %lld; raise max_length, or set truncation to drop",
                       b->name, (long long)row->line, (long long)b->n_prompt,
                       (long long)b->options->max_length);
    return ls_fail(LEASH_DATA,
                   "%s:%lld: no token of the row is trained: it has one token, and the first token "
                   "of a row is never a target",
                   b->name, (long long)row->line);
}

static char *put_text(char **at, const ls_str *text)
{
    char *start = *at;
    memcpy(start, text->data, text->len + 1);
    *at += text->len + 1;
    return start;
}

/* Stores the row at work as the next example. */
static leash_status store(builder *b, const ls_row *row, bool is_truncated)
{
    ls_dataset *d = b->out;
    size_t n = (size_t)b->n,
           n_texts = row->prompt.len + row->completion.len + row->answer.len + row->columns.len + 4;
    int32_t *ids = ls_arena_alloc(&d->arena, n * sizeof *ids + n + n_texts);
    uint8_t *mask = (uint8_t *)(ids + n);
    char *texts = (char *)(mask + n);
    memcpy(ids, b->ids, n * sizeof *ids);
    int64_t n_trained = write_mask(b, row, mask);
    LS_TRY(check_trained(b, row, n_trained, is_truncated));
    int32_t n_prompt = (int32_t)(b->n_prompt < b->n ? b->n_prompt : b->n);
    d->rows[d->n_rows++] = (ls_example){
        .prompt = put_text(&texts, &row->prompt),
        .completion = put_text(&texts, &row->completion),
        .answer = row->has_answer ? put_text(&texts, &row->answer) : NULL,
        .columns = put_text(&texts, &row->columns),
        .line = row->line,
        .ids = ids,
        .mask = mask,
        .n_tokens = (int32_t)n,
        .n_prompt = n_prompt,
        .is_truncated = is_truncated,
    };
    d->n_tokens += b->n;
    d->n_trained += n_trained;
    d->n_truncated += is_truncated;
    d->max_tokens = d->max_tokens > (int32_t)n ? d->max_tokens : (int32_t)n;
    d->max_prompt = d->max_prompt > n_prompt ? d->max_prompt : n_prompt;
    d->hash = ls_hash64_more(d->hash, ids, n * sizeof *ids);
    d->hash = ls_hash64_more(d->hash, mask, n);
    if (b->prompts_only) /* rewards read the columns */
        d->hash = ls_hash64_more(d->hash, row->columns.data, row->columns.len);
    return LEASH_OK;
}

static leash_status add_row(builder *b, const ls_row *row)
{
    bool is_dropped, is_truncated;
    b->n_read++;
    if (row->is_text && b->loss_on == LOSS_COMPLETION)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: completion_only_loss is true, but a \"text\" row has no "
                       "completion; set it to auto, or give \"prompt\" and \"completion\"",
                       b->name, (long long)row->line);
    LS_TRY(tokenize(b, row));
    LS_TRY(limit_length(b, row, &is_dropped, &is_truncated));
    if (is_dropped) {
        b->out->n_dropped++;
        return LEASH_OK;
    }
    return store(b, row, is_truncated);
}

static void reserve_rows(builder *b, int64_t most)
{
    b->out->rows = ls_arena_alloc(&b->out->arena, ls_mul_size((size_t)most, sizeof *b->out->rows));
}

static leash_status read_lines(builder *b, const char *text, size_t n)
{
    int64_t n_lines = 1, most = b->options->dataset_num_rows;
    for (size_t i = 0; i < n; i++)
        n_lines += text[i] == '\n';
    if (most == 0 || most > n_lines)
        most = n_lines;
    reserve_rows(b, most);
    ls_jsonl reader = ls_jsonl_open(b->name, text, n);
    ls_row row;
    ls_row_init(&row);
    leash_status status = LEASH_OK;
    while (b->n_read < most) {
        ls_jsonl_row line;
        LS_TRY_OUT(ls_jsonl_next(&reader, &line));
        if (!line.object)
            break;
        status = ls_row_read(&row, &line, b->name, b->prompts_only);
        if (status == LEASH_OK)
            status = add_row(b, &row);
        json_decref(line.object);
        LS_TRY_OUT(status);
    }
out:
    ls_row_release(&row);
    return status;
}

static void row_of_problem(ls_row *row, const ls_problem *problem, int64_t line)
{
    static const char *const keys[] = {"prompt", "completion", "answer"};
    const ls_str *from[] = {&problem->prompt, &problem->completion, &problem->answer};
    ls_str *to[] = {&row->prompt, &row->completion, &row->answer};
    ls_str_clear(&row->columns);
    for (int i = 0; i < 3; i++) {
        ls_str_clear(to[i]);
        ls_str_append_n(to[i], from[i]->data, from[i]->len);
        ls_str_appendf(&row->columns, "%s\"%s\": ", i ? ", " : "{", keys[i]);
        ls_str_append_json(&row->columns, from[i]->data, from[i]->len);
    }
    ls_str_appendf(&row->columns, "%s%s}", problem->extra.len ? ", " : "", problem->extra.data);
    row->has_answer = true;
    row->line = line;
}

static leash_status make_problems(builder *b, uint64_t seed)
{
    bool is_test = strcmp(b->options->split, "test") == 0;
    int64_t n = b->options->dataset_num_rows;
    if (n == 0)
        n = is_test ? TASK_ROWS_TEST : TASK_ROWS_TRAIN;
    const ls_task *task = NULL;
    void *task_options = NULL;
    LS_TRY(ls_task_find(&task, b->options->task));
    LS_TRY(ls_task_parse_args(&task_options, task, b->options->task_args));
    reserve_rows(b, n);
    ls_problem problem;
    ls_row row;
    ls_problem_init(&problem);
    ls_row_init(&row);
    leash_status status = LEASH_OK;
    for (int64_t i = 0; i < n; i++) {
        LS_TRY_OUT(ls_task_problem(&problem, task, task_options, is_test, seed, (uint64_t)i));
        row_of_problem(&row, &problem, i + 1);
        LS_TRY_OUT(add_row(b, &row));
    }
out:
    ls_problem_release(&problem);
    ls_row_release(&row);
    ls_free(task_options);
    return status;
}

static leash_status check_not_empty(const builder *b)
{
    if (b->out->n_rows > 0)
        return LEASH_OK;
    if (b->n_read == 0)
        return ls_fail(LEASH_DATA, "%s: there is no row; expected one JSON object a line", b->name);
    return ls_fail(LEASH_DATA, "%s: all %lld rows were dropped, as they exceed max_length = %lld",
                   b->name, (long long)b->n_read, (long long)b->options->max_length);
}

/* Builds from lines when `source` is given, else from the task of the options. */
static leash_status build(builder *b, const ls_dataset_text *source, uint64_t seed)
{
    ls_dataset *d = b->out;
    *d = (ls_dataset){0};
    LS_TRY(builder_init(b, b->options));
    LS_TRY(ls_arena_init(&d->arena, "dataset", 0));
    snprintf(d->name, sizeof d->name, "%s", source ? source->name : b->options->task);
    b->name = source ? source->name : d->name;
    leash_status status = source ? read_lines(b, source->text, source->n) : make_problems(b, seed);
    if (status == LEASH_OK)
        status = check_not_empty(b);
    if (status != LEASH_OK)
        ls_dataset_release(d);
    ls_free(b->ids);
    return status;
}

leash_status ls_dataset_load_text(ls_dataset *out, const ls_dataset_text *source,
                                  const ls_data_options *options, const ls_tokenizer *tokenizer,
                                  bool prompts_only)
{
    builder b = {
        .out = out, .options = options, .tokenizer = tokenizer, .prompts_only = prompts_only};
    return build(&b, source, 0);
}

leash_status ls_dataset_load(ls_dataset *out, const ls_data_options *options,
                             const ls_tokenizer *tokenizer, bool prompts_only, uint64_t seed)
{
    builder b = {
        .out = out, .options = options, .tokenizer = tokenizer, .prompts_only = prompts_only};
    bool has_file = options->dataset[0], has_task = options->task[0];
    if (has_file == has_task)
        return ls_fail(LEASH_USAGE,
                       has_file ? "both dataset and task are set; expected one of them"
                                : "there is no data: set dataset to a JSON Lines file, or task to "
                                  "a built-in task");
    if (has_task)
        return build(&b, NULL, seed);
    if (strcmp(options->split, "test") == 0 || options->task_args[0])
        return ls_fail(LEASH_USAGE,
                       "dataset_split and task_args belong to tasks, but dataset is a file (%s)",
                       options->dataset);
    ls_str text = LS_STR_INIT;
    leash_status status = ls_file_read(&text, options->dataset);
    if (status == LEASH_OK)
        status = build(&b, &(ls_dataset_text){options->dataset, text.data, text.len}, seed);
    ls_str_release(&text);
    return status;
}

void ls_dataset_release(ls_dataset *dataset)
{
    ls_arena_release(&dataset->arena);
    *dataset = (ls_dataset){0};
}

int64_t ls_dataset_order(const ls_dataset *dataset, bool shuffle, uint64_t seed, int64_t draw)
{
    LS_ASSERT(dataset->n_rows > 0 && draw >= 0);
    int64_t epoch = draw / dataset->n_rows, i = draw % dataset->n_rows;
    if (!shuffle)
        return i;
    return (int64_t)ls_rng_permute(seed, LS_RNG_SHUFFLE, (uint32_t)epoch, (uint64_t)i,
                                   (uint64_t)dataset->n_rows);
}
