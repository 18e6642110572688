/* The reward model's score.  The model is run by whoever has it (train/reward_model.c), over many
 * completions at once; what it said comes with the input.  A score above 0 counts as ok. */
#include <math.h>
#include <stddef.h>
#include "reward/extract.h"

static void judge(ls_verdict *verdict, const ls_reward_options *options,
                  const ls_reward_input *input, ls_strictness strictness)
{
    ls_answer nothing = {{NULL, 0}, LS_EXTRACT_COUNT, NULL};
    (void)options, (void)strictness;
    if (!input->model_score || isnan(*input->model_score)) {
        ls_verdict_set(verdict, LS_VERDICT_CANNOT_JUDGE, nothing, "no reward model is run here");
        return;
    }
    double score = *input->model_score;
    ls_verdict_set(verdict, score > 0 ? LS_VERDICT_OK : LS_VERDICT_WRONG, nothing, "scored");
    verdict->score = score;
}

const ls_reward ls_reward_model = {
    .name = "model",
    .help = "the score of reward_model",
    .judge = judge,
};
