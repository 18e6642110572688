/* The template engine against Jinja2 as transformers sets it up, construct by construct; what is
 * refused, with its message; and templates that do not want to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "template_goldens.h"
#include "text/jinja/jinja.h"

static leash_status render(ls_jinja_output *out, const char *template, const json_t *variables)
{
    ls_jinja *t;
    *out = (ls_jinja_output){.text = LS_STR_INIT};
    LS_TRY(ls_jinja_parse(&t, template, strlen(template), "t"));
    leash_status status =
        ls_jinja_render(out, t, &(ls_jinja_input){.variables = variables, .now = 1700000000});
    ls_jinja_free(t);
    return status;
}

static void release(ls_jinja_output *out)
{
    ls_str_release(&out->text);
    ls_free(out->spans);
}

static void check_construct(const json_t *row, const json_t *variables)
{
    const char *template = json_string_value(json_object_get(row, "template"));
    const json_t *spans = json_object_get(row, "spans"), *text = json_object_get(row, "text");
    ls_jinja_output out;
    leash_status status = render(&out, template, variables);
    if (!text && status == LEASH_OK)
        fail_msg("%s: expected an error, found \"%s\"", template, out.text.data);
    if (text && status != LEASH_OK)
        fail_msg("%s: %s", template, leash_error());
    if (text) {
        if (out.text.len != json_string_length(text) ||
            memcmp(out.text.data, json_string_value(text), out.text.len) != 0)
            fail_msg("%s: expected \"%s\", found \"%s\"", template, json_string_value(text),
                     out.text.data);
        assert_int_equal(out.n_spans, json_array_size(spans));
        for (int64_t i = 0; i < out.n_spans; i++) {
            const json_t *span = json_array_get(spans, (size_t)i);
            assert_int_equal(out.spans[i].start, json_integer_value(json_array_get(span, 0)));
            assert_int_equal(out.spans[i].end, json_integer_value(json_array_get(span, 1)));
        }
    }
    release(&out);
}

static void every_construct_gives_what_jinja2_gives(void **state)
{
    (void)state;
    json_t *rows = golden_lines(GOLDEN_TEMPLATES "constructs.jsonl");
    json_t *variables = json_load_file(GOLDEN_TEMPLATES "variables.json", 0, NULL);
    assert_true(json_array_size(rows) > 600);
    for (size_t i = 0; i < json_array_size(rows); i++)
        check_construct(json_array_get(rows, i), variables);
    json_decref(rows);
    json_decref(variables);
}

static void check_error(const char *template, const char *expected)
{
    ls_jinja_output out;
    json_t *variables =
        json_pack("{s:[i,i,i],s:s,s:{s:i}}", "xs", 3, 1, 2, "s", "text", "d", "a", 1);
    leash_status status = render(&out, template, variables);
    if (status == LEASH_OK)
        fail_msg("%s: expected an error, found \"%s\"", template, out.text.data);
    assert_string_equal(leash_error(), expected);
    json_decref(variables);
    release(&out);
}

static void what_is_malformed_is_named_with_line_and_column(void **state)
{
    (void)state;
    check_error("a\n{% if x %}b", "t:2:4: 'if' has no 'endif'");
    check_error("{% for x in xs %}{% endif %}", "t:1:21: 'endif' has nothing to end here");
    check_error("{{ a", "t:1:1: the tag has no end (expected '}}')");
    check_error("x {# a", "t:1:3: the comment has no end (expected '#}')");
    check_error("a\n\n {{ 1 +\n\n2", "t:3:2: the tag has no end (expected '}}')");
    check_error("{% raw %}{{ a }}", "t:1:1: {% raw %} has no {% endraw %}");
    check_error("{{ 'abc }}", "t:1:4: the string has no end");
    check_error("{{ (1 }}", "t:1:7: another bracket is still open");
    check_error("{{ 1) }}", "t:1:5: the bracket was not opened");
    check_error("\xc3\xa9{{ 1 + }}", "t:1:9: expected an expression, found '}}'");
    check_error("{{ s|shout }}", "t:1:6: there is no filter 'shout'");
    check_error("{{ s is loud }}", "t:1:9: there is no test 'loud'");
    check_error("{{ a ? b }}", "t:1:6: the character does not belong into a tag");
    check_error("{% for x xs %}{% endfor %}", "t:1:10: expected 'in', found 'xs'");
    check_error("{% set 1 = 2 %}", "t:1:8: expected the name of a variable, found '1'");
    check_error("{% break %}", "t:1:4: 'break' stands outside of a loop");
    check_error("{{ 99999999999999999999 }}", "t:1:4: the number does not fit 64 bits");
    check_error("{% include 'x' %}",
                "t:1:4: the tag 'include' is not supported (if, for, set, macro, filter, break, "
                "continue, raw and generation are)");
    check_error("{{ f(*xs) }}", "t:1:6: arguments out of a list or dict are not supported");
    check_error("\xff", "t: the template is not UTF-8 (byte 0)");
}

static void what_cannot_be_evaluated_is_named_with_line_and_column(void **state)
{
    (void)state;
    check_error("\n{{ nothing.x }}", "t:2:11: 'nothing' is undefined");
    check_error("{{ d.b.c }}", "t:1:7: 'dict object' has no attribute 'b'");
    check_error("{{ 1 + s }}", "t:1:6: '+' is not supported between int and str");
    check_error("{{ s < 1 }}", "t:1:6: '<' is not supported between str and int");
    check_error("{{ 1 // 0 }}", "t:1:6: division by zero");
    check_error("{{ 9223372036854775807 + 1 }}", "t:1:24: the result does not fit 64 bits");
    check_error("{{ xs.append(1) }}",
                "t:1:6: a template cannot change a list (a namespace can be changed)");
    check_error("{{ s.format(1) }}", "t:1:5: str.format is not supported (use ~ to concatenate)");
    check_error("{{ raise_exception('no ' ~ s) }}",
                "t:1:4: the template refuses the messages: no text");
    check_error("{% for a, b in xs %}{% endfor %}",
                "t:1:8: a value of type int cannot be iterated");
    check_error("{{ s|replace('a') }}", "t:1:6: replace: an argument is missing");
    check_error("{{ s|trim(1, 2) }}", "t:1:6: trim: takes 1 arguments, not 2");
    check_error("{{ s|join(x=1) }}", "t:1:6: join: does not take the argument 'x'");
    check_error("{{ {'a': u}|tojson }}", "t:1:13: tojson: 'u' is undefined");
}

static void check_limit(const char *template, const char *part)
{
    ls_jinja_output out;
    json_t *variables = json_object();
    assert_int_not_equal(render(&out, template, variables), LEASH_OK);
    if (!strstr(leash_error(), part))
        fail_msg("%s: expected \"%s\" in \"%s\"", template, part, leash_error());
    json_decref(variables);
    release(&out);
}

#define RANGE "range(99999)"

static void a_template_that_does_not_end_is_stopped(void **state)
{
    (void)state;
    check_limit("{% for a in " RANGE " %}{% for b in " RANGE " %}{% endfor %}{% endfor %}",
                "does not end within");
    check_limit("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nests too deeply");
    check_limit("{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}"
                "{% endfor %}",
                "does not end within");
    check_limit("{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}"
                "{% endfor %}{{ n.x }}",
                "nests too deeply");
    check_limit("{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}"
                "{% endfor %}{{ n.x == [n.x] or n.x|tojson }}",
                "");
    check_limit("{{ 'x' * 9999999999 }}", "does not end within");
    check_limit("{{ ('xxxxxxxxxxxxxxxx' * 99999) * 99 }}", "makes a text of more than 64 MiB");
    check_limit("{{ ('x' * 9999)|replace('x', 'x' * 99999) }}", "makes a text of more than 64 MiB");
    check_limit("{{ [0] * 99999999999 }}", "does not end within");
    check_limit("{{ range(100001) }}", "range: more than 100000 numbers");
    check_limit("{{ 'a'|indent(99999999999) }}", "does not end within");
}

static void constructs_nested_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    ls_str text = LS_STR_INIT;
    for (int i = 0; i < 10000; i++)
        ls_str_append(&text, "{% if 1 %}");
    check_limit(text.data, "constructs nest more than 200 deep");
    ls_str_clear(&text);
    ls_str_append(&text, "{{ ");
    for (int i = 0; i < 10000; i++)
        ls_str_append(&text, "not ");
    ls_str_append(&text, "1 }}");
    check_limit(text.data, "constructs nest more than 200 deep");
    ls_str_clear(&text);
    ls_str_append(&text, "{{ 1");
    for (int i = 0; i < 10000; i++)
        ls_str_append(&text, "+1");
    ls_str_append(&text, " }}");
    check_limit(text.data, "nests too deeply");
    ls_str_release(&text);
}

static void the_clock_stands_where_the_input_says(void **state)
{
    (void)state;
    ls_jinja_output out;
    json_t *variables = json_object();
    assert_int_equal(render(&out, "{{ strftime_now('%d %b %Y') }}", variables), LEASH_OK);
    assert_string_equal(out.text.data, "14 Nov 2023");
    release(&out);
    json_decref(variables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_construct_gives_what_jinja2_gives),
        cmocka_unit_test(what_is_malformed_is_named_with_line_and_column),
        cmocka_unit_test(what_cannot_be_evaluated_is_named_with_line_and_column),
        cmocka_unit_test(a_template_that_does_not_end_is_stopped),
        cmocka_unit_test(constructs_nested_beyond_the_limit_are_refused),
        cmocka_unit_test(the_clock_stands_where_the_input_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
