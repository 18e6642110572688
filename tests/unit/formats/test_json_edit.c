/* Changing keys of a JSON text: the key alone changes, whatever the text around it looks like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "formats/json_edit.h"

static void assert_set(const char *text, const char *key, const char *value, const char *expected)
{
    ls_str s = LS_STR_INIT;
    ls_str_append(&s, text);
    ls_json_set_key(&s, key, value);
    assert_string_equal(s.data, expected);
    ls_str_release(&s);
}

static void values_are_replaced_and_nothing_else(void **state)
{
    (void)state;
    assert_set("{\"a\": 1e-05, \"b\" :\t[1, {\"a\": 2}] }", "a", "7",
               "{\"a\": 7, \"b\" :\t[1, {\"a\": 2}] }");
    assert_set("{\"x\": {\"a\": \"}\"}, \"a\": \"\\\"},\"\n}\n", "a", "null",
               "{\"x\": {\"a\": \"}\"}, \"a\": null\n}\n");
    assert_set("{\"aa\":1,\"a\":2}", "a", "[3]", "{\"aa\":1,\"a\":[3]}");
    assert_set("{\"s\":\"a\",\"a\":{}}", "a", "true", "{\"s\":\"a\",\"a\":true}");
}

static void missing_keys_are_added_at_the_end(void **state)
{
    (void)state;
    assert_set("{\n  \"b\": 1\n}\n", "a", "2", "{\n  \"b\": 1,\n  \"a\": 2\n}\n");
    assert_set("{}", "a", "2", "{\n  \"a\": 2\n}");
    assert_set("{\"x\": {\"a\": 1}}", "a", "2", "{\"x\": {\"a\": 1},\n  \"a\": 2\n}");
}

static void assert_removed(const char *text, const char *expected)
{
    ls_str s = LS_STR_INIT;
    ls_str_append(&s, text);
    ls_json_remove_key(&s, "a");
    assert_string_equal(s.data, expected);
    assert_false(ls_json_has_key(s.data, "a"));
    ls_str_release(&s);
}

static void keys_are_removed_with_their_comma(void **state)
{
    (void)state;
    assert_removed("{\"a\": {\"b\": 1}, \"c\": 2}", "{\"c\": 2}");
    assert_removed("{\"c\": 2,\n \"a\": [1, 2]\n}", "{\"c\": 2\n}");
    assert_removed("{ \"a\": 1 }", "{ }");
    assert_removed("{\"b\": 1}", "{\"b\": 1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_replaced_and_nothing_else),
        cmocka_unit_test(missing_keys_are_added_at_the_end),
        cmocka_unit_test(keys_are_removed_with_their_comma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
