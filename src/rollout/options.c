/* Option rows of sampling and of the engine. */
#include "rollout/rollout.h"

#define ROW(struct_type, field, option_type, text) \
    .key = #field, .type = (option_type), .offset = offsetof(struct_type, field), .def = (text)

static const ls_option sampling_rows[] = {
    {ROW(ls_sampling_options, temperature, LS_OPT_FLOAT, "1.0"), .min = 0, .max = 100,
     .help = "Divides the logits, in sampling and in training alike.",
     .more = "The policy that is trained is softmax(logits / temperature).  0 takes the most "
             "likely token: for evaluation only, since a ratio of probabilities has no meaning "
             "then; log-probabilities are those of temperature 1."},
    {ROW(ls_sampling_options, top_k, LS_OPT_INT, "0"), .min = 0, .max = 1e9, .unit = "tokens",
     .help = "Samples from the k most likely tokens alone; 0 is off.",
     .more =
         "Of equally likely tokens the lower id counts as more likely.  Recorded log-probabilities "
         "stay those of the full softmax; what truncation changes is recorded beside them.  Order: "
         "top_k, top_p, min_p."},
    {ROW(ls_sampling_options, top_p, LS_OPT_FLOAT, "1.0"), .min = 0, .max = 1,
     .help = "Samples from the smallest set of most likely tokens that holds this share of the "
             "probability; 1 is off.",
     .more = "The share is of what top_k left.  The most likely token is always kept."},
    {ROW(ls_sampling_options, min_p, LS_OPT_FLOAT, "0"), .min = 0, .max = 1,
     .help = "Drops tokens less likely than this share of the most likely one; 0 is off."},
    {ROW(ls_sampling_options, max_completion_length, LS_OPT_INT, "512"), .min = 1,
     .max = LS_ATTENTION_MAX, .unit = "tokens", .help = "Longest completion, with its stop token."},
};
const ls_option_table ls_sampling_option_table = {"Rollout", "How completions are sampled.",
                                                  sampling_rows, LS_COUNT(sampling_rows)};

static const ls_option engine_rows[] = {
    {ROW(ls_engine_options, rollout_slots, LS_OPT_INT, "64"), .min = 1, .max = 65536,
     .unit = "sequences", .help = "Completions that are written at once; no bit depends on it.",
     .more = "More are faster until a forward of that many rows fills the processor, and each "
             "takes KV cache for a sequence of full length.",
     .is_advanced = true},
    {ROW(ls_engine_options, prefill_chunk, LS_OPT_INT, "512"), .min = 1, .max = 65536,
     .unit = "tokens",
     .help = "Prompt tokens read in one forward, beside the tokens of running completions; no bit "
             "depends on it.",
     .is_advanced = true},
};
const ls_option_table ls_engine_option_table = {"Rollout", "How the rollout engine works.",
                                                engine_rows, LS_COUNT(engine_rows)};
