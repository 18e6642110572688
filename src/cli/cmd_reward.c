/* leash reward: trains a reward model (cmd_train.c).  leash reward test: judges rows {"completion",
 * "answer", ...} of a JSONL file, or one text, in the foreground. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "reward/example.h"
#include "reward/options.h"

static const char usage[] = "leash reward test --reward NAME (--completion TEXT --answer TEXT | "
                            "--dataset ROWS.jsonl)";
static const char *const kinds[] = {"ok", "wrong", "cannot judge"};

typedef struct totals {
    int64_t n, strict[3], lenient[3];
} totals;

static void print_verdict(const ls_verdict *v, ls_strictness strictness, const ls_reward *reward)
{
    ls_str shown = LS_STR_INIT;
    ls_str_append_visible(&shown, v->extracted, strlen(v->extracted));
    ls_print("  %-8s %-10s %-13s %s%s%s%s\n", strictness == LS_STRICT ? "strict" : "lenient",
             reward->name, kinds[v->kind], v->reason, v->extracted[0] ? ": '" : "", shown.data,
             v->extracted[0] ? "'" : "");
    ls_str_release(&shown);
}

static void judge(const ls_reward_plan *plan, const ls_reward_input *input, int64_t line,
                  bool wants_json, totals *t)
{
    ls_verdict strict[LS_REWARDS_MAX], lenient[LS_REWARDS_MAX];
    double reward = ls_reward_total(strict, plan, input, LS_STRICT);
    (void)ls_reward_total(lenient, plan, input, LS_LENIENT);
    t->n++;
    t->strict[strict[0].kind]++;
    t->lenient[lenient[0].kind]++;
    if (wants_json) {
        char number[32];
        ls_str out = LS_STR_INIT;
        ls_str_appendf(&out,
                       "{\"row\": %lld, \"reward\": %s, \"strict\": \"%s\", \"lenient\": \"%s\", "
                       "\"extracted\": ",
                       (long long)line, isnan(reward) ? "null" : ls_format_double(number, reward),
                       kinds[strict[0].kind], kinds[lenient[0].kind]);
        ls_str_append_json(&out, strict[0].extracted, strlen(strict[0].extracted));
        ls_str_append(&out, ", \"reason\": ");
        ls_str_append_json(&out, strict[0].reason, strlen(strict[0].reason));
        ls_str_append_char(&out, '}');
        ls_print_row(out.data);
        ls_str_release(&out);
        return;
    }
    ls_print("row %lld\n", (long long)line);
    for (int64_t k = 0; k < plan->n; k++) {
        print_verdict(&strict[k], LS_STRICT, plan->reward[k]);
        print_verdict(&lenient[k], LS_LENIENT, plan->reward[k]);
    }
}

/* A column as text: strings as they are, numbers as written. */
static const char *column(const json_t *row, const char *name, char **owned)
{
    const json_t *value = json_object_get(row, name);
    *owned = NULL;
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_number(value))
        *owned = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return *owned;
}

static leash_status judge_row(const ls_reward_plan *plan, const char *text, size_t n,
                              const char *path, int64_t line, bool wants_json, totals *t)
{
    json_error_t error;
    json_t *row = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    if (!row)
        return ls_fail(LEASH_FORMAT, "%s:%lld:%d: malformed JSON: %s", path, (long long)line,
                       error.column, error.text);
    char *owned[3], *columns = json_dumps(row, JSON_COMPACT);
    const char *completion = column(row, "completion", &owned[0]),
               *answer = column(row, "answer", &owned[1]);
    const char *prompt = column(row, "prompt", &owned[2]);
    leash_status status = LEASH_OK;
    if (completion) {
        ls_example example = {
            .prompt = prompt ? prompt : "", .completion = "", .answer = answer, .columns = columns};
        ls_reward_columns numbers;
        ls_reward_input input =
            ls_example_reward_input(&example, completion, strlen(completion), &numbers);
        judge(plan, &input, line, wants_json, t);
    } else {
        status = ls_fail(LEASH_DATA, "%s:%lld: no column 'completion'", path, (long long)line);
    }
    for (size_t i = 0; i < LS_COUNT(owned); i++)
        free(owned[i]); /* jansson's */
    free(columns);      /* jansson's */
    json_decref(row);
    return status;
}

static leash_status judge_file(const ls_reward_plan *plan, const char *path, bool wants_json,
                               totals *t)
{
    ls_str text = LS_STR_INIT;
    leash_status status = ls_file_read(&text, path);
    int64_t line = 1;
    for (char *at = text.data; status == LEASH_OK && *at; line++) {
        size_t n = strcspn(at, "\n");
        if (n > 0)
            status = judge_row(plan, at, n, path, line, wants_json, t);
        at += n + (at[n] == '\n');
    }
    ls_str_release(&text);
    return status;
}

static leash_status test(const leash_settings *settings, const char *completion, const char *answer,
                         bool wants_json)
{
    ls_reward_plan plan;
    totals t = {0};
    const char *path = settings->options.data.dataset;
    LS_TRY(ls_reward_resolve(&plan, &settings->options.reward));
    if (completion) {
        ls_reward_input input = {.completion = ls_span_of(completion), .gold = ls_span_of(answer)};
        judge(&plan, &input, 1, wants_json, &t);
        return LEASH_OK;
    }
    if (!path[0])
        return ls_fail(LEASH_USAGE, "%s", usage);
    LS_TRY(judge_file(&plan, path, wants_json, &t));
    if (t.n == 0)
        return ls_fail(LEASH_DATA, "%s: no rows", path);
    if (!wants_json)
        ls_print("\n%-10s %8s %8s %14s\n%-10s %8lld %8lld %14lld\n%-10s %8lld %8lld %14lld\n", "",
                 "ok", "wrong", "cannot judge", "strict", (long long)t.strict[0],
                 (long long)t.strict[1], (long long)t.strict[2], "lenient", (long long)t.lenient[0],
                 (long long)t.lenient[1], (long long)t.lenient[2]);
    return LEASH_OK;
}

static leash_status test_command(const ls_command *self, int argc, char **argv)
{
    ls_invocation inv = {0};
    const char *completion = NULL, *answer = NULL;
    bool wants_json = ls_cli_take_flag(&argc, argv, "--json");
    leash_status status = ls_cli_take_value(&completion, &argc, argv, "--completion");
    if (status == LEASH_OK)
        status = ls_cli_take_value(&answer, &argc, argv, "--answer");
    if (status == LEASH_OK)
        status = ls_cli_open(&inv, self, NULL, argc, argv);
    if (status == LEASH_OK && !inv.is_done) {
        if (inv.n_rest != 1 || strcmp(inv.rest[0], "test") != 0)
            status = ls_fail(LEASH_USAGE, "%s", usage);
        else
            status = test(inv.settings, completion, answer, wants_json);
    }
    ls_cli_close(&inv);
    return status;
}

leash_status ls_cmd_reward(const ls_command *self, int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "test") == 0)
        return test_command(self, argc, argv);
    return ls_cli_train(self, "reward", argc, argv);
}
