/* Which modules have an adapter, of which rank and alpha: PEFT's matching of names.
 *
 *     list       the module's name equals an entry, or ends with "." and the entry
 *     pattern    the whole name matches (Python's re.fullmatch)
 *     rank_pattern, alpha_pattern    (.*\.)?(key)$ matches; the first of the list counts
 *     layers     the number in the name is one of the list: .*\.PATTERN\.(\d+)\.
 * PEFT is content when any module matches a list; here each entry must match one, since a name that
 * matches nothing is a mistake.  Patterns run in PCRE2, which reads what such names need in the way
 * Python does.
 * Source: peft, src/peft/tuners/tuners_utils.py, utils/other.py (get_pattern_key). */
#include "model/lora.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

#define MOST_STEPS 1000000u
#define MOST_NAMED 6 /* modules listed in an error */

void ls_lora_spec_release(ls_lora_spec *spec)
{
    ls_module_set *sets[] = {&spec->target_modules, &spec->exclude_modules};
    for (size_t s = 0; s < LS_COUNT(sets); s++) {
        for (int64_t i = 0; i < sets[s]->n_names; i++)
            ls_free(sets[s]->names[i]);
        ls_free(sets[s]->names);
        ls_free(sets[s]->pattern);
    }
    for (int64_t i = 0; i < spec->n_rank_pattern; i++)
        ls_free(spec->rank_pattern[i].key);
    for (int64_t i = 0; i < spec->n_alpha_pattern; i++)
        ls_free(spec->alpha_pattern[i].key);
    ls_free(spec->rank_pattern);
    ls_free(spec->alpha_pattern);
    ls_free(spec->layers);
    ls_free(spec->layers_pattern);
    *spec = (ls_lora_spec){0};
}

static leash_status split_names(ls_module_set *set, const char *text, const char *key)
{
    size_t most = 1;
    for (const char *c = text; *c; c++)
        most += *c == ',';
    set->names = ls_calloc(most, sizeof *set->names);
    while (*text) {
        text += strspn(text, " ");
        size_t n = strcspn(text, ","), used = n;
        while (used > 0 && text[used - 1] == ' ')
            used--;
        if (used == 0)
            return ls_fail(LEASH_USAGE, "%s: an empty name in the list", key);
        char *name = ls_malloc(used + 1);
        memcpy(name, text, used);
        name[used] = '\0';
        set->names[set->n_names++] = name;
        text += n + (text[n] == ',');
    }
    return LEASH_OK;
}

leash_status ls_lora_spec_set_targets(ls_lora_spec *spec, const char *text, const char *key)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-, ";
    ls_module_set *set = &spec->target_modules;
    if (strcmp(text, "all-linear") == 0) {
        set->is_all = true;
        return LEASH_OK;
    }
    if (text[strspn(text, plain)] != '\0') {
        set->pattern = ls_strdup(text);
        return LEASH_OK;
    }
    return split_names(set, text[0] ? text : "q_proj,v_proj", key);
}

/* --- matching --- */

/* Matches text from its start; with `whole` to its end.  `group` (may be NULL) takes the first
 * group as a number, -1 when there is none. */
