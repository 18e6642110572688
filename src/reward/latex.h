/* Mathematical answers in LaTeX, written in one way. */
#ifndef LS_REWARD_LATEX_H
#define LS_REWARD_LATEX_H

#include "reward/reward.h"

#define LS_LATEX_BYTES 512 /* longest answer that is rewritten */

/* Writes the answer without what does not change its meaning: white space and spacing commands,
 * $ and \( \), sizes (\left, \displaystyle), \text{ } around words, degrees and percent, a full
 * stop at the end, a name before a single =; and what can be written in several ways in one:
 * \dfrac, \tfrac, \frac12 and a/b as \frac{a}{b}, \sqrt2 as \sqrt{2}, x^{2} as x^2, \times as
 * \cdot, \ge as \geq.  Nothing is computed: 1+x and x+1 stay different.  Returns the bytes written,
 * -1 for an answer that is too long. */
int64_t ls_latex_normalize(char out[LS_LATEX_BYTES], ls_span answer);

#endif
