/* The same numbers as TRL's own loss code: tests/golden/trl/generate.py wrote losses, gradients and
 * metrics of 48 cases. */
#include "close.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "rl/objective.h"

/* Seeds are floats, and log-probabilities of logits are rounded to floats. */
#define TOLERANCE 1e-6
#define MOST 64

typedef struct numbers {
    double x[MOST];
    int n;
} numbers;

typedef struct expected_metric {
    const ls_objective_metric_row *row;
    double value;
} expected_metric;

typedef struct trl_case {
    const ls_objective *objective;
    ls_objective_options o;
    char losses[128], weights[64];
    double baseline;
    numbers lengths, logp, margin, value, student, teacher, loss;
    expected_metric metric[16];
    int n_metrics;
} trl_case;

typedef struct fixture {
    numbers lengths, logp, ref_logp, log_sum_sq;
    trl_case now;
    int n_cases;
} fixture;

static numbers parse(const char *text)
{
    numbers list = {0};
    for (char *end; *text; text = end) {
        double x = strtod(text, &end);
        if (end == text)
            break;
        assert_true(list.n < MOST);
        list.x[list.n++] = x;
    }
    return list;
}

static void floats(float *x, const numbers *list)
{
    for (int i = 0; i < list->n; i++)
        x[i] = (float)list->x[i];
}

/* Sequences of the given lengths, weighted as the aggregation seq-sum does. */
static int weigh(int64_t *start, float *weight, const numbers *lengths)
{
    start[0] = 0;
    for (int i = 0; i < lengths->n; i++) {
        start[i + 1] = start[i] + (int64_t)lengths->x[i];
        for (int64_t t = start[i]; t < start[i + 1]; t++)
            weight[t] = 1.0f / (float)lengths->n;
    }
    return (int)start[lengths->n];
}

static void check_loss(const trl_case *c, const ls_objective_sums *sums, const float *seeds,
                       const numbers *grad)
{
    ls_objective_metrics m = ls_objective_finish(sums, &c->o);
    assert_close(m.loss, c->loss.x[0], TOLERANCE);
    for (int t = 0; t < grad->n; t++)
        assert_close((double)seeds[t], grad->x[t], TOLERANCE);
    for (int i = 0; i < c->n_metrics; i++)
        assert_close(*(const double *)((const char *)&m + c->metric[i].row->offset),
                     c->metric[i].value, TOLERANCE);
}

static void run_logps(const fixture *f, const numbers *grad)
{
    const trl_case *c = &f->now;
    static const float labels[6] = {1, 0, 1, 0, 1, 0};
    int64_t start[8];
    float weight[MOST], logp[MOST], ref[MOST], sum_sq[MOST], dlogp[MOST];
    const numbers *lengths = c->lengths.n ? &c->lengths : &f->lengths;
    int n = weigh(start, weight, lengths);
    floats(logp, c->logp.n ? &c->logp : &f->logp);
    floats(ref, &f->ref_logp);
    floats(sum_sq, &f->log_sum_sq);
    bool is_unpaired = ls_objective_unit(c->objective, &c->o) == LS_UNIT_SEQUENCE;
    leash_streams streams = {.n_tokens = n,
                             .n_seqs = lengths->n,
                             .seq_start = start,
                             .ref_logp = ref,
                             .weight = weight,
                             .label = is_unpaired ? labels : NULL,
                             .baseline = c->baseline};
    leash_scores scores = {.logp = logp, .log_sum_sq = sum_sq};
    leash_seeds seeds = {.dlogp = dlogp};
    ls_objective_sums sums;
    assert_int_equal(grad->n, n);
    ls_objective_sums_init(&sums);
    ls_objective_run(c->objective, &c->o, &streams, &scores, &seeds, &sums);
    check_loss(c, &sums, dlogp, grad);
}

static void run_reward(const fixture *f, const numbers *grad)
{
    const trl_case *c = &f->now;
    static const int64_t start[7] = {0, 1, 2, 3, 4, 5, 6};
    float weight[6], value[6], margin[6] = {0}, dvalue[6], dlogp[6];
    for (int i = 0; i < 6; i++) {
        weight[i] = 1.0f / 6;
        value[i] = (float)c->value.x[i];
        if (i % 2 == 0)
            margin[i] = (float)c->margin.x[i / 2];
    }
    leash_streams streams = {
        .n_tokens = 6, .n_seqs = 6, .seq_start = start, .weight = weight, .margin = margin};
    leash_scores scores = {.logp = value, .value = value};
    leash_seeds seeds = {.dlogp = dlogp, .dvalue = dvalue};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(c->objective, &c->o, &streams, &scores, &seeds, &sums);
    check_loss(c, &sums, dvalue, grad);
}

static void log_softmax(float *logp, const double *logit)
{
    double sum = 0;
    for (int v = 0; v < 5; v++)
        sum += exp(logit[v]);
    for (int v = 0; v < 5; v++)
        logp[v] = (float)(logit[v] - log(sum));
}

