/* Option rows of the built-in rewards, and the list of rewards of a run. */
#include "reward/options.h"

#include <assert.h>
#include <string.h>
#include "reward/text.h"

static const char *const names[] = {
#define LS_REWARD_ROW(symbol, name) name,
#include "reward/rewards.def"
#undef LS_REWARD_ROW
    NULL};
static const char *const extracts[] = {
#define LS_EXTRACT_CHOICE(id, name, help) name,
    LS_EXTRACT_LIST(LS_EXTRACT_CHOICE)
#undef LS_EXTRACT_CHOICE
        NULL};

static_assert(LS_COUNT(names) - 1 <= LS_REWARDS_MAX, "a plan has room for every reward once");

#define ROW(field, option_type, text)                                                    \
    .key = #field, .type = (option_type), .offset = offsetof(ls_reward_settings, field), \
    .def = (text)

static const ls_option rows[] = {
    {ROW(reward, LS_OPT_STRING, ""),
     .help = "Rewards of a completion, joined with commas; empty: the one of the task.",
     .more =
         "The first that is no gate is what accuracy means.  number: the answer equals the "
         "gold number; exact: the gold text; format: the asked "
         "tags and nothing else; countdown: an expression that hits the target; model: the score "
         "of reward_model."},
    {ROW(reward_weights, LS_OPT_STRING, ""),
     .help = "One weight a reward, joined with commas; empty: all 1.",
     .more = "A reward that cannot judge a completion is left out of its sum."},
    {ROW(reward_model, LS_OPT_PATH, ""),
     .help = "A model that scores (leash reward, or one of the hub), for the reward model.",
     .more = "Completions are scored as the policy wrote them: both have the same tokenizer.  With "
             "reward empty its score is the reward; beside a task's verifier, which then has "
             "weight 0 and tells what the score is worth."},
    {ROW(answer_extract, LS_OPT_CHOICE, "auto"), .choices = extracts,
     .help = "Where the answer is looked for, always its last occurrence.",
     .more = "auto takes the first of answer-tag, boxed, hash (####) and answer-line (Answer:) "
             "that occurs.  With <think> only the text after the last </think> counts."},
    {ROW(format_tags, LS_OPT_STRING, "think,answer"),
     .help = "Tags that the format reward asks for, in order."},
    {ROW(format_as_gate, LS_OPT_BOOL, "true"),
     .help = "The format reward shuts the others off when it fails, instead of adding to them.",
     .more = "As an addend it is learnt first and then rewards long wrong answers."},
};

const ls_option_table ls_reward_option_table = {"Reward", "What completions are rewarded for.",
                                                rows, LS_COUNT(rows)};

/* The next item of a list joined with commas, trimmed, into `item`.  False when the list is used
 * up. */
static bool next_item(char *item, size_t size, const char **list)
{
    if (**list == '\0')
        return false;
    size_t n = strcspn(*list, ",");
    ls_span s = ls_span_trim((ls_span){*list, (int64_t)n});
    size_t n_copied = (size_t)s.n < size - 1 ? (size_t)s.n : size - 1;
    memcpy(item, s.at, n_copied);
    item[n_copied] = '\0';
    *list += n + ((*list)[n] == ',');
    return true;
}

static leash_status resolve_weights(ls_reward_plan *plan, const char *list)
{
    char item[64];
    const char *rest = list;
    int64_t n = 0;
    while (next_item(item, sizeof item, &rest)) {
        double weight;
        if (!ls_parse_double(item, &weight))
            return ls_fail(LEASH_USAGE, "reward_weights: \"%s\" is not a number", item);
        if (n < plan->n)
            plan->weight[n] = weight;
        n++;
    }
    if (n != 0 && n != plan->n)
        return ls_fail(LEASH_USAGE,
                       "reward_weights has %lld numbers for %lld rewards; give one each",
                       (long long)n, (long long)plan->n);
    return LEASH_OK;
}

leash_status ls_reward_resolve(ls_reward_plan *plan, const ls_reward_settings *settings)
{
    *plan = (ls_reward_plan){.options = {.format_tags = settings->format_tags}};
    plan->options.extract = LS_EXTRACT_COUNT;
    for (int i = 0; i < LS_EXTRACT_COUNT; i++) {
        if (strcmp(settings->answer_extract, ls_extract_names[i]) == 0)
            plan->options.extract = (ls_extract)i;
    }
    if (plan->options.extract == LS_EXTRACT_COUNT)
        return ls_fail(LEASH_USAGE, "answer_extract: there is no \"%s\"", settings->answer_extract);

    if (!settings->reward[0])
        return ls_fail(
            LEASH_USAGE,
            "no reward: give --reward a name, or several with commas (leash info lists them)");
    char item[64];
    const char *rest = settings->reward;
    int64_t n_addends = 0;
    while (next_item(item, sizeof item, &rest)) {
        const ls_reward *reward = ls_reward_find(item);
        if (!reward) {
            const char *near = ls_nearest_name(item, names, ls_n_rewards);
            return ls_fail(LEASH_USAGE, "reward: no reward named \"%s\"; did you mean %s?", item,
                           near ? near : names[0]);
        }
        for (int64_t i = 0; i < plan->n; i++)
            if (plan->reward[i] == reward)
                return ls_fail(LEASH_USAGE, "reward: %s is named twice", item);
        plan->reward[plan->n] = reward;
        plan->weight[plan->n] = 1.0;
        plan->is_gate[plan->n] = reward->is_gate && settings->format_as_gate;
        if (!plan->is_gate[plan->n] && n_addends++ == 0)
            plan->main = plan->n;
        plan->n++;
    }
    if (n_addends == 0)
        return ls_fail(LEASH_USAGE,
                       "reward is \"%s\", expected at least one reward that adds a "
                       "score; name one, or set format_as_gate: false",
                       settings->reward);
    bool is_given = settings->reward_model && settings->reward_model[0];
    if (ls_reward_plan_has_model(plan) != is_given)
        return ls_fail(LEASH_USAGE,
                       is_given
                           ? "reward_model is given, but reward \"%s\" does not name model: add it"
                           : "reward \"%s\" names model: give --reward_model a model that scores",
                       settings->reward);
    return resolve_weights(plan, settings->reward_weights);
}

bool ls_reward_plan_has_model(const ls_reward_plan *plan)
{
    for (int64_t i = 0; i < plan->n; i++)
        if (plan->reward[i] == &ls_reward_model)
            return true;
    return false;
}

leash_status ls_reward_check_accuracy(const ls_reward_plan *plan)
{
    if (plan->reward[plan->main] != &ls_reward_model)
        return LEASH_OK;
    return ls_fail(LEASH_USAGE, "accuracy on held-out problems needs a reward that can be checked: "
                                "name it first, as in reward: number,model with reward_weights: "
                                "0,1");
}

double ls_reward_total(ls_verdict *verdicts, const ls_reward_plan *plan,
                       const ls_reward_input *input, ls_strictness strictness)
{
    ls_reward_part parts[LS_REWARDS_MAX];
    for (int64_t i = 0; i < plan->n; i++) {
        ls_reward_judge(&verdicts[i], plan->reward[i], &plan->options, input, strictness);
        parts[i] = (ls_reward_part){.kind = verdicts[i].kind,
                                    .score = verdicts[i].score,
                                    .weight = plan->weight[i],
                                    .is_gate = plan->is_gate[i]};
    }
    return ls_reward_combine(parts, plan->n);
}
