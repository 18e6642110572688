/* The list of tasks, their arguments, and the split of problems into training and test. */
#include "data/task.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define MOST_ATTEMPTS 1000

#define LS_TASK_ROW(descriptor) extern const ls_task descriptor;
#include "data/tasks.def"
#undef LS_TASK_ROW

static const ls_task *const tasks[] = {
#define LS_TASK_ROW(descriptor) &descriptor,
#include "data/tasks.def"
#undef LS_TASK_ROW
};

const ls_task *const *ls_tasks(size_t *n)
{
    *n = LS_COUNT(tasks);
    return tasks;
}

leash_status ls_task_find(const ls_task **out, const char *name)
{
    const char *names[LS_COUNT(tasks)];
    ls_str list = LS_STR_INIT;
    for (size_t i = 0; i < LS_COUNT(tasks); i++) {
        if (strcmp(tasks[i]->name, name) == 0) {
            *out = tasks[i];
            ls_str_release(&list);
            return LEASH_OK;
        }
        names[i] = tasks[i]->name;
        ls_str_appendf(&list, "%s%s", i ? ", " : "", names[i]);
    }
    const char *nearest = ls_nearest_name(name, names, LS_COUNT(tasks));
    leash_status status = ls_fail(LEASH_USAGE, "there is no task \"%s\"%s%s%s; the tasks are: %s",
                                  name, nearest ? " (did you mean \"" : "", nearest ? nearest : "",
                                  nearest ? "\"?)" : "", list.data);
    ls_str_release(&list);
    return status;
}

/* Sets one "key=value". */
static leash_status set_argument(ls_config *config, const char *text, size_t n, const char *where)
{
    ls_str key = LS_STR_INIT;
    ls_str_append_n(&key, text, n);
    char *equals = strchr(key.data, '=');
    leash_status status;
    if (equals) {
        *equals = 0;
        status = ls_config_set(config, key.data, equals + 1, LS_FROM_FLAG, where);
    } else {
        status = ls_fail(LEASH_USAGE, "%s: expected key=value,key=value,... , found \"%s\"", where,
                         key.data);
    }
    ls_str_release(&key);
    return status;
}

static leash_status set_arguments(ls_config *config, const char *args, const char *where)
{
    while (*args) {
        size_t n = strcspn(args, ",");
        LS_TRY(set_argument(config, args, n, where));
        args += n;
        if (*args == ',' && !*++args)
            return ls_fail(LEASH_USAGE, "%s: there is nothing after the last comma", where);
    }
    return LEASH_OK;
}

static bool holds_text(const ls_option *row)
{
    return row->type == LS_OPT_STRING || row->type == LS_OPT_PATH || row->type == LS_OPT_CHOICE;
}

/* A copy of an options block with its texts behind it in the same allocation, so that it outlives
 * the ls_config. */
static void *own_options(const ls_task *task, unsigned char *options)
{
    size_t size = task->options_size;
    for (size_t i = 0; i < task->table->n_rows; i++)
        if (holds_text(&task->table->rows[i]))
            size += strlen(*(const char **)(options + task->table->rows[i].offset)) + 1;
    unsigned char *copy = ls_malloc(size), *text = copy + task->options_size;
    memcpy(copy, options, task->options_size);
    for (size_t i = 0; i < task->table->n_rows; i++) {
        const ls_option *row = &task->table->rows[i];
        if (!holds_text(row))
            continue;
        const char **field = (const char **)(copy + row->offset);
        size_t n = strlen(*field) + 1;
        memcpy(text, *field, n);
        *field = (const char *)text;
        text += n;
    }
    return copy;
}

leash_status ls_task_parse_args(void **options, const ls_task *task, const char *args)
{
    ls_str where = LS_STR_INIT;
    ls_str_appendf(&where, "arguments of task %s", task->name);
    ls_config *config = ls_config_new();
    void *bound = ls_calloc(1, task->options_size);
    ls_config_bind(config, task->table, bound);
    leash_status status = set_arguments(config, args, where.data);
    if (status == LEASH_OK) {
        status = task->check(bound);
        if (status == LEASH_OK)
            *options = own_options(task, bound);
        else
            ls_fail_in(status, "%s", where.data);
    }
    ls_config_free(config);
    ls_free(bound);
    ls_str_release(&where);
    return status;
}

leash_status ls_task_check_operators(const char *operators, const char *allowed)
{
    if (!operators[0])
        return ls_fail(LEASH_USAGE, "operators is empty; expected some of %s", allowed);
    for (const char *p = operators; *p; p++)
        if (!strchr(allowed, *p) || strchr(p + 1, *p))
            return ls_fail(LEASH_USAGE, "operators is \"%s\"; expected some of %s, each once",
                           operators, allowed);
    return LEASH_OK;
}

bool ls_task_is_test(const char *prompt, size_t n)
{
    return ls_hash64(prompt, n) >> 61 == 0;
}

leash_status ls_task_problem(ls_problem *out, const ls_task *task, const void *options,
                             bool is_test, uint64_t seed, uint64_t index)
{
    for (uint32_t attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        ls_str_clear(&out->prompt);
        ls_str_clear(&out->completion);
        ls_str_clear(&out->answer);
        ls_str_clear(&out->extra);
        task->generate(out, options, seed, index, attempt);
        if (out->prompt.len && ls_task_is_test(out->prompt.data, out->prompt.len) == is_test)
            return LEASH_OK;
    }
    return ls_fail(LEASH_DATA,
                   "task %s: %d draws gave no problem of the %s split; its arguments leave too few "
                   "problems, allow more of them",
                   task->name, MOST_ATTEMPTS, is_test ? "test" : "train");
}

void ls_problem_init(ls_problem *problem)
{
    ls_str_init(&problem->prompt);
    ls_str_init(&problem->completion);
    ls_str_init(&problem->answer);
    ls_str_init(&problem->extra);
}

void ls_problem_release(ls_problem *problem)
{
    ls_str_release(&problem->prompt);
    ls_str_release(&problem->completion);
    ls_str_release(&problem->answer);
    ls_str_release(&problem->extra);
}