/* Two positions over a vocabulary of five. */
static void run_distill(const fixture *f, const numbers *grad)
{
    const trl_case *c = &f->now;
    static const int64_t start[2] = {0, 2};
    static const float half[2] = {0.5f, 0.5f};
    float student[10], teacher[10], dids[10], dz[10], dlogp[2];
    for (int t = 0; t < 2; t++) {
        log_softmax(student + 5 * t, c->student.x + 5 * t);
        log_softmax(teacher + 5 * t, c->teacher.x + 5 * t);
    }
    leash_streams streams = {.n_tokens = 2,
                             .n_seqs = 1,
                             .seq_start = start,
                             .weight = half,
                             .n_ids = 5,
                             .ids_are_all = true,
                             .teacher_logp = teacher};
    leash_scores scores = {.logp = student, .ids_logp = student};
    leash_seeds seeds = {.dlogp = dlogp, .dids = dids};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(c->objective, &c->o, &streams, &scores, &seeds, &sums);
    for (int t = 0; t < 10; t += 5) {
        double total = 0;
        for (int v = t; v < t + 5; v++)
            total += (double)dids[v];
        for (int v = t; v < t + 5; v++)
            dz[v] = (float)((double)dids[v] - total * exp((double)student[v]));
    }
    check_loss(c, &sums, dz, grad);
}

static void close_case(fixture *f, const numbers *grad)
{
    trl_case *c = &f->now;
    if (c->losses[0] != '-')
        assert_int_equal(ls_pair_options_parse(&c->o.pair, c->losses, c->weights), LEASH_OK);
    assert_int_equal(ls_objective_check(c->objective, &c->o), LEASH_OK);
    if (c->objective == &ls_objective_reward)
        run_reward(f, grad);
    else if (c->objective == &ls_objective_distill)
        run_distill(f, grad);
    else
        run_logps(f, grad);
    f->n_cases++;
}

static void open_case(fixture *f, const char *text)
{
    char objective[64];
    f->now = (trl_case){.o = LS_OBJECTIVE_OPTIONS_INIT};
    assert_int_equal(sscanf(text, "%63s %127s", objective, f->now.losses), 2);
    f->now.objective = ls_objective_find(objective);
    assert_non_null(f->now.objective);
}

static bool take_setting(trl_case *c, const char *key, const char *text)
{
    double x = parse(text).x[0];
    const struct {
        const char *key;
        double *to;
    } rows[] = {
        {"beta", &c->o.beta},
        {"label_smoothing", &c->o.pair.label_smoothing},
        {"ld_alpha", &c->o.pair.ld_alpha},
        {"simpo_gamma", &c->o.pair.simpo_gamma},
        {"alphapo_alpha", &c->o.pair.alphapo_alpha},
        {"tpo_alpha", &c->o.tpo_alpha},
        {"desirable_weight", &c->o.desirable_weight},
        {"undesirable_weight", &c->o.undesirable_weight},
        {"center_rewards_coefficient", &c->o.center_rewards_coefficient},
        {"baseline", &c->baseline},
    };
    for (size_t i = 0; i < LS_COUNT(rows); i++) {
        if (strcmp(rows[i].key, key) == 0) {
            *rows[i].to = x;
            return true;
        }
    }
    return false;
}

static bool take_list(fixture *f, const char *key, const char *text)
{
    bool is_open = f->now.objective != NULL;
    const struct {
        const char *key;
        numbers *to;
    } rows[] = {
        {"lengths", is_open ? &f->now.lengths : &f->lengths},
        {"logp", is_open ? &f->now.logp : &f->logp},
        {"ref_logp", &f->ref_logp},
        {"log_sum_sq", &f->log_sum_sq},
        {"margin", &f->now.margin},
        {"value", &f->now.value},
        {"student", &f->now.student},
        {"teacher", &f->now.teacher},
        {"loss", &f->now.loss},
    };
    for (size_t i = 0; i < LS_COUNT(rows); i++) {
        if (strcmp(rows[i].key, key) == 0) {
            *rows[i].to = parse(text);
            return true;
        }
    }
    return false;
}

static void take_metric(trl_case *c, const char *key, const char *text)
{
    for (int64_t i = 0; i < ls_n_objective_metrics; i++) {
        if (strcmp(ls_objective_metric_rows[i].name, key) == 0) {
            c->metric[c->n_metrics++] =
                (expected_metric){&ls_objective_metric_rows[i], parse(text).x[0]};
            return;
        }
    }
    fail_msg("unknown key %s", key);
}

static void take_line(fixture *f, char *line)
{
    char *text = strchr(line, ' ');
    trl_case *c = &f->now;
    assert_non_null(text);
    *text++ = 0;
    if (strcmp(line, "case") == 0) {
        open_case(f, text);
    } else if (strcmp(line, "grad") == 0) {
        numbers grad = parse(text);
        close_case(f, &grad);
    } else if (strcmp(line, "loss_weights") == 0) {
        if (text[0] != '-')
            assert_int_equal(sscanf(text, "%63s", c->weights), 1);
    } else if (strcmp(line, "f_divergence") == 0) {
        c->o.pair.f_divergence = (ls_f_divergence)parse(text).x[0];
    } else if (strcmp(line, "use_weighting") == 0) {
        c->o.pair.use_weighting = parse(text).x[0] != 0;
    } else if (strcmp(line, "reference_free") == 0) {
        c->o.pair.reference_free = parse(text).x[0] != 0;
    } else if (!take_setting(c, line, text) && !take_list(f, line, text)) {
        take_metric(c, line, text);
    }
}

static void losses_gradients_and_metrics_are_those_of_trl(void **state)
{
    (void)state;
    ls_str text = LS_STR_INIT;
    fixture *f = ls_calloc(1, sizeof *f);
    assert_int_equal(ls_file_read(&text, LEASH_TEST_DATA "/trl/losses.txt"), LEASH_OK);
    for (char *line = text.data, *end; line && *line; line = end) {
        end = strchr(line, '\n');
        assert_non_null(end);
        *end++ = 0;
        if (line[0] != '#')
            take_line(f, line);
    }
    assert_int_equal(f->n_cases, 48);
    ls_free(f);
    ls_str_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_gradients_and_metrics_are_those_of_trl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
