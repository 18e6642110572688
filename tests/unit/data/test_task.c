/* Every task: disjoint splits, right answers by independent computation, alphabets, arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/hash.h"
#include "base/mem.h"
#include "data/task.h"
#include "text/tokenizer.h"

#define N_PROBLEMS 5000

static const ls_task *find(const char *name)
{
    const ls_task *task = NULL;
    assert_int_equal(ls_task_find(&task, name), LEASH_OK);
    return task;
}

static void *parse(const ls_task *task, const char *args)
{
    void *options = NULL;
    if (ls_task_parse_args(&options, task, args) != LEASH_OK)
        fail_msg("%s", leash_error());
    return options;
}

static void make(ls_problem *out, const ls_task *task, const void *options, bool is_test,
                 uint64_t seed, uint64_t index)
{
    if (ls_task_problem(out, task, options, is_test, seed, index) != LEASH_OK)
        fail_msg("%s", leash_error());
}

/* Independent arithmetic: a recursive-descent calculator over + - * / and parentheses.  `is_exact`
 * falls when a division leaves a remainder. */
typedef struct calculator {
    const char *at;
    bool is_exact;
} calculator;

static int64_t calculate_sum(calculator *c);

static int64_t calculate_factor(calculator *c)
{
    if (*c->at == '(') {
        c->at++;
        int64_t value = calculate_sum(c);
        assert_int_equal(*c->at++, ')');
        return value;
    }
    char *end;
    assert_true(*c->at >= '0' && *c->at <= '9');
    int64_t value = strtoll(c->at, &end, 10);
    c->at = end;
    return value;
}

static int64_t calculate_product(calculator *c)
{
    int64_t value = calculate_factor(c);
    while (*c->at == '*' || *c->at == '/') {
        bool is_division = *c->at++ == '/';
        int64_t right = calculate_factor(c);
        c->is_exact = c->is_exact && (!is_division || value % right == 0);
        value = is_division ? value / right : value * right;
    }
    return value;
}

static int64_t calculate_sum(calculator *c)
{
    int64_t value = calculate_product(c);
    while (*c->at == '+' || *c->at == '-') {
        bool is_minus = *c->at++ == '-';
        int64_t right = calculate_product(c);
        value = is_minus ? value - right : value + right;
    }
    return value;
}

static const char *stated_answer(const ls_problem *p)
{
    const char *at = strstr(p->completion.data, "#### ");
    assert_non_null(at);
    return at + 5;
}

/* "reverse 3142:" -> "3142" */
static void string_of(ls_str *out, const ls_problem *p)
{
    const char *space = strrchr(p->prompt.data, ' ');
    assert_non_null(space);
    ls_str_append_n(out, space + 1, strlen(space + 1) - 1);
}

static void check_reverse(const ls_problem *p)
{
    ls_str text = LS_STR_INIT;
    string_of(&text, p);
    assert_int_equal(text.len, p->answer.len);
    for (size_t i = 0; i < text.len; i++)
        assert_int_equal(text.data[i], p->answer.data[text.len - 1 - i]);
    ls_str_release(&text);
}

