/* Preferences of single completions, each labelled desirable or undesirable.
 *
 *     c = sum_t (logp_t - ref_logp_t) of a completion,  s the logistic function
 *     kto      desirable:   desirable_weight (1 - s(beta (c - z)))           arXiv:2402.01306 eq. 8
 *              undesirable: undesirable_weight (1 - s(beta (z - c)))
 *              z = baseline of the streams: ls_kto_baseline, detached
 *     apo-zero-unpaired   the same with z = 0                                arXiv:2408.06266
 *     bco      -log s(beta c - d), undesirable -log s(d - beta c)            arXiv:2404.04656
 *              d = baseline: ls_bco_baseline
 * The loss is the mean over completions with the aggregation seq-sum.  beta is per nat; sums over a
 * completion.  Deviation: bco has no weights for a shift between the two sides' prompts (UDM). */
#include <math.h>
#include "rl/logistic.h"
#include "rl/objective.h"

typedef struct term {
    double value, slope; /* slope: by c */
} term;

typedef term unpaired_fn(const ls_objective_options *options, double c, bool is_desirable,
                         double baseline);

static term kto_term(const ls_objective_options *o, double c, bool is_desirable, double z)
{
    double x = o->beta * (c - z), bump = o->beta * ls_sigmoid(x) * ls_sigmoid(-x);
    if (is_desirable)
        return (term){o->desirable_weight * ls_sigmoid(-x), -o->desirable_weight * bump};
    return (term){o->undesirable_weight * ls_sigmoid(x), o->undesirable_weight * bump};
}

static term apo_term(const ls_objective_options *o, double c, bool is_desirable, double unused)
{
    (void)unused;
    return kto_term(o, c, is_desirable, 0);
}

static term bco_term(const ls_objective_options *o, double c, bool is_desirable, double d)
{
    double x = o->beta * c - d;
    if (is_desirable)
        return (term){-ls_log_sigmoid(x), -o->beta * ls_sigmoid(-x)};
    return (term){-ls_log_sigmoid(-x), o->beta * ls_sigmoid(x)};
}

static void count(ls_preference_sums *s, double logp, double c, double n, bool is_desirable)
{
    s->has_reference = true;
    if (!is_desirable) {
        s->n_rejected++;
        s->rejected_logp += logp;
        s->rejected_reward += c;
        s->rejected_change += c;
        return;
    }
    s->n_chosen++;
    s->chosen_logp += logp;
    s->chosen_reward += c;
    s->chosen_change += c;
    s->token_change += c / n;
    s->n_displaced += c < 0;
    s->nll -= logp / n;
}

static void run(ls_objective_sums *sums, const ls_objective_options *options,
                const leash_streams *streams, const leash_scores *scores, const leash_seeds *seeds,
                unpaired_fn *term_of)
{
    for (int64_t i = 0; i < streams->n_seqs; i++) {
        ls_objective_span span = ls_objective_span_of(streams, i);
        if (span.n_active == 0)
            continue;
        bool is_desirable = streams->label[i] > 0.5f;
        double logp = ls_objective_span_sum(streams, &span, scores->logp);
        double c = logp - ls_objective_span_sum(streams, &span, streams->ref_logp);
        term l = term_of(options, c, is_desirable, streams->baseline);
        sums->policy_loss += span.weight * l.value;
        count(&sums->preference, logp, c, (double)span.n_active, is_desirable);
        for (int64_t t = span.first; t < span.end; t++) {
            if (streams->weight[t] != 0)
                seeds->dlogp[t] = (float)(span.weight * l.slope);
        }
    }
}

static void run_kto(ls_objective_sums *sums, const ls_objective_options *options,
                    const leash_streams *streams, const leash_scores *scores,
                    const leash_seeds *seeds)
{
    sums->preference.has_baseline = true;
    sums->preference.baseline = streams->baseline;
    run(sums, options, streams, scores, seeds, kto_term);
}

static void run_apo(ls_objective_sums *sums, const ls_objective_options *options,
                    const leash_streams *streams, const leash_scores *scores,
                    const leash_seeds *seeds)
{
    run(sums, options, streams, scores, seeds, apo_term);
}

static void run_bco(ls_objective_sums *sums, const ls_objective_options *options,
                    const leash_streams *streams, const leash_scores *scores,
                    const leash_seeds *seeds)
{
    sums->preference.has_baseline = true;
    sums->preference.baseline = streams->baseline;
    run(sums, options, streams, scores, seeds, bco_term);
}

static leash_status check(const ls_objective_options *options)
{
    if (!(options->beta > 0))
        return ls_fail(LEASH_USAGE,
                       "beta is %g, but it is the temperature of this objective; set "
                       "it above 0, e.g. 0.1",
                       options->beta);
    if (!(options->desirable_weight >= 0 && options->undesirable_weight >= 0))
        return ls_fail(LEASH_USAGE,
                       "desirable_weight is %g and undesirable_weight %g, expected 0 "
                       "or more",
                       options->desirable_weight, options->undesirable_weight);
    return LEASH_OK;
}

const ls_objective ls_objective_kto = {
    .name = "kto",
    .help = "completions labelled desirable or undesirable, against the mean KL (KTO)",
    .source = "arXiv:2402.01306",
    .needs = LS_NEED_REF_LOGP | LS_NEED_LABEL | LS_NEED_BASELINE,
    .owns_beta = true,
    .is_unit_mean = true,
    .run_view = run_kto,
    .check = check,
};

const ls_objective ls_objective_apo_zero_unpaired = {
    .name = "apo-zero-unpaired",
    .help = "the same without the KL to compare with",
    .source = "arXiv:2408.06266",
    .needs = LS_NEED_REF_LOGP | LS_NEED_LABEL,
    .owns_beta = true,
    .is_unit_mean = true,
    .run_view = run_apo,
    .check = check,
};

const ls_objective ls_objective_bco = {
    .name = "bco",
    .help = "binary classifier of labelled completions, against the running mean reward (BCO)",
    .source = "arXiv:2404.04656",
    .needs = LS_NEED_REF_LOGP | LS_NEED_LABEL | LS_NEED_BASELINE,
    .owns_beta = true,
    .is_unit_mean = true,
    .run_view = run_bco,
    .check = check,
};
