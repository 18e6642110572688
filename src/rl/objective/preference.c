/* Direct preference optimisation and its kin: a weighted sum of pair losses (rl/pair.h).
 *
 *     L = 1/n sum over pairs of w sum_j loss_weights_j loss_type_j(pair)
 *     dL/dlogp_t = u_t dL/d(log-probability of its completion)
 * The log-probability of a completion is sum_t u_t logp_t over its trained tokens, and the same for
 * the reference: u_t = 1, or ld_alpha past the length of the pair's shorter completion (LD-DPO,
 * arXiv:2409.06411).  Losses per token divide by the number of trained tokens.
 * w = 1, or with use_weighting the product over both completions of
 *     e^(mean_t (logp_t - log sum_v p_v^2))                 detached (WPO, arXiv:2406.11827 eq. 2)
 * With xpo_alpha, xpo_alpha logp is added for each completion that was drawn from the reference
 * (XPO, arXiv:2405.21046): it is pushed down.
 *
 * A pair weighs what its sequences weigh: 1/n with the aggregation seq-sum.  A pair with a side
 * that has no trained token is left out and counted.
 * The sorted losses (AOT) compare over everything that is aggregated together, so a view must hold
 * the whole update; the gradient goes to the pair whose number stands at the rank.
 * Sorting, and the scores after it, are made once for the update, ties in the order of pairs. */
#include "rl/objective/preference.h"

#include <math.h>
#include <stdlib.h>
#include "base/mem.h"

typedef struct member { /* a completion of a pair */
    ls_objective_span span;
    double dlogp; /* derivative of the loss by its log-probability */
} member;

typedef struct entry { /* a pair of the view */
    member side[2];
    int64_t n_full; /* trained tokens that count in full, of either side */
    double weight;
    ls_pair pair;
} entry;

typedef struct walk {
    ls_objective_sums *sums;
    const ls_objective_options *options;
    const leash_streams *streams;
    const leash_scores *scores;
    const leash_seeds *seeds;
    bool has_reference;
    int64_t n_members; /* sequences of a unit */
} walk;

/* sum_t u_t x_t over the trained tokens of a side. */
static double weighted_sum(const walk *w, const member *m, int64_t n_full, const float *x)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t t = m->span.first; t < m->span.end; t++) {
        if (w->streams->weight[t] == 0)
            continue;
        sum += (n++ < n_full ? 1 : w->options->pair.ld_alpha) * (double)x[t];
    }
    return sum;
}

/* log of WPO's weight of a completion. */
static double log_alignment(const walk *w, const member *m)
{
    double logp = ls_objective_span_sum(w->streams, &m->span, w->scores->logp);
    double sum_sq = ls_objective_span_sum(w->streams, &m->span, w->scores->log_sum_sq);
    return (logp - sum_sq) / (double)m->span.n_active;
}

/* The pair whose chosen sequence is number i of the view; false when a side is empty. */
static bool take_pair(entry *e, const walk *w, int64_t i)
{
    const ls_pair_options *o = &w->options->pair;
    for (int side = 0; side < 2; side++)
        e->side[side] = (member){.span = ls_objective_span_of(w->streams, i + side)};
    int64_t n_chosen = e->side[0].span.n_active, n_rejected = e->side[1].span.n_active;
    if (n_chosen == 0 || n_rejected == 0) {
        /* A pair that was masked or dropped as a whole is none. */
        w->sums->preference.n_empty += n_chosen != n_rejected;
        return false;
    }
    e->n_full = n_chosen < n_rejected ? n_chosen : n_rejected;
    e->weight = (e->side[0].span.weight + e->side[1].span.weight) * (double)w->n_members / 2;
    if (o->use_weighting)
        e->weight *= exp(log_alignment(w, &e->side[0]) + log_alignment(w, &e->side[1]));
    const float *ref = w->has_reference ? w->streams->ref_logp : NULL;
    e->pair = (ls_pair){
        .chosen = weighted_sum(w, &e->side[0], e->n_full, w->scores->logp),
        .rejected = weighted_sum(w, &e->side[1], e->n_full, w->scores->logp),
        .ref_chosen = ref ? weighted_sum(w, &e->side[0], e->n_full, ref) : 0,
        .ref_rejected = ref ? weighted_sum(w, &e->side[1], e->n_full, ref) : 0,
        .n_chosen = (double)n_chosen,
        .n_rejected = (double)n_rejected,
        .label = w->streams->label ? (double)w->streams->label[i] : 1,
        .margin = w->streams->margin ? (double)w->streams->margin[i] : 0,
        .shift = o->dpo_shift,
    };
    ls_pair_complete(&e->pair, o);
    return true;
}

