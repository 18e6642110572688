/* Rows for people: what the model reads, with the trained tokens marked.  The mask is the thing to
 * look at before any training. */
#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

#include "text/utf8.h"

#define INDENT 2
#define COLOUR_ON "\x1b[30;42m" /* black on green */
#define COLOUR_OFF "\x1b[0m"

typedef struct painter {
    ls_str *out;
    int columns, at; /* width, 0: endless; column of the next character */
    bool colour, is_on;
} painter;

static void new_line(painter *p)
{
    if (p->colour && p->is_on)
        ls_str_append(p->out, COLOUR_OFF);
    ls_str_append(p->out, "\n  ");
    if (p->colour && p->is_on)
        ls_str_append(p->out, COLOUR_ON);
    p->at = INDENT;
}

/* `n` bytes that take `width` columns and stay together. */
static void put(painter *p, const char *bytes, size_t n, int width)
{
    if (p->columns > 0 && p->at + width > p->columns && p->at > INDENT)
        new_line(p);
    ls_str_append_n(p->out, bytes, n);
    p->at += width;
}

static void put_text(painter *p, const ls_str *text)
{
    for (size_t i = 0; i < text->len;) {
        uint32_t codepoint;
        size_t n = ls_utf8_next(&codepoint, text->data + i, text->len - i);
        n = n ? n : 1;
        put(p, text->data + i, n, 1);
        i += n;
    }
}

static void set_mark(painter *p, bool is_on)
{
    if (p->is_on == is_on)
        return;
    p->is_on = is_on;
    if (p->colour)
        ls_str_append(p->out, is_on ? COLOUR_ON : COLOUR_OFF);
    else
        put(p, is_on ? "[[" : "]]", 2, 2);
}

/* Tokens from `begin` to `end` have one mask and are shown as one text, so that characters of
 * several byte tokens stay whole. */
static void put_run(painter *p, const ls_example *row, const ls_tokenizer *tokenizer, int32_t begin,
                    int32_t end)
{
    ls_str text = LS_STR_INIT, visible = LS_STR_INIT;
    ls_tokenizer_decode(tokenizer, row->ids + begin, end - begin, true, &text);
    ls_str_append_visible(&visible, text.data, text.len);
    set_mark(p, row->mask[begin]);
    put_text(p, &visible);
    ls_str_release(&text);
    ls_str_release(&visible);
}

static int32_t count_trained(const ls_example *row)
{
    int32_t n = 0;
    for (int32_t i = 0; i < row->n_tokens; i++)
        n += row->mask[i];
    return n;
}

/* Tokens of one sequence, those that are trained marked. */
static void put_tokens(painter *p, const ls_example *row, const ls_tokenizer *tokenizer)
{
    ls_str_append(p->out, "  ");
    p->at = INDENT;
    p->is_on = false;
    for (int32_t begin = 0, end; begin < row->n_tokens; begin = end) {
        for (end = begin + 1; end < row->n_tokens && row->mask[end] == row->mask[begin]; end++)
            continue;
        put_run(p, row, tokenizer, begin, end);
    }
    set_mark(p, false);
    ls_str_append(p->out, "\n");
}

static void put_head(painter *p, const ls_example *row, const char *what)
{
    ls_str_appendf(p->out, "%s: %d tokens, %d of prompt, %d trained%s\n", what, (int)row->n_tokens,
                   (int)row->n_prompt, (int)count_trained(row),
                   row->is_truncated ? ", truncated" : "");
}

static void put_steps(painter *p, const ls_example *row)
{
    if (row->n_steps == 0)
        return;
    ls_str_append(p->out, "  steps:");
    for (int32_t i = 0; i < row->n_steps; i++)
        ls_str_append(p->out, row->step_label[i] ? " right" : " wrong");
    ls_str_append(p->out, "\n");
}

static void show_row(painter *p, const ls_example *row, const ls_tokenizer *tokenizer,
                     int64_t index)
{
    char what[96];
    snprintf(what, sizeof what, "row %lld (line %lld)%s", (long long)index + 1,
             (long long)row->line,
             row->rejected     ? ", chosen"
             : row->label == 1 ? ", desirable"
             : row->label == 0 ? ", undesirable"
                               : "");
    put_head(p, row, what);
    put_tokens(p, row, tokenizer);
    if (row->rejected) {
        put_head(p, row->rejected, "  rejected");
        put_tokens(p, row->rejected, tokenizer);
    }
    put_steps(p, row);
    if (row->answer) {
        ls_str_append(p->out, "  answer: ");
        ls_str_append_visible(p->out, row->answer, strlen(row->answer));
        ls_str_append(p->out, "\n");
    }
}

leash_status ls_dataset_show(ls_dataset *dataset, const ls_tokenizer *tokenizer,
                             const ls_show *what, ls_str *out)
{
    painter p = {.out = out, .columns = what->columns, .colour = what->colour};
    ls_arena arena;
    bool shuffles = dataset->shuffles;
    LS_TRY(ls_arena_init(&arena, "show", 0));
    int64_t first = what->first < 0 ? 0 : what->first, left = dataset->n_rows - first;
    leash_status status = LEASH_OK;
    dataset->shuffles = false;
    for (int64_t i = 0; i < what->count && i < left; i++) {
        const ls_example *row;
        LS_TRY_OUT(ls_dataset_take(dataset, first + i, &arena, &row));
        show_row(&p, row, tokenizer, first + i);
        ls_arena_rewind(&arena, 0);
    }
out:
    dataset->shuffles = shuffles;
    ls_arena_release(&arena);
    return status;
}