static int by_byte(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

static void check_sort(const ls_problem *p)
{
    ls_str text = LS_STR_INIT;
    string_of(&text, p);
    qsort(text.data, text.len, 1, by_byte);
    assert_string_equal(p->answer.data, text.data);
    ls_str_release(&text);
}

static void check_count(const ls_problem *p)
{
    ls_str text = LS_STR_INIT;
    string_of(&text, p);
    int64_t n = 0;
    for (const char *at = text.data; (at = strchr(at, p->prompt.data[6])); at++)
        n++;
    assert_int_equal(strtoll(p->answer.data, NULL, 10), n);
    ls_str_release(&text);
}

static void check_parity(const ls_problem *p)
{
    unsigned bits = 0;
    for (const char *at = p->prompt.data; *at; at++)
        bits ^= *at == '1';
    assert_string_equal(p->answer.data, bits ? "odd" : "even");
}

static void check_arithmetic(const ls_problem *p)
{
    calculator c = {p->prompt.data, true};
    int64_t value = calculate_sum(&c);
    assert_string_equal(c.at, "=");
    assert_int_equal(strtoll(p->answer.data, NULL, 10), value);
}

static void check_countdown(const ls_problem *p)
{
    ls_str json = LS_STR_INIT;
    ls_str_appendf(&json, "{%s}", p->extra.data);
    json_t *root = json_loads(json.data, 0, NULL);
    json_t *numbers = json_object_get(root, "numbers");
    assert_true(json_is_array(numbers));
    const char *at = p->prompt.data, *expression = stated_answer(p);
    for (size_t i = 0; i < json_array_size(numbers); i++) {
        char *end;
        assert_int_equal(strtoll(at, &end, 10), json_integer_value(json_array_get(numbers, i)));
        at = end;
    }
    assert_memory_equal(at, " -> ", 4);
    int64_t target = strtoll(at + 4, NULL, 10);
    assert_int_equal(strtoll(p->answer.data, NULL, 10), target);
    calculator c = {expression, true};
    assert_int_equal(calculate_sum(&c), target);
    assert_int_equal(*c.at, 0);
    assert_true(c.is_exact);
    for (const char *digit = expression; *digit;) {
        char *end = (char *)digit + 1;
        if (*digit >= '0' && *digit <= '9') {
            int64_t used = strtoll(digit, &end, 10);
            size_t i = 0;
            while (i < json_array_size(numbers) &&
                   json_integer_value(json_array_get(numbers, i)) != used)
                i++;
            assert_true(i < json_array_size(numbers));
            json_array_remove(numbers, i);
        }
        digit = end;
    }
    assert_int_equal(json_array_size(numbers), 0);
    json_decref(root);
    ls_str_release(&json);
}

typedef struct task_case {
    const char *name, *args;
    void (*check)(const ls_problem *p);
} task_case;

static const task_case cases[] = {
    {"arithmetic", "", check_arithmetic},
    {"arithmetic", "digits=3,operators=+-,steps=1", check_arithmetic},
    {"arithmetic", "digits=3,operands=4,operators=+-*,steps=1", check_arithmetic},
    {"arithmetic", "digits=6,min_digits=5,operands=3,operators=*,steps=1", check_arithmetic},
    {"countdown", "", check_countdown},
    {"countdown", "numbers=6,max_number=999,max_target=1000", check_countdown},
    {"countdown", "numbers=4,max_number=9,operators=+-", check_countdown},
    {"count", "", check_count},
    {"sort", "length=10,min_length=4", check_sort},
    {"reverse", "", check_reverse},
    {"reverse", "letters=true,length=12", check_reverse},
    {"parity", "length=16,min_length=8", check_parity},
};

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void train_and_test_splits_share_no_prompt(void **state)
{
    (void)state;
    static uint64_t train[N_PROBLEMS];
    for (size_t k = 0; k < LS_COUNT(cases); k++) {
        const ls_task *task = find(cases[k].name);
        void *options = parse(task, cases[k].args);
        ls_problem p;
        ls_problem_init(&p);
        for (uint64_t i = 0; i < N_PROBLEMS; i++) {
            make(&p, task, options, false, 1, i);
            train[i] = ls_hash64(p.prompt.data, p.prompt.len);
        }
        qsort(train, N_PROBLEMS, sizeof train[0], by_hash);
        for (uint64_t i = 0; i < N_PROBLEMS; i++) {
            make(&p, task, options, true, 1 + i % 2, i);
            uint64_t hash = ls_hash64(p.prompt.data, p.prompt.len);
            if (bsearch(&hash, train, N_PROBLEMS, sizeof train[0], by_hash))
                fail_msg("%s %s: \"%s\" is in both splits", cases[k].name, cases[k].args,
                         p.prompt.data);
        }
        ls_problem_release(&p);
        ls_free(options);
    }
}

static void answers_are_right_and_completions_state_them(void **state)
{
    (void)state;
    for (size_t k = 0; k < LS_COUNT(cases); k++) {
        const ls_task *task = find(cases[k].name);
        void *options = parse(task, cases[k].args);
        ls_problem p;
        ls_problem_init(&p);
        for (uint64_t i = 0; i < 2000; i++) {
            make(&p, task, options, i % 2, 11, i);
            cases[k].check(&p);
            if (strcmp(task->name, "countdown") != 0)
                assert_string_equal(stated_answer(&p), p.answer.data);
        }
        ls_problem_release(&p);
        ls_free(options);
    }
}

static void alphabets_cover_every_character_once(void **state)
{
    (void)state;
    for (size_t k = 0; k < LS_COUNT(cases); k++) {
        const ls_task *task = find(cases[k].name);
        void *options = parse(task, cases[k].args);
        ls_str kind = LS_STR_INIT;
        ls_str_appendf(&kind, "char:%s", task->alphabet);
        ls_tokenizer *tokenizer = NULL;
        assert_int_equal(ls_tokenizer_new(&tokenizer, kind.data), LEASH_OK);
        int32_t *ids = NULL;
        int64_t n = 0, cap = 0;
        ls_problem p;
        ls_problem_init(&p);
        for (uint64_t i = 0; i < 1000; i++) {
            make(&p, task, options, false, 5, i);
            const ls_str *texts[] = {&p.prompt, &p.completion, &p.answer};
            for (int j = 0; j < 3; j++, n = 0)
                if (ls_tokenizer_encode(tokenizer, texts[j]->data, texts[j]->len, &ids, &n, &cap))
                    fail_msg("%s: %s", task->name, leash_error());
        }
        ls_problem_release(&p);
        ls_free(ids);
        ls_tokenizer_free(tokenizer);
        ls_str_release(&kind);
        ls_free(options);
    }
}

static void a_problem_is_a_function_of_seed_index_and_split(void **state)
{
    (void)state;
    for (size_t k = 0; k < LS_COUNT(cases); k++) {
        const ls_task *task = find(cases[k].name);
        void *options = parse(task, cases[k].args), *again = parse(task, cases[k].args);
        ls_problem a, b;
        ls_problem_init(&a);
        ls_problem_init(&b);
        int n_other_seed = 0, n_other_index = 0, n_far = 0;
        for (uint64_t i = 0; i < 50; i++) {
            make(&a, task, options, false, 1, i);
            make(&b, task, again, false, 1, i);
            assert_string_equal(a.prompt.data, b.prompt.data);
            assert_string_equal(a.completion.data, b.completion.data);
            make(&b, task, options, false, 2, i);
            n_other_seed += strcmp(a.prompt.data, b.prompt.data) != 0;
            make(&b, task, options, false, 1, i + 50);
            n_other_index += strcmp(a.prompt.data, b.prompt.data) != 0;
            make(&b, task, options, false, 1, i + ((uint64_t)1 << 32));
            n_far += strcmp(a.prompt.data, b.prompt.data) != 0;
        }
        assert_true(n_other_seed > 40 && n_other_index > 40 && n_far > 40);
        ls_problem_release(&a);
        ls_problem_release(&b);
        ls_free(options);
        ls_free(again);
    }
}

static void expect_completion(const char *args, const char *prompt, const char *completion)
{
    const ls_task *task = find("arithmetic");
    void *options = parse(task, args);
    ls_problem p;
    ls_problem_init(&p);
    bool is_found = false;
    for (uint64_t i = 0; i < 4000000 && !is_found; i++) {
        ls_str_clear(&p.prompt);
        ls_str_clear(&p.completion);
        ls_str_clear(&p.answer);
        task->generate(&p, options, 1, i, 0);
        is_found = strcmp(p.prompt.data, prompt) == 0;
    }
    if (!is_found)
        fail_msg("%s was not drawn", prompt);
    assert_string_equal(p.completion.data, completion);
    ls_problem_release(&p);
    ls_free(options);
}

static void worked_steps_read_as_documented(void **state)
{
    (void)state;
    expect_completion("min_digits=2", "37+48=", "#### 85");
    expect_completion("steps=1,min_digits=2", "37+48=", "7+8=15 3+4+1=8\n#### 85");
    expect_completion("steps=1", "5+98=", "5+8=13 0+9+1=10\n#### 103");
    expect_completion("steps=1,operators=-,min_digits=2", "52-37=", "12-7=5 5-3-1=1\n#### 15");
    expect_completion("steps=1,operators=-,min_digits=2", "37-52=", "- 12-7=5 5-3-1=1\n#### -15");
    expect_completion("steps=1,operators=-", "40-0=", "0-0=0 4-0=4\n#### 40");
    expect_completion("steps=1,operators=*,min_digits=2",
                      "37*48=", "37*8=296 37*40=1480 296+1480=1776\n#### 1776");
    expect_completion("steps=1,operators=*", "37*8=", "37*8=296\n#### 296");
    expect_completion("steps=1,operators=*", "37*0=", "37*0=0\n#### 0");
    expect_completion("steps=1,operators=+-*,digits=1,operands=3",
                      "3-8+4=", "- 8-3=5 =-5 - 5-4=1\n#### -1");
    expect_completion("steps=1,operators=+-*,digits=1,operands=3",
                      "2+3*4=", "3*4=12 2+2=4 0+1=1\n#### 14");
}

/* Every "left=right" of a working without noise is true; a part that begins with '=' states the
 * running value. */
static void every_step_of_a_working_is_true(void **state)
{
    (void)state;
    const ls_task *task = find("arithmetic");
    void *options = parse(task, "digits=4,operands=3,operators=+-*,steps=1");
    ls_problem p;
    ls_problem_init(&p);
    for (uint64_t i = 0; i < 3000; i++) {
        make(&p, task, options, false, 3, i);
        char *line = p.completion.data, *part;
        *strchr(line, '\n') = 0;
        while ((part = strsep(&line, " "))) {
            if (*part == '-' || *part == '=')
                continue;
            calculator c = {part, true};
            int64_t left = calculate_sum(&c);
            assert_int_equal(*c.at, '=');
            assert_int_equal(strtoll(c.at + 1, NULL, 10), left);
        }
    }
    ls_problem_release(&p);
    ls_free(options);
}

static double measure_noise(const char *args, bool is_test)
{
    const ls_task *task = find("arithmetic");
    void *noisy = parse(task, args);
    ls_problem p;
    ls_problem_init(&p);
    int n_wrong = 0;
    uint64_t n = is_test ? 500 : N_PROBLEMS;
    for (uint64_t i = 0; i < n; i++) {
        make(&p, task, noisy, is_test, 9, i);
        check_arithmetic(&p);
        n_wrong += strcmp(stated_answer(&p), p.answer.data) != 0;
    }
    ls_problem_release(&p);
    ls_free(noisy);
    return n_wrong / (double)n;
}

static void noise_is_the_share_of_wrong_answers_and_spares_the_test_split(void **state)
{
    (void)state;
    /* Five standard deviations of 5000 draws at 0.3 are 0.033. */
    static const char *const args[] = {"noise=0.3", "noise=0.3,steps=1,operators=+-*,operands=3",
                                       "noise=0.3,steps=1,operators=*,digits=3"};
    for (size_t i = 0; i < LS_COUNT(args); i++) {
        double share = measure_noise(args[i], false);
        assert_true(share > 0.267 && share < 0.333);
        assert_true(measure_noise(args[i], true) == 0);
    }
    assert_true(measure_noise("noise=1,steps=1,operators=+-*", false) == 1);
    assert_true(measure_noise("", false) == 0);
}

static void noise_changes_no_problem(void **state)
{
    (void)state;
    const ls_task *task = find("arithmetic");
    void *clean = parse(task, "operators=+-"), *noisy = parse(task, "operators=+-,noise=0.5");
    ls_problem a, b;
    ls_problem_init(&a);
    ls_problem_init(&b);
    for (uint64_t i = 0; i < 200; i++) {
        make(&a, task, clean, false, 9, i);
        make(&b, task, noisy, false, 9, i);
        assert_string_equal(a.prompt.data, b.prompt.data);
        assert_string_equal(a.answer.data, b.answer.data);
    }
    ls_problem_release(&a);
    ls_problem_release(&b);
    ls_free(clean);
    ls_free(noisy);
}

static void options_bound_the_problems(void **state)
{
    (void)state;
    const ls_task *task = find("reverse");
    void *options = parse(task, "length=9,min_length=9,letters=true");
    ls_problem p;
    ls_problem_init(&p);
    for (uint64_t i = 0; i < 100; i++) {
        make(&p, task, options, false, 1, i);
        assert_int_equal(p.answer.len, 9);
        assert_int_equal(strspn(p.answer.data, "abcdefghijklmnopqrstuvwxyz"), 9);
    }
    ls_free(options);
    task = find("arithmetic");
    options = parse(task, "digits=3,min_digits=3,operators=-");
    for (uint64_t i = 0; i < 100; i++) {
        make(&p, task, options, false, 1, i);
        assert_int_equal(p.prompt.len, 8);
        assert_int_equal(p.prompt.data[3], '-');
    }
    ls_problem_release(&p);
    ls_free(options);
}

static void a_tenth_to_a_seventh_of_problems_are_test(void **state)
{
    (void)state;
    const ls_task *task = find("reverse");
    void *options = parse(task, "length=9,min_length=9");
    ls_problem p;
    ls_problem_init(&p);
    int n_test = 0;
    for (uint64_t i = 0; i < N_PROBLEMS; i++) {
        ls_str_clear(&p.prompt);
        ls_str_clear(&p.answer);
        ls_str_clear(&p.completion);
        task->generate(&p, options, 1, i, 0);
        n_test += ls_task_is_test(p.prompt.data, p.prompt.len);
    }
    assert_true(n_test > N_PROBLEMS / 10 && n_test < N_PROBLEMS / 7);
    ls_problem_release(&p);
    ls_free(options);
}

static void an_unknown_task_is_answered_with_the_list_and_the_nearest(void **state)
{
    (void)state;
    const ls_task *task = NULL;
    assert_int_equal(ls_task_find(&task, "arithmetics"), LEASH_USAGE);
    assert_string_equal(
        leash_error(), "there is no task \"arithmetics\" (did you mean \"arithmetic\"?); the tasks "
                       "are: arithmetic, countdown, count, sort, reverse, parity");
    assert_int_equal(ls_task_find(&task, "zzzzzzzzzz"), LEASH_USAGE);
    assert_string_equal(leash_error(),
                        "there is no task \"zzzzzzzzzz\"; the tasks are: arithmetic, "
                        "countdown, count, sort, reverse, parity");
}

static void bad_arguments_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *task, *args, *text;
    } bad[] = {
        {"arithmetic", "digits=2,min_digits=3", "min_digits is 3, which is more than digits (2)"},
        {"arithmetic", "operators=+%", "operators is \"+%\"; expected some of +-*, each once"},
        {"arithmetic", "operators=++", "operators is \"++\"; expected some of +-*, each once"},
        {"arithmetic", "operators=", "operators is empty; expected some of +-*"},
        {"arithmetic", "operators=*,digits=6,operands=4",
         "with * in operators, digits x operands may be at most 18, found 6 x 4"},
        {"arithmetic", "steps", "expected key=value,key=value,... , found \"steps\""},
        {"arithmetic", "digits=2,", "there is nothing after the last comma"},
        {"arithmetic", "digits=7", "digits"},
        {"arithmetic", "noise=2", "noise"},
        {"arithmetic", "digit=3", "digit"},
        {"reverse", "length=2,min_length=5", "min_length is 5, which is more than length (2)"},
        {"countdown", "operators=^", "operators is \"^\"; expected some of +-*/, each once"},
    };
    for (size_t i = 0; i < LS_COUNT(bad); i++) {
        void *options = NULL;
        assert_int_equal(ls_task_parse_args(&options, find(bad[i].task), bad[i].args), LEASH_USAGE);
        assert_null(options);
        if (!strstr(leash_error(), bad[i].text) || !strstr(leash_error(), bad[i].task))
            fail_msg("%s: %s", bad[i].args, leash_error());
    }
}

