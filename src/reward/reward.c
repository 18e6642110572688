/* The list of rewards, and how several of them become one number. */
#include "reward/reward.h"

#include <math.h>
#include <string.h>

const ls_reward *const ls_rewards[] = {
#define LS_REWARD_ROW(symbol, name) &symbol,
#include "reward/rewards.def"
#undef LS_REWARD_ROW
};
const int64_t ls_n_rewards = (int64_t)LS_COUNT(ls_rewards);

const ls_reward *ls_reward_find(const char *name)
{
    for (int64_t i = 0; i < ls_n_rewards; i++) {
        if (strcmp(ls_rewards[i]->name, name) == 0)
            return ls_rewards[i];
    }
    return NULL;
}

void ls_reward_judge(ls_verdict *verdict, const ls_reward *reward, const ls_reward_options *options,
                     const ls_reward_input *input, ls_strictness strictness)
{
    reward->judge(verdict, options, input, strictness);
}

double ls_reward_combine(const ls_reward_part *parts, int64_t n_parts)
{
    double sum = 0.0;
    int64_t n_judged = 0;
    bool is_shut = false;
    for (int64_t i = 0; i < n_parts; i++) {
        const ls_reward_part *part = &parts[i];
        if (part->kind == LS_VERDICT_CANNOT_JUDGE)
            continue;
        if (part->is_gate) {
            is_shut = is_shut || part->kind != LS_VERDICT_OK;
            continue;
        }
        n_judged++;
        sum += part->weight * part->score;
    }
    if (n_judged == 0)
        return NAN;
    return is_shut ? 0.0 : sum;
}