/* Adds weight times a term to the loss and to both sides. */
static void add_term(const walk *w, entry *chosen, entry *rejected, double loss_weight,
                     ls_pair_term l, bool is_of_scores)
{
    double weight = chosen->weight * loss_weight;
    w->sums->policy_loss += weight * l.value;
    chosen->side[0].dlogp += weight * l.chosen * (is_of_scores ? chosen->pair.chosen_slope : 1);
    rejected->side[1].dlogp +=
        weight * l.rejected * (is_of_scores ? rejected->pair.rejected_slope : 1);
}

static void add_loss(const walk *w, entry *e, const ls_pair_loss *loss, double loss_weight)
{
    add_term(w, e, e, loss_weight, loss->run(w->options, &e->pair), loss->kind != LS_PAIR_LOGPS);
}

typedef struct ranked {
    double x;
    int64_t i;
} ranked;

static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->x != y->x)
        return x->x < y->x ? -1 : 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

/* AOT: at each rank the pair (or the chosen completion) there against the reference's margin (or
 * the rejected completion) there. */
static void add_sorted_loss(const walk *w, entry *entries, int64_t n, const ls_pair_loss *loss,
                            double loss_weight)
{
    bool is_unpaired = loss->kind == LS_PAIR_SORTED_UNPAIRED;
    ranked *up = ls_malloc(ls_mul_size((size_t)n, 2 * sizeof *up)), *down = up + n;
    for (int64_t i = 0; i < n; i++) {
        const ls_pair *p = &entries[i].pair;
        up[i] = (ranked){is_unpaired ? p->c : p->chosen - p->rejected, i};
        down[i] = (ranked){is_unpaired ? p->r : p->ref_chosen - p->ref_rejected, i};
    }
    qsort(up, (size_t)n, sizeof *up, by_value);
    qsort(down, (size_t)n, sizeof *down, by_value);
    for (int64_t k = 0; k < n; k++) {
        ls_pair p = {.chosen_score = up[k].x, .rejected_score = down[k].x};
        ls_pair_term l = loss->run(w->options, &p);
        entry *at = &entries[up[k].i];
        add_term(w, at, is_unpaired ? &entries[down[k].i] : at, loss_weight, l, true);
    }
    ls_free(up);
}

/* XPO's term is one of each completion, whatever the pair. */
static void add_optimism(const walk *w, entry *e, int64_t i)
{
    double alpha = w->options->pair.xpo_alpha;
    for (int side = 0; side < 2 && alpha != 0; side++) {
        if (!w->streams->flags || !(w->streams->flags[i + side] & LS_SEQ_FROM_REFERENCE))
            continue;
        w->sums->policy_loss += e->weight * alpha * (side ? e->pair.rejected : e->pair.chosen);
        e->side[side].dlogp += e->weight * alpha;
    }
}

static void write_seeds(const walk *w, const entry *e)
{
    for (int side = 0; side < 2; side++) {
        const member *m = &e->side[side];
        int64_t n = 0;
        for (int64_t t = m->span.first; t < m->span.end; t++) {
            if (w->streams->weight[t] == 0)
                continue;
            double u = n++ < e->n_full ? 1 : w->options->pair.ld_alpha;
            w->seeds->dlogp[t] = (float)(u * m->dlogp);
        }
    }
}

