/* leash: RL post-training of language models, as a library.  The program `leash` is built on these
 * calls.
 *
 *     leash_settings *s;
 *     leash_settings_new(&s, "grpo");                      the recipe's values over the defaults
 *     leash_settings_set(s, "model", "my-model");
 *     leash_settings_set(s, "task", "arithmetic");
 *     leash_settings_set(s, "output_dir", "runs/mine");
 *     if (leash_train(s, NULL) != LEASH_OK)
 *         fprintf(stderr, "%s\n", leash_error());
 *     leash_settings_free(s);
 *
 * Keys, types, ranges and defaults of settings: docs/CONFIG.md.  Every function returns a
 * leash_status; on an error leash_error() holds a text that names file, key or row.  Outputs come
 * first.  Objects belong to one thread at a time; different objects may be used by different
 * threads.  What a callback is given is borrowed for the duration of the call. */
#ifndef LEASH_LEASH_H
#define LEASH_LEASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "leash/status.h"

#ifdef __cplusplus
extern "C" {
#endif

LEASH_API const char *leash_version(void);

/* --- settings --- */

typedef struct leash_settings leash_settings;

/* Defaults, then the built-in recipe (NULL: none).  Errors: LEASH_USAGE with the nearest name. */
LEASH_API leash_status leash_settings_new(leash_settings **out, const char *recipe) LEASH_MUST_USE;
LEASH_API void leash_settings_free(leash_settings *settings);
/* Errors: LEASH_USAGE naming the key, what it takes, what was found, and the nearest key. */
LEASH_API leash_status leash_settings_set(leash_settings *settings, const char *key,
                                          const char *value) LEASH_MUST_USE;
/* A YAML file of key: value lines. */
LEASH_API leash_status leash_settings_load(leash_settings *settings,
                                           const char *path) LEASH_MUST_USE;
/* The resolved values with the origin of each, as YAML.  Borrowed until the next call on these
 * settings. */
LEASH_API const char *leash_settings_yaml(leash_settings *settings);

/* --- work --- */

/* All members may be NULL. */
typedef struct leash_events {
    void *user;
    bool (*should_stop)(void);
    /* A step is done; metrics is one JSON object (docs/METRICS.md). */
    void (*on_step)(void *user, int64_t step, int64_t n_steps, const char *metrics);
    /* phase: "rollout", "update", "evaluate", ...; share 0..1 of it. */
    void (*on_progress)(void *user, int64_t step, int64_t n_steps, const char *phase, double share);
    /* One line of output of leash_generate, leash_score, leash_eval: a JSON object. */
    void (*on_row)(void *user, const char *json);
    /* A piece of a reply of leash_chat_say, as it comes. */
    void (*on_text)(void *user, const char *text);
} leash_events;

/* Trains as the settings say and writes the run directory.  Errors: LEASH_INTERRUPTED when
 * should_stop asked for it and the state was saved; LEASH_STOPPED by a monitor; LEASH_NUMERIC
 * before an update with numbers that are not finite. */
LEASH_API leash_status leash_train(leash_settings *settings,
                                   const leash_events *events) LEASH_MUST_USE;

typedef struct leash_eval_report {
    int64_t n_problems, n_samples;
    /* strict, 95 % interval */
    double accuracy, accuracy_low, accuracy_high;
    double accuracy_lenient, accuracy_lenient_low, accuracy_lenient_high;
    double mean_length, clipped_ratio, no_answer;
    double tokens_per_second;
} leash_eval_report;
/* Judges completions of held-out problems.  text and json (may be NULL): the whole result, to be
 * freed with leash_free. */
LEASH_API leash_status leash_eval(leash_eval_report *report, char **text, char **json,
                                  leash_settings *settings,
                                  const leash_events *events) LEASH_MUST_USE;

/* Completes every prompt of the dataset (or the one prompt), num_generations times (1 unless that
 * is set), at the sampling settings: events->on_row. */
LEASH_API leash_status leash_generate(leash_settings *settings, const char *prompt,
                                      const leash_events *events) LEASH_MUST_USE;

/* Log-probabilities of the completions of the dataset's rows under the model: events->on_row. */
LEASH_API leash_status leash_score(leash_settings *settings,
                                   const leash_events *events) LEASH_MUST_USE;

/* Writes the model of the settings, with its adapter merged into it, as a Hugging Face folder, or
 * as a GGUF file where the path ends in .gguf.  dtype: F32 (NULL), F16, BF16, and for GGUF Q8_0,
 * Q4_0, Q4_1.  adapter_alone: the adapter is not merged but written, as a GGUF file.  What stands
 * at the path is replaced only with the setting overwrite. */
LEASH_API leash_status leash_convert(leash_settings *settings, const char *path, const char *dtype,
                                     bool adapter_alone) LEASH_MUST_USE;

/* What a model folder, a GGUF file or an adapter folder holds: text for people, json for programs
 * (either may be NULL; freed with leash_free).  Weights are not read. */
LEASH_API leash_status leash_inspect(char **text, char **json,
                                     leash_settings *settings) LEASH_MUST_USE;

/* A conversation with a model that has a chat template. */
typedef struct leash_chat leash_chat;
typedef struct leash_chat_reply {
    const char *text;            /* borrowed until the next reply */
    int64_t n_tokens, n_context; /* of the reply; of what the model read for it */
    int64_t n_left_out; /* oldest messages that no longer fit the context and are forgotten */
    double seconds;
    bool is_complete; /* false: cut by max_completion_length or by should_stop */
} leash_chat_reply;
/* Opens the model; the conversation begins with the setting system_prompt. */
LEASH_API leash_status leash_chat_new(leash_chat **out, leash_settings *settings) LEASH_MUST_USE;
LEASH_API void leash_chat_free(leash_chat *chat);
/* Forgets the conversation; system_prompt "" or NULL: it begins without one. */
LEASH_API leash_status leash_chat_reset(leash_chat *chat, const char *system_prompt) LEASH_MUST_USE;
/* Sends a message and takes the reply.  After an error the conversation is as it was before. */
LEASH_API leash_status leash_chat_say(leash_chat_reply *reply, leash_chat *chat,
                                      const char *message,
                                      const leash_events *events) LEASH_MUST_USE;
/* The messages so far as JSON, to be freed with leash_free. */
LEASH_API char *leash_chat_messages(const leash_chat *chat);

/* What a run would need, before anything is loaded: text for people, json for programs (either may
 * be NULL). */
LEASH_API leash_status leash_plan(char **text, char **json,
                                  leash_settings *settings) LEASH_MUST_USE;

/* Writes one self-contained report.html for run directories (later ones continue earlier ones). */
LEASH_API leash_status leash_report(const char *path, const char *const *run_dirs,
                                    int64_t n_runs) LEASH_MUST_USE;

LEASH_API void leash_free(void *pointer);

#ifdef __cplusplus
}
#endif
#endif
