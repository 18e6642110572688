/* How far the work is, on stderr: one line that is redrawn on a terminal, plain lines elsewhere
 * (and where TERM is unset or dumb).
 *
 *     grpo ━━━━━───  12/60  1.3 s/step  1m 02s left  reward 0.312  kl 0.004  acc 45.0%
 *
 * The line never wraps: the bar takes the room that is left, up to 20 cells, and figures at the end
 * are left out until it has 6.  It has no colours.  Plain lines come at most once a second unless
 * the user asked for a number of steps between them. */
#ifndef LS_CLI_PROGRESS_H
#define LS_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ls_progress {
    bool is_terminal, is_drawn;
    bool counts_steps; /* false: percent of one piece of work */
    double started, counted_from, last_shown;
    int64_t first_step; /* that this process finished; the pace counts from it, -1: none yet */
    int64_t every;      /* plain lines: steps between them; 0: about one a second */
    char label[32];
    char note[160]; /* figures of the last step, joined by two blanks, the most important first */
    char line[640]; /* as it was drawn last */
} ls_progress;

void ls_progress_start(ls_progress *p, const char *label, bool counts_steps, int64_t every);
/* Inside of a step: what is going on and how far it is (0..1). */
void ls_progress_draw(ls_progress *p, int64_t step, int64_t n_steps, const char *phase,
                      double share);
/* A step is done. */
void ls_progress_step(ls_progress *p, int64_t step, int64_t n_steps, const char *note);
void ls_progress_end(ls_progress *p);
/* Any other line for stderr: above the line of progress when one is drawn. */
void ls_progress_message(const char *line);

#endif
