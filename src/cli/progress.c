/* The line of progress. */
#include "cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/output.h"

#define REDRAW_SECONDS 0.1
#define PLAIN_SECONDS 1.0
#define LEAST_CELLS 6
#define MOST_CELLS 20

static ls_progress *current; /* the one that is drawn, for messages in between */

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

void ls_progress_start(ls_progress *p, const char *label, bool counts_steps, int64_t every)
{
    const char *terminal = getenv("TERM");
    memset(p, 0, sizeof *p);
    p->is_terminal =
        isatty(STDERR_FILENO) && terminal && terminal[0] && strcmp(terminal, "dumb") != 0;
    p->counts_steps = counts_steps;
    p->started = ls_clock_seconds();
    p->first_step = -1;
    p->every = every;
    snprintf(p->label, sizeof p->label, "%s", label);
    current = p;
}

/* The pace counts from the end of the first step: loading, and what is done once, are no pace. */
static void count_from(ls_progress *p, int64_t step)
{
    if (p->first_step >= 0)
        return;
    p->counted_from = ls_clock_seconds();
    p->first_step = step;
}

/* "12/60   1.3 s/step  1m 02s left" or "12/60    4.2/s     12s left", each padded so that the rest
 * of the line stands still. */
static int format_pace(const ls_progress *p, char *out, size_t size, int64_t step, int64_t n_steps)
{
    char total[24], left[32];
    int width = snprintf(total, sizeof total, "%lld", (long long)n_steps);
    int n = p->counts_steps ? snprintf(out, size, "%*lld/%s", width, (long long)step, total)
                            : snprintf(out, size, "%3lld%%", (long long)step);
    double now = ls_clock_seconds(), elapsed = now - p->counted_from;
    double done = p->first_step < 0 ? 0 : (double)(step - p->first_step);
    bool has_pace = done > 0 && elapsed > 0, is_over = step >= n_steps;
    if (has_pace && p->counts_steps)
        n += snprintf(out + n, size - (size_t)n, done >= elapsed ? "  %5.1f/s" : "  %4.1f s/step",
                      done >= elapsed ? done / elapsed : elapsed / done);
    if (!has_pace && !is_over)
        return n;
    double seconds = is_over ? now - p->started : elapsed / done * (double)(n_steps - step);
    if (seconds < 59.5)
        snprintf(left, sizeof left, "%.0fs", is_over ? seconds : ceil(seconds));
    else
        ls_format_seconds(left, seconds);
    return n + snprintf(out + n, size - (size_t)n, "  %6s %s", left, is_over ? "in all" : "left");
}

/* Takes the last figure off a note. */
static int shorten(const char *note, int n)
{
    while (n > 0 && !(note[n - 1] == ' ' && n > 1 && note[n - 2] == ' '))
        n--;
    return n > 2 ? n - 2 : 0;
}

static void draw_line(ls_progress *p, int64_t step, int64_t n_steps, const char *note)
{
    char pace[96];
    int n_pace = format_pace(p, pace, sizeof pace, step, n_steps), n_note = (int)strlen(note);
    /* room for the ^C that a terminal shows; the last column stays empty, since some terminals wrap
     * when it is written */
    int room = terminal_columns() - 3 - (int)strlen(p->label) - 1 - n_pace - 2;
    while (n_note > 0 && room - 2 - n_note < LEAST_CELLS)
        n_note = shorten(note, n_note);
    int cells = room - (n_note ? 2 + n_note : 0);
    cells = cells > MOST_CELLS ? MOST_CELLS : cells < LEAST_CELLS ? 0 : cells;
    bool is_utf8 = ls_locale_is_utf8();
    int at = snprintf(p->line, sizeof p->line, "%s ", p->label);
    for (int64_t i = 0; i < cells; i++) {
        bool is_done = n_steps > 0 && (i + 1) * n_steps <= step * cells;
        at += snprintf(p->line + at, sizeof p->line - (size_t)at, "%s",
                       is_utf8   ? (is_done ? "\xe2\x94\x81" : "\xe2\x94\x80")
                       : is_done ? "="
                                 : "-");
    }
    snprintf(p->line + at, sizeof p->line - (size_t)at, "%s%s%s%.*s", cells ? "  " : "", pace,
             n_note ? "  " : "", n_note, note);
    fprintf(stderr, "\r%s\033[K", p->line);
    fflush(stderr);
    p->is_drawn = true;
}

void ls_progress_draw(ls_progress *p, int64_t step, int64_t n_steps, const char *phase,
                      double share)
{
    double now = ls_clock_seconds();
    if (!p->counts_steps)
        count_from(p, step);
    if (!p->is_terminal || now - p->last_shown < REDRAW_SECONDS)
        return;
    p->last_shown = now;
    char text[48];
    snprintf(text, sizeof text, "%s %3.0f%%", phase, 100 * (share < 1 ? share : 1));
    bool shows_figures = p->note[0] && strcmp(phase, "evaluate") != 0;
    draw_line(p, step, n_steps, shows_figures ? p->note : p->counts_steps ? text : "");
}

void ls_progress_step(ls_progress *p, int64_t step, int64_t n_steps, const char *note)
{
    double now = ls_clock_seconds();
    count_from(p, step);
    snprintf(p->note, sizeof p->note, "%s", note);
    bool is_due = p->is_terminal ? now - p->last_shown >= REDRAW_SECONDS
                  : p->every > 0 ? step % p->every == 0
                                 : now - p->last_shown >= PLAIN_SECONDS;
    if (!is_due && step != n_steps)
        return;
    p->last_shown = now;
    if (p->is_terminal) {
        draw_line(p, step, n_steps, note);
        return;
    }
    char pace[96];
    format_pace(p, pace, sizeof pace, step, n_steps);
    fprintf(stderr, "%s %s  %s\n", p->label, pace + strspn(pace, " "), note);
}

void ls_progress_end(ls_progress *p)
{
    if (p->is_drawn)
        fputc('\n', stderr);
    p->is_drawn = false;
    current = NULL;
}

void ls_progress_message(const char *line)
{
    bool is_over_bar = current && current->is_drawn;
    fprintf(stderr, is_over_bar ? "\r\033[K%s\n" : "%s\n", line);
    if (is_over_bar)
        fprintf(stderr, "%s", current->line);
    fflush(stderr);
}
