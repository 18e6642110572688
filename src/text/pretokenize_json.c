/* Reading "pre_tokenizer": one function a type, in a table. */
#include <string.h>

#include "base/mem.h"
#include "text/part.h"
#include "text/pretokenize.h"
#include "text/unicode.h"

typedef leash_status reader(ls_cut_step *step, const ls_part *part);

/* How Split and Punctuation treat their matches. */
static leash_status read_behavior(ls_cut_step *step, const ls_part *part)
{
    static const char *const names[] = {[LS_ISOLATED] = "Isolated",
                                        [LS_REMOVED] = "Removed",
                                        [LS_CONTIGUOUS] = "Contiguous",
                                        [LS_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
                                        [LS_MERGED_WITH_NEXT] = "MergedWithNext"};
    const char *text = json_string_value(json_object_get(part->json, "behavior"));
    for (size_t i = 0; text && i < LS_COUNT(names); i++)
        if (strcmp(text, names[i]) == 0) {
            step->behavior = (ls_behavior)i;
            return LEASH_OK;
        }
    return ls_part_wrong(part, "behavior",
                         "Isolated, Removed, Contiguous, MergedWithPrevious or MergedWithNext");
}

static leash_status read_byte_level(ls_cut_step *step, const ls_part *part)
{
    bool uses_regex, trims;
    step->type = LS_CUT_BYTE_LEVEL;
    LS_TRY(ls_part_keys(part, "add_prefix_space", "trim_offsets", "use_regex", NULL));
    LS_TRY(ls_part_bool(part, "add_prefix_space", true, &step->adds_space));
    LS_TRY(ls_part_bool(part, "trim_offsets", true, &trims)); /* of offsets, which are not kept */
    LS_TRY(ls_part_bool(part, "use_regex", true, &uses_regex));
    step->match = uses_regex ? ls_match_gpt2 : NULL;
    return LEASH_OK;
}

static leash_status read_split(ls_cut_step *step, const ls_part *part)
{
    LS_TRY(ls_part_keys(part, "pattern", "behavior", "invert", NULL));
    LS_TRY(read_behavior(step, part));
    LS_TRY(ls_part_bool(part, "invert", false, &step->inverts));
    const json_t *regex = json_object_get(json_object_get(part->json, "pattern"), "Regex");
    if (json_is_string(regex) && step->behavior == LS_ISOLATED) {
        step->match = ls_known_split_find(json_string_value(regex), json_string_length(regex));
        if (step->match) {
            step->type = LS_CUT_KNOWN;
            return LEASH_OK;
        }
    }
    LS_TRY(ls_part_pattern(part, &step->literal, &step->regex));
    step->type = step->regex ? LS_CUT_REGEX : LS_CUT_LITERAL;
    if (step->regex)
        ls_str_append_n(&step->literal, json_string_value(regex), json_string_length(regex));
    return LEASH_OK;
}

static leash_status read_digits(ls_cut_step *step, const ls_part *part)
{
    bool individual;
    LS_TRY(ls_part_keys(part, "individual_digits", NULL));
    LS_TRY(ls_part_bool(part, "individual_digits", false, &individual));
    step->type = LS_CUT_CLASS;
    step->classes = LS_NUMBER;
    step->behavior = individual ? LS_ISOLATED : LS_CONTIGUOUS;
    return LEASH_OK;
}

static leash_status read_punctuation(ls_cut_step *step, const ls_part *part)
{
    LS_TRY(ls_part_keys(part, "behavior", NULL));
    step->type = LS_CUT_CLASS;
    step->classes = LS_PUNCTUATION;
    return json_object_get(part->json, "behavior") ? read_behavior(step, part) : LEASH_OK;
}

static leash_status read_whitespace_split(ls_cut_step *step, const ls_part *part)
{
    step->type = LS_CUT_CLASS;
    step->classes = LS_SPACE;
    step->behavior = LS_REMOVED;
    return ls_part_keys(part, NULL);
}

static leash_status read_whitespace(ls_cut_step *step, const ls_part *part)
{
    step->type = LS_CUT_WORDS;
    return ls_part_keys(part, NULL);
}

static leash_status read_metaspace(ls_cut_step *step, const ls_part *part)
{
    static const char *const schemes[] = {
        [LS_PREPEND_NEVER] = "never", [LS_PREPEND_FIRST] = "first", [LS_PREPEND_ALWAYS] = "always"};
    bool adds_prefix;
    step->type = LS_CUT_METASPACE;
    step->behavior = LS_MERGED_WITH_NEXT;
    LS_TRY(ls_part_keys(part, "replacement", "str_rep", "add_prefix_space", "prepend_scheme",
                        "split", NULL));
    LS_TRY(ls_part_string(part, "replacement", &step->literal));
    LS_TRY(ls_part_bool(part, "split", true, &step->splits));
    LS_TRY(ls_part_bool(part, "add_prefix_space", true, &adds_prefix));
    if (step->literal.len == 0)
        return ls_part_wrong(part, "replacement", "a character");
    const json_t *scheme = json_object_get(part->json, "prepend_scheme");
    step->prepend = adds_prefix ? LS_PREPEND_ALWAYS : LS_PREPEND_NEVER;
    for (int i = 0; json_is_string(scheme) && i < (int)LS_COUNT(schemes); i++)
        if (strcmp(json_string_value(scheme), schemes[i]) == 0) {
            step->prepend = (ls_prepend)i;
            return LEASH_OK;
        }
    return scheme ? ls_part_wrong(part, "prepend_scheme", "never, first or always") : LEASH_OK;
}

static leash_status read_step(ls_cut_step *step, const ls_part *part)
{
    static const struct {
        const char *type;
        reader *read;
    } readers[] = {{"ByteLevel", read_byte_level},  {"Split", read_split},
                   {"Digits", read_digits},         {"Punctuation", read_punctuation},
                   {"Whitespace", read_whitespace}, {"WhitespaceSplit", read_whitespace_split},
                   {"Metaspace", read_metaspace}};
    for (size_t i = 0; i < LS_COUNT(readers); i++)
        if (ls_part_is(part, readers[i].type))
            return readers[i].read(step, part);
    return ls_part_unsupported(part, "ByteLevel, Split, Digits, Punctuation, Whitespace, "
                                     "WhitespaceSplit, Metaspace, Sequence");
}

leash_status ls_pretokenizer_read(ls_pretokenizer *out, const json_t *json, const char *file)
{
    ls_part_list list;
    *out = (ls_pretokenizer){0};
    LS_TRY(ls_part_list_read(&list, json, "pre_tokenizer", "pretokenizers", file));
    out->steps = ls_calloc((size_t)list.n + 1, sizeof *out->steps);
    for (int i = 0; i < list.n; i++) {
        if (out->is_byte_level)
            return ls_fail(LEASH_UNSUPPORTED,
                           "%s: %s: type \"%s\" after ByteLevel is not supported; "
                           "ByteLevel must "
                           "be the last step",
                           file, list.parts[i].where, list.parts[i].type);
        ls_cut_step *step = &out->steps[out->n_steps++];
        ls_str_init(&step->literal);
        LS_TRY(read_step(step, &list.parts[i]));
        out->is_byte_level = step->type == LS_CUT_BYTE_LEVEL;
    }
    return LEASH_OK;
}
