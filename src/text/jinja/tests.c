/* The tests behind "is". */
#include <string.h>

#include "text/jinja/callable.h"

#define TEST(name, condition)                                                              \
    static leash_status name(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out) \
    {                                                                                      \
        (void)run;                                                                         \
        (void)args;                                                                        \
        *out = ls_jbool(condition);                                                        \
        return LEASH_OK;                                                                   \
    }

TEST(is_defined, v.type != LS_J_UNDEFINED)
TEST(is_undefined, v.type == LS_J_UNDEFINED)
TEST(is_none, v.type == LS_J_NONE)
TEST(is_boolean, v.type == LS_J_BOOL)
TEST(is_true, v.type == LS_J_BOOL && v.truth)
TEST(is_false, v.type == LS_J_BOOL && !v.truth)
TEST(is_string, v.type == LS_J_STRING)
TEST(is_number, ls_jis_number(v))
TEST(is_integer, v.type == LS_J_INT)
TEST(is_float, v.type == LS_J_FLOAT)
TEST(is_mapping, v.type == LS_J_DICT)
TEST(is_callable, v.type == LS_J_MACRO || v.type == LS_J_METHOD || v.type == LS_J_FUNCTION)

/* An undefined value is an empty sequence. */
static bool has_items(ls_jval v)
{
    return v.type == LS_J_UNDEFINED || v.type == LS_J_STRING || v.type == LS_J_LIST ||
           v.type == LS_J_TUPLE || v.type == LS_J_DICT;
}

TEST(is_sequence, has_items(v))
TEST(is_iterable, has_items(v) || v.type == LS_J_GENERATOR)

static leash_status divides(ls_jrun *run, ls_jval v, int64_t by, bool *out)
{
    int64_t i;
    *out = false;
    if (!ls_jis_integer(v, &i))
        return ls_jfail(run, "the test needs an int, not %s", ls_jtype_name(v));
    if (by == 0)
        return ls_jfail(run, "division by zero");
    *out = by == -1 || i % by == 0;
    return LEASH_OK;
}

static leash_status is_odd(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    bool is_even = false;
    (void)args;
    LS_TRY(divides(run, v, 2, &is_even));
    *out = ls_jbool(!is_even);
    return LEASH_OK;
}

static leash_status is_even(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    bool divides_it = false;
    (void)args;
    LS_TRY(divides(run, v, 2, &divides_it));
    *out = ls_jbool(divides_it);
    return LEASH_OK;
}

static leash_status is_divisible(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    int64_t by;
    bool divides_it = false;
    LS_TRY(ls_jarg_int(run, args, 0, 1, &by));
    LS_TRY(divides(run, v, by, &divides_it));
    *out = ls_jbool(divides_it);
    return LEASH_OK;
}

static leash_status is_equal(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    bool is_same;
    LS_TRY(ls_jequal(run, v, args->slots[0], &is_same));
    *out = ls_jbool(is_same);
    return LEASH_OK;
}

static leash_status is_unequal(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    LS_TRY(is_equal(run, v, args, out));
    out->truth = !out->truth;
    return LEASH_OK;
}

/* Of values that are copied, the same is what is equal and of one type. */
static leash_status is_same(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    bool is_data = v.type == LS_J_LIST || v.type == LS_J_TUPLE || v.type == LS_J_DICT;
    *out = ls_jbool(false);
    if (v.type != args->slots[0].type)
        return LEASH_OK;
    if (!is_data)
        return is_equal(run, v, args, out);
    out->truth = v.list == args->slots[0].list;
    return LEASH_OK;
}

#define ORDER(name, sign, condition)                                                       \
    static leash_status name(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out) \
    {                                                                                      \
        int order;                                                                         \
        LS_TRY(ls_jcompare(run, v, args->slots[0], sign, &order));                         \
        *out = ls_jbool(condition);                                                        \
        return LEASH_OK;                                                                   \
    }

ORDER(is_less, "<", order < 0)
ORDER(is_at_most, "<=", order <= 0)
ORDER(is_greater, ">", order > 0)
ORDER(is_at_least, ">=", order >= 0)

static leash_status is_in(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    bool contains;
    LS_TRY(ls_jcontains(run, args->slots[0], v, &contains));
    *out = ls_jbool(contains);
    return LEASH_OK;
}

/* Unchanged by the change of case, and with a letter that has cases. */
static leash_status test_case(ls_jrun *run, ls_jval v, ls_jcase how, ls_jval *out)
{
    ls_jtext text;
    ls_jval same, other;
    bool is_same, is_other;
    LS_TRY(ls_jto_string(run, v, &text));
    LS_TRY(ls_jchange_case(run, text, how, &same));
    LS_TRY(ls_jchange_case(run, text, how == LS_J_LOWER ? LS_J_UPPER : LS_J_LOWER, &other));
    LS_TRY(ls_jequal(run, ls_jstring(text.at, text.n), same, &is_same));
    LS_TRY(ls_jequal(run, ls_jstring(text.at, text.n), other, &is_other));
    *out = ls_jbool(is_same && !is_other);
    return LEASH_OK;
}

static leash_status is_lower(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return test_case(run, v, LS_J_LOWER, out);
}

static leash_status is_upper(ls_jrun *run, ls_jval v, const ls_jbound *args, ls_jval *out)
{
    (void)args;
    return test_case(run, v, LS_J_UPPER, out);
}

const ls_jcallable *ls_jfind_test(ls_jtext name)
{
    static const ls_jcallable tests[] = {
        {"boolean", is_boolean, "", 0},
        {"callable", is_callable, "", 0},
        {"defined", is_defined, "", 0},
        {"divisibleby", is_divisible, "num", 1},
        {"eq", is_equal, "other", 1},
        {"==", is_equal, "other", 1},
        {"equalto", is_equal, "other", 1},
        {"even", is_even, "", 0},
        {"false", is_false, "", 0},
        {"float", is_float, "", 0},
        {"ge", is_at_least, "other", 1},
        {">=", is_at_least, "other", 1},
        {"gt", is_greater, "other", 1},
        {">", is_greater, "other", 1},
        {"greaterthan", is_greater, "other", 1},
        {"in", is_in, "seq", 1},
        {"integer", is_integer, "", 0},
        {"iterable", is_iterable, "", 0},
        {"le", is_at_most, "other", 1},
        {"<=", is_at_most, "other", 1},
        {"lessthan", is_less, "other", 1},
        {"lower", is_lower, "", 0},
        {"lt", is_less, "other", 1},
        {"<", is_less, "other", 1},
        {"mapping", is_mapping, "", 0},
        {"ne", is_unequal, "other", 1},
        {"!=", is_unequal, "other", 1},
        {"none", is_none, "", 0},
        {"number", is_number, "", 0},
        {"odd", is_odd, "", 0},
        {"sameas", is_same, "other", 1},
        {"sequence", is_sequence, "", 0},
        {"string", is_string, "", 0},
        {"true", is_true, "", 0},
        {"undefined", is_undefined, "", 0},
        {"upper", is_upper, "", 0},
    };
    for (size_t i = 0; i < LS_COUNT(tests); i++)
        if (strlen(tests[i].name) == name.n && memcmp(tests[i].name, name.at, name.n) == 0)
            return &tests[i];
    return NULL;
}
