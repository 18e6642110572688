/* The list of pair losses, the scores of f-divergences, and the settings of a mixture. */
#include "rl/pair.h"

#include <math.h>
#include <string.h>
#include "base/str.h"
#include "rl/logistic.h"
#include "rl/objective.h"

const ls_pair_loss ls_pair_losses[] = {
#define LS_PAIR_LOSS_ROW(name, kind, has_mean_reward, run, help, source) \
    {name, help, source, LS_PAIR_##kind, has_mean_reward, run},
#include "rl/pair_loss.def"
#undef LS_PAIR_LOSS_ROW
};
const int64_t ls_n_pair_losses = (int64_t)LS_COUNT(ls_pair_losses);

const ls_pair_loss *ls_pair_loss_find(const char *name)
{
    for (int64_t i = 0; i < ls_n_pair_losses; i++) {
        if (strcmp(ls_pair_losses[i].name, name) == 0)
            return &ls_pair_losses[i];
    }
    return NULL;
}

/* The score f'(e^x) of a log ratio x, and its derivative by x. */
static double score_of(double *slope, const ls_pair_options *o, double x)
{
    double a = o->f_alpha - 1;
    *slope = 1;
    switch (o->f_divergence) {
    case LS_F_FORWARD_KL: *slope = exp(-x); return -expm1(-x);
    case LS_F_JS: *slope = ls_sigmoid(-x); return M_LN2 + ls_log_sigmoid(x);
    case LS_F_ALPHA:
        if (fabs(a) < 1e-6)
            return x;
        *slope = exp(a * x);
        return expm1(a * x) / a;
    case LS_F_SQUARED: *slope = (1 - x) * exp(-x); return x * exp(-x);
    case LS_F_REVERSE_KL:
    case LS_F_COUNT: break;
    }
    return x;
}

void ls_pair_complete(ls_pair *p, const ls_pair_options *options)
{
    p->c = p->chosen - p->ref_chosen;
    p->r = p->rejected - p->ref_rejected;
    p->chosen_score = score_of(&p->chosen_slope, options, p->c);
    p->rejected_score = score_of(&p->rejected_slope, options, p->r);
}

bool ls_pair_needs_reference(const ls_pair_options *options)
{
    bool needs = options->n_losses == 0;
    for (int64_t i = 0; i < options->n_losses; i++)
        needs = needs || options->loss[i]->kind != LS_PAIR_LOGPS;
    return needs && !options->reference_free;
}

static bool is_sorted(const ls_pair_loss *loss)
{
    return loss->kind == LS_PAIR_SORTED || loss->kind == LS_PAIR_SORTED_UNPAIRED;
}

bool ls_pair_sorts(const ls_pair_options *options)
{
    for (int64_t i = 0; i < options->n_losses; i++) {
        if (is_sorted(options->loss[i]))
            return true;
    }
    return false;
}

/* The sorted losses of a pair whose scores were already exchanged for those of its rank. */
ls_pair_term ls_pair_sorted(const ls_objective_options *o, const ls_pair *p)
{
    double slope,
        value = ls_pair_cross_entropy(&slope, o->beta * (p->chosen_score - p->rejected_score),
                                      1 - o->pair.label_smoothing);
    return (ls_pair_term){value, slope * o->beta, -slope * o->beta};
}

/* The next part of a list with commas, without blanks around it; false at its end. */
static bool next_part(char *part, size_t size, const char **text)
{
    if (!**text)
        return false;
    size_t n = strcspn(*text, ",");
    const char *first = *text, *last = *text + n;
    *text = *last ? last + 1 : last;
    while (first < last && *first == ' ')
        first++;
    while (first < last && last[-1] == ' ')
        last--;
    n = (size_t)(last - first);
    n = n < size ? n : size - 1;
    memcpy(part, first, n);
    part[n] = 0;
    return true;
}

static leash_status fail_loss_name(const char *name)
{
    const char *names[64];
    LS_ASSERT(ls_n_pair_losses <= (int64_t)LS_COUNT(names));
    for (int64_t i = 0; i < ls_n_pair_losses; i++)
        names[i] = ls_pair_losses[i].name;
    const char *near = ls_nearest_name(name, names, ls_n_pair_losses);
    return ls_fail(LEASH_USAGE, "loss_type: no loss named \"%s\"; did you mean %s?", name,
                   near ? near : names[0]);
}

leash_status ls_pair_options_parse(ls_pair_options *options, const char *loss_type,
                                   const char *loss_weights)
{
    char part[64];
    options->n_losses = 0;
    while (next_part(part, sizeof part, &loss_type)) {
        if (options->n_losses == LS_PAIR_LOSSES_MAX)
            return ls_fail(LEASH_USAGE, "loss_type has more than %d losses", LS_PAIR_LOSSES_MAX);
        const ls_pair_loss *loss = ls_pair_loss_find(part);
        if (!loss)
            return fail_loss_name(part);
        options->loss_weight[options->n_losses] = 1;
        options->loss[options->n_losses++] = loss;
    }
    if (options->n_losses == 0)
        return ls_fail(LEASH_USAGE, "loss_type is empty; set it to sigmoid or another loss");
    int64_t n = 0;
    while (next_part(part, sizeof part, &loss_weights)) {
        double weight;
        if (n == options->n_losses || !ls_parse_double(part, &weight) || !isfinite(weight))
            return ls_fail(LEASH_USAGE,
                           "loss_weights: expected %lld numbers, one a loss of "
                           "loss_type, found \"%s\" at place %lld",
                           (long long)options->n_losses, part, (long long)n + 1);
        options->loss_weight[n++] = weight;
    }
    if (n != 0 && n != options->n_losses)
        return ls_fail(LEASH_USAGE,
                       "loss_weights has %lld numbers, loss_type %lld losses; give "
                       "one weight a loss, or none",
                       (long long)n, (long long)options->n_losses);
    return LEASH_OK;
}

static leash_status check_loss(const ls_pair_loss *loss, const ls_objective_options *options)
{
    const ls_pair_options *o = &options->pair;
    if (loss->kind != LS_PAIR_SCORES && o->f_divergence != LS_F_REVERSE_KL)
        return ls_fail(LEASH_USAGE, "f_divergence_type must be reverse_kl with loss_type %s",
                       loss->name);
    if (loss->run == ls_pair_exo && !(o->label_smoothing > 0))
        return ls_fail(LEASH_USAGE, "label_smoothing is 0, but loss_type exo_pair needs a number "
                                    "above 0; the paper has 1e-3");
    bool uses_beta = loss->run != ls_pair_sft;
    if (uses_beta && !(options->beta > 0))
        return ls_fail(LEASH_USAGE,
                       "beta is %g, but it is the temperature of loss_type %s; set it "
                       "above 0, e.g. 0.1",
                       options->beta, loss->name);
    if (o->dpo_shift != 1 && (loss->kind != LS_PAIR_SCORES || loss->run == ls_pair_ipo ||
                              loss->run == ls_pair_ipo_sum || loss->run == ls_pair_sigmoid_norm))
        return ls_fail(LEASH_USAGE,
                       "dpo_shift has no effect on loss_type %s; set loss_type "
                       "sigmoid, or dpo_shift 1",
                       loss->name);
    return LEASH_OK;
}

leash_status ls_pair_options_check(const ls_objective_options *options)
{
    const ls_pair_options *o = &options->pair;
    if (!(o->label_smoothing >= 0 && o->label_smoothing < 0.5))
        return ls_fail(LEASH_USAGE, "label_smoothing is %g, expected a share in [0, 0.5)",
                       o->label_smoothing);
    if (!(o->ld_alpha >= 0 && o->ld_alpha <= 1))
        return ls_fail(LEASH_USAGE, "ld_alpha is %g, expected a weight in [0, 1]", o->ld_alpha);
    if (!(o->dpo_shift > 0 && o->dpo_shift <= 1))
        return ls_fail(LEASH_USAGE, "dpo_shift is %g, expected a factor in (0, 1]", o->dpo_shift);
    if (!(o->discopop_tau > 0))
        return ls_fail(LEASH_USAGE, "discopop_tau is %g, expected more than 0", o->discopop_tau);
    if (o->n_losses == 0)
        return check_loss(ls_pair_loss_find("sigmoid"), options);
    for (int64_t i = 0; i < o->n_losses; i++)
        LS_TRY(check_loss(o->loss[i], options));
    return LEASH_OK;
}