static void arguments_that_leave_no_problem_are_an_error(void **state)
{
    (void)state;
    const ls_task *task = find("parity");
    void *options = parse(task, "length=1,min_length=1"); /* "0" and "1", of one split each */
    ls_problem p;
    ls_problem_init(&p);
    leash_status status[2] = {ls_task_problem(&p, task, options, false, 1, 0),
                              ls_task_problem(&p, task, options, true, 1, 0)};
    assert_true(status[0] == LEASH_DATA || status[1] == LEASH_DATA);
    assert_non_null(strstr(leash_error(), "task parity: 1000 draws gave no problem of the"));
    ls_problem_release(&p);
    ls_free(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(train_and_test_splits_share_no_prompt),
        cmocka_unit_test(answers_are_right_and_completions_state_them),
        cmocka_unit_test(alphabets_cover_every_character_once),
        cmocka_unit_test(a_problem_is_a_function_of_seed_index_and_split),
        cmocka_unit_test(worked_steps_read_as_documented),
        cmocka_unit_test(every_step_of_a_working_is_true),
        cmocka_unit_test(noise_is_the_share_of_wrong_answers_and_spares_the_test_split),
        cmocka_unit_test(noise_changes_no_problem),
        cmocka_unit_test(options_bound_the_problems),
        cmocka_unit_test(a_tenth_to_a_seventh_of_problems_are_test),
        cmocka_unit_test(an_unknown_task_is_answered_with_the_list_and_the_nearest),
        cmocka_unit_test(bad_arguments_are_refused_by_name),
        cmocka_unit_test(arguments_that_leave_no_problem_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
