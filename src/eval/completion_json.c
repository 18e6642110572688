/* The members that every completion has, in their order. */
#include "eval/completion_json.h"

#include <string.h>

static void append_text(ls_str *out, const char *name, const char *text, size_t n)
{
    ls_str_appendf(out, ", \"%s\": ", name);
    ls_str_append_json(out, text, n);
}

void ls_completion_json_begin(ls_str *out, const ls_completion_json *c,
                              const ls_tokenizer *tokenizer, ls_str *text)
{
    const ls_example *example = c->example;
    ls_str_clear(text);
    ls_tokenizer_decode(tokenizer, c->ids, c->n_ids, false, text);
    ls_str_append_char(out, '{');
    if (c->step > 0)
        ls_str_appendf(out, "\"step\": %lld, ", (long long)c->step);
    ls_str_appendf(out, "\"row\": %lld, \"sample\": %d", (long long)example->line, c->sample);
    append_text(out, "prompt", example->prompt, strlen(example->prompt));
    append_text(out, "completion", text->data, text->len);
    if (c->has_answer && example->answer)
        append_text(out, "answer", example->answer, strlen(example->answer));
    else if (c->has_answer)
        ls_str_append(out, ", \"answer\": null");
}