static leash_status match(bool *is_match, int64_t *group, const char *pattern, bool whole,
                          const char *text, const char *where)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | (whole ? PCRE2_ENDANCHORED : 0u);
    pcre2_code *regex =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
    if (!regex) {
        unsigned char reason[120] = "";
        pcre2_get_error_message(code, reason, sizeof reason);
        return ls_fail(LEASH_USAGE, "%s: '%s' is no regular expression: %s at byte %zu", where,
                       pattern, (const char *)reason, (size_t)at);
    }
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(regex, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(context, MOST_STEPS);
    int n = pcre2_match(regex, (PCRE2_SPTR)text, strlen(text), 0, 0, data, context);
    *is_match = n > 0;
    if (group) {
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
        *group = n > 1 && ends[2] != PCRE2_UNSET ? strtoll(text + ends[2], NULL, 10) : -1;
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    pcre2_code_free(regex);
    if (n < 0 && n != PCRE2_ERROR_NOMATCH)
        return ls_fail(LEASH_USAGE, "%s: '%s' takes too long to match: write a simpler one", where,
                       pattern);
    return LEASH_OK;
}

static bool name_matches(const char *module, const char *entry)
{
    size_t n = strlen(module), n_entry = strlen(entry);
    if (n < n_entry || strcmp(module + n - n_entry, entry) != 0)
        return false;
    return n == n_entry || module[n - n_entry - 1] == '.';
}

/* `used` (n_names, or NULL) is set for entries that match. */
static leash_status set_matches(bool *is_match, const ls_module_set *set, const char *module,
                                bool *used, const char *where)
{
    *is_match = set->is_all;
    if (set->pattern)
        return match(is_match, NULL, set->pattern, true, module, where);
    for (int64_t i = 0; i < set->n_names; i++)
        if (name_matches(module, set->names[i])) {
            *is_match = true;
            if (used)
                used[i] = true;
        }
    return LEASH_OK;
}

static leash_status layer_matches(bool *is_match, const ls_lora_spec *spec, const char *module,
                                  const char *where)
{
    *is_match = true;
    if (spec->n_layers == 0)
        return LEASH_OK;
    ls_str pattern = LS_STR_INIT;
    int64_t layer;
    ls_str_appendf(&pattern, ".*\\.%s\\.(\\d+)\\.",
                   spec->layers_pattern ? spec->layers_pattern : "[^.]*");
    leash_status status = match(is_match, &layer, pattern.data, false, module, where);
    ls_str_release(&pattern);
    LS_TRY(status);
    bool is_listed = false;
    for (int64_t i = 0; i < spec->n_layers; i++)
        is_listed = is_listed || spec->layers[i] == layer;
    *is_match = *is_match && is_listed;
    return LEASH_OK;
}

/* The value of the first key that matches the module, or what was there. */
static leash_status apply_pattern(double *value, const ls_module_value *patterns, int64_t n,
                                  const char *module, const char *where)
{
    bool is_match = false;
    for (int64_t i = 0; i < n && !is_match; i++) {
        ls_str pattern = LS_STR_INIT;
        ls_str_appendf(&pattern, "(.*\\.)?(%s)$", patterns[i].key);
        leash_status status = match(&is_match, NULL, pattern.data, false, module, where);
        ls_str_release(&pattern);
        LS_TRY(status);
        if (is_match)
            *value = patterns[i].value;
    }
    return LEASH_OK;
}

/* --- choosing --- */

static bool module_name(char out[96], const ls_weight *w)
{
    snprintf(out, 96, "%s", w->name);
    if (!ls_ends_with(out, ".weight"))
        return false;
    out[strlen(out) - strlen(".weight")] = '\0';
    return true;
}

static bool can_adapt(const ls_model *model, const ls_weight *w)
{
    return w->takes_lora && w != model->head && w != model->embedding;
}

static leash_status fail_unmatched(const ls_model *model, const char *what, const char *where)
{
    ls_str names = LS_STR_INIT;
    char module[96];
    int64_t n = 0;
    for (int64_t i = 0; i < model->n_weights && n <= MOST_NAMED; i++) {
        const ls_weight *w = &model->weights[i];
        if (!can_adapt(model, w) || !module_name(module, w))
            continue;
        ls_str_appendf(&names, "%s%s", n > 0 ? ", " : "", n < MOST_NAMED ? module : "...");
        n++;
    }
    leash_status status = ls_fail(LEASH_USAGE,
                                  "%s: '%s' matches no module of the model that can be adapted; "
                                  "there are %s",
                                  where, what, names.data);
    ls_str_release(&names);
    return status;
}

/* Whether the spec names this weight. */
static leash_status is_chosen(bool *out, const ls_model *model, const ls_lora_spec *spec,
                              const ls_weight *w, bool *used, const char *where)
{
    char module[96];
    bool is_target, is_excluded, is_layer;
    bool can = can_adapt(model, w);
    *out = false;
    if (!module_name(module, w) || (spec->target_modules.is_all && !can))
        return LEASH_OK;
    LS_TRY(set_matches(&is_target, &spec->target_modules, module, used, where));
    LS_TRY(set_matches(&is_excluded, &spec->exclude_modules, module, NULL, where));
    LS_TRY(layer_matches(&is_layer, spec, module, where));
    *out = is_target && !is_excluded && is_layer;
    if (*out && !can)
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: %s takes no adapter: only matrices inside of the layers do", where,
                       module);
    return LEASH_OK;
}

static leash_status choose_one(ls_lora_choice *out, const ls_lora_spec *spec, ls_weight *w,
                               const char *where)
{
    char module[96];
    double r = (double)spec->r, alpha = spec->lora_alpha;
    (void)module_name(module, w);
    LS_TRY(apply_pattern(&r, spec->rank_pattern, spec->n_rank_pattern, module, where));
    LS_TRY(apply_pattern(&alpha, spec->alpha_pattern, spec->n_alpha_pattern, module, where));
    *out = (ls_lora_choice){.weight = w, .r = (int64_t)r, .alpha = alpha};
    return LEASH_OK;
}

static leash_status choose(ls_lora_choice *out, int64_t *n, const ls_model *model,
                           const ls_lora_spec *spec, bool *used, const char *where)
{
    const ls_module_set *targets = &spec->target_modules;
    for (int64_t i = 0; i < model->n_weights; i++) {
        bool is_one;
        LS_TRY(is_chosen(&is_one, model, spec, &model->weights[i], used, where));
        if (is_one)
            LS_TRY(choose_one(&out[(*n)++], spec, &model->weights[i], where));
    }
    for (int64_t i = 0; i < targets->n_names; i++)
        if (!used[i])
            return fail_unmatched(model, targets->names[i], where);
    if (*n > 0)
        return LEASH_OK;
    if (targets->pattern)
        return fail_unmatched(model, targets->pattern, where);
    return ls_fail(LEASH_USAGE,
                   "%s: exclude_modules and layers_to_transform leave none of the modules that "
                   "target_modules names; the model has %lld layers",
                   where, (long long)model->config.num_hidden_layers);
}

leash_status ls_lora_choose(ls_lora_choice **out, int64_t *n, const ls_model *model,
                            const ls_lora_spec *spec, const char *where)
{
    *n = 0;
    *out = ls_calloc((size_t)model->n_weights, sizeof **out);
    bool *used = ls_calloc((size_t)spec->target_modules.n_names + 1, sizeof *used);
    leash_status status = choose(*out, n, model, spec, used, where);
    ls_free(used);
    if (status != LEASH_OK) {
        ls_free(*out);
        *out = NULL;
    }
    return status;
}