static void count(const walk *w, const entry *e, bool has_mean_reward)
{
    ls_preference_sums *s = &w->sums->preference;
    const ls_pair *p = &e->pair;
    double chosen = has_mean_reward ? p->chosen / p->n_chosen : p->c;
    double rejected = has_mean_reward ? p->rejected / p->n_rejected : p->r;
    s->n_pairs++;
    s->n_chosen++;
    s->n_rejected++;
    s->has_reference = s->has_reference || w->has_reference;
    s->chosen_logp += p->chosen;
    s->rejected_logp += p->rejected;
    s->chosen_reward += chosen;
    s->rejected_reward += rejected;
    s->n_right += chosen > rejected;
    s->chosen_change += p->c;
    s->rejected_change += p->r;
    s->token_change += p->c / p->n_chosen;
    s->n_displaced += p->c < 0;
    s->nll -= p->chosen / p->n_chosen;
}

static const ls_pair_loss *loss_at(const ls_pair_options *o, int64_t j, double *weight)
{
    *weight = o->n_losses ? o->loss_weight[j] : 1;
    return o->n_losses ? o->loss[j] : ls_pair_loss_find("sigmoid");
}

void ls_preference_run(ls_objective_sums *sums, const ls_objective_options *options,
                       const leash_streams *streams, const leash_scores *scores,
                       const leash_seeds *seeds, int64_t n_members)
{
    const ls_pair_options *o = &options->pair;
    bool has_reference = streams->ref_logp && !o->reference_free;
    walk w = {sums, options, streams, scores, seeds, has_reference, n_members};
    int64_t n_losses = o->n_losses ? o->n_losses : 1, n = 0;
    bool sorts = ls_pair_sorts(o);
    LS_ASSERT_EQ(streams->n_seqs % n_members, 0);
    entry one, *entries = &one;
    if (sorts)
        entries = ls_malloc(ls_mul_size((size_t)(streams->n_seqs / n_members) + 1, sizeof one));
    for (int64_t i = 0; i < streams->n_seqs; i += n_members) {
        double weight;
        entry *e = &entries[n];
        if (!take_pair(e, &w, i))
            continue;
        count(&w, e, loss_at(o, 0, &weight)->has_mean_reward);
        for (int64_t j = 0; j < n_losses; j++) {
            const ls_pair_loss *loss = loss_at(o, j, &weight);
            if (loss->run != ls_pair_sorted)
                add_loss(&w, e, loss, weight);
        }
        add_optimism(&w, e, i);
        if (sorts)
            n++;
        else
            write_seeds(&w, e);
    }
    if (!sorts)
        return;
    for (int64_t j = 0; j < n_losses; j++) {
        double weight;
        const ls_pair_loss *loss = loss_at(o, j, &weight);
        if (loss->run == ls_pair_sorted)
            add_sorted_loss(&w, entries, n, loss, weight);
    }
    for (int64_t i = 0; i < n; i++)
        write_seeds(&w, &entries[i]);
    ls_free(entries);
}

static void run_view(ls_objective_sums *sums, const ls_objective_options *options,
                     const leash_streams *streams, const leash_scores *scores,
                     const leash_seeds *seeds)
{
    ls_preference_run(sums, options, streams, scores, seeds, 2);
}

static ls_unit unit_of(const ls_objective_options *options)
{
    return ls_pair_sorts(&options->pair) ? LS_UNIT_STEP : LS_UNIT_PAIR;
}

unsigned ls_preference_needs(const ls_objective_options *options)
{
    return (ls_pair_needs_reference(&options->pair) ? LS_NEED_REF_LOGP : 0U) |
           (options->pair.use_weighting ? LS_NEED_SUM_SQ : 0U);
}

const ls_objective ls_objective_preference = {
    .name = "preference",
    .help = "losses of pairs of a chosen and a rejected completion (DPO, IPO, SimPO, ORPO and "
            "others), chosen and mixed by loss_type",
    .source = "arXiv:2305.18290",
    .owns_beta = true,
    .unit = LS_UNIT_PAIR,
    .is_unit_mean = true,
    .run_view = run_view,
    .unit_of = unit_of,
    .needs_of = ls_preference_needs,
    .check = ls_pair_options_check,
};
