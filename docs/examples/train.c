/* Trains a tiny model on sums, then evaluates it, through the library alone.
 *
 *     cc train.c $(pkg-config --cflags --libs leash) -o train && ./train runs/example */
#include <leash/leash.h>
#include <stdio.h>

typedef struct setting {
    const char *key, *value;
} setting;

static leash_status set_all(leash_settings *s, const setting *settings)
{
    for (; settings->key; settings++) {
        leash_status status = leash_settings_set(s, settings->key, settings->value);
        if (status != LEASH_OK)
            return status;
    }
    return LEASH_OK;
}

static void on_step(void *user, int64_t step, int64_t n_steps, const char *metrics)
{
    (void)user;
    if (step == n_steps)
        printf("step %lld: %s\n", (long long)step, metrics);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : "runs/example";
    const setting training[] = {
        {"model", "tiny"},   {"task", "arithmetic"}, {"task_args", "digits=1,operators=+"},
        {"max_steps", "10"}, {"output_dir", dir},    {"overwrite", "true"},
        {NULL, NULL},
    };
    const setting evaluation[] = {
        {"model", dir},
        {"task", "arithmetic"},
        {"task_args", "digits=1,operators=+"},
        {"dataset_split", "train"},
        {"eval_num_rows", "10"},
        {"max_completion_length", "16"},
        {NULL, NULL},
    };
    leash_settings *train = NULL, *eval = NULL;
    leash_events events = {.on_step = on_step};
    leash_eval_report report;
    leash_status status = leash_settings_new(&train, "pretrain");
    if (status == LEASH_OK)
        status = set_all(train, training);
    if (status == LEASH_OK)
        status = leash_train(train, &events);
    if (status == LEASH_OK)
        status = leash_settings_new(&eval, NULL);
    if (status == LEASH_OK)
        status = set_all(eval, evaluation);
    if (status == LEASH_OK)
        status = leash_eval(&report, NULL, NULL, eval, NULL);
    if (status == LEASH_OK)
        printf("accuracy %.2f [%.2f, %.2f]\n", report.accuracy, report.accuracy_low,
               report.accuracy_high);
    else
        fprintf(stderr, "%s: %s\n", leash_status_name(status), leash_error());
    leash_settings_free(train);
    leash_settings_free(eval);
    return leash_status_exit_code(status);
}
