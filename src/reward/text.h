/* Spans: reading bytes of unknown origin without copying them.  Every function takes time linear in
 * the span. */
#ifndef LS_REWARD_TEXT_H
#define LS_REWARD_TEXT_H

#include "reward/reward.h"

/* s[begin, end). */
ls_span ls_span_cut(ls_span s, int64_t begin, int64_t end);
/* Without ASCII white space at both ends. */
ls_span ls_span_trim(ls_span s);
/* Place of the first / last occurrence, -1 when there is none. */
int64_t ls_span_find(ls_span s, const char *needle);
int64_t ls_span_find_last(ls_span s, const char *needle);
int64_t ls_span_find_last_nocase(ls_span s, const char *needle);
int64_t ls_span_count(ls_span s, const char *needle);
bool ls_span_starts_with(ls_span s, const char *prefix);
bool ls_span_ends_with(ls_span s, const char *suffix);
/* From `begin` to the end of its line, trimmed. */
ls_span ls_span_rest_of_line(ls_span s, int64_t begin);
/* The last line that is not blank, trimmed; empty when there is none. */
ls_span ls_span_last_line(ls_span s);
bool ls_is_digit(char c);
bool ls_is_letter(char c);
bool ls_is_space(char c);

#endif
