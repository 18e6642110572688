/* Chat templates: any bytes parse or give an error, and what parses renders or gives an error,
 * within the limits of text/jinja/jinja.h.
 *
 * Input: the template, then after a NUL byte a JSON object of variables. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "text/jinja/jinja.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char usual[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
    "\"\\u00e9 u\"},"
    "{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[{\"id\":\"123456789\",\"function\":"
    "{\"name\":\"f\",\"arguments\":{\"x\":[1,2.5,null]}}}]}],\"tools\":[{\"function\":{\"name\":"
    "\"f\"}}],"
    "\"bos_token\":\"<s>\",\"add_generation_prompt\":true}";

static void check_spans(const ls_jinja_output *out)
{
    for (int64_t i = 0; i < out->n_spans; i++)
        LS_ASSERT(out->spans[i].start >= 0 && out->spans[i].start <= out->spans[i].end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data, *nul = n ? memchr(text, 0, n) : NULL;
    size_t n_text = nul ? (size_t)(nul - text) : n;
    ls_jinja *t = NULL;
    if (ls_jinja_parse(&t, text, n_text, "fuzz") != LEASH_OK)
        return 0;
    json_t *variables = nul ? json_loadb(nul + 1, n - n_text - 1, JSON_ALLOW_NUL, NULL) : NULL;
    if (!json_is_object(variables)) {
        json_decref(variables);
        variables = json_loads(usual, 0, NULL);
    }
    ls_jinja_output out = {.text = LS_STR_INIT};
    if (ls_jinja_render(&out, t, &(ls_jinja_input){.variables = variables, .now = 1}) == LEASH_OK) {
        LS_ASSERT(ls_is_utf8(out.text.data, out.text.len));
        check_spans(&out);
    }
    ls_str_release(&out.text);
    ls_free(out.spans);
    json_decref(variables);
    ls_jinja_free(t);
    return 0;
}
